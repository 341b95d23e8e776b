/* Rounds floats to stored types. ck_dequantize.h describes the functions. */
#include "ck_dequantize.h"
#include <stdint.h>
#include <string.h>

/* Returns the bits of a float. */
static inline uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

void ck_narrow_f32(void *out, const float *in, size_t count) {
    memcpy(out, in, 4 * count);
}

void ck_narrow_f16(void *out, const float *in, size_t count) {
    uint8_t *p = out;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = bits_of(in[i]), magnitude = bits & 0x7fffffffu;
        uint32_t normal = (magnitude + 0xfffu + (magnitude >> 13 & 1) - (112u << 23)) >> 13;
        float shrunk;
        memcpy(&shrunk, &magnitude, 4);
        /* Near 0.5, the step between floats is 2^-24, the step between subnormal f16 numbers. */
        uint32_t subnormal = bits_of(shrunk + 0.5f) - bits_of(0.5f);
        uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
        half = magnitude >= 0x47800000u ? 0x7c00u : half;
        half = magnitude > 0x7f800000u ? 0x7e00u : half;
        uint16_t stored = (uint16_t)(half | (bits >> 16 & 0x8000u));
        memcpy(p + 2 * i, &stored, 2);
    }
}

void ck_narrow_bf16(void *out, const float *in, size_t count) {
    uint8_t *p = out;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = bits_of(in[i]);
        uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
        uint32_t quiet = bits >> 16 | 0x40u;
        uint16_t stored = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
        memcpy(p + 2 * i, &stored, 2);
    }
}
