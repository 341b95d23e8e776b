/* Matrix products in tile registers, for weights in bf16, in two terms of bf16, and in 8 bits. The
 * panels have the layouts of gemm_half.h, gemm_bf16x2.h and gemm_int8.h.
 *
 * A group of up to 32 rows is multiplied with a panel of 32 outputs: two tiles of rows times two
 * tiles of weights make four tiles of sums. A step multiplies 16 units, which are 64 bytes of each
 * row. While a group is multiplied, the rows of the previous group are finished: their sums are
 * scaled and pass through the epilogue. Tiles and vectors use different units of the processor.
 *
 * A row of activations consists of `terms` lines; see gemm_int8.h. */

/* The number of lines of a group and of a block, and the minimum number of rows that are multiplied
 * in tiles. */
enum {
    ck_group_lines = 2 * ck_tile_rows,
    ck_tiled_lines = 256,
    ck_min_tiled_rows = 2,
    ck_cached_results = 1 << 17,
};

/* What lines and panels contain. With two terms in bfloat16, steps of high terms and of low terms
 * alternate; see gemm_bf16x2.h. */
typedef enum { ck_tiled_bf16, ck_tiled_int8, ck_tiled_bf16x2 } ck_tiled_kind;

typedef struct {
    ck_operand a;
    ck_weights w;
    size_t depth;
    const float *bias;
    size_t ldc;
} ck_tiled;

/* A group of lines and the panel that they are multiplied with.
 *
 * tails   the last units of the lines and of the panel, filled up with zeros; null if the depth is
 *         a whole number of steps.
 * next    memory of which `share` cache lines are prefetched in each step.
 * pair    whether the group has more lines than a tile.
 * sums    the result, before it is finished.
 * c       the place of the finished result. `rows_per_step` of its rows are prefetched in each step. */
typedef struct {
    const char *lines, *units;
    size_t steps;
    const char *tails, *tail_units, *next;
    size_t share;
    int pair;
    float *sums;
    const float *c;
    size_t rows_per_step;
} ck_tiled_group;

/* Rows whose product with panel p is complete, but not scaled, without the epilogue.
 *
 * sums      the sums of the first line, which has the index `line`.
 * columns   the number of columns of c that are left. */
typedef struct {
    const float *sums;
    size_t line, rows, p, columns;
    float *c;
} ck_tiled_rows;

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

/* The bias of a panel's outputs and, for integers, their scales and sums. */
typedef struct {
    ck_vector biases[ck_panel / CK_LANES], scales[ck_panel / CK_LANES];
    ck_words sums[ck_panel / CK_LANES];
} CK_NAME(panel_terms);

CK_INLINE CK_NAME(panel_terms) CK_NAME(terms_of_panel)(
    const ck_tiled *o, size_t p, int integers
) {
    CK_NAME(panel_terms) t;
#pragma clang loop unroll(full)
    for (size_t v = 0; v < ck_panel / CK_LANES; v++) {
        size_t j = p * ck_panel + v * CK_LANES;
        t.biases[v] = o->bias ? ck_load(o->bias + j) : ck_splat(0);
        t.scales[v] = integers ? ck_load(o->w.scales + j) : ck_splat(0);
        t.sums[v] = integers ? ck_load_words(o->w.sums + j) : ck_splat_word(0);
    }
    return t;
}

/* Computes vector v of the next row without its bias. */
CK_INLINE ck_vector CK_NAME(tiled_sum)(
    const ck_tiled *o, const ck_tiled_rows *rows, const CK_NAME(panel_terms) *t, size_t v,
    int integers
) {
#pragma clang fp contract(off)
    const float *sums = rows->sums + v * CK_LANES;
    if (!integers) return ck_load(sums);
    ck_vector y = ck_splat(0);
    for (size_t i = 0; i < o->a.terms; i++, sums += ck_panel) {
        ck_integers whole = (ck_integers)ck_load_words(sums)
            + CK_NAME(begin_int8)(o->a.zeros[rows->line + i], t->sums[v]);
        ck_vector term =
            CK_NAME(scale_int8)(whole, o->a.scales[rows->line + i], t->scales[v]);
        y = i ? y + term : term;
    }
    return y;
}

