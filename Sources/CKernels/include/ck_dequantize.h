/* Conversions between stored types and floats. The results have the same bits on all machines.
 *
 * ck_dequantize_X(out, blocks, block_count) expands whole blocks of the stored type X to floats. It
 * writes block_count times the number of floats per block to `out`. Blocks need no alignment, are
 * little-endian, and must not overlap `out`. Each product and each sum is rounded (no fused
 * multiply-add), as in the Python package `gguf`.
 *
 *   type                          floats per block   bytes per block
 *   f64, f32, f16, bf16                          1   8, 4, 2, 2
 *   q4_0, q4_1, q5_0, q5_1, q8_0                32   18, 20, 22, 24, 34
 *   q2_k, q3_k, q4_k, q5_k, q6_k               256   84, 110, 144, 176, 210
 *
 * The layouts are those of ggml's quantised types, as documented in gguf-py's `quants.py`. */
#ifndef CK_DEQUANTIZE_H
#define CK_DEQUANTIZE_H
#include <stddef.h>
#pragma clang assume_nonnull begin

void ck_dequantize_f64(float *out, const void *blocks, size_t block_count);
void ck_dequantize_f32(float *out, const void *blocks, size_t block_count);
void ck_dequantize_f16(float *out, const void *blocks, size_t block_count);
void ck_dequantize_bf16(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q4_0(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q4_1(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q5_0(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q5_1(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q8_0(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q2_k(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q3_k(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q4_k(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q5_k(float *out, const void *blocks, size_t block_count);
void ck_dequantize_q6_k(float *out, const void *blocks, size_t block_count);

/* ck_narrow_X(out, in, count) rounds floats to the stored type X, to nearest with ties to even.
 * Values that are too large become infinity. NaN stays NaN. `out` needs no alignment. */
void ck_narrow_f32(void *out, const float *in, size_t count);
void ck_narrow_f16(void *out, const float *in, size_t count);
void ck_narrow_bf16(void *out, const float *in, size_t count);

/* ck_quantize_X(out, in, block_count) rounds finite floats to block_count whole blocks of the
 * stored type X, like the reference code of llama.cpp. `out` needs no alignment. */
void ck_quantize_q8_0(void *out, const float *in, size_t block_count);
void ck_quantize_q4_0(void *out, const float *in, size_t block_count);

/* Like ck_quantize_q4_0, with the scale of each block that has the smallest sum of squared errors
 * among some scales. The largest scale is that of ck_quantize_q4_0. Smaller scales clip the largest
 * values of a block. Each scale is tried with both signs. A block whose values are those of a scale and
 * of codes is not changed. */
void ck_quantize_q4_0_least_squares(void *out, const float *in, size_t block_count);

/* Returns the index of the first float that is NaN or whose magnitude exceeds `limit`. Returns
 * `count` if there is no such float. */
size_t ck_first_outside(const float *in, size_t count, float limit);

#pragma clang assume_nonnull end
#endif
