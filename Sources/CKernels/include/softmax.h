// Softmax over the columns of each row; all matrices here have `columns` floats between rows.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct {
    /// y = e^x for x ≤ 88; 0 below -87.3.
    void (*exponential)(const float *x, float *y, size_t count);
    /// s = softmax(s + bias + mask); bias and mask may be absent.
    void (*softmax)(float *s, const float *_Nullable bias, const float *_Nullable mask, size_t rows, size_t columns);
    /// dp = p⊙(dp - (dy·y of the row)), the gradient of the logits; logit_sums (+)= it, when given.
    /// y, dy: `width` channels a row, `y_stride` floats between rows.
    void (*softmax_backward)(const float *p, float *dp, const float *y, const float *dy, size_t width, size_t y_stride,
                             float *_Nullable logit_sums, int adding, size_t rows, size_t columns);
    /// Asks for rows of `width` floats, `stride` floats apart, ahead of their use.
    void (*prefetch_rows)(const float *x, size_t rows, size_t width, size_t stride);
} ck_softmax;

#pragma clang assume_nonnull end
