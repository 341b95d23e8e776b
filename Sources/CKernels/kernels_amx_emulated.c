#include "CKernels.h"

/* The kernels for matrix units, with an emulation of tile registers that runs on any processor. */
#define CK_SUFFIX amx_emulated
#define CK_TILES 1
#define CK_EMULATED_TILES 1
#define CK_LANES 4
#define CK_ROWS 6
#define CK_VECTORS 2
#include "kernels.h"