/* Finishes the next `count` rows. `whole` states that c has all columns of the panel. */
CK_INLINE void CK_NAME(finish_rows)(
    const ck_tiled *o, ck_tiled_rows *rows, size_t count, const CK_NAME(panel_terms) *t,
    int whole, ck_epilogue epilogue, int gated, ck_tiled_kind kind
) {
/* As in all tables, the sums are rounded before a bias is added. */
#pragma clang fp contract(off)
    enum { vectors = ck_panel / CK_LANES, half = vectors / 2 };
    int integers = kind == ck_tiled_int8;
    size_t terms = integers ? o->a.terms : 1;
    rows->rows -= count;
    for (; count; count--) {
#pragma clang loop unroll(full)
        for (size_t v = 0; v < (gated ? half : vectors); v++) {
            ck_vector y = CK_NAME(tiled_sum)(o, rows, t, v, integers) + t->biases[v];
            y = kind == ck_tiled_bf16x2 ? ck_activated(y, ck_of_gate(epilogue))
                                        : ck_coarsely_activated(y, ck_of_gate(epilogue));
            if (gated)
                y *= CK_NAME(tiled_sum)(o, rows, t, v + half, integers) + t->biases[v + half];
            float *c = rows->c + v * CK_LANES;
            size_t lanes = CK_LANES;
            if (!whole) {
                if (rows->columns <= v * CK_LANES) break;
                size_t left = rows->columns - v * CK_LANES;
                lanes = left < CK_LANES ? left : CK_LANES;
            }
            if (epilogue == ck_epilogue_add) y += ck_load_up_to(c, lanes, 0);
            if (lanes == CK_LANES) ck_store(c, y); else ck_store_part(c, y, lanes);
        }
        rows->sums += terms * ck_panel;
        rows->line += terms;
        rows->c += o->ldc;
    }
}

/* Finishes all rows of the last panel, or of the last group. */
static __attribute__((noinline)) void CK_NAME(finish_all)(
    const ck_tiled *o, ck_tiled_rows *rows, ck_epilogue epilogue, ck_tiled_kind kind
) {
    CK_NAME(panel_terms) t = CK_NAME(terms_of_panel)(o, rows->p, kind == ck_tiled_int8);
    if (ck_is_gated(epilogue))
        CK_NAME(finish_rows)(o, rows, rows->rows, &t, 0, epilogue, 1, kind);
    else
        CK_NAME(finish_rows)(o, rows, rows->rows, &t, 0, epilogue, 0, kind);
}

/* Multiplies a group with a panel, and finishes the previous rows.
 *
 * Some rows are finished after each multiplication of tiles. The processor's queue of instructions
 * is short: if it were full of vectors, no tile would be multiplied. */
