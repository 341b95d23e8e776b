/* Matrix product over weights in 4 bits, in groups of 32 inputs, and activations in 8 bits. The
 * integer sums of a group are exact. The sums of the groups are added in f32.
 *
 *     c[r][j]  =  Σ_g  scale[r][g] · d[j][g] · Σ_{i in g} a[r][i] · (code[j][i] − 8)
 *
 * Codes are 0 ... 15. A scale d of an output's group is an f16. These are the numbers of ggml's
 * Q4_0. A group of a panel has 576 bytes: the scales of its 32 outputs, and their codes, eight
 * inputs at a time. The last group is padded with code 8, whose weight is 0.
 *
 *     group[2j ... 2j + 1]                   =  d[j]
 *     group[64 + (i/8)*128 + 4j + i%4]       =  code[j][i], input i + 4 in the high half
 *
 * A group of a row of activations has 40 bytes: 32 codes from -127 to 127, their scale as an f32,
 * and -8 times the sum of the codes as a 32-bit integer.
 *
 * A single row is multiplied with the packed codes. With more rows, the codes of a slab are
 * unpacked to bytes in the first-level cache, where all rows of a block read them:
 *
 *     codes[g*1024 + (i/4)*128 + 4j + i%4]   =  code[j][i] of group g
 *
 * For many rows, the caller widens panels to 8 bits with a scale for each output, and multiplies
 * them with the kernels of gemm_int8.h.
 *
 * Source of the rounding: ggml's quantize_row_q4_0_ref. */

enum {
    ck_group = 32,
    ck_group_bytes = ck_panel * 2 + ck_panel * ck_group / 2,
    ck_group_row_bytes = ck_group + 8,
    ck_slab_groups = 16,
};

/* Sums of the products of a group: first the offset of the row's group, then four products in each
 * lane at a time. Without instructions that add four products, a lane has two sums in 16 bits, of
 * at most 16 · 15 · 127. The offset is then added at the end. */
#if CK_VNNI || CK_DOT
typedef ck_integers CK_NAME(partial_sums);

CK_INLINE ck_integers CK_NAME(begin_int4)(int32_t offset) {
    return (ck_integers)ck_splat_word((uint32_t)offset);
}

CK_INLINE ck_integers CK_NAME(add_int4)(ck_integers sums, ck_words codes, ck_words x) {
#if CK_DOT
    return (ck_integers)vdotq_s32((int32x4_t)sums, (int8x16_t)codes, (int8x16_t)x);
#else
    return CK_NAME(dot_int8)(sums, codes, x);
#endif
}

CK_INLINE ck_integers CK_NAME(total_int4)(ck_integers sums, int32_t offset) {
    (void)offset;
    return sums;
}
#else
typedef int16_t CK_NAME(partial_sums) __attribute__((vector_size(CK_LANES * 4)));

CK_INLINE CK_NAME(partial_sums) CK_NAME(begin_int4)(int32_t offset) {
    (void)offset;
    return (CK_NAME(partial_sums)){0};
}

CK_INLINE CK_NAME(partial_sums) CK_NAME(add_int4)(
    CK_NAME(partial_sums) sums, ck_words codes, ck_words x
) {
#if CK_X86 && CK_LANES == 16
    return sums + (CK_NAME(partial_sums))_mm512_maddubs_epi16((__m512i)codes, (__m512i)x);
#elif CK_X86
    return sums + (CK_NAME(partial_sums))_mm256_maddubs_epi16((__m256i)codes, (__m256i)x);
#else
    typedef CK_NAME(partial_sums) shorts;
    shorts even_x = (shorts)((shorts)x << 8) >> 8, odd_x = (shorts)x >> 8;
    shorts even = (shorts)(codes & 0x00ff00ff), odd = (shorts)(codes >> 8 & 0x00ff00ff);
    return sums + even * even_x + odd * odd_x;
#endif
}

CK_INLINE ck_integers CK_NAME(total_int4)(CK_NAME(partial_sums) sums, int32_t offset) {
#if CK_X86 && CK_LANES == 16
    return (ck_integers)_mm512_madd_epi16((__m512i)sums, _mm512_set1_epi16(1)) + offset;
#elif CK_X86
    return (ck_integers)_mm256_madd_epi16((__m256i)sums, _mm256_set1_epi16(1)) + offset;
#else
    return ((ck_integers)((ck_words)sums << 16) >> 16) + ((ck_integers)sums >> 16) + offset;
#endif
}
#endif

