// Layer norm over the channels of each row. With `order`, row r is row order[r] of x and dx; no row twice.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct {
    /// y = (x - mean)/σ·weight + bias; statistics: rows × (mean, 1/σ). y may be x where there is no order.
    void (*layer_norm)(const float *x, const int32_t *_Nullable order, const float *weight, const float *bias,
                       float epsilon, float *y, float *statistics, size_t rows, size_t channels);
    /// dx (+)= gradient of x; weight_sums[c] += Σ dy·x̂, bias_sums[c] += Σ dy. Each of the three may be absent.
    void (*layer_norm_backward)(const float *x, const int32_t *_Nullable order, const float *weight,
                                const float *statistics, const float *dy, float *_Nullable dx, int adding,
                                float *_Nullable weight_sums, float *_Nullable bias_sums, size_t rows,
                                size_t channels);
} ck_normalize;

#pragma clang assume_nonnull end
