#include "CKernels.h"

extern const ck_table ck_table_baseline;
#if defined(__x86_64__)
extern const ck_table ck_table_v3, ck_table_v4;
#endif

ck_level ck_detected_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return CK_V4;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) return CK_V3;
#endif
    return CK_BASELINE;
}

const ck_table *ck_table_for(ck_level level) {
#if defined(__x86_64__)
    switch (level) {
    case CK_V4: return &ck_table_v4;
    case CK_V3: return &ck_table_v3;
    case CK_BASELINE: break;
    }
#endif
    (void)level;
    return &ck_table_baseline;
}
