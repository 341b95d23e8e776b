#include "CKernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

/* Armv8.2 with dot products of bytes. */
#define CK_SUFFIX neon_dot
#define CK_NEON 1
#define CK_DOT 1
#define CK_LANES 4
#define CK_ROWS 6
#define CK_VECTORS 4
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#include "kernels.h"
#pragma clang attribute pop
#endif
