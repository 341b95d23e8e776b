/* f64 linear algebra for calibration and Optimal Brain Surgeon.
 *
 * Matrices are row-major with a stride in elements between rows. Results do not depend on how a
 * caller divides the rows or columns of a product among threads: every element is summed over k in
 * the same order and in blocks of the same length. */
#ifndef CK_F64_H
#define CK_F64_H
#include <stddef.h>
#pragma clang assume_nonnull begin

/* A matrix with a row stride and a column stride. Exchanging the strides transposes the matrix. */
typedef struct ck_f64_operand {
    const double *data;
    size_t row_stride;
    size_t column_stride;
} ck_f64_operand;

/* The kernels of one instruction set. */
typedef struct ck_f64_kernels {
    const char *name;
    /* The numbers of rows and columns of the tile of products that stays in registers. */
    size_t tile_rows, tile_columns;
    /* c[i*stride + j] += alpha * sum over p of a[p*tile_rows + i] * b[p*tile_columns + j]. */
    void (*tile)(
        size_t k, double alpha, const double *a, const double *b, double *c, size_t stride);
    /* out[x] += sum over i < count of coefficients[i] * rows[i*stride + x], for x in [0, n). */
    void (*combine)(
        double *out, size_t n, const double *coefficients, const double *rows, size_t stride,
        size_t count);
    /* Replaces the lower triangle of a by its Cholesky factor and clears the upper triangle.
     * Returns n, or the first row whose pivot is not positive. The cost is O(n^3), so n should be
     * about 100. */
    size_t (*cholesky)(double *a, size_t n, size_t stride);
    /* x = inverse of the lower triangular l. Both are n by n. The rows of x are contiguous, and the
     * upper triangle of x becomes 0. */
    void (*invert_lower)(const double *l, size_t n, size_t stride, double *x);
} ck_f64_kernels;

extern const ck_f64_kernels ck_f64_portable;

/* Returns the table at `index` in the list of tables that this processor runs, or NULL after the
 * last table. The list begins with the fastest table and ends with the portable table. */
const ck_f64_kernels *_Nullable ck_f64_table(size_t index);

/* Returns the number of doubles of scratch memory that ck_gemm_f64 needs for n columns and depth k.
 */
size_t ck_gemm_f64_scratch(size_t n, size_t k);

/* c += alpha * a * b, with a [m, k], b [k, n] and c [m, n].
 *
 * diagonal  all elements with column <= row + diagonal are computed. Tiles without such elements
 *           are skipped. Other elements may be computed too. The value n selects all elements.
 * scratch   ck_gemm_f64_scratch(n, k) doubles. Calls at the same time need separate scratch.
 * c         must not overlap a or b. */
void ck_gemm_f64(
    const ck_f64_kernels *kernels, size_t m, size_t n, size_t k, double alpha, ck_f64_operand a,
    ck_f64_operand b, double *c, size_t c_stride, ptrdiff_t diagonal, double *scratch);

#pragma clang assume_nonnull end
#endif
