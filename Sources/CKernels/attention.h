/* Scaled dot-product attention. Some queries are computed together, with one block of keys at a
 * time. The scores of a block fit in the caches. The full score matrix is never stored. */

/* Computes scores[r * padded + j] of rows [top, top + rows) with keys [first, first + count). */
typedef void (*ck_score)(
    const void *operands, size_t top, size_t rows, size_t first, size_t count, size_t padded,
    float *scores);
/* Replaces a row of n scores by their softmax weights, given the largest score so far. Returns the
 * sum of the weights. */
typedef float (*ck_weigh)(float *row, size_t n, size_t padded, float scale, float largest);
/* Computes tile[rows][32]: weighted sums of the values of a block of keys, for 32 columns. */
typedef void (*ck_mix)(
    const void *operands, const float *weights, size_t padded, size_t rows, size_t first,
    size_t count, size_t column, float *tile);

/* Keys are processed in blocks. If a block has a larger score than all earlier blocks, the sums of
 * the earlier blocks are scaled down. Only the scores of one block are stored. Source: Dao et
 * al., "FlashAttention", arXiv 2205.14135, algorithm 1.
 *
 * most    the number of queries that are computed together, at most ck_attended_rows.
 * spare   floats between the scores of two queries. */
CK_INLINE void CK_NAME(attend)(
    const void *operands, ck_score score, ck_weigh weigh, ck_mix mix, size_t most, size_t spare,
    size_t queries, size_t width, size_t key_count, size_t offset, float scale, float *scores,
    float *out, size_t ldo
) {
    size_t tiles = (queries + most - 1) / most;
    float tile[ck_attended_rows * ck_panel] __attribute__((aligned(64)));
    for (size_t t = 0; t < tiles; t++) {
        size_t top = queries * t / tiles, rows = queries * (t + 1) / tiles - top;
        size_t seen = key_count;
        if (offset < key_count && offset + top + rows < key_count) seen = offset + top + rows;
        float largest[ck_attended_rows], sums[ck_attended_rows];
        for (size_t r = 0; r < rows; r++) largest[r] = -__builtin_inff(), sums[r] = 0;
        for (size_t first = 0; first < seen; first += ck_key_block) {
            size_t count = seen - first < ck_key_block ? seen - first : ck_key_block;
            size_t padded = (count + ck_panel - 1) / ck_panel * ck_panel + spare;
            score(operands, top, rows, first, count, padded, scores);
            float kept[ck_attended_rows];
            for (size_t r = 0; r < rows; r++) {
                size_t last = seen;
                if (offset < key_count && offset + top + r + 1 < seen) last = offset + top + r + 1;
                size_t n = last < first ? 0 : last - first < count ? last - first : count;
                float *row = scores + r * padded;
                float block = ck_largest_of(row, n, -__builtin_inff());
                float greater = block > largest[r] ? block : largest[r];
                kept[r] = first ? __builtin_expf((largest[r] - greater) * scale) : 0;
                largest[r] = greater;
                sums[r] = sums[r] * kept[r] + weigh(row, n, padded, scale, greater);
            }
            for (size_t j = 0; j < width; j += ck_panel) {
                size_t left = width - j < ck_panel ? width - j : ck_panel;
                mix(operands, scores, padded, rows, first, count, j, tile);
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
