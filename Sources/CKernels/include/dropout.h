// Dropout whose random bits come from a counter: nothing is stored between forward and backward.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Which elements a layer drops: 16 bits of Philox 4x32-10 for each, with the counter (lane of the column, site, row,
/// 0). Below `threshold` the element is 0, else it is multiplied by `scale`.
typedef struct {
    uint32_t key[2];
    uint32_t site, threshold;
    float scale;
} ck_dropout_draw;

typedef struct {
    /// y (+)= dropout(x), rows `first_row` and on of the draw; y may be x.
    void (*apply)(const float *x, float *y, int adding, ck_dropout_draw draw, uint32_t first_row, size_t rows,
                  size_t columns);
} ck_dropout;

#pragma clang assume_nonnull end
