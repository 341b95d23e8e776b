/* The kernels of formats of 16, 8 and 4 bits. */
#include "harness.h"
#include <math.h>
#include <string.h>

static const struct { size_t m, k, n; } sizes[] = {
    {1, 1, 1}, {1, 577, 101}, {2, 7, 31}, {3, 0, 40}, {5, 64, 32}, {6, 5, 33}, {7, 50, 96},
    {11, 34, 15}, {13, 131, 65}, {41, 3000, 17}};

/* The number of additional columns of each row of c, which no kernel may change. */
enum { gap = 3 };

static size_t packed_outputs(size_t n, int epilogue) {
    size_t step = is_gated(epilogue) ? ck_panel / 2 : ck_panel;
    return (n + step - 1) / step * ck_panel;
}

/* The units of a panel of k inputs. */
static size_t units(const ck_format *format, size_t k) {
    size_t step = format->padding ? format->padding : 1;
    return ((k + step - 1) / step * step + format->unit_inputs - 1) / format->unit_inputs;
}

/* The 32-bit words of a converted row of k inputs. */
static size_t words_of(const ck_format *format, size_t k) {
    return units(format, k) * format->row_bytes / 4;
}

/* Returns rows of k floats for the product of a format. Converted rows are stored in `rounded`. */
static ck_operand converted(
    const ck_format *format, const float *a, size_t m, size_t k, void *rounded, float *scales
) {
    if (!format->convert) return (ck_operand){a, k * sizeof *a, 1, 0, 0};
    size_t stride = units(format, k) * format->row_bytes;
    int32_t zero;
    for (size_t r = 0; r < m; r++)
        format->convert(a + r * k, k, 1, (char *)rounded + r * stride, stride, scales + r, &zero);
    return (ck_operand){rounded, stride, 1, scales, 0};
}

/* The additional error of activation functions. Tables with tile registers use coarser functions in
 * products of 8 and 16 bits. A gate's error is multiplied by a factor that is below 10. */
static double function_error(const ck_kernels *k, int epilogue) {
    int exact = epilogue == ck_epilogue_store || epilogue == ck_epilogue_add
        || epilogue == ck_epilogue_relu || epilogue == ck_epilogue_gated_relu;
    if (exact || !k->attend_bf16) return 0;
    return is_gated(epilogue) ? 2e-3 : 2e-4;
}

static void bf16(const ck_kernels *k) {
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int epilogue = ck_epilogue_store; epilogue <= ck_epilogue_gated_relu; epilogue++) {
            size_t m = sizes[s].m, depth = sizes[s].k, n = sizes[s].n, pairs = (depth + 1) / 2;
            size_t outputs = packed_outputs(n, epilogue), ldc = n + gap;
            float *a = floats(m * depth, 1), *w = floats(outputs * depth, 0.1f);
            float *c = floats((m - 1) * ldc + n, 1), *bias = floats(outputs, 1);
            /* Some tables round activations, so these activations are rounded already. */
            for (size_t i = 0; i < m * depth; i++) {
                uint32_t bits;
                memcpy(&bits, a + i, 4);
                bits &= 0xffff0000u;
                memcpy(a + i, &bits, 4);
            }
            uint16_t *panels = zeroed(outputs * pairs * 4), *rounded = zeroed(m * pairs * 4);
            k->formats.bf16.pack_columns(w, outputs, depth, outputs, panels);
            bytes_are("columns", panels, outputs * pairs * 4);
            k->formats.bf16.pack_rows(w, depth, outputs, depth, panels, 0, 0);
            bytes_are("panels", panels, outputs * pairs * 4);
            float *scales = zeroed(m * 4);
            k->formats.bf16.product(
                converted(&k->formats.bf16, a, m, depth, rounded, scales), m, depth,
                (ck_weights){panels, 0, 0}, bias, c, ldc, n, (ck_epilogue)epilogue);
            double error = function_error(k, epilogue);
            floats_are("c", c, (m - 1) * ldc + n, 2e-5 + error, 1e-5 + error / 2);
        }
}

