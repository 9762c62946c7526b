static void LEVEL(max_pool)(ck_windows windows, float *y, uint8_t *winners, size_t first, size_t last) {
    const size_t channels = windows.channels;
    for (size_t r = first; r < last; r++) {
        const int32_t *entries = windows.table + r * windows.table_stride;
        float *restrict to = y + r * channels;
        uint8_t *restrict won = winners + r * channels;
        int is_first = 1;
        for (size_t t = 0; t < windows.taps; t++) {
            if (entries[t] == CK_OUTSIDE) continue;
            const float *restrict from =
                entries[t] < CK_MASKED ? windows.x + (size_t)entries[t] * windows.stride : windows.zeros;
            if (is_first) {
                memcpy(to, from, channels * sizeof(float));
                memset(won, (int)t, channels);
                is_first = 0;
            } else {
                for (size_t c = 0; c < channels; c++) {
                    const int wins = from[c] > to[c];
                    won[c] = wins ? (uint8_t)t : won[c];
                    to[c] = wins ? from[c] : to[c];
                }
            }
        }
    }
}

static void LEVEL(max_pool_backward)(ck_windows windows, const uint8_t *winners, const int32_t *taps, int adding,
                                     float *dx, ck_spread place, size_t first, size_t last) {
    const size_t channels = windows.channels;
    for (size_t r = first; r < last; r++) {
        const int32_t *entries = windows.table + r * windows.table_stride;
        float *restrict to = dx + LEVEL(spread_row)(place, r) * channels;
        if (!adding) memset(to, 0, channels * sizeof(float));
        for (size_t t = 0; t < windows.taps; t++) {
            if (entries[t] >= CK_MASKED) continue;
            const float *restrict from = windows.x + (size_t)entries[t] * windows.stride;
            const uint8_t *restrict won = winners + (size_t)entries[t] * channels;
            const uint8_t tap = (uint8_t)taps[t];
            for (size_t c = 0; c < channels; c++) to[c] += won[c] == tap ? from[c] : 0;
        }
    }
}

static void LEVEL(average_pool)(ck_windows windows, int count_include_pad, float *y, float *shares, size_t first,
                                size_t last) {
    const size_t channels = windows.channels;
    for (size_t r = first; r < last; r++) {
        const int32_t *entries = windows.table + r * windows.table_stride;
        float *restrict to = y + r * channels;
        memset(to, 0, channels * sizeof(float));
        size_t inside = 0;
        for (size_t t = 0; t < windows.taps; t++) {
            inside += entries[t] != CK_OUTSIDE;
            if (entries[t] >= CK_MASKED) continue;
            const float *restrict from = windows.x + (size_t)entries[t] * windows.stride;
            for (size_t c = 0; c < channels; c++) to[c] += from[c];
        }
        shares[r] = 1.0f / (float)(count_include_pad ? windows.taps : inside);
        for (size_t c = 0; c < channels; c++) to[c] *= shares[r];
    }
}

static void LEVEL(average_pool_backward)(ck_windows windows, const float *shares, int adding, float *dx,
                                         ck_spread place, size_t first, size_t last) {
#pragma clang fp contract(fast)
    const size_t channels = windows.channels;
    for (size_t r = first; r < last; r++) {
        const int32_t *entries = windows.table + r * windows.table_stride;
        float *restrict to = dx + LEVEL(spread_row)(place, r) * channels;
        if (!adding) memset(to, 0, channels * sizeof(float));
        for (size_t t = 0; t < windows.taps; t++) {
            if (entries[t] >= CK_MASKED) continue;
            const float *restrict from = windows.x + (size_t)entries[t] * windows.stride;
            const float share = shares[entries[t]];
            for (size_t c = 0; c < channels; c++) to[c] += share * from[c];
        }
    }
}

// Sixteen rows are added in float before they enter the sums in double, which then cost next to nothing. Channels are
// taken 64 at a time, whose sums stay in registers or the first-level cache.
#define CK_ROWS_IN_FLOAT 16
#define CK_CHANNELS_AT_ONCE 64

