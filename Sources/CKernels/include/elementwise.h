// Loops over flat floats and over rows × channels with one vector per channel. Where a face allows it, the output
// may be one of the inputs itself; it never overlaps one in part.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct {
    /// y += a·x
    void (*axpy)(float a, const float *x, float *y, size_t count);
    /// y = a·x
    void (*scaled)(float a, const float *x, float *y, size_t count);
    /// z = x + y
    void (*add)(const float *x, const float *y, float *z, size_t count);
    double (*sum)(const float *x, size_t count);
    double (*sum_of_squares)(const float *x, size_t count);
    /// 1 when no element is infinite or NaN.
    int (*is_finite)(const float *x, size_t count);
    /// Every row of y becomes `row`; `stride` floats lie between rows.
    void (*fill_rows)(const float *row, float *y, size_t rows, size_t channels, size_t stride);
    /// sums[c] += Σ over rows of x[r, c]
    void (*column_sums)(const float *x, float *sums, size_t rows, size_t channels);
    /// y = x + keep·scale⊙branch; scale may be absent. With `order`, row r of the branch belongs to row order[r] of x
    /// and y; no row twice.
    void (*residual)(const float *x, const float *branch, const int32_t *_Nullable order, const float *_Nullable scale,
                     float keep, float *y, size_t rows, size_t channels);
    /// dbranch (+)= keep·scale⊙dy; scale_sums[c] += Σ keep·branch·dy. dbranch and scale_sums may be absent.
    void (*residual_backward)(const float *branch, const int32_t *_Nullable order, const float *_Nullable scale,
                              float keep, const float *dy, float *_Nullable dbranch, int adding,
                              float *_Nullable scale_sums, size_t rows, size_t channels);
    /// y (+)= a·xᵀ for a square matrix.
    void (*transpose_square)(float a, const float *x, float *y, int adding, size_t side);
    /// x += xᵀ for a square matrix.
    void (*add_transpose)(float *x, size_t side);
} ck_elementwise;

#pragma clang assume_nonnull end
