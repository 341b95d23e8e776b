/* Transposed products c += aᵀ · b in tile registers, with a and b rounded to bfloat16, or to two
 * terms of bfloat16 (see gemm_bf16x2.h). Two rows make one unit of a tile.
 *
 * A block of 32 columns of a, transposed, is multiplied with panels of 32 columns of b. */

/* The number of rows of a slab. A slab's block of a stays in the first-level cache. */
enum { ck_transposed_rows = 256 };

/* The nearest bfloat16, in the lower half of each lane. */
CK_INLINE ck_words CK_NAME(round_bf16)(ck_vector x) {
#if CK_BF16
    return (ck_words)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)x));
#else
    return CK_NAME(nearest_bf16)(x);
#endif
}

/* Rounds two rows of up to CK_LANES columns, and interleaves them as pairs. With two terms, the
 * second pairs are the rounded rests. Whatever lies beyond `rows` or `columns` becomes 0. */
CK_INLINE void CK_NAME(pair_rows)(
    const float *from, size_t ld, size_t rows, size_t columns, size_t terms, ck_words *pairs
) {
    ck_vector first = ck_splat(0), second = ck_splat(0);
    if (rows && columns) {
        __builtin_prefetch(from + ck_rows_ahead * ld);
        __builtin_prefetch(from + (ck_rows_ahead + 1) * ld);
        first = ck_load_up_to(from, columns, 0);
        if (rows > 1) second = ck_load_up_to(from + ld, columns, 0);
    }
    for (size_t t = 0; t < terms; t++) {
        pairs[t] = CK_NAME(round_bf16)(first) | CK_NAME(round_bf16)(second) << 16;
        first -= (ck_vector)(pairs[t] << 16);
        second -= (ck_vector)(pairs[t] & 0xffff0000u);
    }
}

CK_INLINE size_t CK_NAME(left_of)(size_t all, size_t used) { return all > used ? all - used : 0; }

/* The place of a term of pair r. Steps of each term alternate. */
CK_INLINE size_t CK_NAME(place_of)(size_t r, size_t term, size_t terms) {
    return (r / ck_tile_units * terms + term) * ck_tile_units + r % ck_tile_units;
}

/* Packs columns of b as panels: lane j of pair r has rows 2r and 2r + 1 of column j. */
CK_INLINE void CK_NAME(pack_pairs)(
    const float *b, size_t ld, size_t rows, size_t columns, size_t pairs, size_t terms,
    uint32_t *panels
) {
    for (size_t j = 0; j < columns; j += CK_LANES) {
        uint32_t *panel = panels + j / ck_panel * ck_panel * pairs * terms + j % ck_panel;
        for (size_t r = 0; r < pairs; r++) {
            ck_words words[2];
            CK_NAME(pair_rows)(
                b + 2 * r * ld + j, ld, CK_NAME(left_of)(rows, 2 * r), columns - j, terms, words);
            for (size_t t = 0; t < terms; t++)
                *(ck_words *)(panel + CK_NAME(place_of)(r, t, terms) * ck_panel) = words[t];
        }
    }
}

/* Packs 32 columns of a as lines: pair r of line j has rows 2r and 2r + 1 of column j. */
CK_INLINE void CK_NAME(pack_lines)(
    const float *a, size_t ld, size_t rows, size_t columns, size_t pairs, size_t terms,
    uint32_t *lines
) {
    for (size_t j = 0; j < ck_group_lines; j += CK_LANES)
        for (size_t r = 0; r < pairs; r += CK_LANES) {
            ck_vector words[2][CK_LANES];
            for (size_t k = 0; k < CK_LANES; k++) {
                ck_words both[2];
                CK_NAME(pair_rows)(
                    a + 2 * (r + k) * ld + j, ld, CK_NAME(left_of)(rows, 2 * (r + k)),
                    CK_NAME(left_of)(columns, j), terms, both);
                for (size_t t = 0; t < terms; t++) words[t][k] = (ck_vector)both[t];
            }
            for (size_t t = 0; t < terms; t++) {
                CK_NAME(transpose)(words[t]);
                for (size_t k = 0; k < CK_LANES; k++)
                    *(ck_words *)(lines + (j + k) * pairs * terms
                        + CK_NAME(place_of)(r, t, terms)) = (ck_words)words[t][k];
            }
        }
}

/* Adds the product of a block of lines and a panel to `rows` rows and `columns` columns of c, or of
 * `squares`, whichever is not null. */
