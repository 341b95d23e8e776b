/* Formats: how the weights of a linear layer are stored, and the kernels that multiply them.
 *
 * A format is one row of a table of kernels. To add a format, write its kernels in a separate
 * header, add a row to `ck_formats` and in `kernels.h`, and add a case to `Precision` in Swift. */
#ifndef CK_FORMAT_H
#define CK_FORMAT_H
#include <stddef.h>
#include <stdint.h>
#pragma clang assume_nonnull begin

/* The function that a product applies to each result y, which includes the bias. */
typedef enum ck_epilogue {
    ck_epilogue_store = 0,  /* c = y */
    ck_epilogue_add = 1,    /* c = c + y */
    ck_epilogue_gelu = 2,   /* c = GELU(y), the exact form with erf */
    ck_epilogue_swiglu = 3, /* c[j] = SiLU(y[j]) * y[j + 16]: a panel is 16 gates, then 16 ups */
    ck_epilogue_tanh_gelu = 4, /* c = y/2 * (1 + tanh(sqrt(2/pi) * (y + 0.044715 y^3))) */
    ck_epilogue_relu = 5,      /* c = max(y, 0) */
    ck_epilogue_silu = 6,      /* c = y / (1 + exp(-y)) */
    /* Gated like swiglu, with GELU, tanh GELU or ReLU instead of SiLU. */
    ck_epilogue_gated_gelu = 7,
    ck_epilogue_gated_tanh_gelu = 8,
    ck_epilogue_gated_relu = 9,
} ck_epilogue;

/* Rows of activations that a product reads: floats, or the output of `convert`. */
typedef struct ck_operand {
    const void *values;            /* Rows begin `stride` bytes apart. */
    size_t stride;
    size_t terms;                  /* The number of rows whose sum is one row of activations. */
    const float *_Nullable scales;  /* The scale of each row, for f16 and int8; else not read. */
    const int32_t *_Nullable zeros; /* The zero point of each row, for int8; else not read. */
} ck_operand;

/* Packed weights: panels of 32 outputs, and two terms for each packed output: its scale and its
 * sum. The terms are null in formats without terms. The last panel is padded with zeros. */
typedef struct ck_weights {
    const void *panels;
    const float *_Nullable scales; /* A weight is the scale of the output times an integer. */
    const int32_t *_Nullable sums; /* The sum of an output's integers. */
} ck_weights;

/* c[n] += Σ factors[i] * row places[i], for i < count. Rows begin `stride` bytes apart. */
typedef void ck_sum_rows(
    const void *rows, size_t stride, const uint32_t *places, const float *factors, size_t count,
    float *c, size_t n);

/* c[i] = row places[i] · x for i < count. Each row and x have n values. */
typedef void ck_dot_rows(
    const void *rows, size_t stride, const uint32_t *places, size_t count, const float *x, size_t n,
    float *c);

/* c += aᵀ · b for the columns of b from `first`, a multiple of 32, up to `last`.
 *
 * a         rows of n floats, lda apart.
 * b         the same number of rows, of `width` floats.
 * c         n rows of width floats.
 * scratch   as for gram_f32. */
typedef void ck_transposed_product(
    const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width,
    size_t first, size_t last, float *c, float *scratch);

typedef struct ck_format {
    uint32_t unit_inputs;  /* The inputs of a unit of a panel. Inputs are padded to whole units. */
    uint32_t unit_bytes;   /* The bytes of a unit of a panel, for 32 outputs. */
    uint32_t row_bytes;    /* The bytes of a unit of a row of activations, as `product` reads it. */
    uint32_t output_terms; /* The number of terms (32-bit words) of each output: 2 or 0. */
    float max_weight; /* The maximum magnitude of a weight; infinity if unlimited. */

    /* c[m, n] = epilogue(a[m, k] · Wᵀ + bias).
     *
     * a        m rows of k inputs. Formats that sum integers need k < 65536.
     * bias     one float per packed output, zero-padded to whole panels; or null.
     * c, ldc   m rows of n floats, ldc floats apart. Each panel computes 32 columns, or 16 with a
     *          gated epilogue. */
    void (*product)(
        ck_operand a, size_t m, size_t k, ck_weights w, const float *_Nullable bias, float *c,
        size_t ldc, size_t n, ck_epilogue epilogue);

    /* Converts one row of n activations for `product`, and fills the last unit of each term. Terms
     * are written `stride` bytes apart, each with its scale and zero point. Null if `product` reads
     * floats. All tables round to the same integers. */
    void (*_Nullable convert)(
        const float *x, size_t n, size_t terms, void *values, size_t stride, float *scales,
        int32_t *zeros);

    /* Packs n outputs of `width` inputs, rows of ld floats, into panels. Lanes after the last
     * output do not change. Scales and sums do not change if output_terms is 0. Null in formats of
     * blocks. */
    void (*_Nullable pack_rows)(
        const float *source, size_t ld, size_t n, size_t width, void *panels,
        float *_Nullable scales, int32_t *_Nullable sums);

    /* Packs a source whose n rows are inputs and whose `width` columns are outputs. Null in formats
     * that must read all inputs of an output at once. */
    void (*_Nullable pack_columns)(
        const float *source, size_t ld, size_t n, size_t width, void *panels);

    /* Packs blocks of ggml's Q4_0 as n outputs of `width` inputs into lanes of one panel, from
     * `lane` on. An output has a block for each 32 inputs; codes after its last input are 8. The
     * other lanes do not change. Null in formats that pack floats. */
    void (*_Nullable pack_blocks)(
        const void *blocks, size_t n, size_t width, size_t lane, void *panel);

    /* Reads the k weights of one output of a panel. `scale` is the scale of the output, if any. */
    void (*unpack_row)(const void *panel, size_t lane, size_t k, float scale, float *row);

    /* Stores n values as a row for sum_rows and dot_rows. Returns a factor: the caller multiplies
     * the results of these functions for this row by the factor. */
    float (*store_row)(const float *source, size_t n, void *row);
    ck_sum_rows *sum_rows;
    ck_dot_rows *dot_rows;

    /* aᵀ · b with operands rounded to this format; null if the processor has no instructions for
     * it. */
    ck_transposed_product *_Nullable transposed_product;

    /* Repeats the multiply-adds of `product` in registers: `repeats` times for 384 units of inputs.
     * Returns a value that depends on all results. */
    float (*peak)(size_t repeats, float seed);

    /* Rounds a panel of k inputs to a panel of `bytes` bytes of int8, and fills the rest with 0.
     * Writes the scale of each output and the sum of its integers. All tables round to the same
     * integers. Null in other formats than int4. */
    void (*_Nullable widen)(
        const void *source, size_t k, size_t bytes, void *panel, float *scales, int32_t *sums);

    /* The number of inputs that a step of tile registers multiplies; 0 if `product` uses vectors. */
    uint32_t tile_inputs;

    /* The inputs of panels and of converted rows are padded with zeros to a multiple of this number,
     * or only to whole words if it is 0. */
    uint32_t padding;
} ck_format;

/* The kernels of all formats. */
typedef struct ck_formats {
    ck_format f32, f16, bf16, int8, int4, bf16x2;
} ck_formats;

#pragma clang assume_nonnull end
#endif
