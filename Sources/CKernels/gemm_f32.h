/* Matrix product over packed weights: c[m,n] = a[m,k] · Wᵀ.
 *
 * A panel has the weights of 32 outputs. For each input in turn, it has 32 weights, one for each
 * output. Weights after the last output are zero:
 *
 *     panels[p*k*32 + i*32 + j]  =  W[32p + j][i]      i in [0,k), j in [0,32)
 *
 * Matrix-matrix and matrix-vector products read a panel from front to back. A slab is a range of a
 * panel's inputs. While it is read, a tile of sums stays in registers: CK_ROWS rows of CK_VECTORS
 * vectors each. */

/* Adds to `sums` the product of one input of each row with the weights of that input. `a` has
 * one pointer for each three rows. The second and third row follow it at multiples of row_stride. */
CK_INLINE void CK_NAME(add_input)(
    ck_vector sums[][CK_VECTORS], const float *const *a, size_t row_stride, size_t input,
    const float *weights, size_t rows
) {
    ck_vector weight[CK_VECTORS];
#pragma clang loop unroll(full)
    for (size_t v = 0; v < CK_VECTORS; v++) weight[v] = ck_load(weights + v * CK_LANES);
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++) {
        ck_vector x = ck_splat(a[r / 3][r % 3 * row_stride + input]);
#pragma clang loop unroll(full)
        for (size_t v = 0; v < CK_VECTORS; v++) sums[r][v] += x * weight[v];
    }
}

CK_INLINE void CK_NAME(multiply_tile)(
    const float *a, size_t row_stride, size_t input_stride, const float *panel,
    const ck_slab *slab, size_t rows, float *tile
) {
    enum { at_once = 2 };
    size_t k = slab->last - slab->first;
    const char *next = slab->next;
    for (size_t column = 0; column < ck_panel; column += CK_VECTORS * CK_LANES) {
        ck_vector sums[CK_ROWS][CK_VECTORS];
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++)
                sums[r][v] = slab->first
                    ? ck_load(tile + r * ck_panel + column + v * CK_LANES) : ck_splat(0);
        const float *weights = panel + column, *inputs[ck_row_groups];
#pragma clang loop unroll(full)
        for (size_t g = 0; g < ck_row_groups; g++) inputs[g] = a + 3 * g * row_stride;
        size_t i = 0;
        for (; i + at_once <= k; i += at_once, weights += at_once * ck_panel) {
            __builtin_prefetch(next, 0, 2);
            next += at_once * slab->step;
#pragma clang loop unroll(full)
            for (size_t u = 0; u < at_once; u++)
                CK_NAME(add_input)(
                    sums, inputs, row_stride, u * input_stride, weights + u * ck_panel, rows);
            CK_ADVANCE(inputs, at_once * input_stride);
        }
        for (; i < k; i++, weights += ck_panel) {
            CK_NAME(add_input)(sums, inputs, row_stride, 0, weights, rows);
            CK_ADVANCE(inputs, input_stride);
        }
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++)
                ck_store(tile + r * ck_panel + column + v * CK_LANES, sums[r][v]);
    }
}

/* Computes the product of one row. Several inputs are added at a time to independent sums, so that
 * additions do not wait for each other. Weights come from memory, so they are prefetched. */
CK_INLINE void CK_NAME(multiply_row)(const float *a, const float *panel, size_t k, float *tile) {
    enum { vectors = ck_panel / CK_LANES, chains = vectors >= 4 ? 1 : 4, ahead = 32 };
    ck_vector sums[chains][vectors];
    for (size_t c = 0; c < chains; c++)
        for (size_t v = 0; v < vectors; v++) sums[c][v] = ck_splat(0);
    size_t i = 0;
    for (; i + chains <= k; i += chains) {
#pragma clang loop unroll(full)
        for (size_t c = 0; c < chains; c++) {
            const float *weights = panel + (i + c) * ck_panel;
            __builtin_prefetch(weights + ahead * ck_panel);
            __builtin_prefetch(weights + ahead * ck_panel + 16);
            ck_vector x = ck_splat(a[i + c]);
#pragma clang loop unroll(full)
            for (size_t v = 0; v < vectors; v++) sums[c][v] += x * ck_load(weights + v * CK_LANES);
        }
    }
    for (; i < k; i++)
        for (size_t v = 0; v < vectors; v++)
            sums[0][v] += a[i] * ck_load(panel + i * ck_panel + v * CK_LANES);
    for (size_t v = 0; v < vectors; v++) {
        ck_vector sum = sums[0][v];
        for (size_t c = 1; c < chains; c++) sum += sums[c][v];
        ck_store(tile + v * CK_LANES, sum);
    }
}

/* Defines two functions for a number n of rows. `rows` reads rows of inputs with stride lda.
 * `columns` reads a transposed operand: line i in memory has input i of every row. */
