/* Matrix product over weights in 16 bits, summed in f32. The file is compiled twice, with bf16 and
 * with f16 as CK_HALF.
 *
 * A panel contains 32 outputs of the weight, two inputs at a time, zero-padded to whole pairs:
 *
 *     panels[p*K*32 + (i/2)*64 + j*2 + i%2]  =  W[32p + j][i]      K = k rounded up to 2
 *
 * A 32-bit lane contains two inputs of one output. Weights in f16 are stored times 64. Weights
 * below 2^-20 are stored as 0, so that no stored weight is a subnormal f16.
 *
 * With CK_PAIRS the processor multiplies pairs of 16-bit floats, and activations are rounded to 16
 * bits too. Without CK_PAIRS, both inputs in a lane are converted to floats, and activations are
 * f32. */
#define CK_PAIRS ((CK_IS_F16 && CK_FP16) || (!CK_IS_F16 && CK_BF16))
#define CK_OF_(operation, half) CK_NAME(operation##_##half)
#define CK_OF__(operation, half) CK_OF_(operation, half)
#define CK_OF(operation) CK_OF__(operation, CK_HALF)

#if CK_IS_F16
/* Rounds 64 x to the nearest f16 (ties to even), in the lower 16 bits of each lane. Values that are
 * too large become the largest finite f16. */
CK_INLINE ck_words CK_OF(nearest)(ck_vector x) {
    ck_words bits = (ck_words)(64.0f * x), size = bits & 0x7fffffff;
    ck_words rounded = (size + 0xfff + (size >> 13 & 1) - (112u << 23)) >> 13;
    ck_words some = (ck_words)(size >= 113u << 23), whole = (ck_words)(size < 0x477ff000u);
    ck_words nan = (ck_words)(x != x);
    ck_words number = ((rounded & whole) | (0x7bff & ~whole)) & some;
    return (bits >> 16 & 0x8000) | (0x7e00 & nan) | (number & ~nan);
}
#else
/* Rounds x to the nearest bfloat16 (ties to even), in the lower 16 bits of each lane. */
CK_INLINE ck_words CK_OF(nearest)(ck_vector x) {
    ck_words bits = (ck_words)x;
    ck_words rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    ck_words nan = (ck_words)(x != x);
    return (quiet & nan) | (rounded & ~nan);
}
#endif

#if !CK_IS_F16 && (CK_BF16 || CK_TILES)
/* Stores a vector as the nearest bfloat16. Instructions may replace subnormal numbers by 0. */
CK_INLINE void CK_NAME(store_bf16)(uint16_t *y, ck_vector x) {
#if CK_BF16
    _mm256_storeu_si256((__m256i *)y, (__m256i)_mm512_cvtneps_pbh((__m512)x));
#else
    typedef uint16_t halves __attribute__((vector_size(CK_LANES * 2), aligned(2)));
    *(halves *)y = __builtin_convertvector(CK_NAME(nearest_bf16)(x), halves);
#endif
}

/* Rounds a row to bfloat16. */
static void CK_NAME(convert_bf16)(
    const float *x, size_t n, size_t terms, void *values, size_t stride, float *scales,
    int32_t *zeros
) {
    (void)terms, (void)stride, (void)scales, (void)zeros;
    uint16_t *y = values;
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) CK_NAME(store_bf16)(y + i, ck_load(x + i));
    if (i == n) return;
    uint16_t rest[CK_LANES];
    CK_NAME(store_bf16)(rest, ck_load_part(x + i, n - i, 0));
    __builtin_memcpy(y + i, rest, (n - i + 1) / 2 * 2 * sizeof *y);
}
#endif

/* Rounds n floats. If n is odd, a 0 completes the last pair. */
CK_INLINE void CK_OF(round_weights)(const float *x, size_t n, uint16_t *y) {
    typedef uint16_t halves __attribute__((vector_size(CK_LANES * 2), aligned(2)));
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES)
        *(halves *)(y + i) = __builtin_convertvector(CK_OF(nearest)(ck_load(x + i)), halves);
    if (i == n) return;
    ck_words rest = CK_OF(nearest)(ck_load_part(x + i, n - i, 0));
    for (size_t j = 0; i + j < (n + 1) / 2 * 2; j++) y[i + j] = (uint16_t)rest[j];
}

