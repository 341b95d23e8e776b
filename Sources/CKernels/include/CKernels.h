/* Arithmetic kernels: no memory allocation, no input or output, no threads.
 *
 * `ck_best()` returns the fastest table of kernels that this processor runs. `ck_tables()` lists
 * all that it runs, so that tests can compare each with the scalar one. Pointers need only the
 * alignment of their element type. Lengths may be 0 unless a kernel says otherwise. */
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>
#include "ck_dequantize.h"
#include "ck_f64.h"
#pragma clang assume_nonnull begin

/* Outputs per panel of packed weights; see gemm_f32.h, gemm_half.h, gemm_int8.h for layouts. */
enum { ck_panel = 32 };

/* The maximum number of rows in a block: the rows that a product multiplies with a slab while it is
 * in a cache. */
enum { ck_block_rows = 132 };

/* Rows that gram_f32 and transposed_product_f32 process at a time, and columns of the first
 * operand: multiples of every table's tile. */
enum { ck_slab_rows = 384, ck_tile_columns = 96 };

/* The number of keys in a block of attention. */
enum { ck_key_block = 512 };

/* The maximum number of inputs whose weights multiply_int4 reads in 8 bits. */
enum { ck_fine_inputs = 8 };

/* The maximum width of a head in attend_int16. */
enum { ck_widest_int16 = 512 };

/* The epilogue of a product y (bias included). */
typedef enum ck_epilogue {
    ck_epilogue_store = 0,  /* c = y */
    ck_epilogue_add = 1,    /* c = c + y */
    ck_epilogue_gelu = 2,   /* c = GELU(y), the exact form with erf */
    ck_epilogue_swiglu = 3, /* c[j] = SiLU(y[j]) * y[j + 16]: a panel holds 16 gates, then 16 ups */
    ck_epilogue_tanh_gelu = 4, /* c = y/2 * (1 + tanh(sqrt(2/pi) * (y + 0.044715 y^3))) */
    ck_epilogue_relu = 5,      /* c = max(y, 0) */
} ck_epilogue;

/* Rows of activations in 8 bits. The value i of row r is scales[r] * (values[r*stride + i] -
 * zeros[r]). The stride is a multiple of 4 and at least the length. quantize_int8 fills up the last
 * group of four. */
typedef struct ck_int8_rows {
    const uint8_t *values;
    size_t stride;
    const float *scales;
    const int32_t *zeros;
} ck_int8_rows;

/* Packed weights in 8 bits. A weight of output j is scales[j] times the integer in its panel.
 * sums[j] is the sum of the integers of output j. */
typedef struct ck_int8_weights {
    const int8_t *panels;
    const float *scales;
    const int32_t *sums;
} ck_int8_weights;

/* Bytes of a panel of k inputs in 4 bits; see contextual.h. */
static inline size_t ck_int4_panel(size_t k) {
    return ((k + 7) / 8 + ck_fine_inputs / 4 + 1) * ck_panel * 4;
}

/* A row of activations in 8 bits for multiply_int4, zero-padded to a multiple of eight, and its
 * fine inputs, which are 0 in the row itself. The value of an input is its integer times the
 * scale. */
typedef struct ck_int4_row {
    const int8_t *values, *fine;
    float scale, fine_scale;
} ck_int4_row;

/* c[n] += Σ factors[i] * row places[i]. Rows hold floats, 16-bit floats or 8-bit integers and begin
 * `stride` bytes apart. Rows of f16 are added times 2^-112. */
typedef void ck_sum_rows(
    const void *rows, size_t stride, const uint32_t *places, const float *factors, size_t count,
    float *c, size_t n);

/* c[i] = row places[i] · x, a dot product of n values, for `count` rows of the same kinds. */
typedef void ck_dot_rows(
    const void *rows, size_t stride, const uint32_t *places, size_t count, const float *x, size_t n,
    float *c);

