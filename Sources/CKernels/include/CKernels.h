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

/* Outputs per panel of packed weights; see gemm_f32.h, gemm_half.h, gemm_int8.h for layouts. */
enum { ck_panel = 32 };

/* Rows that a product takes through the caches together. */
enum { ck_block_rows = 132 };

/* Rows that gram_f32 and transposed_product_f32 take at once, and columns of the first operand: a
 * multiple of every table's tile. */
enum { ck_slab_rows = 384, ck_tile_columns = 96 };

/* Keys whose scores attention holds at once. */
enum { ck_key_block = 512 };

/* Inputs that multiply_int4 takes in 8 bits. */
enum { ck_fine_inputs = 8 };

/* The widest head that attend_int16 takes. */
enum { ck_widest_int16 = 512 };

/* What a product of any precision does with a product y (bias included). */
typedef enum ck_epilogue {
    ck_epilogue_store = 0,  /* c = y */
    ck_epilogue_add = 1,    /* c = c + y */
    ck_epilogue_gelu = 2,   /* c = GELU(y), the exact form with erf */
    ck_epilogue_swiglu = 3, /* c[j] = SiLU(y[j]) * y[j + 16]: a panel holds 16 gates, then 16 ups */
    ck_epilogue_tanh_gelu = 4, /* c = y/2 * (1 + tanh(sqrt(2/pi) * (y + 0.044715 y^3))) */
    ck_epilogue_relu = 5,      /* c = max(y, 0) */
} ck_epilogue;

/* Rows of activations in 8 bits: row r's value i is scales[r] * (values[r*stride + i] - zeros[r]).
 * The stride, a multiple of 4, is at least the length; quantize_int8 fills the fours. */
typedef struct ck_int8_rows {
    const uint8_t *values;
    size_t stride;
    const float *scales;
    const int32_t *zeros;
} ck_int8_rows;

/* Packed weights in 8 bits: output j's weight is scales[j] times the integer in its panel, and
 * sums[j] is the sum of its integers. */
typedef struct ck_int8_weights {
    const int8_t *panels;
    const float *scales;
    const int32_t *sums;
} ck_int8_weights;

/* Bytes of a panel of k inputs in 4 bits; see contextual.h. */
static inline size_t ck_int4_panel(size_t k) {
    return ((k + 7) / 8 + ck_fine_inputs / 4 + 1) * ck_panel * 4;
}

/* A row of activations in 8 bits for multiply_int4, filled up to whole eights with 0, and its fine
 * inputs, which the row itself has as 0: each is its integer times the scale. */
typedef struct ck_int4_row {
    const int8_t *values, *fine;
    float scale, fine_scale;
} ck_int4_row;

/* c[n] += Σ factors[i] * row places[i], for rows of floats, bfloat16 or 8-bit integers that begin
 * `stride` bytes apart; halves of f16 count 2^-112 times what they are. */
typedef void ck_sum_rows(
    const void *rows, size_t stride, const uint32_t *places, const float *factors, size_t count,
    float *c, size_t n);

