#pragma once
#include <zlib.h>

// Both are macros, which Swift does not import.

static inline int lacuna_inflate_start(z_stream *stream, int window_bits) { return inflateInit2(stream, window_bits); }

/// The memory level is zlib's own default.
static inline int lacuna_deflate_start(z_stream *stream, int level, int window_bits, int strategy) {
    return deflateInit2(stream, level, Z_DEFLATED, window_bits, 8, strategy);
}
