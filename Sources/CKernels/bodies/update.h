static void LEVEL(scale)(float a, float *restrict x, size_t count) {
#pragma clang fp contract(off)
    for (size_t i = 0; i < count; i++) x[i] *= a;
}

#define CK_UPDATE_TABLE { .scale = LEVEL(scale) }
