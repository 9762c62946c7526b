// Kernels over rows × channels. x and y never overlap unless a kernel says so.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
    /// y += a·x
    void (*axpy)(float a, const float *x, float *y, size_t count);
} ck_rows;