static void f16(const ck_kernels *k) {
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int epilogue = ck_epilogue_store; epilogue <= ck_epilogue_gated_relu; epilogue++) {
            size_t m = sizes[s].m, depth = sizes[s].k, n = sizes[s].n, pairs = (depth + 1) / 2;
            size_t outputs = packed_outputs(n, epilogue), ldc = n + gap;
            /* Both factors of a gated output have a rounding error, so small values are used. */
            float range = epilogue >= ck_epilogue_gated_gelu ? 0.5f : 1;
            float *a = floats(m * depth, range), *w = floats(outputs * depth, 0.1f);
            float *c = floats((m - 1) * ldc + n, 1), *bias = floats(outputs, 1);
            float *scales = zeroed(m * 4);
            uint16_t *panels = zeroed(outputs * pairs * 4), *rounded = zeroed(m * pairs * 4);
            k->formats.f16.pack_columns(w, outputs, depth, outputs, panels);
            bytes_are("columns", panels, outputs * pairs * 4);
            k->formats.f16.pack_rows(w, depth, outputs, depth, panels, 0, 0);
            bytes_are("panels", panels, outputs * pairs * 4);
            k->formats.f16.product(
                converted(&k->formats.f16, a, m, depth, rounded, scales), m, depth,
                (ck_weights){panels, 0, 0}, bias, c, ldc, n, (ck_epilogue)epilogue);
            /* Some tables round activations and sums too. */
            float most = k->formats.f16.convert ? 1e-2f : 1e-5f;
            floats_are("c", c, (m - 1) * ldc + n, 2 * most, most);
        }
}

/* Some tables round to two terms, so their panels differ from those of f32. */
static void bf16x2(const ck_kernels *k) {
    const ck_format *format = &k->formats.bf16x2;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int epilogue = ck_epilogue_store; epilogue <= ck_epilogue_gated_relu; epilogue++) {
            size_t m = sizes[s].m, depth = sizes[s].k, n = sizes[s].n;
            size_t outputs = packed_outputs(n, epilogue), ldc = n + gap;
            size_t words = words_of(format, depth);
            float *a = floats(m * depth, 1), *w = floats(outputs * depth, 0.1f);
            float *c = floats((m - 1) * ldc + n, 1), *bias = floats(outputs, 1);
            uint32_t *panels = zeroed(outputs * words * 4), *rounded = zeroed(m * words * 4);
            float *scales = zeroed(m * 4);
            format->pack_rows(w, depth, outputs, depth, panels, 0, 0);
            format->product(
                converted(format, a, m, depth, rounded, scales), m, depth,
                (ck_weights){panels, 0, 0}, bias, c, ldc, n, (ck_epilogue)epilogue);
            floats_are("c", c, (m - 1) * ldc + n, 2e-4, 5e-5);
        }
}

static void int8(const ck_kernels *k) {
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int epilogue = ck_epilogue_store; epilogue <= ck_epilogue_gated_relu; epilogue++)
            for (size_t terms = 1; terms <= 2; terms++) {
                size_t m = sizes[s].m, depth = sizes[s].k, n = sizes[s].n;
                size_t stride = (depth + 3) / 4 * 4, outputs = packed_outputs(n, epilogue);
                size_t ldc = n + gap, rows = m * terms;
                float *a = floats(m * depth, 1), *w = floats(outputs * depth, 0.1f);
                float *c = floats((m - 1) * ldc + n, 1);
                float *bias = epilogue == ck_epilogue_store ? 0 : floats(outputs, 1);
                int8_t *panels = zeroed(outputs * stride);
                float *scales = zeroed(outputs * 4), *row_scales = zeroed(rows * 4);
                int32_t *sums = zeroed(outputs * 4), *zeros = zeroed(rows * 4);
                uint8_t *values = zeroed(rows * stride);
                k->formats.int8.pack_rows(w, depth, outputs, depth, panels, scales, sums);
                bytes_are("panels", panels, outputs * stride);
                bytes_are("sums", sums, outputs * 4);
                floats_are("scales", scales, outputs, 0, 0);
                for (size_t r = 0; r < m; r++)
                    k->formats.int8.convert(
                        a + r * depth, depth, terms, values + r * terms * stride, stride,
                        row_scales + r * terms, zeros + r * terms);
                bytes_are("values", values, rows * stride);
                bytes_are("zeros", zeros, rows * 4);
                floats_are("row scales", row_scales, rows, 0, 0);
                k->formats.int8.product(
                    (ck_operand){values, stride, terms, row_scales, zeros}, m, depth,
                    (ck_weights){panels, scales, sums}, bias, c, ldc, n, (ck_epilogue)epilogue);
                int exact = epilogue == ck_epilogue_store;
                double error = function_error(k, epilogue);
                floats_are(
                    "c", c, (m - 1) * ldc + n, exact ? 0 : 2e-5 + error,
                    exact ? 0 : 1e-5 + error / 2);
            }
}

