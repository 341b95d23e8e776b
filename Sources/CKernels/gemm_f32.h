/* Matrix product over packed weights: c[m,n] = a[m,k] · Wᵀ.
 *
 * A panel holds 32 outputs of the weight, input by input, zero-padded past the last output:
 *
 *     panels[p*k*32 + i*32 + j]  =  W[32p + j][i]      i in [0,k), j in [0,32)
 *
 * so matrix×matrix and matrix×vector both read it front to back. A tile of CK_ROWS rows and
 * CK_VECTORS vectors of sums stays in registers over the whole of k. */

CK_INLINE void CK_NAME(multiply_tile)(
    const float *a, size_t row_stride, size_t input_stride, const float *panel, size_t k,
    size_t rows, float *tile
) {
    for (size_t column = 0; column < ck_panel; column += CK_VECTORS * CK_LANES) {
        ck_vector sums[CK_ROWS][CK_VECTORS];
        for (size_t r = 0; r < rows; r++)
            for (size_t v = 0; v < CK_VECTORS; v++) sums[r][v] = ck_splat(0);
        const float *weights = panel + column;
        for (size_t i = 0; i < k; i++, weights += ck_panel) {
            ck_vector weight[CK_VECTORS];
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++) weight[v] = ck_load(weights + v * CK_LANES);
#pragma clang loop unroll(full)
            for (size_t r = 0; r < rows; r++) {
                ck_vector x = ck_splat(a[r * row_stride + i * input_stride]);
#pragma clang loop unroll(full)
                for (size_t v = 0; v < CK_VECTORS; v++) sums[r][v] += x * weight[v];
            }
        }
        for (size_t r = 0; r < rows; r++)
            for (size_t v = 0; v < CK_VECTORS; v++)
                ck_store(tile + r * ck_panel + column + v * CK_LANES, sums[r][v]);
    }
}

/* One row: several inputs at a time, so that the sums do not wait for each other, and the weights
 * asked for ahead of use, since here they come from memory. */
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

/* One function for each row count, which keeps the sums in registers: `rows` takes rows of inputs
 * (stride lda), `columns` takes them from a transposed operand, whose rows are the inputs. */
#define CK_TILE(n) \
    static __attribute__((noinline)) void CK_NAME(rows_##n)( \
        const float *a, size_t lda, const float *panel, size_t k, float *tile \
    ) { CK_NAME(multiply_tile)(a, lda, 1, panel, k, n, tile); } \
    static __attribute__((noinline)) void CK_NAME(columns_##n)( \
        const float *a, size_t lda, const float *panel, size_t k, float *tile \
    ) { CK_NAME(multiply_tile)(a, 1, lda, panel, k, n, tile); }
