/* Transposed products c += aᵀ · b in tile registers, with a and b rounded to bfloat16. Two rows
 * make one unit of a tile.
 *
 * A block of 32 columns of a, transposed, is multiplied with panels of 32 columns of b. */

/* The number of rows of a slab. A slab's block of a stays in the first-level cache. */
enum { ck_transposed_rows = 256 };

/* Rounds two rows of up to CK_LANES columns, and interleaves them as pairs. Values outside `rows`
 * and `columns` become 0. */
CK_INLINE ck_words CK_NAME(pair_rows)(
    const float *from, size_t ld, size_t rows, size_t columns
) {
    if (!rows || !columns) return ck_splat_word(0);
#if CK_BF16
    return CK_NAME(pair_of_bf16)(from, ld, rows, columns, 1);
#else
    ck_words pair = CK_NAME(nearest_bf16)(ck_load_up_to(from, columns, 0));
    if (rows > 1) pair |= CK_NAME(nearest_bf16)(ck_load_up_to(from + ld, columns, 0)) << 16;
    return pair;
#endif
}

CK_INLINE size_t CK_NAME(left_of)(size_t all, size_t used) { return all > used ? all - used : 0; }

/* Packs columns of b as panels: lane j of unit r has rows 2r and 2r + 1 of column j. */
static void CK_NAME(pack_pairs)(
    const float *b, size_t ld, size_t rows, size_t columns, size_t units, uint32_t *panels
) {
    for (size_t j = 0; j < columns; j += CK_LANES) {
        uint32_t *panel = panels + j / ck_panel * ck_panel * units + j % ck_panel;
        for (size_t r = 0; r < units; r++)
            *(ck_words *)(panel + r * ck_panel) = CK_NAME(pair_rows)(
                b + 2 * r * ld + j, ld, CK_NAME(left_of)(rows, 2 * r), columns - j);
    }
}

/* Packs 32 columns of a as lines: word r of line j has rows 2r and 2r + 1 of column j. */
static void CK_NAME(pack_lines)(
    const float *a, size_t ld, size_t rows, size_t columns, size_t units, uint32_t *lines
) {
    for (size_t j = 0; j < ck_group_lines; j += CK_LANES)
        for (size_t r = 0; r < units; r += CK_LANES) {
            ck_vector words[CK_LANES];
            for (size_t k = 0; k < CK_LANES; k++)
                words[k] = (ck_vector)CK_NAME(pair_rows)(
                    a + 2 * (r + k) * ld + j, ld, CK_NAME(left_of)(rows, 2 * (r + k)),
                    CK_NAME(left_of)(columns, j));
            CK_NAME(transpose)(words);
            for (size_t k = 0; k < CK_LANES; k++)
                *(ck_words *)(lines + (j + k) * units + r) = (ck_words)words[k];
        }
}

/* Adds the product of a block of lines and a panel to `rows` rows and `columns` columns of c. */
CK_INLINE void CK_NAME(add_block)(
    const uint32_t *lines, const uint32_t *panel, size_t units, float *c, size_t ldc, size_t rows,
    size_t columns
) {
    float tile[ck_group_lines * ck_panel] __attribute__((aligned(64)));
    int whole = rows == ck_group_lines && columns == ck_panel;
    if (whole) CK_NAME(load_sums)(c, ldc, 1);
    else CK_NAME(clear_sums)(1);
    for (size_t r = 0; r < units; r += ck_tile_units)
        CK_NAME(multiply_step)(
            (const char *)(lines + r), units * sizeof *lines, (const char *)(panel + r * ck_panel),
            0, 1);
    if (whole) return CK_NAME(store_sums)(c, ldc, 1);
    CK_NAME(store_sums)(tile, ck_panel, 1);
    CK_NAME(add_tile_f32)(c, ldc, 0, 0, rows, columns, tile);
}

static void CK_NAME(transposed_product_tiled_bf16)(
    const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width, size_t first,
    size_t last, float *c, float *scratch
) {
    enum { slab_units = ck_transposed_rows / 2 };
    uint32_t lines[ck_group_lines * slab_units] __attribute__((aligned(64)));
    uint32_t *panels = (uint32_t *)scratch;
    CK_NAME(configure_tiles)(ck_group_lines);
    for (size_t top = 0; top < rows; top += ck_transposed_rows) {
        size_t count = rows - top < ck_transposed_rows ? rows - top : ck_transposed_rows;
        size_t units = ((count + 1) / 2 + ck_tile_units - 1) / ck_tile_units * ck_tile_units;
        CK_NAME(pack_pairs)(b + top * width + first, width, count, last - first, units, panels);
        for (size_t i = 0; i < n; i += ck_group_lines) {
            size_t some = n - i < ck_group_lines ? n - i : ck_group_lines;
            CK_NAME(pack_lines)(a + top * lda + i, lda, count, some, units, lines);
            for (size_t j = first; j < last; j += ck_panel)
                CK_NAME(add_block)(
                    lines, panels + (j - first) * units, units, c + i * width + j, width, some,
                    last - j < ck_panel ? last - j : ck_panel);
        }
    }
    ck_tile_release();
}