static void int4(const ck_kernels *k) {
    const ck_format *format = &k->formats.int4;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int epilogue = ck_epilogue_store; epilogue <= ck_epilogue_gated_relu; epilogue++) {
            size_t m = sizes[s].m, depth = sizes[s].k, n = sizes[s].n;
            size_t groups = units(format, depth);
            size_t outputs = packed_outputs(n, epilogue), ldc = n + gap, half = ck_panel / 2;
            size_t panel_bytes = groups * format->unit_bytes, block_bytes = 18;
            float *a = floats(m * depth, 1), *c = floats((m - 1) * ldc + n, 1);
            float *bias = epilogue == ck_epilogue_store ? 0 : floats(outputs, 1);
            float *w = floats(outputs * groups * 32, 0.1f), *rows = zeroed(outputs * depth * 4);
            uint8_t *blocks = zeroed(outputs * groups * block_bytes);
            ck_quantize_q4_0(blocks, w, outputs * groups);
            bytes_are("blocks", blocks, outputs * groups * block_bytes);
            char *panels = zeroed(outputs / ck_panel * panel_bytes);
            char *values = zeroed(m * groups * 40);
            for (size_t j = 0; j < outputs; j += half)
                format->pack_blocks(
                    blocks + j * groups * block_bytes, half, depth, j % ck_panel,
                    panels + j / ck_panel * panel_bytes);
            bytes_are("panels", panels, outputs / ck_panel * panel_bytes);
            for (size_t j = 0; j < outputs; j++)
                format->unpack_row(
                    panels + j / ck_panel * panel_bytes, j % ck_panel, depth, 1, rows + j * depth);
            floats_are("rows", rows, outputs * depth, 0, 0);
            ck_operand x = converted(format, a, m, depth, values, zeroed(m * 4));
            bytes_are("values", values, m * groups * 40);
            format->product(
                x, m, depth, (ck_weights){panels, 0, 0}, bias, c, ldc, n, (ck_epilogue)epilogue);
            floats_are("c", c, (m - 1) * ldc + n, 2e-5, 1e-5);
            size_t wide_bytes = groups * 32 * ck_panel + 64;
            char *wide = zeroed(outputs / ck_panel * wide_bytes);
            float *scales = zeroed(outputs * 4);
            int32_t *sums = zeroed(outputs * 4);
            for (size_t j = 0; j < outputs; j += ck_panel)
                format->widen(
                    panels + j / ck_panel * panel_bytes, depth, wide_bytes,
                    wide + j / ck_panel * wide_bytes, scales + j, sums + j);
            bytes_are("widened", wide, outputs / ck_panel * wide_bytes);
            floats_are("scales", scales, outputs, 0, 0);
            bytes_are("sums", sums, outputs * 4);
        }
}

/* Every format that packs floats, by its place in the table. */
static const ck_format *format_at(const ck_kernels *k, size_t index) {
    const ck_format *all[] = {&k->formats.f32, &k->formats.f16, &k->formats.bf16, &k->formats.int8};
    return all[index];
}

static void rows(const ck_kernels *k) {
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t f = 0; f < 4; f++) {
            const ck_format *format = format_at(k, f);
            size_t depth = sizes[s].k, n = sizes[s].n, outputs = packed_outputs(n, 0);
            size_t words = units(format, depth), value_bytes = 4 / format->unit_inputs;
            float *w = floats(n * depth, 0.1f), *row = floats(depth, 1);
            void *panels = zeroed(outputs * words * 4), *stored = zeroed(depth * value_bytes);
            float *scales = zeroed(outputs * 4);
            int32_t *sums = zeroed(outputs * 4);
            format->pack_rows(w, depth, n, depth, panels, scales, sums);
            for (size_t j = 0; j < n; j++) {
                const char *panel = (const char *)panels + j / ck_panel * words * ck_panel * 4;
                format->unpack_row(panel, j % ck_panel, depth, scales[j], row);
                floats_are("unpacked", row, depth, 0, 0);
            }
            float factor = format->store_row(w, depth, stored);
            floats_are("factor", &factor, 1, 0, 0);
            bytes_are("stored", stored, depth * value_bytes);
        }
}