CK_TILE(1) CK_TILE(2) CK_TILE(3) CK_TILE(4) CK_TILE(5) CK_TILE(6)
#if CK_ROWS == 12
CK_TILE(7) CK_TILE(8) CK_TILE(9) CK_TILE(10) CK_TILE(11) CK_TILE(12)
#define CK_TILES(name) {CK_NAME(name##_1), CK_NAME(name##_2), CK_NAME(name##_3), \
    CK_NAME(name##_4), CK_NAME(name##_5), CK_NAME(name##_6), CK_NAME(name##_7), \
    CK_NAME(name##_8), CK_NAME(name##_9), CK_NAME(name##_10), CK_NAME(name##_11), \
    CK_NAME(name##_12)}
#else
#define CK_TILES(name) {CK_NAME(name##_1), CK_NAME(name##_2), CK_NAME(name##_3), \
    CK_NAME(name##_4), CK_NAME(name##_5), CK_NAME(name##_6)}
#endif

typedef void (*CK_NAME(tile))(
    const float *a, size_t lda, const float *panel, size_t k, float *tile);
static const CK_NAME(tile) CK_NAME(tiles_of_rows)[CK_ROWS] = CK_TILES(rows);
static const CK_NAME(tile) CK_NAME(tiles_of_columns)[CK_ROWS] = CK_TILES(columns);

/* The product of `rows` <= CK_ROWS rows with one panel into tile[rows][32]. */
CK_INLINE void CK_NAME(multiply_rows)(
    const float *a, size_t lda, const float *panel, size_t k, size_t rows, float *tile
) {
    CK_NAME(tiles_of_rows)[rows - 1](a, lda, panel, k, tile);
}

CK_INLINE void CK_NAME(finish_row)(
    const float *tile, const float *bias, float *c, size_t n, ck_epilogue epilogue
) {
    if (epilogue == ck_epilogue_swiglu) {
        enum { outputs = ck_panel / 2, width = CK_LANES < outputs ? CK_LANES : outputs };
        for (size_t j = 0; j < outputs && j < n; j += width) {
            ck_vector gate = ck_load(tile + j), up = ck_load(tile + outputs + j);
            if (bias) {
                gate += ck_load(bias + j);
                up += ck_load(bias + outputs + j);
            }
            ck_vector y = ck_silu(gate) * up;
            if (j + CK_LANES <= n) ck_store(c + j, y); else ck_store_part(c + j, y, n - j);
        }
        return;
    }
    for (size_t j = 0; j < ck_panel && j < n; j += CK_LANES) {
        size_t left = n - j < CK_LANES ? n - j : CK_LANES;
        ck_vector y = ck_load(tile + j);
        if (bias) y += ck_load(bias + j);
        if (epilogue == ck_epilogue_gelu) y = ck_gelu(y);
        if (epilogue == ck_epilogue_add)
            y += left == CK_LANES ? ck_load(c + j) : ck_load_part(c + j, left, 0);
        if (left == CK_LANES) ck_store(c + j, y); else ck_store_part(c + j, y, left);
    }
}

static void CK_NAME(gemm_f32)(
    const float *a, size_t lda, size_t m, size_t k, const float *panels, const float *bias,
    float *c, size_t ldc, size_t n, ck_epilogue epilogue
) {
    size_t step = epilogue == ck_epilogue_swiglu ? ck_panel / 2 : ck_panel;
    /* Rows are taken in blocks that stay in the second-level cache beside a panel. */
    size_t block = k ? 98304 / k : m;
    block = block < CK_ROWS ? CK_ROWS : block;
    size_t blocks = (m + block - 1) / block;
    float tile[CK_ROWS * ck_panel] __attribute__((aligned(64)));
    for (size_t piece = 0; piece < blocks; piece++) {
        size_t begin = m * piece / blocks, rows = m * (piece + 1) / blocks - begin;
        size_t tiles = (rows + CK_ROWS - 1) / CK_ROWS;
        for (size_t j = 0, p = 0; j < n; j += step, p++) {
            const float *panel = panels + p * k * ck_panel;
            const float *panel_bias = bias ? bias + p * ck_panel : 0;
            for (size_t t = 0; t < tiles; t++) {
                size_t top = begin + rows * t / tiles, bottom = begin + rows * (t + 1) / tiles;
                if (m == 1)
                    CK_NAME(multiply_row)(a, panel, k, tile);
                else
                    CK_NAME(multiply_rows)(a + top * lda, lda, panel, k, bottom - top, tile);
                for (size_t r = top; r < bottom; r++)
                    CK_NAME(finish_row)(
                        tile + (r - top) * ck_panel, panel_bias, c + r * ldc + j, n - j, epilogue);
            }
        }
    }
}

static void CK_NAME(pack_rows_f32)(
    const float *source, size_t ld, size_t n, size_t width, float *panels
) {
    for (size_t j = 0; j < n; j++) {
        const float *row = source + j * ld;
        float *packed = panels + j / ck_panel * width * ck_panel + j % ck_panel;
        for (size_t i = 0; i < width; i++) packed[i * ck_panel] = row[i];
    }
}

static void CK_NAME(pack_columns_f32)(
    const float *source, size_t ld, size_t n, size_t width, float *panels
) {
    for (size_t j = 0; j < width; j += ck_panel, panels += n * ck_panel) {
        size_t columns = width - j < ck_panel ? width - j : ck_panel;
        for (size_t i = 0; i < n; i++)
            for (size_t c = 0; c < columns; c++)
                panels[i * ck_panel + c] = source[i * ld + j + c];
    }
}

static void CK_NAME(gram_f32)(
    const float *x, size_t rows, size_t columns, size_t first, size_t last, double *sums,
    float *scratch
) {
    float tile[CK_ROWS * ck_panel] __attribute__((aligned(64)));
    for (size_t j = first; j < last; j += ck_panel) {
        size_t width = columns - j < ck_panel ? columns - j : ck_panel;
        CK_NAME(pack_columns_f32)(x + j, columns, rows, width, scratch);
        for (size_t i = 0; i < j + width; i += CK_ROWS) {
            size_t count = j + width - i < CK_ROWS ? j + width - i : CK_ROWS;
            CK_NAME(tiles_of_columns)[count - 1](x + i, columns, scratch, rows, tile);
            for (size_t r = 0; r < count; r++)
                for (size_t c = 0; c < width; c++)
                    sums[(i + r) * columns + j + c] += tile[r * ck_panel + c];
        }
    }
}
