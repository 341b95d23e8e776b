/* Attention over queries, keys and values in f32. */

/* x = e^(scale · (x - largest)). Returns the sum of x. With `fills`, the lanes of the last vector
 * after n become 0. Otherwise nothing after n is written. */
CK_INLINE float CK_NAME(exponentiate_f32)(
    float *x, size_t n, float scale, float largest, int fills
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
        if (fills) ck_store(x + i, e);
        else ck_store_part(x + i, e, n - i);
        sum += e;
    }
    return ck_sum(sum);
}

static void CK_NAME(softmax_f32)(float *x, size_t n, float scale) {
    float largest = ck_largest_of(x, n, -__builtin_inff());
    float inverse = 1.0f / CK_NAME(exponentiate_f32)(x, n, scale, largest, 0);
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) ck_store(x + i, ck_load(x + i) * inverse);
    for (; i < n; i++) x[i] *= inverse;
}

/* Replaces scores by weights; see ck_weigh. Returns the sum of the weights. Lanes from n up to
 * `padded` become 0. */
CK_INLINE float CK_NAME(weigh_f32)(
    float *x, size_t n, size_t padded, float scale, float largest
) {
    float sum = CK_NAME(exponentiate_f32)(x, n, scale, largest, 1);
    size_t i = (n + CK_LANES - 1) / CK_LANES * CK_LANES;
    for (; i < padded; i += CK_LANES) ck_store(x + i, ck_splat(0));
    return sum;
}

typedef struct {
    const float *q;
    size_t ldq, width;
    const float *keys, *values;
    size_t key_count;
} ck_attention_f32;

CK_INLINE void CK_NAME(products_f32)(
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
    const float *values, size_t key_count, size_t offset, float scale, const ck_scores *rule,
    float *scores, float *out, size_t ldo
) {
    ck_attention_f32 operands = {q, ldq, width, keys, values, key_count};
    CK_NAME(attend)(
        &operands, CK_NAME(products_f32), CK_NAME(weigh_f32), CK_NAME(mix_f32), CK_ROWS, 0,
        queries, width, key_count, offset, scale, rule, scores, out, ldo);
}

/* Returns a vector whose lane r is the sum of all lanes of rows[r]. In the first step, half vectors
 * of pairs of rows are exchanged and added, then quarters of vectors, down to single lanes. */
CK_INLINE ck_vector CK_NAME(row_sums)(ck_vector *rows) {
#pragma clang loop unroll(full)
    for (size_t step = CK_LANES / 2; step > 0; step /= 2)
#pragma clang loop unroll(full)
        for (size_t i = 0; i < step; i++) {
            ck_vector upper = rows[i], lower = rows[i + step], kept = upper, moved = lower;
#pragma clang loop unroll(full)
            for (size_t lane = 0; lane < CK_LANES; lane++)
                if (lane & step)
                    kept[lane] = lower[lane];
                else
                    moved[lane] = upper[lane + step];
#pragma clang loop unroll(full)
            for (size_t lane = 0; lane < CK_LANES; lane++)
                if (lane & step) moved[lane] = lower[lane - step];
            rows[i] = kept + moved;
        }
    return rows[0];
}

/* The number of rows between keys or values that are read and those that are prefetched. */
enum { ck_keys_ahead = 64 };

/* The products of a query with `count` <= CK_LANES keys. If there are CK_LANES keys, as many floats
 * from `next` on are prefetched, unless it is null. */
CK_INLINE ck_vector CK_NAME(multiply_keys)(
    const float *q, size_t width, const float *keys, size_t ld, size_t count, const float *next
) {
    size_t whole = width / CK_LANES * CK_LANES;
    ck_vector products[CK_LANES];
    for (size_t r = 0; r < CK_LANES; r++) products[r] = ck_splat(0);
    if (count == CK_LANES)
        for (size_t i = 0; i < whole; i += CK_LANES) {
            ck_vector query = ck_load(q + i);
#pragma clang loop unroll(full)
            for (size_t r = 0; r < CK_LANES; r++) {
                if (next) __builtin_prefetch(next + (i + r) * CK_LANES, 0, 2);
                products[r] += query * ck_load(keys + r * ld + i);
            }
        }
    else
        for (size_t r = 0; r < count; r++)
            for (size_t i = 0; i < whole; i += CK_LANES)
                products[r] += ck_load(q + i) * ck_load(keys + r * ld + i);
    ck_vector sums = CK_NAME(row_sums)(products);
    for (size_t r = 0; r < count; r++)
        for (size_t i = whole; i < width; i++) sums[r] += q[i] * keys[r * ld + i];
    return sums;
}