CK_INLINE void CK_NAME(add_block)(
    const uint32_t *lines, const uint32_t *panel, size_t steps, ck_tiled_kind kind, float *c,
    double *squares, size_t ldc, size_t rows, size_t columns
) {
    float tile[ck_group_lines * ck_panel] __attribute__((aligned(64)));
    int whole = c && rows == ck_group_lines && columns == ck_panel;
    for (size_t r = 0; squares && r < rows; r++)
        for (size_t k = 0; k < columns; k += 8) __builtin_prefetch(squares + r * ldc + k, 1);
    if (whole) CK_NAME(load_sums)(c, ldc, 1);
    else CK_NAME(clear_sums)(1);
    const char *a = (const char *)lines, *b = (const char *)panel;
    size_t stride = steps * ck_tile_bytes;
    if (squares) {
        /* Squares of low terms are so small that a sum of squares of high terms would not change.
         * They are summed first. */
        for (size_t i = 0; i < steps; i++) {
            if (i % 2) CK_NAME(multiply_steps)(a, stride, i, b, i, 0, 1);
            CK_NAME(multiply_steps)(a, stride, i ^ 1, b, i, 0, 1);
        }
        for (size_t i = 0; i < steps; i += 2) CK_NAME(multiply_steps)(a, stride, i, b, i, 0, 1);
    } else
        for (size_t i = 0; i < steps; i++) CK_NAME(multiply_terms)(a, stride, b, i, kind, 1);
    if (whole) return CK_NAME(store_sums)(c, ldc, 1);
    CK_NAME(store_sums)(tile, ck_panel, 1);
    if (squares) CK_NAME(add_tile_f64)(squares, ldc, 0, 0, rows, columns, tile);
    else CK_NAME(add_tile_f32)(c, ldc, 0, 0, rows, columns, tile);
}

/* Adds the products of columns of a, from 0 up to n, with columns of b, from `first` up to `last`,
 * to c, or to `squares`. Panels of b are not multiplied with later blocks of a for `squares`. */
CK_INLINE void CK_NAME(transposed_tiles)(
    const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width, size_t first,
    size_t last, ck_tiled_kind kind, float *c, double *squares, float *scratch
) {
    enum { most = ck_group_lines * ck_transposed_rows };
    size_t terms = kind == ck_tiled_bf16 ? 1 : 2;
    uint32_t lines[most] __attribute__((aligned(64)));
    uint32_t *panels = (uint32_t *)scratch;
    CK_NAME(configure_tiles)(ck_group_lines);
    for (size_t top = 0; top < rows; top += ck_transposed_rows) {
        size_t count = rows - top < ck_transposed_rows ? rows - top : ck_transposed_rows;
        size_t pairs = ((count + 1) / 2 + ck_tile_units - 1) / ck_tile_units * ck_tile_units;
        CK_NAME(pack_pairs)(
            b + top * width + first, width, count, last - first, pairs, terms, panels);
        for (size_t i = 0; i < n; i += ck_group_lines) {
            size_t some = n - i < ck_group_lines ? n - i : ck_group_lines;
            CK_NAME(pack_lines)(a + top * lda + i, lda, count, some, pairs, terms, lines);
            for (size_t j = squares && i > first ? i : first; j < last; j += ck_panel)
                CK_NAME(add_block)(
                    lines, panels + (j - first) * pairs * terms, pairs * terms / ck_tile_units,
                    kind, c ? c + i * width + j : 0, squares ? squares + i * width + j : 0, width,
                    some, last - j < ck_panel ? last - j : ck_panel);
        }
    }
    ck_tile_release();
}

static void CK_NAME(transposed_product_tiled_bf16)(
    const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width, size_t first,
    size_t last, float *c, float *scratch
) {
    CK_NAME(transposed_tiles)(
        a, lda, rows, n, b, width, first, last, ck_tiled_bf16, c, 0, scratch);
}

static void CK_NAME(transposed_product_tiled_bf16x2)(
    const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width, size_t first,
    size_t last, float *c, float *scratch
) {
    CK_NAME(transposed_tiles)(
        a, lda, rows, n, b, width, first, last, ck_tiled_bf16x2, c, 0, scratch);
}

/* gram_f32 of columns that are rounded to two terms. All four products of terms are added, so that
 * the result is a Gram matrix, apart from the rounding of sums. The sums of a slab are in f32. */
static void CK_NAME(gram_tiled)(
    const float *x, size_t rows, size_t columns, size_t first, size_t last, double *sums,
    float *scratch
) {
    CK_NAME(transposed_tiles)(
        x, columns, rows, last, x, columns, first, last, ck_tiled_bf16x2, 0, sums, scratch);
}
