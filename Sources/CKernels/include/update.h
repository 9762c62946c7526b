// Weight updates. Compiled without contraction, so that all levels give the same bits: replicas on mixed nodes
// must not drift apart.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
    /// x *= a
    void (*scale)(float a, float *x, size_t count);
} ck_update;
