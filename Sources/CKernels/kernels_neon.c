#include "CKernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#define CK_SUFFIX neon
#define CK_NEON 1
#define CK_LANES 4
#define CK_ROWS 6
#define CK_VECTORS 4
#include "kernels.h"
#endif
