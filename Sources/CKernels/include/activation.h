// GELU(x) = x·Φ(x) with the exact normal distribution function Φ, ReLU and tanh.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct {
    /// y = GELU(x + bias); y may be x.
    void (*bias_gelu)(const float *x, const float *_Nullable bias, float *y, size_t rows, size_t channels);
    /// dx (+)= dy·GELU'(x + bias); bias_sums[c] += Σ over rows of the same product, when given. dx may be dy.
    void (*bias_gelu_backward)(const float *x, const float *_Nullable bias, const float *dy, float *dx, int adding,
                               float *_Nullable bias_sums, size_t rows, size_t channels);
    /// y = max(x, 0), and NaN stays NaN; y may be x.
    void (*relu)(const float *x, float *y, size_t count);
    /// dx (+)= dy where y > 0, with y the output; dx may be dy.
    void (*relu_backward)(const float *y, const float *dy, float *dx, int adding, size_t count);
    /// y = tanh x within 1.2e-7 of its size; y may be x.
    void (*tanh)(const float *x, float *y, size_t count);
    /// dx (+)= dy·(1 - y²), with y the output; dx may be dy.
    void (*tanh_backward)(const float *y, const float *dy, float *dx, int adding, size_t count);
} ck_activation;

#pragma clang assume_nonnull end
