// JPEG decoding from memory and the 8-bit loops of resizing. No function keeps state, aborts or prints.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The header of a file.
typedef struct {
    uint32_t width, height;
    int components;
    int progressive, arithmetic;
} ci_header;

typedef struct {
    int scans;
    double seconds;
    /// Working memory of the library for files that need all coefficients at once.
    size_t memory_bytes;
} ci_limits;

/// The library's messages about a file.
typedef struct {
    /// Warnings of any kind, and those that mean wrong pixels.
    int warnings, damages;
    /// The error; without an error the first warning, damage before others. Ends with 0.
    char message[256];
} ci_report;

/// Reads the header only. Returns 0, or -1 with a message.
int ci_jpeg_peek(const uint8_t *file, size_t count, ci_header *header, ci_report *report);

/// Decodes to 8-bit RGB, height × width × 3 of the header, with the library's defaults.
/// Returns 0, or -1 with a message.
int ci_jpeg_decode(const uint8_t *file, size_t count, const ci_limits *limits, uint8_t *rgb, ci_report *report);

/// Copies an image of height × width RGB pixels, turned and mirrored so that EXIF orientation 1...8 becomes upright.
void ci_orient(const uint8_t *from, uint8_t *to, size_t height, size_t width, int orientation);

/// Bytes that may be read after the last pixel of an input of ci_resample_columns.
enum { ci_slack = 16 };

/// One axis of a resize: output o reads inputs first[o] ..< first[o] + taps[o] with weights[o × stride + i],
/// in units of 2^-22.
typedef struct {
    const int32_t *first, *taps, *weights;
    size_t stride, outputs;
} ci_axis;

/// The horizontal pass: rows × axis.outputs RGB pixels.
/// packed: 8 × stride × outputs int16 of scratch; stride is a multiple of 4.
void ci_resample_columns(
    const uint8_t *from, size_t from_stride, uint8_t *to, size_t rows, const ci_axis *axis, int16_t *packed);

/// The vertical pass: axis.outputs rows of row_bytes bytes.
void ci_resample_rows(const uint8_t *from, size_t from_stride, uint8_t *to, size_t row_bytes, const ci_axis *axis);

/// The horizontal pass in plain C, for processors without AVX2 and as the reference in tests.
void ci_resample_columns_plain(const uint8_t *from, size_t from_stride, uint8_t *to, size_t rows, const ci_axis *axis);

/// Mirrors the columns of height × width RGB pixels in place.
void ci_mirror(uint8_t *pixels, size_t height, size_t width);

/// floats[i] = table[i mod 3][bytes[i]]
void ci_look_up(const uint8_t *bytes, const float *table, float *floats, size_t pixels);
