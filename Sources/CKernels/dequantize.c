/* Expands stored floats and ggml's quantised blocks. ck_dequantize.h describes the functions.
 *
 * The loops have a fixed length and work on bytes, so that the compiler can vectorise them for any
 * processor. */
#include "ck_dequantize.h"
#include <stdint.h>
#include <string.h>
#pragma STDC FP_CONTRACT OFF

/* Returns the float with the given bits. */
static inline float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* Returns the float that is equal to an f16. The exponent bias of an f16 is 15, and the exponent
 * bias of a float is 127. */
static inline float from_half(uint16_t half) {
    uint32_t magnitude = half & 0x7fffu;
    uint32_t normal = (magnitude << 13) + (112u << 23) + (magnitude >= 0x7c00u ? 112u << 23 : 0);
    float subnormal = (float)(int32_t)magnitude * 0x1p-24f;
    uint32_t small;
    memcpy(&small, &subnormal, 4);
    uint32_t bits = magnitude < 0x400u ? small : normal;
    return from_bits(bits | (uint32_t)(half & 0x8000u) << 16);
}

/* Returns the float that is equal to the f16 at p. */
static inline float half_at(const uint8_t *p) {
    uint16_t half;
    memcpy(&half, p, 2);
    return from_half(half);
}

void ck_dequantize_f64(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t i = 0; i < block_count; i++) {
        double value;
        memcpy(&value, p + 8 * i, 8);
        out[i] = (float)value;
    }
}

void ck_dequantize_f32(float *out, const void *blocks, size_t block_count) {
    memcpy(out, blocks, 4 * block_count);
}

void ck_dequantize_f16(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t i = 0; i < block_count; i++) out[i] = half_at(p + 2 * i);
}

void ck_dequantize_bf16(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t i = 0; i < block_count; i++) {
        uint16_t high;
        memcpy(&high, p + 2 * i, 2);
        out[i] = from_bits((uint32_t)high << 16);
    }
}

/* scale (2), 16 bytes of nibbles: low nibbles are elements 0-15, high nibbles are 16-31. */
void ck_dequantize_q4_0(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 18, out += 32) {
        float scale = half_at(p);
        for (int i = 0; i < 16; i++) {
            out[i] = scale * (float)((p[2 + i] & 15) - 8);
            out[16 + i] = scale * (float)((p[2 + i] >> 4) - 8);
        }
    }
}

/* scale (2), minimum (2), nibbles as in q4_0. */
void ck_dequantize_q4_1(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 20, out += 32) {
        float scale = half_at(p), minimum = half_at(p + 2);
        for (int i = 0; i < 16; i++) {
            out[i] = scale * (float)(p[4 + i] & 15) + minimum;
            out[16 + i] = scale * (float)(p[4 + i] >> 4) + minimum;
        }
    }
}

/* scale (2), the fifth bit of each element (4), nibbles as in q4_0. */
void ck_dequantize_q5_0(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 22, out += 32) {
        float scale = half_at(p);
        uint32_t fifth;
        memcpy(&fifth, p + 2, 4);
        for (uint32_t i = 0; i < 16; i++) {
            int low = (p[6 + i] & 15) | (int)(fifth >> i & 1) << 4;
            int high = p[6 + i] >> 4 | (int)(fifth >> (16 + i) & 1) << 4;
            out[i] = scale * (float)(low - 16);
            out[16 + i] = scale * (float)(high - 16);
        }
    }
}

/* scale (2), minimum (2), fifth bits (4), nibbles as in q4_0. */
void ck_dequantize_q5_1(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 24, out += 32) {
        float scale = half_at(p), minimum = half_at(p + 2);
        uint32_t fifth;
        memcpy(&fifth, p + 4, 4);
        for (uint32_t i = 0; i < 16; i++) {
            int low = (p[8 + i] & 15) | (int)(fifth >> i & 1) << 4;
            int high = p[8 + i] >> 4 | (int)(fifth >> (16 + i) & 1) << 4;
            out[i] = scale * (float)low + minimum;
            out[16 + i] = scale * (float)high + minimum;
        }
    }
}

/* scale (2), 32 signed bytes. */
void ck_dequantize_q8_0(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 34, out += 32) {
        float scale = half_at(p);
        for (int i = 0; i < 32; i++) out[i] = (float)(int8_t)p[2 + i] * scale;
    }
}

/* 16 bytes of scale and minimum nibbles for 16 elements each, 64 bytes of 2-bit elements,
 * scale of the scales (2), scale of the minimums (2). */
