// `__builtin_elementwise_sqrt` sets no errno, so the loops vectorise; it is the exact square root at every level.

/// The bodies of update rules. w: values, g: gradients, c: coefficients; the state's buffers overlap with nothing, which
/// CK_INDEPENDENT before a loop says to the compiler. CK_BODY keeps products and sums apart: all levels give the same bits.
#define CK_UPDATE(name) \
    static void LEVEL(name)(float *w, const float *g, float *const *state, const float *c, size_t count)
#define CK_MEASURE(name) \
    static void LEVEL(measure_##name)(const float *w, const float *g, float *const *state, const float *c, \
                                      size_t count, double *sums)
#define CK_BODY _Pragma("clang fp contract(off)")

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

/// Adam and AdamW. state: m, v. c: keep (1 - ηλ decoupled, else 1), decay (λ coupled, else 0), 1 - β1, β2, 1 - β2,
/// η / (1 - β1^k), 1 / sqrt(1 - β2^k), ε.
CK_UPDATE(adam) {
    CK_BODY
    const float keep = c[0], decay = c[1], first_share = c[2], second_keep = c[3], second_share = c[4], rate = c[5],
                correction = c[6], epsilon = c[7];
    float *m = state[0], *v = state[1];
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        float gradient = g[i] + decay * w[i];
        float first = m[i] + first_share * (gradient - m[i]);
        float second = second_keep * v[i] + second_share * (gradient * gradient);
        m[i] = first;
        v[i] = second;
        float root = __builtin_elementwise_sqrt(second) * correction + epsilon;
        w[i] = keep * w[i] - rate * (first / root);
    }
}

/// state: m. c: 1 - ηλ, η, β1, 1 - β1, β2, 1 - β2.
CK_UPDATE(lion) {
    CK_BODY
    const float keep = c[0], rate = c[1], mix = c[2], mix_share = c[3], momentum = c[4], momentum_share = c[5];
    float *m = state[0];
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        float mixed = mix * m[i] + mix_share * g[i];
        float sign = (mixed > 0 ? 1.0f : 0.0f) - (mixed < 0 ? 1.0f : 0.0f);
        w[i] = keep * w[i] - rate * sign;
        m[i] = momentum * m[i] + momentum_share * g[i];
    }
}

/// d = ratio·(g + decay·w); b = momentum·b + share·d; w -= rate·(direct·d + through·b). state: b. c: in the order
/// decay, ratio, rate, momentum, share, direct, through.
CK_UPDATE(momentum) {
    CK_BODY
    const float decay = c[0], ratio = c[1], rate = c[2], momentum = c[3], share = c[4], direct = c[5], through = c[6];
    float *b = state[0];
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        float step = ratio * (g[i] + decay * w[i]);
        float buffer = momentum * b[i] + share * step;
        b[i] = buffer;
        w[i] -= rate * (direct * step + through * buffer);
    }
}

/// w -= rate·ratio·(g + decay·w). c: decay, ratio, rate.
CK_UPDATE(descend) {
    CK_BODY
    const float decay = c[0], ratio = c[1], rate = c[2];
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) w[i] -= rate * (ratio * (g[i] + decay * w[i]));
}

/// LAMB's numbers: rate, β1, the gradient's share of m, β2, 1 - β2, 1 / (1 - β1^k), 1 / sqrt(1 - β2^k), ε, λ.
typedef struct {
    float rate, first_keep, first_share, second_keep, second_share, first_correction, correction, epsilon, decay;
} LEVEL(lamb_numbers);

CK_INLINE LEVEL(lamb_numbers) LEVEL(lamb_unpack)(const float *c) {
    return (LEVEL(lamb_numbers)){c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]};
}

CK_INLINE float LEVEL(lamb_direction)(const LEVEL(lamb_numbers) * c, float w, float first, float second) {
#pragma clang fp contract(off)
    float root = __builtin_elementwise_sqrt(second) * c->correction + c->epsilon;
    return (first * c->first_correction) / root + c->decay * w;
}

