/// Output channels of a panel, two registers at each level, and the rows that it meets at once.
#define CK_PANEL (2 * CK_LANES)
#if CK_LANES == 16
#define CK_PANEL_ROWS 8
#elif CK_LANES == 8
#define CK_PANEL_ROWS 6
#else
#define CK_PANEL_ROWS 4
#endif

/// One row of a panel: two registers at each level.
typedef float LEVEL(panel_row) __attribute__((ext_vector_type(CK_PANEL)));

// Rows pass by address: as arguments they would need registers that a level does not have.
CK_INLINE void LEVEL(load_panel_row)(LEVEL(panel_row) *row, const float *from, size_t width) {
    if (width == CK_PANEL) {
        memcpy(row, from, sizeof *row);
        return;
    }
    float part[CK_PANEL] = {0};
    for (size_t j = 0; j < width; j++) part[j] = from[j];
    memcpy(row, part, sizeof *row);
}

CK_INLINE void LEVEL(store_panel_row)(const LEVEL(panel_row) *row, float *to, size_t width) {
    if (width == CK_PANEL) {
        memcpy(to, row, sizeof *row);
        return;
    }
    float part[CK_PANEL];
    memcpy(part, row, sizeof *row);
    for (size_t j = 0; j < width; j++) to[j] = part[j];
}

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

/// One tile of rows over some taps. The start is the bias, what y holds, or zero.
CK_INLINE void LEVEL(convolve_tile)(const ck_windows *windows, size_t first_tap, size_t taps,
                                    const float *restrict panel, const float *bias, int adding, float *const *rows,
                                    const int32_t *restrict table, size_t count, size_t width) {
#pragma clang fp contract(fast)
    LEVEL(panel_row) sums[CK_PANEL_ROWS];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < CK_PANEL_ROWS; i++) {
        sums[i] = 0;
        if (adding && i < count) LEVEL(load_panel_row)(&sums[i], rows[i], width);
        if (bias) {
            LEVEL(panel_row) start;
            LEVEL(load_panel_row)(&start, bias, width);
            sums[i] += start;
        }
    }
    for (size_t t = first_tap; t < first_tap + taps; t++) {
        const float *from[CK_PANEL_ROWS];
#pragma clang loop unroll(full)
        for (size_t i = 0; i < CK_PANEL_ROWS; i++) {
            const int32_t row = i < count ? table[i * windows->table_stride + t] : CK_HIDDEN;
            from[i] = row < CK_HIDDEN ? windows->x + (size_t)row * windows->stride : windows->zeros;
        }
        for (size_t c = 0; c < windows->channels; c++, panel += CK_PANEL) {
            LEVEL(panel_row) weights;
            memcpy(&weights, panel, sizeof weights);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < CK_PANEL_ROWS; i++) sums[i] += weights * from[i][c];
        }
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < CK_PANEL_ROWS; i++)
        if (i < count) LEVEL(store_panel_row)(&sums[i], rows[i], width);
}

static void LEVEL(convolve)(ck_windows windows, const float *panel, const float *bias, int adding, float *y,
                            size_t y_stride, size_t width, ck_spread to, size_t first, size_t last) {
    // Taps are taken in groups whose part of the panel stays in the second-level cache over all rows.
    size_t group = 512 / windows.channels;
    if (group == 0) group = 1;
    size_t tap = 0;
    do {
        const size_t taps = windows.taps - tap < group ? windows.taps - tap : group;
        const float *part = panel + tap * windows.channels * CK_PANEL;
        for (size_t row = first; row < last; row += CK_PANEL_ROWS) {
            const size_t count = last - row < CK_PANEL_ROWS ? last - row : CK_PANEL_ROWS;
            float *rows[CK_PANEL_ROWS];
            for (size_t i = 0; i < count; i++) rows[i] = y + LEVEL(spread_row)(to, row + i) * y_stride;
            LEVEL(convolve_tile)(&windows, tap, taps, part, tap == 0 ? bias : NULL, adding || tap > 0, rows,
                                 windows.table + row * windows.table_stride, count, width);
        }
        tap += taps;
    } while (tap < windows.taps);
}

CK_INLINE void LEVEL(panel_outer)(const float *const *restrict from, const int32_t *restrict at, size_t count, size_t channel,
                            const float *restrict dy, size_t dy_stride, float *restrict panel, const size_t tile) {
#pragma clang fp contract(fast)
    LEVEL(panel_row) sums[CK_PANEL_ROWS];
    for (size_t i = 0; i < tile; i++) memcpy(&sums[i], panel + i * CK_PANEL, sizeof sums[i]);
    for (size_t r = 0; r < count; r++) {
        LEVEL(panel_row) gradient;
        memcpy(&gradient, dy + (size_t)at[r] * dy_stride, sizeof gradient);
        const float *x = from[r] + channel;
#pragma clang loop unroll(full)
        for (size_t i = 0; i < tile; i++) sums[i] += gradient * x[i];
    }
    for (size_t i = 0; i < tile; i++) memcpy(panel + i * CK_PANEL, &sums[i], sizeof sums[i]);
}

