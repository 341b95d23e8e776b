/* Matrix product over weights in bfloat16, summed in f32.
 *
 * A panel holds 32 outputs of the weight, two inputs at a time, zero-padded to whole pairs:
 *
 *     panels[p*K*32 + (i/2)*64 + j*2 + i%2]  =  W[32p + j][i]      K = k rounded up to 2
 *
 * so a 32-bit lane holds two inputs of one output. With CK_BF16 the processor multiplies pairs by
 * pairs, and activations are rounded too; else each half of the lane is a float after a shift or a
 * mask, and activations stay f32. */

/* The nearest bfloat16, ties to even, in the lower half of each lane. */
CK_INLINE ck_words CK_NAME(nearest_bf16)(ck_vector x) {
    ck_words bits = (ck_words)x;
    ck_words rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    ck_words nan = (ck_words)(x != x);
    return (quiet & nan) | (rounded & ~nan);
}

static void CK_NAME(round_bf16)(const float *x, size_t n, uint16_t *y) {
    typedef uint16_t halves __attribute__((vector_size(CK_LANES * 2), aligned(2)));
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES)
        *(halves *)(y + i) = __builtin_convertvector(CK_NAME(nearest_bf16)(ck_load(x + i)), halves);
    if (i == n) return;
    ck_words rest = CK_NAME(nearest_bf16)(ck_load_part(x + i, n - i, 0));
    for (size_t j = 0; i + j < (n + 1) / 2 * 2; j++) y[i + j] = (uint16_t)rest[j];
}

static void CK_NAME(pack_rows_bf16)(
    const float *source, size_t ld, size_t n, size_t width, uint16_t *panels
) {
    enum { chunk = 256 };
    uint16_t rounded[chunk];
    size_t pairs = (width + 1) / 2;
    for (size_t j = 0; j < n; j++) {
        uint16_t *packed = panels + (j / ck_panel * pairs * ck_panel + j % ck_panel) * 2;
        for (size_t first = 0; first < width; first += chunk) {
            size_t count = width - first < chunk ? width - first : chunk;
            CK_NAME(round_bf16)(source + j * ld + first, count, rounded);
            for (size_t i = 0; i < count; i++)
                packed[(first + i) / 2 * 2 * ck_panel + i % 2] = rounded[i];
        }
    }
}

typedef struct {
    const uint32_t *a;
    size_t lda, m, k;
    const uint32_t *panels;
} ck_bf16_operands;

/* One of the two inputs that each lane holds, as floats. */
CK_INLINE ck_vector CK_NAME(half_bf16)(const uint32_t *weights, size_t half) {
    ck_words both = ck_load_words(weights);
    return (ck_vector)(half ? both & 0xffff0000u : both << 16);
}

/* sums += a row's inputs 2i and 2i + 1, or the first alone, times `count` vectors of weights. */
CK_INLINE void CK_NAME(add_pair)(
    ck_vector *sums, const uint32_t *a, size_t i, size_t halves, const uint32_t *weights,
    size_t count
) {
#if CK_BF16
    (void)halves;
    __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[i]);
#pragma clang loop unroll(full)
    for (size_t v = 0; v < count; v++)
        sums[v] = _mm512_dpbf16_ps(
            sums[v], x, (__m512bh)ck_load_words(weights + v * CK_LANES));
#else
#pragma clang loop unroll(full)
    for (size_t half = 0; half < halves; half++) {
        ck_vector x = (ck_vector)ck_splat_word(a[2 * i + half]);
#pragma clang loop unroll(full)
        for (size_t v = 0; v < count; v++)
            sums[v] += x * CK_NAME(half_bf16)(weights + v * CK_LANES, half);
    }
#endif
}