/* Loads f16 numbers as floats. */
CK_INLINE ck_vector CK_NAME(load_halves)(const void *halves) {
#if CK_X86 && CK_LANES == 16
    return (ck_vector)_mm512_cvtph_ps(_mm256_loadu_si256(halves));
#elif CK_X86
    return (ck_vector)_mm256_cvtph_ps(_mm_loadu_si128(halves));
#elif defined(__aarch64__)
    typedef __fp16 lanes __attribute__((vector_size(CK_LANES * 2), aligned(2)));
    return __builtin_convertvector(*(const lanes *)halves, ck_vector);
#else
    typedef uint16_t lanes __attribute__((vector_size(CK_LANES * 2), aligned(2)));
    ck_words bits = __builtin_convertvector(*(const lanes *)halves, ck_words);
    return (ck_vector)((bits & 0x7fff) << 13 | (bits & 0x8000) << 16) * 0x1p112f;
#endif
}

/* Rounds groups of 32 activations. The last group is padded with 0. */
static void CK_NAME(convert_int4)(
    const float *x, size_t n, size_t terms, void *values, size_t stride, float *scales,
    int32_t *zeros
) {
/* A fused multiply-add would change the last bit, so that instruction sets would give different
 * results. */
#pragma clang fp contract(off)
    (void)terms, (void)stride, (void)scales, (void)zeros;
    typedef int8_t bytes __attribute__((vector_size(CK_LANES), aligned(1)));
    const float round = 12582912.0f; /* 1.5 · 2²³: adding it rounds to the nearest integer */
    enum { vectors = ck_group / CK_LANES };
    int8_t *group = values;
    for (size_t i = 0; i < n; i += ck_group, group += ck_group_row_bytes) {
        ck_vector in[vectors], largest = ck_splat(0);
        for (size_t v = 0; v < vectors; v++) {
            size_t j = i + v * CK_LANES;
            in[v] = j < n ? ck_load_up_to(x + j, n - j, 0) : ck_splat(0);
            largest = ck_max(ck_max(in[v], -in[v]), largest);
        }
        float most = ck_largest(largest), inverse = most > 0 ? 127 / most : 0, scale = most / 127;
        ck_integers sums = {0};
        for (size_t v = 0; v < vectors; v++) {
            ck_integers codes = (ck_integers)(in[v] * inverse + round) - 0x4b400000;
            codes = __builtin_elementwise_max(codes, (ck_integers){0} - 127);
            codes = __builtin_elementwise_min(codes, (ck_integers){0} + 127);
            *(bytes *)(group + v * CK_LANES) = __builtin_convertvector(codes, bytes);
            sums += codes;
        }
        int32_t offset = 0;
        for (size_t lane = 0; lane < CK_LANES; lane++) offset -= 8 * sums[lane];
        __builtin_memcpy(group + ck_group, &scale, 4);
        __builtin_memcpy(group + ck_group + 4, &offset, 4);
    }
}

typedef struct {
    float scale;
    int32_t offset;
} ck_int4_terms;

CK_INLINE ck_int4_terms CK_NAME(terms_int4)(const char *group) {
    ck_int4_terms terms;
    __builtin_memcpy(&terms, group + ck_group, sizeof terms);
    return terms;
}

/* Codes and scales of a slab in the form that several rows read, and their place. */
typedef struct {
    size_t p, first;
    float scales[ck_slab_groups * ck_panel] __attribute__((aligned(64)));
    uint8_t codes[ck_slab_groups * ck_panel * ck_group] __attribute__((aligned(64)));
} ck_int4_slab;

typedef struct {
    const char *a;
    size_t stride, m, groups;
    const char *panels;
    ck_int4_slab *unpacked;
} ck_int4_operands;

