/* Scaled dot-product attention, a few queries at a time: their scores against every key fit in
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

static void CK_NAME(attend_f32)(
    const float *q, size_t ldq, size_t queries, size_t width, const float *keys,
    const float *values, size_t key_count, size_t offset, float scale, float *scores, float *out,
    size_t ldo
) {
    size_t stride = (key_count + ck_panel - 1) / ck_panel * ck_panel;
    size_t tiles = (queries + CK_ROWS - 1) / CK_ROWS;
    float tile[CK_ROWS * ck_panel] __attribute__((aligned(64)));
    for (size_t t = 0; t < tiles; t++) {
        size_t top = queries * t / tiles, rows = queries * (t + 1) / tiles - top;
        size_t seen = key_count;
        if (offset < key_count && offset + top + rows < key_count) seen = offset + top + rows;
        for (size_t j = 0; j < seen; j += ck_panel) {
            CK_NAME(multiply_rows)(q + top * ldq, ldq, keys + j * width, width, rows, tile);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < ck_panel; c += CK_LANES)
                    ck_store(scores + r * stride + j + c, ck_load(tile + r * ck_panel + c));
        }
        for (size_t r = 0; r < rows; r++) {
            float *row = scores + r * stride;
            size_t count = seen;
            if (offset < key_count && offset + top + r + 1 < seen) count = offset + top + r + 1;
            CK_NAME(softmax_f32)(row, count, scale);
            for (size_t j = count; j < seen; j++) row[j] = 0;
        }
        for (size_t j = 0; j < width; j += ck_panel) {
            size_t left = width - j < ck_panel ? width - j : ck_panel;
            CK_NAME(multiply_rows)(scores, stride, values + j * key_count, seen, rows, tile);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < left; c++)
                    out[(top + r) * ldo + j + c] = tile[r * ck_panel + c];
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
