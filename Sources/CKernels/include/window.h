// Pooling over windows, batch norm over rows, dense maps from rows: what comes between convolutions.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "convolve.h"

#pragma clang assume_nonnull begin

/// The windows of a dense feature map that is known at its active rows only.
typedef struct {
    /// A position for each row and tap, or the mark of one outside.
    const int32_t *table;
    /// The active row at each position, or the mark of a masked one.
    const int32_t *places;
    size_t taps, outputs;
} ck_densified;

typedef struct {
    /// y = maximum over the taps inside the map, masked ones counting as 0; winners: the tap, the first of equal ones.
    void (*max_pool)(ck_windows windows, float *y, uint8_t *winners, size_t first, size_t last);
    /// dx[to(r)] (+)= Σ of dy over the taps that this row won: windows lists the outputs that read a row of x, `taps`
    /// as which of their taps.
    void (*max_pool_backward)(ck_windows windows, const uint8_t *winners, const int32_t *taps, int adding, float *dx,
                              ck_spread to, size_t first, size_t last);
    /// y = Σ over taps / divisor, the reciprocal of which goes to `shares`. The divisor is the number of taps, or of
    /// taps inside the map where padding does not count.
    void (*average_pool)(ck_windows windows, int count_include_pad, float *y, float *shares, size_t first, size_t last);
    void (*average_pool_backward)(ck_windows windows, const float *shares, int adding, float *dx, ck_spread to,
                                  size_t first, size_t last);
    /// sums[c] += Σ (x - shift), sums[channels + c] += Σ (x - shift)²
    void (*moments)(const float *x, const float *shift, double *sums, size_t rows, size_t channels);
    /// y = clamp(residual + keep·((x - mean - rest)·scale + bias)); residual may be absent. `rest` is what the mean
    /// loses in a float: far from zero it would be a part of the result.
    void (*normalise)(const float *x, const float *mean, const float *rest, const float *scale, const float *bias,
                      const float *_Nullable residual, float keep, float low, float high, float *y, size_t rows,
                      size_t channels);
    /// With g = keep·dy where low < y < high, else 0: sums[c] += Σ g, sums[channels + c] += Σ g·(x - mean).
    void (*normalise_sums)(const float *x, const float *y, const float *dy, const float *mean, float keep, float low,
                           float high, double *sums, size_t rows, size_t channels);
    /// dx (+)= scale·(g - straight - (x - mean)·aligned); dresidual (+)= g / keep. Both may be absent.
    void (*normalise_backward)(const float *x, const float *y, const float *dy, const float *mean, const float *scale,
                               const float *straight, const float *aligned, float keep, float low, float high,
                               float *_Nullable dx, int adding, float *_Nullable dresidual, int adding_residual,
                               size_t rows, size_t channels);
    /// y[r] = x[table[r]], or the token where there is no such row.
    void (*fill)(const float *x, const int32_t *table, const float *token, float *y, size_t rows, size_t channels);
    /// sums += Σ of dy over the rows without an entry
    void (*fill_sums)(const int32_t *table, const float *dy, float *sums, size_t rows, size_t channels);
    /// y[r] = bias + Σ over taps of products[row·taps + t], or of fill[t] where the tap meets a masked position.
    void (*densify)(ck_densified map, const float *products, const float *fill, const float *_Nullable bias, float *y,
                   size_t first, size_t last);
    /// sums[t] += Σ of dy over the rows whose tap t meets a masked position
    void (*masked_sums)(ck_densified map, const float *dy, float *sums, size_t first, size_t last);
} ck_window;

#pragma clang assume_nonnull end
