/* Matrix products in tile registers, for weights in bf16, in two terms of bf16, and in 8 bits. The
 * panels have the layouts of gemm_half.h, gemm_bf16x2.h and gemm_int8.h.
 *
 * A group of up to 32 rows is multiplied with a panel of 32 outputs: two tiles of rows times two
 * tiles of weights make four tiles of sums. A step multiplies 16 units, which are 64 bytes of each
 * row. While a group is multiplied, the epilogue of the previous group is computed, because tiles
 * and vectors use different units of the processor.
 *
 * A row of activations consists of `terms` lines; see gemm_int8.h. */

/* The number of lines of a group and of a block, the number of units of a slab, and the minimum
 * number of rows that are multiplied in tiles. */
enum {
    ck_group_lines = 2 * ck_tile_rows,
    ck_tiled_lines = 256,
    ck_tiled_slab_units = 192,
    ck_min_tiled_rows = 2,
};

/* What lines and panels contain. With two terms in bfloat16, steps of high terms and of low terms
 * alternate; see gemm_bf16x2.h. */
typedef enum { ck_tiled_bf16, ck_tiled_int8, ck_tiled_bf16x2 } ck_tiled_kind;

typedef struct {
    ck_operand a;
    ck_weights w;
    size_t depth;
} ck_tiled;

/* A group of lines whose product with a panel is complete, without the epilogue. */
typedef struct {
    const float *sums;
    size_t line, last, p, top, columns;
    float *c;
} ck_tiled_group;

/* Copies the bytes after the last whole step of each line, and adds zeros up to a whole step. */
static void CK_NAME(copy_tails)(
    const char *from, size_t stride, size_t lines, size_t bytes, char *tails
) {
    for (size_t r = 0; r < lines; r++) {
        __builtin_memset(tails + r * ck_tile_bytes, 0, ck_tile_bytes);
        __builtin_memcpy(tails + r * ck_tile_bytes, from + r * stride, bytes);
    }
}

/* Multiplies 16 units of two tiles of lines, or of one tile, with a panel. */
CK_INLINE void CK_NAME(multiply_step)(
    const char *lines, size_t stride, const char *units, int integers, int pair
) {
    ck_tile_load(4, lines, stride);
    ck_tile_load(6, units, ck_unit_bytes);
    if (integers) ck_tile_multiply_int8(0, 4, 6); else ck_tile_multiply_bf16(0, 4, 6);
    ck_tile_load(7, units + ck_tile_bytes, ck_unit_bytes);
    if (integers) ck_tile_multiply_int8(1, 4, 7); else ck_tile_multiply_bf16(1, 4, 7);
    if (!pair) return;
    ck_tile_load(5, lines + ck_tile_rows * stride, stride);
    if (integers) ck_tile_multiply_int8(2, 5, 6); else ck_tile_multiply_bf16(2, 5, 6);
    if (integers) ck_tile_multiply_int8(3, 5, 7); else ck_tile_multiply_bf16(3, 5, 7);
}

/* Multiplies step i of lines with step j of a panel. */
CK_INLINE void CK_NAME(multiply_steps)(
    const char *lines, size_t stride, size_t i, const char *units, size_t j, int integers, int pair
) {
    CK_NAME(multiply_step)(
        lines + i * ck_tile_bytes, stride, units + j * ck_tile_units * ck_unit_bytes, integers,
        pair);
}

/* Multiplies step i of a panel. Of two terms, high terms are multiplied with both terms of the
 * lines, low terms only with high terms. */
CK_INLINE void CK_NAME(multiply_terms)(
    const char *lines, size_t stride, const char *units, size_t i, ck_tiled_kind kind, int pair
) {
    int two = kind == ck_tiled_bf16x2, integers = kind == ck_tiled_int8;
    if (two) CK_NAME(multiply_steps)(lines, stride, i ^ 1, units, i, 0, pair);
    if (!two || i % 2 == 0) CK_NAME(multiply_steps)(lines, stride, i, units, i, integers, pair);
}

/* Computes the epilogue of the next row of a group. */
CK_INLINE void CK_NAME(finish_line)(
    const ck_tiled *o, ck_tiled_group *g, int integers, const float *bias, size_t ldc,
    ck_epilogue epilogue
) {
#pragma clang fp contract(off)
    const float *sums = g->sums + (g->line - g->top) * ck_panel;
    float row[ck_panel] __attribute__((aligned(64)));
    size_t terms = o->a.terms;
    if (integers) {
        for (size_t j = 0; j < ck_panel; j += CK_LANES) {
            ck_vector sum = ck_splat(0);
            for (size_t t = 0; t < terms; t++) {
                ck_integers whole = (ck_integers)ck_load(sums + t * ck_panel + j)
                    + CK_NAME(begin_int8)(
                        o->a.zeros[g->line + t], o->w.sums + g->p * ck_panel + j);
                sum += CK_NAME(scale_int8)(
                    whole, o->a.scales[g->line + t], o->w.scales + g->p * ck_panel + j);
            }
            ck_store(row + j, sum);
        }
        /* As in all tables, the sums are rounded before a bias is added. */
        __asm__("" : : "r"(row) : "memory");
        sums = row;
    }
    CK_NAME(finish_row)(
        sums, bias ? bias + g->p * ck_panel : 0, g->c + g->line / terms * ldc, g->columns,
        epilogue);
    g->line += terms;
}