/// Rows of one tap that exist, in row order.
CK_INLINE size_t LEVEL(present_rows)(const ck_windows *windows, size_t tap, size_t first, size_t count, const float **from,
                                int32_t *at) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t row = windows->table[(first + i) * windows->table_stride + tap];
        from[found] = windows->x + (size_t)row * windows->stride;
        at[found] = (int32_t)i;
        found += row < CK_HIDDEN;
    }
    return found;
}

#define CK_BAND 256

static void LEVEL(panel_gradient)(ck_windows windows, const float *dy, size_t dy_stride, size_t outputs, float *panels,
                            size_t first_panel, size_t last_panel, size_t first_tap, size_t last_tap, size_t first,
                            size_t last) {
    const float *from[CK_BAND];
    int32_t at[CK_BAND];
    float padded[CK_BAND * CK_PANEL];
    for (size_t row = first; row < last; row += CK_BAND) {
        const size_t rows = last - row < CK_BAND ? last - row : CK_BAND;
        for (size_t p = first_panel; p < last_panel; p++) {
            const size_t width = outputs - p * CK_PANEL < CK_PANEL ? outputs - p * CK_PANEL : CK_PANEL;
            const float *band = dy + row * dy_stride + p * CK_PANEL;
            size_t stride = dy_stride;
            if (width < CK_PANEL) {
                for (size_t i = 0; i < rows; i++) {
                    LEVEL(panel_row) line;
                    LEVEL(load_panel_row)(&line, band + i * dy_stride, width);
                    memcpy(padded + i * CK_PANEL, &line, sizeof line);
                }
                band = padded;
                stride = CK_PANEL;
            }
            for (size_t t = first_tap; t < last_tap; t++) {
                const size_t count = LEVEL(present_rows)(&windows, t, row, rows, from, at);
                float *panel = panels + (p * windows.taps + t) * windows.channels * CK_PANEL;
                size_t c = 0;
                for (; c + CK_PANEL_ROWS <= windows.channels; c += CK_PANEL_ROWS)
                    LEVEL(panel_outer)(from, at, count, c, band, stride, panel + c * CK_PANEL, CK_PANEL_ROWS);
                for (; c < windows.channels; c++)
                    LEVEL(panel_outer)(from, at, count, c, band, stride, panel + c * CK_PANEL, 1);
            }
        }
    }
}

CK_INLINE void LEVEL(depthwise_part)(const float *const *restrict from, const int32_t *restrict at, size_t count,
                                     const float *restrict weight, const float *bias, int adding, float *restrict y,
                                     size_t channels, size_t first, size_t width) {
#pragma clang fp contract(fast)
    LEVEL(panel_row) sum = 0, x, w;
    if (adding) LEVEL(load_panel_row)(&sum, y + first, width);
    if (bias) {
        LEVEL(load_panel_row)(&x, bias + first, width);
        sum += x;
    }
    for (size_t i = 0; i < count; i++) {
        LEVEL(load_panel_row)(&x, from[i] + first, width);
        LEVEL(load_panel_row)(&w, weight + (size_t)at[i] * channels + first, width);
        sum += x * w;
    }
    LEVEL(store_panel_row)(&sum, y + first, width);
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
            count += entries[t] < CK_HIDDEN;
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
    LEVEL(panel_row) sums[2] = {0, 0}, x, g;
    LEVEL(load_panel_row)(&sums[0], dweight + first, width);
    size_t i = 0;
    for (; i + 2 <= count; i += 2) {
#pragma clang loop unroll(full)
        for (size_t k = 0; k < 2; k++) {
            LEVEL(load_panel_row)(&x, from[i + k] + first, width);
            LEVEL(load_panel_row)(&g, dy + (size_t)at[i + k] * channels + first, width);
            sums[k] += x * g;
        }
    }
    if (i < count) {
        LEVEL(load_panel_row)(&x, from[i] + first, width);
        LEVEL(load_panel_row)(&g, dy + (size_t)at[i] * channels + first, width);
        sums[0] += x * g;
    }
    sums[0] += sums[1];
    LEVEL(store_panel_row)(&sums[0], dweight + first, width);
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
