/* The vector type of an instruction set, and functions on it. The headers of the operations are
 * compiled for each instruction set.
 *
 * Each kernels_*.c defines CK_SUFFIX, CK_LANES (floats per vector), and the tile of CK_ROWS rows ×
 * CK_VECTORS vectors, and then includes kernels.h. All instruction sets share the source of each
 * operation. Processors differ in the width of a vector, in the number of registers, and in whether
 * they have instructions for small integers (CK_VNNI, CK_DOT), bfloat16 (CK_BF16) and half
 * precision (CK_FP16). */
#define CK_JOIN_(a, b) a##__##b
#define CK_JOIN(a, b) CK_JOIN_(a, b)
#define CK_NAME(operation) CK_JOIN(operation, CK_SUFFIX)
#define CK_INLINE static inline __attribute__((always_inline))

typedef float ck_vector __attribute__((vector_size(CK_LANES * 4), aligned(4)));
typedef int32_t ck_integers __attribute__((vector_size(CK_LANES * 4), aligned(4)));

#pragma clang fp contract(fast)

/* Lanes of weights or activations of any type. */
typedef uint32_t ck_words __attribute__((vector_size(CK_LANES * 4), aligned(1), may_alias));

CK_INLINE ck_words ck_load_words(const void *p) { return *(const ck_words *)p; }
CK_INLINE ck_words ck_splat_word(uint32_t x) { return x + (ck_words){0}; }
CK_INLINE uint32_t ck_word_at(const void *p) {
    uint32_t word;
    __builtin_memcpy(&word, p, 4);
    return word;
}

CK_INLINE ck_vector ck_load(const float *p) { return *(const ck_vector *)p; }
CK_INLINE void ck_store(float *p, ck_vector v) { *(ck_vector *)p = v; }
CK_INLINE ck_vector ck_splat(float x) { return x - (ck_vector){0}; }

/* Loads n < CK_LANES floats at p, and `rest` in all other lanes. Reads only n floats. */
CK_INLINE ck_vector ck_load_part(const float *p, size_t n, float rest) {
    ck_vector v = ck_splat(rest);
    for (size_t i = 0; i < n; i++) v[i] = p[i];
    return v;
}
/* Like ck_load_part, for any n. */
CK_INLINE ck_vector ck_load_up_to(const float *p, size_t n, float rest) {
    return n >= CK_LANES ? ck_load(p) : ck_load_part(p, n, rest);
}
CK_INLINE void ck_store_part(float *p, ck_vector v, size_t n) {
    for (size_t i = 0; i < n; i++) p[i] = v[i];
}
/* Selects the lanes of a if the mask is -1, and the lanes of b if it is 0. */
CK_INLINE ck_vector ck_select(ck_integers mask, ck_vector a, ck_vector b) {
    return (ck_vector)(((ck_integers)a & mask) | ((ck_integers)b & ~mask));
}
/* Returns the larger of a and b in each lane, or b if one of them is NaN. This is one instruction.
 * The builtin function, which checks for NaN, needs three. */
CK_INLINE ck_vector ck_max(ck_vector a, ck_vector b) { return ck_select(a > b, a, b); }
CK_INLINE ck_vector ck_min(ck_vector a, ck_vector b) { return ck_select(a < b, a, b); }
CK_INLINE float ck_sum(ck_vector v) {
#pragma clang fp reassociate(on)
    float sum = 0;
    for (size_t i = 0; i < CK_LANES; i++) sum += v[i];
    return sum;
}
CK_INLINE float ck_largest(ck_vector v) {
#pragma clang loop unroll(full)
    for (size_t step = CK_LANES / 2; step > 0; step /= 2) {
        ck_vector upper = v;
#pragma clang loop unroll(full)
        for (size_t i = 0; i < step; i++) upper[i] = v[i + step];
        v = ck_max(v, upper);
    }
    return v[0];
}

/* Returns the largest of n floats and `least`. Four independent chains of comparisons do not wait
 * for each other. */
