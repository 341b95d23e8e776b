/* The small f64 kernels. Each file that includes this header compiles them for one instruction set.
 *
 * Partial sums are separate variables, so that the compiler can vectorise them without changing the
 * order of a sum. */
#ifndef SMALL_F64_H
#define SMALL_F64_H
#include <math.h>
#include <stddef.h>

#define CK_INLINE static inline __attribute__((always_inline))

CK_INLINE double dot_f64(const double *x, const double *y, size_t n) {
    double sums[16] = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (size_t lane = 0; lane < 16; lane++) sums[lane] += x[i + lane] * y[i + lane];
    for (size_t lane = 0; i < n; i++, lane++) sums[lane] += x[i] * y[i];
    for (size_t width = 8; width > 0; width /= 2)
        for (size_t lane = 0; lane < width; lane++) sums[lane] += sums[lane + width];
    return sums[0];
}

/* Adds four rows in each pass over `out`, which reduces the number of passes to a quarter. */
CK_INLINE void combine_f64(
    double *out, size_t n, const double *coefficients, const double *rows, size_t stride,
    size_t count) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const double *r0 = rows + i * stride, *r1 = r0 + stride, *r2 = r1 + stride,
                     *r3 = r2 + stride;
        double c0 = coefficients[i], c1 = coefficients[i + 1], c2 = coefficients[i + 2],
               c3 = coefficients[i + 3];
        for (size_t x = 0; x < n; x++)
            out[x] += (c0 * r0[x] + c1 * r1[x]) + (c2 * r2[x] + c3 * r3[x]);
    }
    for (; i < count; i++)
        for (size_t x = 0; x < n; x++) out[x] += coefficients[i] * rows[i * stride + x];
}

CK_INLINE size_t cholesky_f64(double *a, size_t n, size_t stride) {
    for (size_t i = 0; i < n; i++) {
        double *row = a + i * stride;
        for (size_t j = 0; j < i; j++)
            row[j] = (row[j] - dot_f64(row, a + j * stride, j)) / a[j * stride + j];
        double pivot = row[i] - dot_f64(row, row, i);
        if (!(pivot > 0) || isinf(pivot)) return i;
        row[i] = sqrt(pivot);
        for (size_t j = i + 1; j < n; j++) row[j] = 0;
    }
    return n;
}

CK_INLINE void invert_lower_f64(const double *l, size_t n, size_t stride, double *x) {
    for (size_t i = 0; i < n; i++) {
        double *row = x + i * n;
        for (size_t j = 0; j < n; j++) row[j] = 0;
        combine_f64(row, i, l + i * stride, x, n, i);
        double inverse = 1 / l[i * stride + i];
        for (size_t j = 0; j < i; j++) row[j] *= -inverse;
        row[i] = inverse;
    }
}

/* Defines the small kernels and their table for one instruction set. All names end in `suffix`. */
#define CK_F64_TABLE(suffix, attribute, rows, columns)                                           \
    attribute static void combine_##suffix(                                                      \
        double *out, size_t n, const double *coefficients, const double *panel, size_t stride,   \
        size_t count) {                                                                          \
        combine_f64(out, n, coefficients, panel, stride, count);                                 \
    }                                                                                            \
    attribute static size_t cholesky_##suffix(double *a, size_t n, size_t stride) {              \
        return cholesky_f64(a, n, stride);                                                       \
    }                                                                                            \
    attribute static void invert_lower_##suffix(                                                 \
        const double *l, size_t n, size_t stride, double *x) {                                   \
        invert_lower_f64(l, n, stride, x);                                                       \
    }                                                                                            \
    const ck_f64_kernels ck_f64_##suffix = {#suffix,          rows,                              \
                                            columns,          tile_##suffix,                     \
                                            combine_##suffix, cholesky_##suffix,                 \
                                            invert_lower_##suffix};
#endif
