#include "CKernels.h"

extern const ck_kernels ck_kernels__scalar;

#if defined(__x86_64__)
extern const ck_kernels ck_kernels__avx512, ck_kernels__avx2;

static int runs_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int runs_avx512(void) {
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

const ck_kernels *const *ck_tables(void) {
    static const ck_kernels *const all[] = {
        &ck_kernels__avx512, &ck_kernels__avx2, &ck_kernels__scalar, 0};
    return runs_avx512() ? all : runs_avx2() ? all + 1 : all + 2;
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
