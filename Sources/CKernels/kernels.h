/* All operations for one instruction set, and the table of these operations. */
#include "vector.h"
#include "product.h"
#include "gemm_f32.h"
#define CK_HALF bf16
#define CK_IS_F16 0
#include "gemm_half.h"
#undef CK_HALF
#undef CK_IS_F16
#define CK_HALF f16
#define CK_IS_F16 1
#include "gemm_half.h"
#include "gemm_int8.h"
#include "gemm_int4.h"
#if CK_TILES
#include "tiles.h"
#include "gemm_tiles.h"
#include "transposed_tiles.h"
#include "gemm_bf16x2.h"
#define CK_PRODUCT(format) CK_NAME(product_tiled_##format)
#else
#define CK_PRODUCT(format) CK_NAME(product_##format)
#endif
#include "attention.h"
#include "attention_f32.h"
#include "contextual.h"
#include "attention_cached.h"
#include "attention_int16.h"
#if CK_TILES
#include "attention_bf16.h"
#endif
#include "norms_f32.h"
#include "logits_f32.h"
#include "limits.h"
#include "gradients_f32.h"

#define CK_STRING_(text) #text
#define CK_STRING(text) CK_STRING_(text)

/* The kernels of a format for single rows: they unpack, store, add and multiply rows. */
#define CK_FORMAT_ROWS(format) \
    CK_NAME(unpack_row_##format), CK_NAME(store_row_##format), CK_NAME(sum_rows_##format), \
    CK_NAME(dot_rows_##format)

#if CK_FP16
#define CK_IF_FP16(operation) CK_NAME(operation)
#else
#define CK_IF_FP16(operation) 0
#endif
#if CK_BF16
#define CK_IF_BF16(operation) CK_NAME(operation)
#else
#define CK_IF_BF16(operation) 0
#endif
#if CK_TILES
#define CK_TRANSPOSED_BF16 CK_NAME(transposed_product_tiled_bf16)
#define CK_GRAM CK_NAME(gram_tiled)
#define CK_TILE_INPUTS(count) (count)
#else
#define CK_TRANSPOSED_BF16 CK_IF_BF16(transposed_product_bf16)
#define CK_GRAM CK_NAME(gram_f32)
#define CK_TILE_INPUTS(count) 0
#endif
#if CK_BF16 || CK_TILES
#define CK_CONVERT_BF16 CK_NAME(convert_bf16)
#else
#define CK_CONVERT_BF16 0
#endif

const ck_kernels CK_NAME(ck_kernels) = {
    .name = CK_STRING(CK_SUFFIX),
    .formats = {
        .f32 = {1, ck_unit_bytes, 4, 0, __builtin_inff(), CK_NAME(product_f32), 0,
            CK_NAME(pack_rows_f32), CK_NAME(pack_columns_f32), 0, CK_FORMAT_ROWS(f32),
            CK_NAME(transposed_product_f32), CK_NAME(peak_f32), 0, 0, 0},
        .f16 = {2, ck_unit_bytes, 4, 0, 65504.0f / 64, CK_NAME(product_f16),
            CK_IF_FP16(convert_f16),
            CK_NAME(pack_rows_f16), CK_NAME(pack_columns_f16), 0, CK_FORMAT_ROWS(f16),
            CK_IF_FP16(transposed_product_f16), CK_NAME(peak_f16), 0, 0, 0},
        .bf16 = {2, ck_unit_bytes, 4, 0, 0x1.fep127f, CK_PRODUCT(bf16), CK_CONVERT_BF16,
            CK_NAME(pack_rows_bf16), CK_NAME(pack_columns_bf16), 0, CK_FORMAT_ROWS(bf16),
            CK_TRANSPOSED_BF16, CK_NAME(peak_bf16), 0,
            CK_TILE_INPUTS(32), 0},
        .int8 = {4, ck_unit_bytes, 4, 2, __builtin_inff(), CK_PRODUCT(int8), CK_NAME(convert_int8),
            CK_NAME(pack_rows_int8), 0, 0, CK_FORMAT_ROWS(int8),
            0, CK_NAME(peak_int8), 0, CK_TILE_INPUTS(64), 0},
        .int4 = {ck_group, ck_group_bytes, ck_group_row_bytes, 0, 8 * 65504.0f,
            CK_NAME(product_int4), CK_NAME(convert_int4),
            0, 0, CK_NAME(pack_blocks_int4), CK_NAME(unpack_row_int4), CK_NAME(store_row_int8),
            CK_NAME(sum_rows_int8), CK_NAME(dot_rows_int8),
            0, CK_NAME(peak_int4), CK_NAME(widen_int4), 0, 0},
#if CK_TILES
        .bf16x2 = {1, ck_unit_bytes, 4, 0, 0x1.fep127f, CK_NAME(product_bf16x2),
            CK_NAME(convert_bf16x2),
            CK_NAME(pack_rows_bf16x2), CK_NAME(pack_columns_bf16x2), 0, CK_NAME(unpack_row_bf16x2),
            CK_NAME(store_row_f32), CK_NAME(sum_rows_f32), CK_NAME(dot_rows_f32),
            CK_NAME(transposed_product_tiled_bf16x2), CK_NAME(peak_bf16x2), 0, 32,
            32},
#else
        /* Without tile registers, two terms would not be faster than f32. */
        .bf16x2 = {1, ck_unit_bytes, 4, 0, 0x1.fep127f, CK_NAME(product_f32), 0,
            CK_NAME(pack_rows_f32), CK_NAME(pack_columns_f32), 0, CK_FORMAT_ROWS(f32),
            CK_NAME(transposed_product_f32), CK_NAME(peak_f32), 0, 0, 0},
#endif
    },
    .gram_f32 = CK_GRAM,
    .pack_rows_coarse = CK_NAME(pack_rows_coarse),
    .round_int8 = CK_NAME(round_int8),
    .multiply_coarse = CK_NAME(multiply_coarse),
    .select_f32 = CK_NAME(select_f32),
    .attend_f32 = CK_NAME(attend_f32),
#if CK_VNNI
    .pack_keys_int16 = CK_NAME(pack_keys_int16),
    .pack_values_int16 = CK_NAME(pack_values_int16),
    .attend_int16 = CK_NAME(attend_int16),
#endif
#if CK_TILES
    .attend_bf16 = CK_NAME(attend_bf16),
    .pack_values_bf16 = CK_NAME(pack_values_bf16),
#endif
    .attend_one_f32 = CK_NAME(attend_one_f32),
    .cache_int8 = CK_NAME(cache_int8),
    .attend_cached = CK_NAME(attend_cached),
    .score_f32 = CK_NAME(score_f32),
    .rms_norm_f32 = CK_NAME(rms_norm_f32),
    .layer_norm_f32 = CK_NAME(layer_norm_f32),
    .softmax_f32 = CK_NAME(softmax_f32),
    .log_sum_exp_f32 = CK_NAME(log_sum_exp_f32),
    .divergence_f32 = CK_NAME(divergence_f32),
    .rotate_f32 = CK_NAME(rotate_f32),
    .add_f32 = CK_NAME(add_f32),
    .activate_f32 = CK_NAME(activate_f32),
    .differentiate_f32 = CK_NAME(differentiate_f32),
    .softmax_gradient_f32 = CK_NAME(softmax_gradient_f32),
    .norm_gradient_f32 = CK_NAME(norm_gradient_f32),
    .read_f32 = CK_NAME(read_f32),
};
