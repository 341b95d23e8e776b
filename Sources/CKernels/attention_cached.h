/* Attention of single queries to cached keys and values in 8 bits.
 *
 *     score[j]  =  scale · scale_q · scale_k[j] · Σ q[i] · k[j][i]
 *     out[c]    =  scale_w · Σ w[j] · v[j][c]        w = softmax(score)[j] · scale_v[j] / scale_w
 *
 * Each cached key and each cached value has a scale. Queries and weights are rounded to 16 bits. Two
 * products are added by one instruction, so inputs of keys, and keys of a value's column, are stored
 * in pairs. A panel contains the pairs of 32 keys:
 *
 *     keys[(j/32*P + i/2)*64 + j%32*2 + i%2]  =  input i of key j       P = (width + 1) / 2
 *     values[(j/2*W + c)*2 + j%2]             =  column c of value j    W = width rounded up to 16
 *
 * Sums of integers are exact: they have at most ck_widest_cached or ck_key_block terms, which is 512,
 * and 512 · 127 · 32767 < 2³¹. */
enum { ck_full_code = 32767 };

typedef int8_t CK_NAME(code_pairs) __attribute__((vector_size(CK_LANES * 2), aligned(1)));
typedef int16_t CK_NAME(pairs) __attribute__((vector_size(CK_LANES * 4), aligned(2), may_alias));
typedef int16_t CK_NAME(shorts) __attribute__((vector_size(CK_LANES * 2), aligned(2), may_alias));

CK_INLINE void CK_NAME(store_shorts)(void *p, ck_integers codes) {
    *(CK_NAME(shorts) *)p = __builtin_convertvector(codes, CK_NAME(shorts));
}

/* Adds the two products of each pair to a sum. */
CK_INLINE ck_integers CK_NAME(add_pairs)(ck_integers sums, CK_NAME(pairs) a, CK_NAME(pairs) b) {
#if CK_VNNI
    return (ck_integers)_mm512_dpwssd_epi32((__m512i)sums, (__m512i)a, (__m512i)b);
#elif CK_X86 && CK_LANES == 16
    return sums + (ck_integers)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif CK_X86 && CK_LANES == 8
    return sums + (ck_integers)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif CK_NEON
    int16x8_t x = (int16x8_t)a, y = (int16x8_t)b;
    int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y));
    return sums + (ck_integers)vpaddq_s32(low, vmull_high_s16(x, y));
#else
    ck_integers wide_a = (ck_integers)a, wide_b = (ck_integers)b;
    return sums + (wide_a >> 16) * (wide_b >> 16)
        + (wide_a << 16 >> 16) * (wide_b << 16 >> 16);
#endif
}

/* Rounds n floats to 16-bit integers, zero-padded to whole vectors; `codes` may be x. Returns the
 * scale of the integers. */
CK_INLINE float CK_NAME(encode_full)(const float *x, size_t n, int16_t *codes) {
/* With a fused multiply-add, the last bit would depend on the instruction set. */
#pragma clang fp contract(off)
    const float round = 12582912.0f; /* 1.5 · 2²³: adding it rounds to the nearest integer */
    float largest = CK_NAME(max_magnitude)(x, n);
    float inverse = largest > 0 ? ck_full_code / largest : 0;
    for (size_t i = 0; i < n; i += CK_LANES) {
        ck_vector shifted = ck_load_up_to(x + i, n - i, 0) * inverse + round;
        ck_integers code = (ck_integers)shifted - 0x4b400000;
        code = __builtin_elementwise_max(code, (ck_integers){0} - ck_full_code);
        code = __builtin_elementwise_min(code, (ck_integers){0} + ck_full_code);
        CK_NAME(store_shorts)(codes + i, code);
    }
    return largest / ck_full_code;
}

