/* Attention over queries, keys and values in f32. */

static void CK_NAME(softmax_f32)(float *x, size_t n, float scale) {
    float largest = ck_largest_of(x, n, -__builtin_inff());
    ck_vector shift = ck_splat(largest * scale), sum = ck_splat(0);
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) {
        ck_vector e = ck_exp(ck_load(x + i) * scale - shift);
        ck_store(x + i, e);
        sum += e;
    }
    if (i < n) {
        ck_vector e = ck_exp(ck_load_part(x + i, n - i, -__builtin_inff()) * scale - shift);
        ck_store_part(x + i, e, n - i);
        sum += e;
    }
    float inverse = 1.0f / ck_sum(sum);
    for (i = 0; i + CK_LANES <= n; i += CK_LANES) ck_store(x + i, ck_load(x + i) * inverse);
    for (; i < n; i++) x[i] *= inverse;
}

/* Turns scores into weights e^(scale · (x - largest)), given the largest score so far; returns their
 * sum. Lanes past the last score become 0, up to `padded` of them. */
CK_INLINE float CK_NAME(weigh_f32)(
    float *x, size_t n, size_t padded, float scale, float largest
) {
    ck_vector shift = ck_splat(largest * scale), sum = ck_splat(0);
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) {
        ck_vector e = ck_exp(ck_load(x + i) * scale - shift);
        ck_store(x + i, e);
        sum += e;
    }
    if (i < n) {
        ck_vector e = ck_exp(ck_load_part(x + i, n - i, -__builtin_inff()) * scale - shift);
        ck_store(x + i, e);
        sum += e;
        i += CK_LANES;
    }
    for (; i < padded; i += CK_LANES) ck_store(x + i, ck_splat(0));
    return ck_sum(sum);
}

typedef struct {
    const float *q;
    size_t ldq, width;
    const float *keys, *values;
    size_t key_count;
} ck_attention_f32;

CK_INLINE void CK_NAME(score_f32)(
    const void *operands, size_t top, size_t rows, size_t first, size_t count, size_t padded,
    float *scores
) {
    const ck_attention_f32 *o = operands;
    float tile[CK_ROWS * ck_panel] __attribute__((aligned(64)));
    for (size_t j = 0; j < count; j += ck_panel) {
        CK_NAME(multiply_rows)(
            o->q + top * o->ldq, o->ldq, o->keys + (first + j) * o->width, o->width, rows, tile);
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < ck_panel; c += CK_LANES)
                ck_store(scores + r * padded + j + c, ck_load(tile + r * ck_panel + c));
    }
}

CK_INLINE void CK_NAME(mix_f32)(
    const void *operands, const float *weights, size_t padded, size_t rows, size_t first,
    size_t count, size_t column, float *tile
) {
    const ck_attention_f32 *o = operands;
    CK_NAME(multiply_rows)(
        weights, padded, o->values + column * o->key_count + first * ck_panel, count, rows, tile);
}

static void CK_NAME(attend_f32)(
    const float *q, size_t ldq, size_t queries, size_t width, const float *keys,
    const float *values, size_t key_count, size_t offset, float scale, float *scores, float *out,
    size_t ldo
) {
    ck_attention_f32 operands = {q, ldq, width, keys, values, key_count};
    CK_NAME(attend)(
        &operands, CK_NAME(score_f32), CK_NAME(weigh_f32), CK_NAME(mix_f32), queries, width,
        key_count, offset, scale, scores, out, ldo);
}

static void CK_NAME(attend_one_f32)(
    const float *q, size_t width, const float *keys, const float *values, size_t ld,
    size_t key_count, float scale, float *scores, float *out
) {
    for (size_t j = 0; j < key_count; j++) {
        const float *key = keys + j * ld;
        ck_vector sum = ck_splat(0);
        size_t i = 0;
        for (; i + CK_LANES <= width; i += CK_LANES) sum += ck_load(q + i) * ck_load(key + i);
        float product = ck_sum(sum);
        for (; i < width; i++) product += q[i] * key[i];
        scores[j] = product;
    }
    CK_NAME(softmax_f32)(scores, key_count, scale);
    for (size_t i = 0; i < width; i += CK_LANES) {
        size_t left = width - i < CK_LANES ? width - i : CK_LANES;
        ck_vector sum = ck_splat(0);
        if (left == CK_LANES) {
            for (size_t j = 0; j < key_count; j++) sum += scores[j] * ck_load(values + j * ld + i);
            ck_store(out + i, sum);
        } else {
            for (size_t j = 0; j < key_count; j++)
                sum += scores[j] * ck_load_part(values + j * ld + i, left, 0);
            ck_store_part(out + i, sum, left);
        }
    }
}