/* The product of one row with a panel. */
CK_INLINE void CK_NAME(multiply_row_int4)(const ck_int4_operands *o, size_t p, float *tile) {
    enum { vectors = ck_panel / CK_LANES, ahead = 8 * ck_group_bytes };
    const char *group = o->panels + p * o->groups * ck_group_bytes, *x = o->a;
    ck_vector sums[vectors];
    for (size_t v = 0; v < vectors; v++) sums[v] = ck_splat(0);
    for (size_t g = 0; g < o->groups; g++, group += ck_group_bytes, x += ck_group_row_bytes) {
#pragma clang loop unroll(full)
        for (size_t line = 0; line < ck_group_bytes; line += 64)
            __builtin_prefetch(group + ahead + line);
        ck_int4_terms terms = CK_NAME(terms_int4)(x);
        CK_NAME(partial_sums) partial[vectors];
        for (size_t v = 0; v < vectors; v++) partial[v] = CK_NAME(begin_int4)(terms.offset);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < ck_group / 8; i++) {
            ck_words low = ck_splat_word(ck_word_at(x + 8 * i));
            ck_words high = ck_splat_word(ck_word_at(x + 8 * i + 4));
            const char *codes = group + 2 * ck_panel + i * 4 * ck_panel;
#pragma clang loop unroll(full)
            for (size_t v = 0; v < vectors; v++) {
                ck_words both = ck_load_words(codes + v * CK_LANES * 4);
                partial[v] = CK_NAME(add_int4)(partial[v], both & 0x0f0f0f0fu, low);
                partial[v] = CK_NAME(add_int4)(partial[v], both >> 4 & 0x0f0f0f0fu, high);
            }
        }
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) {
            ck_integers whole = CK_NAME(total_int4)(partial[v], terms.offset);
            sums[v] += __builtin_convertvector(whole, ck_vector)
                * (terms.scale * CK_NAME(load_halves)(group + v * CK_LANES * 2));
        }
    }
    for (size_t v = 0; v < vectors; v++) ck_store(tile + v * CK_LANES, sums[v]);
}

/* Unpacks groups [first, last) of a panel. */
CK_INLINE void CK_NAME(unpack_slab_int4)(
    const ck_int4_operands *o, size_t p, size_t first, size_t last
) {
    ck_int4_slab *slab = o->unpacked;
    slab->p = p;
    slab->first = first;
    const char *group = o->panels + (p * o->groups + first) * ck_group_bytes;
    uint8_t *codes = slab->codes;
    float *scales = slab->scales;
    for (size_t g = first; g < last; g++, group += ck_group_bytes, scales += ck_panel) {
        for (size_t j = 0; j < ck_panel; j += CK_LANES)
            ck_store(scales + j, CK_NAME(load_halves)(group + 2 * j));
        for (size_t i = 0; i < ck_group / 8; i++, codes += 8 * ck_panel)
#pragma clang loop unroll(full)
            for (size_t j = 0; j < ck_panel * 4; j += CK_LANES * 4) {
                ck_words both = ck_load_words(group + 2 * ck_panel + i * 4 * ck_panel + j);
                *(ck_words *)(codes + j) = both & 0x0f0f0f0fu;
                *(ck_words *)(codes + 4 * ck_panel + j) = both >> 4 & 0x0f0f0f0fu;
            }
    }
}

CK_INLINE void CK_NAME(multiply_tile_int4)(
    const ck_int4_operands *o, size_t top, const ck_slab *slab, size_t rows, float *tile
) {
    size_t stride = o->stride;
    const char *next = slab->next;
    for (size_t column = 0; column < ck_panel; column += CK_VECTORS * CK_LANES) {
        const uint8_t *codes = o->unpacked->codes + 4 * column;
        const float *scales = o->unpacked->scales + column;
        const char *inputs[ck_row_groups];
#pragma clang loop unroll(full)
        for (size_t g = 0; g < ck_row_groups; g++)
            inputs[g] = o->a + (top + 3 * g) * stride + slab->first * ck_group_row_bytes;
        for (size_t g = slab->first; g < slab->last; g++, scales += ck_panel) {
            for (size_t line = 0; line < slab->step; line += 64)
                __builtin_prefetch(next + line, 0, 2);
            next += slab->step;
            CK_NAME(partial_sums) sums[CK_ROWS][CK_VECTORS];
#pragma clang loop unroll(full)
            for (size_t r = 0; r < rows; r++) {
                ck_int4_terms terms = CK_NAME(terms_int4)(inputs[r / 3] + r % 3 * stride);
#pragma clang loop unroll(full)
                for (size_t v = 0; v < CK_VECTORS; v++)
                    sums[r][v] = CK_NAME(begin_int4)(terms.offset);
            }
#pragma clang loop unroll_count(2)
            for (size_t i = 0; i < ck_group / 4; i++, codes += ck_panel * 4) {
                ck_words weight[CK_VECTORS];
#pragma clang loop unroll(full)
                for (size_t v = 0; v < CK_VECTORS; v++)
                    weight[v] = ck_load_words(codes + v * CK_LANES * 4);
#pragma clang loop unroll(full)
                for (size_t r = 0; r < rows; r++) {
                    ck_words x = ck_splat_word(ck_word_at(inputs[r / 3] + r % 3 * stride));
#pragma clang loop unroll(full)
                    for (size_t v = 0; v < CK_VECTORS; v++)
                        sums[r][v] = CK_NAME(add_int4)(sums[r][v], weight[v], x);
                }
                CK_ADVANCE(inputs, 4);
            }
#pragma clang loop unroll(full)
            for (size_t r = 0; r < rows; r++) {
                ck_int4_terms terms =
                    CK_NAME(terms_int4)(inputs[r / 3] + r % 3 * stride - ck_group);
                float *to = tile + r * ck_panel + column;
#pragma clang loop unroll(full)
                for (size_t v = 0; v < CK_VECTORS; v++) {
                    ck_integers whole = CK_NAME(total_int4)(sums[r][v], terms.offset);
                    ck_store(
                        to + v * CK_LANES,
                        ck_load(to + v * CK_LANES) + __builtin_convertvector(whole, ck_vector)
                            * (terms.scale * ck_load(scales + v * CK_LANES)));
                }
            }
            CK_ADVANCE(inputs, ck_group_row_bytes - ck_group);
        }
    }
}

