/* Rounds floats to ggml's blocks of quantised numbers. ck_dequantize.h describes the functions. */
#include "ck_dequantize.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#pragma STDC FP_CONTRACT OFF

enum { block = 32 };

void ck_quantize_q8_0(void *out, const float *in, size_t block_count) {
    uint8_t *p = out;
    for (size_t b = 0; b < block_count; b++, in += block, p += 2 + block) {
        float largest = 0;
        for (int i = 0; i < block; i++) largest = fmaxf(largest, fabsf(in[i]));
        float scale = largest / 127, inverse = scale ? 1 / scale : 0;
        ck_narrow_f16(p, &scale, 1);
        for (int i = 0; i < block; i++) p[2 + i] = (uint8_t)(int8_t)roundf(in[i] * inverse);
    }
}

static float widest_of(const float *in) {
    float widest = 0;
    for (int i = 0; i < block; i++)
        if (fabsf(in[i]) > fabsf(widest)) widest = in[i];
    return widest;
}

/* Stores a block whose values are integers from -8 to 7 times a 16-bit scale without changing them.
 * Returns whether there is such a scale. */
static bool keep_q4_0(uint8_t *p, const float *in, float widest) {
    /* A scale has 11 significant bits and an integer has 4, so 9 of 24 are zero in a product. */
    uint32_t bits;
    memcpy(&bits, &widest, sizeof bits);
    if (bits & 0x1ff || !widest) return false;
    for (int k = 8; k > 0; k--) {
        for (int sign = -1; sign <= (k < 8 ? 1 : -1); sign += 2) {
            float scale = widest / (float)(sign * k);
            ck_narrow_f16(p, &scale, 1);
            ck_dequantize_f16(&scale, p, 1);
            int8_t codes[block];
            bool fits = scale != 0 && scale * (float)(sign * k) == widest;
            for (int i = 0; fits && i < block; i++) {
                float code = rintf(in[i] / scale);
                fits = code >= -8 && code <= 7 && code * scale == in[i];
                if (fits) codes[i] = (int8_t)code;
            }
            if (!fits) continue;
            for (int i = 0; i < block / 2; i++)
                p[2 + i] = (uint8_t)((codes[i] + 8) | (codes[i + block / 2] + 8) << 4);
            return true;
        }
    }
    return false;
}

void ck_quantize_q4_0(void *out, const float *in, size_t block_count) {
    uint8_t *p = out;
    for (size_t b = 0; b < block_count; b++, in += block, p += 2 + block / 2) {
        float widest = widest_of(in);
        /* Of the 16 codes, 8 are negative and 7 are positive. The value with the largest magnitude
         * has the code -8. */
        float scale = widest / -8, inverse = scale ? 1 / scale : 0;
        ck_narrow_f16(p, &scale, 1);
        for (int i = 0; i < block / 2; i++) {
            int low = (int)(in[i] * inverse + 8.5f);
            int high = (int)(in[i + block / 2] * inverse + 8.5f);
            p[2 + i] = (uint8_t)((low < 15 ? low : 15) | (high < 15 ? high : 15) << 4);
        }
    }
}

void ck_quantize_q4_0_least_squares(void *out, const float *in, size_t block_count) {
    enum { candidates = 16 };
    uint8_t *p = out;
    for (size_t b = 0; b < block_count; b++, in += block, p += 2 + block / 2) {
        float widest = widest_of(in), least = INFINITY;
        if (keep_q4_0(p, in, widest)) continue;
        for (int c = 0; c < candidates; c++) {
            /* 8 negative codes or 7 positive codes reach the value with the largest magnitude,
             * times 1, 0.95 ... 0.65. */
            float scale = widest / (c % 2 ? 7 : -8) * (1 - 0.05f * (float)(c / 2));
            uint8_t stored[2], codes[block];
            ck_narrow_f16(stored, &scale, 1);
            ck_dequantize_f16(&scale, stored, 1);
            float inverse = scale ? 1 / scale : 0, error = 0;
            for (int i = 0; i < block; i++) {
                float code = floorf(in[i] * inverse + 8.5f);
                code = code > 0 ? code < 15 ? code : 15 : 0;
                float rest = in[i] - scale * (code - 8);
                error += rest * rest;
                codes[i] = (uint8_t)code;
            }
            if (error >= least) continue;
            least = error;
            memcpy(p, stored, sizeof stored);
            for (int i = 0; i < block / 2; i++)
                p[2 + i] = (uint8_t)(codes[i] | codes[i + block / 2] << 4);
        }
    }
}
