// Rows and columns moved by index tables.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct {
    /// y[i] = x[table[i]]; a negative entry gives a zero row. `adding`: y[i] += x[table[i]].
    void (*gather_rows)(const float *x, const int32_t *table, float *y, int adding, size_t rows, size_t channels);
    /// dx[table[i]] += dy[i] for every i whose target lies in first..<last; negative entries are skipped.
    void (*scatter_add_rows)(const float *dy, const int32_t *table, float *dx, size_t rows, size_t channels,
                             size_t first, size_t last);
    /// bias[i] = table[index[i]·heads + head]
    void (*gather_column)(const float *table, const int32_t *index, float *bias, size_t count, size_t heads,
                          size_t head);
    /// dtable[index[i]·heads + head] += dbias[i]
    void (*scatter_add_column)(const float *dbias, const int32_t *index, float *dtable, size_t count, size_t heads,
                               size_t head);
} ck_gather;

#pragma clang assume_nonnull end
