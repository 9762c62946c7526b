// Included twice by convolve.h: for panels of two registers and for those of one. The including file names the
// functions (CK_PART) and says how many outputs (CK_PART_WIDTH) and rows (CK_PART_ROWS) meet in registers.

/// The outputs of one row.
typedef float CK_PART(row) __attribute__((ext_vector_type(CK_PART_WIDTH)));

// Rows pass by address: as arguments they would need registers that a level does not have.
CK_INLINE void CK_PART(load)(CK_PART(row) *row, const float *from, size_t width) {
    if (width == CK_PART_WIDTH) {
        memcpy(row, from, sizeof *row);
        return;
    }
    float part[CK_PART_WIDTH] = {0};
    for (size_t j = 0; j < width; j++) part[j] = from[j];
    memcpy(row, part, sizeof *row);
}

CK_INLINE void CK_PART(store)(const CK_PART(row) *row, float *to, size_t width) {
    if (width == CK_PART_WIDTH) {
        memcpy(to, row, sizeof *row);
        return;
    }
    float part[CK_PART_WIDTH];
    memcpy(part, row, sizeof *row);
    for (size_t j = 0; j < width; j++) to[j] = part[j];
}

/// sums += x·panel over the channels of one tap. Four channels at once share the load of a row's address.
CK_INLINE void CK_PART(tap)(CK_PART(row) *sums, const float *const *from, const float *restrict panel,
                            size_t channels) {
#pragma clang fp contract(fast)
    size_t c = 0;
#if CK_PART_ROWS > 8
    for (; c + 4 <= channels; c += 4, panel += 4 * CK_PANEL) {
        CK_PART(row) weights[4];
#pragma clang loop unroll(full)
        for (size_t k = 0; k < 4; k++) memcpy(&weights[k], panel + k * CK_PANEL, sizeof weights[k]);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < CK_PART_ROWS; i++) {
            const float *x = from[i] + c;
#pragma clang loop unroll(full)
            for (size_t k = 0; k < 4; k++) sums[i] += weights[k] * x[k];
        }
    }
#endif
    for (; c < channels; c++, panel += CK_PANEL) {
        CK_PART(row) weights;
        memcpy(&weights, panel, sizeof weights);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < CK_PART_ROWS; i++) sums[i] += weights * from[i][c];
    }
}

/// A tile of rows over some taps. The start is the bias, what y holds, or zero.
CK_INLINE void CK_PART(tile)(const ck_windows *windows, size_t first_tap, size_t taps, const float *restrict panel,
                             const float *bias, int adding, float *const *rows, const int32_t *restrict table,
                             size_t count, size_t width) {
    CK_PART(row) sums[CK_PART_ROWS];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < CK_PART_ROWS; i++) {
        sums[i] = 0;
        if (adding && i < count) CK_PART(load)(&sums[i], rows[i], width);
        if (bias) {
            CK_PART(row) start;
            CK_PART(load)(&start, bias, width);
            sums[i] += start;
        }
    }
    for (size_t t = first_tap; t < first_tap + taps; t++, panel += windows->channels * CK_PANEL) {
        const float *from[CK_PART_ROWS];
#pragma clang loop unroll(full)
        for (size_t i = 0; i < CK_PART_ROWS; i++) {
            const int32_t row = i < count ? table[i * windows->table_stride + t] : CK_MASKED;
            from[i] = row < CK_MASKED ? windows->x + (size_t)row * windows->stride : windows->zeros;
        }
        CK_PART(tap)(sums, from, panel, windows->channels);
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < CK_PART_ROWS; i++)
        if (i < count) CK_PART(store)(&sums[i], rows[i], width);
}

/// y += x·panel for one tap and rows that have it.
CK_INLINE void CK_PART(present_tile)(const float *const *present, const float *zeros, size_t channels,
                                     const float *restrict panel, float *const *rows, size_t count, size_t width) {
    CK_PART(row) sums[CK_PART_ROWS];
    const float *from[CK_PART_ROWS];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < CK_PART_ROWS; i++) {
        sums[i] = 0;
        if (i < count) CK_PART(load)(&sums[i], rows[i], width);
        from[i] = i < count ? present[i] : zeros;
    }
    CK_PART(tap)(sums, from, panel, channels);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < CK_PART_ROWS; i++)
        if (i < count) CK_PART(store)(&sums[i], rows[i], width);
}

