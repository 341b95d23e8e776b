/* 4 x 12 tile: 12 accumulators of 4 columns, 3 registers of b, one broadcast of a. */
#include "ck_f64.h"
#if defined(__x86_64__)
    #include <immintrin.h>

    #include "small_f64.h"
    #define AVX2 __attribute__((target("avx2,fma")))

AVX2 static void tile_avx2(
    size_t k, double alpha, const double *a, const double *b, double *c, size_t stride) {
    __m256d sums[4][3];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) sums[i][j] = _mm256_setzero_pd();
    for (size_t p = 0; p < k; p++, a += 4, b += 12) {
        __m256d b0 = _mm256_loadu_pd(b), b1 = _mm256_loadu_pd(b + 4), b2 = _mm256_loadu_pd(b + 8);
    #pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
            __m256d ai = _mm256_broadcast_sd(a + i);
            sums[i][0] = _mm256_fmadd_pd(ai, b0, sums[i][0]);
            sums[i][1] = _mm256_fmadd_pd(ai, b1, sums[i][1]);
            sums[i][2] = _mm256_fmadd_pd(ai, b2, sums[i][2]);
        }
    }
    __m256d scale = _mm256_set1_pd(alpha);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) {
            double *out = c + i * stride + 4 * j;
            _mm256_storeu_pd(out, _mm256_fmadd_pd(scale, sums[i][j], _mm256_loadu_pd(out)));
        }
}

CK_F64_TABLE(avx2, AVX2, 4, 12)
#endif
