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

static void LEVEL(residual)(const float *x, const float *branch, const float *scale, float keep, float *y, size_t rows,
                            size_t channels) {
#pragma clang fp contract(fast)
    for (size_t r = 0; r < rows; r++, x += channels, branch += channels, y += channels) {
        if (scale) {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) y[c] = x[c] + (keep * scale[c]) * branch[c];
        } else {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) y[c] = x[c] + keep * branch[c];
        }
    }
}

static void LEVEL(residual_backward)(const float *branch, const float *scale, float keep, const float *dy,
                                     float *dbranch, int adding, float *scale_sums, size_t rows, size_t channels) {
#pragma clang fp contract(fast)
    for (size_t r = 0; r < rows; r++) {
        const float *from = dy + r * channels;
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

/// block[c][r] = x[r][c] for one square of the matrix; squares at the edge are smaller.
CK_INLINE void LEVEL(turned)(const float *x, float block[16][16], size_t rows, size_t columns, size_t stride) {
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) block[c][r] = x[r * stride + c];
}

static void LEVEL(transpose)(float a, const float *restrict x, float *restrict y, int adding, size_t side) {
    float block[16][16];
    for (size_t i = 0; i < side; i += 16) {
        for (size_t j = 0; j < side; j += 16) {
            const size_t rows = side - i < 16 ? side - i : 16, columns = side - j < 16 ? side - j : 16;
            LEVEL(turned)(x + i * side + j, block, rows, columns, side);
            for (size_t c = 0; c < columns; c++) {
                float *restrict to = y + (j + c) * side + i;
                for (size_t r = 0; r < rows; r++) to[r] = adding ? to[r] + a * block[c][r] : a * block[c][r];
            }
        }
    }
}

static void LEVEL(add_transpose)(float *x, size_t side) {
    float block[16][16], sum[16][16];
    for (size_t i = 0; i < side; i += 16) {
        for (size_t j = i; j < side; j += 16) {
            const size_t rows = side - i < 16 ? side - i : 16, columns = side - j < 16 ? side - j : 16;
            float *upper = x + i * side + j, *lower = x + j * side + i;
            LEVEL(turned)(lower, block, columns, rows, side);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < columns; c++) sum[r][c] = upper[r * side + c] + block[r][c];
            for (size_t r = 0; r < rows; r++) memcpy(upper + r * side, sum[r], columns * sizeof(float));
            if (i == j) continue;
            LEVEL(turned)(upper, block, rows, columns, side);
            for (size_t c = 0; c < columns; c++) memcpy(lower + c * side, block[c], rows * sizeof(float));
        }
    }
}

#define CK_ELEMENTWISE_TABLE                                                                                           \
    {                                                                                                                  \
        .axpy = LEVEL(axpy), .scaled = LEVEL(scaled), .add = LEVEL(add), .sum = LEVEL(sum),                            \
        .sum_of_squares = LEVEL(sum_of_squares), .is_finite = LEVEL(is_finite), .fill_rows = LEVEL(fill_rows),         \
        .column_sums = LEVEL(column_sums), .residual = LEVEL(residual), .residual_backward = LEVEL(residual_backward), \
        .transpose = LEVEL(transpose), .add_transpose = LEVEL(add_transpose)                                           \
    }
