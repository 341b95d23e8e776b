#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Sapphire Rapids and later. */
#define CK_SUFFIX avx512fp16
#define CK_X86 1
#define CK_VNNI 1
#define CK_FP16 1
#define CK_LANES 16
#define CK_ROWS 12
#define CK_VECTORS 2
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,avx512vnni,avx512fp16"))), apply_to = function)
#include "kernels.h"
#pragma clang attribute pop
#endif
