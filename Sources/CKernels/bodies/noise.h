// Philox 4x32-10 and the transform of Box and Muller for eight counters at once, in double: relative error < 3e-9.

typedef uint64_t LEVEL(words) __attribute__((vector_size(64)));
typedef float LEVEL(singles) __attribute__((vector_size(32)));
typedef float LEVEL(pairs) __attribute__((vector_size(64)));

/// Exact for x < 2^52: 2^52 + x has the bits of x at its end.
CK_INLINE LEVEL(lanes) LEVEL(real)(LEVEL(words) x) {
#pragma clang fp contract(off)
    return (LEVEL(lanes))(x | 0x4330000000000000u) - 4503599627370496.0;
}

/// The four words of blocks `block` … `block` + 7.
CK_INLINE void LEVEL(philox)(const ck_draw *draw, uint64_t block, LEVEL(words) x[4]) {
    const uint64_t half = 0xFFFFFFFFu;
    const LEVEL(words) zero = {0}, blocks = block + (LEVEL(words)){0, 1, 2, 3, 4, 5, 6, 7};
    LEVEL(words) c0 = blocks & half, c1 = blocks >> 32, c2 = zero + draw->parameter, c3 = zero + draw->step;
    uint32_t k0 = draw->key[0], k1 = draw->key[1];
#pragma clang loop unroll(full)
    for (int round = 0; round < 10; round++) {
        const LEVEL(words) a = (c0 & half) * 0xD2511F53u, b = (c2 & half) * 0xCD9E8D57u;
        // What lies above 32 bits is never read.
        c0 = (b >> 32) ^ c1 ^ (uint64_t)k0;
        c1 = b;
        c2 = (a >> 32) ^ c3 ^ (uint64_t)k1;
        c3 = a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    x[0] = c0 & half;
    x[1] = c1 & half;
    x[2] = c2 & half;
    x[3] = c3 & half;
}

/// sqrt(-2 ln u) of u = (x + 0.5)·2^-32 = (2x + 1)·2^-33.
CK_INLINE LEVEL(lanes) LEVEL(radius)(LEVEL(words) x) {
#pragma clang fp contract(off)
    const LEVEL(words) bits = (LEVEL(words))LEVEL(real)(2 * x + 1);
    // 2x + 1 = 2^e·m with m between the roots of 1/2 and 2.
    const LEVEL(words) e = (bits - 0x3FE6A09E667F3BCDu) >> 52;
    const LEVEL(lanes) m = (LEVEL(lanes))(bits - (e << 52));
    // ln m = 2 (s + s³/3 + s⁵/5 + …), s = (m - 1) / (m + 1), |s| < 0.172
    const LEVEL(lanes) s = (m - 1.0) / (m + 1.0), t = s * s;
    LEVEL(lanes) p = t * (1.0 / 11) + 1.0 / 9;
    p = p * t + 1.0 / 7;
    p = p * t + 1.0 / 5;
    p = p * t + 1.0 / 3;
    const LEVEL(lanes) fraction = 2.0 * s * (p * t + 1.0);
    const LEVEL(lanes) logarithm = (LEVEL(real)(e) - 33.0) * 0.693147180559945309417 + fraction;
    return __builtin_elementwise_sqrt(-2.0 * logarithm);
}

/// Cosine and sine of 2π (x + 0.5)·2^-32.
CK_INLINE void LEVEL(turn)(LEVEL(words) x, LEVEL(lanes) * cosine, LEVEL(lanes) * sine) {
#pragma clang fp contract(off)
    // The nearest quarter turn, 0 … 4, and what is left of it, within an eighth.
    const LEVEL(words) q = (x + (1u << 29)) >> 30;
    const LEVEL(lanes) r =
        (LEVEL(real)(x) - LEVEL(real)(q) * 1073741824.0 + 0.5) * (1.57079632679489661923 / 1073741824.0);
    const LEVEL(lanes) t = r * r;
    LEVEL(lanes) s = t * (1.0 / 362880) - 1.0 / 5040;
    s = s * t + 1.0 / 120;
    s = s * t - 1.0 / 6;
    s = r * (s * t + 1.0);
    LEVEL(lanes) c = 1.0 / 40320 - t * (1.0 / 3628800);
    c = c * t - 1.0 / 720;
    c = c * t + 1.0 / 24;
    c = c * t - 0.5;
    c = c * t + 1.0;
    const LEVEL(words) odd = -(q & 1), plain_c = (LEVEL(words))c, plain_s = (LEVEL(words))s;
    *cosine = (LEVEL(lanes))(((plain_c & ~odd) | (plain_s & odd)) ^ (((q + 1) & 2) << 62));
    *sine = (LEVEL(lanes))(((plain_s & ~odd) | (plain_c & odd)) ^ ((q & 2) << 62));
}

/// std·z of the 32 elements from 4·`block` on.
CK_INLINE void LEVEL(normals)(const ck_draw *draw, uint64_t block, double std, float *noise) {
#pragma clang fp contract(off)
    LEVEL(words) x[4];
    LEVEL(philox)(draw, block, x);
    LEVEL(pairs) both[2];
    for (int half = 0; half < 2; half++) {
        LEVEL(lanes) cosine, sine;
        LEVEL(turn)(x[2 * half + 1], &cosine, &sine);
        const LEVEL(lanes) radius = LEVEL(radius)(x[2 * half]);
        const LEVEL(singles) first = __builtin_convertvector(radius * cosine * std, LEVEL(singles));
        const LEVEL(singles) second = __builtin_convertvector(radius * sine * std, LEVEL(singles));
        both[half] = __builtin_shufflevector(first, second, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    }
    const LEVEL(pairs) low =
        __builtin_shufflevector(both[0], both[1], 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
    const LEVEL(pairs) high =
        __builtin_shufflevector(both[0], both[1], 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
    memcpy(noise, &low, 64);
    memcpy(noise + 16, &high, 64);
}

static double LEVEL(add_noise)(ck_draw draw, double std, float *restrict g, size_t first, size_t count) {
    LEVEL(sums) sums = {0};
    const size_t end = first + count;
    for (size_t at = first / 32 * 32; at < end; at += 32) {
        float noise[32];
        LEVEL(normals)(&draw, at / 4, std, noise);
        if (at >= first && at + 32 <= end) {
            for (size_t i = 0; i < 32; i++) g[at - first + i] += noise[i];
        } else {
            for (size_t i = 0; i < 32; i++) {
                if (at + i >= first && at + i < end) {
                    g[at + i - first] += noise[i];
                } else {
                    noise[i] = 0;
                }
            }
        }
        LEVEL(add_squares)(&sums, noise);
        LEVEL(add_squares)(&sums, noise + 16);
    }
    return LEVEL(total)(&sums);
}

#define CK_NOISE_TABLE { .add = LEVEL(add_noise) }
