/* Attention over queries, keys and values of 16-bit integers, for models whose products are in 8
 * bits. It is twice as fast as attention in f32. The step between two codes is 16 times finer than
 * in the products.
 *
 *     score[r][j]  =  scale[r] · scale[j] · Σ q[r][i] · k[j][i]      codes within ±2047
 *     out[r][c]    =  scale[c] · Σ w[r][j] · v[j][c]  /  Σ w[r][j]    w = 2¹⁴ · e^(score - largest)
 *
 * Each query, each key and each column of the values has a scale. The panels have the layout of
 * gemm_f32.h, with two 16-bit inputs in place of one float. Sums fit in 31 bits: a score adds at
 * most 512 products of two codes, and the context adds ck_key_block weights times at most 255. */
#if CK_VNNI
enum { ck_score_codes = 2047, ck_value_codes = 255, ck_weight_bits = 14 };

CK_INLINE ck_integers CK_NAME(codes_of)(ck_vector x) {
    return (ck_integers)_mm512_cvtps_epi32((__m512)x);
}

/* Writes n floats as codes, zero-padded to whole vectors. Returns the scale of the codes. */
CK_INLINE float CK_NAME(encode_row)(const float *x, size_t n, uint32_t *codes) {
    ck_vector size = ck_splat(0);
    for (size_t i = 0; i < n; i += CK_LANES) {
        ck_vector v = ck_load_up_to(x + i, n - i, 0);
        size = ck_max(size, ck_max(v, -v));
    }
    float largest = ck_largest(size), inverse = largest > 0 ? ck_score_codes / largest : 0;
    for (size_t i = 0; i < n; i += CK_LANES)
        CK_NAME(store_shorts)(
            codes + i / 2, CK_NAME(codes_of)(ck_load_up_to(x + i, n - i, 0) * inverse));
    return largest / ck_score_codes;
}

static void CK_NAME(pack_keys_int16)(
    const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales
) {
    enum { row_words = ck_widest_int16 / 2 };
    size_t pairs = (width + 1) / 2;
    uint32_t codes[CK_LANES * row_words] __attribute__((aligned(64)));
    for (size_t j = 0; j < n; j += CK_LANES) {
        size_t count = n - j < CK_LANES ? n - j : CK_LANES;
        for (size_t r = 0; r < count; r++)
            scales[j + r] =
                CK_NAME(encode_row)(source + (j + r) * ld, width, codes + r * row_words);
        uint32_t *packed = (uint32_t *)panels + j / ck_panel * pairs * ck_panel + j % ck_panel;
        size_t i = 0;
        for (; count == CK_LANES && i + CK_LANES <= pairs; i += CK_LANES) {
            ck_vector rows[CK_LANES];
#pragma clang loop unroll(full)
            for (size_t r = 0; r < CK_LANES; r++)
                rows[r] = (ck_vector)ck_load_words(codes + r * row_words + i);
            CK_NAME(transpose)(rows);
#pragma clang loop unroll(full)
            for (size_t r = 0; r < CK_LANES; r++)
                *(ck_words *)(packed + (i + r) * ck_panel) = (ck_words)rows[r];
        }
        for (; i < pairs; i++)
            for (size_t r = 0; r < count; r++)
                packed[i * ck_panel + r] = codes[r * row_words + i];
    }
}

static void CK_NAME(pack_values_int16)(
    const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales
) {
    size_t pairs = (n + 1) / 2;
    for (size_t j = 0; j < width; j += CK_LANES) {
        const float *from = source + j;
        uint32_t *packed = (uint32_t *)panels + j / ck_panel * pairs * ck_panel + j % ck_panel;
        ck_vector largest = ck_splat(0);
        for (size_t i = 0; i < n; i++) {
            ck_vector v = ck_load_up_to(from + i * ld, width - j, 0);
            largest = ck_max(largest, ck_max(v, -v));
        }
        ck_vector inverse = ck_select(
            largest > ck_splat(0), ck_value_codes / largest, ck_splat(0));
        ck_store(scales + j, largest / ck_value_codes);
        for (size_t i = 0; i < pairs; i++) {
            ck_integers even = CK_NAME(codes_of)(
                ck_load_up_to(from + 2 * i * ld, width - j, 0) * inverse);
            ck_integers odd = {0};
            if (2 * i + 1 < n)
                odd = CK_NAME(codes_of)(
                    ck_load_up_to(from + (2 * i + 1) * ld, width - j, 0) * inverse);
            *(ck_words *)(packed + i * ck_panel) =
                (ck_words)((even & 0xffff) | (odd << 16));
        }
    }
}

/* out[r][0..<32] = scales[r] · columns[0..<32] · Σ a[r][i] · panel[i][0..<32]. A unit holds two
 * inputs i: two of a row, and two for each of the 32 outputs of a panel. */
CK_INLINE void CK_NAME(multiply_tile_int16)(
    const uint32_t *a, size_t stride, const uint32_t *panel, size_t units, const float *scales,
    const float *columns, size_t rows, float *out, size_t ldo
) {
    ck_integers sums[CK_ROWS][CK_VECTORS];
    const uint32_t *inputs[ck_row_groups];
#pragma clang loop unroll(full)
    for (size_t g = 0; g < ck_row_groups; g++) inputs[g] = a + 3 * g * stride;
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < CK_VECTORS; v++) sums[r][v] = (ck_integers){0};
    for (size_t i = 0; i < units; i++, panel += ck_panel) {
        ck_words unit[CK_VECTORS];
#pragma clang loop unroll(full)
        for (size_t v = 0; v < CK_VECTORS; v++) unit[v] = ck_load_words(panel + v * CK_LANES);
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++) {
            ck_words x = ck_splat_word(ck_word_at(inputs[r / 3] + r % 3 * stride));
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++)
                sums[r][v] = (ck_integers)_mm512_dpwssd_epi32(
                    (__m512i)sums[r][v], (__m512i)x, (__m512i)unit[v]);
        }
        CK_ADVANCE(inputs, 1);
    }
