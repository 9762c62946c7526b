// One level: the including file names it (CK_SUFFIX) after it has pushed the target attributes.
#include "../include/CKernels.h"
#include <math.h>
#include <string.h>

#define CK_JOIN(name, suffix) name##_##suffix
#define CK_EXPAND(name, suffix) CK_JOIN(name, suffix)
#define LEVEL(name) CK_EXPAND(name, CK_SUFFIX)
#define CK_INLINE static inline __attribute__((always_inline))

#include "rows.h"
#include "update.h"

const ck_table LEVEL(ck_table) = { .rows = CK_ROWS_TABLE, .update = CK_UPDATE_TABLE };
