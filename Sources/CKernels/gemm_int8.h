/* Matrix product over weights and activations in 8 bits. The sums of integers are exact. They are
 * scaled at the end.
 *
 *     c[r][j]  =  scale[r] · scale[j] · (Σ a[r][i] · W[j][i]  −  zero[r] · Σ W[j][i])
 *
 * Activations are unsigned and have a zero point for each row. There are two reasons: the
 * processor's instruction multiplies unsigned bytes by signed bytes, and a row without negative
 * values can use all codes. Weights are signed and have a scale for each output. A panel contains
 * 32 outputs, four inputs at a time, zero-padded to a multiple of four:
 *
 *     panels[p*K*32 + (i/4)*128 + j*4 + i%4]  =  W[32p + j][i]      K = k rounded up to 4
 *
 * If 8 bits are too coarse, a row is stored as two terms. The second term is the rounding error of
 * the first term, in steps that are 256 times finer. Both terms are multiplied like rows, and the
 * two products are added.
 *
 * Sums are exact for k < 65 536, so all instruction sets compute the same integers. */

/* Stores codes, clamped to 0 ... 255. The last group of four is padded with the zero point. */
CK_INLINE void CK_NAME(store_codes)(uint8_t *values, size_t i, size_t n, ck_integers codes) {
    typedef uint8_t bytes __attribute__((vector_size(CK_LANES), aligned(1)));
    codes = __builtin_elementwise_max(codes, (ck_integers){0});
    codes = __builtin_elementwise_min(codes, (ck_integers){0} + 255);
    if (i + CK_LANES <= n)
        *(bytes *)(values + i) = __builtin_convertvector(codes, bytes);
    else
        for (size_t j = 0; i + j < (n + 3) / 4 * 4; j++) values[i + j] = (uint8_t)codes[j];
}

#if CK_X86 && CK_LANES == 16
/* Stores four vectors of codes, clamped to 0 ... 255. Two instructions narrow the codes with
 * saturation. They interleave groups of four codes, which are then put in order. */
CK_INLINE void CK_NAME(store_four_codes)(uint8_t *values, const ck_integers *codes) {
    const __m512i order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i low = _mm512_packs_epi32((__m512i)codes[0], (__m512i)codes[1]);
    __m512i high = _mm512_packs_epi32((__m512i)codes[2], (__m512i)codes[3]);
    _mm512_storeu_si512(
        values, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high)));
}
#endif

/* Divides the range from the row's minimum to the row's maximum, extended to contain 0, into 254
 * steps. If both the zero point and the maximum are rounded up, code 255 is used. */
static void CK_NAME(convert_int8)(
    const float *x, size_t n, size_t terms, void *codes, size_t stride, float *scales,
    int32_t *zeros
) {
/* With a fused multiply-add, the last bit would depend on the instruction set. */
#pragma clang fp contract(off)
    uint8_t *values = codes;
    const float round = 12582912.0f; /* 1.5 · 2²³: adding it rounds to the nearest integer */
    enum { chains = 4 };
    ck_vector lowest[chains], highest[chains];
    for (size_t c = 0; c < chains; c++) lowest[c] = highest[c] = ck_splat(0);
    size_t i = 0;
    for (; i + chains * CK_LANES <= n; i += chains * CK_LANES)
#pragma clang loop unroll(full)
        for (size_t c = 0; c < chains; c++) {
            ck_vector v = ck_load(x + i + c * CK_LANES);
            lowest[c] = ck_min(lowest[c], v);
            highest[c] = ck_max(highest[c], v);
        }
    for (; i < n; i += CK_LANES) {
        ck_vector v = ck_load_up_to(x + i, n - i, 0);
        lowest[0] = ck_min(lowest[0], v);
        highest[0] = ck_max(highest[0], v);
    }
    for (size_t c = 1; c < chains; c++) {
        lowest[0] = ck_min(lowest[0], lowest[c]);
        highest[0] = ck_max(highest[0], highest[c]);
    }
    float low = -ck_largest(-lowest[0]), step = (ck_largest(highest[0]) - low) / 254;
    float inverse = step > 0 ? 1 / step : 0;
    float origin = (-low * inverse + round) - round;
    scales[0] = step;
    zeros[0] = (int32_t)origin;
    if (terms > 1) {
        scales[1] = step / 256;
        zeros[1] = 128;
    }
    /* After the addition of `round`, the low bits of the float are the integer. */
    const int32_t bits = 0x4b400000;
    i = 0;
#if CK_X86 && CK_LANES == 16
    for (; terms == 1 && i + 4 * CK_LANES <= n; i += 4 * CK_LANES) {
        ck_integers all[4];
#pragma clang loop unroll(full)
        for (size_t v = 0; v < 4; v++)
            all[v] = (ck_integers)(ck_load(x + i + v * CK_LANES) * inverse + round)
                - (bits - zeros[0]);
        CK_NAME(store_four_codes)(values + i, all);
    }
#endif
    for (; i < n; i += CK_LANES) {
        ck_vector in = ck_load_up_to(x + i, n - i, 0);
        ck_vector steps = in * inverse, shifted = steps + round;
        CK_NAME(store_codes)(values, i, n, (ck_integers)shifted - (bits - zeros[0]));
        if (terms > 1) {
            ck_vector rest = (steps - (shifted - round)) * 256 + round;
            CK_NAME(store_codes)(values + stride, i, n, (ck_integers)rest - (bits - 128));
        }
    }
}