static void CK_OF(pack_rows)(
    const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales,
    int32_t *sums
) {
    (void)scales, (void)sums;
    enum { chunk = 256 };
    uint16_t rounded[CK_LANES][chunk] __attribute__((aligned(64)));
    size_t pairs = (width + 1) / 2;
    for (size_t j = 0; j < n; j += CK_LANES) {
        size_t count = n - j < CK_LANES ? n - j : CK_LANES;
        uint16_t *packed =
            (uint16_t *)panels + (j / ck_panel * pairs * ck_panel + j % ck_panel) * 2;
        for (size_t first = 0; first < width; first += chunk, packed += chunk * ck_panel) {
            size_t inputs = width - first < chunk ? width - first : chunk, i = 0;
            for (size_t r = 0; r < count; r++)
                CK_OF(round_weights)(source + (j + r) * ld + first, inputs, rounded[r]);
            /* A pair has the size of one float. */
            for (; count == CK_LANES && i + 2 * CK_LANES <= inputs; i += 2 * CK_LANES) {
                ck_vector rows[CK_LANES];
#pragma clang loop unroll(full)
                for (size_t r = 0; r < CK_LANES; r++)
                    rows[r] = (ck_vector)ck_load_words((const uint32_t *)(rounded[r] + i));
                CK_NAME(transpose)(rows);
#pragma clang loop unroll(full)
                for (size_t r = 0; r < CK_LANES; r++)
                    ck_store((float *)(packed + (i + 2 * r) * ck_panel), rows[r]);
            }
            for (size_t r = 0; r < count; r++)
                for (size_t k = i; k < inputs; k += 2)
                    __builtin_memcpy(packed + k * ck_panel + 2 * r, rounded[r] + k, 4);
        }
    }
}

typedef struct {
    const uint32_t *a;
    const float *scales;
    size_t lda, m, k;
    const uint32_t *panels;
} CK_OF(operands);

#if CK_PAIRS && CK_IS_F16
/* The number of pairs whose products are summed in f16. The rounding error of such a sum is not
 * larger than the rounding error of the operands. */
enum { ck_half_chain = 48 };

/* Adds the two f16 in each lane, and converts the sums to floats. */
CK_INLINE ck_vector CK_NAME(widened)(__m512h sums) {
    __m512h both = _mm512_add_ph(sums, (__m512h)_mm512_ror_epi32((__m512i)sums, 16));
    return (ck_vector)_mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)both));
}

/* Adds the products of pairs of f16 in `a` and `panel`, times the scale of each row, to a tile. For
 * the first slab, the products overwrite the tile. */
CK_INLINE void CK_OF(multiply_pairs)(
    const uint32_t *a, size_t row_stride, size_t pair_stride, const float *scales,
    const uint32_t *panel, const ck_slab *slab, size_t rows, float *tile
) {
    size_t pairs = slab->last - slab->first;
    const char *next = slab->next;
    size_t begin = 0, end;
    do {
        end = pairs - begin < ck_half_chain ? pairs : begin + ck_half_chain;
        const uint32_t *weights = panel + begin * ck_panel, *inputs[ck_row_groups];
        __m512h sums[CK_ROWS][CK_VECTORS];
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++) sums[r][v] = _mm512_setzero_ph();
#pragma clang loop unroll(full)
        for (size_t g = 0; g < ck_row_groups; g++)
            inputs[g] = a + 3 * g * row_stride + begin * pair_stride;
        for (size_t i = begin; i < end; i++, weights += ck_panel, next += slab->step) {
            __builtin_prefetch(next, 0, 2);
            __m512h weight[CK_VECTORS];
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++)
                weight[v] = (__m512h)ck_load_words(weights + v * CK_LANES);
#pragma clang loop unroll(full)
            for (size_t r = 0; r < rows; r++) {
                __m512h x = (__m512h)_mm512_set1_epi32((int)inputs[r / 3][r % 3 * row_stride]);
#pragma clang loop unroll(full)
                for (size_t v = 0; v < CK_VECTORS; v++)
                    sums[r][v] = _mm512_fmadd_ph(x, weight[v], sums[r][v]);
            }
            CK_ADVANCE(inputs, pair_stride);
        }
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++) {
                float *to = tile + r * ck_panel + v * CK_LANES;
                ck_vector sum = CK_NAME(widened)(sums[r][v]) * scales[r];
                ck_store(to, slab->first + begin > 0 ? ck_load(to) + sum : sum);
            }
        begin = end;
    } while (begin < pairs);
}

