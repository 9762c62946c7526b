#define CK_SUFFIX baseline
#include "bodies/level.h"