static float CK_NAME(cache_int8)(float *x, size_t width, int8_t *to, size_t pair, size_t step) {
    int8_t codes[ck_widest_cached];
    float scale = CK_NAME(round_int8)(x, width, codes);
    for (size_t i = 0; i < width; i++) x[i] = codes[i] * scale;
    if (!to) return scale;
    for (size_t i = 0; i < width; i++) to[i / 2 * pair + i % 2 * step] = codes[i];
    return scale;
}

/* Computes the scaled products of the queries of `heads` heads with n keys. Queries are `stride` words
 * apart. The number of scores of a head is n rounded up to 32. */
CK_INLINE void CK_NAME(score_cached)(
    const uint32_t *queries, size_t stride, const float *scales, const int8_t *keys,
    const float *key_scales, size_t pairs, size_t n, size_t heads, float *scores, size_t padded
) {
    enum { vectors = 2, ahead = 2048 };
    for (size_t j = 0; j < n; j += ck_panel)
        for (size_t lane = 0; lane < ck_panel; lane += vectors * CK_LANES) {
            const int8_t *panel = keys + (j * pairs + lane) * 2;
            ck_integers sums[3][vectors];
#pragma clang loop unroll(full)
            for (size_t h = 0; h < heads; h++)
#pragma clang loop unroll(full)
                for (size_t v = 0; v < vectors; v++) sums[h][v] = (ck_integers){0};
            for (size_t i = 0; i < pairs; i++, panel += 2 * ck_panel) {
                CK_NAME(pairs) inputs[vectors];
                __builtin_prefetch(panel + ahead, 0, 2);
#pragma clang loop unroll(full)
                for (size_t v = 0; v < vectors; v++)
                    inputs[v] = __builtin_convertvector(
                        *(const CK_NAME(code_pairs) *)(panel + v * 2 * CK_LANES), CK_NAME(pairs));
#pragma clang loop unroll(full)
                for (size_t h = 0; h < heads; h++) {
                    CK_NAME(pairs) query =
                        (CK_NAME(pairs))ck_splat_word(queries[h * stride + i]);
#pragma clang loop unroll(full)
                    for (size_t v = 0; v < vectors; v++)
                        sums[h][v] = CK_NAME(add_pairs)(sums[h][v], inputs[v], query);
                }
            }
#pragma clang loop unroll(full)
            for (size_t v = 0; v < vectors; v++) {
                size_t place = j + lane + v * CK_LANES;
                ck_vector key_scale = ck_load(key_scales + place);
#pragma clang loop unroll(full)
                for (size_t h = 0; h < heads; h++)
                    ck_store(
                        scores + h * padded + place,
                        __builtin_convertvector(sums[h][v], ck_vector) * (key_scale * scales[h]));
            }
        }
}

/* Adds the weighted sums of n values to `vectors` vectors of columns of the sums of `heads` heads.
 * Weights are `stride` words apart. `columns` is the number of columns of values and sums. */
CK_INLINE void CK_NAME(mix_cached)(
    const uint32_t *weights, size_t stride, const int8_t *values, size_t columns, size_t n,
    size_t heads, size_t vectors, float *sums
) {
    enum { ahead = 2048 };
    ck_integers totals[3][4];
#pragma clang loop unroll(full)
    for (size_t h = 0; h < heads; h++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) totals[h][v] = (ck_integers){0};
    for (size_t i = 0; i < (n + 1) / 2; i++, values += 2 * columns) {
        CK_NAME(pairs) inputs[4];
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) {
            if (v % 2 == 0) __builtin_prefetch(values + ahead + v * 2 * CK_LANES, 0, 2);
            inputs[v] = __builtin_convertvector(
                *(const CK_NAME(code_pairs) *)(values + v * 2 * CK_LANES), CK_NAME(pairs));
        }
#pragma clang loop unroll(full)
        for (size_t h = 0; h < heads; h++) {
            CK_NAME(pairs) weight = (CK_NAME(pairs))ck_splat_word(weights[h * stride + i]);
#pragma clang loop unroll(full)
            for (size_t v = 0; v < vectors; v++)
                totals[h][v] = CK_NAME(add_pairs)(totals[h][v], inputs[v], weight);
        }
    }
