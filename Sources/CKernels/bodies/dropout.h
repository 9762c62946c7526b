/// Sixteen blocks of Philox 4x32-10 at a time; word w of lane l is words[w][l].
CK_INLINE void LEVEL(philox_lanes)(uint32_t words[4][16], uint32_t first, uint32_t site, uint32_t row,
                                   const uint32_t key[2]) {
    uint32_t a[16], b[16], c[16], d[16];
    for (uint32_t l = 0; l < 16; l++) {
        a[l] = first + l;
        b[l] = site;
        c[l] = row;
        d[l] = 0;
    }
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        for (size_t l = 0; l < 16; l++) {
            const uint64_t one = (uint64_t)a[l] * 0xD2511F53u, two = (uint64_t)c[l] * 0xCD9E8D57u;
            const uint32_t a1 = (uint32_t)(two >> 32) ^ b[l] ^ k0, c1 = (uint32_t)(one >> 32) ^ d[l] ^ k1;
            b[l] = (uint32_t)two;
            d[l] = (uint32_t)one;
            a[l] = a1;
            c[l] = c1;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (size_t l = 0; l < 16; l++) {
        words[0][l] = a[l];
        words[1][l] = b[l];
        words[2][l] = c[l];
        words[3][l] = d[l];
    }
}

/// Columns come in pieces of 128: lane l of the piece holds the columns l, l + 16, …, two to a word.
static void LEVEL(dropout)(const float *x, float *y, int adding, ck_dropout_draw draw, uint32_t first_row, size_t rows,
                           size_t columns) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        for (size_t start = 0; start < columns; start += 128) {
            uint32_t words[4][16];
            LEVEL(philox_lanes)(words, (uint32_t)(start / 8), draw.site, first_row + (uint32_t)r, draw.key);
            for (size_t part = 0; part < 8 && start + 16 * part < columns; part++) {
                float keep[16];
                for (size_t l = 0; l < 16; l++) {
                    const uint32_t bits = (words[part / 2][l] >> (part % 2 * 16)) & 0xFFFFu;
                    keep[l] = bits < draw.threshold ? 0 : draw.scale;
                }
                const size_t at = start + 16 * part, count = columns - at < 16 ? columns - at : 16;
                if (adding)
                    for (size_t l = 0; l < count; l++) y[at + l] += keep[l] * x[at + l];
                else
                    for (size_t l = 0; l < count; l++) y[at + l] = keep[l] * x[at + l];
            }
        }
    }
}

#define CK_DROPOUT_TABLE { .apply = LEVEL(dropout) }
