// `__builtin_elementwise_sqrt` sets no errno, so the loops vectorise; it is the exact square root at every level.

/// Sixteen running sums: the order of additions is the same whatever the width of a register.
typedef double LEVEL(lanes) __attribute__((vector_size(64)));
typedef float LEVEL(half) __attribute__((vector_size(32), aligned(4)));
typedef struct {
    LEVEL(lanes) low, high;
} LEVEL(sums);

CK_INLINE void LEVEL(add_squares)(LEVEL(sums) * sums, const float *x) {
#pragma clang fp contract(off)
    LEVEL(lanes) low = __builtin_convertvector(*(const LEVEL(half) *)x, LEVEL(lanes));
    LEVEL(lanes) high = __builtin_convertvector(*(const LEVEL(half) *)(x + 8), LEVEL(lanes));
    sums->low += low * low;
    sums->high += high * high;
}

CK_INLINE double LEVEL(total)(const LEVEL(sums) * sums) {
#pragma clang fp contract(off)
    double lanes[8];
    for (int i = 0; i < 8; i++) lanes[i] = sums->low[i] + sums->high[i];
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

static void LEVEL(scale)(float a, float *restrict x, size_t count) {
#pragma clang fp contract(off)
    for (size_t i = 0; i < count; i++) x[i] *= a;
}

static void LEVEL(blend)(float keep, float *restrict y, float share, const float *restrict x, size_t count) {
#pragma clang fp contract(off)
    for (size_t i = 0; i < count; i++) y[i] = keep * y[i] + share * x[i];
}

static void LEVEL(adam)(ck_adam c, float *restrict w, const float *restrict g, float *restrict m, float *restrict v,
                        size_t count) {
#pragma clang fp contract(off)
    for (size_t i = 0; i < count; i++) {
        float gradient = g[i] + c.decay * w[i];
        float first = m[i] + c.first_share * (gradient - m[i]);
        float second = c.second_keep * v[i] + c.second_share * (gradient * gradient);
        m[i] = first;
        v[i] = second;
        float root = __builtin_elementwise_sqrt(second) * c.correction + c.epsilon;
        w[i] = c.keep * w[i] - c.rate * (first / root);
    }
}

static void LEVEL(lion)(ck_lion c, float *restrict w, const float *restrict g, float *restrict m, size_t count) {
#pragma clang fp contract(off)
    for (size_t i = 0; i < count; i++) {
        float mixed = c.mix * m[i] + c.mix_share * g[i];
        float sign = (mixed > 0 ? 1.0f : 0.0f) - (mixed < 0 ? 1.0f : 0.0f);
        w[i] = c.keep * w[i] - c.rate * sign;
        m[i] = c.momentum * m[i] + c.momentum_share * g[i];
    }
}

static void LEVEL(momentum)(ck_momentum c, float *restrict w, const float *restrict g, float *restrict b, size_t count) {
#pragma clang fp contract(off)
    for (size_t i = 0; i < count; i++) {
        float direct = c.ratio * (g[i] + c.decay * w[i]);
        float buffer = c.momentum * b[i] + c.share * direct;
        b[i] = buffer;
        w[i] -= c.rate * (c.direct * direct + c.through * buffer);
    }
}

static void LEVEL(descend)(ck_momentum c, float *restrict w, const float *restrict g, size_t count) {
#pragma clang fp contract(off)
    for (size_t i = 0; i < count; i++) w[i] -= c.rate * (c.ratio * (g[i] + c.decay * w[i]));
}

CK_INLINE float LEVEL(lamb_direction)(const ck_lamb *c, float w, float first, float second) {
#pragma clang fp contract(off)
    float root = __builtin_elementwise_sqrt(second) * c->correction + c->epsilon;
    return (first * c->first_correction) / root + c->decay * w;
}

/// At most 16 elements; a constant count lets the compiler unroll whole blocks.
CK_INLINE void LEVEL(lamb_block)(const ck_lamb *c, const float *restrict w, const float *restrict g, float *restrict m,
                                 float *restrict v, size_t count, float *restrict weights, float *restrict directions) {
#pragma clang fp contract(off)
    for (size_t i = 0; i < count; i++) {
        float first = c->first_keep * m[i] + c->first_share * g[i];
        float second = c->second_keep * v[i] + c->second_share * (g[i] * g[i]);
        m[i] = first;
        v[i] = second;
        weights[i] = w[i];
        directions[i] = LEVEL(lamb_direction)(c, w[i], first, second);
    }
}

static void LEVEL(lamb_moments)(ck_lamb c, const float *restrict w, const float *restrict g, float *restrict m,
                                float *restrict v, size_t count, double *restrict sums) {
    LEVEL(sums) values = {0}, directions = {0};
    float weights[16] = {0}, block[16] = {0};
    size_t start = 0;
    for (; start + 16 <= count; start += 16) {
        LEVEL(lamb_block)(&c, w + start, g + start, m + start, v + start, 16, weights, block);
        LEVEL(add_squares)(&values, weights);
        LEVEL(add_squares)(&directions, block);
    }
    if (start < count) {
        for (size_t i = 0; i < 16; i++) weights[i] = block[i] = 0;
        LEVEL(lamb_block)(&c, w + start, g + start, m + start, v + start, count - start, weights, block);
        LEVEL(add_squares)(&values, weights);
        LEVEL(add_squares)(&directions, block);
    }
    sums[0] = LEVEL(total)(&values);
    sums[1] = LEVEL(total)(&directions);
}

static void LEVEL(lamb_apply)(ck_lamb c, float rate, float *restrict w, const float *restrict m, const float *restrict v,
                              size_t count) {
#pragma clang fp contract(off)
    for (size_t i = 0; i < count; i++) w[i] -= rate * LEVEL(lamb_direction)(&c, w[i], m[i], v[i]);
}

CK_INLINE void LEVEL(square_block)(float decay, const float *w, const float *g, LEVEL(sums) * values,
                                   LEVEL(sums) * gradients) {
#pragma clang fp contract(off)
    float block[16];
    for (size_t i = 0; i < 16; i++) block[i] = g[i] + decay * w[i];
    LEVEL(add_squares)(values, w);
    LEVEL(add_squares)(gradients, block);
}

static void LEVEL(squares)(float decay, const float *restrict w, const float *restrict g, size_t count,
                           double *restrict sums) {
    LEVEL(sums) values = {0}, gradients = {0};
    size_t start = 0;
    for (; start + 16 <= count; start += 16) LEVEL(square_block)(decay, w + start, g + start, &values, &gradients);
    if (start < count) {
        float weights[16] = {0}, rest[16] = {0};
        for (size_t i = 0; start + i < count; i++) {
            weights[i] = w[start + i];
            rest[i] = g[start + i];
        }
        LEVEL(square_block)(decay, weights, rest, &values, &gradients);
    }
    sums[0] = LEVEL(total)(&values);
    sums[1] = LEVEL(total)(&gradients);
}

static double LEVEL(square)(const float *restrict x, size_t count) {
#pragma clang fp contract(off)
    LEVEL(sums) sums = {0};
    size_t start = 0;
    for (; start + 16 <= count; start += 16) LEVEL(add_squares)(&sums, x + start);
    if (start < count) {
        float rest[16] = {0};
        for (size_t i = 0; start + i < count; i++) rest[i] = x[start + i];
        LEVEL(add_squares)(&sums, rest);
    }
    return LEVEL(total)(&sums);
}

static void LEVEL(to_bf16)(const float *restrict x, uint16_t *restrict y, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
        uint32_t quiet = (bits >> 16) | 0x40;
        y[i] = (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded);
    }
}

static void LEVEL(from_bf16)(const uint16_t *restrict x, float *restrict y, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)x[i] << 16;
        memcpy(y + i, &bits, sizeof bits);
    }
}

#define CK_UPDATE_TABLE { \
    .scale = LEVEL(scale), .blend = LEVEL(blend), .adam = LEVEL(adam), .lion = LEVEL(lion), \
    .momentum = LEVEL(momentum), .descend = LEVEL(descend), .lamb_moments = LEVEL(lamb_moments), \
    .lamb_apply = LEVEL(lamb_apply), .squares = LEVEL(squares), .square = LEVEL(square), \
    .to_bf16 = LEVEL(to_bf16), .from_bf16 = LEVEL(from_bf16) }
