/// e^x for x ≤ 88 with a relative error below 1.2e-7; 0 below -87.3, NaN for NaN.
/// x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^r by the polynomial of Cephes' expf, 2^n through the exponent bits.
CK_INLINE float LEVEL(exponential)(float x) {
#pragma clang fp contract(fast) reassociate(off)
    const float low = -87.33654f;
    const float clamped = x < low ? low : x;
    // Adding 1.5·2^23 rounds to an integer and leaves it in the low bits.
    const float shifted = clamped * 1.44269504f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    float r = clamped - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, 4);
    bits = (bits + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return x < low ? 0.0f : p * power;
}
