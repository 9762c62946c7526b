/// e^(-x²/2)·q = Φ(-|x|), with q = erfcx(|x|/√2)/2 as a polynomial in t = 1/(1 + 0.35·|x|), fitted for |x| ≤ 14 with
/// weights 1/q: 3e-8 relative. In Float the error of Φ is below 2e-7, that of GELU below 1e-7 plus its last bit.
CK_INLINE float LEVEL(upper_tail)(float size, float gauss) {
#pragma clang fp contract(fast) reassociate(off)
    const float t = 1.0f / (1.0f + 0.35f * size);
    float q = -0.0291459225f;
    q = q * t + 0.143971667f;
    q = q * t + -0.255714178f;
    q = q * t + 0.159174085f;
    q = q * t + -0.0231097825f;
    q = q * t + 0.105507985f;
    q = q * t + 0.119832873f;
    q = q * t + 0.139861867f;
    q = q * t + 0.139621407f;
    return gauss * (q * t);
}

CK_INLINE float LEVEL(gelu)(float x) {
    const float tail = LEVEL(upper_tail)(fabsf(x), LEVEL(exponential)(-0.5f * x * x));
    const float lost = fabsf(x) * tail;  // |x|·Φ(-|x|) is what GELU lacks of max(x, 0)
    return (x > 0.0f ? x : 0.0f) - lost;
}

/// Φ(x) + x·φ(x)
CK_INLINE float LEVEL(gelu_slope)(float x) {
#pragma clang fp contract(fast) reassociate(off)
    const float gauss = LEVEL(exponential)(-0.5f * x * x);
    const float tail = LEVEL(upper_tail)(fabsf(x), gauss);
    const float below = x > 0.0f ? 1.0f - tail : tail;
    return below + x * (0.398942280f * gauss);
}

static void LEVEL(bias_gelu)(const float *x, const float *bias, float *y, size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++, x += channels, y += channels) {
        if (bias) {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) y[c] = LEVEL(gelu)(x[c] + bias[c]);
        } else {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) y[c] = LEVEL(gelu)(x[c]);
        }
    }
}

CK_INLINE void LEVEL(bias_gelu_backward_rows)(const float *x, const float *bias, const float *dy, float *dx, int adding,
                                              float *bias_sums, size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++, x += channels, dy += channels, dx += channels) {
        CK_INDEPENDENT
        for (size_t c = 0; c < channels; c++) {
            const float d = dy[c] * LEVEL(gelu_slope)(bias ? x[c] + bias[c] : x[c]);
            dx[c] = adding ? dx[c] + d : d;
            if (bias_sums) bias_sums[c] += d;
        }
    }
}

static void LEVEL(bias_gelu_backward)(const float *x, const float *bias, const float *dy, float *dx, int adding,
                                      float *bias_sums, size_t rows, size_t channels) {
    // One call per case, so that the inner loop has no branch.
#define CK_CASE(B, A, S) LEVEL(bias_gelu_backward_rows)(x, B, dy, dx, A, S, rows, channels)
    if (bias && bias_sums) {
        if (adding) CK_CASE(bias, 1, bias_sums);
        else CK_CASE(bias, 0, bias_sums);
    } else if (bias) {
        CK_CASE(bias, adding, NULL);
    } else {
        CK_CASE(NULL, adding, NULL);
    }
#undef CK_CASE
}

static void LEVEL(relu)(const float *x, float *y, size_t count) {
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

static void LEVEL(relu_backward)(const float *y, const float *dy, float *dx, int adding, size_t count) {
    if (adding) {
        CK_INDEPENDENT
        for (size_t i = 0; i < count; i++) dx[i] += y[i] > 0.0f ? dy[i] : 0.0f;
    } else {
        CK_INDEPENDENT
        for (size_t i = 0; i < count; i++) dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
    }
}

/// Cephes' tanhf: an odd polynomial below 0.625, 1 - 2/(e^2x + 1) above; 1 to the last bit from 10 on.
CK_INLINE float LEVEL(tanh_of)(float x) {
#pragma clang fp contract(fast) reassociate(off)
    const float size = fabsf(x) > 10.0f ? 10.0f : fabsf(x);
    const float far = 1.0f - 2.0f / (LEVEL(exponential)(2.0f * size) + 1.0f);
    const float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z + -5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z + -3.33332819422e-1f;
    const float near = p * z * x + x;
    return size < 0.625f ? near : copysignf(far, x);
}

static void LEVEL(tanh)(const float *x, float *y, size_t count) {
    CK_INDEPENDENT
    for (size_t i = 0; i < count; i++) y[i] = LEVEL(tanh_of)(x[i]);
}

static void LEVEL(tanh_backward)(const float *y, const float *dy, float *dx, int adding, size_t count) {
    if (adding) {
        CK_INDEPENDENT
        for (size_t i = 0; i < count; i++) dx[i] += dy[i] * (1.0f - y[i] * y[i]);
    } else {
        CK_INDEPENDENT
        for (size_t i = 0; i < count; i++) dx[i] = dy[i] * (1.0f - y[i] * y[i]);
    }
}

#define CK_ACTIVATION_TABLE                                                                                            \
    {                                                                                                                  \
        .bias_gelu = LEVEL(bias_gelu), .bias_gelu_backward = LEVEL(bias_gelu_backward), .relu = LEVEL(relu),           \
        .relu_backward = LEVEL(relu_backward), .tanh = LEVEL(tanh), .tanh_backward = LEVEL(tanh_backward)              \
    }