/* Prepares all tiles for groups of `lines` lines. */
CK_INLINE void CK_NAME(configure_tiles)(size_t lines) {
    size_t upper = lines < ck_tile_rows ? lines : ck_tile_rows;
    ck_tile_sizes sizes = {.palette = 1};
    for (size_t t = 0; t < ck_tile_count; t++) {
        sizes.bytes[t] = ck_tile_bytes;
        sizes.rows[t] = ck_tile_rows;
    }
    sizes.rows[0] = sizes.rows[1] = sizes.rows[4] = (uint8_t)upper;
    if (lines > upper)
        sizes.rows[2] = sizes.rows[3] = sizes.rows[5] = (uint8_t)(lines - upper);
    ck_tile_configure(&sizes);
}

/* Loads the sums of a group. The lines are ld floats apart. */
CK_INLINE void CK_NAME(load_sums)(const float *sums, size_t ld, int pair) {
    size_t stride = ld * sizeof *sums;
    ck_tile_load(0, sums, stride);
    ck_tile_load(1, sums + ck_tile_units, stride);
    if (!pair) return;
    ck_tile_load(2, sums + ck_tile_rows * ld, stride);
    ck_tile_load(3, sums + ck_tile_rows * ld + ck_tile_units, stride);
}

CK_INLINE void CK_NAME(store_sums)(float *sums, size_t ld, int pair) {
    size_t stride = ld * sizeof *sums;
    ck_tile_store(0, sums, stride);
    ck_tile_store(1, sums + ck_tile_units, stride);
    if (!pair) return;
    ck_tile_store(2, sums + ck_tile_rows * ld, stride);
    ck_tile_store(3, sums + ck_tile_rows * ld + ck_tile_units, stride);
}

CK_INLINE void CK_NAME(clear_sums)(int pair) {
    ck_tile_zero(0);
    ck_tile_zero(1);
    if (!pair) return;
    ck_tile_zero(2);
    ck_tile_zero(3);
}

/* Multiplies a group with a slab, and computes the epilogue of the previous group.
 *
 * tails     the last units of the lines, filled up with zeros; null if the slab ends earlier.
 * next      memory of which `share` cache lines are prefetched in each step.
 * resumes   whether `sums` holds the sums of the previous slabs. */
CK_INLINE void CK_NAME(multiply_group)(
    const char *lines, size_t stride, const char *units, size_t steps, const char *tails,
    const char *tail_units, const char *next, size_t share, float *sums, int resumes,
    const ck_tiled *o, ck_tiled_group *before, const float *bias, size_t ldc,
    ck_epilogue epilogue, ck_tiled_kind kind, int pair
) {
    int integers = kind == ck_tiled_int8;
    if (resumes) CK_NAME(load_sums)(sums, ck_panel, pair);
    else CK_NAME(clear_sums)(pair);
    size_t all = steps + (tails ? 1 : 0), left = (before->last - before->line) / o->a.terms;
    size_t each = all ? (left + all - 1) / all : 0;
    for (size_t i = 0; i < steps; i++) {
        CK_NAME(multiply_terms)(lines, stride, units, i, kind, pair);
        for (size_t f = 0; f < share; f++, next += 64) __builtin_prefetch(next, 0, 2);
        for (size_t r = 0; r < each && before->line < before->last; r++)
            CK_NAME(finish_line)(o, before, integers, bias, ldc, epilogue);
    }
    if (tails) CK_NAME(multiply_step)(tails, ck_tile_bytes, tail_units, integers, pair);
    while (before->line < before->last)
        CK_NAME(finish_line)(o, before, integers, bias, ldc, epilogue);
    CK_NAME(store_sums)(sums, ck_panel, pair);
}

