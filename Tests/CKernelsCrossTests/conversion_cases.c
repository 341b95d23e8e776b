/* Conversions must give the same bits on every machine. */
#include "harness.h"
#include <math.h>
#include <string.h>

/* Random blocks with all f16 scales, including NaN and infinity. */
static void dequantize(void) {
    static const struct {
        const char *name;
        void (*expand)(float *out, const void *blocks, size_t block_count);
        size_t floats, bytes;
    } types[] = {
        {"f64", ck_dequantize_f64, 1, 8},     {"f32", ck_dequantize_f32, 1, 4},
        {"bf16", ck_dequantize_bf16, 1, 2},   {"q4_0", ck_dequantize_q4_0, 32, 18},
        {"q4_1", ck_dequantize_q4_1, 32, 20}, {"q5_0", ck_dequantize_q5_0, 32, 22},
        {"q5_1", ck_dequantize_q5_1, 32, 24}, {"q8_0", ck_dequantize_q8_0, 32, 34},
        {"q2_k", ck_dequantize_q2_k, 256, 84}, {"q3_k", ck_dequantize_q3_k, 256, 110},
        {"q4_k", ck_dequantize_q4_k, 256, 144}, {"q5_k", ck_dequantize_q5_k, 256, 176},
        {"q6_k", ck_dequantize_q6_k, 256, 210},
    };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        size_t count = 1 + 16384 / types[t].floats;
        float *out = zeroed(count * types[t].floats * 4);
        types[t].expand(out, bytes(count * types[t].bytes), count);
        floats_are(types[t].name, out, count * types[t].floats, 0, 0);
    }
}

static void every_half(void) {
    uint16_t *halves = zeroed(65536 * 2);
    for (size_t i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
    float *out = zeroed(65536 * 4);
    ck_dequantize_f16(out, halves, 65536);
    floats_are("f16", out, 65536, 0, 0);
    ck_narrow_f16(halves, out, 65536);
    bytes_are("back again", halves, 65536 * 2);
}

/* Random bits, and numbers near 1 that are halfway between two stored numbers. */
static void narrow(void) {
    size_t count = 20001;
    float *in = floats(count, 2), *same = zeroed(count * 4);
    uint8_t *bits = bytes(count * 4), *out = zeroed(count * 2);
    memcpy(in, bits, count * 2);
    for (size_t i = count / 2; i < count; i += 2) {
        uint32_t halfway;
        memcpy(&halfway, in + i, 4);
        halfway = (halfway & ~0x1fffu) | 0x1000u;
        memcpy(in + i, &halfway, 4);
    }
    in[0] = INFINITY, in[1] = -INFINITY, in[2] = NAN, in[3] = -0.0f, in[4] = 65520, in[5] = 3e38f;
    ck_narrow_f16(out, in, count);
    bytes_are("f16", out, count * 2);
    ck_narrow_bf16(out, in, count);
    bytes_are("bf16", out, count * 2);
    ck_narrow_f32(same, in, count);
    bytes_are("f32", same, count * 4);
}

/* Numbers of both signs, and a block of zeros. */
static void quantize(void) {
    size_t count = 100;
    float *in = floats(count * 32, 2);
    memset(in, 0, 32 * sizeof *in);
    uint8_t *out = zeroed(count * 34);
    ck_quantize_q8_0(out, in, count);
    bytes_are("q8_0", out, count * 34);
    ck_quantize_q4_0(out, in, count);
    bytes_are("q4_0", out, count * 18);
    ck_quantize_q4_0_least_squares(out, in, count);
    bytes_are("q4_0 by least squares", out, count * 18);
}

const conversion_case conversion_cases[] = {
    {"ck_dequantize", dequantize},
    {"ck_dequantize_f16, ck_narrow_f16", every_half},
    {"ck_narrow", narrow},
    {"ck_quantize", quantize},
    {0, 0},
};