CK_INLINE void CK_NAME(multiply_group)(
    const ck_tiled *o, const ck_tiled_group *g, ck_tiled_rows *before, ck_epilogue epilogue,
    int gated, ck_tiled_kind kind
) {
    int integers = kind == ck_tiled_int8, pair = g->pair;
    if (before->columns < (gated ? ck_panel / 2 : ck_panel))
        CK_NAME(finish_all)(o, before, epilogue, kind);
    CK_NAME(panel_terms) t = CK_NAME(terms_of_panel)(o, before->p, integers);
    size_t each = g->steps ? (before->rows + g->steps - 1) / g->steps : 0, count;
/* Finishes the share of a product, of which a step has `products`, of the step's rows. */
#define CK_FINISH(product, products) \
    count = (each + (products) - 1 - (product)) / (products); \
    CK_NAME(finish_rows)( \
        o, before, count < before->rows ? count : before->rows, &t, 1, epilogue, gated, kind)
    size_t stride = o->a.stride;
    const char *next = g->next;
    const float *c = g->c;
    CK_NAME(clear_sums)(pair);
    for (size_t i = 0; i < g->steps; i++) {
        const char *lines = g->lines + i * ck_tile_bytes;
        const char *units = g->units + i * ck_tile_units * ck_unit_bytes;
        for (size_t r = 0; r < g->rows_per_step; r++, c += o->ldc) {
            __builtin_prefetch(c, 1);
            if (!gated) __builtin_prefetch(c + ck_panel / 2, 1);
        }
        if (kind == ck_tiled_bf16x2) {
            CK_NAME(multiply_terms)(g->lines, stride, g->units, i, kind, pair);
            CK_FINISH(0, 1);
            continue;
        }
        ck_tile_load(4, lines, stride);
        ck_tile_load(6, units, ck_unit_bytes);
        if (integers) ck_tile_multiply_int8(0, 4, 6); else ck_tile_multiply_bf16(0, 4, 6);
        CK_FINISH(0, pair ? 4 : 2);
        ck_tile_load(7, units + ck_tile_bytes, ck_unit_bytes);
        if (integers) ck_tile_multiply_int8(1, 4, 7); else ck_tile_multiply_bf16(1, 4, 7);
        CK_FINISH(1, pair ? 4 : 2);
        for (size_t f = 0; f < g->share; f++, next += 64) __builtin_prefetch(next, 0, 2);
        if (!pair) continue;
        ck_tile_load(5, lines + ck_tile_rows * stride, stride);
        if (integers) ck_tile_multiply_int8(2, 5, 6); else ck_tile_multiply_bf16(2, 5, 6);
        CK_FINISH(2, 4);
        if (integers) ck_tile_multiply_int8(3, 5, 7); else ck_tile_multiply_bf16(3, 5, 7);
        CK_FINISH(3, 4);
    }
#undef CK_FINISH
    if (g->tails) CK_NAME(multiply_step)(g->tails, ck_tile_bytes, g->tail_units, integers, pair);
    CK_NAME(finish_rows)(o, before, before->rows, &t, 1, epilogue, gated, kind);
    CK_NAME(store_sums)(g->sums, ck_panel, pair);
}

typedef void (*ck_multiply_group)(
    const ck_tiled *o, const ck_tiled_group *g, ck_tiled_rows *before, ck_epilogue epilogue);

