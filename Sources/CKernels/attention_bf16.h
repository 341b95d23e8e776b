/* Attention over queries, keys and values in bfloat16, in tile registers. Scores, softmax and sums
 * are in f32. */

typedef struct {
    const float *q;
    size_t ldq, width;
    const char *keys, *values;
    size_t key_count;
    float scale;
} ck_attention_bf16;

/* Multiplies `steps` steps of up to 32 lines, `stride` bytes apart, with a panel. */
CK_INLINE void CK_NAME(multiply_attended)(
    const char *lines, size_t stride, const char *units, size_t steps, int pair, float *sums,
    size_t ld
) {
    CK_NAME(clear_sums)(pair);
    for (size_t i = 0; i < steps; i++)
        CK_NAME(multiply_step)(
            lines + i * ck_tile_bytes, stride, units + i * ck_tile_units * ck_unit_bytes, 0, pair);
    CK_NAME(store_sums)(sums, ld, pair);
}

/* Multiplies lines that are already in their tiles with 16 units of a panel. */
CK_INLINE void CK_NAME(multiply_held)(const char *units, int pair) {
    ck_tile_load(6, units, ck_unit_bytes);
    ck_tile_multiply_bf16(0, 4, 6);
    ck_tile_load(7, units + ck_tile_bytes, ck_unit_bytes);
    ck_tile_multiply_bf16(1, 4, 7);
    if (!pair) return;
    ck_tile_multiply_bf16(2, 5, 6);
    ck_tile_multiply_bf16(3, 5, 7);
}

/* A score is 128 times the exponent of its power of 2. The queries contain this factor. */
enum { ck_score_units = 128 };

CK_INLINE void CK_NAME(score_bf16)(
    const void *operands, size_t top, size_t rows, size_t first, size_t count, size_t padded,
    float *scores
) {
    const ck_attention_bf16 *o = operands;
    size_t width = o->width, stride = width * sizeof(uint16_t);
    uint16_t queries[ck_attended_rows * ck_widest_bf16] __attribute__((aligned(64)));
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i += CK_LANES)
            CK_NAME(store_bf16)(
                queries + r * width + i, o->scale * ck_load(o->q + (top + r) * o->ldq + i));
    CK_NAME(configure_tiles)(rows);
    int pair = rows > ck_tile_rows, one = width == ck_panel;
    /* Queries of one step stay in their tiles. */
    if (one) {
        ck_tile_load(4, queries, stride);
        if (pair) ck_tile_load(5, (const char *)queries + ck_tile_rows * stride, stride);
    }
    for (size_t j = 0; j < count; j += ck_panel) {
        const char *keys = o->keys + (first + j) * stride;
        if (one) {
            CK_NAME(clear_sums)(pair);
            CK_NAME(multiply_held)(keys, pair);
            CK_NAME(store_sums)(scores + j, padded, pair);
        } else
            CK_NAME(multiply_attended)(
                (const char *)queries, stride, keys, width / ck_panel, pair, scores + j, padded);
    }
}

#if CK_X86
/* How much the mantissa f of 2^(f/128) in bfloat16 is less than f. */
static const uint8_t CK_NAME(mantissa_corrections)[128] __attribute__((aligned(64))) = {
    0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4,
    4, 5, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 8,
    8, 8, 8, 8, 8, 9, 9, 9, 9, 9, 9, 9, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11,
    11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11,
    11, 11, 10, 10, 10, 10, 10, 10, 10, 10, 10, 9, 9, 9, 9, 9,
    9, 9, 8, 8, 8, 8, 8, 7, 7, 7, 7, 7, 6, 6, 6, 6,
    5, 5, 5, 4, 4, 4, 3, 3, 3, 3, 2, 2, 1, 1, 1, 0,
};

/* Replaces 32 scores, in units of 1/128, by powers of 2 in bfloat16. A rounded score is the exponent
 * and the mantissa of its power, except for a correction. Powers below 2^-126 become 0. */
CK_INLINE __m512i CK_NAME(powers_bf16)(__m512 low, __m512 high) {
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    __m512i all = _mm512_permutexvar_epi64(
        order, _mm512_packs_epi32(_mm512_cvtps_epi32(low), _mm512_cvtps_epi32(high)));
    all = _mm512_max_epi16(
        _mm512_adds_epi16(all, _mm512_set1_epi16(127 * 128)), _mm512_setzero_si512());
    const uint8_t *table = CK_NAME(mantissa_corrections);
    __m512i correction = _mm512_maskz_permutex2var_epi8(
        0x5555555555555555, _mm512_load_si512(table), all, _mm512_load_si512(table + 64));
    return _mm512_sub_epi16(all, correction);
}

