#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Sapphire Rapids and later, with matrix units. */
#define CK_SUFFIX amx
#define CK_X86 1
#define CK_VNNI 1
#define CK_FP16 1
#define CK_BF16 1
#define CK_TILES 1
#define CK_LANES 16
#define CK_ROWS 12
#define CK_VECTORS 2
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,avx512vnni,avx512vbmi,avx512fp16,avx512bf16,amx-tile,amx-int8,amx-bf16"))), apply_to = function)
#include "kernels.h"
#pragma clang attribute pop
#endif
