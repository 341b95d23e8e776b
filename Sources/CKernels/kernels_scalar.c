#include "CKernels.h"

/* Four lanes of the compiler's own portable vectors: plain code on any processor. */
#define CK_SUFFIX scalar
#define CK_LANES 4
#define CK_ROWS 6
#define CK_VECTORS 2
#include "kernels.h"
