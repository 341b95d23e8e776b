/* Kernels of contextual sparsity: approximate values of many outputs from 4-bit weights, products
 * with the rows of selected neurons, and sums of these rows.
 *
 * A 4-bit panel stores all data of its 32 outputs in one piece of memory: first the inputs in 4
 * bits, eight at a time, zero-padded to a multiple of eight; then the fine inputs in 8 bits, four
 * at a time; then the scales of the outputs.
 *
 *     panel[(i/8)*128 + j*4 + i%4]        =  W[j][i] / scale[j] + 8, input i + 4 in the high half
 *     panel[K*16 + (f/4)*128 + j*4 + f%4] =  16 W[j][fine[f]] / scale[j] + 128
 *
 * K is k rounded up to a multiple of 8. The processor's instruction multiplies unsigned bytes by
 * signed bytes. Here the weights are unsigned and the activations are signed. */

static void CK_NAME(pack_rows_coarse)(
    const float *source, size_t ld, size_t n, size_t width, const uint32_t *fine, size_t fines,
    uint8_t *panels
) {
    size_t eights = (width + 7) / 8;
    for (size_t j = 0; j < n; j++) {
        const float *row = source + j * ld;
        uint8_t *panel = panels + j / ck_panel * ck_coarse_panel(width);
        uint8_t *own = panel + j % ck_panel * 4;
        float coarsest = 0, finest = 0;
        for (size_t i = 0, f = 0; i < width; i++) {
            float size = __builtin_fabsf(row[i]);
            if (f < fines && fine[f] == i) {
                finest = size > finest ? size : finest;
                f++;
            } else
                coarsest = size > coarsest ? size : coarsest;
        }
        float scale = coarsest / 7;
        if (finest * 16 / 127 > scale) scale = finest * 16 / 127;
        float inverse = scale > 0 ? 1 / scale : 0;
        for (size_t i = 0, f = 0; i < eights * 8; i++) {
            int is_fine = f < fines && fine[f] == i;
            f += (size_t)is_fine;
            float code =
                i < width && !is_fine ? CK_NAME(nearest_code)(row[i] * inverse, 7) : 0;
            uint8_t *byte = own + i / 8 * 4 * ck_panel + i % 4;
            *byte = i % 8 < 4 ? (uint8_t)(code + 8) : (uint8_t)(*byte | (int)(code + 8) << 4);
        }
        uint8_t *last = own + eights * 4 * ck_panel;
        for (size_t f = 0; f < ck_fine_inputs; f++) {
            float code =
                f < fines ? CK_NAME(nearest_code)(row[fine[f]] * inverse * 16, 127) : 0;
            last[f / 4 * 4 * ck_panel + f % 4] = (uint8_t)(code + 128);
        }
        __builtin_memcpy(last + ck_fine_inputs * ck_panel, &scale, sizeof scale);
    }
}

static float CK_NAME(round_int8)(const float *x, size_t n, int8_t *y) {
/* With a fused multiply-add, the last bit would depend on the instruction set. */
#pragma clang fp contract(off)
    typedef int8_t bytes __attribute__((vector_size(CK_LANES), aligned(1)));
    const float round = 12582912.0f; /* 1.5 · 2²³: adding it rounds to the nearest integer */
    float largest = CK_NAME(max_magnitude)(x, n), inverse = largest > 0 ? 127 / largest : 0;
    for (size_t i = 0; i < n; i += CK_LANES) {
        ck_vector shifted = ck_load_up_to(x + i, n - i, 0) * inverse + round;
        ck_integers codes = (ck_integers)shifted - 0x4b400000;
        codes = __builtin_elementwise_max(codes, (ck_integers){0} - 127);
        codes = __builtin_elementwise_min(codes, (ck_integers){0} + 127);
        if (i + CK_LANES <= n)
            *(bytes *)(y + i) = __builtin_convertvector(codes, bytes);
        else
            for (size_t j = i; j < n; j++) y[j] = (int8_t)codes[j - i];
    }
    for (size_t i = n; i < (n + 7) / 8 * 8; i++) y[i] = 0;
    return largest / 127;
}