/* Returns the largest magnitude of n values. NaN is ignored. */
CK_INLINE float CK_NAME(max_magnitude)(const float *x, size_t n) {
    ck_vector largest = ck_splat(0);
    for (size_t i = 0; i < n; i += CK_LANES) {
        ck_vector v = ck_load_up_to(x + i, n - i, 0);
        largest = ck_max(ck_max(v, -v), largest);
    }
    return ck_largest(largest);
}

/* Returns the nearest integer from -limit to limit, or -limit for NaN. */
CK_INLINE float CK_NAME(nearest_code)(float x, float limit) {
    float code = __builtin_rintf(x);
    code = code > -limit ? code : -limit;
    return code < limit ? code : limit;
}

static void CK_NAME(pack_rows_int8)(
    const float *source, size_t ld, size_t n, size_t width, void *panels, float *scales,
    int32_t *sums
) {
    size_t quads = (width + 3) / 4;
    for (size_t j = 0; j < n; j++) {
        const float *row = source + j * ld;
        float largest = CK_NAME(max_magnitude)(row, width);
        float inverse = largest > 0 ? 127 / largest : 0;
        int8_t *packed =
            (int8_t *)panels + (j / ck_panel * quads * ck_panel + j % ck_panel) * 4;
        int32_t sum = 0;
        for (size_t i = 0; i < width; i++) {
            float code = CK_NAME(nearest_code)(row[i] * inverse, 127);
            packed[i / 4 * 4 * ck_panel + i % 4] = (int8_t)code;
            sum += (int8_t)code;
        }
        scales[j] = largest / 127;
        sums[j] = sum;
    }
}

/* Adds to each lane of `sum` the four products of unsigned bytes of x and signed bytes of w. */
CK_INLINE ck_integers CK_NAME(dot_int8)(ck_integers sum, ck_words x, ck_words w) {
#if CK_VNNI
    return (ck_integers)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#else
    typedef int16_t shorts __attribute__((vector_size(CK_LANES * 4)));
    /* Bytes 0 and 2, then bytes 1 and 3, as 16-bit integers: no product overflows. */
    shorts even_x = (shorts)(x & 0x00ff00ff), odd_x = (shorts)(x >> 8 & 0x00ff00ff);
    shorts even_w = (shorts)((shorts)w << 8) >> 8, odd_w = (shorts)w >> 8;
#if CK_X86 && CK_LANES == 16
    sum += (ck_integers)_mm512_madd_epi16((__m512i)even_x, (__m512i)even_w);
    return sum + (ck_integers)_mm512_madd_epi16((__m512i)odd_x, (__m512i)odd_w);
#elif CK_X86 && CK_LANES == 8
    sum += (ck_integers)_mm256_madd_epi16((__m256i)even_x, (__m256i)even_w);
    return sum + (ck_integers)_mm256_madd_epi16((__m256i)odd_x, (__m256i)odd_w);
#else
    ck_integers even = (ck_integers)(even_x * even_w), odd = (ck_integers)(odd_x * odd_w);
    sum += (ck_integers)((ck_words)even << 16) >> 16;
    sum += (ck_integers)((ck_words)odd << 16) >> 16;
    return sum + (even >> 16) + (odd >> 16);
#endif
#endif
}