#define CK_TILE(n) \
    static __attribute__((noinline)) void CK_NAME(rows_##n)( \
        const float *a, size_t lda, const float *panel, const ck_slab *slab, float *tile \
    ) { CK_NAME(multiply_tile)(a, lda, 1, panel, slab, n, tile); } \
    static __attribute__((noinline)) void CK_NAME(columns_##n)( \
        const float *a, size_t lda, const float *panel, const ck_slab *slab, float *tile \
    ) { CK_NAME(multiply_tile)(a, 1, lda, panel, slab, n, tile); }
CK_ROW_COUNTS(CK_TILE)

typedef void (*CK_NAME(tile))(
    const float *a, size_t lda, const float *panel, const ck_slab *slab, float *tile);
#define CK_TILE_OF_ROWS(n) CK_NAME(rows_##n),
#define CK_TILE_OF_COLUMNS(n) CK_NAME(columns_##n),
static const CK_NAME(tile) CK_NAME(tiles_of_rows)[] = {CK_ROW_COUNTS(CK_TILE_OF_ROWS)};
static const CK_NAME(tile) CK_NAME(tiles_of_columns)[] = {CK_ROW_COUNTS(CK_TILE_OF_COLUMNS)};

/* Stores the product of `rows` <= CK_ROWS rows and one panel in tile[rows][32]. */
CK_INLINE void CK_NAME(multiply_rows)(
    const float *a, size_t lda, const float *panel, size_t k, size_t rows, float *tile
) {
    ck_slab whole = {0, k, (const char *)panel, 0};
    CK_NAME(tiles_of_rows)[rows - 1](a, lda, panel, &whole, tile);
}

typedef struct {
    const float *a;
    size_t lda, m, k;
    const float *panels;
} ck_f32_operands;

CK_INLINE void CK_NAME(multiply_f32)(
    const void *operands, size_t top, size_t bottom, size_t p, const ck_slab *slab, float *tile
) {
    const ck_f32_operands *o = operands;
    const float *panel = o->panels + p * o->k * ck_panel;
    if (o->m == 1)
        CK_NAME(multiply_row)(o->a, panel, o->k, tile);
    else
        CK_NAME(tiles_of_rows)[bottom - top - 1](
            o->a + top * o->lda + slab->first, o->lda, panel + slab->first * ck_panel, slab, tile);
}

static void CK_NAME(product_f32)(
    ck_operand a, size_t m, size_t k, ck_weights w, const float *bias, float *c, size_t ldc,
    size_t n, ck_epilogue epilogue
) {
    ck_f32_operands operands = {a.values, a.stride / sizeof(float), m, k, w.panels};
    CK_NAME(product)(
        &operands, CK_NAME(multiply_f32), 1, w.panels, m, k, ck_unit_bytes, ck_slab_units, CK_ROWS,
        bias, c, ldc, n, epilogue);
}

/* Transposes a square of CK_LANES rows. The first step exchanges the two off-diagonal blocks of
 * half the width. The next step does the same within each quarter of the square, and so on, down to
 * single lanes. */
CK_INLINE void CK_NAME(transpose)(ck_vector *rows) {
#pragma clang loop unroll(full)
    for (size_t step = CK_LANES / 2; step > 0; step /= 2)
#pragma clang loop unroll(full)
        for (size_t i = 0; i < CK_LANES; i++) {
            if (i & step) continue;
            ck_vector upper = rows[i], lower = rows[i + step];
#pragma clang loop unroll(full)
            for (size_t lane = 0; lane < CK_LANES; lane++)
                if (lane & step)
                    rows[i][lane] = lower[lane - step];
                else
                    rows[i + step][lane] = upper[lane + step];
        }
}

static void CK_NAME(pack_rows_f32)(
    const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales,
    int32_t *sums
) {
    (void)scales, (void)sums;
    for (size_t j = 0; j < n; j += CK_LANES) {
        size_t count = n - j < CK_LANES ? n - j : CK_LANES, i = 0;
        const float *from = source + j * ld;
        float *packed = (float *)panels + j / ck_panel * width * ck_panel + j % ck_panel;
        for (; count == CK_LANES && i + CK_LANES <= width; i += CK_LANES) {
            ck_vector rows[CK_LANES];
#pragma clang loop unroll(full)
            for (size_t r = 0; r < CK_LANES; r++) rows[r] = ck_load(from + r * ld + i);
            CK_NAME(transpose)(rows);
#pragma clang loop unroll(full)
            for (size_t r = 0; r < CK_LANES; r++) ck_store(packed + (i + r) * ck_panel, rows[r]);
        }
        for (size_t r = 0; r < count; r++)
            for (size_t c = i; c < width; c++) packed[c * ck_panel + r] = from[r * ld + c];
    }
}

