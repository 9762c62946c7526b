static void LEVEL(axpy)(float a, const float *x, float *y, size_t count) {
#pragma clang fp contract(fast)
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) y[i] += a * x[i];
}

static void LEVEL(scaled)(float a, const float *x, float *y, size_t count) {
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) y[i] = a * x[i];
}

static void LEVEL(add)(const float *x, const float *y, float *z, size_t count) {
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) z[i] = x[i] + y[i];
}

static double LEVEL(sum)(const float *x, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t i = 0; i < count; i++) total += x[i];
    return total;
}

static double LEVEL(sum_of_squares)(const float *x, size_t count) {
#pragma clang fp reassociate(on) contract(fast)
    double total = 0;
    for (size_t i = 0; i < count; i++) total += (double)x[i] * x[i];
    return total;
}

static int LEVEL(is_finite)(const float *x, size_t count) {
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], 4);
        // The top bit is set when and only when the exponent is all ones.
        found |= (bits & 0x7f800000u) + 0x00800000u;
    }
    return (found >> 31) == 0;
}

static void LEVEL(fill_rows)(const float *row, float *y, size_t rows, size_t channels, size_t stride) {
    for (size_t r = 0; r < rows; r++) memcpy(y + r * stride, row, channels * sizeof(float));
}

static void LEVEL(column_sums)(const float *restrict x, float *restrict sums, size_t rows, size_t channels) {
    size_t r = 0;
    // Four rows a pass, added in row order, so that `sums` is loaded and stored a quarter as often.
    for (; r + 4 <= rows; r += 4) {
        const float *restrict at = x + r * channels;
        for (size_t c = 0; c < channels; c++)
            sums[c] = (((sums[c] + at[c]) + at[c + channels]) + at[c + 2 * channels]) + at[c + 3 * channels];
    }
    for (; r < rows; r++)
        for (size_t c = 0; c < channels; c++) sums[c] += x[r * channels + c];
}

static void LEVEL(residual)(const float *from, const float *branch, const int32_t *order, const float *scale,
                            float keep, float *to, size_t rows, size_t channels) {
#pragma clang fp contract(fast)
    for (size_t r = 0; r < rows; r++, branch += channels) {
        const size_t row = order ? (size_t)order[r] : r;
        const float *x = from + row * channels;
        float *y = to + row * channels;
        if (scale) {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) y[c] = x[c] + (keep * scale[c]) * branch[c];
        } else {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) y[c] = x[c] + keep * branch[c];
        }
    }
}

static void LEVEL(residual_backward)(const float *branch, const int32_t *order, const float *scale, float keep,
                                     const float *dy, float *dbranch, int adding, float *scale_sums, size_t rows,
                                     size_t channels) {
#pragma clang fp contract(fast)
    for (size_t r = 0; r < rows; r++) {
        const float *from = dy + (order ? (size_t)order[r] : r) * channels;
        if (dbranch) {
            float *to = dbranch + r * channels;
            if (scale && adding) {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++) to[c] += (keep * scale[c]) * from[c];
            } else if (scale) {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++) to[c] = (keep * scale[c]) * from[c];
            } else if (adding) {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++) to[c] += keep * from[c];
            } else {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++) to[c] = keep * from[c];
            }
        }
        if (scale_sums) {
            const float *value = branch + r * channels;
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) scale_sums[c] += (keep * value[c]) * from[c];
        }
    }
}

#define CK_ELEMENTWISE_TABLE                                                                                           \
    {                                                                                                                  \
        .axpy = LEVEL(axpy), .scaled = LEVEL(scaled), .add = LEVEL(add), .sum = LEVEL(sum),                            \
        .sum_of_squares = LEVEL(sum_of_squares), .is_finite = LEVEL(is_finite), .fill_rows = LEVEL(fill_rows),         \
        .column_sums = LEVEL(column_sums), .residual = LEVEL(residual), .residual_backward = LEVEL(residual_backward)  \
    }
