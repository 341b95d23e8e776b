/* What the cases need: guarded memory, seeded numbers, and results to record or to compare. */
#ifndef HARNESS_H
#define HARNESS_H
#include "CKernels.h"

/* Memory whose end is the end of mapped memory: a read or write past it crashes. It is freed when
 * the case ends. The floats and doubles are uniform in [-range, range). */
void *zeroed(size_t bytes);
float *floats(size_t count, float range);
double *doubles(size_t count);
uint8_t *bytes(size_t count);

/* Whether a panel is 16 gates and 16 ups. */
static inline int is_gated(int epilogue) {
    return epilogue == ck_epilogue_swiglu || epilogue >= ck_epilogue_gated_gelu;
}

/* A number in [0, below). */
size_t below(size_t limit);

/* Hands over a result, to be within absolute + relative * |reference| of the reference's. Both
 * tolerances 0 mean equal to the bit, with any NaN equal to any other. */
void floats_are(const char *name, const float *values, size_t count, double absolute, double relative);
void doubles_are(
    const char *name, const double *values, size_t count, double absolute, double relative);
void bytes_are(const char *name, const void *values, size_t count);

/* A case computes results from seeded input with one table of kernels. */
typedef struct kernel_case {
    const char *name;
    void (*run)(const ck_kernels *kernels);
} kernel_case;

/* The f64 kernels have tables of their own. */
typedef struct f64_case {
    const char *name;
    void (*run)(const ck_f64_kernels *kernels);
} f64_case;

/* Conversions have no tables: one source is compiled for every processor. */
typedef struct conversion_case {
    const char *name;
    void (*run)(void);
} conversion_case;

/* Ended by a null name. */
extern const kernel_case kernel_cases[], precision_cases[];
extern const f64_case f64_cases[];
extern const conversion_case conversion_cases[];
#endif
