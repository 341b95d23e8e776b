/* Scaled dot-product attention, a few queries at a time: their scores against a block of keys fit in
 * the first-level cache, and the full score matrix is never written. */

static void CK_NAME(softmax_f32)(float *x, size_t n, float scale) {
    ck_vector largest = ck_splat(-__builtin_inff());
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) largest = ck_max(largest, ck_load(x + i));
    if (i < n) largest = ck_max(largest, ck_load_part(x + i, n - i, -__builtin_inff()));
    ck_vector shift = ck_splat(ck_largest(largest) * scale), sum = ck_splat(0);
    for (i = 0; i + CK_LANES <= n; i += CK_LANES) {
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

CK_INLINE float CK_NAME(largest_f32)(const float *x, size_t n) {
    ck_vector largest = ck_splat(-__builtin_inff());
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) largest = ck_max(largest, ck_load(x + i));
    if (i < n) largest = ck_max(largest, ck_load_part(x + i, n - i, -__builtin_inff()));
    return ck_largest(largest);
}

/* Keys come in blocks. What the blocks before have added up to is scaled down when a block has a
 * greater score, so that one block's scores are all that is ever written.
 * Source: Dao et al., "FlashAttention", arXiv 2205.14135, algorithm 1. */
static void CK_NAME(attend_f32)(
    const float *q, size_t ldq, size_t queries, size_t width, const float *keys,
    const float *values, size_t key_count, size_t offset, float scale, float *scores, float *out,
    size_t ldo
) {
    size_t tiles = (queries + CK_ROWS - 1) / CK_ROWS;
    float tile[CK_ROWS * ck_panel] __attribute__((aligned(64)));
    for (size_t t = 0; t < tiles; t++) {
        size_t top = queries * t / tiles, rows = queries * (t + 1) / tiles - top;
        size_t seen = key_count;
        if (offset < key_count && offset + top + rows < key_count) seen = offset + top + rows;
        float largest[CK_ROWS], sums[CK_ROWS];
        for (size_t r = 0; r < rows; r++) largest[r] = -__builtin_inff(), sums[r] = 0;
        for (size_t first = 0; first < seen; first += ck_key_block) {
            size_t count = seen - first < ck_key_block ? seen - first : ck_key_block;
            size_t padded = (count + ck_panel - 1) / ck_panel * ck_panel;
            for (size_t j = 0; j < count; j += ck_panel) {
                CK_NAME(multiply_rows)(
                    q + top * ldq, ldq, keys + (first + j) * width, width, rows, tile);
                for (size_t r = 0; r < rows; r++)
                    for (size_t c = 0; c < ck_panel; c += CK_LANES)
                        ck_store(scores + r * padded + j + c, ck_load(tile + r * ck_panel + c));
            }
            float kept[CK_ROWS];
            for (size_t r = 0; r < rows; r++) {
                size_t last = seen;
                if (offset < key_count && offset + top + r + 1 < seen) last = offset + top + r + 1;
                size_t n = last < first ? 0 : last - first < count ? last - first : count;
                float *row = scores + r * padded;
                float block = CK_NAME(largest_f32)(row, n);
                float greater = block > largest[r] ? block : largest[r];
                kept[r] = first ? __builtin_expf((largest[r] - greater) * scale) : 0;
                largest[r] = greater;
                sums[r] = sums[r] * kept[r] + CK_NAME(weigh_f32)(row, n, padded, scale, greater);
            }
            for (size_t j = 0; j < width; j += ck_panel) {
                size_t left = width - j < ck_panel ? width - j : ck_panel;
                CK_NAME(multiply_rows)(
                    scores, padded, values + j * key_count + first * ck_panel, count, rows, tile);
                for (size_t r = 0; r < rows; r++) {
                    float *sum = out + (top + r) * ldo + j;
                    float share = seen - first <= ck_key_block ? 1.0f / sums[r] : 1.0f;
                    for (size_t c = 0; c < left; c += CK_LANES) {
                        ck_vector y = ck_load(tile + r * ck_panel + c);
                        size_t lanes = left - c < CK_LANES ? left - c : CK_LANES;
                        if (lanes < CK_LANES) {
                            if (first) y += ck_load_part(sum + c, lanes, 0) * kept[r];
                            ck_store_part(sum + c, y * share, lanes);
                        } else {
                            if (first) y += ck_load(sum + c) * kept[r];
                            ck_store(sum + c, y * share);
                        }
                    }
                }
            }
        }
    }
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
