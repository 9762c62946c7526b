// Gradient noise: standard normal values as a pure function of a counter. Compiled without contraction and in vectors
// of fixed width, so that all levels give the same bits.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Whose values: the two words of the key, the parameter's number, the update.
typedef struct {
    uint32_t key[2], parameter, step;
} ck_draw;

typedef struct {
    /// g[i] += (float)(std·z(first + i)) for i < count; the sum of the squares of what was added.
    double (*add)(ck_draw draw, double std, float *g, size_t first, size_t count);
} ck_noise;