/* Returns the power of two that scales the largest magnitude to between 1/16 and 1/8. Returns 1 if
 * the largest magnitude is below 2^-117, or is 2^119 or more. */
CK_INLINE float CK_NAME(half_scale)(ck_vector most) {
    float largest = ck_largest(most);
    uint32_t bits;
    __builtin_memcpy(&bits, &largest, 4);
    uint32_t exponent = bits >> 23 & 0xff;
    if (exponent < 10 || exponent > 245) return 1;
    bits = (250 - exponent) << 23;
    __builtin_memcpy(&largest, &bits, 4);
    return largest;
}
CK_INLINE ck_vector CK_NAME(size_of)(ck_vector x) { return ck_max(x, -x); }

/* Scales a row by a power of two and rounds it to f16. */
static void CK_NAME(convert_f16)(
    const float *x, size_t n, size_t terms, void *values, size_t stride, float *scales,
    int32_t *zeros
) {
    (void)terms, (void)stride, (void)zeros;
    uint16_t *y = values;
    ck_vector most = ck_splat(0);
    for (size_t i = 0; i < n; i += CK_LANES)
        most = ck_max(most, CK_NAME(size_of)(ck_load_up_to(x + i, n - i, 0)));
    float factor = CK_NAME(half_scale)(most);
    for (size_t i = 0; i < n; i += CK_LANES) {
        ck_vector scaled = factor * ck_load_up_to(x + i, n - i, 0);
        __m256i halves = _mm512_cvtps_ph((__m512)scaled, _MM_FROUND_TO_NEAREST_INT);
        size_t left = (n - i + 1) / 2 * 2;
        if (left >= CK_LANES) _mm256_storeu_si256((__m256i *)(y + i), halves);
        else __builtin_memcpy(y + i, &halves, left * sizeof *y);
    }
    *scales = 1 / (64 * factor);
}

/* Returns the power of two that scales the largest magnitude of a block into the range of f16. */
CK_INLINE float CK_OF(block_factor)(
    const float *from, size_t ld, size_t rows, size_t columns
) {
    ck_vector most = ck_splat(0);
    for (size_t r = 0; r < rows; r++, from += ld)
        for (size_t i = 0; i < columns; i += CK_LANES)
            most = ck_max(most, CK_NAME(size_of)(ck_load_up_to(from + i, columns - i, 0)));
    return CK_NAME(half_scale)(most);
}

CK_INLINE __m256i CK_OF(rounded)(ck_vector x, float factor) {
    return _mm512_cvtps_ph((__m512)(factor * x), _MM_FROUND_TO_NEAREST_INT);
}
#elif CK_PAIRS
/* Adds the products of pairs in `a` and `panel` to a tile. For the first slab, the products
 * overwrite the tile. */
CK_INLINE void CK_OF(multiply_pairs)(
    const uint32_t *a, size_t row_stride, size_t pair_stride, const float *scales,
    const uint32_t *panel, const ck_slab *slab, size_t rows, float *tile
) {
    (void)scales;
    size_t pairs = slab->last - slab->first;
    const char *next = slab->next;
    const uint32_t *inputs[ck_row_groups];
    ck_vector sums[CK_ROWS][CK_VECTORS];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < CK_VECTORS; v++)
            sums[r][v] = slab->first ? ck_load(tile + r * ck_panel + v * CK_LANES) : ck_splat(0);
#pragma clang loop unroll(full)
    for (size_t g = 0; g < ck_row_groups; g++) inputs[g] = a + 3 * g * row_stride;
    for (size_t i = 0; i < pairs; i++, panel += ck_panel, next += slab->step) {
        __builtin_prefetch(next, 0, 2);
        __m512bh weight[CK_VECTORS];
#pragma clang loop unroll(full)
        for (size_t v = 0; v < CK_VECTORS; v++)
            weight[v] = (__m512bh)ck_load_words(panel + v * CK_LANES);
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++) {
            __m512bh x = (__m512bh)_mm512_set1_epi32((int)inputs[r / 3][r % 3 * row_stride]);
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++)
                sums[r][v] = _mm512_dpbf16_ps(sums[r][v], x, weight[v]);
        }
        CK_ADVANCE(inputs, pair_stride);
    }
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < CK_VECTORS; v++)
            ck_store(tile + r * ck_panel + v * CK_LANES, sums[r][v]);
}

