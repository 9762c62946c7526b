// Tiles of the result stay in registers while both operands stream past; packed panels of the operands stay in cache.
// Source: Goto and van de Geijn, Anatomy of high-performance matrix multiplication, 2008.
typedef float LEVEL(wide) __attribute__((vector_size(4 * CK_LANES), aligned(4)));
typedef float LEVEL(four) __attribute__((vector_size(16), aligned(4)));

/// Columns of a tile: two registers.
#define CK_TILE_COLUMNS (2 * CK_LANES)
/// A panel of the left operand, rows of a tile by this depth, stays in the first-level cache.
#define CK_BLOCK_DEPTH 256
/// Columns of the right operand at this depth fill half of the second-level cache.
#define CK_BLOCK_COLUMNS 512
/// Rows of the left operand that are packed at once.
#define CK_BLOCK_ROWS (16 * CK_TILE_ROWS)

CK_INLINE LEVEL(wide) LEVEL(load)(const float *x) { return *(const LEVEL(wide) *)x; }
CK_INLINE void LEVEL(store)(LEVEL(wide) x, float *to) { *(LEVEL(wide) *)to = x; }

/// `rows` down and `vectors` registers across of c = scale·a·b + start, both constants where this is inlined; a(r, d)
/// stands at r·a_row + d·a_depth.
CK_INLINE void LEVEL(tile)(const float *a, size_t a_row, size_t a_depth, const float *b, size_t b_stride,
                           const float *start, size_t start_stride, float *c, size_t c_stride, size_t depth,
                           float scale, const int rows, const int vectors) {
#pragma clang fp contract(fast)
    LEVEL(wide) sums[CK_TILE_ROWS][2];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sums[r][v] = (LEVEL(wide)){0};
    for (size_t d = 0; d < depth; d++) {
        LEVEL(wide) right[2];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) right[v] = LEVEL(load)(b + d * b_stride + v * CK_LANES);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            const float left = a[r * a_row + d * a_depth];
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) sums[r][v] += left * right[v];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            const LEVEL(wide) sum = scale * sums[r][v];
            LEVEL(store)(start ? LEVEL(load)(start + r * start_stride + v * CK_LANES) + sum : sum,
                         c + r * c_stride + v * CK_LANES);
        }
}

/// A stripe of c, `vectors` registers wide and any number of rows long.
CK_INLINE void LEVEL(stripe)(const float *a, size_t a_row, size_t a_depth, const float *b, size_t b_stride,
                             const float *start, size_t start_stride, float *c, size_t c_stride, size_t rows,
                             size_t depth, float scale, const int vectors) {
    size_t r = 0;
#define CK_STRIPE(count)                                                                                               \
    for (; r + count <= rows; r += count)                                                                              \
    LEVEL(tile)(a + r * a_row, a_row, a_depth, b, b_stride, start ? start + r * start_stride : NULL, start_stride,     \
                c + r * c_stride, c_stride, depth, scale, count, vectors)
    CK_STRIPE(CK_TILE_ROWS);
    CK_STRIPE(4);
    CK_STRIPE(1);
#undef CK_STRIPE
}

/// y(c, r) = x(r, c) by blocks of four by four.
CK_INLINE void LEVEL(transposed)(const float *x, size_t stride, size_t rows, size_t columns, float *y,
                                 size_t y_stride) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const float *from = x + r * stride;
        size_t c = 0;
        for (; c + 4 <= columns; c += 4) {
            if (c % 16 == 0)
                for (size_t ahead = 8; ahead < 12; ahead++) __builtin_prefetch(from + ahead * stride + c);
            const LEVEL(four) a = *(const LEVEL(four) *)(from + c), b = *(const LEVEL(four) *)(from + stride + c);
            const LEVEL(four) d = *(const LEVEL(four) *)(from + 2 * stride + c),
                              e = *(const LEVEL(four) *)(from + 3 * stride + c);
            const LEVEL(four) ab = __builtin_shufflevector(a, b, 0, 4, 1, 5),
                              de = __builtin_shufflevector(d, e, 0, 4, 1, 5);
            const LEVEL(four) high = __builtin_shufflevector(a, b, 2, 6, 3, 7),
                              low = __builtin_shufflevector(d, e, 2, 6, 3, 7);
            float *to = y + c * y_stride + r;
            *(LEVEL(four) *)to = __builtin_shufflevector(ab, de, 0, 1, 4, 5);
            *(LEVEL(four) *)(to + y_stride) = __builtin_shufflevector(ab, de, 2, 3, 6, 7);
            *(LEVEL(four) *)(to + 2 * y_stride) = __builtin_shufflevector(high, low, 0, 1, 4, 5);
            *(LEVEL(four) *)(to + 3 * y_stride) = __builtin_shufflevector(high, low, 2, 3, 6, 7);
        }
        for (; c < columns; c++)
            for (size_t i = 0; i < 4; i++) y[c * y_stride + r + i] = from[i * stride + c];
    }
    for (; r < rows; r++)
        for (size_t c = 0; c < columns; c++) y[c * y_stride + r] = x[r * stride + c];
}

/// Panels of `width` rows of x (a constant where this is inlined), each depth × width; rows beyond `count` are zero.
CK_INLINE void LEVEL(pack_panels)(ck_operand x, size_t count, size_t depth, float *restrict to, const size_t width) {
    const size_t whole = count / width * width;
    if (whole < count) memset(to + whole * depth, 0, width * depth * sizeof(float));
    if (x.stride != 1) {
        for (size_t first = 0; first < count; first += width)
            LEVEL(transposed)(x.data + first * x.stride, x.stride, count - first < width ? count - first : width, depth,
                              to + first * depth, width);
        return;
    }
    for (size_t d = 0; d < depth; d++, to += width) {
        const float *from = x.data + d * x.depth_stride;
        for (size_t first = 0; first < whole; first += width) {
            for (size_t c = 0; c < width; c += 16) __builtin_prefetch(from + 4 * x.depth_stride + first + c);
            memcpy(to + first * depth, from + first, width * sizeof(float));
        }
        for (size_t r = whole; r < count; r++) to[whole * depth + r - whole] = from[r];
    }
}

