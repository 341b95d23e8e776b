/* Arithmetic kernels: no memory allocation, no input or output, no threads.
 *
 * `ck_table(0)` is the fastest table of kernels that this processor runs. Tests compare every table
 * that the processor runs with the scalar table. Pointers need only the alignment of their element
 * type. Lengths may be 0 unless the comment of a kernel gives a minimum. */
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>
#include "ck_dequantize.h"
#include "ck_f64.h"
#include "ck_format.h"
#pragma clang assume_nonnull begin

/* The number of outputs in a panel of packed weights. gemm_f32.h, gemm_half.h, gemm_int8.h and
 * gemm_int4.h describe the layouts. */
enum { ck_panel = 32 };

/* The maximum number of rows in a block. A product multiplies all rows of a block with a slab while
 * the slab is in a cache. */
enum { ck_block_rows = 132 };

/* The numbers of rows, and of columns of the first operand, that gram_f32 and transposed products
 * process at a time. The number of columns is a multiple of every table's tile rows. */
enum { ck_slab_rows = 384, ck_tile_columns = 96 };

/* The number of keys in a block of attention, and the maximum number of queries that are computed
 * together. */
enum { ck_key_block = 512, ck_attended_rows = 32 };

/* The maximum number of inputs whose weights multiply_coarse reads in 8 bits. */
enum { ck_fine_inputs = 8 };

/* The maximum width of a head in attend_int16, in attend_bf16, and in attend_cached. */
enum { ck_widest_int16 = 512, ck_widest_bf16 = 256, ck_widest_cached = 512 };

/* The number of bytes of a panel of k inputs in 4 bits; see contextual.h. */
static inline size_t ck_coarse_panel(size_t k) {
    return ((k + 7) / 8 + ck_fine_inputs / 4 + 1) * ck_panel * 4;
}

/* A row of activations in 8 bits for multiply_coarse, zero-padded to a multiple of eight, and its
 * fine inputs, which are 0 in the row itself. The value of an input is its integer times its
 * scale. */
typedef struct ck_coarse_row {
    const int8_t *values, *fine;
    float scale, fine_scale;
} ck_coarse_row;

/* Changes of the scores of a head, which are scaled products of queries and keys.
 *
 * window   query i of a causal head attends only to keys from offset + i + 1 - window on; 0 for
 *          all keys.
 * cap      scores s become cap * tanh(s / cap), before the bias and the softmax; 0 for no cap.
 * bias     bias[j - i] is added to the score of query i with key j; null if nothing is added. */
typedef struct ck_scores {
    size_t window;
    float cap;
    const float *_Nullable bias;
} ck_scores;

/* The cached keys and values of a head in 8 bits; attention_cached.h describes the layout. The number
 * of scales is a multiple of 32. */
typedef struct ck_cached_head {
    const int8_t *keys, *values;
    const float *key_scales, *value_scales;
} ck_cached_head;

/* The floats that attend_one_f32 needs for the sums of one head. */
enum { ck_mixed_floats = 128 };