CK_INLINE __m256i CK_OF(rounded)(ck_vector x, float factor) {
    (void)factor;
    return (__m256i)_mm512_cvtneps_pbh((__m512)x);
}

/* bfloat16 has the range of f32, so blocks need no factor. */
CK_INLINE float CK_OF(block_factor)(
    const float *from, size_t ld, size_t rows, size_t columns
) {
    (void)from, (void)ld, (void)rows, (void)columns;
    return 1;
}
#endif

#if !CK_PAIRS
/* Returns one of the two inputs in each lane as a float. f16 weights are multiplied by 2^-106. */
CK_INLINE ck_vector CK_OF(half)(const uint32_t *weights, size_t half) {
    ck_words both = ck_load_words(weights);
#if CK_IS_F16
    ck_words bits = half ? both >> 16 : both;
    return (ck_vector)((bits & 0x7fff) << 13 | (bits & 0x8000) << 16);
#else
    return (ck_vector)(half ? both & 0xffff0000u : both << 16);
#endif
}
#endif

#if !(CK_PAIRS && CK_IS_F16)
/* Adds to `sums` the products of inputs 2i and 2i + 1 of a row, or only of input 2i, and `count`
 * vectors of weights. */
CK_INLINE void CK_OF(add_pair)(
    ck_vector *sums, const uint32_t *a, size_t i, size_t halves, const uint32_t *weights,
    size_t count
) {
#if CK_PAIRS
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
        if (CK_IS_F16) x *= 0x1p106f;
#pragma clang loop unroll(full)
        for (size_t v = 0; v < count; v++)
            sums[v] += x * CK_OF(half)(weights + v * CK_LANES, half);
    }
#endif
}

/* Computes the product of one row; see multiply_row in gemm_f32.h. */
CK_INLINE void CK_OF(multiply_row)(const CK_OF(operands) *o, size_t p, float *tile) {
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
            CK_OF(add_pair)(sums[c], o->a, i + c, 2, weights, vectors);
        }
    }
    for (; i < k / 2; i++)
        CK_OF(add_pair)(sums[0], o->a, i, 2, panel + i * ck_panel, vectors);
    if (k % 2) CK_OF(add_pair)(sums[0], o->a, i, 1, panel + i * ck_panel, vectors);
    for (size_t v = 0; v < vectors; v++) {
        ck_vector sum = sums[0][v];
        for (size_t c = 1; c < chains; c++) sum += sums[c][v];
        ck_store(tile + v * CK_LANES, sum);
    }
}
#endif

#if CK_PAIRS
#define CK_TILE_PAIRS_(n, half) \
    static __attribute__((noinline)) void CK_NAME(half##_##n)( \
        const CK_OF(operands) *o, size_t top, size_t p, const ck_slab *slab, float *tile \
    ) { \
        CK_OF(multiply_pairs)( \
            o->a + top * o->lda + slab->first, o->lda, 1, o->scales ? o->scales + top : 0, \
            o->panels + (p * ((o->k + 1) / 2) + slab->first) * ck_panel, slab, n, tile); \
    } \
    static __attribute__((noinline)) void CK_NAME(half##_columns_##n)( \
        const uint32_t *a, const float *scales, const uint32_t *panel, const ck_slab *slab, \
        float *tile \
    ) { CK_OF(multiply_pairs)(a, 1, CK_ROWS, scales, panel, slab, n, tile); }
#define CK_TILE_PAIRS__(n, half) CK_TILE_PAIRS_(n, half)
#define CK_TILE_PAIRS(n) CK_TILE_PAIRS__(n, CK_HALF)
CK_ROW_COUNTS(CK_TILE_PAIRS)
#undef CK_TILE_PAIRS_
#undef CK_TILE_PAIRS__
#undef CK_TILE_PAIRS
#else
CK_INLINE void CK_OF(multiply_tile)(
    const CK_OF(operands) *o, size_t top, size_t p, const ck_slab *slab, size_t rows,
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
                CK_OF(add_pair)(sums[r], a + r * lda, i, 2, weights, CK_VECTORS);
        }
        if (slab->last > k / 2) {
#pragma clang loop unroll(full)
            for (size_t r = 0; r < rows; r++)
                CK_OF(add_pair)(sums[r], a + r * lda, k / 2, 1, weights, CK_VECTORS);
        }
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++)
                ck_store(tile + r * ck_panel + column + v * CK_LANES, sums[r][v]);
    }
}