/// Asks for a sixteenth of the rows that are packed next, so that they arrive while the present ones are multiplied.
CK_INLINE void LEVEL(prefetch_part)(ck_operand x, size_t count, size_t depth, size_t part) {
    const size_t lines = x.stride == 1 ? depth : count, length = x.stride == 1 ? count : depth;
    const size_t step = x.stride == 1 ? x.depth_stride : x.stride;
    for (size_t line = part * lines / 16; line < (part + 1) * lines / 16; line++)
        for (size_t at = 0; at < length; at += 16) __builtin_prefetch(x.data + line * step + at, 0, 2);
}

/// sums += the sums over the depth of `count` rows that lie side by side.
CK_INLINE void LEVEL(add_row_sums)(ck_operand x, size_t count, size_t depth, float *sums) {
    float block[CK_BLOCK_ROWS];
    memset(block, 0, count * sizeof(float));
    for (size_t d = 0; d < depth; d++)
        for (size_t r = 0; r < count; r++) block[r] += x.data[d * x.depth_stride + r];
    for (size_t r = 0; r < count; r++) sums[r] += block[r];
}

/// One tile row of c: packed rows `left` times the columns packed in `right`.
CK_INLINE void LEVEL(tile_row)(const float *left, const float *right, float *c, size_t c_stride, size_t rows,
                               size_t columns, size_t depth, float scale, int adding, const float *bias) {
    for (size_t j = 0; j < columns; j += CK_TILE_COLUMNS, c += CK_TILE_COLUMNS, right += CK_TILE_COLUMNS * depth) {
        const size_t wide = columns - j < CK_TILE_COLUMNS ? columns - j : CK_TILE_COLUMNS;
        const float *start = bias ? bias + j : NULL;
        for (size_t r = 0; r < rows; r++)
            for (size_t l = 0; l < wide; l += 16) __builtin_prefetch(c + r * c_stride + l, 1);
        if (wide == CK_TILE_COLUMNS) {
            LEVEL(stripe)(left, 1, CK_TILE_ROWS, right, CK_TILE_COLUMNS, adding ? c : start, adding ? c_stride : 0, c,
                          c_stride, rows, depth, scale, 2);
            continue;
        }
        float edge[CK_TILE_ROWS * CK_TILE_COLUMNS] __attribute__((aligned(64)));
        LEVEL(stripe)(left, 1, CK_TILE_ROWS, right, CK_TILE_COLUMNS, NULL, 0, edge, CK_TILE_COLUMNS, rows, depth,
                      scale, 2);
        for (size_t r = 0; r < rows; r++)
            for (size_t l = 0; l < wide; l++) {
                const float old = adding ? c[r * c_stride + l] : start ? start[l] : 0;
                c[r * c_stride + l] = old + edge[r * CK_TILE_COLUMNS + l];
            }
    }
}

static void LEVEL(product)(ck_operand a, ck_operand b, float *c, size_t c_stride, size_t rows, size_t columns,
                           size_t depth, float scale, int adding, const float *bias, float *row_sums) {
    float left[CK_BLOCK_ROWS * CK_BLOCK_DEPTH] __attribute__((aligned(64)));
    float right[CK_BLOCK_DEPTH * CK_BLOCK_COLUMNS] __attribute__((aligned(64)));
    for (size_t column = 0; column == 0 || column < columns; column += CK_BLOCK_COLUMNS) {
        const size_t across = columns - column < CK_BLOCK_COLUMNS ? columns - column : CK_BLOCK_COLUMNS;
        for (size_t d = 0; d == 0 || d < depth; d += CK_BLOCK_DEPTH) {
            const size_t deep = depth - d < CK_BLOCK_DEPTH ? depth - d : CK_BLOCK_DEPTH;
            ck_operand x = {b.data + column * b.stride + d * b.depth_stride, b.stride, b.depth_stride};
            LEVEL(pack_panels)(x, across, deep, right, CK_TILE_COLUMNS);
            for (size_t row = 0; row < rows; row += CK_BLOCK_ROWS) {
                const size_t down = rows - row < CK_BLOCK_ROWS ? rows - row : CK_BLOCK_ROWS;
                const size_t next = rows - row - down < CK_BLOCK_ROWS ? rows - row - down : CK_BLOCK_ROWS;
                x = (ck_operand){a.data + row * a.stride + d * a.depth_stride, a.stride, a.depth_stride};
                LEVEL(pack_panels)(x, down, deep, left, CK_TILE_ROWS);
                if (row_sums && column == 0) LEVEL(add_row_sums)(x, down, deep, row_sums + row);
                x.data += down * a.stride;
                for (size_t i = 0; i < down; i += CK_TILE_ROWS) {
                    LEVEL(prefetch_part)(x, next, deep, i / CK_TILE_ROWS);
                    LEVEL(tile_row)(left + i * deep, right, c + (row + i) * c_stride + column, c_stride,
                                    down - i < CK_TILE_ROWS ? down - i : CK_TILE_ROWS, across, deep, scale,
                                    adding || d > 0, bias && d == 0 ? bias + column : NULL);
                }
            }
        }
    }
}

#define CK_PRODUCT_TABLE { .product = LEVEL(product) }