CK_INLINE void CK_NAME(multiply_tile_bf16)(
    const ck_bf16_operands *o, size_t top, size_t p, const ck_slab *slab, size_t rows,
    float *tile
) {
    size_t k = o->k, pairs = (k + 1) / 2, lda = o->lda;
    size_t whole = slab->last < k / 2 ? slab->last : k / 2;
    const uint32_t *a = o->a + top * lda;
    const char *next = slab->next;
    for (size_t column = 0; column < ck_panel; column += CK_VECTORS * CK_LANES) {
        ck_vector sums[CK_ROWS][CK_VECTORS];
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++)
                sums[r][v] = slab->first
                    ? ck_load(tile + r * ck_panel + column + v * CK_LANES) : ck_splat(0);
        const uint32_t *weights = o->panels + (p * pairs + slab->first) * ck_panel + column;
        for (size_t i = slab->first; i < whole; i++, weights += ck_panel, next += slab->step) {
            __builtin_prefetch(next, 0, 2);
#pragma clang loop unroll(full)
            for (size_t r = 0; r < rows; r++)
                CK_NAME(add_pair)(sums[r], a + r * lda, i, 2, weights, CK_VECTORS);
        }
        if (slab->last > k / 2) {
#pragma clang loop unroll(full)
            for (size_t r = 0; r < rows; r++)
                CK_NAME(add_pair)(sums[r], a + r * lda, k / 2, 1, weights, CK_VECTORS);
        }
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++)
                ck_store(tile + r * ck_panel + column + v * CK_LANES, sums[r][v]);
    }
}

/* One row, as multiply_row does it for f32. */
CK_INLINE void CK_NAME(multiply_row_bf16)(const ck_bf16_operands *o, size_t p, float *tile) {
    enum { vectors = ck_panel / CK_LANES, chains = vectors >= 4 ? 1 : 4, ahead = 32 };
    size_t k = o->k;
    const uint32_t *panel = o->panels + p * ((k + 1) / 2) * ck_panel;
    ck_vector sums[chains][vectors];
    for (size_t c = 0; c < chains; c++)
        for (size_t v = 0; v < vectors; v++) sums[c][v] = ck_splat(0);
    size_t i = 0;
    for (; i + chains <= k / 2; i += chains) {
#pragma clang loop unroll(full)
        for (size_t c = 0; c < chains; c++) {
            const uint32_t *weights = panel + (i + c) * ck_panel;
            __builtin_prefetch(weights + ahead * ck_panel);
            __builtin_prefetch(weights + ahead * ck_panel + 16);
            CK_NAME(add_pair)(sums[c], o->a, i + c, 2, weights, vectors);
        }
    }
    for (; i < k / 2; i++)
        CK_NAME(add_pair)(sums[0], o->a, i, 2, panel + i * ck_panel, vectors);
    if (k % 2) CK_NAME(add_pair)(sums[0], o->a, i, 1, panel + i * ck_panel, vectors);
    for (size_t v = 0; v < vectors; v++) {
        ck_vector sum = sums[0][v];
        for (size_t c = 1; c < chains; c++) sum += sums[c][v];
        ck_store(tile + v * CK_LANES, sum);
    }
}

#define CK_TILE_BF16(n) \
    static __attribute__((noinline)) void CK_NAME(bf16_##n)( \
        const ck_bf16_operands *o, size_t top, size_t p, const ck_slab *slab, float *tile \
    ) { CK_NAME(multiply_tile_bf16)(o, top, p, slab, n, tile); }
CK_ROW_COUNTS(CK_TILE_BF16)

#define CK_TILE_OF_BF16(n) CK_NAME(bf16_##n),
static void (*const CK_NAME(tiles_of_bf16)[])(
    const ck_bf16_operands *o, size_t top, size_t p, const ck_slab *slab, float *tile
) = {CK_ROW_COUNTS(CK_TILE_OF_BF16)};

CK_INLINE void CK_NAME(multiply_bf16)(
    const void *operands, size_t top, size_t bottom, size_t p, const ck_slab *slab, float *tile
) {
    const ck_bf16_operands *o = operands;
    if (o->m == 1)
        CK_NAME(multiply_row_bf16)(o, p, tile);
    else
        CK_NAME(tiles_of_bf16)[bottom - top - 1](o, top, p, slab, tile);
}

static void CK_NAME(gemm_bf16)(
    const void *a, size_t lda, size_t m, size_t k, const uint16_t *panels, const float *bias,
    float *c, size_t ldc, size_t n, ck_epilogue epilogue
) {
    ck_bf16_operands operands = {a, lda, m, k, (const uint32_t *)panels};
    CK_NAME(product)(
        &operands, CK_NAME(multiply_bf16), panels, m, (k + 1) / 2, CK_ROWS, bias, c, ldc, n,
        epilogue);
}
