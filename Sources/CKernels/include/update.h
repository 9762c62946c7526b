// Weight updates. Compiled without contraction and with fixed lanes in sums, so that all levels give the same bits:
// replicas on mixed nodes must not drift apart. Coefficients are formed in double and rounded once by the caller.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// One update rule over a stretch of one tensor. `update` moves values and state; `measure`, where norms are needed first,
/// moves the state and writes two sums. Either may be absent. The body says what its coefficients are.
typedef struct {
    const char *_Null_unspecified name;
    size_t state, coefficients;
    void (*_Nullable measure)(const float *w, const float *g, float *_Nonnull const *_Nonnull state, const float *c, size_t count,
                              double *sums);
    void (*_Nullable update)(float *w, const float *g, float *_Nonnull const *_Nonnull state, const float *c, size_t count);
} ck_update_kernel;

typedef struct {
    /// Ends with one without a name.
    const ck_update_kernel *kernels;
    /// x *= a
    void (*scale)(float a, float *x, size_t count);
    /// y = keep·y + share·x
    void (*blend)(float keep, float *y, float share, const float *x, size_t count);
    /// Σ x²
    double (*square)(const float *x, size_t count);
    /// Nearest bfloat16, ties to even; a NaN stays a NaN.
    void (*to_bf16)(const float *x, uint16_t *y, size_t count);
    void (*from_bf16)(const uint16_t *x, float *y, size_t count);
} ck_update;

#pragma clang assume_nonnull end
