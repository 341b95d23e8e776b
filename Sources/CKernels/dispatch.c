/* Selects the tables of kernels that this processor runs.
 *
 * Each table has one line in a list: a predicate and the address of the table. Faster tables are
 * before slower tables. */
#include "CKernels.h"
#include "matrix_units.h"
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

static int runs_everywhere(void) { return 1; }

#if defined(__x86_64__)
static int runs_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
        && __builtin_cpu_supports("f16c");
}

static int runs_avx512f(void) { return __builtin_cpu_supports("avx512f"); }

static int runs_avx512(void) {
    return runs_avx2() && runs_avx512f() && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

static int runs_avx512vnni(void) {
    return runs_avx512() && __builtin_cpu_supports("avx512vnni");
}

static int runs_avx512fp16(void) {
    return runs_avx512vnni() && __builtin_cpu_supports("avx512fp16");
}

static int runs_amx(void) {
    return runs_avx512fp16() && __builtin_cpu_supports("avx512vbmi") && ck_has_matrix_units();
}

/* AMD's processors multiply pairs of bfloat16 at twice the rate of floats. On an Intel processor,
 * pairs of bfloat16 took twice the time of floats. */
static int runs_avx512bf16(void) {
    return runs_avx512vnni() && __builtin_cpu_supports("avx512bf16")
        && __builtin_cpu_is("amd");
}
#endif

#if defined(__aarch64__)
static int runs_neon_dot(void) {
#if defined(__linux__)
    enum { dot_products = 1 << 20 }; /* HWCAP_ASIMDDP */
    return (getauxval(AT_HWCAP) & dot_products) != 0;
#else
    return 1; /* Every arm64 processor of Apple has them. */
#endif
}
#endif

#define CK_LIST(type) \
    static const struct { \
        int (*runs)(void); \
        const type *table; \
    }

extern const ck_kernels ck_kernels__scalar, ck_kernels__amx_emulated;
#if defined(__x86_64__)
extern const ck_kernels ck_kernels__amx, ck_kernels__avx512fp16, ck_kernels__avx512bf16,
    ck_kernels__avx512vnni, ck_kernels__avx512, ck_kernels__avx2;
extern const ck_f64_kernels ck_f64_avx512, ck_f64_avx2;
#elif defined(__aarch64__)
extern const ck_kernels ck_kernels__neon_dot, ck_kernels__neon;
#endif

CK_LIST(ck_kernels) tables[] = {
#if defined(__x86_64__)
    {runs_amx, &ck_kernels__amx}, {runs_avx512fp16, &ck_kernels__avx512fp16},
    {runs_avx512bf16, &ck_kernels__avx512bf16}, {runs_avx512vnni, &ck_kernels__avx512vnni},
    {runs_avx512, &ck_kernels__avx512}, {runs_avx2, &ck_kernels__avx2},
#elif defined(__aarch64__)
    {runs_neon_dot, &ck_kernels__neon_dot}, {runs_everywhere, &ck_kernels__neon},
#endif
    {runs_everywhere, &ck_kernels__scalar},
};

CK_LIST(ck_f64_kernels) f64_tables[] = {
#if defined(__x86_64__)
    {runs_avx512f, &ck_f64_avx512}, {runs_avx2, &ck_f64_avx2},
#endif
    {runs_everywhere, &ck_f64_portable},
};

/* Returns the table at `index` among the tables of a list that this processor runs, or null. */
#define CK_FIND(list, index) \
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) \
        if (list[i].runs() && index-- == 0) return list[i].table; \
    return NULL

const ck_kernels *ck_table(size_t index) { CK_FIND(tables, index); }

const ck_f64_kernels *ck_f64_table(size_t index) { CK_FIND(f64_tables, index); }

const ck_kernels *ck_emulated_table(void) { return &ck_kernels__amx_emulated; }
