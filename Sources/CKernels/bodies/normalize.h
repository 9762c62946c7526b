// Statistics in double: a row far from zero would lose the mean's last digits, and the cost is a few per cent of one
// row's trip through memory.
static void LEVEL(layer_norm)(const float *all, const int32_t *order, const float *weight, const float *bias,
                              float epsilon, float *y, float *statistics, size_t rows, size_t channels) {
#pragma clang fp reassociate(on) contract(fast)
    for (size_t r = 0; r < rows; r++, y += channels) {
        const float *x = all + (order ? (size_t)order[r] : r) * channels;
        double sum = 0;
        for (size_t c = 0; c < channels; c++) sum += x[c];
        const double mean = sum / (double)channels;
        double squares = 0;
        for (size_t c = 0; c < channels; c++) squares += ((double)x[c] - mean) * ((double)x[c] - mean);
        const float inverse = (float)(1.0 / sqrt(squares / (double)channels + (double)epsilon));
        const float high = (float)mean, low = (float)(mean - (double)high);
        statistics[2 * r] = high;
        statistics[2 * r + 1] = inverse;
        {
#pragma clang fp reassociate(off)
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) y[c] = (((x[c] - high) - low) * inverse) * weight[c] + bias[c];
        }
    }
}

static void LEVEL(layer_norm_backward)(const float *all, const int32_t *order, const float *weight,
                                       const float *statistics, const float *dy, float *dx, int adding,
                                       float *weight_sums, float *bias_sums, size_t rows, size_t channels) {
#pragma clang fp reassociate(on) contract(fast)
    for (size_t r = 0; r < rows; r++, dy += channels) {
        const size_t row = order ? (size_t)order[r] : r;
        const float *x = all + row * channels;
        const float mean = statistics[2 * r], inverse = statistics[2 * r + 1];
        if (dx) {
            float straight = 0, aligned = 0;  // Σ g and Σ g·x̂ with g = dy·weight
            for (size_t c = 0; c < channels; c++) {
                const float g = dy[c] * weight[c];
                straight += g;
                aligned += g * ((x[c] - mean) * inverse);
            }
            straight /= (float)channels;
            aligned /= (float)channels;
            float *to = dx + row * channels;
            if (adding) {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++)
                    to[c] += inverse * (dy[c] * weight[c] - straight - ((x[c] - mean) * inverse) * aligned);
            } else {
                CK_INDEPENDENT
                for (size_t c = 0; c < channels; c++)
                    to[c] = inverse * (dy[c] * weight[c] - straight - ((x[c] - mean) * inverse) * aligned);
            }
        }
        if (weight_sums) {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) weight_sums[c] += dy[c] * ((x[c] - mean) * inverse);
        }
        if (bias_sums) {
            CK_INDEPENDENT
            for (size_t c = 0; c < channels; c++) bias_sums[c] += dy[c];
        }
    }
}

#define CK_NORMALIZE_TABLE { .layer_norm = LEVEL(layer_norm), .layer_norm_backward = LEVEL(layer_norm_backward) }