/* Functions for each epilogue of which the speed matters most, and for all others. */
#define CK_GROUP(name, kind, epilogue, gated) \
    static void CK_NAME(multiply_group_##name##_##kind)( \
        const ck_tiled *o, const ck_tiled_group *g, ck_tiled_rows *before, ck_epilogue any \
    ) { \
        (void)any; \
        CK_NAME(multiply_group)(o, g, before, epilogue, gated, ck_tiled_##kind); \
    }
#define CK_GROUPS(kind) \
    CK_GROUP(store, kind, ck_epilogue_store, 0) \
    CK_GROUP(add, kind, ck_epilogue_add, 0) \
    CK_GROUP(gelu, kind, ck_epilogue_gelu, 0) \
    CK_GROUP(swiglu, kind, ck_epilogue_swiglu, 1) \
    CK_GROUP(plain, kind, any, 0) \
    CK_GROUP(gated, kind, any, 1) \
    static ck_multiply_group CK_NAME(multiply_group_##kind)(ck_epilogue epilogue) { \
        switch (epilogue) { \
            case ck_epilogue_store: return CK_NAME(multiply_group_store_##kind); \
            case ck_epilogue_add: return CK_NAME(multiply_group_add_##kind); \
            case ck_epilogue_gelu: return CK_NAME(multiply_group_gelu_##kind); \
            case ck_epilogue_swiglu: return CK_NAME(multiply_group_swiglu_##kind); \
            default: \
                return ck_is_gated(epilogue) ? CK_NAME(multiply_group_gated_##kind) \
                                             : CK_NAME(multiply_group_plain_##kind); \
        } \
    }
CK_GROUPS(bf16)
CK_GROUPS(int8)
CK_GROUPS(bf16x2)

/* c[m, n] = epilogue(product + bias) for m rows of o->a.terms lines. */
CK_INLINE void CK_NAME(product_tiles)(
    const ck_tiled *o, size_t m, float *c, size_t n, ck_epilogue epilogue, ck_tiled_kind kind,
    ck_multiply_group multiply
) {
    size_t step = ck_is_gated(epilogue) ? ck_panel / 2 : ck_panel;
    size_t terms = o->a.terms, depth = o->depth, stride = o->a.stride;
    size_t most = ck_tiled_lines / terms, blocks = (m + most - 1) / most;
    size_t steps = depth / ck_tile_units, tail = depth % ck_tile_units;
    char tails[ck_tiled_lines * ck_tile_bytes] __attribute__((aligned(64)));
    char tail_units[ck_tile_units * ck_unit_bytes] __attribute__((aligned(64)));
    float sums[2][ck_group_lines * ck_panel] __attribute__((aligned(64)));
    if (tail) __builtin_memset(tail_units, 0, sizeof tail_units);
    ck_tiled_rows before = {0};
    for (size_t block = 0; block < blocks; block++) {
        size_t begin = m * block / blocks, rows = m * (block + 1) / blocks - begin;
        size_t groups = (rows * terms + ck_group_lines - 1) / ck_group_lines;
        /* All groups have the same size. The last group may overlap the previous group. */
        size_t size = (rows + groups - 1) / groups, turn = 0;
        CK_NAME(configure_tiles)(size * terms);
        const char *first = (const char *)o->a.values + begin * terms * stride;
        if (tail)
            CK_NAME(copy_tails)(
                first + steps * ck_tile_bytes, stride, rows * terms, tail * 4, tails);
        ck_tiled_group group = {
            .steps = steps, .tail_units = tail_units, .pair = size * terms > ck_tile_rows,
            .share = (ck_tile_units * ck_unit_bytes / 64 + groups - 1) / groups,
            .rows_per_step = rows * n > ck_cached_results && steps ? (size + steps - 1) / steps : 0};
        for (size_t j = 0, p = 0; j < n; j += step, p++) {
            group.units = (const char *)o->w.panels + p * depth * ck_unit_bytes;
            group.next = group.units + depth * ck_unit_bytes;
            if (tail)
                __builtin_memcpy(
                    tail_units, group.units + steps * ck_tile_units * ck_unit_bytes,
                    tail * ck_unit_bytes);
            for (size_t g = 0; g < groups; g++, turn ^= 1) {
                size_t top = g * size + size <= rows ? g * size : rows - size;
                size_t again = g * size - top;
                group.lines = first + top * terms * stride;
                group.tails = tail ? tails + top * terms * ck_tile_bytes : 0;
                group.sums = sums[turn];
                group.c = c + (begin + g * size) * o->ldc + j;
                multiply(o, &group, &before, epilogue);
                group.next += group.share * steps * 64;
                before = (ck_tiled_rows){
                    sums[turn] + again * terms * ck_panel, (begin + g * size) * terms, size - again,
                    p, n - j, c + (begin + g * size) * o->ldc + j};
            }
        }
        CK_NAME(finish_all)(o, &before, epilogue, kind);
        ck_tile_release();
    }
}

static void CK_NAME(product_tiled_bf16)(
    ck_operand a, size_t m, size_t k, ck_weights w, const float *bias, float *c, size_t ldc,
    size_t n, ck_epilogue epilogue
) {
    ck_tiled o = {a, w, (k + 1) / 2, bias, ldc};
#if CK_BF16
    if (m < ck_min_tiled_rows) return CK_NAME(product_bf16)(a, m, k, w, bias, c, ldc, n, epilogue);
#endif
    CK_NAME(product_tiles)(
        &o, m, c, n, epilogue, ck_tiled_bf16, CK_NAME(multiply_group_bf16)(epilogue));
}

static void CK_NAME(product_tiled_int8)(
    ck_operand a, size_t m, size_t k, ck_weights w, const float *bias, float *c, size_t ldc,
    size_t n, ck_epilogue epilogue
) {
    ck_tiled o = {a, w, (k + 3) / 4, bias, ldc};
    if (m < ck_min_tiled_rows) CK_NAME(product_int8)(a, m, k, w, bias, c, ldc, n, epilogue);
    else
        CK_NAME(product_tiles)(
            &o, m, c, n, epilogue, ck_tiled_int8, CK_NAME(multiply_group_int8)(epilogue));
}
