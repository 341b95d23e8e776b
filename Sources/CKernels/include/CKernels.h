/* Arithmetic kernels: no allocation, no input or output, no threads.
 *
 * `ck_table(0)` is the fastest table of kernels that this processor runs. Tests compare every table
 * that it runs with the scalar one. Pointers need only the alignment of their element type. Lengths
 * may be 0 unless a kernel says otherwise. */
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>
#include "ck_dequantize.h"
#include "ck_f64.h"
#include "ck_format.h"
#pragma clang assume_nonnull begin

/* Outputs per panel of packed weights; gemm_f32.h, gemm_half.h and gemm_int8.h draw the layouts. */
enum { ck_panel = 32 };

/* Rows that a product takes through the caches together. */
enum { ck_block_rows = 132 };

/* Rows that gram_f32 and transposed products take at once, and columns of the first operand: a
 * multiple of every table's tile. */
enum { ck_slab_rows = 384, ck_tile_columns = 96 };

/* Keys whose scores attention holds at once. */
enum { ck_key_block = 512 };

/* Inputs that multiply_int4 takes in 8 bits. */
enum { ck_fine_inputs = 8 };

/* The widest head that attend_int16 takes. */
enum { ck_widest_int16 = 512 };

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

typedef struct ck_kernels {
    const char *name;

    /* The kernels of each format of weights. */
    ck_formats formats;

    /* sums[columns, columns] += x[:, 0..<columns]ᵀ · x[:, 0..<columns], for one range of columns.
     *
     * x         rows of `columns` floats.
     * scratch   ck_slab_rows floats for each column, rounded up to 32, and ck_tile_columns more.
     * Columns from first up to last (first a multiple of 32) are computed, for row indices
     * 0 ..< (end of the column's panel) at least: the upper triangle and something below it. */
    void (*gram_f32)(
        const float *x, size_t rows, size_t columns, size_t first, size_t last,
        double *sums, float *scratch);

    /* Packs n outputs of `width` inputs, rows of ld floats, for multiply_int4. It stores `fines`
     * inputs, at most ck_fine_inputs and in order, in 8 bits. Panels take ck_int4_panel(width)
     * bytes. */
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

    /* One attention head for a run of queries against packed keys and values.
     *
     * q, ldq      queries rows of `width` floats.
     * keys        formats.f32.pack_rows of key_count rows of width floats.
     * values      formats.f32.pack_columns of key_count rows of width floats.
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

    /* The sum of n floats read once: the memory read bandwidth. */
    float (*read_f32)(const float *x, size_t n);
} ck_kernels;

/* The table of number `index` that this processor runs, fastest first, the scalar one last; null
 * past it. */
const ck_kernels *_Nullable ck_table(size_t index);

#pragma clang assume_nonnull end
#endif