static void contextual(const ck_kernels *k) {
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t depth = sizes[s].k, n = sizes[s].n;
        size_t outputs = packed_outputs(n, ck_epilogue_store), eights = (depth + 7) / 8;
        float *a = floats(depth, 1), *w = floats(n * depth, 0.1f), *c = floats(n + gap, 1);
        uint8_t *panels = zeroed(outputs / ck_panel * ck_coarse_panel(depth));
        int8_t *values = zeroed(eights * 8), fine[ck_fine_inputs];
        float *greatest = zeroed(outputs / ck_panel * 4);
        uint32_t places_of_fine[] = {0, (uint32_t)depth / 2};
        size_t fines = depth == 0 ? 0 : depth == 1 ? 1 : 2;
        k->pack_rows_coarse(w, depth, n, depth, places_of_fine, fines, panels);
        bytes_are("panels", panels, outputs / ck_panel * ck_coarse_panel(depth));
        float scale = k->round_int8(a, depth, values);
        bytes_are("values", values, eights * 8);
        float fine_scale = k->round_int8(floats(ck_fine_inputs, 1), ck_fine_inputs, fine);
        bytes_are("fine", fine, ck_fine_inputs);
        float scales[] = {scale, fine_scale};
        floats_are("scales", scales, 2, 0, 0);
        k->multiply_coarse((ck_coarse_row){values, fine, scale, fine_scale}, depth, panels, c, n, greatest);
        floats_are("c", c, n + gap, 1e-5, 1e-5);
        floats_are("greatest", greatest, outputs / ck_panel, 1e-5, 1e-5);

        uint32_t *places = zeroed(n * 4 + 4);
        float *chosen = zeroed(n * 4 + 4), *least = floats(n, 1), *x = floats(n, 1);
        size_t count = k->select_f32(x, least, n, places, chosen);
        bytes_are("places", places, count * 4);
        floats_are("chosen", chosen, count, 0, 0);
        /* Rows of 100 values of any type. No product is out of range. */
        enum { width = 100 };
        float *sum = floats(width + gap, 1), *rows = floats(n * width, 1);
        k->formats.f32.sum_rows(rows, width * 4, places, chosen, count, sum, width);
        floats_are("f32 rows", sum, width + gap, 1e-5, 1e-5);
        uint16_t *halves = zeroed(n * width * 2);
        int8_t *bytes = zeroed(n * width);
        for (size_t i = 0; i < n * width; i++) {
            uint32_t bits;
            memcpy(&bits, rows + i, 4);
            halves[i] = (uint16_t)(bits >> 16);
            bytes[i] = (int8_t)(rows[i] * 100);
        }
        float *dots = floats(count + gap, 1), *vector = floats(width, 1);
        k->formats.f32.dot_rows(rows, width * 4, places, count, vector, width, dots);
        floats_are("products with f32 rows", dots, count + gap, 1e-5, 1e-5);
        k->formats.bf16.dot_rows(halves, width * 2, places, count, vector, width, dots);
        floats_are("products with bf16 rows", dots, count + gap, 1e-5, 1e-5);
        k->formats.f16.dot_rows(halves, width * 2, places, count, vector, width, dots);
        for (size_t i = 0; i < count; i++) dots[i] *= 0x1p106f;
        floats_are("products with f16 rows", dots, count + gap, 1e-5, 1e-3);
        k->formats.int8.dot_rows(bytes, width, places, count, vector, width, dots);
        floats_are("products with int8 rows", dots, count + gap, 1e-5, 1e-3);
        k->formats.bf16.sum_rows(halves, width * 2, places, chosen, count, sum, width);
        floats_are("bf16 rows", sum, width + gap, 1e-5, 1e-5);
        for (size_t i = 0; i < count; i++) chosen[i] *= 0x1p106f;
        k->formats.f16.sum_rows(halves, width * 2, places, chosen, count, sum, width);
        for (size_t i = 0; i < count; i++) chosen[i] *= 0x1p-106f;
        floats_are("f16 rows", sum, width + gap, 1e-5, 1e-3);
        k->formats.int8.sum_rows(bytes, width, places, chosen, count, sum, width);
        floats_are("int8 rows", sum, width + gap, 1e-5, 1e-3);
    }
}

static void limits(const ck_kernels *k) {
    /* The number of sums depends on the table, so only finite results are required. */
    float finite = isfinite(k->formats.bf16.peak(100, 0.5f)) && isfinite(k->formats.f16.peak(100, 0.5f))
        && isfinite(k->formats.int8.peak(100, 0.5f)) && isfinite(k->formats.int4.peak(100, 0.5f))
        && isfinite(k->formats.bf16x2.peak(100, 0.5f));
    floats_are("peaks are finite", &finite, 1, 0, 0);
}

const kernel_case precision_cases[] = {
    {"formats.bf16", bf16},
    {"formats.f16", f16},
    {"formats.int8", int8},
    {"formats.int4", int4},
    {"formats.bf16x2", bf16x2},
    {"rows of formats", rows},
    {"pack_rows_coarse, multiply_coarse, select_f32, sum_rows_*, dot_rows_*", contextual},
    {"peaks of formats", limits},
    {0, 0},
};
