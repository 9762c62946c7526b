static void LEVEL(exponential_of)(const float *x, float *y, size_t count) {
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) y[i] = LEVEL(exponential)(x[i]);
}

/// The largest element, by sixteen independent running maxima.
CK_INLINE float LEVEL(largest)(const float *x, size_t count) {
    float lanes[16];
    for (size_t l = 0; l < 16; l++) lanes[l] = -INFINITY;
    size_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (size_t l = 0; l < 16; l++) lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
    for (; i < count; i++) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
    for (size_t width = 8; width > 0; width /= 2)
        for (size_t l = 0; l < width; l++) lanes[l] = lanes[l + width] > lanes[l] ? lanes[l + width] : lanes[l];
    return lanes[0];
}

static void LEVEL(softmax)(float *restrict s, const float *restrict bias, const float *restrict mask, size_t rows,
                           size_t columns) {
    for (size_t r = 0; r < rows; r++, s += columns) {
        if (bias) {
            const float *restrict from = bias + r * columns;
            for (size_t c = 0; c < columns; c++) s[c] += from[c];
        }
        if (mask) {
            const float *restrict from = mask + r * columns;
            for (size_t c = 0; c < columns; c++) s[c] += from[c];
        }
        const float top = LEVEL(largest)(s, columns);
        float sum = 0;
        {
#pragma clang fp reassociate(on)
            for (size_t c = 0; c < columns; c++) {
                const float e = LEVEL(exponential)(s[c] - top);
                s[c] = e;
                sum += e;
            }
        }
        const float share = 1.0f / sum;
        for (size_t c = 0; c < columns; c++) s[c] *= share;
    }
}

static void LEVEL(softmax_backward)(const float *restrict p, float *restrict dp, const float *restrict y,
                                    const float *restrict dy, size_t width, size_t y_stride, float *restrict logit_sums,
                                    int adding, size_t rows, size_t columns) {
#pragma clang fp contract(fast)
    for (size_t r = 0; r < rows; r++, p += columns, dp += columns, y += y_stride, dy += y_stride) {
        float mean = 0;  // Σ p·dp of the row, which equals y·dy
        {
#pragma clang fp reassociate(on)
            for (size_t c = 0; c < width; c++) mean += y[c] * dy[c];
        }
        if (logit_sums) {
            float *restrict to = logit_sums + r * columns;
            if (adding) {
                for (size_t c = 0; c < columns; c++) {
                    const float d = p[c] * (dp[c] - mean);
                    dp[c] = d;
                    to[c] += d;
                }
            } else {
                for (size_t c = 0; c < columns; c++) {
                    const float d = p[c] * (dp[c] - mean);
                    dp[c] = d;
                    to[c] = d;
                }
            }
        } else {
            for (size_t c = 0; c < columns; c++) dp[c] = p[c] * (dp[c] - mean);
        }
    }
}

static void LEVEL(prefetch_rows)(const float *x, size_t rows, size_t width, size_t stride) {
    for (size_t r = 0; r < rows; r++, x += stride)
        for (size_t c = 0; c < width; c += 16) __builtin_prefetch(x + c, 0, 2);
}

#define CK_SOFTMAX_TABLE                                                                                               \
    {                                                                                                                  \
        .exponential = LEVEL(exponential_of), .softmax = LEVEL(softmax), .softmax_backward = LEVEL(softmax_backward),  \
        .prefetch_rows = LEVEL(prefetch_rows)                                                                          \
    }
