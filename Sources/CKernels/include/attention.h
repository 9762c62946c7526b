// Attention of one head over a sample or window small enough to stay in cache from its logits to its gradients.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// One head of one sample: rows of `width` floats, `stride` floats apart.
typedef struct {
    const float *q, *k, *v;
    size_t stride;
    size_t tokens, width;
    /// Factor on q·kᵀ.
    float scale;
    /// Added to the logits, each tokens × ck_padded(tokens), the keys down and the queries across.
    const float *_Nullable bias, *_Nullable mask;
} ck_head;

/// Where a head's gradients go: rows as those of q, k and v.
typedef struct {
    float *dq, *dk, *dv;
    int adds_query, adds_key, adds_value;
    /// (+)= gradient of the logits, laid out as the bias.
    float *_Nullable logit_sums;
    int adds_logits;
} ck_head_gradients;

typedef struct {
    /// y = softmax(scale·q·kᵀ + bias + mask)·v; y: rows of `width` floats, `y_stride` floats apart.
    /// scratch: ck_attention_scratch floats.
    void (*forward)(const ck_head *head, float *y, size_t y_stride, float *scratch);
    /// With p the probabilities, dp = dy·vᵀ and ds = p⊙(dp - Σ(p⊙dp)): dv (+)= pᵀ·dy, dq (+)= scale·ds·k,
    /// dk (+)= scale·dsᵀ·q, logit_sums (+)= dsᵀ.
    void (*backward)(const ck_head *head, const float *dy, size_t y_stride, const ck_head_gradients *gradients,
                     float *scratch);
    /// y(c, r) = x(r, c)
    void (*transpose)(const float *x, size_t stride, size_t rows, size_t columns, float *y, size_t y_stride);
} ck_attention;

/// Whole registers at every level.
static inline size_t ck_padded(size_t count) { return (count + 15) / 16 * 16; }

/// Floats of scratch: queries or output gradients transposed, probabilities, their gradients, three panels of rows.
static inline size_t ck_attention_scratch(size_t tokens, size_t width) {
    const size_t padded = ck_padded(tokens);
    return width * padded + 2 * tokens * padded + 3 * tokens * ck_padded(width);
}

#pragma clang assume_nonnull end
