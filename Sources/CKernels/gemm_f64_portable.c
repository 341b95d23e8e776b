/* 4 x 8 tile in plain C, which the compiler vectorises for its target (SSE2, NEON). */
#include "ck_f64.h"
#include "small_f64.h"

static void tile_portable(
    size_t k, double alpha, const double *a, const double *b, double *c, size_t stride) {
    double sums[4][8] = {{0}};
    for (size_t p = 0; p < k; p++, a += 4, b += 8)
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 8; j++) sums[i][j] += a[i] * b[j];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 8; j++) c[i * stride + j] += alpha * sums[i][j];
}

CK_F64_TABLE(portable, , 4, 8)
