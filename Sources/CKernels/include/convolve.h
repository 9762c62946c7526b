// Convolutions without a copy of the windows: a tile of rows and a panel of output channels stay in registers while
// the taps of the window are read from wherever a table says they are.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Marks of a table: from here on an entry is no row. Masked positions have the value 0.
#define CK_MASKED 0x7e000000
/// Outside the map: 0 to a convolution, absent to a pooling.
#define CK_OUTSIDE 0x7e000001

/// Reads of windows: row r reads, for each tap t, `channels` floats at x + table[r·table_stride + t]·stride.
typedef struct {
    const float *x;
    size_t stride;
    const int32_t *table;
    size_t table_stride, taps, channels;
    /// `channels` zeros, read in the place of a position without a row.
    const float *zeros;
} ck_windows;

/// Where rows go: row r of a grid with `side` rows a line becomes row (factor·y + down, factor·x + right) of the grid
/// that is `factor` times as fine.
typedef struct {
    size_t side, factor, down, right;
} ck_spread;

/// A weight as an array over (output, input, tap): strides of the first two, the last is dense.
typedef struct {
    size_t output_stride, input_stride, inputs;
    /// The tap numbers in the order in which windows list them.
    const int32_t *taps;
    size_t tap_count;
} ck_weight;

typedef struct {
    /// Output channels of a panel.
    size_t panel;
    /// panel[(t·inputs + c)·P + j] = weight of output `first` + j; zeros beyond `width`.
    void (*pack)(const float *weight, ck_weight shape, size_t first, size_t width, float *panel);
    /// The inverse: weight (+)= panel.
    void (*unpack)(const float *panel, ck_weight shape, size_t first, size_t width, float *weight, int adding);
    /// y[to(r)] (+)= bias + Σ over taps and channels of x·panel for the rows first..<last; `width` outputs.
    void (*convolve)(ck_windows windows, const float *panel, const float *_Nullable bias, int adding, float *y,
                     size_t y_stride, size_t width, ck_spread to, size_t first, size_t last);
    /// panels[((p·taps + t)·channels + c)·P + j] += Σ over rows of x·dy for the given panels, taps and rows.
    void (*gradient)(ck_windows windows, const float *dy, size_t dy_stride, size_t outputs, float *panels,
                     size_t first_panel, size_t last_panel, size_t first_tap, size_t last_tap, size_t first,
                     size_t last);
    /// y[r] (+)= bias + Σ over taps of x⊙weight[t]; weight: taps × channels.
    void (*depthwise)(ck_windows windows, const float *weight, const float *_Nullable bias, int adding, float *y,
                      size_t first, size_t last);
    /// dweight[t] += Σ over rows of x⊙dy
    void (*depthwise_gradient)(ck_windows windows, const float *dy, float *dweight, size_t first, size_t last);
} ck_convolve;

#pragma clang assume_nonnull end
