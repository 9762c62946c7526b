// Rows of PNG: the filters, both ways, and the samples as RGB. Source: PNG specification, third edition, chapters 7 and 9.
#include "CImage.h"
#include <stdlib.h>
#include <string.h>

/// The channels of one pixel, at most eight bytes, side by side in one register.
typedef int16_t lanes __attribute__((vector_size(16)));
typedef uint8_t octets __attribute__((vector_size(8)));

static inline lanes load(const uint8_t *from, size_t step) {
    octets bytes = {0};
    memcpy(&bytes, from, step);
    return __builtin_convertvector(bytes, lanes);
}

static inline void store(lanes value, uint8_t *to, size_t step) {
    octets bytes = __builtin_convertvector(value, octets);
    memcpy(to, &bytes, step);
}

static inline lanes pick(lanes condition, lanes yes, lanes no) { return (condition & yes) | (~condition & no); }

/// The neighbour closest to left + above - corner; among equals the first of that order.
static inline lanes nearest(lanes left, lanes above, lanes corner) {
    lanes to_left = above - corner, to_above = left - corner;
    lanes to_corner = __builtin_elementwise_abs(to_left + to_above);
    to_left = __builtin_elementwise_abs(to_left);
    to_above = __builtin_elementwise_abs(to_above);
    lanes second = pick(to_above <= to_corner, above, corner);
    return pick((to_left <= to_above) & (to_left <= to_corner), left, second);
}

/// Inlined with a constant step, so that a pixel is loaded and stored by single instructions.
static inline __attribute__((always_inline)) int
unfilter(int filter, uint8_t *row, const uint8_t *above, size_t count, size_t step) {
    lanes left = {0}, corner = {0};
    switch (filter) {
    case 0: return 1;
    case 1:
        for (size_t x = 0; x + step <= count; x += step) {
            left = (load(row + x, step) + left) & 255;
            store(left, row + x, step);
        }
        return 1;
    case 2:
        for (size_t x = 0; x < count; x++) row[x] += above[x];
        return 1;
    case 3:
        for (size_t x = 0; x + step <= count; x += step) {
            left = (load(row + x, step) + ((left + load(above + x, step)) >> 1)) & 255;
            store(left, row + x, step);
        }
        return 1;
    case 4:
        for (size_t x = 0; x + step <= count; x += step) {
            lanes upper = load(above + x, step);
            left = (load(row + x, step) + nearest(left, upper, corner)) & 255;
            corner = upper;
            store(left, row + x, step);
        }
        return 1;
    default: return 0;
    }
}

int ci_png_unfilter(int filter, uint8_t *row, const uint8_t *above, size_t count, size_t step) {
    switch (step) {
    case 1: return unfilter(filter, row, above, count, 1);
    case 2: return unfilter(filter, row, above, count, 2);
    case 3: return unfilter(filter, row, above, count, 3);
    case 4: return unfilter(filter, row, above, count, 4);
    case 6: return unfilter(filter, row, above, count, 6);
    case 8: return unfilter(filter, row, above, count, 8);
    default: return 0;
    }
}

/// What the filter takes from a byte.
static inline int predicted(int filter, int left, int above, int corner) {
    int to_left = abs(above - corner), to_above = abs(left - corner), to_corner = abs(left + above - 2 * corner);
    switch (filter) {
    case 1: return left;
    case 2: return above;
    case 3: return (left + above) / 2;
    case 4: return to_left <= to_above && to_left <= to_corner ? left : to_above <= to_corner ? above : corner;
    default: return 0;
    }
}

void ci_png_filter(const uint8_t *row, const uint8_t *above, uint8_t *to, size_t count, size_t step) {
    uint64_t least = UINT64_MAX;
    for (int filter = 0; filter < 5; filter++) {
        uint64_t sum = 0;
        for (size_t x = 0; x < count; x++) {
            int left = x < step ? 0 : row[x - step], corner = x < step ? 0 : above[x - step];
            sum += (uint64_t)abs((int8_t)(row[x] - predicted(filter, left, above[x], corner)));
        }
        if (sum >= least) continue;
        least = sum;
        to[0] = (uint8_t)filter;
    }
    for (size_t x = 0; x < count; x++) {
        int left = x < step ? 0 : row[x - step], corner = x < step ? 0 : above[x - step];
        to[1 + x] = (uint8_t)(row[x] - predicted(to[0], left, above[x], corner));
    }
}

uint8_t ci_png_look_up(
    const uint8_t *restrict row, const uint8_t *restrict colours, uint8_t *restrict rgb, size_t width, size_t depth,
    size_t pixel_bits) {
    uint8_t largest = 0;
    for (size_t x = 0; x < width; x++) {
        size_t bit = x * pixel_bits;
        uint8_t level = (uint8_t)((row[bit / 8] >> (8 - depth - bit % 8)) & ((1 << depth) - 1));
        if (level > largest) largest = level;
        memcpy(rgb + 3 * x, colours + 3 * level, 3);
    }
    return largest;
}

void ci_png_take(
    const uint8_t *restrict row, uint8_t *restrict rgb, size_t width, size_t pixel_bytes, size_t sample_bytes) {
    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < 3; c++) rgb[3 * x + c] = row[x * pixel_bytes + c * sample_bytes];
}
