static void LEVEL(axpy)(float a, const float *restrict x, float *restrict y, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += a * x[i];
}

#define CK_ROWS_TABLE { .axpy = LEVEL(axpy) }
