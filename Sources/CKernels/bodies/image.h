static void LEVEL(look_up)(uint8_t *restrict bytes, const uint8_t *restrict table, size_t pixels) {
    for (size_t i = 0; i < pixels; i++, bytes += 3) {
        bytes[0] = table[bytes[0]];
        bytes[1] = table[256 + bytes[1]];
        bytes[2] = table[512 + bytes[2]];
    }
}

static void LEVEL(histogram)(const uint8_t *restrict bytes, uint32_t *restrict counts, size_t pixels) {
    for (size_t i = 0; i < pixels; i++, bytes += 3) {
        counts[bytes[0]]++;
        counts[256 + bytes[1]]++;
        counts[512 + bytes[2]]++;
    }
}

CK_INLINE uint32_t LEVEL(grey)(const uint8_t *rgb) {
    return (19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16;
}

static uint64_t LEVEL(grey_sum)(const uint8_t *bytes, size_t pixels) {
    uint64_t total = 0;
    // A block's sum fits in 32 bits, which are twice as many lanes.
    for (size_t first = 0; first < pixels; first += 65536) {
        const size_t count = pixels - first < 65536 ? pixels - first : 65536;
        uint32_t sum = 0;
        for (size_t i = 0; i < count; i++) sum += LEVEL(grey)(bytes + 3 * (first + i));
        total += sum;
    }
    return total;
}

/// from + factor·(to - from) in float, cut off and truncated. At 0 it is `from`, at 1 `to`.
CK_INLINE uint8_t LEVEL(blended)(int32_t from, int32_t to, float factor) {
#pragma clang fp contract(off)
    float value = (float)from + factor * (float)(to - from);
    value = value < 0 ? 0 : value > 255 ? 255 : value;
    return (uint8_t)(int32_t)value;
}

static void LEVEL(saturate)(uint8_t *restrict bytes, float factor, size_t pixels) {
    enum { block = 256 };
    int32_t grey[block];
    for (size_t first = 0; first < pixels; first += block) {
        const size_t count = pixels - first < block ? pixels - first : block;
        uint8_t *restrict at = bytes + 3 * first;
        for (size_t i = 0; i < count; i++) grey[i] = (int32_t)LEVEL(grey)(at + 3 * i);
        for (size_t i = 0; i < count; i++)
            for (size_t c = 0; c < 3; c++) at[3 * i + c] = LEVEL(blended)(grey[i], at[3 * i + c], factor);
    }
}

static void LEVEL(sharpen)(const uint8_t *restrict from, uint8_t *restrict to, float factor, size_t height,
                           size_t width) {
#pragma clang fp contract(off)
    const size_t stride = 3 * width;
    const float side = 1.0f / 13.0f, middle = 5.0f / 13.0f;
    memcpy(to, from, height * stride);
    if (width < 3) return;
    for (size_t y = 1; y + 1 < height; y++) {
        const uint8_t *restrict at = from + y * stride, *restrict above = at - stride, *restrict below = at + stride;
        uint8_t *restrict out = to + y * stride;
        for (size_t x = 3; x < stride - 3; x++) {
            float sum = 0.5f;
            sum += ((float)below[x - 3] * side + (float)below[x] * side) + (float)below[x + 3] * side;
            sum += ((float)at[x - 3] * side + (float)at[x] * middle) + (float)at[x + 3] * side;
            sum += ((float)above[x - 3] * side + (float)above[x] * side) + (float)above[x + 3] * side;
            sum = sum > 255 ? 255 : sum;
            out[x] = LEVEL(blended)((int32_t)sum, at[x], factor);
        }
    }
}

/// `count` outputs whose taps lie `step` bytes apart around `from`; up to 64.
CK_INLINE void LEVEL(box_taps)(const uint8_t *const *taps, uint8_t *restrict to, size_t count, ck_box box) {
    uint32_t sum[64];
    const ptrdiff_t last = 2 * box.radius + 2;
    for (size_t x = 0; x < count; x++) sum[x] = 0;
    for (ptrdiff_t i = 1; i < last; i++)
        for (size_t x = 0; x < count; x++) sum[x] += taps[i][x];
    for (size_t x = 0; x < count; x++) {
        const uint32_t ends = (uint32_t)taps[0][x] + taps[last][x];
        to[x] = (uint8_t)((sum[x] * box.inner + ends * box.outer + (1u << 23)) >> 24);
    }
}

CK_INLINE ptrdiff_t LEVEL(clamped)(ptrdiff_t value, ptrdiff_t count) {
    return value < 0 ? 0 : value >= count ? count - 1 : value;
}

static void LEVEL(blur_rows)(const uint8_t *from, uint8_t *to, size_t height, size_t width, ck_box box) {
    const ptrdiff_t columns = (ptrdiff_t)width, reach = box.radius + 1;
    const ptrdiff_t first = reach < columns ? reach : columns, last = columns - reach > first ? columns - reach : first;
    const uint8_t *taps[2 * CK_BOX_REACH + 1];
    for (size_t y = 0; y < height; y++, from += 3 * width, to += 3 * width) {
        for (ptrdiff_t x = 0; x < columns; x++) {
            if (x == first) {
                for (ptrdiff_t at = 3 * first; at < 3 * last; at += 64) {
                    for (ptrdiff_t i = -reach; i <= reach; i++) taps[i + reach] = from + at + 3 * i;
                    const ptrdiff_t rest = 3 * last - at;
                    LEVEL(box_taps)(taps, to + at, (size_t)(rest < 64 ? rest : 64), box);
                }
                x = last;
                if (x == columns) break;
            }
            for (ptrdiff_t i = -reach; i <= reach; i++) taps[i + reach] = from + 3 * LEVEL(clamped)(x + i, columns);
            LEVEL(box_taps)(taps, to + 3 * x, 3, box);
        }
    }
}

static void LEVEL(blur_columns)(const uint8_t *from, uint8_t *to, size_t height, size_t width, ck_box box) {
    const ptrdiff_t rows = (ptrdiff_t)height, reach = box.radius + 1;
    const size_t stride = 3 * width;
    const uint8_t *taps[2 * CK_BOX_REACH + 1];
    for (ptrdiff_t y = 0; y < rows; y++, to += stride)
        for (size_t x = 0; x < stride; x += 64) {
            for (ptrdiff_t i = -reach; i <= reach; i++)
                taps[i + reach] = from + (size_t)LEVEL(clamped)(y + i, rows) * stride + x;
            LEVEL(box_taps)(taps, to + x, stride - x < 64 ? stride - x : 64, box);
        }
}

// Affine warps. A pixel is a vector of its channels and one lane more.

typedef double LEVEL(rgb) __attribute__((vector_size(32)));
typedef int32_t LEVEL(whole) __attribute__((vector_size(16)));
typedef uint8_t LEVEL(four_bytes) __attribute__((vector_size(4)));

CK_INLINE LEVEL(rgb) LEVEL(pixel)(const uint8_t *at) {
    LEVEL(four_bytes) bytes;
    memcpy(&bytes, at, 4);
    return __builtin_convertvector(__builtin_convertvector(bytes, LEVEL(whole)), LEVEL(rgb));
}

/// Cut off at 0 and 255, truncated.
CK_INLINE void LEVEL(put)(LEVEL(rgb) value, uint8_t *to) {
    for (int c = 0; c < 3; c++) {
        const double v = value[c];
        to[c] = v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
    }
}

CK_INLINE LEVEL(rgb) LEVEL(line)(LEVEL(rgb) a, LEVEL(rgb) b, double t) {
#pragma clang fp contract(off)
    return a + (b - a) * t;
}

/// The cubic through four values with a = -1, between b and c.
CK_INLINE LEVEL(rgb) LEVEL(cubic)(LEVEL(rgb) a, LEVEL(rgb) b, LEVEL(rgb) c, LEVEL(rgb) d, double t) {
#pragma clang fp contract(off)
    LEVEL(rgb) first = c - a, second = 2.0 * (a - b) + c - d, third = b - a - c + d;
    return b + t * (first + t * (second + t * third));
}

/// Bilinear at column `x` + t of one row; on a column itself only that one counts.
CK_INLINE LEVEL(rgb) LEVEL(line_in_row)(const uint8_t *row, ptrdiff_t x, double t, ptrdiff_t width) {
    LEVEL(rgb) left = LEVEL(pixel)(row + 3 * LEVEL(clamped)(x, width));
    return t == 0 ? left : LEVEL(line)(left, LEVEL(pixel)(row + 3 * LEVEL(clamped)(x + 1, width)), t);
}

CK_INLINE LEVEL(rgb) LEVEL(cubic_in_row)(const uint8_t *row, ptrdiff_t x, double t, ptrdiff_t width) {
    if (t == 0) return LEVEL(pixel)(row + 3 * x);
    if (x >= 1 && x + 2 < width) {
        const uint8_t *at = row + 3 * (x - 1);
        return LEVEL(cubic)(LEVEL(pixel)(at), LEVEL(pixel)(at + 3), LEVEL(pixel)(at + 6), LEVEL(pixel)(at + 9), t);
    }
    LEVEL(rgb) taps[4];
    for (ptrdiff_t i = 0; i < 4; i++) taps[i] = LEVEL(pixel)(row + 3 * LEVEL(clamped)(x - 1 + i, width));
    return LEVEL(cubic)(taps[0], taps[1], taps[2], taps[3], t);
}

/// Rows that do not exist repeat the one before, the first of them row 0.
CK_INLINE LEVEL(rgb) LEVEL(cubic_at)(const uint8_t *from, ptrdiff_t x, ptrdiff_t y, double t, double u, ptrdiff_t height,
                                     ptrdiff_t width) {
    const ptrdiff_t stride = 3 * width;
    if (u == 0) return LEVEL(cubic_in_row)(from + y * stride, x, t, width);
    LEVEL(rgb) rows[4];
    for (ptrdiff_t i = 0; i < 4; i++) {
        const ptrdiff_t row = y - 1 + i;
        if (i > 0 && (row < 0 || row >= height))
            rows[i] = rows[i - 1];
        else
            rows[i] = LEVEL(cubic_in_row)(from + LEVEL(clamped)(row, height) * stride, x, t, width);
    }
    return LEVEL(cubic)(rows[0], rows[1], rows[2], rows[3], u);
}

CK_INLINE LEVEL(rgb) LEVEL(line_at)(const uint8_t *from, ptrdiff_t x, ptrdiff_t y, double t, double u, ptrdiff_t height,
                                    ptrdiff_t width) {
    const ptrdiff_t stride = 3 * width;
    LEVEL(rgb) first = LEVEL(line_in_row)(from + LEVEL(clamped)(y, height) * stride, x, t, width);
    if (u == 0 || y + 1 < 0 || y + 1 >= height) return first;
    return LEVEL(line)(first, LEVEL(line_in_row)(from + (y + 1) * stride, x, t, width), u);
}

/// Nearest pixels of a matrix that neither shears nor rotates: positions are running sums.
static void LEVEL(warp_scaled)(const uint8_t *from, uint8_t *to, ptrdiff_t height, ptrdiff_t width, const double *m) {
#pragma clang fp contract(off)
    double v = m[5] + m[4] * 0.5;
    for (ptrdiff_t y = 0; y < height; y++, v += m[4]) {
        const ptrdiff_t row = v < 0 ? -1 : (ptrdiff_t)v;
        if (row < 0 || row >= height) continue;
        double u = m[2] + m[0] * 0.5;
        for (ptrdiff_t x = 0; x < width; x++, u += m[0]) {
            const ptrdiff_t column = u < 0 ? -1 : (ptrdiff_t)u;
            if (column >= 0 && column < width) memcpy(to + 3 * (y * width + x), from + 3 * (row * width + column), 3);
        }
    }
}

/// Nearest pixels of any other matrix, in 16.16 fixed point.
static void LEVEL(warp_fixed)(const uint8_t *from, uint8_t *to, ptrdiff_t height, ptrdiff_t width, const double *m) {
#pragma clang fp contract(off)
#define CK_FIXED(v) ((int64_t)floor((v)*65536.0 + 0.5))
    const int64_t a = CK_FIXED(m[0]), b = CK_FIXED(m[1]), d = CK_FIXED(m[3]), e = CK_FIXED(m[4]);
    int64_t left = CK_FIXED(m[2] + m[0] * 0.5 + m[1] * 0.5), top = CK_FIXED(m[5] + m[3] * 0.5 + m[4] * 0.5);
#undef CK_FIXED
    for (ptrdiff_t y = 0; y < height; y++, left += b, top += e) {
        int64_t u = left, v = top;
        for (ptrdiff_t x = 0; x < width; x++, u += a, v += d) {
            const ptrdiff_t column = (ptrdiff_t)(u >> 16), row = (ptrdiff_t)(v >> 16);
            if (column >= 0 && column < width && row >= 0 && row < height)
                memcpy(to + 3 * (y * width + x), from + 3 * (row * width + column), 3);
        }
    }
}

CK_INLINE void LEVEL(warp_smooth)(const uint8_t *from, uint8_t *to, ptrdiff_t height, ptrdiff_t width, const double *m,
                                  int is_cubic) {
#pragma clang fp contract(off)
    for (ptrdiff_t y = 0; y < height; y++)
        for (ptrdiff_t x = 0; x < width; x++, to += 3) {
            const double column = (double)x + 0.5, row = (double)y + 0.5;
            double u = m[0] * column + m[1] * row + m[2], v = m[3] * column + m[4] * row + m[5];
            if (u < 0 || u >= (double)width || v < 0 || v >= (double)height) continue;
            u -= 0.5;
            v -= 0.5;
            // Not below -½, so that truncation and one case are the floor.
            const ptrdiff_t i = u < 0 ? -1 : (ptrdiff_t)u, j = v < 0 ? -1 : (ptrdiff_t)v;
            LEVEL(rgb) value = is_cubic ? LEVEL(cubic_at)(from, i, j, u - (double)i, v - (double)j, height, width)
                                        : LEVEL(line_at)(from, i, j, u - (double)i, v - (double)j, height, width);
            LEVEL(put)(value, to);
        }
}

static void LEVEL(warp)(const uint8_t *from, uint8_t *to, size_t height, size_t width, const double *matrix,
                        ck_filter filter, uint32_t fill) {
    const ptrdiff_t rows = (ptrdiff_t)height, columns = (ptrdiff_t)width;
    for (size_t i = 0; i < height * width; i++) memcpy(to + 3 * i, &fill, 3);
    switch (filter) {
    case CK_NEAREST:
        if (matrix[1] == 0 && matrix[3] == 0)
            LEVEL(warp_scaled)(from, to, rows, columns, matrix);
        else
            LEVEL(warp_fixed)(from, to, rows, columns, matrix);
        break;
    case CK_BILINEAR: LEVEL(warp_smooth)(from, to, rows, columns, matrix, 0); break;
    case CK_BICUBIC: LEVEL(warp_smooth)(from, to, rows, columns, matrix, 1); break;
    }
}

#define CK_IMAGE_TABLE                                                                                               \
    {                                                                                                                  \
        .look_up = LEVEL(look_up), .histogram = LEVEL(histogram), .grey_sum = LEVEL(grey_sum),                         \
        .saturate = LEVEL(saturate), .sharpen = LEVEL(sharpen), .blur_rows = LEVEL(blur_rows),                         \
        .blur_columns = LEVEL(blur_columns), .warp = LEVEL(warp)                                                       \
    }
