// Moving pixels and turning bytes into floats.
#include "CImage.h"
#include <string.h>

void ci_orient(const uint8_t *from, uint8_t *to, size_t height, size_t width, int orientation) {
    int transposes = orientation >= 5;
    size_t out_height = transposes ? width : height, out_width = transposes ? height : width;
    // EXIF names the sides of the upright image where the stored row 0 and column 0 belong; from the right and from
    // below they run backwards.
    int against_rows = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int against_columns = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    for (size_t y = 0; y < out_height; y++)
        for (size_t x = 0; x < out_width; x++) {
            size_t row = transposes ? x : y, column = transposes ? y : x;
            if (against_rows) row = height - 1 - row;
            if (against_columns) column = width - 1 - column;
            memcpy(to + 3 * (y * out_width + x), from + 3 * (row * width + column), 3);
        }
}

void ci_mirror(uint8_t *pixels, size_t height, size_t width) {
    for (size_t y = 0; y < height; y++) {
        uint8_t *left = pixels + 3 * y * width, *right = left + 3 * width;
        while ((right -= 3) > left) {
            for (size_t c = 0; c < 3; c++) {
                uint8_t kept = left[c];
                left[c] = right[c];
                right[c] = kept;
            }
            left += 3;
        }
    }
}

void ci_look_up(const uint8_t *restrict bytes, const float *restrict table, float *restrict floats, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) {
        floats[3 * i] = table[bytes[3 * i]];
        floats[3 * i + 1] = table[256 + bytes[3 * i + 1]];
        floats[3 * i + 2] = table[512 + bytes[3 * i + 2]];
    }
}
