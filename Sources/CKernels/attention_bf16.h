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

/* Computes scores in base 2. The queries already contain the factor log2(e). */
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
    for (size_t j = 0; j < count; j += ck_panel) {
        const char *keys = o->keys + (first + j) * stride;
        CK_NAME(multiply_attended)(
            (const char *)queries, stride, keys, width / ck_panel, rows > ck_tile_rows, scores + j,
            padded);
    }
}

/* Replaces scores by weights. Two weights have the size of one score. */
CK_INLINE float CK_NAME(weigh_bf16)(
    float *x, size_t n, size_t padded, float scale, float largest
) {
    (void)scale;
    const float round = 12582912.0f; /* 1.5 · 2²³: adding it rounds to the nearest integer */
    uint16_t *weights = (uint16_t *)x;
    ck_vector shift = ck_splat(largest), sum = ck_splat(0);
    for (size_t i = 0; i < n; i += CK_LANES) {
        ck_vector y = ck_load_up_to(x + i, n - i, -__builtin_inff()) - shift;
        y = ck_max(y, ck_splat(-126));
        ck_vector whole = (y + round) - round, r = y - whole;
        ck_vector p = ck_exp2_of_fraction(r);
        ck_integers exponent = __builtin_convertvector(whole, ck_integers) << 23;
        ck_vector weight = (ck_vector)((ck_integers)p + exponent);
        weight = ck_select(y > -126.0f, weight, ck_splat(0));
        sum += weight;
        CK_NAME(store_bf16)(weights + i, weight);
    }
    size_t filled = (n + CK_LANES - 1) / CK_LANES * CK_LANES;
    for (size_t i = filled; i < padded; i++) weights[i] = 0;
    return ck_sum(sum);
}

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
    const float log2_e = 1.44269504f, ln_2 = 0.693147181f;
    ck_attention_bf16 operands = {q, ldq, width, keys, values, key_count, scale * log2_e};
    CK_NAME(attend)(
        &operands, CK_NAME(score_bf16), CK_NAME(weigh_bf16), CK_NAME(mix_bf16), ck_attended_rows,
        ck_tile_units, queries, width, key_count, offset, ln_2, rule, scores, out, ldo);
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