static void CK_NAME(pack_columns_f32)(
    const float *source, size_t ld, size_t n, size_t width, void *panels
) {
    float *packed = panels;
    for (size_t j = 0; j < width; j += ck_panel, packed += n * ck_panel) {
        size_t columns = width - j < ck_panel ? width - j : ck_panel;
        for (size_t i = 0; i < n; i++) {
            const float *from = source + i * ld + j;
            __builtin_prefetch(from + ck_rows_ahead * ld);
            __builtin_prefetch(from + ck_rows_ahead * ld + 16);
            for (size_t c = 0; c < columns; c++) packed[i * ck_panel + c] = from[c];
        }
    }
}

static void CK_NAME(unpack_row_f32)(
    const void *panel, size_t lane, size_t k, float scale, float *row
) {
    (void)scale;
    const float *weights = (const float *)panel + lane;
    for (size_t i = 0; i < k; i++) row[i] = weights[i * ck_panel];
}

/* Computes the products of columns 0 up to n of `a` and columns `first` up to `last` of `b`. `take`
 * receives each tile of products. If `triangle` is set, only the upper triangle is computed: panels
 * of `b` that end at or before the first column of a tile are skipped for this tile.
 *
 * The rows are processed in ranges, whose packed columns fit in the second-level cache. Neighbouring
 * elements of a column of `a` are lda floats apart, so each range of `a` is gathered once, and then
 * used for all columns of `b`. Several tiles are gathered at a time, so that whole cache lines are
 * read. */
typedef void (*CK_NAME(take))(
    void *c, size_t width, size_t i, size_t j, size_t count, size_t columns, const float *tile);

CK_INLINE void CK_NAME(gather_columns)(
    const float *from, size_t lda, size_t rows, size_t n, float *tiles
) {
    for (size_t r = 0; r < rows; r++, from += lda)
        for (size_t i = 0; i < n; i += CK_ROWS) {
            float *to = tiles + i * rows + r * CK_ROWS;
            __builtin_prefetch(from + ck_rows_ahead * lda + i);
            if (n - i >= CK_ROWS) __builtin_memcpy(to, from + i, CK_ROWS * sizeof *to);
            else __builtin_memcpy(to, from + i, (n - i) * sizeof *to);
        }
}

CK_INLINE void CK_NAME(multiply_columns)(
    const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width, size_t first,
    size_t last, int triangle, void *c, CK_NAME(take) take, float *scratch
) {
    float tile[CK_ROWS * ck_panel] __attribute__((aligned(64)));
    size_t end = triangle && last < n ? last : n;
    for (size_t top = 0; top < rows; top += ck_slab_rows) {
        size_t count = rows - top < ck_slab_rows ? rows - top : ck_slab_rows;
        ck_slab slab = {0, count, (const char *)scratch, 0};
        float *gathered = scratch + (last - first + ck_panel - 1) / ck_panel * ck_panel * count;
        CK_NAME(pack_columns_f32)(b + top * width + first, width, count, last - first, scratch);
        for (size_t i = 0; i < end; i += CK_ROWS) {
            size_t some = end - i < CK_ROWS ? end - i : CK_ROWS, within = i % ck_tile_columns;
            if (within == 0) {
                size_t ahead = end - i < ck_tile_columns ? end - i : ck_tile_columns;
                CK_NAME(gather_columns)(a + top * lda + i, lda, count, ahead, gathered);
            }
            for (size_t j = first; j < last; j += ck_panel) {
                size_t columns = last - j < ck_panel ? last - j : ck_panel;
                if (triangle && j + columns <= i) continue;
                CK_NAME(tiles_of_columns)[some - 1](
                    gathered + within * count, CK_ROWS, scratch + (j - first) * count, &slab, tile);
                take(c, width, i, j, some, columns, tile);
            }
        }
    }
}

#define CK_ADD_TILE(operation, type) \
    CK_INLINE void CK_NAME(operation)( \
        void *c, size_t width, size_t i, size_t j, size_t count, size_t columns, \
        const float *tile \
    ) { \
        type *sums = (type *)c + i * width + j; \
        for (size_t r = 0; r < count; r++) \
            for (size_t k = 0; k < columns; k++) sums[r * width + k] += tile[r * ck_panel + k]; \
    }
CK_ADD_TILE(add_tile_f64, double)
CK_ADD_TILE(add_tile_f32, float)

static __attribute__((unused)) void CK_NAME(gram_f32)(
    const float *x, size_t rows, size_t columns, size_t first, size_t last, double *sums,
    float *scratch
) {
    CK_NAME(multiply_columns)(
        x, columns, rows, columns, x, columns, first, last, 1, sums, CK_NAME(add_tile_f64), scratch);
}

static void CK_NAME(transposed_product_f32)(
    const float *a, size_t lda, size_t rows, size_t n, const float *b, size_t width, size_t first,
    size_t last, float *c, float *scratch
) {
    CK_NAME(multiply_columns)(
        a, lda, rows, n, b, width, first, last, 0, c, CK_NAME(add_tile_f32), scratch);
}
