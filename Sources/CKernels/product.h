/* The loops that the products of all precisions share: the division of c into tiles, and the
 * epilogue of a tile. */

/* Expands to make(1) ... make(CK_ROWS). With a separate function for each number of rows, the
 * compiler can keep the sums in registers. */
#if CK_ROWS == 12
#define CK_ROW_COUNTS(make) make(1) make(2) make(3) make(4) make(5) make(6) \
    make(7) make(8) make(9) make(10) make(11) make(12)
#else
#define CK_ROW_COUNTS(make) make(1) make(2) make(3) make(4) make(5) make(6)
#endif

/* The number of rows between a row that is read and the row that is prefetched. This is used for
 * reads of a few columns of each row, which the hardware prefetcher does not recognise. */
enum { ck_rows_ahead = 8 };

/* Three rows of a tile share a pointer. The asm statement hides the pointers from the compiler.
 * Otherwise the compiler keeps a single pointer and computes every address from this pointer. That
 * needs more instructions than some processors can issue in addition to the arithmetic. */
enum { ck_row_groups = CK_ROWS / 3 };
#define CK_ADVANCE(pointers, step) \
    _Pragma("clang loop unroll(full)") \
    for (size_t g = 0; g < ck_row_groups; g++) { \
        (pointers)[g] += (step); \
        __asm__("" : "+r"((pointers)[g])); \
    }

CK_INLINE void CK_NAME(finish_row)(
    const float *tile, const float *bias, float *c, size_t n, ck_epilogue epilogue
) {
    if (ck_is_gated(epilogue)) {
        enum { outputs = ck_panel / 2, width = CK_LANES < outputs ? CK_LANES : outputs };
        for (size_t j = 0; j < outputs && j < n; j += width) {
            ck_vector gate = ck_load(tile + j), up = ck_load(tile + outputs + j);
            if (bias) {
                gate += ck_load(bias + j);
                up += ck_load(bias + outputs + j);
            }
            ck_vector y = ck_activated(gate, ck_of_gate(epilogue)) * up;
            if (j + CK_LANES <= n) ck_store(c + j, y); else ck_store_part(c + j, y, n - j);
        }
        return;
    }
    for (size_t j = 0; j < ck_panel && j < n; j += CK_LANES) {
        size_t left = n - j < CK_LANES ? n - j : CK_LANES;
        ck_vector y = ck_load(tile + j);
        if (bias) y += ck_load(bias + j);
        y = ck_activated(y, epilogue);
        if (epilogue == ck_epilogue_add)
            y += left == CK_LANES ? ck_load(c + j) : ck_load_part(c + j, left, 0);
        if (left == CK_LANES) ck_store(c + j, y); else ck_store_part(c + j, y, left);
    }
}

/* A panel is read in units. A unit has 128 bytes: one input of its 32 outputs in f32, two in 16
 * bits, four in 8 bits. In 4 bits a unit is a group of 32 inputs; see gemm_int4.h. A slab is a
 * range of units that fits in the first-level cache, where all rows of a block read it. A part is a
 * longer range. Its inputs of all rows of a block fit in the second-level cache. */
enum { ck_unit_bytes = 128, ck_slab_units = 384, ck_part_units = 1024 };

/* A range of units [first, last) of a panel, and the memory that is prefetched while the units are
 * multiplied: `step` bytes for each unit, from `next` on. */
typedef struct {
    size_t first, last;
    const char *next;
    size_t step;
} ck_slab;

/* Adds the product of rows [top, bottom) and a slab of panel p to tile[bottom - top][32]. For the
 * first slab of a panel, the product overwrites the tile. The last slab completes the sums. */
typedef void (*ck_multiply)(
    const void *operands, size_t top, size_t bottom, size_t p, const ck_slab *slab, float *tile);

/* Prefetches the tile of c that is written next. */
CK_INLINE void CK_NAME(ask_for_tile)(const float *c, size_t ldc, size_t rows) {
    for (size_t r = 0; r < rows; r++) {
        __builtin_prefetch(c + r * ldc, 1);
        __builtin_prefetch(c + r * ldc + 16, 1);
    }
}

