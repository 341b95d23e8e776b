/* 8 x 24 tile: 24 accumulators of 8 columns, 3 registers of b, one broadcast of a. */
#include "ck_f64.h"
#if defined(__x86_64__)
    #include <immintrin.h>

    #include "small_f64.h"
    #define AVX512 __attribute__((target("avx512f")))

AVX512 static void tile_avx512(
    size_t k, double alpha, const double *a, const double *b, double *c, size_t stride) {
    __m512d sums[8][3];
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 3; j++) sums[i][j] = _mm512_setzero_pd();
        __builtin_prefetch(c + i * stride, 1);
        __builtin_prefetch(c + i * stride + 8, 1);
        __builtin_prefetch(c + i * stride + 16, 1);
    }
    for (size_t p = 0; p < k; p++, a += 8, b += 24) {
        __m512d b0 = _mm512_loadu_pd(b), b1 = _mm512_loadu_pd(b + 8),
                b2 = _mm512_loadu_pd(b + 16);
    #pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) {
            __m512d ai = _mm512_set1_pd(a[i]);
            sums[i][0] = _mm512_fmadd_pd(ai, b0, sums[i][0]);
            sums[i][1] = _mm512_fmadd_pd(ai, b1, sums[i][1]);
            sums[i][2] = _mm512_fmadd_pd(ai, b2, sums[i][2]);
        }
    }
    __m512d scale = _mm512_set1_pd(alpha);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 3; j++) {
            double *out = c + i * stride + 8 * j;
            _mm512_storeu_pd(out, _mm512_fmadd_pd(scale, sums[i][j], _mm512_loadu_pd(out)));
        }
}

CK_F64_TABLE(avx512, AVX512, 8, 24)
#endif