/// At most 16 elements; a constant count lets the compiler unroll whole blocks.
CK_INLINE void LEVEL(lamb_block)(const LEVEL(lamb_numbers) * c, const float *restrict w, const float *restrict g,
                                 float *restrict m, float *restrict v, size_t count, float *restrict weights,
                                 float *restrict directions) {
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

/// New moments, then Σ w² and Σ u² of the direction u with decay. state: m, v.
CK_MEASURE(lamb) {
    LEVEL(lamb_numbers) numbers = LEVEL(lamb_unpack)(c);
    float *m = state[0], *v = state[1];
    LEVEL(sums) values = {0}, directions = {0};
    float weights[16] = {0}, block[16] = {0};
    size_t start = 0;
    for (; start + 16 <= count; start += 16) {
        LEVEL(lamb_block)(&numbers, w + start, g + start, m + start, v + start, 16, weights, block);
        LEVEL(add_squares)(&values, weights);
        LEVEL(add_squares)(&directions, block);
    }
    if (start < count) {
        for (size_t i = 0; i < 16; i++) weights[i] = block[i] = 0;
        LEVEL(lamb_block)(&numbers, w + start, g + start, m + start, v + start, count - start, weights, block);
        LEVEL(add_squares)(&values, weights);
        LEVEL(add_squares)(&directions, block);
    }
    sums[0] = LEVEL(total)(&values);
    sums[1] = LEVEL(total)(&directions);
}

/// w -= rate·u, with u formed again from the moments.
CK_UPDATE(lamb) {
    CK_BODY
    LEVEL(lamb_numbers) numbers = LEVEL(lamb_unpack)(c);
    float *m = state[0], *v = state[1];
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) w[i] -= numbers.rate * LEVEL(lamb_direction)(&numbers, w[i], m[i], v[i]);
}

CK_INLINE void LEVEL(square_block)(float decay, const float *w, const float *g, LEVEL(sums) * values,
                                   LEVEL(sums) * gradients) {
#pragma clang fp contract(off)
    float block[16];
    for (size_t i = 0; i < 16; i++) block[i] = g[i] + decay * w[i];
    LEVEL(add_squares)(values, w);
    LEVEL(add_squares)(gradients, block);
}

/// Σ w² and Σ (g + decay·w)². c: decay.
CK_MEASURE(squares) {
    LEVEL(sums) values = {0}, gradients = {0};
    size_t start = 0;
    for (; start + 16 <= count; start += 16) LEVEL(square_block)(c[0], w + start, g + start, &values, &gradients);
    if (start < count) {
        float weights[16] = {0}, rest[16] = {0};
        for (size_t i = 0; start + i < count; i++) {
            weights[i] = w[start + i];
            rest[i] = g[start + i];
        }
        LEVEL(square_block)(c[0], weights, rest, &values, &gradients);
    }
    sums[0] = LEVEL(total)(&values);
    sums[1] = LEVEL(total)(&gradients);
}

/// The kernels of update rules: name, state buffers, coefficients, then what forms the sums and what moves the values.
static const ck_update_kernel LEVEL(update_kernels)[] = {
    {"adam", 2, 8, 0, LEVEL(adam)},
    {"lion", 1, 6, 0, LEVEL(lion)},
    {"momentum", 1, 7, 0, LEVEL(momentum)},
    {"descend", 0, 3, 0, LEVEL(descend)},
    {"lamb", 2, 9, LEVEL(measure_lamb), LEVEL(lamb)},
    {"squares", 0, 1, LEVEL(measure_squares), 0},
    {0},
};

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
    .kernels = LEVEL(update_kernels), .scale = LEVEL(scale), .blend = LEVEL(blend), .square = LEVEL(square), \
    .to_bf16 = LEVEL(to_bf16), .from_bf16 = LEVEL(from_bf16) }
