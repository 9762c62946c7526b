// Products of matrices that are in cache: the left operand is read number by number with any strides.

/// c (+)= scale·a·b; a(r, d) stands at r·a_row + d·a_depth; columns: a multiple of 16.
static void LEVEL(small_product)(const float *a, size_t a_row, size_t a_depth, const float *b, size_t b_stride,
                                 float *c, size_t c_stride, size_t rows, size_t columns, size_t depth, float scale,
                                 int adding) {
    size_t column = 0;
    for (; column + 2 * CK_LANES <= columns; column += 2 * CK_LANES)
        LEVEL(stripe)(a, a_row, a_depth, b + column, b_stride, adding ? c + column : NULL, c_stride, c + column,
                      c_stride, rows, depth, scale, 2);
    if (column < columns)
        LEVEL(stripe)(a, a_row, a_depth, b + column, b_stride, adding ? c + column : NULL, c_stride, c + column,
                      c_stride, rows, depth, scale, 1);
}

static void LEVEL(transpose)(const float *x, size_t stride, size_t rows, size_t columns, float *y, size_t y_stride) {
    LEVEL(transposed)(x, stride, rows, columns, y, y_stride);
}

/// The rows side by side: wide rows, a power of two apart, would drive each other out of the first-level cache. The
/// padding of the panel stays as it is.
CK_INLINE void LEVEL(pack)(const float *x, size_t stride, size_t rows, size_t width, float *restrict panel) {
    const size_t padded = ck_padded(width);
    if (padded == width) {
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < width; c += 16)
                for (size_t l = 0; l < 16; l++) panel[r * width + c + l] = x[r * stride + c + l];
        return;
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < width; c++) panel[r * padded + c] = x[r * stride + c];
}

/// y (+)= scale·a·b, by way of `panel` where rows of y are no whole registers.
static void LEVEL(product_into)(const float *a, size_t a_row, size_t a_depth, const float *b, size_t b_stride, float *y,
                                size_t y_stride, size_t rows, size_t width, size_t depth, float scale, int adding,
                                float *panel) {
    const size_t padded = ck_padded(width);
    if (padded == width) {
        LEVEL(small_product)(a, a_row, a_depth, b, b_stride, y, y_stride, rows, width, depth, scale, adding);
        return;
    }
    LEVEL(small_product)(a, a_row, a_depth, b, b_stride, panel, padded, rows, padded, depth, scale, 0);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < width; c++)
            y[r * y_stride + c] = adding ? y[r * y_stride + c] + panel[r * padded + c] : panel[r * padded + c];
}

/// p = softmax down each column of p + bias + mask; columns: a multiple of 16. No step runs across a register.
static void LEVEL(softmax_columns)(float *p, const float *bias, const float *mask, size_t rows, size_t columns) {
    for (size_t c = 0; c < columns; c += CK_LANES) {
        LEVEL(wide) top;
        for (size_t at = c; at < rows * columns; at += columns) {
            LEVEL(wide) x = LEVEL(load)(p + at);
            if (bias) x += LEVEL(load)(bias + at);
            if (mask) x += LEVEL(load)(mask + at);
            LEVEL(store)(x, p + at);
            top = at == c ? x : __builtin_elementwise_max(x, top);
        }
        for (size_t at = c; at < rows * columns; at += columns) LEVEL(store)(LEVEL(load)(p + at) - top, p + at);
    }
    LEVEL(exponential_of)(p, p, rows * columns);
    for (size_t c = 0; c < columns; c += CK_LANES) {
        LEVEL(wide) sum = {0};
        for (size_t at = c; at < rows * columns; at += columns) sum += LEVEL(load)(p + at);
        const LEVEL(wide) share = 1.0f / sum;
        for (size_t at = c; at < rows * columns; at += columns) LEVEL(store)(LEVEL(load)(p + at) * share, p + at);
    }
}