#pragma clang loop unroll(full)
    for (size_t h = 0; h < heads; h++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) {
            float *sum = sums + h * columns + v * CK_LANES;
            ck_store(sum, ck_load(sum) + __builtin_convertvector(totals[h][v], ck_vector));
        }
}

CK_INLINE void CK_NAME(attend_cached_heads)(
    const float *q, size_t width, size_t heads, ck_cached_head cached, size_t first, size_t n,
    float scale, const ck_scores *rule, float *scores, float *out
) {
    size_t pairs = (width + 1) / 2, columns = (width + 15) / 16 * 16;
    size_t padded = (n + ck_panel - 1) / ck_panel * ck_panel;
    uint32_t *queries = (uint32_t *)(scores + heads * padded);
    float *sums = scores + heads * (padded + columns / 2), scales[3];
    for (size_t h = 0; h < heads; h++)
        scales[h] = CK_NAME(encode_full)(
            q + h * width, width, (int16_t *)(queries + h * (columns / 2)));
    CK_NAME(score_cached)(
        queries, columns / 2, scales, cached.keys, cached.key_scales, pairs, n, heads, scores,
        padded);
    int changes = CK_NAME(changes)(rule);
    for (size_t h = 0; h < heads; h++) {
        float *row = scores + h * padded;
        for (size_t j = 0; j < first; j++) row[j] = 0;
        if (changes) CK_NAME(score_f32)(row + first, n - first, scale, rule, 0);
        CK_NAME(softmax_f32)(row + first, n - first, changes ? 1 : scale);
        for (size_t j = 0; j < padded; j += CK_LANES)
            ck_store(row + j, ck_load(row + j) * ck_load(cached.value_scales + j));
        scales[h] = CK_NAME(encode_full)(row, n, (int16_t *)row);
    }
    for (size_t i = 0; i < heads * columns; i++) sums[i] = 0;
    const uint32_t *weights = (const uint32_t *)scores;
    for (size_t j = 0; j < n; j += ck_key_block) {
        size_t count = n - j < ck_key_block ? n - j : ck_key_block, c = 0;
        for (; c + 4 * CK_LANES <= columns; c += 4 * CK_LANES)
            CK_NAME(mix_cached)(
                weights + j / 2, padded, cached.values + (j / 2 * columns + c) * 2, columns, count,
                heads, 4, sums + c);
        for (; c < columns; c += CK_LANES)
            CK_NAME(mix_cached)(
                weights + j / 2, padded, cached.values + (j / 2 * columns + c) * 2, columns, count,
                heads, 1, sums + c);
    }
    for (size_t h = 0; h < heads; h++)
        for (size_t c = 0; c < width; c++) out[h * width + c] = sums[h * columns + c] * scales[h];
}

/* Heads are computed up to three at a time, so that their sums stay in registers. */
static void CK_NAME(attend_cached)(
    const float *q, size_t width, size_t heads, ck_cached_head cached, size_t first, size_t count,
    float scale, const ck_scores *rule, float *scores, float *out
) {
    size_t begin = first / ck_panel * ck_panel, parts = (heads + 2) / 3;
    cached.keys += begin * ((width + 1) / 2 * 2);
    cached.values += begin * ((width + 15) / 16 * 16);
    cached.key_scales += begin;
    cached.value_scales += begin;
    first -= begin;
    count -= begin;
    for (size_t p = 0; p < parts; p++) {
        size_t from = heads * p / parts, some = heads * (p + 1) / parts - from;
        const float *own = q + from * width;
        float *result = out + from * width;
        if (some == 1)
            CK_NAME(attend_cached_heads)(
                own, width, 1, cached, first, count, scale, rule, scores, result);
        else if (some == 2)
            CK_NAME(attend_cached_heads)(
                own, width, 2, cached, first, count, scale, rule, scores, result);
        else
            CK_NAME(attend_cached_heads)(
                own, width, 3, cached, first, count, scale, rule, scores, result);
    }
}