/* Loads the partial sums that an earlier part of the product stored in c. */
CK_INLINE void CK_NAME(load_partial_tile)(
    const float *c, size_t ldc, size_t rows, size_t n, float *tile
) {
    for (size_t r = 0; r < rows; r++, c += ldc, tile += ck_panel)
        for (size_t j = 0; j < ck_panel && j < n; j += CK_LANES)
            ck_store(tile + j, ck_load_up_to(c + j, n - j, 0));
}

/* c[m, n] = epilogue(product + bias). `multiply` computes the product from panels of `depth` units
 * of unit_bytes, at most tile_rows <= CK_ROWS rows and slab_units units at a time.
 *
 * While the rows of a block are multiplied with one slab, the next slab is prefetched, because the
 * hardware prefetcher does not recognise the jump. Long dot products are divided into parts.
 * Each part adds its partial sums to `c`. This needs float tiles and a linear epilogue.
 *
 * Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008). */
CK_INLINE void CK_NAME(product)(
    const void *operands, ck_multiply multiply, int tiles_are_floats, const void *panels, size_t m,
    size_t depth, size_t unit_bytes, size_t slab_units, size_t tile_rows, const float *bias,
    float *c, size_t ldc, size_t n, ck_epilogue epilogue
) {
    size_t step = ck_is_gated(epilogue) ? ck_panel / 2 : ck_panel;
    size_t most = ck_block_rows / CK_ROWS * tile_rows, blocks = (m + most - 1) / most;
    /* For a single row, every weight is read once, so no slab has to stay in a cache. */
    int whole = m == 1 || depth == 0;
    int linear = epilogue == ck_epilogue_store || epilogue == ck_epilogue_add;
    size_t parts = 1;
    if (!whole && tiles_are_floats && linear) parts = (depth + ck_part_units - 1) / ck_part_units;
    float sums[ck_block_rows * ck_panel] __attribute__((aligned(64)));
    for (size_t piece = 0; piece < blocks * parts; piece++) {
        size_t block = piece / parts, part = piece % parts;
        size_t begin = m * block / blocks, rows = m * (block + 1) / blocks - begin;
        size_t tiles = (rows + tile_rows - 1) / tile_rows;
        size_t from = depth * part / parts, units = depth * (part + 1) / parts - from;
        size_t slabs = whole ? 1 : (units + slab_units - 1) / slab_units;
        for (size_t j = 0, p = 0; j < n; j += step, p++) {
            const float *panel_bias = bias && part == 0 ? bias + p * ck_panel : 0;
            for (size_t s = 0; s < slabs; s++) {
                ck_slab slab = {from + units * s / slabs, from + units * (s + 1) / slabs, 0, 0};
                size_t share = (slab.last - slab.first) * unit_bytes / tiles;
                slab.step = unit_bytes / tiles;
                size_t next = s + 1 < slabs ? p * depth + slab.last : (p + 1) * depth + from;
                slab.next = (const char *)panels + next * unit_bytes;
                for (size_t t = 0; t < tiles; t++, slab.next += share) {
                    size_t top = begin + rows * t / tiles, bottom = begin + rows * (t + 1) / tiles;
                    float *tile = sums + t * CK_ROWS * ck_panel, *to = c + top * ldc + j;
                    if (s + 1 == slabs) CK_NAME(ask_for_tile)(to, ldc, bottom - top);
                    if (part > 0 && s == 0)
                        CK_NAME(load_partial_tile)(to, ldc, bottom - top, n - j, tile);
                    multiply(operands, top, bottom, p, &slab, tile);
                    if (s + 1 < slabs) continue;
                    for (size_t r = 0; r < bottom - top; r++)
                        CK_NAME(finish_row)(
                            tile + r * ck_panel, panel_bias, to + r * ldc, n - j,
                            part == 0 ? epilogue : ck_epilogue_store);
                }
            }
        }
    }
}
