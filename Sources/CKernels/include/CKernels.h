/* Arithmetic kernels: no memory allocation, no input or output, no threads.
 *
 * `ck_table(0)` is the fastest table of kernels that this processor runs. Tests compare every table
 * that the processor runs with the scalar table. Pointers need only the alignment of their element
 * type. Lengths may be 0 unless the comment of a kernel excludes it. */
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

/* The maximum width of a head in attend_int16 and in attend_bf16. */
enum { ck_widest_int16 = 512, ck_widest_bf16 = 256 };

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

/* How the scores of a head differ from scaled products of queries and keys.
 *
 * window   query i of a causal head sees keys only from offset + i + 1 - window on; 0 for all keys.
 * cap      scores s become cap * tanh(s / cap), before the bias and the softmax; 0 for no cap.
 * bias     bias[j - i] is added to the score of query i with key j; null if nothing is added. */
typedef struct ck_scores {
    size_t window;
    float cap;
    const float *_Nullable bias;
} ck_scores;

typedef struct ck_kernels {
    const char *name;

    /* The kernels of each format of weights. */
    ck_formats formats;

    /* sums[columns, columns] += x[:, 0..<columns]ᵀ · x[:, 0..<columns], for one range of columns.
     *
     * x         rows of `columns` floats.
     * scratch   ck_slab_rows floats for each column, rounded up to 32, and ck_tile_columns more.
     * Columns from `first` (a multiple of 32) up to `last` are computed, at least in the rows
     * before the end of the column's panel: the upper triangle and some elements below it. */
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
     * Returns their scale. All tables return the same result. */
    float (*round_int8)(const float *x, size_t n, int8_t *y);

    /* c[n] = a · Wᵀ for a row of k < 65536 inputs. W has 4 bits, and 8 bits for the fine inputs.
     *
     * largest   the largest c of each panel. */
    void (*multiply_coarse)(
        ck_coarse_row a, size_t k, const uint8_t *panels, float *c, size_t n, float *largest);

    /* Writes the indices and values of all x[i] whose magnitude is above thresholds[i], in ascending
     * order of i. Returns their number. Both arrays have space for n elements. */
    size_t (*select_f32)(
        const float *x, const float *thresholds, size_t n, uint32_t *places, float *values);

    /* One attention head for a run of queries against packed keys and values.
     *
     * q, ldq      queries rows of `width` floats.
     * keys        formats.f32.pack_rows of key_count rows of width floats.
     * values      formats.f32.pack_columns of key_count rows of width floats.
     * offset      query i attends to keys 0 ... offset + i (causal), or to all keys if SIZE_MAX.
     * rule        changes of scores, or null.
     * scores      scratch of 12 * min(ck_key_block, key_count rounded up to 32) floats.
     * out, ldo    queries rows of width floats. */
    void (*attend_f32)(
        const float *q, size_t ldq, size_t queries, size_t width, const float *keys,
        const float *values, size_t key_count, size_t offset, float scale,
        const ck_scores *_Nullable rule, float *scores, float *out, size_t ldo);

    /* attend_f32 over 16-bit integers, for width <= ck_widest_int16 and rules without cap and bias.
     * Null if it would not be faster.
     *
     * keys, key_scales       pack_keys_int16 of key_count rows: (width + 1) / 2 words and a scale
     *                        for each key, with key_count rounded up to 32.
     * values, value_scales   pack_values_int16 of key_count rows: (key_count + 1) / 2 words and a
     *                        scale for each column, with width rounded up to 32. */
    void (*_Nullable attend_int16)(
        const float *q, size_t ldq, size_t queries, size_t width, const void *keys,
        const float *key_scales, const void *values, const float *value_scales,
        size_t key_count, size_t offset, float scale, const ck_scores *_Nullable rule,
        float *scores, float *out, size_t ldo);
    void (*_Nullable pack_keys_int16)(
        const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales);
    void (*_Nullable pack_values_int16)(
        const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales);

    /* attend_f32 over bfloat16 in tile registers, for a width that is a multiple of 32 and at most
     * ck_widest_bf16, and rules without cap and bias. Null if the processor has no tile registers.
     *
     * keys     formats.bf16.pack_rows of key_count rows of width floats.
     * values   pack_values_bf16 of key_count rows: width * key_count halves, with key_count rounded
     *          up to 32.
     * scores   scratch of ck_attended_rows * (min(ck_key_block, key_count rounded up to 32) + 16)
     *          floats. */
    void (*_Nullable attend_bf16)(
        const float *q, size_t ldq, size_t queries, size_t width, const void *keys,
        const void *values, size_t key_count, size_t offset, float scale,
        const ck_scores *_Nullable rule, float *scores, float *out, size_t ldo);
    void (*_Nullable pack_values_bf16)(
        const float *source, size_t ld, size_t n, size_t width, void *panels);

    /* One query of one head against key_count unpacked keys and values, ld floats apart. The window
     * of the rule is not read: all keys are in it. scores is scratch of key_count floats. */
    void (*attend_one_f32)(
        const float *q, size_t width, const float *keys, const float *values, size_t ld,
        size_t key_count, float scale, const ck_scores *_Nullable rule, float *scores, float *out);

    /* Replaces n products of a query with keys by scores: x[j] * scale, with the cap of the rule and
     * then its bias[j]. Stores the derivatives by the products in `slopes`, unless it is null. */
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

    /* Rotates one head in place: the pair (x[i], x[i + width/2]) by the angle with the given cosine
     * and sine. There are width/2 cosines and sines. */
    void (*rotate_f32)(float *x, size_t width, const float *cosines, const float *sines);

    /* y[i] += x[i] */
    void (*add_f32)(float *y, const float *x, size_t n);

    /* y[n] = activation(x[n]). For a gated epilogue, x consists of n gates and then n ups, and y =
     * activation(gate) * up. */
    void (*activate_f32)(const float *x, size_t n, ck_epilogue activation, float *y);

    /* Computes the gradient with respect to x of activate_f32, n or 2n floats, from the gradient
     * with respect to y. */
    void (*differentiate_f32)(
        const float *x, const float *gradient, size_t n, ck_epilogue activation, float *result);

    /* Computes softmax_f32 of x in place, and replaces the gradient with respect to the result by
     * the gradient with respect to x. Elements from n up to `padded` become 0 in both arrays. */
    void (*softmax_gradient_f32)(
        float *x, float *gradient, size_t n, size_t padded, float scale);

    /* Gradient of layer_norm_f32, or of rms_norm_f32 if `centred` is 0. From the gradient with
     * respect to y, adds the gradients with respect to x, w and b to result[n], weight_sums[n] and
     * bias_sums[n]. */
    void (*norm_gradient_f32)(
        const float *x, const float *gradient, const float *w, size_t n, float epsilon,
        int centred, float *result, float *weight_sums, float *bias_sums);

    /* Returns the sum of n floats, each read once, to measure the memory bandwidth. */
    float (*read_f32)(const float *x, size_t n);
} ck_kernels;

/* Returns table number `index` of the tables that this processor runs, from the fastest to the
 * scalar table; null if there are fewer tables. */
const ck_kernels *_Nullable ck_table(size_t index);

/* The kernels of matrix units over an emulation of them, to test the kernels on any processor. */
const ck_kernels *ck_emulated_table(void);

#pragma clang assume_nonnull end
#endif