static void CK_NAME(multiply_coarse)(
    ck_coarse_row a, size_t k, const uint8_t *panels, float *c, size_t n, float *largest
) {
    enum { vectors = ck_panel / CK_LANES, ahead = 32 };
    size_t eights = (k + 7) / 8;
    int32_t total = 0, fine_total = 0;
    for (size_t i = 0; i < eights * 8; i++) total += a.values[i];
    for (size_t f = 0; f < ck_fine_inputs; f++) fine_total += a.fine[f];
    for (size_t p = 0; p * ck_panel < n; p++) {
        const uint8_t *codes = panels + p * ck_coarse_panel(k);
        ck_integers sums[2][vectors], fines[vectors];
        for (size_t v = 0; v < vectors; v++) {
            sums[0][v] = (ck_integers){0} - 8 * total;
            sums[1][v] = (ck_integers){0};
            fines[v] = (ck_integers){0} - 128 * fine_total;
        }
        for (size_t i = 0; i < eights; i++, codes += ck_panel * 4) {
            __builtin_prefetch(codes + ahead * ck_panel * 4);
            __builtin_prefetch(codes + ahead * ck_panel * 4 + 64);
            ck_words low = ck_splat_word(ck_word_at(a.values + i * 8));
            ck_words high = ck_splat_word(ck_word_at(a.values + i * 8 + 4));
#pragma clang loop unroll(full)
            for (size_t v = 0; v < vectors; v++) {
                ck_words both = ck_load_words(codes + v * CK_LANES * 4);
                sums[0][v] = CK_NAME(dot_int8)(sums[0][v], both & 0x0f0f0f0fu, low);
                sums[1][v] = CK_NAME(dot_int8)(sums[1][v], both >> 4 & 0x0f0f0f0fu, high);
            }
        }
#pragma clang loop unroll(full)
        for (size_t q = 0; q < ck_fine_inputs / 4; q++, codes += ck_panel * 4)
#pragma clang loop unroll(full)
            for (size_t v = 0; v < vectors; v++)
                fines[v] = CK_NAME(dot_int8)(
                    fines[v], ck_load_words(codes + v * CK_LANES * 4),
                    ck_splat_word(ck_word_at(a.fine + q * 4)));
        ck_vector best = ck_splat(-__builtin_inff());
        for (size_t v = 0; v < vectors; v++) {
            size_t j = p * ck_panel + v * CK_LANES;
            ck_vector y = __builtin_convertvector(sums[0][v] + sums[1][v], ck_vector) * a.scale
                + __builtin_convertvector(fines[v], ck_vector) * (a.fine_scale / 16);
            y *= (ck_vector)ck_load_words(codes + v * CK_LANES * 4);
            if (j + CK_LANES <= n) {
                ck_store(c + j, y);
                best = ck_max(best, y);
            } else if (j < n) {
                ck_store_part(c + j, y, n - j);
                best = ck_max(best, ck_load_part(c + j, n - j, -__builtin_inff()));
            }
        }
        largest[p] = ck_largest(best);
    }
}

static size_t CK_NAME(select_f32)(
    const float *x, const float *thresholds, size_t n, uint32_t *places, float *values
) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        places[count] = (uint32_t)i;
        values[count] = x[i];
        count += !(__builtin_fabsf(x[i]) <= thresholds[i]);
    }
    return count;
}

/* Loads CK_LANES values of a row, from column j on, as floats. The row consists of floats,
 * bfloat16, f16 or 8-bit integers. Values of f16 are multiplied by 2^-112. */
CK_INLINE ck_vector CK_NAME(row_f32)(const void *row, size_t j) {
    return ck_load((const float *)row + j);
}
CK_INLINE ck_vector CK_NAME(row_bf16)(const void *row, size_t j) {
    typedef uint16_t halves __attribute__((vector_size(CK_LANES * 2), aligned(2)));
    halves bits = *(const halves *)((const uint16_t *)row + j);
    return (ck_vector)(__builtin_convertvector(bits, ck_words) << 16);
}
CK_INLINE ck_vector CK_NAME(row_f16)(const void *row, size_t j) {
    typedef uint16_t halves __attribute__((vector_size(CK_LANES * 2), aligned(2)));
    ck_words bits = __builtin_convertvector(*(const halves *)((const uint16_t *)row + j), ck_words);
    return (ck_vector)((bits & 0x7fff) << 13 | (bits & 0x8000) << 16);
}
CK_INLINE ck_vector CK_NAME(row_int8)(const void *row, size_t j) {
    typedef int8_t bytes __attribute__((vector_size(CK_LANES), aligned(1)));
    bytes codes = *(const bytes *)((const int8_t *)row + j);
    return __builtin_convertvector(__builtin_convertvector(codes, ck_integers), ck_vector);
}

CK_INLINE float CK_NAME(value_f32)(const void *row, size_t j) { return ((const float *)row)[j]; }
CK_INLINE float CK_NAME(value_bf16)(const void *row, size_t j) {
    uint32_t bits = (uint32_t)((const uint16_t *)row)[j] << 16;
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}
CK_INLINE float CK_NAME(value_f16)(const void *row, size_t j) {
    uint32_t bits = ((const uint16_t *)row)[j];
    bits = (bits & 0x7fff) << 13 | (bits & 0x8000) << 16;
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}
CK_INLINE float CK_NAME(value_int8)(const void *row, size_t j) {
    return (float)((const int8_t *)row)[j];
}

/* Adds rows, times their factors, to `block` vectors of c from column j on. The vectors stay in
 * registers for all rows. `size` is the size of a value in bytes. */
