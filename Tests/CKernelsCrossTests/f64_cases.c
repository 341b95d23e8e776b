/* Cases for every kernel of a ck_f64_kernels table, and for the blocked product. */
#include "harness.h"

static void product(const ck_f64_kernels *kernels) {
    static const struct { size_t m, n, k; } sizes[] = {
        {1, 1, 1}, {3, 7, 0}, {7, 23, 5}, {9, 25, 257}, {193, 49, 3}, {50, 1540, 2}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int transposed = 0; transposed < 2; transposed++) {
            size_t m = sizes[s].m, n = sizes[s].n, k = sizes[s].k;
            ck_f64_operand a = {doubles(m * k), transposed ? 1 : k, transposed ? m : 1};
            ck_f64_operand b = {doubles(k * n), transposed ? 1 : n, transposed ? k : 1};
            double *c = doubles(m * n), *scratch = zeroed(ck_gemm_f64_scratch(n, k) * 8);
            ck_gemm_f64(kernels, m, n, k, -0.5, a, b, c, n, (ptrdiff_t)n, scratch);
            doubles_are("c", c, m * n, 1e-13 * (double)(k + 8), 0);
        }
}

/* Only the requested elements are compared, because tables may write different other elements. */
static void triangle(const ck_f64_kernels *kernels) {
    size_t m = 230, n = 210, k = 11;
    for (ptrdiff_t diagonal = -3; diagonal <= 40; diagonal += 43) {
        ck_f64_operand a = {doubles(m * k), k, 1}, b = {doubles(k * n), n, 1};
        double *c = doubles(m * n), *scratch = zeroed(ck_gemm_f64_scratch(n, k) * 8);
        ck_gemm_f64(kernels, m, n, k, 1, a, b, c, n, diagonal, scratch);
        for (size_t row = 0; row < m; row++) {
            ptrdiff_t promised = (ptrdiff_t)row + diagonal + 1;
            if (promised <= 0) continue;
            doubles_are("c", c + row * n, promised < (ptrdiff_t)n ? (size_t)promised : n, 1e-12, 0);
        }
    }
}

static void combine(const ck_f64_kernels *kernels) {
    for (size_t n = 1; n <= 33; n += 4)
        for (size_t count = 0; count <= 7; count++) {
            size_t stride = n + 3;
            double *out = doubles(n), *coefficients = doubles(count);
            double *rows = doubles(count ? (count - 1) * stride + n : 0);
            kernels->combine(out, n, coefficients, rows, stride, count);
            doubles_are("out", out, n, 1e-13, 0);
        }
}

static void factors(const ck_f64_kernels *kernels) {
    static const size_t sizes[] = {1, 2, 3, 15, 16, 17, 40, 101};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s], stride = n + 1;
        double *a = zeroed(((n - 1) * stride + n) * 8), *noise = doubles(n * n);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                a[i * stride + j] = noise[i * n + j] + noise[j * n + i] + (i == j ? 3.0 * n : 0);
        double pivots = (double)kernels->cholesky(a, n, stride);
        doubles_are("pivots", &pivots, 1, 0, 0);
        doubles_are("factor", a, (n - 1) * stride + n, 1e-12, 1e-12);
        double *inverse = doubles(n * n);
        kernels->invert_lower(a, n, stride, inverse);
        doubles_are("inverse", inverse, n * n, 1e-12, 1e-12);
        a[(n - 1) * stride + n - 1] = -1;
        for (size_t i = 0; i + 1 < n; i++) a[(n - 1) * stride + i] = 0;
        pivots = (double)kernels->cholesky(a, n, stride);
        doubles_are("pivots of an indefinite matrix", &pivots, 1, 0, 0);
    }
}

const f64_case f64_cases[] = {
    {"ck_gemm_f64", product},
    {"ck_gemm_f64 below a diagonal", triangle},
    {"combine", combine},
    {"cholesky, invert_lower", factors},
    {0, 0},
};