/* c[m, n] = epilogue(product + bias) for m rows of o->a.terms lines. */
CK_INLINE void CK_NAME(product_tiles)(
    const ck_tiled *o, size_t m, const float *bias, float *c, size_t ldc, size_t n,
    ck_epilogue epilogue, ck_tiled_kind kind
) {
    size_t step = ck_is_gated(epilogue) ? ck_panel / 2 : ck_panel;
    size_t terms = o->a.terms, depth = o->depth, stride = o->a.stride;
    size_t most = ck_tiled_lines / terms, blocks = (m + most - 1) / most;
    size_t tail = depth % ck_tile_units;
    char tails[ck_tiled_lines * ck_tile_bytes] __attribute__((aligned(64)));
    char tail_units[ck_tile_units * ck_unit_bytes] __attribute__((aligned(64)));
    float sums[(ck_tiled_lines + ck_group_lines) * ck_panel] __attribute__((aligned(64)));
    if (tail) __builtin_memset(tail_units, 0, sizeof tail_units);
    ck_tiled_group before = {0};
    for (size_t block = 0; block < blocks; block++) {
        size_t begin = m * block / blocks * terms, lines = m * (block + 1) / blocks * terms - begin;
        size_t groups = (lines + ck_group_lines - 1) / ck_group_lines;
        /* All groups have the same size. The last group may overlap the previous group. */
        size_t size = (lines / terms + groups - 1) / groups * terms;
        int pair = size > ck_tile_rows;
        CK_NAME(configure_tiles)(size);
        const char *first = (const char *)o->a.values + begin * stride;
        if (tail)
            CK_NAME(copy_tails)(
                first + depth / ck_tile_units * ck_tile_bytes, stride, lines, tail * 4, tails);
        size_t slabs = depth <= 2 * ck_tiled_slab_units ? 1
            : (depth + ck_tiled_slab_units - 1) / ck_tiled_slab_units;
        size_t whole = depth / ck_tile_units;
        /* The steps that belong together, which a slab does not separate. */
        size_t together = kind == ck_tiled_bf16x2 ? 2 : 1;
        size_t turn = 0;
        for (size_t j = 0, p = 0; j < n; j += step, p++) {
            const char *panel = (const char *)o->w.panels + p * depth * ck_unit_bytes;
            if (tail)
                __builtin_memcpy(
                    tail_units, panel + whole * ck_tile_units * ck_unit_bytes,
                    tail * ck_unit_bytes);
            for (size_t s = 0; s < slabs; s++) {
                size_t from = whole * s / slabs / together * together;
                size_t steps = whole * (s + 1) / slabs / together * together - from;
                const char *units = panel + from * ck_tile_units * ck_unit_bytes;
                const char *next = units + steps * ck_tile_units * ck_unit_bytes;
                size_t share = (ck_tile_units * ck_unit_bytes / 64 + groups - 1) / groups;
                for (size_t g = 0; g < groups; g++) {
                    size_t top = g * size + size <= lines ? g * size : lines - size;
                    float *tile = slabs == 1 ? sums + (turn ^= 1) * ck_group_lines * ck_panel
                                             : sums + g * ck_group_lines * ck_panel;
                    int ends = s + 1 == slabs;
                    const char *tail_lines = tail && ends ? tails + top * ck_tile_bytes : 0;
                    const char *a = first + top * stride + from * ck_tile_bytes;
                    CK_NAME(multiply_group)(
                        a, stride, units, steps, tail_lines, tail_units,
                        next + g * share * steps * 64, share, tile, s > 0, o, &before, bias, ldc,
                        epilogue, kind, pair);
                    if (ends)
                        before = (ck_tiled_group){
                            tile, begin + g * size, begin + top + size, p, begin + top, n - j,
                            c + j};
                }
            }
        }
        while (before.line < before.last)
            CK_NAME(finish_line)(o, &before, kind == ck_tiled_int8, bias, ldc, epilogue);
        ck_tile_release();
    }
}

static void CK_NAME(product_tiled_bf16)(
    ck_operand a, size_t m, size_t k, ck_weights w, const float *bias, float *c, size_t ldc,
    size_t n, ck_epilogue epilogue
) {
    ck_tiled o = {a, w, (k + 1) / 2};
#if CK_BF16
    if (m < ck_min_tiled_rows) return CK_NAME(product_bf16)(a, m, k, w, bias, c, ldc, n, epilogue);
#endif
    CK_NAME(product_tiles)(&o, m, bias, c, ldc, n, epilogue, ck_tiled_bf16);
}

static void CK_NAME(product_tiled_int8)(
    ck_operand a, size_t m, size_t k, ck_weights w, const float *bias, float *c, size_t ldc,
    size_t n, ck_epilogue epilogue
) {
    ck_tiled o = {a, w, (k + 3) / 4};
    if (m < ck_min_tiled_rows) CK_NAME(product_int8)(a, m, k, w, bias, c, ldc, n, epilogue);
    else CK_NAME(product_tiles)(&o, m, bias, c, ldc, n, epilogue, ck_tiled_int8);
}
