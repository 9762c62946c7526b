// x86-64-v3: AVX2 and fused multiply-add.
#include <math.h>
#include <string.h>
#include "include/CKernels.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2,f16c,lzcnt,movbe"))), apply_to = function)
#define CK_SUFFIX v3
#define CK_LANES 8
#define CK_TILE_ROWS 6
#include "bodies/level.h"
#pragma clang attribute pop
#endif
