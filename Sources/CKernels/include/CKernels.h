/* Arithmetic kernels: no allocation, no input or output, no threads.
 *
 * `ck_best()` names the fastest table of kernels that this processor runs, `ck_tables()` lists
 * every one it runs, so that tests can hold each to the scalar one. Pointers need only the
 * alignment of their element type. Lengths may be 0 unless a kernel says otherwise. */
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>
#include "ck_dequantize.h"
#include "ck_f64.h"
#pragma clang assume_nonnull begin

/* Outputs per panel of packed weights; see gemm_f32.h for the layout. */
enum { ck_panel = 32 };

/* What gemm_f32 does with a product y (bias included). */
typedef enum ck_epilogue {
    ck_epilogue_store = 0,  /* c = y */
    ck_epilogue_add = 1,    /* c = c + y */
    ck_epilogue_gelu = 2,   /* c = GELU(y), the exact form with erf */
    ck_epilogue_swiglu = 3, /* c[j] = SiLU(y[j]) * y[j + 16]: a panel holds 16 gates, then 16 ups */
} ck_epilogue;

typedef struct ck_kernels {
    const char *name;

    /* c[m, n] = epilogue(a[m, k] · Wᵀ + bias), W packed in panels.
     *
     * a, lda   m rows of k floats, lda floats apart.
     * panels   ceil(outputs / 32) panels of k * 32 floats.
     * bias     one float per packed output, zero-padded to whole panels; or null.
     * c, ldc   m rows of n floats: 32 of a panel are 32 of c, or 16 with ck_epilogue_swiglu. */
    void (*gemm_f32)(
        const float *a, size_t lda, size_t m, size_t k, const float *panels,
        const float *_Nullable bias, float *c, size_t ldc, size_t n, ck_epilogue epilogue);

    /* sums[columns, columns] += x[:, 0..<columns]ᵀ · x[:, 0..<columns], for one range of columns.
     *
     * x         rows of `columns` floats.
     * scratch   rows * 32 floats.
     * Columns from first up to last (first a multiple of 32) are computed, for row indices
     * 0 ..< (end of the column's panel): the upper triangle with whole panels on the diagonal. */
    void (*gram_f32)(
        const float *x, size_t rows, size_t columns, size_t first, size_t last,
        double *sums, float *scratch);

    /* Copies n rows of `width` floats (stride ld) into panels as gemm_f32 reads them, where the
     * rows are outputs and the columns inputs. Lanes past the last row are left as they are. */
    void (*pack_rows_f32)(const float *source, size_t ld, size_t n, size_t width, float *panels);

    /* The same where the rows are inputs and the columns outputs: lanes past the last column are
     * left as they are. */
    void (*pack_columns_f32)(const float *source, size_t ld, size_t n, size_t width, float *panels);

    /* One attention head for a run of queries against packed keys and values.
     *
     * q, ldq      queries rows of `width` floats.
     * keys        pack_rows_f32 of key_count rows of width floats.
     * values      pack_columns_f32 of key_count rows of width floats.
     * offset      causal: query i sees keys 0 ... offset + i; SIZE_MAX: every key.
     * scores      scratch, 12 * round_up(key_count, 32) floats.
     * out, ldo    queries rows of width floats. */
    void (*attend_f32)(
        const float *q, size_t ldq, size_t queries, size_t width, const float *keys,
        const float *values, size_t key_count, size_t offset, float scale, float *scores,
        float *out, size_t ldo);

    /* One query of one head against key_count unpacked keys and values, ld floats apart.
     * scores is scratch of key_count floats. */
    void (*attend_one_f32)(
        const float *q, size_t width, const float *keys, const float *values, size_t ld,
        size_t key_count, float scale, float *scores, float *out);

    /* y[i] = x[i] * w[i] / sqrt(mean(x²) + epsilon); n >= 1, y may be x. */
    void (*rms_norm_f32)(float *y, const float *x, const float *w, size_t n, float epsilon);

    /* y[i] = (x[i] - mean(x)) / sqrt(variance(x) + epsilon) * w[i] + b[i]; n >= 1, y may be x. */
    void (*layer_norm_f32)(
        float *y, const float *x, const float *w, const float *b, size_t n, float epsilon);

    /* x[i] = exp(x[i] * scale) / Σ exp(x[j] * scale); n >= 1. */
    void (*softmax_f32)(float *x, size_t n, float scale);

    /* log Σ exp(x[i]); n >= 1. */
    double (*log_sum_exp_f32)(const float *x, size_t n);

    /* Σ exp(x[i] - a) * ((x[i] - a) - (y[i] - b)): the divergence of softmax(y) from softmax(x)
     * where a and b are their log_sum_exp. */
    double (*divergence_f32)(const float *x, const float *y, size_t n, double a, double b);

    /* Rotates one head in place: (x[i], x[i + width/2]) by the angle whose cosine and sine are
     * given, width/2 of each. */
    void (*rotate_f32)(float *x, size_t width, const float *cosines, const float *sines);

    /* y[i] += x[i] */
    void (*add_f32)(float *y, const float *x, size_t n);

    /* Fused multiply-adds in registers, `repeats` times 384 floats: the arithmetic peak.
     * Returns a value that depends on all of them. */
    float (*peak_f32)(size_t repeats, float seed);

    /* The sum of n floats read once: the memory read bandwidth. */
    float (*read_f32)(const float *x, size_t n);
} ck_kernels;

/* The fastest kernels that this processor runs. */
const ck_kernels *ck_best(void);

/* Every table that this processor runs, fastest first, the scalar one last; null at the end. */
const ck_kernels *_Nullable const *_Nonnull ck_tables(void);

#pragma clang assume_nonnull end
#endif