#define CK_EACH_BLOCK(statement)                                                                                       \
    for (size_t r = 0; r < rows; r += CK_ROWS_IN_FLOAT) {                                                              \
        const size_t last = rows - r < CK_ROWS_IN_FLOAT ? rows : r + CK_ROWS_IN_FLOAT;                                 \
        for (size_t first = 0; first < channels; first += CK_CHANNELS_AT_ONCE) {                                       \
            const size_t width = channels - first < CK_CHANNELS_AT_ONCE ? channels - first : CK_CHANNELS_AT_ONCE;      \
            float one[CK_CHANNELS_AT_ONCE] = {0}, other[CK_CHANNELS_AT_ONCE] = {0};                                    \
            for (size_t i = r; i < last; i++) {                                                                        \
                const size_t at = i * channels + first;                                                                \
                if (width == CK_CHANNELS_AT_ONCE)                                                                      \
                    for (size_t c = 0; c < CK_CHANNELS_AT_ONCE; c++) statement                                         \
                else                                                                                                   \
                    for (size_t c = 0; c < width; c++) statement                                                       \
            }                                                                                                          \
            for (size_t c = 0; c < width; c++) {                                                                       \
                sums[first + c] += one[c];                                                                             \
                sums[channels + first + c] += other[c];                                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

static void LEVEL(moments)(const float *restrict x, const float *restrict shift, double *restrict sums, size_t rows,
                           size_t channels) {
#pragma clang fp contract(fast)
    CK_EACH_BLOCK({
        const float value = x[at + c] - shift[first + c];
        one[c] += value;
        other[c] += value * value;
    })
}

// Comparisons are written so that what is not a number stays so.
CK_INLINE float LEVEL(clamp)(float value, float low, float high) {
    value = value < low ? low : value;
    return value > high ? high : value;
}

static void LEVEL(normalise)(const float *restrict x, const float *restrict mean, const float *restrict rest,
                             const float *restrict scale, const float *restrict bias, const float *residual, float keep,
                             float low, float high, float *y, size_t rows, size_t channels) {
#pragma clang fp contract(fast)
    for (size_t r = 0; r < rows; r++, x += channels, y += channels) {
        if (residual) {
            const float *from = residual + r * channels;
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++)
                y[c] = LEVEL(clamp)(from[c] + keep * (((x[c] - mean[c]) - rest[c]) * scale[c] + bias[c]), low, high);
        } else {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++)
                y[c] = LEVEL(clamp)(keep * (((x[c] - mean[c]) - rest[c]) * scale[c] + bias[c]), low, high);
        }
    }
}

CK_INLINE float LEVEL(passed)(float y, float dy, float low, float high) { return y > low && y < high ? dy : 0; }

static void LEVEL(normalise_sums)(const float *restrict x, const float *restrict y, const float *restrict dy,
                                  const float *restrict mean, float keep, float low, float high,
                                  double *restrict sums, size_t rows, size_t channels) {
#pragma clang fp contract(fast)
    CK_EACH_BLOCK({
        const float g = keep * LEVEL(passed)(y[at + c], dy[at + c], low, high);
        one[c] += g;
        other[c] += g * (x[at + c] - mean[first + c]);
    })
}

static void LEVEL(normalise_backward)(const float *restrict x, const float *restrict y, const float *restrict dy,
                                      const float *restrict mean, const float *restrict scale,
                                      const float *restrict straight, const float *restrict aligned, float keep,
                                      float low, float high, float *restrict dx, int adding,
                                      float *restrict dresidual, int adding_residual, size_t rows, size_t channels) {
#pragma clang fp contract(fast)
    for (size_t r = 0; r < rows; r++) {
        const size_t at = r * channels;
        if (dx) {
            float *restrict to = dx + at;
            if (adding) {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++)
                    to[c] += scale[c] * (keep * LEVEL(passed)(y[at + c], dy[at + c], low, high) - straight[c] -
                                         (x[at + c] - mean[c]) * aligned[c]);
            } else {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++)
                    to[c] = scale[c] * (keep * LEVEL(passed)(y[at + c], dy[at + c], low, high) - straight[c] -
                                        (x[at + c] - mean[c]) * aligned[c]);
            }
        }
        if (dresidual) {
            float *restrict to = dresidual + at;
            if (adding_residual) {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++) to[c] += LEVEL(passed)(y[at + c], dy[at + c], low, high);
            } else {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++) to[c] = LEVEL(passed)(y[at + c], dy[at + c], low, high);
            }
        }
    }
}