#define CK_TILE_HALF_(n, half) \
    static __attribute__((noinline)) void CK_NAME(half##_##n)( \
        const CK_OF(operands) *o, size_t top, size_t p, const ck_slab *slab, float *tile \
    ) { CK_OF(multiply_tile)(o, top, p, slab, n, tile); }
#define CK_TILE_HALF__(n, half) CK_TILE_HALF_(n, half)
#define CK_TILE_HALF(n) CK_TILE_HALF__(n, CK_HALF)
CK_ROW_COUNTS(CK_TILE_HALF)
#undef CK_TILE_HALF_
#undef CK_TILE_HALF__
#undef CK_TILE_HALF
#endif

#define CK_TILE_OF_HALF_(n, half) CK_NAME(half##_##n),
#define CK_TILE_OF_HALF__(n, half) CK_TILE_OF_HALF_(n, half)
#define CK_TILE_OF_HALF(n) CK_TILE_OF_HALF__(n, CK_HALF)
static void (*const CK_OF(tiles_of)[])(
    const CK_OF(operands) *o, size_t top, size_t p, const ck_slab *slab, float *tile
) = {CK_ROW_COUNTS(CK_TILE_OF_HALF)};
#undef CK_TILE_OF_HALF_
#undef CK_TILE_OF_HALF__
#undef CK_TILE_OF_HALF

CK_INLINE void CK_OF(multiply)(
    const void *operands, size_t top, size_t bottom, size_t p, const ck_slab *slab, float *tile
) {
    const CK_OF(operands) *o = operands;
#if !(CK_PAIRS && CK_IS_F16)
    if (o->m == 1) return CK_OF(multiply_row)(o, p, tile);
#endif
    CK_OF(tiles_of)[bottom - top - 1](o, top, p, slab, tile);
}

static __attribute__((unused)) void CK_OF(product)(
    ck_operand a, size_t m, size_t k, ck_weights w, const float *bias, float *c, size_t ldc,
    size_t n, ck_epilogue epilogue
) {
    CK_OF(operands) operands = {a.values, a.scales, a.stride / 4, m, k, w.panels};
    CK_NAME(product)(
        &operands, CK_OF(multiply), 1, w.panels, m, (k + 1) / 2, ck_unit_bytes, ck_slab_units,
        CK_ROWS, bias, c, ldc, n, epilogue);
}

static void CK_OF(pack_columns)(
    const float *source, size_t ld, size_t n, size_t width, void *panels
) {
    uint16_t *packed = panels;
    for (size_t j = 0; j < width; j += ck_panel)
        for (size_t i = 0; i < n; i += 2, packed += 2 * ck_panel)
            for (size_t c = j; c < j + ck_panel && c < width; c += CK_LANES) {
                size_t left = width - c;
                const float *from = source + i * ld + c;
                ck_words pair = CK_OF(nearest)(ck_load_up_to(from, left, 0));
                if (i + 1 < n)
                    pair |= CK_OF(nearest)(ck_load_up_to(from + ld, left, 0)) << 16;
                *(ck_words *)(packed + 2 * (c - j)) = pair;
            }
}

static void CK_OF(unpack_row)(
    const void *panel, size_t lane, size_t k, float scale, float *row
) {
    (void)scale;
    const uint16_t *weights = (const uint16_t *)panel + 2 * lane;
    for (size_t i = 0; i < k; i++) {
        uint32_t half = weights[i / 2 * 2 * ck_panel + i % 2];
        uint32_t bits = CK_IS_F16 ? (half & 0x7fff) << 13 | (half & 0x8000) << 16 : half << 16;
        float value;
        __builtin_memcpy(&value, &bits, 4);
        /* Moving the bits of an f16 to their places in a float multiplies the value by 2^-112.
         * Weights are stored times 64. */
        row[i] = CK_IS_F16 ? value * 0x1p106f : value;
    }
}

