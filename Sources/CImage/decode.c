// JPEG through libjpeg-turbo with its defaults: integer "slow" DCT, triangle up-sampling, block smoothing.
#include "CImage.h"
#include <stdio.h>
#include <jpeglib.h>
#include <jerror.h>
#include <setjmp.h>
#include <string.h>
#include <time.h>

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf escape;
    ci_report *report;
} error_state;

typedef struct {
    struct jpeg_progress_mgr base;
    const ci_limits *limits;
    double start;
} watch_state;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void fail(j_common_ptr info) {
    error_state *state = (error_state *)info->err;
    if (info->err->msg_code == JERR_NO_BACKING_STORE)
        strcpy(state->report->message, "its coefficients need more memory than the limit");
    else
        info->err->format_message(info, state->report->message);
    longjmp(state->escape, 1);
}

static void refuse(j_common_ptr info, const char *reason) {
    error_state *state = (error_state *)info->err;
    strcpy(state->report->message, reason);
    longjmp(state->escape, 1);
}

/// Warnings after which every pixel is still the encoder's.
static int is_harmless(int code) {
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
           code == JWRN_TOO_MUCH_DATA || code == JWRN_BOGUS_PROGRESSION;
}

static void note(j_common_ptr info, int level) {
    if (level >= 0) return;
    ci_report *report = ((error_state *)info->err)->report;
    int damage = !is_harmless(info->err->msg_code);
    if (report->warnings == 0 || (damage && report->damages == 0)) info->err->format_message(info, report->message);
    report->warnings += 1;
    report->damages += damage;
}

static void silence(j_common_ptr info) { (void)info; }

/// Called once per row of blocks, also while a multi-scan file is absorbed.
static void watch(j_common_ptr info) {
    watch_state *state = (watch_state *)info->progress;
    if (((j_decompress_ptr)info)->input_scan_number > state->limits->scans) refuse(info, "more scans than the limit");
    if (now() - state->start > state->limits->seconds) refuse(info, "decoding takes longer than the limit");
}

static void begin(struct jpeg_decompress_struct *info, error_state *errors, ci_report *report) {
    memset(report, 0, sizeof *report);
    info->err = jpeg_std_error(&errors->base);
    errors->base.error_exit = fail;
    errors->base.emit_message = note;
    errors->base.output_message = silence;
    errors->report = report;
}

int ci_jpeg_peek(const uint8_t *file, size_t count, ci_header *header, ci_report *report) {
    struct jpeg_decompress_struct info;
    error_state errors;
    begin(&info, &errors, report);
    if (setjmp(errors.escape)) {
        jpeg_destroy_decompress(&info);
        return -1;
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, file, count);
    jpeg_read_header(&info, TRUE);
    header->width = info.image_width;
    header->height = info.image_height;
    header->components = info.num_components;
    header->progressive = info.progressive_mode;
    header->arithmetic = info.arith_code;
    jpeg_destroy_decompress(&info);
    return 0;
}

/// Four stored channels, Adobe-inverted: ink = 255 - stored. Each colour is the light that black leaves, less what
/// its ink takes.
static void rgb_from_cmyk(const uint8_t *cmyk, uint8_t *rgb, size_t pixels) {
    for (size_t x = 0; x < pixels; x++)
        for (size_t c = 0; c < 3; c++) {
            unsigned light = cmyk[4 * x + 3], ink = 255u - cmyk[4 * x + c];
            unsigned t = ink * light + 128, taken = ((t >> 8) + t) >> 8;
            rgb[3 * x + c] = (uint8_t)(light > taken ? light - taken : 0);
        }
}

int ci_jpeg_decode(const uint8_t *file, size_t count, const ci_limits *limits, uint8_t *rgb, ci_report *report) {
    struct jpeg_decompress_struct info;
    error_state errors;
    watch_state progress = { .base = { .progress_monitor = watch }, .limits = limits, .start = now() };
    begin(&info, &errors, report);
    if (setjmp(errors.escape)) {
        jpeg_destroy_decompress(&info);
        return -1;
    }
    jpeg_create_decompress(&info);
    info.progress = &progress.base;
    info.mem->max_memory_to_use = (long)limits->memory_bytes;
    jpeg_mem_src(&info, file, count);
    jpeg_read_header(&info, TRUE);
    info.out_color_space = info.num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info);
    size_t width = info.output_width;
    JSAMPARRAY inks = NULL;
    if (info.num_components == 4)
        inks = info.mem->alloc_sarray((j_common_ptr)&info, JPOOL_IMAGE, (JDIMENSION)(4 * width), 1);
    while (info.output_scanline < info.output_height) {
        uint8_t *row = rgb + 3 * width * info.output_scanline;
        jpeg_read_scanlines(&info, inks ? inks : &row, 1);
        if (inks) rgb_from_cmyk(inks[0], row, width);
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return 0;
}
