#include "CTestJPEG.h"
#include <stdio.h>
#include <jpeglib.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf escape;
} errors;

static void leave(j_common_ptr info) { longjmp(((errors *)info->err)->escape, 1); }

size_t ctj_encode(
    const uint8_t *pixels, size_t height, size_t width, const ctj_settings *settings, uint8_t *file, size_t room
) {
    struct jpeg_compress_struct info;
    errors state;
    unsigned char *buffer = NULL;
    unsigned long size = 0;
    jpeg_scan_info scans[200];
    info.err = jpeg_std_error(&state.base);
    state.base.error_exit = leave;
    if (setjmp(state.escape)) {
        jpeg_destroy_compress(&info);
        return 0;
    }
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &buffer, &size);
    info.image_width = (JDIMENSION)width;
    info.image_height = (JDIMENSION)height;
    info.input_components = settings->channels;
    info.in_color_space = settings->channels == 1 ? JCS_GRAYSCALE : settings->channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, settings->quality, TRUE);
    if (settings->ycck) jpeg_set_colorspace(&info, JCS_YCCK);
    info.comp_info[0].h_samp_factor = settings->horizontal;
    info.comp_info[0].v_samp_factor = settings->vertical;
    if (settings->channels == 4) {
        info.comp_info[3].h_samp_factor = settings->horizontal;
        info.comp_info[3].v_samp_factor = settings->vertical;
    }
    info.restart_interval = (unsigned)settings->restart;
    if (settings->progressive) jpeg_simple_progression(&info);
    if (settings->many_scans) {
        int count = 0;
        scans[count++] = (jpeg_scan_info){ .comps_in_scan = 3, .component_index = { 0, 1, 2 } };
        for (int c = 0; c < 3; c++)
            for (int k = 1; k < 64; k++)
                scans[count++] = (jpeg_scan_info){ .comps_in_scan = 1, .component_index = { c }, .Ss = k, .Se = k };
        info.scan_info = scans;
        info.num_scans = count;
    }
    info.arith_code = settings->arithmetic;
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = (JSAMPROW)pixels + info.next_scanline * width * (size_t)settings->channels;
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    if (size <= room) memcpy(file, buffer, size);
    free(buffer);
    return size <= room ? size : 0;
}

int ctj_decode(const uint8_t *file, size_t count, uint8_t *rgb) {
    struct jpeg_decompress_struct info;
    errors state;
    info.err = jpeg_std_error(&state.base);
    state.base.error_exit = leave;
    if (setjmp(state.escape)) {
        jpeg_destroy_decompress(&info);
        return 0;
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, file, count);
    jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = rgb + 3 * (size_t)info.output_width * info.output_scanline;
        jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return 1;
}