typedef struct ck_kernels {
    const char *name;

    /* The kernels of each format of weights. */
    ck_formats formats;

    /* sums[columns, columns] += x[:, 0..<columns]ᵀ · x[:, 0..<columns], for one range of columns.
     *
     * x         rows of `columns` floats.
     * scratch   ck_slab_rows floats for each column, with the number of columns rounded up to 32,
     *           and for ck_tile_columns more columns.
     * The columns from `first`, a multiple of 32, up to `last` are computed. A column is computed
     * at least down to the diagonal. Elements below the diagonal may be computed too.
     * Tables with tile registers round x to two terms in bfloat16. */
    void (*gram_f32)(
        const float *x, size_t rows, size_t columns, size_t first, size_t last,
        double *sums, float *scratch);

    /* Packs n outputs of `width` inputs, rows of ld floats, for multiply_coarse. The inputs fine[0]
     * ... fine[fines - 1] are stored in 8 bits. They ascend, and `fines` is at most ck_fine_inputs.
     * A panel has ck_coarse_panel(width) bytes. */
    void (*pack_rows_coarse)(
        const float *source, size_t ld, size_t n, size_t width, const uint32_t *_Nullable fine,
        size_t fines, uint8_t *panels);

    /* Rounds n activations to integers from -127 to 127, zero-padded to a multiple of eight.
     * Returns the scale of the integers. All tables compute the same result. */
    float (*round_int8)(const float *x, size_t n, int8_t *y);

    /* c[n] = a · Wᵀ for a row of k < 65536 inputs. W has 4 bits, and 8 bits for the fine inputs.
     *
     * largest   the largest c of each panel. */
    void (*multiply_coarse)(
        ck_coarse_row a, size_t k, const uint8_t *panels, float *c, size_t n, float *largest);

    /* Writes the indices and values of all x[i] whose magnitude is above thresholds[i], in
     * ascending order of i. Returns the number of these x[i]. Both arrays have space for n
     * elements. */
    size_t (*select_f32)(
        const float *x, const float *thresholds, size_t n, uint32_t *places, float *values);

    /* Computes one attention head for consecutive queries, from packed keys and values.
     *
     * q, ldq      queries rows of `width` floats.
     * keys        output of formats.f32.pack_rows for key_count rows of width floats.
     * values      output of formats.f32.pack_columns for key_count rows of width floats.
     * offset      query i attends to keys 0 ... offset + i (causal), or to all keys if SIZE_MAX.
     * rule        changes of scores, or null.
     * scores      scratch of 12 * min(ck_key_block, key_count rounded up to 32) floats.
     * out, ldo    queries rows of width floats. */
    void (*attend_f32)(
        const float *q, size_t ldq, size_t queries, size_t width, const float *keys,
        const float *values, size_t key_count, size_t offset, float scale,
        const ck_scores *_Nullable rule, float *scores, float *out, size_t ldo);

    /* Computes the result of attend_f32 with 16-bit integers, for width <= ck_widest_int16 and
     * rules without cap and bias. Null if integers are not faster.
     *
     * keys, key_scales       output of pack_keys_int16: (width + 1) / 2 words and a scale for each
     *                        key, with key_count rounded up to 32.
     * values, value_scales   output of pack_values_int16: (key_count + 1) / 2 words and a scale for
     *                        each column, with width rounded up to 32. */
    void (*_Nullable attend_int16)(
        const float *q, size_t ldq, size_t queries, size_t width, const void *keys,
        const float *key_scales, const void *values, const float *value_scales,
        size_t key_count, size_t offset, float scale, const ck_scores *_Nullable rule,
        float *scores, float *out, size_t ldo);
    void (*_Nullable pack_keys_int16)(
        const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales);
    void (*_Nullable pack_values_int16)(
        const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales);

    /* Computes the result of attend_f32 with bfloat16 in tile registers, for a width that is a
     * multiple of 32 and at most ck_widest_bf16, and rules without cap and bias. Null if the
     * processor has no tile registers.
     *
     * keys     output of formats.bf16.pack_rows for key_count rows of width floats.
     * values   output of pack_values_bf16 for key_count rows: width * key_count bfloat16 values,
     *          with key_count rounded up to 32.
     * scores   scratch of ck_attended_rows * (min(ck_key_block, key_count rounded up to 32) + 16)
     *          floats. */
    void (*_Nullable attend_bf16)(
        const float *q, size_t ldq, size_t queries, size_t width, const void *keys,
        const void *values, size_t key_count, size_t offset, float scale,
        const ck_scores *_Nullable rule, float *scores, float *out, size_t ldo);
    void (*_Nullable pack_values_bf16)(
        const float *source, size_t ld, size_t n, size_t width, void *panels);

    /* Computes one query of each of several heads from the same key_count unpacked keys and values,
     * ld floats apart. Queries and results are `width` floats apart. The window of the rule is
     * ignored: the caller passes only keys in the window. `scores` is scratch of
     * key_count + ck_mixed_floats floats for each head. */
    void (*attend_one_f32)(
        const float *q, size_t width, size_t heads, const float *keys, const float *values,
        size_t ld, size_t key_count, float scale, const ck_scores *_Nullable rule, float *scores,
        float *out);

    /* Rounds a key or a value, of width <= ck_widest_cached, to 8 bits in place. Writes code i to
     * to[i / 2 * pair + i % 2 * step], unless `to` is null. Returns the scale of the codes. All
     * tables compute the same result. */
    float (*cache_int8)(
        float *x, size_t width, int8_t *_Nullable to, size_t pair, size_t step);

    /* Computes attend_one_f32 with keys and values in 8 bits, from key `first` up to `count`, for
     * width <= ck_widest_cached. `scores` is scratch for each head: count rounded up to 32, and 3/2
     * of the width rounded up to 16. */
    void (*attend_cached)(
        const float *q, size_t width, size_t heads, ck_cached_head cached, size_t first,
        size_t count, float scale, const ck_scores *_Nullable rule, float *scores, float *out);

    /* Replaces n products of a query and keys by scores: x[j] * scale is capped, and then the
     * rule's bias[j] is added. Stores the derivatives of the scores with respect to the products in
     * `slopes`, unless `slopes` is null. */
    void (*score_f32)(
        float *x, size_t n, float scale, const ck_scores *rule, float *_Nullable slopes);

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

    /* Rotates one head in place. The pair (x[i], x[i + width/2]) is rotated by the angle whose
     * cosine is cosines[i] and whose sine is sines[i], for i < width/2. */
    void (*rotate_f32)(float *x, size_t width, const float *cosines, const float *sines);

    /* y[i] += x[i] */
    void (*add_f32)(float *y, const float *x, size_t n);

    /* y[n] = activation(x[n]). For a gated epilogue, x has n outputs of the gate projection, then n
     * outputs of the up projection, and y = activation(gate) * up. */
    void (*activate_f32)(const float *x, size_t n, ck_epilogue activation, float *y);

    /* Computes the gradient of activate_f32 with respect to x from the gradient with respect to y.
     * The result has n floats, or 2n with a gated epilogue. */
    void (*differentiate_f32)(
        const float *x, const float *gradient, size_t n, ck_epilogue activation, float *result);

    /* Computes softmax_f32 of x in place. Replaces the gradient with respect to the softmax by the
     * gradient with respect to x. Elements from n up to `padded` become 0 in both arrays. */
    void (*softmax_gradient_f32)(
        float *x, float *gradient, size_t n, size_t padded, float scale);

    /* Computes the gradients of layer_norm_f32, or of rms_norm_f32 if `centred` is 0, from the
     * gradient with respect to y. Adds the gradients with respect to x, w and b to result[n],
     * weight_sums[n] and bias_sums[n]. */
    void (*norm_gradient_f32)(
        const float *x, const float *gradient, const float *w, size_t n, float epsilon,
        int centred, float *result, float *weight_sums, float *bias_sums);

    /* Returns the sum of n floats, each read once, to measure the memory bandwidth. */
    float (*read_f32)(const float *x, size_t n);
} ck_kernels;

/* Returns the table at `index` in the list of tables that this processor runs, or null after the
 * last table. The list begins with the fastest table and ends with the scalar table. */
const ck_kernels *_Nullable ck_table(size_t index);

/* Returns the kernels for matrix units, compiled with an emulation of the units in plain C, so that
 * tests can run the kernels on any processor. */
const ck_kernels *ck_emulated_table(void);

#pragma clang assume_nonnull end
#endif
