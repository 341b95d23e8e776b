#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Zen 4 and later. */
#define CK_SUFFIX avx512bf16
#define CK_X86 1
#define CK_VNNI 1
#define CK_BF16 1
#define CK_LANES 16
#define CK_ROWS 12
#define CK_VECTORS 2
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,avx512vnni,avx512bf16"))), apply_to = function)
#include "kernels.h"
#pragma clang attribute pop
#endif