/* c[i] = row places[i] · x, of n values, for count rows of the same kinds. */
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
     * c, ldc   m rows of n floats: 32 of a panel are 32 of c, or 16 with ck_epilogue_swiglu. */
    void (*gemm_f32)(
        const float *a, size_t lda, size_t m, size_t k, const float *panels,
        const float *_Nullable bias, float *c, size_t ldc, size_t n, ck_epilogue epilogue);

    /* The same over weights in bfloat16, summed in f32.
     *
     * a, lda   m rows, lda 32-bit words apart: k floats, or where round_bf16 is not null what that
     *          makes of them.
     * scales   means nothing.
     * panels   ceil(outputs / 32) panels of 32 * k values, k rounded up to 2. */
    void (*gemm_bf16)(
        const void *a, const float *_Nullable scales, size_t lda, size_t m, size_t k,
        const uint16_t *panels, const float *_Nullable bias, float *c, size_t ldc, size_t n,
        ck_epilogue epilogue);

    /* The same over weights in half precision, of up to 1023; where round_f16 is not null with what
     * it gave as the rows' scales, and then sums of 96 products in half precision too. */
    void (*gemm_f16)(
        const void *a, const float *_Nullable scales, size_t lda, size_t m, size_t k,
        const uint16_t *panels, const float *_Nullable bias, float *c, size_t ldc, size_t n,
        ck_epilogue epilogue);

    /* The same over weights and activations in 8 bits, summed exactly; k < 65536.
     *
     * a        m rows, each the sum of `terms`, 1 or 2, consecutive ones.
     * w.panels   ceil(outputs / 32) panels of 32 * k values, k rounded up to 4.
     * w.scales, w.sums   one per packed output, zero-padded to whole panels. */
    void (*gemm_int8)(
        ck_int8_rows a, size_t m, size_t terms, size_t k, ck_int8_weights w,
        const float *_Nullable bias, float *c, size_t ldc, size_t n, ck_epilogue epilogue);

    /* Rounds n activations to bfloat16 for gemm_bf16, and fills the last pair with 0; null where
     * it takes floats. */
    void (*_Nullable round_bf16)(const float *x, size_t n, uint16_t *y);

    /* Rounds n activations, by a power of two of their own, for gemm_f16, and fills the last pair
     * with 0. Returns the row's scale. Null where gemm_f16 takes floats. */
    float (*_Nullable round_f16)(const float *x, size_t n, uint16_t *y);

    /* Quantises n activations as 1 or 2 rows for gemm_int8, and fills the last four with the zero.
     * The least value, 0 included, becomes 0 and the greatest 254 or 255; a second row, stride
     * bytes on, holds the rest in steps 256 times finer. Every table gives the same. */
    void (*quantize_int8)(
        const float *x, size_t n, size_t terms, uint8_t *values, size_t stride, float *scales,
        int32_t *zeros);

    /* sums[columns, columns] += x[:, 0..<columns]ᵀ · x[:, 0..<columns], for one range of columns.
     *
     * x         rows of `columns` floats.
     * scratch   ck_slab_rows floats for each column, rounded up to 32, and ck_tile_columns more.
     * Columns from first up to last (first a multiple of 32) are computed, for row indices
     * 0 ..< (end of the column's panel) at least: the upper triangle and something below it. */
    void (*gram_f32)(
        const float *x, size_t rows, size_t columns, size_t first, size_t last,
        double *sums, float *scratch);

    /* Copies n rows of `width` floats (stride ld) into panels as gemm_f32 reads them, where the
     * rows are outputs and the columns inputs. Lanes past the last row are left as they are. */
    void (*pack_rows_f32)(const float *source, size_t ld, size_t n, size_t width, float *panels);

    /* The same for gemm_bf16, rounding to the nearest, ties to even. */
    void (*pack_rows_bf16)(
        const float *source, size_t ld, size_t n, size_t width, uint16_t *panels);

    /* The same for gemm_f16, times 64, what is then below 2^-14 becoming 0 and what is past the
     * greatest half that one. */
    void (*pack_rows_f16)(
        const float *source, size_t ld, size_t n, size_t width, uint16_t *panels);

    /* The same for gemm_int8, the largest weight of an output becoming 127 or -127. */
    void (*pack_rows_int8)(
        const float *source, size_t ld, size_t n, size_t width, int8_t *panels, float *scales,
        int32_t *sums);

    /* The same for multiply_int4, which takes `fines` inputs, at most ck_fine_inputs and in order,
     * in 8 bits. Panels are of ck_int4_panel(width) bytes. */
    void (*pack_rows_int4)(
        const float *source, size_t ld, size_t n, size_t width, const uint32_t *_Nullable fine,
        size_t fines, uint8_t *panels);

    /* Rounds n activations to integers from -127 to 127, and fills the last eight with 0. Returns
     * their scale. Every table gives the same. */
    float (*round_int8)(const float *x, size_t n, int8_t *y);

    /* c[n] = a · Wᵀ for a row of k < 65536 inputs, W in 4 bits but for its fine inputs.
     *
     * greatest   the greatest c of each panel. */
    void (*multiply_int4)(
        ck_int4_row a, size_t k, const uint8_t *panels, float *c, size_t n, float *greatest);

    /* The places and values of the x whose size is not at most `least`, in order; returns how many.
     * Both have room for n. */
    size_t (*select_f32)(
        const float *x, const float *least, size_t n, uint32_t *places, float *values);

    /* By the type of the rows. */
    ck_sum_rows *sum_rows_f32, *sum_rows_bf16, *sum_rows_f16, *sum_rows_int8;
    ck_dot_rows *dot_rows_f32, *dot_rows_bf16, *dot_rows_f16, *dot_rows_int8;

    /* pack_rows_f32 where the rows are inputs and the columns outputs: lanes past the last column are
     * left as they are. */
    void (*pack_columns_f32)(const float *source, size_t ld, size_t n, size_t width, float *panels);

    /* The same of pack_rows_bf16 and pack_rows_f16, lanes past the last column becoming 0. */
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

    /* attend_f32 over 16-bit integers, for width <= ck_widest_int16; null where they are not faster.
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

    /* Σ exp(x[i] - a) * ((x[i] - a) - (y[i] - b)): the divergence of softmax(y) from softmax(x)
     * where a and b are their log_sum_exp. */
    double (*divergence_f32)(const float *x, const float *y, size_t n, double a, double b);

    /* Rotates one head in place: (x[i], x[i + width/2]) by the angle whose cosine and sine are
     * given, width/2 of each. */
    void (*rotate_f32)(float *x, size_t width, const float *cosines, const float *sines);

    /* y[i] += x[i] */
    void (*add_f32)(float *y, const float *x, size_t n);

    /* y[n] = activation(x[n]), one of gelu, tanh_gelu and relu; for swiglu x has n gates, then n ups,
     * and y = SiLU(gate) * up. */
    void (*activate_f32)(const float *x, size_t n, ck_epilogue activation, float *y);

    /* The gradient by the x of activate_f32, n or 2n floats, given that by its y. */
    void (*differentiate_f32)(
        const float *x, const float *gradient, size_t n, ck_epilogue activation, float *result);

    /* softmax_f32, and in place of the gradient by its result that by x; both are then 0 from n up to
     * padded, n rounded up to 32 at most. */
    void (*softmax_gradient_f32)(
        float *x, float *gradient, size_t n, size_t padded, float scale);

    /* Adds the gradient by the x of layer_norm_f32, or of rms_norm_f32 where it is not centred, given
     * that by its y, to result[n], and those by w and b to weight_sums[n] and bias_sums[n]. */
    void (*norm_gradient_f32)(
        const float *x, const float *gradient, const float *w, size_t n, float epsilon,
        int centred, float *result, float *weight_sums, float *bias_sums);

    /* c += aᵀ · b for columns of b from first, a multiple of 32, up to last.
     *
     * a         rows of n floats, lda apart.
     * b         as many rows of `width` floats.
     * c         n rows of width floats.
     * scratch   as gram_f32. */
    void (*transposed_product_f32)(
        const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width,
        size_t first, size_t last, float *c, float *scratch);

    /* The same of operands rounded to bfloat16; null where the processor has no such arithmetic. */
    void (*_Nullable transposed_product_bf16)(
        const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width,
        size_t first, size_t last, float *c, float *scratch);

    /* The same of operands rounded to half precision, by a power of two for each block of them, and
     * with sums of 96 products in it too; null where the processor has no such arithmetic. */
    void (*_Nullable transposed_product_f16)(
        const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width,
        size_t first, size_t last, float *c, float *scratch);

    /* Fused multiply-adds in registers, `repeats` times 384 floats: the arithmetic peak.
     * Returns a value that depends on all of them. */
    float (*peak_f32)(size_t repeats, float seed);

    /* The same with what gemm_bf16 and gemm_f16 do to 384 pairs, and gemm_int8 to 384 fours. */
    float (*peak_bf16)(size_t repeats, float seed);
    float (*peak_f16)(size_t repeats, float seed);
    float (*peak_int8)(size_t repeats, float seed);

    /* The sum of n floats read once: the memory read bandwidth. */
    float (*read_f32)(const float *x, size_t n);
} ck_kernels;

/* The fastest kernels that this processor runs. */
const ck_kernels *ck_best(void);

/* Every table that this processor runs, fastest first, the scalar one last; null at the end. */
const ck_kernels *_Nullable const *_Nonnull ck_tables(void);

#pragma clang assume_nonnull end
#endif
