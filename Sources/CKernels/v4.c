// x86-64-v4: AVX-512 with 512-bit registers.
#include <math.h>
#include <string.h>
#include "include/CKernels.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi,bmi2,f16c,lzcnt,movbe"))), apply_to = function)
#define CK_SUFFIX v4
#define CK_LANES 16
#define CK_TILE_ROWS 12
#include "bodies/level.h"
#pragma clang attribute pop
#endif