#pragma clang loop unroll(full)
    for (size_t v = 0; v < CK_VECTORS; v++) {
        ck_vector column = ck_load(columns + v * CK_LANES);
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
            ck_store(
                out + r * ldo + v * CK_LANES,
                __builtin_convertvector(sums[r][v], ck_vector) * (scales[r] * column));
    }
}

#define CK_TILE_INT16(n) \
    static __attribute__((noinline)) void CK_NAME(int16_##n)( \
        const uint32_t *a, size_t stride, const uint32_t *panel, size_t units, \
        const float *scales, const float *columns, float *out, size_t ldo \
    ) { CK_NAME(multiply_tile_int16)(a, stride, panel, units, scales, columns, n, out, ldo); }
CK_ROW_COUNTS(CK_TILE_INT16)

#define CK_TILE_OF_INT16(n) CK_NAME(int16_##n),
static void (*const CK_NAME(tiles_of_int16)[])(
    const uint32_t *a, size_t stride, const uint32_t *panel, size_t units, const float *scales,
    const float *columns, float *out, size_t ldo
) = {CK_ROW_COUNTS(CK_TILE_OF_INT16)};

typedef struct {
    const float *q;
    size_t ldq, width;
    const uint32_t *keys, *values;
    const float *key_scales, *value_scales;
    size_t key_count;
    float scale;
} ck_attention_int16;

/* Computes scores in base 2. The scales of the queries already contain the factor log2(e). */
CK_INLINE void CK_NAME(score_int16)(
    const void *operands, size_t top, size_t rows, size_t first, size_t count, size_t padded,
    float *scores
) {
    const ck_attention_int16 *o = operands;
    size_t pairs = (o->width + 1) / 2, stride = (o->width + CK_LANES - 1) / CK_LANES * CK_LANES / 2;
    uint32_t codes[CK_ROWS * ck_widest_int16 / 2] __attribute__((aligned(64)));
    float scales[CK_ROWS];
    for (size_t r = 0; r < rows; r++)
        scales[r] = o->scale * CK_NAME(encode_row)(
            o->q + (top + r) * o->ldq, o->width, codes + r * stride);
    for (size_t j = 0; j < count; j += ck_panel)
        CK_NAME(tiles_of_int16)[rows - 1](
            codes, stride, o->keys + (first + j) * pairs, pairs, scales,
            o->key_scales + first + j, scores + j, padded);
}

/* Replaces scores by weights. Two weights have the size of one score. */
CK_INLINE float CK_NAME(weigh_int16)(
    float *x, size_t n, size_t padded, float scale, float largest
) {
    (void)scale;
    const float round = 12582912.0f; /* 1.5 · 2²³: adding it rounds to the nearest integer */
    uint32_t *codes = (uint32_t *)x;
    ck_vector shift = ck_splat(largest - ck_weight_bits);
    ck_integers sum = {0};
    size_t i = 0;
    for (; i < n; i += CK_LANES) {
        ck_vector score = ck_load_up_to(x + i, n - i, -1e30f);
        ck_vector y = score - shift, whole = (y + round) - round, r = y - whole;
        ck_vector p = ck_exp2_of_fraction(r);
        ck_integers code = CK_NAME(codes_of)((ck_vector)_mm512_scalef_ps((__m512)p, (__m512)whole));
        sum += code;
        CK_NAME(store_shorts)(codes + i / 2, code);
    }
    for (; i < padded; i += CK_LANES) CK_NAME(store_shorts)(codes + i / 2, (ck_integers){0});
    return ck_sum(__builtin_convertvector(sum, ck_vector));
}

CK_INLINE void CK_NAME(mix_int16)(
    const void *operands, const float *weights, size_t padded, size_t rows, size_t first,
    size_t count, size_t column, float *tile
) {
    const ck_attention_int16 *o = operands;
    size_t pairs = (o->key_count + 1) / 2;
    float ones[CK_ROWS];
    for (size_t r = 0; r < rows; r++) ones[r] = 1;
    CK_NAME(tiles_of_int16)[rows - 1](
        (const uint32_t *)weights, padded, o->values + column * pairs + first / 2 * ck_panel,
        (count + 1) / 2, ones, o->value_scales + column, tile, ck_panel);
}

static void CK_NAME(attend_int16)(
    const float *q, size_t ldq, size_t queries, size_t width, const void *keys,
    const float *key_scales, const void *values, const float *value_scales, size_t key_count,
    size_t offset, float scale, const ck_scores *rule, float *scores, float *out, size_t ldo
) {
    const float log2_e = 1.44269504f, ln_2 = 0.693147181f;
    ck_attention_int16 operands = {
        q, ldq, width, keys, values, key_scales, value_scales, key_count, scale * log2_e};
    CK_NAME(attend)(
        &operands, CK_NAME(score_int16), CK_NAME(weigh_int16), CK_NAME(mix_int16), CK_ROWS, 0, queries,
        width, key_count, offset, ln_2, rule, scores, out, ldo);
}
#endif
