/* Measurements of the machine's limits, with the vectors that the kernels use. */

static float CK_NAME(peak_f32)(size_t repeats, float seed) {
    enum { sums = 384 / CK_LANES < 24 ? 384 / CK_LANES : (CK_ROWS * CK_VECTORS) };
    ck_vector values[sums];
    for (size_t v = 0; v < sums; v++) values[v] = ck_splat(seed + (float)v);
    ck_vector factor = ck_splat(0.999f), term = ck_splat(seed);
    for (size_t i = 0; i < repeats; i++)
        for (size_t part = 0; part < 384 / (sums * CK_LANES); part++) {
#pragma clang loop unroll(full)
            for (size_t v = 0; v < sums; v++) values[v] = values[v] * factor + term;
        }
    ck_vector total = values[0];
    for (size_t v = 1; v < sums; v++) total += values[v];
    return ck_sum(total);
}

static float CK_NAME(peak_f16)(size_t repeats, float seed) {
#if CK_FP16
    __m512h values[24], factor = _mm512_set1_ph((_Float16)0.999f);
    __m512h term = _mm512_set1_ph((_Float16)(seed / 64));
    for (size_t v = 0; v < 24; v++) values[v] = _mm512_set1_ph((_Float16)(seed / 64));
    for (size_t i = 0; i < repeats; i++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < 24; v++) values[v] = _mm512_fmadd_ph(values[v], factor, term);
    __m512h total = values[0];
    for (size_t v = 1; v < 24; v++) total = _mm512_add_ph(total, values[v]);
    return (float)_mm512_reduce_add_ph(total);
#else
    return CK_NAME(peak_f32)(2 * repeats, seed);
#endif
}

#if CK_TILES
/* Multiplies tiles in registers. The number of multiply-adds is twice that of peak_f32 for bf16,
 * and four times that of peak_f32 for integers. */
CK_INLINE float CK_NAME(peak_tiles)(size_t repeats, float seed, int integers) {
    enum { products = 4, inputs = ck_tile_rows * ck_tile_units * ck_tile_units };
    float values[ck_tile_rows * ck_tile_units], sum = 0;
    for (size_t i = 0; i < ck_tile_rows * ck_tile_units; i++) values[i] = seed / 64;
    CK_NAME(configure_tiles)(ck_group_lines);
    ck_tile_load(4, values, ck_tile_bytes);
    ck_tile_load(5, values, ck_tile_bytes);
    ck_tile_load(6, values, ck_tile_bytes);
    ck_tile_load(7, values, ck_tile_bytes);
    CK_NAME(clear_sums)(1);
    for (size_t i = 0; i < repeats * 384 / (products * inputs); i++) {
        if (integers) {
            ck_tile_multiply_int8(0, 4, 6);
            ck_tile_multiply_int8(1, 4, 7);
            ck_tile_multiply_int8(2, 5, 6);
            ck_tile_multiply_int8(3, 5, 7);
        } else {
            ck_tile_multiply_bf16(0, 4, 6);
            ck_tile_multiply_bf16(1, 4, 7);
            ck_tile_multiply_bf16(2, 5, 6);
            ck_tile_multiply_bf16(3, 5, 7);
        }
    }
    float sums[ck_group_lines * ck_panel];
    CK_NAME(store_sums)(sums, ck_panel, 1);
    ck_tile_release();
    for (size_t i = 0; i < ck_group_lines * ck_panel; i++) sum += sums[i];
    return sum;
}

static float CK_NAME(peak_bf16)(size_t repeats, float seed) {
    return CK_NAME(peak_tiles)(repeats, seed, 0);
}

static float CK_NAME(peak_int8)(size_t repeats, float seed) {
    return CK_NAME(peak_tiles)(repeats, seed, 1);
}

