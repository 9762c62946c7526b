// JPEG decoding from memory, the rows of PNG and the 8-bit loops of resizing. No function keeps state, aborts or
// prints.
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

/// Undoes the filter of a PNG row of count bytes in place. above: the finished row before it, zeros for the first.
/// step: bytes of a pixel, at least one; 1, 2, 3, 4, 6 or 8, and count is a multiple. Returns 0 for an unknown filter.
int ci_png_unfilter(int filter, uint8_t *row, const uint8_t *above, size_t count, size_t step);

/// Writes a PNG row, 1 + count bytes: the number of the filter that leaves the smallest sum of absolute values, then
/// what it leaves. above and step as in ci_png_unfilter.
void ci_png_filter(const uint8_t *row, const uint8_t *above, uint8_t *to, size_t count, size_t step);

/// Writes width pixels of one channel of depth bits, 1, 2, 4 or 8, one every pixel_bits bits, as RGB.
/// colours: 256 × 3. Returns the largest level.
uint8_t ci_png_look_up(
    const uint8_t *row, const uint8_t *colours, uint8_t *rgb, size_t width, size_t depth, size_t pixel_bits);

/// Takes the first byte of each of the first three samples of a pixel.
void ci_png_take(const uint8_t *row, uint8_t *rgb, size_t width, size_t pixel_bytes, size_t sample_bytes);

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
