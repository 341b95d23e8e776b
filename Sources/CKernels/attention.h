/* Scaled dot-product attention. Several queries are computed together, with one block of keys at a
 * time. The scores of a block fit in the caches. The full score matrix is never stored. */

/* Computes scores[r * padded + j] of rows [top, top + rows) with keys [first, first + count). */
typedef void (*ck_score)(
    const void *operands, size_t top, size_t rows, size_t first, size_t count, size_t padded,
    float *scores);
/* Replaces a row of n scores by weights e^(score - largest), where `largest` is the largest score
 * of this and all earlier blocks. Returns the sum of the weights. */
typedef float (*ck_weigh)(float *row, size_t n, size_t padded, float scale, float largest);
/* Computes tile[rows][32]: weighted sums of the values of a block of keys, for 32 columns. */
typedef void (*ck_mix)(
    const void *operands, const float *weights, size_t padded, size_t rows, size_t first,
    size_t count, size_t column, float *tile);

/* CKernels.h describes score_f32, which calls this function. `bias` replaces the rule's bias. */
CK_INLINE void CK_NAME(change_scores)(
    float *x, size_t n, float scale, float cap, const float *bias, float *slopes
) {
    for (size_t i = 0; i < n; i += CK_LANES) {
        size_t left = n - i;
        ck_vector y = ck_load_up_to(x + i, left, 0) * scale, slope = ck_splat(scale);
        if (cap > 0) {
            ck_vector t = 1.0f - 2.0f / (1.0f + ck_exp(y * (2.0f / cap)));
            y = cap * t;
            slope *= 1.0f - t * t;
        }
        if (bias) y += ck_load_up_to(bias + i, left, 0);
        if (left >= CK_LANES) ck_store(x + i, y); else ck_store_part(x + i, y, left);
        if (!slopes) continue;
        if (left >= CK_LANES) ck_store(slopes + i, slope);
        else ck_store_part(slopes + i, slope, left);
    }
}

static void CK_NAME(score_f32)(
    float *x, size_t n, float scale, const ck_scores *rule, float *slopes
) {
    CK_NAME(change_scores)(x, n, scale, rule->cap, rule->bias, slopes);
}

/* Whether a rule changes scores with a cap or a bias. */
CK_INLINE int CK_NAME(changes)(const ck_scores *rule) {
    return rule && (rule->cap > 0 || rule->bias);
}

/* The first key that the query at a position attends to. */
CK_INLINE size_t CK_NAME(first_seen)(const ck_scores *rule, size_t position) {
    return rule && rule->window && rule->window <= position ? position + 1 - rule->window : 0;
}

/* Keys are processed in blocks. If a block has a larger score than all earlier blocks, the sums of
 * the earlier blocks are scaled down. Only the scores of one block are stored. Source: Dao et
 * al., "FlashAttention", arXiv 2205.14135, algorithm 1.
 *
 * rule    changes of scores, or null. With a cap or a bias, `weigh` must use base e.
 * most    the maximum number of queries that are computed together, at most ck_attended_rows.
 * spare   the number of unused floats between the scores of two queries. */
CK_INLINE void CK_NAME(attend)(
    const void *operands, ck_score score, ck_weigh weigh, ck_mix mix, size_t most, size_t spare,
    size_t queries, size_t width, size_t key_count, size_t offset, float scale,
    const ck_scores *rule, float *scores, float *out, size_t ldo
) {
    int changes = CK_NAME(changes)(rule);
    float factor = changes ? 1.0f : scale;
    size_t tiles = (queries + most - 1) / most;
    float tile[ck_attended_rows * ck_panel] __attribute__((aligned(64)));
    for (size_t t = 0; t < tiles; t++) {
        size_t top = queries * t / tiles, rows = queries * (t + 1) / tiles - top;
        size_t seen = key_count;
        if (offset < key_count && offset + top + rows < key_count) seen = offset + top + rows;
        float largest[ck_attended_rows], sums[ck_attended_rows];
        for (size_t r = 0; r < rows; r++) largest[r] = -__builtin_inff(), sums[r] = 0;
        size_t begin = CK_NAME(first_seen)(rule, offset + top) / ck_panel * ck_panel;
        for (size_t first = begin; first < seen; first += ck_key_block) {
            size_t count = seen - first < ck_key_block ? seen - first : ck_key_block;
            size_t padded = (count + ck_panel - 1) / ck_panel * ck_panel + spare;
            score(operands, top, rows, first, count, padded, scores);
            float kept[ck_attended_rows];
            for (size_t r = 0; r < rows; r++) {
                size_t last = seen;
                if (offset < key_count && offset + top + r + 1 < seen) last = offset + top + r + 1;
                size_t n = last < first ? 0 : last - first < count ? last - first : count;
                float *row = scores + r * padded;
                if (rule) {
                    size_t low = CK_NAME(first_seen)(rule, offset + top + r);
                    size_t unseen = low > first ? low - first : 0;
                    if (unseen >= n) n = 0;
                    if (changes)
                        CK_NAME(change_scores)(
                            row, n, scale, rule->cap,
                            rule->bias ? rule->bias + ((ptrdiff_t)first - (ptrdiff_t)(top + r)) : 0,
                            0);
                    /* All kernels turn this number, but not infinity, into the weight 0. */
                    for (size_t j = 0; j < unseen && j < n; j++) row[j] = -1e30f;
                }
                float block = ck_largest_of(row, n, -__builtin_inff());
                float greater = block > largest[r] ? block : largest[r];
                int before = first > begin && largest[r] > -__builtin_inff();
                kept[r] = before ? __builtin_expf((largest[r] - greater) * factor) : 0;
                largest[r] = greater;
                sums[r] = sums[r] * kept[r] + weigh(row, n, padded, factor, greater);
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
                            if (first > begin) y += ck_load_part(sum + c, lanes, 0) * kept[r];
                            ck_store_part(sum + c, y * share, lanes);
                        } else {
                            if (first > begin) y += ck_load(sum + c) * kept[r];
                            ck_store(sum + c, y * share);
                        }
                    }
                }
            }
        }
    }
}
