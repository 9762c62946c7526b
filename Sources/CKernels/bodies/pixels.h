/// The image address of pixel (0, 0) of grid row `row`, counted over all samples.
CK_INLINE size_t LEVEL(corner)(ck_grid grid, size_t row) {
    const size_t x = row % grid.width, line = row / grid.width;  // `line` counts the cell lines of all samples
    return (line * grid.stride * grid.width + x) * grid.stride * grid.channels;
}

static void LEVEL(patchify)(const float *restrict image, float *restrict rows, ck_grid grid, size_t first,
                            size_t last) {
    const size_t line = grid.width * grid.stride * grid.channels, stride = grid.stride;
    for (size_t row = first; row < last; row++) {
        const float *restrict from = image + LEVEL(corner)(grid, row);
        for (size_t c = 0; c < grid.channels; c++)
            for (size_t i = 0; i < stride; i++)
                for (size_t j = 0; j < stride; j++) *rows++ = from[i * line + j * grid.channels + c];
    }
}

static void LEVEL(unpatchify)(const float *restrict rows, float *restrict image, int adding, ck_grid grid,
                              size_t first, size_t last) {
    const size_t line = grid.width * grid.stride * grid.channels, stride = grid.stride;
    for (size_t row = first; row < last; row++) {
        float *restrict to = image + LEVEL(corner)(grid, row);
        for (size_t c = 0; c < grid.channels; c++)
            for (size_t i = 0; i < stride; i++)
                for (size_t j = 0; j < stride; j++, rows++) {
                    float *pixel = to + i * line + j * grid.channels + c;
                    *pixel = adding ? *pixel + *rows : *rows;
                }
    }
}

static void LEVEL(masked_replace)(const float *x, const float *mask, const float *token, float *y, size_t rows,
                                  size_t channels) {
    for (size_t r = 0; r < rows; r++) {
        const float *from = mask[r] != 0 ? token : x + r * channels;
        if (from != y + r * channels) memcpy(y + r * channels, from, channels * sizeof(float));
    }
}

static void LEVEL(masked_replace_backward)(const float *mask, const float *dy, float *dx, int adding, float *token_sums,
                                           size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++, dy += channels) {
        float *to = dx ? dx + r * channels : NULL;
        if (mask[r] != 0) {
            if (token_sums) {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++) token_sums[c] += dy[c];
            }
            if (to && !adding) memset(to, 0, channels * sizeof(float));
        } else if (to && adding) {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) to[c] += dy[c];
        } else if (to && to != dy) {
            memcpy(to, dy, channels * sizeof(float));
        }
    }
}

CK_INLINE double LEVEL(absolute_error)(const float *restrict a, const float *restrict b, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    for (size_t i = 0; i < count; i++) total += fabsf(b[i] - a[i]);
    return total;
}

CK_INLINE void LEVEL(signs)(const float *restrict prediction, const float *restrict target, float factor,
                            float *restrict to, int adding, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const float d = prediction[i] - target[i];
        const float g = d > 0 ? factor : d < 0 ? -factor : 0.0f;
        to[i] = adding ? to[i] + g : g;
    }
}

/// The address of the mask values of grid row `row`, and by `values` how many lie along one side of a cell.
CK_INLINE const float *LEVEL(cell_mask)(const float *mask, ck_grid grid, size_t row, size_t values) {
    const size_t x = row % grid.width, line = row / grid.width;
    return mask + (line * values * grid.width + x) * values;
}

static double LEVEL(masked_absolute_error)(const float *prediction, const float *target, const float *mask,
                                           ck_grid grid, size_t first, size_t last) {
    const size_t stride = grid.stride, patch = grid.patch, values = stride / patch;
    const size_t row_floats = grid.channels * stride * stride;
    double total = 0;
    for (size_t row = first; row < last; row++) {
        const float *a = prediction + row * row_floats, *b = target + row * row_floats;
        const float *m = LEVEL(cell_mask)(mask, grid, row, values);
        if (values == 1) {
            if (m[0] != 0) total += m[0] * LEVEL(absolute_error)(a, b, row_floats);
            continue;
        }
        for (size_t c = 0; c < grid.channels; c++)
            for (size_t i = 0; i < stride; i++)
                for (size_t v = 0; v < values; v++, a += patch, b += patch) {
                    const float weight = m[(i / patch) * values * grid.width + v];
                    if (weight != 0) total += weight * LEVEL(absolute_error)(a, b, patch);
                }
    }
    return total;
}

static void LEVEL(masked_absolute_error_backward)(const float *prediction, const float *target, const float *mask,
                                                  float scale, float *dprediction, int adding, ck_grid grid,
                                                  size_t first, size_t last) {
    const size_t stride = grid.stride, patch = grid.patch, values = stride / patch;
    const size_t row_floats = grid.channels * stride * stride;
    for (size_t row = first; row < last; row++) {
        const float *a = prediction + row * row_floats, *b = target + row * row_floats;
        float *to = dprediction + row * row_floats;
        const float *m = LEVEL(cell_mask)(mask, grid, row, values);
        if (values == 1) {
            LEVEL(signs)(a, b, scale * m[0], to, adding, row_floats);
            continue;
        }
        for (size_t c = 0; c < grid.channels; c++)
            for (size_t i = 0; i < stride; i++)
                for (size_t v = 0; v < values; v++, a += patch, b += patch, to += patch)
                    LEVEL(signs)(a, b, scale * m[(i / patch) * values * grid.width + v], to, adding, patch);
    }
}

#define CK_PIXELS_TABLE                                                                                                \
    {                                                                                                                  \
        .patchify = LEVEL(patchify), .unpatchify = LEVEL(unpatchify), .masked_replace = LEVEL(masked_replace),         \
        .masked_replace_backward = LEVEL(masked_replace_backward),                                                     \
        .masked_absolute_error = LEVEL(masked_absolute_error),                                                         \
        .masked_absolute_error_backward = LEVEL(masked_absolute_error_backward)                                        \
    }
