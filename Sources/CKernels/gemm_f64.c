/* The loops around the register tiles. Panels of b are packed for the last-level cache, and panels
 * of a for the second-level cache. A tile of c stays in registers for a block of k. Source: Goto
 * and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008). */
#include "ck_f64.h"

/* BLOCK_ROWS and BLOCK_COLUMNS are multiples of the rows and columns of every tile. LARGEST_TILE is
 * the number of elements of the largest tile. */
enum { BLOCK_ROWS = 192, BLOCK_COLUMNS = 1536, BLOCK_DEPTH = 256, LARGEST_TILE = 8 * 24 };

static size_t min_size(size_t x, size_t y) { return x < y ? x : y; }

static size_t rounded_up(size_t x, size_t step) { return (x + step - 1) / step * step; }

size_t ck_gemm_f64_scratch(size_t n, size_t k) {
    size_t depth = min_size(k, BLOCK_DEPTH);
    return depth * (BLOCK_ROWS + rounded_up(min_size(n, BLOCK_COLUMNS), 24)) + LARGEST_TILE;
}

/* Packs `count` lines of length k, zero-padded to panels of `width` lines:
 * out[panel][p][line]. Element p of a line is at data[line*line_stride + p*step]. */
static void pack(
    const double *data, size_t line_stride, size_t step, size_t count, size_t k, size_t width,
    double *out) {
    for (size_t first = 0; first < count; first += width, out += width * k) {
        const double *source = data + first * line_stride;
        size_t lines = min_size(width, count - first);
        if (line_stride == 1) {
            for (size_t p = 0; p < k; p++) {
                for (size_t line = 0; line < lines; line++)
                    out[p * width + line] = source[p * step + line];
                for (size_t line = lines; line < width; line++) out[p * width + line] = 0;
            }
        } else {
            for (size_t line = 0; line < lines; line++)
                for (size_t p = 0; p < k; p++)
                    out[p * width + line] = source[line * line_stride + p * step];
            for (size_t line = lines; line < width; line++)
                for (size_t p = 0; p < k; p++) out[p * width + line] = 0;
        }
    }
}

/* Computes a tile that is partly outside c. The whole tile is computed in a copy. Only the part
 * inside c is stored. */
static void edge_tile(
    const ck_f64_kernels *kernels, size_t rows, size_t columns, size_t k, double alpha,
    const double *a, const double *b, double *c, size_t stride, double *copy) {
    size_t width = kernels->tile_columns;
    for (size_t i = 0; i < kernels->tile_rows; i++)
        for (size_t j = 0; j < width; j++)
            copy[i * width + j] = i < rows && j < columns ? c[i * stride + j] : 0;
    kernels->tile(k, alpha, a, b, copy, width);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) c[i * stride + j] = copy[i * width + j];
}

void ck_gemm_f64(
    const ck_f64_kernels *kernels, size_t m, size_t n, size_t k, double alpha, ck_f64_operand a,
    ck_f64_operand b, double *c, size_t c_stride, ptrdiff_t diagonal, double *scratch) {
    const size_t mr = kernels->tile_rows, nr = kernels->tile_columns;
    double *copy = scratch, *packed_a = copy + LARGEST_TILE;
    double *packed_b = packed_a + BLOCK_ROWS * min_size(k, BLOCK_DEPTH);
    for (size_t column = 0; column < n; column += BLOCK_COLUMNS) {
        size_t columns = min_size(BLOCK_COLUMNS, n - column);
        for (size_t p = 0; p < k; p += BLOCK_DEPTH) {
            size_t depth = min_size(BLOCK_DEPTH, k - p);
            pack(b.data + p * b.row_stride + column * b.column_stride, b.column_stride,
                 b.row_stride, columns, depth, nr, packed_b);
            for (size_t row = 0; row < m; row += BLOCK_ROWS) {
                size_t rows = min_size(BLOCK_ROWS, m - row);
                if ((ptrdiff_t)column > (ptrdiff_t)(row + rows - 1) + diagonal) continue;
                pack(a.data + row * a.row_stride + p * a.column_stride, a.row_stride,
                     a.column_stride, rows, depth, mr, packed_a);
                for (size_t j = 0; j < columns; j += nr)
                    for (size_t i = 0; i < rows; i += mr) {
                        size_t tall = min_size(mr, rows - i), wide = min_size(nr, columns - j);
                        if ((ptrdiff_t)(column + j) > (ptrdiff_t)(row + i + tall - 1) + diagonal)
                            continue;
                        const double *pa = packed_a + i * depth, *pb = packed_b + j * depth;
                        double *out = c + (row + i) * c_stride + column + j;
                        if (tall == mr && wide == nr)
                            kernels->tile(depth, alpha, pa, pb, out, c_stride);
                        else
                            edge_tile(
                                kernels, tall, wide, depth, alpha, pa, pb, out, c_stride, copy);
                    }
            }
        }
    }
}