/// Tap by tap over the rows that have it: what is masked or outside costs nothing.
CK_INLINE void CK_PART(convolve_present)(const ck_windows *windows, const float *panel, const float *bias, int adding,
                                         float *y, size_t y_stride, size_t width, ck_spread to, size_t first,
                                         size_t last) {
    const float *from[CK_BAND];
    int32_t at[CK_BAND];
    float *rows[CK_BAND];
    for (size_t row = first; row < last; row += CK_BAND) {
        const size_t band = last - row < CK_BAND ? last - row : CK_BAND;
        CK_PART(row) start = 0;
        if (bias) CK_PART(load)(&start, bias, width);
        for (size_t i = 0; i < band; i++) {
            rows[i] = y + LEVEL(spread_row)(to, row + i) * y_stride;
            if (adding && !bias) continue;
            CK_PART(row) sum = start;
            if (adding) {
                CK_PART(row) old;
                CK_PART(load)(&old, rows[i], width);
                sum += old;
            }
            CK_PART(store)(&sum, rows[i], width);
        }
        for (size_t t = 0; t < windows->taps; t++) {
            const size_t count = LEVEL(present_rows)(windows, t, row, band, from, at);
            const float *part = panel + t * windows->channels * CK_PANEL;
            for (size_t i = 0; i < count; i += CK_PART_ROWS) {
                const size_t tile = count - i < CK_PART_ROWS ? count - i : CK_PART_ROWS;
                float *targets[CK_PART_ROWS];
                for (size_t k = 0; k < tile; k++) targets[k] = rows[at[i + k]];
                CK_PART(present_tile)(from + i, windows->zeros, windows->channels, part, targets, tile, width);
            }
        }
    }
}

static void CK_PART(convolve)(const ck_windows *windows, const float *panel, const float *bias, int adding, float *y,
                              size_t y_stride, size_t width, ck_spread to, size_t first, size_t last) {
    // With this many products between a load and a store of the sums, both cost nothing.
    if (windows->channels >= 128 && windows->taps > 1) {
        CK_PART(convolve_present)(windows, panel, bias, adding, y, y_stride, width, to, first, last);
        return;
    }
    // Taps are taken in groups whose part of the panel stays in the second-level cache over all rows.
    size_t group = 512 / windows->channels;
    if (group == 0) group = 1;
    size_t tap = 0;
    do {
        const size_t taps = windows->taps - tap < group ? windows->taps - tap : group;
        const float *part = panel + tap * windows->channels * CK_PANEL;
        for (size_t row = first; row < last; row += CK_PART_ROWS) {
            const size_t count = last - row < CK_PART_ROWS ? last - row : CK_PART_ROWS;
            float *rows[CK_PART_ROWS];
            for (size_t i = 0; i < count; i++) rows[i] = y + LEVEL(spread_row)(to, row + i) * y_stride;
            CK_PART(tile)(windows, tap, taps, part, tap == 0 ? bias : NULL, adding || tap > 0, rows,
                          windows->table + row * windows->table_stride, count, width);
        }
        tap += taps;
    } while (tap < windows->taps);
}

/// `tile` channels of a panel, a constant where this is inlined: panel += Σ over rows of x·dy.
CK_INLINE void CK_PART(outer)(const float *const *restrict from, const int32_t *restrict at, size_t count,
                              size_t channel, const float *restrict dy, size_t dy_stride, float *restrict panel,
                              const size_t tile) {
#pragma clang fp contract(fast)
    CK_PART(row) sums[CK_PART_ROWS];
    for (size_t i = 0; i < tile; i++) memcpy(&sums[i], panel + i * CK_PANEL, sizeof sums[i]);
    for (size_t r = 0; r < count; r++) {
        CK_PART(row) gradient;
        memcpy(&gradient, dy + (size_t)at[r] * dy_stride, sizeof gradient);
        const float *x = from[r] + channel;
#pragma clang loop unroll(full)
        for (size_t i = 0; i < tile; i++) sums[i] += gradient * x[i];
    }
    for (size_t i = 0; i < tile; i++) memcpy(panel + i * CK_PANEL, &sums[i], sizeof sums[i]);
}

/// One panel over one band of rows; dy: the band's rows at the panel's first output.
static void CK_PART(gradient)(const ck_windows *windows, const float *dy, size_t dy_stride, size_t width, float *panel,
                              size_t first_tap, size_t last_tap, size_t row, size_t rows) {
    const float *from[CK_BAND];
    int32_t at[CK_BAND];
    float padded[CK_BAND * CK_PART_WIDTH];
    if (width < CK_PART_WIDTH) {
        for (size_t i = 0; i < rows; i++) {
            CK_PART(row) line;
            CK_PART(load)(&line, dy + i * dy_stride, width);
            memcpy(padded + i * CK_PART_WIDTH, &line, sizeof line);
        }
        dy = padded;
        dy_stride = CK_PART_WIDTH;
    }
    for (size_t t = first_tap; t < last_tap; t++) {
        const size_t count = LEVEL(present_rows)(windows, t, row, rows, from, at);
        float *to = panel + t * windows->channels * CK_PANEL;
        size_t c = 0;
#define CK_OUTER(tile)                                                                                                 \
    for (; c + tile <= windows->channels; c += tile)                                                                   \
    CK_PART(outer)(from, at, count, c, dy, dy_stride, to + c * CK_PANEL, tile)
        CK_OUTER(CK_PART_ROWS);
        CK_OUTER(4);
        CK_OUTER(1);
#undef CK_OUTER
    }
}
