// One level: the including file names it (CK_SUFFIX) and says how many floats a register holds (CK_LANES) and how many
// rows of two registers each a product keeps in registers (CK_TILE_ROWS), after it has pushed the target attributes.
#include "../include/CKernels.h"
#include <math.h>
#include <string.h>

#define CK_JOIN(name, suffix) name##_##suffix
#define CK_EXPAND(name, suffix) CK_JOIN(name, suffix)
#define LEVEL(name) CK_EXPAND(name, CK_SUFFIX)
/// Vectors wider than the baseline's registers stay inside functions that are inlined.
#pragma clang diagnostic ignored "-Wpsabi"
#define CK_INLINE static inline __attribute__((always_inline))
/// For loops whose output may be an input itself: no iteration reads what another one writes.
#define CK_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")

#include "exponential.h"

#include "activation.h"
#include "convolve.h"
#include "dropout.h"
#include "elementwise.h"
#include "gather.h"
#include "normalize.h"
#include "image.h"
#include "pixels.h"
#include "product.h"
#include "softmax.h"
#include "attention.h"
#include "update.h"
#include "noise.h"
#include "window.h"

const ck_table LEVEL(ck_table) = {
    .elementwise = CK_ELEMENTWISE_TABLE,
    .activation = CK_ACTIVATION_TABLE,
    .normalize = CK_NORMALIZE_TABLE,
    .softmax = CK_SOFTMAX_TABLE,
    .dropout = CK_DROPOUT_TABLE,
    .attention = CK_ATTENTION_TABLE,
    .pixels = CK_PIXELS_TABLE,
    .product = CK_PRODUCT_TABLE,
    .image = CK_IMAGE_TABLE,
    .gather = CK_GATHER_TABLE,
    .update = CK_UPDATE_TABLE,
    .noise = CK_NOISE_TABLE,
    .convolve = CK_CONVOLVE_TABLE,
    .window = CK_WINDOW_TABLE,
};
