#include "CKernels.h"

extern const ck_kernels ck_kernels__scalar;

#if defined(__x86_64__)
extern const ck_kernels ck_kernels__avx512fp16, ck_kernels__avx512bf16, ck_kernels__avx512vnni,
    ck_kernels__avx512, ck_kernels__avx2;

/* Returns the number of tables that this processor runs, besides the scalar one: avx2, avx512,
 * avx512vnni, and one of avx512fp16 and avx512bf16. Each of them requires those before it. */
static int levels(void) {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl")
        || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq"))
        return 1;
    if (!__builtin_cpu_supports("avx512vnni")) return 2;
    /* AMD processors multiply pairs of bfloat16 at twice the rate of floats. A measured Intel
     * processor needed twice the time. */
    return __builtin_cpu_supports("avx512fp16")
            || (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_is("amd")) ? 4 : 3;
}

const ck_kernels *const *ck_tables(void) {
#define CK_OLDER &ck_kernels__avx512vnni, &ck_kernels__avx512, &ck_kernels__avx2, \
    &ck_kernels__scalar, 0
    static const ck_kernels *const halves[] = {&ck_kernels__avx512fp16, CK_OLDER};
    static const ck_kernels *const pairs[] = {&ck_kernels__avx512bf16, CK_OLDER};
    return (__builtin_cpu_supports("avx512fp16") ? halves : pairs) + 4 - levels();
}
#elif defined(__aarch64__)
extern const ck_kernels ck_kernels__neon;

const ck_kernels *const *ck_tables(void) {
    static const ck_kernels *const all[] = {&ck_kernels__neon, &ck_kernels__scalar, 0};
    return all;
}
#else
const ck_kernels *const *ck_tables(void) {
    static const ck_kernels *const all[] = {&ck_kernels__scalar, 0};
    return all;
}
#endif

const ck_kernels *ck_best(void) { return *ck_tables(); }
