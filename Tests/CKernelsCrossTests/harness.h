/* Functions for the cases: guarded memory, seeded numbers, and recording or comparing results. */
#ifndef HARNESS_H
#define HARNESS_H
#include "CKernels.h"

/* Return memory that ends at the end of a mapping, so that access past the end crashes. The memory is
 * freed at the end of the case. The floats and doubles are uniform in [-range, range). */
void *zeroed(size_t bytes);
float *floats(size_t count, float range);
double *doubles(size_t count);
uint8_t *bytes(size_t count);

/* Whether a panel has 16 outputs of a gate projection and 16 of an up projection. */
static inline int is_gated(int epilogue) {
    return epilogue == ck_epilogue_swiglu || epilogue >= ck_epilogue_gated_gelu;
}

/* Returns a random number in [0, limit). */
size_t below(size_t limit);

/* Records a result, or compares it with the recorded result. The difference must be at most
 * absolute + relative * |recorded|. If both tolerances are 0, the bits must be equal, but all NaN
 * values are equal. */
void floats_are(const char *name, const float *values, size_t count, double absolute, double relative);
void doubles_are(
    const char *name, const double *values, size_t count, double absolute, double relative);
void bytes_are(const char *name, const void *values, size_t count);

/* A case computes results from seeded input with one table of kernels. */
typedef struct kernel_case {
    const char *name;
    void (*run)(const ck_kernels *kernels);
} kernel_case;

/* A case for one table of f64 kernels. */
typedef struct f64_case {
    const char *name;
    void (*run)(const ck_f64_kernels *kernels);
} f64_case;

/* A case for conversions, which have no tables: one source is compiled for every processor. */
typedef struct conversion_case {
    const char *name;
    void (*run)(void);
} conversion_case;

/* A null name ends each list. */
extern const kernel_case kernel_cases[], precision_cases[];
extern const f64_case f64_cases[];
extern const conversion_case conversion_cases[];
#endif