/// dp = p⊙(dp - Σ p⊙dp of the column), the gradient of the logits; logit_sums (+)= it, when given.
static void LEVEL(softmax_columns_backward)(const float *p, float *dp, float *logit_sums, int adding, size_t rows,
                                            size_t columns) {
#pragma clang fp contract(fast)
    for (size_t c = 0; c < columns; c += CK_LANES) {
        LEVEL(wide) mean = {0};
        for (size_t at = c; at < rows * columns; at += columns) mean += LEVEL(load)(p + at) * LEVEL(load)(dp + at);
        for (size_t at = c; at < rows * columns; at += columns) {
            const LEVEL(wide) d = LEVEL(load)(p + at) * (LEVEL(load)(dp + at) - mean);
            LEVEL(store)(d, dp + at);
            if (logit_sums) LEVEL(store)(adding ? LEVEL(load)(logit_sums + at) + d : d, logit_sums + at);
        }
    }
}

/// p = softmax(scale·q·kᵀ + bias + mask)ᵀ, keys down and queries across: the sums of a softmax then run down columns.
/// `transposed` takes the queries, `k` the packed keys.
static void LEVEL(head_probabilities)(const ck_head *head, float *transposed, float *k, float *p) {
    const size_t n = head->tokens, padded = ck_padded(n);
    LEVEL(pack)(head->k, head->stride, n, head->width, k);
    LEVEL(transpose)(head->q, head->stride, n, head->width, transposed, padded);
    LEVEL(small_product)(k, ck_padded(head->width), 1, transposed, padded, p, padded, n, padded, head->width,
                         head->scale, 0);
    LEVEL(softmax_columns)(p, head->bias, head->mask, n, padded);
}

static void LEVEL(attention_forward)(const ck_head *head, float *y, size_t y_stride, float *scratch) {
    const size_t n = head->tokens, padded = ck_padded(n), width = head->width, wide = ck_padded(width);
    float *p = scratch + width * padded, *rows = p + 2 * n * padded, *result = rows + n * wide;
    LEVEL(head_probabilities)(head, scratch, rows, p);
    LEVEL(pack)(head->v, head->stride, n, width, rows);
    LEVEL(product_into)(p, 1, padded, rows, wide, y, y_stride, n, width, n, 1, 0, result);
}

static void LEVEL(attention_backward)(const ck_head *head, const float *dy, size_t y_stride,
                                      const ck_head_gradients *to, float *scratch) {
    const size_t n = head->tokens, padded = ck_padded(n), width = head->width, wide = ck_padded(width);
    const size_t stride = head->stride;
    float *p = scratch + width * padded, *ds = p + n * padded;
    float *k = ds + n * padded, *rows = k + n * wide, *result = rows + n * wide;
    LEVEL(head_probabilities)(head, scratch, k, p);
    LEVEL(pack)(dy, y_stride, n, width, rows);
    LEVEL(product_into)(p, padded, 1, rows, wide, to->dv, stride, n, width, n, 1, to->adds_value, result);
    LEVEL(transpose)(rows, wide, n, width, scratch, padded);
    LEVEL(pack)(head->v, stride, n, width, rows);
    LEVEL(small_product)(rows, wide, 1, scratch, padded, ds, padded, n, padded, width, 1, 0);
    LEVEL(softmax_columns_backward)(p, ds, to->logit_sums, to->adds_logits, n, padded);
    LEVEL(pack)(head->q, stride, n, width, rows);
    LEVEL(product_into)(ds, padded, 1, rows, wide, to->dk, stride, n, width, n, head->scale, to->adds_key, result);
    LEVEL(product_into)(ds, 1, padded, k, wide, to->dq, stride, n, width, n, head->scale, to->adds_query, result);
}

#define CK_ATTENTION_TABLE                                                                                             \
    {                                                                                                                  \
        .forward = LEVEL(attention_forward), .backward = LEVEL(attention_backward), .transpose = LEVEL(transpose)      \
    }