static void LEVEL(fill)(const float *restrict x, const int32_t *restrict table, const float *restrict token,
                        float *restrict y, size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * channels, table[r] < CK_MASKED ? x + (size_t)table[r] * channels : token,
               channels * sizeof(float));
}

static void LEVEL(fill_sums)(const int32_t *restrict table, const float *restrict dy, float *restrict sums, size_t rows,
                             size_t channels) {
    for (size_t r = 0; r < rows; r++) {
        if (table[r] < CK_MASKED) continue;
        for (size_t c = 0; c < channels; c++) sums[c] += dy[r * channels + c];
    }
}

/// y = bias + the sum of `count` rows, over a part of the channels.
CK_INLINE void LEVEL(densify_part)(const float *const *from, size_t count, const float *bias, float *restrict y,
                                  size_t first, size_t width) {
    LEVEL(wide_panel_row) sum = 0, x;
    if (bias) LEVEL(wide_panel_load)(&sum, bias + first, width);
    for (size_t i = 0; i < count; i++) {
        LEVEL(wide_panel_load)(&x, from[i] + first, width);
        sum += x;
    }
    LEVEL(wide_panel_store)(&sum, y + first, width);
}

static void LEVEL(densify)(ck_densified map, const float *products, const float *fill, const float *bias, float *y,
                          size_t first, size_t last) {
    const float *from[CK_MOST_TAPS];
    for (size_t r = first; r < last; r++) {
        const int32_t *entries = map.table + r * map.taps;
        size_t count = 0;
        for (size_t t = 0; t < map.taps; t++) {
            if (entries[t] >= CK_MASKED) continue;
            const int32_t row = map.places[entries[t]];
            from[count++] = row < CK_MASKED ? products + ((size_t)row * map.taps + t) * map.outputs
                                            : fill + t * map.outputs;
        }
        size_t c = 0;
        for (; c + CK_PANEL <= map.outputs; c += CK_PANEL)
            LEVEL(densify_part)(from, count, bias, y + r * map.outputs, c, CK_PANEL);
        if (c < map.outputs) LEVEL(densify_part)(from, count, bias, y + r * map.outputs, c, map.outputs - c);
    }
}

static void LEVEL(masked_sums)(ck_densified map, const float *dy, float *sums, size_t first, size_t last) {
    for (size_t r = first; r < last; r++) {
        const int32_t *entries = map.table + r * map.taps;
        const float *restrict from = dy + r * map.outputs;
        for (size_t t = 0; t < map.taps; t++) {
            if (entries[t] >= CK_MASKED || map.places[entries[t]] < CK_MASKED) continue;
            float *restrict to = sums + t * map.outputs;
            for (size_t c = 0; c < map.outputs; c++) to[c] += from[c];
        }
    }
}

#define CK_WINDOW_TABLE                                                                                                \
    {                                                                                                                  \
        .max_pool = LEVEL(max_pool), .max_pool_backward = LEVEL(max_pool_backward),                                    \
        .average_pool = LEVEL(average_pool), .average_pool_backward = LEVEL(average_pool_backward),                    \
        .moments = LEVEL(moments), .normalise = LEVEL(normalise), .normalise_sums = LEVEL(normalise_sums),             \
        .normalise_backward = LEVEL(normalise_backward), .fill = LEVEL(fill), .fill_sums = LEVEL(fill_sums),           \
        .densify = LEVEL(densify), .masked_sums = LEVEL(masked_sums)                                                   \
    }