/* Replaces scores by weights. Two weights have the size of one score. */
CK_INLINE float CK_NAME(weigh_bf16)(
    float *x, size_t n, size_t padded, float scale, float largest
) {
    (void)scale;
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    uint16_t *weights = (uint16_t *)x;
    __m512 shift = _mm512_set1_ps(largest), sum = _mm512_setzero_ps();
    size_t i = 0;
    for (; i < n; i += 2 * CK_LANES) {
        __m512 low, high;
        if (i + 2 * CK_LANES <= n) {
            low = _mm512_loadu_ps(x + i);
            high = _mm512_loadu_ps(x + i + CK_LANES);
        } else {
            const __m512 none = _mm512_set1_ps(-__builtin_inff());
            uint32_t some = (1u << (n - i)) - 1;
            low = _mm512_mask_loadu_ps(none, (__mmask16)some, x + i);
            high = _mm512_mask_loadu_ps(none, (__mmask16)(some >> CK_LANES), x + i + CK_LANES);
        }
        __m512i weight =
            CK_NAME(powers_bf16)(_mm512_sub_ps(low, shift), _mm512_sub_ps(high, shift));
        sum = _mm512_dpbf16_ps(sum, (__m512bh)weight, ones);
        _mm512_storeu_si512(weights + i, weight);
    }
    if (i < padded) __builtin_memset(weights + i, 0, (padded - i) * sizeof *weights);
    return _mm512_reduce_add_ps(sum);
}
#else
/* Replaces scores by weights. Two weights have the size of one score. */
CK_INLINE float CK_NAME(weigh_bf16)(
    float *x, size_t n, size_t padded, float scale, float largest
) {
    (void)scale;
    uint16_t *weights = (uint16_t *)x;
    ck_vector sum = ck_splat(0);
    for (size_t i = 0; i < n; i += CK_LANES) {
        ck_vector y = ck_load_up_to(x + i, n - i, -__builtin_inff());
        ck_vector weight = ck_exp((y - largest) * (0.693147181f / ck_score_units));
        sum += weight;
        CK_NAME(store_bf16)(weights + i, weight);
    }
    size_t filled = (n + CK_LANES - 1) / CK_LANES * CK_LANES;
    for (size_t i = filled; i < padded; i++) weights[i] = 0;
    return ck_sum(sum);
}
#endif

CK_INLINE void CK_NAME(mix_bf16)(
    const void *operands, const float *weights, size_t padded, size_t rows, size_t first,
    size_t count, size_t column, float *tile
) {
    const ck_attention_bf16 *o = operands;
    size_t keys = (o->key_count + ck_panel - 1) / ck_panel * ck_panel;
    size_t steps = (count + ck_panel - 1) / ck_panel, stride = padded * sizeof *weights;
    const char *lines = (const char *)weights;
    const char *values = o->values + (column * keys + first * ck_panel) * sizeof(uint16_t);
    CK_NAME(multiply_attended)(
        lines, stride, values, steps, rows > ck_tile_rows, tile, ck_panel);
}

static void CK_NAME(attend_bf16)(
    const float *q, size_t ldq, size_t queries, size_t width, const void *keys, const void *values,
    size_t key_count, size_t offset, float scale, const ck_scores *rule, float *scores, float *out,
    size_t ldo
) {
    const float unit = 0.693147181f / ck_score_units;
    ck_attention_bf16 operands = {q, ldq, width, keys, values, key_count, scale / unit};
    CK_NAME(attend)(
        &operands, CK_NAME(score_bf16), CK_NAME(weigh_bf16), CK_NAME(mix_bf16), ck_attended_rows,
        ck_tile_units, queries, width, key_count, offset, unit, rule, scores, out, ldo);
    ck_tile_release();
}

static void CK_NAME(pack_values_bf16)(
    const float *source, size_t ld, size_t n, size_t width, void *panels
) {
    size_t padded = (n + ck_panel - 1) / ck_panel * ck_panel;
    for (size_t j = 0; j < width; j += ck_panel) {
        uint16_t *panel = (uint16_t *)panels + j * padded;
        CK_NAME(pack_columns_bf16)(
            source + j, ld, n, width - j < ck_panel ? width - j : ck_panel, panel);
        size_t filled = (n + 1) / 2 * 2;
        __builtin_memset(
            panel + filled * ck_panel, 0, (padded - filled) * ck_panel * sizeof *panel);
    }
}
