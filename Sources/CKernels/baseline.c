#define CK_SUFFIX baseline
#define CK_LANES 4
#define CK_TILE_ROWS 6
#include "bodies/level.h"