void ck_dequantize_q2_k(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 84, out += 256) {
        float scale = half_at(p + 80), minimum = half_at(p + 82);
        for (int group = 0; group < 16; group++) {
            float s = scale * (float)(p[group] & 15), m = minimum * (float)(p[group] >> 4);
            const uint8_t *q = p + 16 + group / 8 * 32 + group % 2 * 16;
            int shift = group / 2 % 4 * 2;
            for (int i = 0; i < 16; i++) out[16 * group + i] = s * (float)(q[i] >> shift & 3) - m;
        }
    }
}

/* 32 bytes of third bits, 64 bytes of 2-bit elements as in q2_k, 12 bytes of 6-bit scales for
 * 16 elements each, scale of the scales (2). An element is 4 less if its third bit is 0. */
void ck_dequantize_q3_k(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 110, out += 256) {
        const uint8_t *scales = p + 96;
        float scale = half_at(p + 108);
        for (int group = 0; group < 16; group++) {
            int low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
            int high = scales[8 + group % 4] >> (group / 4 * 2) & 3;
            float s = scale * (float)((low | high << 4) - 32);
            const uint8_t *q = p + 32 + group / 8 * 32 + group % 2 * 16;
            const uint8_t *third = p + group % 2 * 16;
            int shift = group / 2 % 4 * 2, bit = group / 2;
            for (int i = 0; i < 16; i++) {
                int value = (q[i] >> shift & 3) + (third[i] >> bit & 1) * 4 - 4;
                out[16 * group + i] = s * (float)value;
            }
        }
    }
}

/* Reads the 6-bit scale and minimum of 32 elements from 12 bytes with eight scales and minimums. */
static inline void scale_and_minimum(const uint8_t *packed, int group, int *scale, int *minimum) {
    if (group < 4) {
        *scale = packed[group] & 63;
        *minimum = packed[4 + group] & 63;
    } else {
        *scale = (packed[4 + group] & 15) | (packed[group - 4] >> 6) << 4;
        *minimum = packed[4 + group] >> 4 | (packed[group] >> 6) << 4;
    }
}

/* scale of the scales (2), scale of the minimums (2), packed scales and minimums (12), four
 * times 32 bytes of nibbles: low nibbles are 32 elements, high nibbles are the next 32. */
void ck_dequantize_q4_k(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 144, out += 256) {
        float scale = half_at(p), minimum = half_at(p + 2);
        for (int group = 0; group < 8; group++) {
            int packed_scale, packed_minimum;
            scale_and_minimum(p + 4, group, &packed_scale, &packed_minimum);
            float s = scale * (float)packed_scale, m = minimum * (float)packed_minimum;
            const uint8_t *q = p + 16 + group / 2 * 32;
            int shift = group % 2 * 4;
            for (int i = 0; i < 32; i++) out[32 * group + i] = s * (float)(q[i] >> shift & 15) - m;
        }
    }
}

/* As q4_k, with 32 bytes of fifth bits before the nibbles. */
void ck_dequantize_q5_k(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 176, out += 256) {
        float scale = half_at(p), minimum = half_at(p + 2);
        const uint8_t *fifth = p + 16;
        for (int group = 0; group < 8; group++) {
            int packed_scale, packed_minimum;
            scale_and_minimum(p + 4, group, &packed_scale, &packed_minimum);
            float s = scale * (float)packed_scale, m = minimum * (float)packed_minimum;
            const uint8_t *q = p + 48 + group / 2 * 32;
            int shift = group % 2 * 4;
            for (int i = 0; i < 32; i++) {
                int value = (q[i] >> shift & 15) | (fifth[i] >> group & 1) << 4;
                out[32 * group + i] = s * (float)value - m;
            }
        }
    }
}

/* 128 bytes of nibbles (64 low, then 64 high elements per 64 bytes), 64 bytes of fifth and sixth
 * bits (32 elements per shift), 16 signed scales for 16 elements each, scale of the scales (2). */
void ck_dequantize_q6_k(float *out, const void *blocks, size_t block_count) {
    const uint8_t *p = blocks;
    for (size_t block = 0; block < block_count; block++, p += 210, out += 256) {
        float scale = half_at(p + 208);
        for (int group = 0; group < 16; group++) {
            float s = scale * (float)(int8_t)p[192 + group];
            const uint8_t *low = p + group / 8 * 64 + group % 4 * 16;
            const uint8_t *high = p + 128 + group / 8 * 32 + group % 2 * 16;
            int low_shift = group / 4 % 2 * 4, high_shift = group / 2 % 4 * 2;
            for (int i = 0; i < 16; i++) {
                int value = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
                out[16 * group + i] = s * (float)(value - 32);
            }
        }
    }
}
