#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define CK_SUFFIX avx2
#define CK_X86 1
#define CK_LANES 8
#define CK_ROWS 6
#define CK_VECTORS 2
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "kernels.h"
#pragma clang attribute pop
#endif