typedef struct {
    const uint8_t *values;
    size_t stride;
    const float *scales;
    const int32_t *zeros;
} ck_int8_rows;

typedef struct {
    const int8_t *panels;
    const float *scales;
    const int32_t *sums;
} ck_int8_weights;

typedef struct {
    ck_int8_rows a;
    size_t m, terms, quads;
    ck_int8_weights w;
} ck_int8_operands;

/* Returns the initial sums of a row: -(zero point · sum of the weights) for each output. */
CK_INLINE ck_integers CK_NAME(begin_int8)(int32_t zero, ck_words sums) {
    return -(ck_integers)(sums * ck_splat_word((uint32_t)zero));
}

CK_INLINE ck_vector CK_NAME(scale_int8)(ck_integers sum, float scale, ck_vector scales) {
    return __builtin_convertvector(sum, ck_vector) * (scale * scales);
}

CK_INLINE void CK_NAME(multiply_tile_int8)(
    const ck_int8_operands *o, size_t top, size_t p, const ck_slab *slab, size_t rows,
    float *tile
) {
    size_t quads = o->quads, stride = o->a.stride;
    const uint8_t *a = o->a.values + top * stride;
    const char *next = slab->next;
    for (size_t column = 0; column < ck_panel; column += CK_VECTORS * CK_LANES) {
        ck_integers sums[CK_ROWS][CK_VECTORS];
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++) {
                size_t j = column + v * CK_LANES;
                sums[r][v] = slab->first
                    ? (ck_integers)ck_load(tile + r * ck_panel + j)
                    : CK_NAME(begin_int8)(
                          o->a.zeros[top + r], ck_load_words(o->w.sums + p * ck_panel + j));
            }
        const int8_t *weights =
            o->w.panels + ((p * quads + slab->first) * ck_panel + column) * 4;
        const uint8_t *inputs[ck_row_groups];
#pragma clang loop unroll(full)
        for (size_t g = 0; g < ck_row_groups; g++)
            inputs[g] = a + 3 * g * stride + slab->first * 4;
        for (size_t i = slab->first; i < slab->last; i++, weights += ck_panel * 4) {
            __builtin_prefetch(next, 0, 2);
            next += slab->step;
            ck_words weight[CK_VECTORS];
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++)
                weight[v] = ck_load_words(weights + v * CK_LANES * 4);
#pragma clang loop unroll(full)
            for (size_t r = 0; r < rows; r++) {
                ck_words x = ck_splat_word(ck_word_at(inputs[r / 3] + r % 3 * stride));
#pragma clang loop unroll(full)
                for (size_t v = 0; v < CK_VECTORS; v++)
                    sums[r][v] = CK_NAME(dot_int8)(sums[r][v], x, weight[v]);
            }
            CK_ADVANCE(inputs, 4);
        }
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < CK_VECTORS; v++) {
                size_t j = column + v * CK_LANES;
                ck_store(
                    tile + r * ck_panel + j,
                    slab->last < quads
                        ? (ck_vector)sums[r][v]
                        : CK_NAME(scale_int8)(
                              sums[r][v], o->a.scales[top + r],
                              ck_load(o->w.scales + p * ck_panel + j)));
            }
    }
}

