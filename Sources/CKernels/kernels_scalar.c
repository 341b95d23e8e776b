#include "CKernels.h"

/* Vectors of four lanes that the compiler translates for any processor. */
#define CK_SUFFIX scalar
#define CK_LANES 4
#define CK_ROWS 6
#define CK_VECTORS 2
#include "kernels.h"