/* Two terms need three products of bfloat16, which have half the size of floats. */
static float CK_NAME(peak_bf16x2)(size_t repeats, float seed) {
    return CK_NAME(peak_tiles)(3 * repeats / 2, seed, 0);
}
#else
static float CK_NAME(peak_bf16)(size_t repeats, float seed) {
#if CK_BF16
    ck_vector values[24];
    for (size_t v = 0; v < 24; v++) values[v] = ck_splat(seed + (float)v);
    __m512bh factor = (__m512bh)_mm512_set1_epi32(0x3a833a83);
    for (size_t i = 0; i < repeats; i++)
#pragma clang loop unroll(full)
        for (size_t v = 0; v < 24; v++) values[v] = _mm512_dpbf16_ps(values[v], factor, factor);
    ck_vector total = values[0];
    for (size_t v = 1; v < 24; v++) total += values[v];
    return ck_sum(total);
#else
    return CK_NAME(peak_f32)(2 * repeats, seed);
#endif
}

static float CK_NAME(peak_int8)(size_t repeats, float seed) {
    enum { sums = 384 / CK_LANES < 24 ? 384 / CK_LANES : (CK_ROWS * CK_VECTORS) };
    ck_integers values[sums];
    for (size_t v = 0; v < sums; v++)
        values[v] = (ck_integers)ck_splat_word((uint32_t)seed + (uint32_t)v);
    ck_words factor = ck_splat_word(0x01ff02fe);
    /* Each sum is a factor of the next product, so the compiler cannot replace repeated products
     * by one product. */
    for (size_t i = 0; i < repeats; i++)
        for (size_t part = 0; part < 384 / (sums * CK_LANES); part++) {
#pragma clang loop unroll(full)
            for (size_t v = 0; v < sums; v++)
                values[v] = CK_NAME(dot_int8)(values[v], (ck_words)values[v], factor);
        }
    ck_words total = (ck_words)values[0];
    for (size_t v = 1; v < sums; v++) total += (ck_words)values[v];
    return (float)total[0];
}
#endif

/* The multiply-adds of a group, without the sums of groups in f32. */
static float CK_NAME(peak_int4)(size_t repeats, float seed) {
    enum {
        words = 384 * ck_group / 4,
        sums = 384 / CK_LANES < 24 ? 384 / CK_LANES : (CK_ROWS * CK_VECTORS),
    };
    CK_NAME(partial_sums) values[sums];
    for (size_t v = 0; v < sums; v++)
        values[v] = (CK_NAME(partial_sums))ck_splat_word((uint32_t)seed + (uint32_t)v);
    ck_words factor = ck_splat_word(0x01ff02fe);
    /* Each sum is also a factor of its next product, so that the compiler cannot compute any
     * product only once. */
    for (size_t i = 0; i < repeats; i++)
        for (size_t part = 0; part < words / (sums * CK_LANES); part++) {
#pragma clang loop unroll(full)
            for (size_t v = 0; v < sums; v++)
                values[v] = CK_NAME(add_int4)(values[v], (ck_words)values[v], factor);
        }
    ck_words total = (ck_words)values[0];
    for (size_t v = 1; v < sums; v++) total += (ck_words)values[v];
    return (float)total[0];
}

static float CK_NAME(read_f32)(const float *x, size_t n) {
    enum { chains = 8 };
    ck_vector sums[chains];
    for (size_t c = 0; c < chains; c++) sums[c] = ck_splat(0);
    size_t i = 0;
    for (; i + chains * CK_LANES <= n; i += chains * CK_LANES) {
#pragma clang loop unroll(full)
        for (size_t c = 0; c < chains; c++) {
            __builtin_prefetch(x + i + c * CK_LANES + 1024);
            sums[c] += ck_load(x + i + c * CK_LANES);
        }
    }
    float rest = 0;
    for (; i < n; i++) rest += x[i];
    for (size_t c = 1; c < chains; c++) sums[0] += sums[c];
    return ck_sum(sums[0]) + rest;
}