/* Adds `count` weighted rows of values to sums of `vectors` vectors: even rows to the first sums,
 * odd rows to the second ones, so that additions do not wait for each other. The floats that are
 * `ahead` rows further are prefetched, unless it is 0. */
CK_INLINE void CK_NAME(mix_rows)(
    const float *values, size_t ld, size_t count, const float *weights, size_t vectors,
    size_t ahead, float *sums
) {
    ck_vector even[4], odd[4];
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) {
        even[v] = ck_load(sums + v * CK_LANES);
        odd[v] = ck_load(sums + (vectors + v) * CK_LANES);
    }
    size_t j = 0;
    for (; j + 2 <= count; j += 2, values += 2 * ld)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) {
            if (ahead) {
                const float *next = values + ahead * ld + 2 * v * CK_LANES;
                __builtin_prefetch(next, 0, 2);
                __builtin_prefetch(next + CK_LANES, 0, 2);
            }
            even[v] += weights[j] * ck_load(values + v * CK_LANES);
            odd[v] += weights[j + 1] * ck_load(values + ld + v * CK_LANES);
        }
#pragma clang loop unroll(full)
    for (size_t v = 0; v < vectors; v++) {
        if (j < count) even[v] += weights[j] * ck_load(values + v * CK_LANES);
        ck_store(sums + v * CK_LANES, even[v]);
        ck_store(sums + (vectors + v) * CK_LANES, odd[v]);
    }
}

/* Computes `vectors` vectors of columns of the contexts of all heads. */
CK_INLINE void CK_NAME(mix_heads)(
    const float *values, size_t ld, size_t key_count, const float *weights, size_t heads,
    size_t width, size_t vectors, float *sums, float *out
) {
    enum { block = 32 };
    size_t size = 2 * vectors * CK_LANES;
    __builtin_memset(sums, 0, heads * size * sizeof *sums);
    for (size_t j = 0; j < key_count; j += block) {
        size_t count = key_count - j < block ? key_count - j : block;
        CK_NAME(mix_rows)(values + j * ld, ld, count, weights + j, vectors, ck_keys_ahead, sums);
        for (size_t h = 1; h < heads; h++)
            CK_NAME(mix_rows)(
                values + j * ld, ld, count, weights + h * key_count + j, vectors, 0,
                sums + h * size);
    }
    for (size_t h = 0; h < heads; h++)
        for (size_t v = 0; v < vectors * CK_LANES; v += CK_LANES)
            ck_store(
                out + h * width + v,
                ck_load(sums + h * size + v)
                    + ck_load(sums + h * size + vectors * CK_LANES + v));
}

/* The heads read each block of keys and of values one after another, so that it is read from memory
 * once. Prefetches are in the order of addresses, because the hardware then prefetches too. */
static void CK_NAME(attend_one_f32)(
    const float *q, size_t width, size_t heads, const float *keys, const float *values, size_t ld,
    size_t key_count, float scale, const ck_scores *rule, float *scores, float *out
) {
    for (size_t j = 0; j < key_count; j += CK_LANES) {
        size_t count = key_count - j < CK_LANES ? key_count - j : CK_LANES;
        const float *block = keys + j * ld;
        size_t ahead = j + ck_keys_ahead;
        const float *next =
            ahead < key_count ? keys + ahead * ld : values + (ahead - key_count) * ld;
        for (size_t h = 0; h < heads; h++) {
            ck_vector sums = h == 0
                ? CK_NAME(multiply_keys)(q, width, block, ld, count, next)
                : CK_NAME(multiply_keys)(q + h * width, width, block, ld, count, 0);
            float *to = scores + h * key_count + j;
            if (count == CK_LANES) ck_store(to, sums);
            else ck_store_part(to, sums, count);
        }
    }
    int changes = CK_NAME(changes)(rule);
    for (size_t h = 0; h < heads; h++) {
        float *row = scores + h * key_count;
        if (changes) CK_NAME(score_f32)(row, key_count, scale, rule, 0);
        CK_NAME(softmax_f32)(row, key_count, changes ? 1 : scale);
    }
    float *sums = scores + heads * key_count;
    size_t i = 0;
    for (; i + 4 * CK_LANES <= width; i += 4 * CK_LANES)
        CK_NAME(mix_heads)(values + i, ld, key_count, scores, heads, width, 4, sums, out + i);
    for (; i + CK_LANES <= width; i += CK_LANES)
        CK_NAME(mix_heads)(values + i, ld, key_count, scores, heads, width, 1, sums, out + i);
    for (size_t h = 0; i < width && h < heads; h++) {
        ck_vector sum = ck_splat(0);
        for (size_t j = 0; j < key_count; j++)
            sum += scores[h * key_count + j] * ck_load_part(values + j * ld + i, width - i, 0);
        ck_store_part(out + h * width + i, sum, width - i);
    }
}