#if CK_PAIRS
#define CK_TILE_OF_COLUMNS_(n, half) CK_NAME(half##_columns_##n),
#define CK_TILE_OF_COLUMNS__(n, half) CK_TILE_OF_COLUMNS_(n, half)
#define CK_TILE_OF_PAIRS(n) CK_TILE_OF_COLUMNS__(n, CK_HALF)
static void (*const CK_OF(tiles_of_columns)[])(
    const uint32_t *a, const float *scales, const uint32_t *panel, const ck_slab *slab, float *tile
) = {CK_ROW_COUNTS(CK_TILE_OF_PAIRS)};
#undef CK_TILE_OF_COLUMNS_
#undef CK_TILE_OF_COLUMNS__
#undef CK_TILE_OF_PAIRS

/* Scales two rows of up to 16 columns by a factor, rounds them, and interleaves them as pairs. */
CK_INLINE ck_words CK_OF(pair_of)(
    const float *from, size_t ld, size_t rows, size_t columns, float factor
) {
    __builtin_prefetch(from + ck_rows_ahead * ld);
    __builtin_prefetch(from + (ck_rows_ahead + 1) * ld);
    ck_vector first = ck_load_up_to(from, columns, 0), second = ck_splat(0);
    if (rows > 1) second = ck_load_up_to(from + ld, columns, 0);
    __m512i low = _mm512_cvtepu16_epi32(CK_OF(rounded)(first, factor));
    __m512i high = _mm512_cvtepu16_epi32(CK_OF(rounded)(second, factor));
    return (ck_words)_mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/* transposed_product_f32 with pairs of 16-bit floats. In f16, each block of an operand is scaled by
 * a separate power of two, and the sums of chains of products are added in f32. */
static __attribute__((unused)) void CK_OF(transposed_product)(
    const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width, size_t first,
    size_t last, float *c, float *scratch
) {
    float tile[CK_ROWS * ck_panel] __attribute__((aligned(64))), scales[CK_ROWS];
    enum { slab_rows = 2 * ck_slab_rows };
    for (size_t top = 0; top < rows; top += slab_rows) {
        size_t count = rows - top < slab_rows ? rows - top : slab_rows;
        size_t pairs = (count + 1) / 2;
        ck_slab slab = {0, pairs, (const char *)scratch, 0};
        uint32_t *packed = (uint32_t *)scratch;
        uint32_t *gathered = packed + (last - first + ck_panel - 1) / ck_panel * ck_panel * pairs;
        const float *from = b + top * width + first;
        float factor = CK_OF(block_factor)(from, width, count, last - first);
        for (size_t j = 0; j < last - first; j += CK_LANES)
            for (size_t r = 0; r < pairs; r++)
                *(ck_words *)(packed + j / ck_panel * ck_panel * pairs + r * ck_panel
                    + j % ck_panel) =
                    CK_OF(pair_of)(
                        from + 2 * r * width + j, width, count - 2 * r, last - first - j, factor);
        for (size_t i = 0; i < n; i += CK_ROWS) {
            size_t some = n - i < CK_ROWS ? n - i : CK_ROWS, within = i % ck_tile_columns;
            if (within == 0) {
                size_t ahead = n - i < ck_tile_columns ? n - i : ck_tile_columns;
                const float *columns = a + top * lda + i;
                float own = CK_OF(block_factor)(columns, lda, count, ahead);
                for (size_t r = 0; r < CK_ROWS; r++) scales[r] = 1 / own / factor;
                for (size_t r = 0; r < pairs; r++) {
                    uint32_t words[ck_tile_columns] __attribute__((aligned(64)));
                    for (size_t j = 0; j < ahead; j += CK_LANES)
                        *(ck_words *)(words + j) = CK_OF(pair_of)(
                            columns + 2 * r * lda + j, lda, count - 2 * r, ahead - j, own);
                    for (size_t j = 0; j < ahead; j += CK_ROWS)
                        __builtin_memcpy(
                            gathered + j * pairs + r * CK_ROWS, words + j,
                            CK_ROWS * sizeof *words);
                }
            }
            for (size_t j = first; j < last; j += ck_panel) {
                size_t columns = last - j < ck_panel ? last - j : ck_panel;
                CK_NAME(ask_for_tile)(c + i * width + j, width, some);
                CK_OF(tiles_of_columns)[some - 1](
                    gathered + within * pairs, scales, packed + (j - first) * pairs, &slab, tile);
                CK_NAME(add_tile_f32)(c, width, i, j, some, columns, tile);
            }
        }
    }
}
#endif
#undef CK_OF_
#undef CK_OF__
#undef CK_OF
#undef CK_PAIRS
