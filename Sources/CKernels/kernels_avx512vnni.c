#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Cascade Lake, Ice Lake and later. */
#define CK_SUFFIX avx512vnni
#define CK_X86 1
#define CK_VNNI 1
#define CK_LANES 16
#define CK_ROWS 12
#define CK_VECTORS 2
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,avx512vnni"))), apply_to = function)
#include "kernels.h"
#pragma clang attribute pop
#endif
