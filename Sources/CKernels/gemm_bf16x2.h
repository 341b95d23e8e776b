/* Matrix product in tile registers, over inputs and weights that are sums of two terms in bfloat16.
 * Products are summed in f32.
 *
 * The high term of x is the nearest bfloat16. The low term is the bfloat16 that is nearest to the
 * rest. Their sum differs from x by at most 2^-17 |x|. A product is high * high + high * low +
 * low * high. It omits low * low, which is at most 2^-16 of the product.
 *
 * A block is 32 inputs. A panel contains 32 outputs of the weight, block by block, zero-padded to
 * whole blocks. A block consists of 16 units of high terms and 16 units of low terms:
 *
 *     panels[(p*K + i/32*32 + i%32/2)*64 + j*2 + i%2]       =  high term of W[32p + j][i]
 *     panels[(p*K + i/32*32 + i%32/2 + 16)*64 + j*2 + i%2]  =  low term of W[32p + j][i]
 *
 * with K = k rounded up to 32. A row of inputs is 32 high terms and 32 low terms for each block.
 *
 * Source: Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for
 * higher-precision computations", arXiv 1904.06376. */

enum { ck_block_inputs = 2 * ck_tile_units };

/* The high terms of 32 inputs, then their low terms. Inputs after the first n are 0. */
CK_INLINE void CK_NAME(split_block)(const float *x, size_t n, uint16_t *terms) {
    typedef uint16_t halves __attribute__((vector_size(CK_LANES * 2), aligned(2)));
    for (size_t i = 0; i < ck_block_inputs; i += CK_LANES) {
        ck_vector all = i < n ? ck_load_up_to(x + i, n - i, 0) : ck_splat(0);
        ck_words high = CK_NAME(round_bf16)(all);
        ck_words low = CK_NAME(round_bf16)(all - (ck_vector)(high << 16));
        *(halves *)(terms + i) = __builtin_convertvector(high, halves);
        *(halves *)(terms + ck_block_inputs + i) = __builtin_convertvector(low, halves);
    }
}

static void CK_NAME(convert_bf16x2)(
    const float *x, size_t n, size_t terms, void *values, size_t stride, float *scales,
    int32_t *zeros
) {
    (void)terms, (void)stride, (void)scales, (void)zeros;
    for (size_t i = 0; i < n; i += ck_block_inputs)
        CK_NAME(split_block)(x + i, n - i, (uint16_t *)values + 2 * i);
}

static void CK_NAME(pack_rows_bf16x2)(
    const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales,
    int32_t *sums
) {
    (void)scales, (void)sums;
    enum { units = ck_block_inputs };
    uint16_t terms[CK_LANES][2 * ck_block_inputs] __attribute__((aligned(64)));
    size_t blocks = (width + ck_block_inputs - 1) / ck_block_inputs;
    for (size_t j = 0; j < n; j += CK_LANES) {
        size_t count = n - j < CK_LANES ? n - j : CK_LANES;
        uint32_t *packed =
            (uint32_t *)panels + j / ck_panel * blocks * units * ck_panel + j % ck_panel;
        for (size_t i = 0; i < width; i += ck_block_inputs, packed += units * ck_panel) {
            for (size_t r = 0; r < count; r++)
                CK_NAME(split_block)(source + (j + r) * ld + i, width - i, terms[r]);
            for (size_t u = 0; count == CK_LANES && u < units; u += CK_LANES) {
                ck_vector rows[CK_LANES];
                for (size_t r = 0; r < CK_LANES; r++)
                    rows[r] = (ck_vector)ck_load_words(terms[r] + 2 * u);
                CK_NAME(transpose)(rows);
                for (size_t r = 0; r < CK_LANES; r++)
                    ck_store((float *)packed + (u + r) * ck_panel, rows[r]);
            }
            for (size_t r = 0; count < CK_LANES && r < count; r++)
                for (size_t u = 0; u < units; u++)
                    __builtin_memcpy(packed + u * ck_panel + r, terms[r] + 2 * u, 4);
        }
    }
}

static void CK_NAME(pack_columns_bf16x2)(
    const float *source, size_t ld, size_t n, size_t width, void *panels
) {
    size_t pairs = (n + ck_block_inputs - 1) / ck_block_inputs * ck_tile_units;
    CK_NAME(pack_pairs)(source, ld, n, width, pairs, 2, panels);
}

static void CK_NAME(unpack_row_bf16x2)(
    const void *panel, size_t lane, size_t k, float scale, float *row
) {
    (void)scale;
    for (size_t i = 0; i < k; i++) {
        row[i] = 0;
        for (size_t term = 0; term < 2; term++) {
            size_t unit = CK_NAME(place_of)(i / 2, term, 2);
            uint32_t half = ((const uint16_t *)panel)[(unit * ck_panel + lane) * 2 + i % 2];
            uint32_t bits = half << 16;
            float value;
            __builtin_memcpy(&value, &bits, 4);
            row[i] += value;
        }
    }
}

static void CK_NAME(product_bf16x2)(
    ck_operand a, size_t m, size_t k, ck_weights w, const float *bias, float *c, size_t ldc,
    size_t n, ck_epilogue epilogue
) {
    ck_tiled o = {a, w, (k + ck_block_inputs - 1) / ck_block_inputs * ck_block_inputs,
        bias, ldc};
    CK_NAME(product_tiles)(
        &o, m, c, n, epilogue, ck_tiled_bf16x2, CK_NAME(multiply_group_bf16x2)(epilogue));
}
