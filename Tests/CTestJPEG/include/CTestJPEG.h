// Writes the JPEG files that the tests need, and reads them with the library's plain calls.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int quality;
    /// Sampling of the first channel against the others.
    int horizontal, vertical;
    /// Channels given: 1 grey, 3 RGB, 4 CMYK as stored.
    int channels;
    int progressive, arithmetic;
    /// Store four channels as YCCK.
    int ycck;
    /// Blocks between restart markers; 0: none.
    int restart;
    /// One progressive scan per coefficient of each channel: 190 scans.
    int many_scans;
} ctj_settings;

/// Returns the size of the file, 0 if it does not fit or the library refuses the settings.
size_t ctj_encode(
    const uint8_t *pixels, size_t height, size_t width, const ctj_settings *settings, uint8_t *file, size_t room);

/// RGB pixels of a sound file of 1 or 3 channels. Returns 0 if the library refuses it.
int ctj_decode(const uint8_t *file, size_t count, uint8_t *rgb);
