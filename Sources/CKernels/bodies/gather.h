static void LEVEL(gather_rows)(const float *restrict x, const int32_t *restrict table, float *restrict y, int adding,
                               size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++, y += channels) {
        if (table[r] < 0) {
            if (!adding) memset(y, 0, channels * sizeof(float));
            continue;
        }
        const float *restrict from = x + (size_t)table[r] * channels;
        if (adding)
            for (size_t c = 0; c < channels; c++) y[c] += from[c];
        else
            memcpy(y, from, channels * sizeof(float));
    }
}

static void LEVEL(scatter_add_rows)(const float *restrict dy, const int32_t *restrict table, float *restrict dx,
                                    size_t rows, size_t channels, size_t first, size_t last) {
    for (size_t r = 0; r < rows; r++) {
        // A negative entry becomes huge and fails the second test.
        const size_t target = (size_t)(int64_t)table[r];
        if (target < first || target >= last) continue;
        float *restrict to = dx + target * channels;
        const float *restrict from = dy + r * channels;
        for (size_t c = 0; c < channels; c++) to[c] += from[c];
    }
}

static void LEVEL(gather_column)(const float *restrict table, const int32_t *restrict index, float *restrict bias,
                                 size_t count, size_t heads, size_t head) {
    for (size_t i = 0; i < count; i++) bias[i] = table[(size_t)index[i] * heads + head];
}

static void LEVEL(scatter_add_column)(const float *restrict dbias, const int32_t *restrict index,
                                      float *restrict dtable, size_t count, size_t heads, size_t head) {
    for (size_t i = 0; i < count; i++) dtable[(size_t)index[i] * heads + head] += dbias[i];
}

#define CK_GATHER_TABLE                                                                                                \
    {                                                                                                                  \
        .gather_rows = LEVEL(gather_rows), .scatter_add_rows = LEVEL(scatter_add_rows),                                \
        .gather_column = LEVEL(gather_column), .scatter_add_column = LEVEL(scatter_add_column)                         \
    }