typedef struct ck_kernels {
    const char *name;

    /* c[m, n] = epilogue(a[m, k] · Wᵀ + bias), W packed in panels.
     *
     * a, lda   m rows of k floats, lda floats apart.
     * panels   ceil(outputs / 32) panels of k * 32 floats.
     * bias     one float per packed output, zero-padded to whole panels; or null.
     * c, ldc   m rows of n floats: a panel gives 32 of them, or 16 with ck_epilogue_swiglu. */
    void (*gemm_f32)(
        const float *a, size_t lda, size_t m, size_t k, const float *panels,
        const float *_Nullable bias, float *c, size_t ldc, size_t n, ck_epilogue epilogue);

    /* The same over weights in bfloat16, summed in f32.
     *
     * a, lda   m rows, lda 32-bit words apart: k floats, or, if round_bf16 is not null, its
     *          results.
     * scales   not used.
     * panels   ceil(outputs / 32) panels of 32 * k values, k rounded up to 2. */
    void (*gemm_bf16)(
        const void *a, const float *_Nullable scales, size_t lda, size_t m, size_t k,
        const uint16_t *panels, const float *_Nullable bias, float *c, size_t ldc, size_t n,
        ck_epilogue epilogue);

    /* The same over weights in half precision with magnitudes up to 1023. If round_f16 is not null,
     * a holds its results, `scales` the scales that it returned, and the products of 96 inputs are
     * summed in half precision. */
    void (*gemm_f16)(
        const void *a, const float *_Nullable scales, size_t lda, size_t m, size_t k,
        const uint16_t *panels, const float *_Nullable bias, float *c, size_t ldc, size_t n,
        ck_epilogue epilogue);

    /* The same over weights and activations in 8 bits, summed exactly; k < 65536.
     *
     * a        m rows. Each is the sum of `terms` consecutive rows of `a`, 1 or 2.
     * w.panels   ceil(outputs / 32) panels of 32 * k values, k rounded up to 4.
     * w.scales, w.sums   one per packed output, zero-padded to whole panels. */
    void (*gemm_int8)(
        ck_int8_rows a, size_t m, size_t terms, size_t k, ck_int8_weights w,
        const float *_Nullable bias, float *c, size_t ldc, size_t n, ck_epilogue epilogue);

    /* Rounds n activations to bfloat16 for gemm_bf16. If n is odd, the second half of the last pair
     * becomes 0. Null if gemm_bf16 reads floats. */
    void (*_Nullable round_bf16)(const float *x, size_t n, uint16_t *y);

    /* Multiplies n activations by a power of two and rounds them, for gemm_f16. If n is odd, the
     * second half of the last pair becomes 0. Returns the scale of the row. Null if gemm_f16 reads
     * floats. */
    float (*_Nullable round_f16)(const float *x, size_t n, uint16_t *y);

    /* Quantises n activations as 1 or 2 rows for gemm_int8, and fills up the last group of four
     * with the zero point. The minimum, 0 included, becomes 0, and the maximum 254 or 255. A second
     * row, `stride` bytes later, holds the rounding error in steps 256 times finer. All tables give
     * the same result. */
    void (*quantize_int8)(
        const float *x, size_t n, size_t terms, uint8_t *values, size_t stride, float *scales,
        int32_t *zeros);

    /* sums[columns, columns] += x[:, 0..<columns]ᵀ · x[:, 0..<columns], for one range of columns.
     *
     * x         rows of `columns` floats.
     * scratch   ck_slab_rows floats for each column, rounded up to 32, and ck_tile_columns more.
     * Columns from `first` (a multiple of 32) up to `last` are computed, at least for row indices
     * below the end of the column's panel: the upper triangle and some elements below it. */
    void (*gram_f32)(
        const float *x, size_t rows, size_t columns, size_t first, size_t last,
        double *sums, float *scratch);

    /* Packs n rows of `width` floats (stride ld) into panels for gemm_f32. Rows are outputs,
     * columns are inputs. Lanes after the last row are not changed. */
    void (*pack_rows_f32)(const float *source, size_t ld, size_t n, size_t width, float *panels);

    /* The same for gemm_bf16, rounding to the nearest, ties to even. */
    void (*pack_rows_bf16)(
        const float *source, size_t ld, size_t n, size_t width, uint16_t *panels);

    /* The same for gemm_f16, times 64. Results below 2^-14 become 0; results above the largest half
     * become the largest half. */
    void (*pack_rows_f16)(
        const float *source, size_t ld, size_t n, size_t width, uint16_t *panels);

    /* The same for gemm_int8, the largest weight of an output becoming 127 or -127. */
    void (*pack_rows_int8)(
        const float *source, size_t ld, size_t n, size_t width, int8_t *panels, float *scales,
        int32_t *sums);

    /* The same for multiply_int4. The `fines` inputs in `fine`, at most ck_fine_inputs and in
     * ascending order, are packed in 8 bits. A panel has ck_int4_panel(width) bytes. */
    void (*pack_rows_int4)(
        const float *source, size_t ld, size_t n, size_t width, const uint32_t *_Nullable fine,
        size_t fines, uint8_t *panels);

    /* Rounds n activations to integers from -127 to 127, zero-padded to a multiple of eight.
     * Returns their scale. All tables give the same result. */
    float (*round_int8)(const float *x, size_t n, int8_t *y);

    /* c[n] = a · Wᵀ for a row of k < 65536 inputs. W has 4 bits, and 8 bits for the fine inputs.
     *
     * greatest   the largest c of each panel. */
    void (*multiply_int4)(
        ck_int4_row a, size_t k, const uint8_t *panels, float *c, size_t n, float *greatest);

    /* Writes the indices and values of the x whose magnitude is above the threshold least[i], in
     * order. Returns their number. Both arrays have space for n. */
    size_t (*select_f32)(
        const float *x, const float *least, size_t n, uint32_t *places, float *values);

    /* One function for each type of rows. */
    ck_sum_rows *sum_rows_f32, *sum_rows_bf16, *sum_rows_f16, *sum_rows_int8;
    ck_dot_rows *dot_rows_f32, *dot_rows_bf16, *dot_rows_f16, *dot_rows_int8;

    /* pack_rows_f32 for a transposed source: rows are inputs, columns are outputs. Lanes after the
     * last column are not changed. */
    void (*pack_columns_f32)(const float *source, size_t ld, size_t n, size_t width, float *panels);

    /* The same for pack_rows_bf16 and pack_rows_f16. Lanes after the last column become 0. */
    void (*pack_columns_bf16)(
        const float *source, size_t ld, size_t n, size_t width, uint16_t *panels);
    void (*pack_columns_f16)(
        const float *source, size_t ld, size_t n, size_t width, uint16_t *panels);

    /* One attention head for a run of queries against packed keys and values.
     *
     * q, ldq      queries rows of `width` floats.
     * keys        pack_rows_f32 of key_count rows of width floats.
     * values      pack_columns_f32 of key_count rows of width floats.
     * offset      causal: query i sees keys 0 ... offset + i; SIZE_MAX: every key.
     * scores      scratch, 12 * ck_key_block floats, or 12 * round_up(key_count, 32) if fewer.
     * out, ldo    queries rows of width floats. */
    void (*attend_f32)(
        const float *q, size_t ldq, size_t queries, size_t width, const float *keys,
        const float *values, size_t key_count, size_t offset, float scale, float *scores,
        float *out, size_t ldo);

    /* attend_f32 over 16-bit integers, for width <= ck_widest_int16. Null if it would not be
     * faster.
     *
     * keys, key_scales       pack_keys_int16 of key_count rows: (width + 1) / 2 words a key, and a
     *                        scale, of key_count rounded up to 32.
     * values, value_scales   pack_values_int16 of them: (key_count + 1) / 2 words a column, and a
     *                        scale, of width rounded up to 32. */
    void (*_Nullable attend_int16)(
        const float *q, size_t ldq, size_t queries, size_t width, const void *keys,
        const float *key_scales, const void *values, const float *value_scales,
        size_t key_count, size_t offset, float scale, float *scores, float *out, size_t ldo);
    void (*_Nullable pack_keys_int16)(
        const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales);
    void (*_Nullable pack_values_int16)(
        const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales);

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

    /* Σ exp(x[i] - a) * ((x[i] - a) - (y[i] - b)). If a and b are the log_sum_exp of x and y, this
     * is the Kullback-Leibler divergence of softmax(y) from softmax(x). */
    double (*divergence_f32)(const float *x, const float *y, size_t n, double a, double b);

    /* Rotates one head in place: the pair (x[i], x[i + width/2]) by the angle with the given cosine
     * and sine. There are width/2 cosines and sines. */
    void (*rotate_f32)(float *x, size_t width, const float *cosines, const float *sines);

    /* y[i] += x[i] */
    void (*add_f32)(float *y, const float *x, size_t n);

    /* y[n] = activation(x[n]), with gelu, tanh_gelu or relu. For swiglu, x has n gates and then n
     * ups, and y = SiLU(gate) * up. */
    void (*activate_f32)(const float *x, size_t n, ck_epilogue activation, float *y);

    /* Computes the gradient with respect to x of activate_f32, n or 2n floats, from the gradient
     * with respect to y. */
    void (*differentiate_f32)(
        const float *x, const float *gradient, size_t n, ck_epilogue activation, float *result);

    /* Computes softmax_f32 of x, and turns the gradient with respect to its result into that with
     * respect to x. Elements from n up to `padded` become 0 in both; padded is at most n rounded up
     * to 32. */
    void (*softmax_gradient_f32)(
        float *x, float *gradient, size_t n, size_t padded, float scale);

    /* Gradient of layer_norm_f32, or of rms_norm_f32 if `centred` is 0. From the gradient with
     * respect to y, adds the gradients with respect to x, w and b to result[n], weight_sums[n] and
     * bias_sums[n]. */
    void (*norm_gradient_f32)(
        const float *x, const float *gradient, const float *w, size_t n, float epsilon,
        int centred, float *result, float *weight_sums, float *bias_sums);

    /* c += aᵀ · b, for columns of b from `first`, a multiple of 32, up to `last`.
     *
     * a         rows of n floats, lda apart.
     * b         the same number of rows of `width` floats.
     * c         n rows of width floats.
     * scratch   as gram_f32. */
    void (*transposed_product_f32)(
        const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width,
        size_t first, size_t last, float *c, float *scratch);

    /* The same with operands rounded to bfloat16. Null if the processor has no such arithmetic. */
    void (*_Nullable transposed_product_bf16)(
        const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width,
        size_t first, size_t last, float *c, float *scratch);

    /* The same with operands rounded to half precision. Each block of an operand is scaled by a
     * power of two, and the products of 96 rows are summed in half precision. Null if the processor
     * has no such arithmetic. */
    void (*_Nullable transposed_product_f16)(
        const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width,
        size_t first, size_t last, float *c, float *scratch);

    /* Measures the arithmetic peak: `repeats` times 384 fused multiply-adds of floats in registers.
     * Returns a value that depends on all of them. */
    float (*peak_f32)(size_t repeats, float seed);

    /* The same with the instructions of gemm_bf16 and gemm_f16, on 384 pairs, and of gemm_int8, on
     * 384 groups of four. */
    float (*peak_bf16)(size_t repeats, float seed);
    float (*peak_f16)(size_t repeats, float seed);
    float (*peak_int8)(size_t repeats, float seed);

    /* Measures the memory bandwidth: reads n floats once and returns their sum. */
    float (*read_f32)(const float *x, size_t n);
} ck_kernels;

/* The fastest kernels that this processor runs. */
const ck_kernels *ck_best(void);

/* All tables that this processor runs: the fastest first, the scalar one last, then null. */
const ck_kernels *_Nullable const *_Nonnull ck_tables(void);

#pragma clang assume_nonnull end
#endif