/* Computes the product of the terms, 1 or 2, of one row; see multiply_row in gemm_f32.h. */
CK_INLINE void CK_NAME(multiply_row_int8)(
    const ck_int8_operands *o, size_t terms, size_t p, float *tile
) {
    enum { vectors = ck_panel / CK_LANES, most = vectors >= 4 ? 2 : 4, ahead = 32 };
    size_t quads = o->quads, stride = o->a.stride, chains = most / terms;
    const uint8_t *a = o->a.values;
    const int8_t *panel = o->w.panels + p * quads * ck_panel * 4;
    ck_integers sums[2][most][vectors];
#pragma clang loop unroll(full)
    for (size_t t = 0; t < terms; t++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) {
            sums[t][0][v] = CK_NAME(begin_int8)(
                o->a.zeros[t], ck_load_words(o->w.sums + p * ck_panel + v * CK_LANES));
#pragma clang loop unroll(full)
            for (size_t c = 1; c < chains; c++) sums[t][c][v] = (ck_integers){0};
        }
    size_t i = 0;
    for (; i + chains <= quads; i += chains) {
#pragma clang loop unroll(full)
        for (size_t c = 0; c < chains; c++) {
            const int8_t *weights = panel + (i + c) * ck_panel * 4;
            __builtin_prefetch(weights + ahead * ck_panel * 4);
            __builtin_prefetch(weights + ahead * ck_panel * 4 + 64);
#pragma clang loop unroll(full)
            for (size_t t = 0; t < terms; t++) {
                ck_words x = ck_splat_word(ck_word_at(a + t * stride + (i + c) * 4));
#pragma clang loop unroll(full)
                for (size_t v = 0; v < vectors; v++)
                    sums[t][c][v] = CK_NAME(dot_int8)(
                        sums[t][c][v], x, ck_load_words(weights + v * CK_LANES * 4));
            }
        }
    }
    for (; i < quads; i++)
#pragma clang loop unroll(full)
        for (size_t t = 0; t < terms; t++)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < vectors; v++)
                sums[t][0][v] = CK_NAME(dot_int8)(
                    sums[t][0][v], ck_splat_word(ck_word_at(a + t * stride + i * 4)),
                    ck_load_words(panel + (i * ck_panel + v * CK_LANES) * 4));
#pragma clang loop unroll(full)
    for (size_t t = 0; t < terms; t++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) {
            ck_integers sum = sums[t][0][v];
#pragma clang loop unroll(full)
            for (size_t c = 1; c < chains; c++) sum += sums[t][c][v];
            ck_store(
                tile + t * ck_panel + v * CK_LANES,
                CK_NAME(scale_int8)(
                    sum, o->a.scales[t], ck_load(o->w.scales + p * ck_panel + v * CK_LANES)));
        }
}

#define CK_TILE_INT8(n) \
    static __attribute__((noinline)) void CK_NAME(int8_##n)( \
        const ck_int8_operands *o, size_t top, size_t p, const ck_slab *slab, float *tile \
    ) { CK_NAME(multiply_tile_int8)(o, top, p, slab, n, tile); }
CK_ROW_COUNTS(CK_TILE_INT8)

#define CK_TILE_OF_INT8(n) CK_NAME(int8_##n),
static void (*const CK_NAME(tiles_of_int8)[])(
    const ck_int8_operands *o, size_t top, size_t p, const ck_slab *slab, float *tile
) = {CK_ROW_COUNTS(CK_TILE_OF_INT8)};

CK_INLINE void CK_NAME(multiply_int8)(
    const void *operands, size_t top, size_t bottom, size_t p, const ck_slab *slab, float *tile
) {
    const ck_int8_operands *o = operands;
    size_t terms = o->terms, rows = bottom - top;
    if (o->m == 1 && terms == 1)
        CK_NAME(multiply_row_int8)(o, 1, p, tile);
    else if (o->m == 1)
        CK_NAME(multiply_row_int8)(o, 2, p, tile);
    else
        CK_NAME(tiles_of_int8)[rows * terms - 1](o, top * terms, p, slab, tile);
    if (terms == 1 || slab->last < o->quads) return;
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < ck_panel; j += CK_LANES) {
            const float *pair = tile + 2 * r * ck_panel + j;
            ck_store(tile + r * ck_panel + j, ck_load(pair) + ck_load(pair + ck_panel));
        }
}

static void CK_NAME(product_int8)(
    ck_operand a, size_t m, size_t k, ck_weights w, const float *bias, float *c, size_t ldc,
    size_t n, ck_epilogue epilogue
) {
    ck_int8_operands operands = {
        {a.values, a.stride, a.scales, a.zeros}, m, a.terms, (k + 3) / 4,
        {w.panels, w.scales, w.sums}};
    CK_NAME(product)(
        &operands, CK_NAME(multiply_int8), 0, w.panels, m, (k + 3) / 4, ck_unit_bytes,
        ck_slab_units, CK_ROWS / a.terms, bias, c, ldc, n, epilogue);
}

static void CK_NAME(unpack_row_int8)(
    const void *panel, size_t lane, size_t k, float scale, float *row
) {
    const int8_t *codes = (const int8_t *)panel + 4 * lane;
    for (size_t i = 0; i < k; i++) row[i] = scale * (float)codes[i / 4 * 4 * ck_panel + i % 4];
}
