// Images as rows: patches, mask tokens and the masked pixel loss. Images are height × width × channels.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Rows of a grid of height × width cells; each row is one cell's channels × stride × stride pixels.
typedef struct {
    size_t height, width, channels, stride;
    /// Extent in pixels of one mask value; divides `stride`.
    size_t patch;
} ck_grid;

typedef struct {
    /// rows[(y, x)][c, i, j] = image[y·stride + i][x·stride + j][c] for the grid rows first..<last over all samples.
    void (*patchify)(const float *image, float *rows, ck_grid grid, size_t first, size_t last);
    /// The inverse: image (+)= rows.
    void (*unpatchify)(const float *rows, float *image, int adding, ck_grid grid, size_t first, size_t last);
    /// y = mask[r] != 0 ? token : x, by row.
    void (*masked_replace)(const float *x, const float *mask, const float *token, float *y, size_t rows,
                           size_t channels);
    /// dx (+)= dy·(1 - mask); token_sums += Σ over masked rows of dy. Both may be absent.
    void (*masked_replace_backward)(const float *mask, const float *dy, float *_Nullable dx, int adding,
                                    float *_Nullable token_sums, size_t rows, size_t channels);
    /// Σ |target - prediction|·mask over the grid rows first..<last.
    double (*masked_absolute_error)(const float *prediction, const float *target, const float *mask, ck_grid grid,
                                    size_t first, size_t last);
    /// dprediction (+)= scale·sign(prediction - target)·mask
    void (*masked_absolute_error_backward)(const float *prediction, const float *target, const float *mask,
                                           float scale, float *dprediction, int adding, ck_grid grid, size_t first,
                                           size_t last);
} ck_pixels;

#pragma clang assume_nonnull end