CK_INLINE float ck_largest_of(const float *x, size_t n, float least) {
    enum { chains = 4 };
    ck_vector largest[chains];
    for (size_t c = 0; c < chains; c++) largest[c] = ck_splat(least);
    size_t i = 0;
    for (; i + chains * CK_LANES <= n; i += chains * CK_LANES)
#pragma clang loop unroll(full)
        for (size_t c = 0; c < chains; c++)
            largest[c] = ck_max(largest[c], ck_load(x + i + c * CK_LANES));
    for (; i + CK_LANES <= n; i += CK_LANES) largest[0] = ck_max(largest[0], ck_load(x + i));
    if (i < n) largest[1] = ck_max(largest[1], ck_load_part(x + i, n - i, least));
    return ck_largest(ck_max(ck_max(largest[0], largest[1]), ck_max(largest[2], largest[3])));
}

/* Returns eˣ within 2 units in the last place; 0 below -87.3, infinity above 88.8. With
 * x = n ln 2 + r and |r| <= ln 2 / 2, e^r is approximated by the minimax polynomial 1 + r + … of
 * degree 6, with an error of 3e-9. */
CK_INLINE ck_vector ck_exp(ck_vector x) {
    const ck_vector low = ck_splat(-87.33654f), high = ck_splat(88.8f);
    ck_vector bounded = ck_min(x, high);
#if !(CK_X86 && CK_LANES == 16)
    bounded = ck_max(bounded, low);
#endif
    const float round = 12582912.0f; /* 1.5 · 2²³: adding it rounds to the nearest integer */
    ck_vector n = (bounded * 1.44269504f + round) - round;
    ck_vector r = bounded - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    ck_vector p = ck_splat(1.381454049e-03f);
    p = p * r + 8.368745226e-03f;
    p = p * r + 4.166839078e-02f;
    p = p * r + 1.666652040e-01f;
    p = p * r + 4.999999343e-01f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
#if CK_X86 && CK_LANES == 16
    __mmask16 some = _mm512_cmp_ps_mask((__m512)x, (__m512)low, _CMP_NLT_UQ);
    return (ck_vector)_mm512_maskz_scalef_ps(some, (__m512)p, (__m512)n);
#else
    /* 2ⁿ as a product of two powers, so that n = 128 and n = -126 stay representable. */
    ck_integers whole = __builtin_convertvector(n, ck_integers);
    ck_integers half = whole >> 1;
    ck_vector scaled = p * (ck_vector)((half + 127) << 23);
    scaled = scaled * (ck_vector)((whole - half + 127) << 23);
    return ck_select(x >= low, scaled, ck_splat(0));
#endif
}

/* Returns 2ʳ within 3e-6 for |r| <= 1/2, with the minimax polynomial of degree 4. */
CK_INLINE ck_vector ck_exp2_of_fraction(ck_vector r) {
    ck_vector p = ck_splat(9.57010188e-3f);
    p = p * r + 5.59178618e-2f;
    p = p * r + 2.40247448e-1f;
    p = p * r + 6.93121815e-1f;
    return p * r + 9.99999261e-1f;
}

CK_INLINE ck_vector ck_silu(ck_vector x) { return x / (1.0f + ck_exp(-x)); }

/* Returns 1/x within 1 unit in the last place, for |x| from 2⁻¹²⁶ to 2¹²⁶. */
CK_INLINE ck_vector ck_reciprocal(ck_vector x) {
#if CK_X86 && CK_LANES == 16
    /* A division would take longer than all other operations of a GELU. */
    ck_vector y = (ck_vector)_mm512_rcp14_ps((__m512)x);
    return y * (2.0f - x * y);
#else
    return 1.0f / x;
#endif
}

/* Returns x/2 · (1 + erf(x/√2)), with erf within 4e-7. Beyond ±4√2, erf is ±1. Between these
 * bounds, erf is a rational minimax function, of degree 11 over degree 10. */
CK_INLINE ck_vector ck_gelu(ck_vector x) {
    const ck_vector bound = ck_splat(5.6568542f);
    ck_vector c = ck_min(ck_max(x, -bound), bound), t = c * c;
    ck_vector p = ck_splat(4.363799246e-08f);
    p = p * t + 1.272979093e-05f;
    p = p * t + 3.538776626e-04f;
    p = p * t + 9.451816057e-03f;
    p = p * t + 6.938466337e-02f;
    p = p * t + 7.978844260e-01f;
    ck_vector q = ck_splat(1.171278432e-06f);
    q = q * t + 7.602288751e-05f;
    q = q * t + 1.930558226e-03f;
    q = q * t + 2.911915778e-02f;
    q = q * t + 2.536263588e-01f;
    q = q * t + 1.0f;
    ck_vector half = 0.5f * x;
    return half + half * (c * p * ck_reciprocal(q));
}

