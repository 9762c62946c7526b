// Loops that Swift cannot vectorise, compiled at three instruction levels behind one table of functions.
// Rules: no allocation, no globals, no I/O; sizes are size_t; accumulation is an explicit argument ("(+)=").
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "activation.h"
#include "attention.h"
#include "convolve.h"
#include "dropout.h"
#include "elementwise.h"
#include "gather.h"
#include "noise.h"
#include "normalize.h"
#include "image.h"
#include "pixels.h"
#include "product.h"
#include "softmax.h"
#include "update.h"
#include "window.h"

#pragma clang assume_nonnull begin

/// Every kernel at one instruction level. All levels agree: bit for bit in the update and noise kernels, to rounding elsewhere.
typedef struct {
    ck_elementwise elementwise;
    ck_activation activation;
    ck_normalize normalize;
    ck_softmax softmax;
    ck_dropout dropout;
    ck_attention attention;
    ck_pixels pixels;
    ck_product product;
    ck_image image;
    ck_gather gather;
    ck_update update;
    ck_noise noise;
    ck_convolve convolve;
    ck_window window;
} ck_table;

typedef enum { CK_BASELINE = 0, CK_V3 = 1, CK_V4 = 2 } ck_level;

/// The highest level that this processor runs.
ck_level ck_detected_level(void);
const ck_table *ck_table_for(ck_level level);

/// Tells the processor that this is a spin loop.
static inline void ck_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/// Names the calling thread for `top -H`; Swift cannot call the variadic `prctl`.
static inline void ck_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

#pragma clang assume_nonnull end
