// The product of two matrices, in blocks that fit the caches.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Element (i, depth) of an operand stands at data[i·stride + depth·depth_stride]; one of the strides is 1.
typedef struct {
    const float *data;
    size_t stride, depth_stride;
} ck_operand;

typedef struct {
    /// c = scale·a·b + start, with `start` none, the row `bias`, or c itself (`adding`).
    /// a: rows × depth; b: by columns, columns × depth; c: `c_stride` floats between rows. The sums of an element run
    /// over blocks of the depth in order: they depend on nothing but the depth. Takes 0.7 MB of the stack.
    /// row_sums += Σ over the depth of a, one a row, when given; a.stride is then 1.
    void (*product)(ck_operand a, ck_operand b, float *c, size_t c_stride, size_t rows, size_t columns, size_t depth,
                    float scale, int adding, const float *_Nullable bias, float *_Nullable row_sums);
} ck_product;

#pragma clang assume_nonnull end
