/// Output channels of a panel, two registers at each level, and the rows that it meets at once. Where a second register
/// would stay empty, one meets more rows.
#define CK_PANEL (2 * CK_LANES)
#if CK_LANES == 16
#define CK_PANEL_ROWS 8
#define CK_NARROW_ROWS 16
#elif CK_LANES == 8
#define CK_PANEL_ROWS 6
#define CK_NARROW_ROWS 8
#else
#define CK_PANEL_ROWS 4
#define CK_NARROW_ROWS 8
#endif
/// Rows whose windows are looked up at once.
#define CK_BAND 256

CK_INLINE size_t LEVEL(spread_row)(ck_spread to, size_t row) {
    return ((row / to.side * to.factor + to.down) * to.side + row % to.side) * to.factor + to.right;
}

// Inputs are taken 16 at a time: the part of the panel that is written then stays in the first-level cache.
#define CK_EACH_WEIGHT(statement)                                                                                      \
    for (size_t block = 0; block < shape.inputs; block += 16) {                                                        \
        const size_t end = block + 16 < shape.inputs ? block + 16 : shape.inputs;                                      \
        for (size_t j = 0; j < width; j++)                                                                             \
            for (size_t c = block; c < end; c++) {                                                                     \
                const size_t from = (first + j) * shape.output_stride + c * shape.input_stride;                        \
                for (size_t t = 0; t < shape.tap_count; t++) {                                                         \
                    const size_t to = (t * shape.inputs + c) * CK_PANEL + j;                                           \
                    statement;                                                                                         \
                }                                                                                                      \
            }                                                                                                          \
    }

static void LEVEL(pack_panel)(const float *restrict weight, ck_weight shape, size_t first, size_t width,
                        float *restrict panel) {
    if (width < CK_PANEL) memset(panel, 0, shape.tap_count * shape.inputs * CK_PANEL * sizeof(float));
    CK_EACH_WEIGHT(panel[to] = weight[from + (size_t)shape.taps[t]])
}

static void LEVEL(unpack_panel)(const float *restrict panel, ck_weight shape, size_t first, size_t width,
                          float *restrict weight, int adding) {
    if (adding)
        CK_EACH_WEIGHT(weight[from + (size_t)shape.taps[t]] += panel[to])
    else
        CK_EACH_WEIGHT(weight[from + (size_t)shape.taps[t]] = panel[to])
}

/// Rows of one tap that exist, in row order.
CK_INLINE size_t LEVEL(present_rows)(const ck_windows *windows, size_t tap, size_t first, size_t count,
                                     const float **from, int32_t *at) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t row = windows->table[(first + i) * windows->table_stride + tap];
        from[found] = windows->x + (size_t)row * windows->stride;
        at[found] = (int32_t)i;
        found += row < CK_MASKED;
    }
    return found;
}

#define CK_PART(name) LEVEL(wide_panel_##name)
#define CK_PART_WIDTH CK_PANEL
#define CK_PART_ROWS CK_PANEL_ROWS
#include "panel.h"
#undef CK_PART
#undef CK_PART_WIDTH
#undef CK_PART_ROWS
#define CK_PART(name) LEVEL(narrow_panel_##name)
#define CK_PART_WIDTH CK_LANES
#define CK_PART_ROWS CK_NARROW_ROWS
#include "panel.h"
#undef CK_PART
#undef CK_PART_WIDTH
#undef CK_PART_ROWS

static void LEVEL(convolve)(ck_windows windows, const float *panel, const float *bias, int adding, float *y,
                            size_t y_stride, size_t width, ck_spread to, size_t first, size_t last) {
    if (width > CK_LANES)
        LEVEL(wide_panel_convolve)(&windows, panel, bias, adding, y, y_stride, width, to, first, last);
    else
        LEVEL(narrow_panel_convolve)(&windows, panel, bias, adding, y, y_stride, width, to, first, last);
}

static void LEVEL(panel_gradient)(ck_windows windows, const float *dy, size_t dy_stride, size_t outputs, float *panels,
                                  size_t first_panel, size_t last_panel, size_t first_tap, size_t last_tap,
                                  size_t first, size_t last) {
    for (size_t row = first; row < last; row += CK_BAND) {
        const size_t rows = last - row < CK_BAND ? last - row : CK_BAND;
        for (size_t p = first_panel; p < last_panel; p++) {
            const size_t width = outputs - p * CK_PANEL < CK_PANEL ? outputs - p * CK_PANEL : CK_PANEL;
            const float *band = dy + row * dy_stride + p * CK_PANEL;
            float *panel = panels + p * windows.taps * windows.channels * CK_PANEL;
            if (width > CK_LANES)
                LEVEL(wide_panel_gradient)(&windows, band, dy_stride, width, panel, first_tap, last_tap, row, rows);
            else
                LEVEL(narrow_panel_gradient)(&windows, band, dy_stride, width, panel, first_tap, last_tap, row, rows);
        }
    }
}

