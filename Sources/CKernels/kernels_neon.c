#include "CKernels.h"

#if defined(__aarch64__)
#define CK_SUFFIX neon
#define CK_LANES 4
#define CK_ROWS 6
#define CK_VECTORS 4
#include "kernels.h"
#endif
