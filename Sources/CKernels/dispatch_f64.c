#include "ck_f64.h"

#if defined(__x86_64__)
extern const ck_f64_kernels ck_f64_avx512, ck_f64_avx2;
#endif

const ck_f64_kernels *ck_f64_table(size_t index) {
    const ck_f64_kernels *runnable[4] = {NULL};
    size_t count = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) runnable[count++] = &ck_f64_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        runnable[count++] = &ck_f64_avx2;
#endif
    runnable[count++] = &ck_f64_portable;
    return index < count ? runnable[index] : NULL;
}