CK_INLINE void LEVEL(depthwise_part)(const float *const *restrict from, const int32_t *restrict at, size_t count,
                                     const float *restrict weight, const float *bias, int adding, float *restrict y,
                                     size_t channels, size_t first, size_t width) {
#pragma clang fp contract(fast)
    LEVEL(wide_panel_row) sum = 0, x, w;
    if (adding) LEVEL(wide_panel_load)(&sum, y + first, width);
    if (bias) {
        LEVEL(wide_panel_load)(&x, bias + first, width);
        sum += x;
    }
    for (size_t i = 0; i < count; i++) {
        LEVEL(wide_panel_load)(&x, from[i] + first, width);
        LEVEL(wide_panel_load)(&w, weight + (size_t)at[i] * channels + first, width);
        sum += x * w;
    }
    LEVEL(wide_panel_store)(&sum, y + first, width);
}

#define CK_MOST_TAPS 256

static void LEVEL(depthwise)(ck_windows windows, const float *weight, const float *bias, int adding, float *y,
                             size_t first, size_t last) {
    const size_t channels = windows.channels;
    const float *from[CK_MOST_TAPS];
    int32_t at[CK_MOST_TAPS];
    for (size_t r = first; r < last; r++) {
        const int32_t *entries = windows.table + r * windows.table_stride;
        size_t count = 0;
        for (size_t t = 0; t < windows.taps; t++) {
            from[count] = windows.x + (size_t)entries[t] * windows.stride;
            at[count] = (int32_t)t;
            count += entries[t] < CK_MASKED;
        }
        float *to = y + r * channels;
        size_t c = 0;
        for (; c + CK_PANEL <= channels; c += CK_PANEL)
            LEVEL(depthwise_part)(from, at, count, weight, bias, adding, to, channels, c, CK_PANEL);
        if (c < channels)
            LEVEL(depthwise_part)(from, at, count, weight, bias, adding, to, channels, c, channels - c);
    }
}

CK_INLINE void LEVEL(depthwise_sum)(const float *const *restrict from, const int32_t *restrict at, size_t count,
                                    const float *restrict dy, float *restrict dweight, size_t channels, size_t first,
                                    size_t width) {
#pragma clang fp contract(fast)
    LEVEL(wide_panel_row) sums[2] = {0, 0}, x, g;
    LEVEL(wide_panel_load)(&sums[0], dweight + first, width);
    size_t i = 0;
    for (; i + 2 <= count; i += 2) {
#pragma clang loop unroll(full)
        for (size_t k = 0; k < 2; k++) {
            LEVEL(wide_panel_load)(&x, from[i + k] + first, width);
            LEVEL(wide_panel_load)(&g, dy + (size_t)at[i + k] * channels + first, width);
            sums[k] += x * g;
        }
    }
    if (i < count) {
        LEVEL(wide_panel_load)(&x, from[i] + first, width);
        LEVEL(wide_panel_load)(&g, dy + (size_t)at[i] * channels + first, width);
        sums[0] += x * g;
    }
    sums[0] += sums[1];
    LEVEL(wide_panel_store)(&sums[0], dweight + first, width);
}

static void LEVEL(depthwise_gradient)(ck_windows windows, const float *dy, float *dweight, size_t first, size_t last) {
    const size_t channels = windows.channels;
    const float *from[CK_BAND];
    int32_t at[CK_BAND];
    // A band of x and of dy stays in the second-level cache over all taps.
    size_t band = 65536 / channels;
    if (band > CK_BAND) band = CK_BAND;
    if (band == 0) band = 1;
    for (size_t row = first; row < last; row += band) {
        const size_t rows = last - row < band ? last - row : band;
        for (size_t t = 0; t < windows.taps; t++) {
            const size_t count = LEVEL(present_rows)(&windows, t, row, rows, from, at);
            size_t c = 0;
            for (; c + CK_PANEL <= channels; c += CK_PANEL)
                LEVEL(depthwise_sum)(from, at, count, dy + row * channels, dweight + t * channels, channels, c, CK_PANEL);
            if (c < channels)
                LEVEL(depthwise_sum)(from, at, count, dy + row * channels, dweight + t * channels, channels, c, channels - c);
        }
    }
}

#define CK_CONVOLVE_TABLE                                                                                              \
    {                                                                                                                  \
        .panel = CK_PANEL, .pack = LEVEL(pack_panel), .unpack = LEVEL(unpack_panel), .convolve = LEVEL(convolve),                  \
        .gradient = LEVEL(panel_gradient), .depthwise = LEVEL(depthwise), .depthwise_gradient = LEVEL(depthwise_gradient)    \
    }
