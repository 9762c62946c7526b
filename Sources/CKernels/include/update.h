// Weight updates. Compiled without contraction and with fixed lanes in sums, so that all levels give the same bits:
// replicas on mixed nodes must not drift apart. Coefficients are formed in double and rounded once by the caller.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Adam and AdamW. keep = 1 - ηλ (AdamW) or 1; decay = λ (coupled) or 0; rate = η / (1 - β1^k);
/// correction = 1 / sqrt(1 - β2^k).
typedef struct {
    float keep, decay, first_share, second_keep, second_share, rate, correction, epsilon;
} ck_adam;

/// LAMB: the moments' weights, 1 / (1 - β1^k), 1 / sqrt(1 - β2^k), ε and λ.
typedef struct {
    float first_keep, first_share, second_keep, second_share, first_correction, correction, epsilon, decay;
} ck_lamb;

/// keep = 1 - ηλ; mix, mix_share = β1, 1 - β1; momentum, momentum_share = β2, 1 - β2.
typedef struct {
    float keep, rate, mix, mix_share, momentum, momentum_share;
} ck_lion;

/// d = ratio·(g + decay·w); b = momentum·b + share·d; w -= rate·(direct·d + through·b).
typedef struct {
    float decay, ratio, momentum, share, direct, through, rate;
} ck_momentum;

typedef struct {
    /// x *= a
    void (*scale)(float a, float *x, size_t count);
    /// y = keep·y + share·x
    void (*blend)(float keep, float *y, float share, const float *x, size_t count);
    void (*adam)(ck_adam c, float *w, const float *g, float *m, float *v, size_t count);
    void (*lion)(ck_lion c, float *w, const float *g, float *m, size_t count);
    void (*momentum)(ck_momentum c, float *w, const float *g, float *b, size_t count);
    /// w -= rate·ratio·(g + decay·w)
    void (*descend)(ck_momentum c, float *w, const float *g, size_t count);
    /// New moments; sums[0] = Σ w², sums[1] = Σ u² with u = direction + decay·w.
    void (*lamb_moments)(ck_lamb c, const float *w, const float *g, float *m, float *v, size_t count, double *sums);
    /// w -= rate·u, with u formed again from the moments.
    void (*lamb_apply)(ck_lamb c, float rate, float *w, const float *m, const float *v, size_t count);
    /// sums[0] = Σ w², sums[1] = Σ (g + decay·w)²
    void (*squares)(float decay, const float *w, const float *g, size_t count, double *sums);
    /// Σ x²
    double (*square)(const float *x, size_t count);
    /// Nearest bfloat16, ties to even; a NaN stays a NaN.
    void (*to_bf16)(const float *x, uint16_t *y, size_t count);
    void (*from_bf16)(const uint16_t *x, float *y, size_t count);
} ck_update;