#define CK_SUM_BLOCK(type, size, block) \
    for (; j + block * CK_LANES <= n; j += block * CK_LANES) { \
        ck_vector sums[block]; \
        _Pragma("clang loop unroll(full)") \
        for (size_t v = 0; v < block; v++) sums[v] = ck_load(c + j + v * CK_LANES); \
        for (size_t i = 0; i < count; i++) { \
            const char *row = first + places[i] * stride; \
            const char *next = first + places[i + 4 < count ? i + 4 : i] * stride + j * size; \
            _Pragma("clang loop unroll(full)") \
            for (size_t b = 0; b < block * CK_LANES * size; b += 64) __builtin_prefetch(next + b); \
            _Pragma("clang loop unroll(full)") \
            for (size_t v = 0; v < block; v++) \
                sums[v] += factors[i] * CK_NAME(row_##type)(row, j + v * CK_LANES); \
        } \
        _Pragma("clang loop unroll(full)") \
        for (size_t v = 0; v < block; v++) ck_store(c + j + v * CK_LANES, sums[v]); \
    }

#define CK_SUM_ROWS(type, size) \
    static void CK_NAME(sum_rows_##type)( \
        const void *rows, size_t stride, const uint32_t *places, const float *factors, \
        size_t count, float *c, size_t n \
    ) { \
        enum { wide = CK_ROWS * CK_VECTORS < 18 ? 8 : 18 }; \
        const char *first = rows; \
        size_t j = 0; \
        CK_SUM_BLOCK(type, size, wide) \
        CK_SUM_BLOCK(type, size, 4) \
        CK_SUM_BLOCK(type, size, 1) \
        for (; j < n; j++) \
            for (size_t i = 0; i < count; i++) \
                c[j] += factors[i] * CK_NAME(value_##type)(first + places[i] * stride, j); \
    }

CK_SUM_ROWS(f32, 4)
CK_SUM_ROWS(bf16, 2)
CK_SUM_ROWS(f16, 2)
CK_SUM_ROWS(int8, 1)

/* Multiplies four rows at a time and prefetches the next four. If fewer than four remain, the last
 * row is repeated. */
#define CK_DOT_ROWS(type, size) \
    static void CK_NAME(dot_rows_##type)( \
        const void *rows, size_t stride, const uint32_t *places, size_t count, const float *x, \
        size_t n, float *c \
    ) { \
        enum { together = 4 }; \
        const char *first = rows; \
        for (size_t i = 0; i < count; i += together) { \
            const char *row[together], *next[together]; \
            ck_vector sums[together]; \
            float rest[together]; \
            for (size_t r = 0; r < together; r++) { \
                size_t own = i + r < count ? i + r : count - 1; \
                size_t later = i + r + together < count ? i + r + together : own; \
                row[r] = first + places[own] * stride; \
                next[r] = first + places[later] * stride; \
                sums[r] = ck_splat(0); \
                rest[r] = 0; \
            } \
            size_t j = 0; \
            for (; j + CK_LANES <= n; j += CK_LANES) { \
                ck_vector v = ck_load(x + j); \
                _Pragma("clang loop unroll(full)") \
                for (size_t r = 0; r < together; r++) { \
                    if (j * size % 64 < CK_LANES * size) __builtin_prefetch(next[r] + j * size); \
                    sums[r] += v * CK_NAME(row_##type)(row[r], j); \
                } \
            } \
            for (; j < n; j++) \
                for (size_t r = 0; r < together; r++) \
                    rest[r] += x[j] * CK_NAME(value_##type)(row[r], j); \
            for (size_t r = 0; r < together && i + r < count; r++) \
                c[i + r] = ck_sum(sums[r]) + rest[r]; \
        } \
    }

CK_DOT_ROWS(f32, 4)
CK_DOT_ROWS(bf16, 2)
CK_DOT_ROWS(f16, 2)
CK_DOT_ROWS(int8, 1)

static float CK_NAME(store_row_f32)(const float *source, size_t n, void *row) {
    __builtin_memcpy(row, source, n * sizeof *source);
    return 1;
}

static float CK_NAME(store_row_bf16)(const float *source, size_t n, void *row) {
    ck_narrow_bf16(row, source, n);
    return 1;
}

/* Stores values like the panels of f16: times 64, with 0 for magnitudes below 2^-20. row_f16
 * returns the stored values times 2^-112, so the factor is 2^112 / 64. */
static float CK_NAME(store_row_f16)(const float *source, size_t n, void *row) {
    enum { some = 64 };
    float stored[some];
    for (size_t i = 0; i < n; i += some) {
        size_t count = n - i < some ? n - i : some;
        for (size_t j = 0; j < count; j++) {
            float value = 64 * source[i + j];
            stored[j] = __builtin_fabsf(value) < 0x1p-14f ? 0 : value;
        }
        ck_narrow_f16((uint16_t *)row + i, stored, count);
    }
    return 0x1p106f;
}

static float CK_NAME(store_row_int8)(const float *source, size_t n, void *row) {
    float largest = CK_NAME(max_magnitude)(source, n), scale = largest / 127;
    float inverse = scale > 0 ? 1 / scale : 0;
    for (size_t i = 0; i < n; i++) {
        float code = __builtin_roundf(source[i] * inverse);
        if (code != code) code = 0;
        ((int8_t *)row)[i] = (int8_t)(code < -127 ? -127 : code > 127 ? 127 : code);
    }
    return scale;
}