#define CK_TILE_INT4(n) \
    static __attribute__((noinline)) void CK_NAME(int4_##n)( \
        const ck_int4_operands *o, size_t top, const ck_slab *slab, float *tile \
    ) { CK_NAME(multiply_tile_int4)(o, top, slab, n, tile); }
CK_ROW_COUNTS(CK_TILE_INT4)

#define CK_TILE_OF_INT4(n) CK_NAME(int4_##n),
static void (*const CK_NAME(tiles_of_int4)[])(
    const ck_int4_operands *o, size_t top, const ck_slab *slab, float *tile
) = {CK_ROW_COUNTS(CK_TILE_OF_INT4)};

CK_INLINE void CK_NAME(multiply_int4)(
    const void *operands, size_t top, size_t bottom, size_t p, const ck_slab *slab, float *tile
) {
    const ck_int4_operands *o = operands;
    if (o->m == 1) return CK_NAME(multiply_row_int4)(o, p, tile);
    if (slab->first == 0)
        __builtin_memset(tile, 0, (bottom - top) * ck_panel * sizeof *tile);
    if (o->unpacked->p != p || o->unpacked->first != slab->first)
        CK_NAME(unpack_slab_int4)(o, p, slab->first, slab->last);
    CK_NAME(tiles_of_int4)[bottom - top - 1](o, top, slab, tile);
}

static void CK_NAME(product_int4)(
    ck_operand a, size_t m, size_t k, ck_weights w, const float *bias, float *c, size_t ldc,
    size_t n, ck_epilogue epilogue
) {
    ck_int4_slab unpacked;
    unpacked.p = SIZE_MAX;
    size_t groups = (k + ck_group - 1) / ck_group;
    ck_int4_operands operands = {a.values, a.stride, m, groups, w.panels, &unpacked};
    CK_NAME(product)(
        &operands, CK_NAME(multiply_int4), 0, w.panels, m, groups, ck_group_bytes, ck_slab_groups,
        CK_ROWS, bias, c, ldc, n, epilogue);
}

/* a·b / 2¹⁵, rounded to nearest. */
typedef int16_t CK_NAME(short_pairs) __attribute__((vector_size(CK_LANES * 4)));
CK_INLINE CK_NAME(short_pairs) CK_NAME(multiply_high)(CK_NAME(short_pairs) a, CK_NAME(short_pairs) b) {
#if CK_X86 && CK_LANES == 16
    return (CK_NAME(short_pairs))_mm512_mulhrs_epi16((__m512i)a, (__m512i)b);
#elif CK_X86
    return (CK_NAME(short_pairs))_mm256_mulhrs_epi16((__m256i)a, (__m256i)b);
#else
    typedef int32_t wide __attribute__((vector_size(CK_LANES * 8)));
    wide product = __builtin_convertvector(a, wide) * __builtin_convertvector(b, wide);
    return __builtin_convertvector((product + 0x4000) >> 15, CK_NAME(short_pairs));
#endif
}

/* Rounds a panel to 8 bits; see gemm_int8.h for the panel that is written.
 *
 * The scale of an output is 8/127 of its largest group scale D. A code becomes the nearest integer
 * to (code − 8) · r/128, where r is the nearest integer to 127/8 · 128 · d/D. */