/* x/2 · (1 + tanh z) = x / (1 + exp(-2z)) with z = √(2/π) (x + 0.044715 x³). */
CK_INLINE ck_vector ck_tanh_gelu(ck_vector x) {
    ck_vector twice = x * (1.5957691216f + 0.0713548162726f * (x * x));
    return x / (1.0f + ck_exp(-twice));
}

/* Whether a panel has 16 outputs of a gate projection and 16 of an up projection. */
CK_INLINE int ck_is_gated(ck_epilogue epilogue) {
    return epilogue == ck_epilogue_swiglu || epilogue >= ck_epilogue_gated_gelu;
}

/* Returns the function that a gated epilogue applies to the gate. Returns other epilogues
 * unchanged. */
CK_INLINE ck_epilogue ck_of_gate(ck_epilogue epilogue) {
    if (epilogue == ck_epilogue_swiglu) return ck_epilogue_silu;
    if (epilogue == ck_epilogue_gated_gelu) return ck_epilogue_gelu;
    if (epilogue == ck_epilogue_gated_tanh_gelu) return ck_epilogue_tanh_gelu;
    if (epilogue == ck_epilogue_gated_relu) return ck_epilogue_relu;
    return epilogue;
}

/* Returns the activation function of x for an epilogue without a gate, or x if the epilogue has no
 * activation function. */
CK_INLINE ck_vector ck_activated(ck_vector x, ck_epilogue epilogue) {
    if (epilogue == ck_epilogue_gelu) return ck_gelu(x);
    if (epilogue == ck_epilogue_tanh_gelu) return ck_tanh_gelu(x);
    if (epilogue == ck_epilogue_relu) return ck_max(x, ck_splat(0));
    if (epilogue == ck_epilogue_silu) return ck_silu(x);
    return x;
}

/* The following functions are coarser: their errors are at most 2e-4, or 2e-4 |x|. They are used for
 * inputs that are products of numbers with 8 or 16 bits. */

/* Returns x Φ(x). Between ±3.95, Φ - 1/2 is an odd minimax polynomial of degree 13, which is ±1/2 at
 * these bounds. */
CK_INLINE ck_vector ck_coarse_gelu(ck_vector x) {
    const ck_vector bound = ck_splat(3.95f);
    ck_vector c = ck_min(ck_max(x, -bound), bound), t = c * c;
    ck_vector p = ck_splat(2.443577607e-08f);
    p = p * t - 1.681152298e-06f;
    p = p * t + 4.955193799e-05f;
    p = p * t - 8.290393162e-04f;
    p = p * t + 8.842918091e-03f;
    p = p * t - 6.472274661e-02f;
    p = p * t + 3.979866803e-01f;
    return x * (c * p + 0.5f);
}

/* Returns x / (1 + exp(-z)). */
CK_INLINE ck_vector ck_coarsely_gated(ck_vector x, ck_vector z) {
#if CK_X86 && CK_LANES == 16
    ck_vector y = z * -1.44269504f;
    ck_vector whole = (ck_vector)_mm512_roundscale_ps((__m512)y, 0);
    ck_vector power = (ck_vector)_mm512_scalef_ps(
        (__m512)ck_exp2_of_fraction(y - whole), (__m512)whole);
    return x * (ck_vector)_mm512_rcp14_ps((__m512)(1.0f + power));
#else
    return x / (1.0f + ck_exp(-z));
#endif
}

CK_INLINE ck_vector ck_coarsely_activated(ck_vector x, ck_epilogue epilogue) {
    if (epilogue == ck_epilogue_gelu) return ck_coarse_gelu(x);
    if (epilogue == ck_epilogue_silu) return ck_coarsely_gated(x, x);
    if (epilogue == ck_epilogue_tanh_gelu)
        return ck_coarsely_gated(x, x * (1.5957691216f + 0.0713548162726f * (x * x)));
    return ck_activated(x, epilogue);
}
