// Loops over 8-bit RGB images, height × width × 3. Integers, or floats without contraction: all levels give the same
// bytes. The definitions are those of Pillow 9.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef enum { CK_NEAREST = 0, CK_BILINEAR = 1, CK_BICUBIC = 2 } ck_filter;

/// The most that `radius` + 1 of a box may be.
enum { CK_BOX_REACH = 64 };

/// Weights of an extended box filter in units of 2^-24: `inner` for |i| ≤ radius, `outer` for the two next ones.
typedef struct {
    ptrdiff_t radius;
    uint32_t inner, outer;
} ck_box;

typedef struct {
    /// bytes[3i + c] = table[256c + bytes[3i + c]]
    void (*look_up)(uint8_t *bytes, const uint8_t *table, size_t pixels);
    /// counts[256c + v] += pixels whose channel c has the value v.
    void (*histogram)(const uint8_t *bytes, uint32_t *counts, size_t pixels);
    /// Σ (19595 R + 38470 G + 7471 B + 32768) >> 16
    uint64_t (*grey_sum)(const uint8_t *bytes, size_t pixels);
    /// byte = grey + factor·(byte - grey), cut off at 0 and 255, truncated.
    void (*saturate)(uint8_t *bytes, float factor, size_t pixels);
    /// The same with the 3 × 3 smoothed image in the place of grey; the border is copied.
    void (*sharpen)(const uint8_t *from, uint8_t *to, float factor, size_t height, size_t width);
    /// One box pass along the rows; pixels beyond the edge repeat it.
    void (*blur_rows)(const uint8_t *from, uint8_t *to, size_t height, size_t width, ck_box box);
    /// One box pass along the columns.
    void (*blur_columns)(const uint8_t *from, uint8_t *to, size_t height, size_t width, ck_box box);
    /// to[y][x] = from at (a·(x + ½) + b·(y + ½) + c, d·(x + ½) + e·(y + ½) + f); `fill` = R | G << 8 | B << 16 for
    /// places outside. One byte after the last pixel of `from` is read.
    void (*warp)(const uint8_t *from, uint8_t *to, size_t height, size_t width, const double *matrix, ck_filter filter,
                 uint32_t fill);
} ck_image;

#pragma clang assume_nonnull end