static void CK_NAME(widen_int4)(
    const void *source, size_t k, size_t bytes, void *panel, float *scales, int32_t *totals
) {
    enum { vectors = ck_panel / CK_LANES };
    typedef CK_NAME(short_pairs) shorts;
    const float round = 12582912.0f; /* 1.5 · 2²³: adding it rounds to the nearest integer */
    const char *first = source;
    size_t groups = (k + ck_group - 1) / ck_group;
    for (size_t v = 0; v < vectors; v++) {
        ck_vector largest = ck_splat(0);
        for (size_t g = 0; g < groups; g++) {
            ck_vector d = CK_NAME(load_halves)(first + g * ck_group_bytes + v * CK_LANES * 2);
            largest = ck_max(ck_max(d, -d), largest);
        }
        ck_store(scales + v * CK_LANES, largest * (8.0f / 127));
        ck_vector factor = 2032.0f / ck_max(largest, ck_splat(0x1p-24f));
        ck_integers sums = {0};
        char *out = (char *)panel + v * CK_LANES * 4;
        for (size_t g = 0; g < groups; g++) {
            const char *group = first + g * ck_group_bytes;
            ck_vector d = CK_NAME(load_halves)(group + v * CK_LANES * 2);
            ck_words ratio = (ck_words)((ck_integers)(d * factor + round) - 0x4b400000) & 0xffff;
            shorts r = (shorts)(ratio | ratio << 16), sum = {0};
            const char *codes = group + 2 * ck_panel + v * CK_LANES * 4;
            for (size_t i = 0; i < ck_group / 8; i++, codes += 4 * ck_panel) {
                ck_words both = ck_load_words(codes);
#pragma clang loop unroll(full)
                for (size_t half = 0; half < 2; half++, out += 4 * ck_panel) {
                    shorts pair = (shorts)(both >> 4 * half & 0x0f0f0f0fu);
                    shorts even = CK_NAME(multiply_high)((pair << 8) - 0x0800, r);
                    shorts odd = CK_NAME(multiply_high)((pair & 0x0f00) - 0x0800, r);
                    sum += even + odd;
                    *(ck_words *)out = (ck_words)((even & 0x00ff) | odd << 8);
                }
            }
            sums += ((ck_integers)((ck_words)sum << 16) >> 16) + ((ck_integers)sum >> 16);
        }
        *(ck_words *)(totals + v * CK_LANES) = (ck_words)sums;
    }
    size_t written = groups * ck_group * ck_panel;
    __builtin_memset((char *)panel + written, 0, bytes - written);
}

/* The offset of the byte of an input's code in a group of a panel. The code is in the upper half of
 * the byte if i & 4. */
CK_INLINE size_t CK_NAME(place_int4)(size_t lane, size_t i) {
    return 2 * ck_panel + i / 8 * 4 * ck_panel + 4 * lane + i % 4;
}

/* In a block of Q4_0, the codes of inputs i and i + 16 share a byte. */
static void CK_NAME(pack_blocks_int4)(
    const void *blocks, size_t n, size_t width, size_t lane, void *panel
) {
    enum { half = ck_group / 2 };
    const uint8_t *block = blocks;
    for (size_t j = lane; j < lane + n; j++) {
        uint8_t *group = panel;
        for (size_t i = 0; i < width; i += ck_group, group += ck_group_bytes, block += 2 + half) {
            __builtin_memcpy(group + 2 * j, block, 2);
            for (size_t b = 0; b < ck_group; b++) {
                uint8_t code = b < half ? block[2 + b] & 15 : block[2 + b - half] >> 4;
                uint8_t *byte = group + CK_NAME(place_int4)(j, b);
                *byte = b & 4 ? (uint8_t)(*byte | code << 4) : code;
            }
        }
    }
}

static void CK_NAME(unpack_row_int4)(
    const void *panel, size_t lane, size_t k, float scale, float *row
) {
    (void)scale;
    const uint8_t *group = panel;
    for (size_t i = 0; i < k; i += ck_group, group += ck_group_bytes) {
        float d;
        ck_dequantize_f16(&d, group + 2 * lane, 1);
        for (size_t b = 0; b < ck_group && i + b < k; b++) {
            int code = group[CK_NAME(place_int4)(lane, b)] >> (b & 4) & 15;
            row[i + b] = d * (float)(code - 8);
        }
    }
}
