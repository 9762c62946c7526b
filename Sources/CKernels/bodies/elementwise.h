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

typedef float LEVEL(eight) __attribute__((vector_size(32), aligned(4)));

/// block[c][r] = x[r][c] for a square of at most 8 × 8; whole ones in three rounds of shuffles.
CK_INLINE void LEVEL(turned)(const float *x, float *block, size_t rows, size_t columns, size_t stride) {
    if (rows < 8 || columns < 8) {
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++) block[c * 8 + r] = x[r * stride + c];
        return;
    }
    LEVEL(eight) a[8], b[8];
    for (size_t r = 0; r < 8; r++) a[r] = *(const LEVEL(eight) *)(x + r * stride);
    for (size_t r = 0; r < 8; r += 2) {
        b[r] = __builtin_shufflevector(a[r], a[r + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        b[r + 1] = __builtin_shufflevector(a[r], a[r + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (size_t r = 0; r < 8; r += 4) {
        for (size_t i = 0; i < 2; i++) {
            a[r + 2 * i] = __builtin_shufflevector(b[r + i], b[r + i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            a[r + 2 * i + 1] = __builtin_shufflevector(b[r + i], b[r + i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    for (size_t r = 0; r < 4; r++) {
        *(LEVEL(eight) *)(block + r * 8) = __builtin_shufflevector(a[r], a[r + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        *(LEVEL(eight) *)(block + r * 8 + 32) = __builtin_shufflevector(a[r], a[r + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

CK_INLINE void LEVEL(transpose_tile)(float a, const float *restrict x, float *restrict y, int adding, size_t rows,
                                       size_t columns, size_t side) {
    float block[64];
    LEVEL(turned)(x, block, rows, columns, side);
    for (size_t c = 0; c < columns; c++)
        for (size_t r = 0; r < rows; r++)
            y[c * side + r] = adding ? y[c * side + r] + a * block[c * 8 + r] : a * block[c * 8 + r];
}

static void LEVEL(transpose_square)(float a, const float *restrict x, float *restrict y, int adding, size_t side) {
    for (size_t i = 0; i < side; i += 8) {
        for (size_t j = 0; j < side; j += 8) {
            const float *from = x + i * side + j;
            float *to = y + j * side + i;
            const size_t rows = side - i, columns = side - j;
            if (rows >= 8 && columns >= 8) LEVEL(transpose_tile)(a, from, to, adding, 8, 8, side);
            else LEVEL(transpose_tile)(a, from, to, adding, rows < 8 ? rows : 8, columns < 8 ? columns : 8, side);
        }
    }
}

/// Both squares become their sum, one of them turned; they may be the same one on the diagonal.
CK_INLINE void LEVEL(add_turned)(float *upper, float *lower, size_t rows, size_t columns, size_t side) {
    float block[64], sum[64];
    LEVEL(turned)(lower, block, columns, rows, side);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) sum[r * 8 + c] = upper[r * side + c] + block[r * 8 + c];
    LEVEL(turned)(sum, block, rows, columns, 8);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) upper[r * side + c] = sum[r * 8 + c];
    for (size_t c = 0; c < columns; c++)
        for (size_t r = 0; r < rows; r++) lower[c * side + r] = block[c * 8 + r];
}

static void LEVEL(add_transpose)(float *x, size_t side) {
    for (size_t i = 0; i < side; i += 8) {
        for (size_t j = i; j < side; j += 8) {
            float *upper = x + i * side + j, *lower = x + j * side + i;
            const size_t rows = side - i, columns = side - j;
            if (rows >= 8 && columns >= 8) LEVEL(add_turned)(upper, lower, 8, 8, side);
            else LEVEL(add_turned)(upper, lower, rows < 8 ? rows : 8, columns < 8 ? columns : 8, side);
        }
    }
}

#define CK_ELEMENTWISE_TABLE                                                                                           \
    {                                                                                                                  \
        .axpy = LEVEL(axpy), .scaled = LEVEL(scaled), .add = LEVEL(add), .sum = LEVEL(sum),                            \
        .sum_of_squares = LEVEL(sum_of_squares), .is_finite = LEVEL(is_finite), .fill_rows = LEVEL(fill_rows),         \
        .column_sums = LEVEL(column_sums), .residual = LEVEL(residual), .residual_backward = LEVEL(residual_backward), \
        .transpose_square = LEVEL(transpose_square), .add_transpose = LEVEL(add_transpose)                             \
    }
