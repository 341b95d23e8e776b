/* Cases for every f32 kernel of a ck_kernels table. For a new kernel, write a function and add it to
 * kernel_cases. */
#include "harness.h"
#include <math.h>

/* Tolerances of sums of k terms below 1, in any order, with or without fused multiply-adds. */
static const double absolute = 2e-5, relative = 1e-5;

static size_t rounded_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

/* The number of additional columns of a row, which no kernel may change. */
enum { gap = 3 };

static void gemm(const ck_kernels *k) {
    static const struct { size_t m, k, n; } sizes[] = {
        {1, 1, 1}, {1, 577, 101}, {2, 7, 31}, {3, 0, 40}, {5, 64, 32}, {6, 5, 33}, {7, 50, 96},
        {11, 33, 15}, {13, 129, 65}, {41, 3000, 17}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int epilogue = ck_epilogue_store; epilogue <= ck_epilogue_gated_relu; epilogue++)
            for (int biased = 0; biased < 2; biased++) {
                size_t m = sizes[s].m, depth = sizes[s].k, n = sizes[s].n;
                size_t step = is_gated(epilogue) ? ck_panel / 2 : ck_panel;
                size_t outputs = (n + step - 1) / step * ck_panel;
                size_t lda = depth + gap, ldc = n + gap;
                /* The last row ends at column n. A kernel must not access memory after it. */
                float *a = floats((m - 1) * lda + depth, 1), *w = floats(outputs * depth, 0.1f);
                float *c = floats((m - 1) * ldc + n, 1), *panels = zeroed(outputs * depth * 4);
                float *bias = biased ? floats(outputs, 1) : 0;
                k->formats.f32.pack_rows(w, depth, outputs, depth, panels, 0, 0);
                k->formats.f32.product(
                    (ck_operand){a, lda * sizeof *a, 1, 0, 0}, m, depth, (ck_weights){panels, 0, 0}, bias,
                    c, ldc, n, (ck_epilogue)epilogue);
                floats_are("c", c, (m - 1) * ldc + n, absolute, relative);
            }
}

static float *product_scratch(size_t columns) {
    return zeroed(ck_slab_rows * (rounded_up(columns, ck_panel) + ck_tile_columns) * 4);
}

static void gram(const ck_kernels *k) {
    static const size_t widths[] = {1, 5, 32, 70, 129};
    for (size_t s = 0; s < sizeof widths / sizeof *widths; s++) {
        size_t rows = ck_slab_rows + 19, columns = widths[s];
        float *x = floats(rows * columns, 1), *scratch = product_scratch(columns);
        double *sums = doubles(columns * columns);
        size_t middle = columns / 2 / ck_panel * ck_panel;
        k->gram_f32(x, rows, columns, 0, middle, sums, scratch);
        k->gram_f32(x, rows, columns, middle, columns, sums, scratch);
        for (size_t i = 0; i < columns; i++)
            /* Some tables round x to 16 bits. */
            doubles_are("sums", sums + i * columns + i, columns - i, 10 * absolute, relative);
    }
}

static void pack(const ck_kernels *k) {
    static const struct { size_t n, width; } sizes[] = {{1, 1}, {31, 7}, {33, 40}, {64, 65}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s].n, width = sizes[s].width, ld = width + gap;
        float *source = floats((n - 1) * ld + width, 1);
        float *rows = floats(rounded_up(n, ck_panel) * width, 1);
        float *columns = floats(rounded_up(width, ck_panel) * n, 1);
        k->formats.f32.pack_rows(source, ld, n, width, rows, 0, 0);
        k->formats.f32.pack_columns(source, ld, n, width, columns);
        floats_are("rows", rows, rounded_up(n, ck_panel) * width, 0, 0);
        floats_are("columns", columns, rounded_up(width, ck_panel) * n, 0, 0);
    }
}

static void attend(const ck_kernels *k) {
    static const struct { size_t queries, keys, width; } sizes[] = {
        {1, 1, 1}, {5, 5, 16}, {3, 40, 64}, {13, 33, 30}, {60, 61, 24}, {2, 97, 33},
        {14, 1030, 33}, {600, 601, 8}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int causal = 0; causal < 2; causal++) {
            size_t queries = sizes[s].queries, count = sizes[s].keys, width = sizes[s].width;
            size_t ld = width + gap, padded = rounded_up(count, ck_panel);
            float *q = floats((queries - 1) * ld + width, 2);
            float *keys = floats((count - 1) * ld + width, 2);
            float *values = floats((count - 1) * ld + width, 1);
            float *packed_keys = zeroed(padded * width * 4);
            float *packed_values = zeroed(rounded_up(width, ck_panel) * count * 4);
            float *scores = zeroed(12 * padded * 4);
            float *out = floats((queries - 1) * ld + width, 1);
            k->formats.f32.pack_rows(keys, ld, count, width, packed_keys, 0, 0);
            k->formats.f32.pack_columns(values, ld, count, width, packed_values);
            k->attend_f32(
                q, ld, queries, width, packed_keys, packed_values, count,
                causal ? count - queries : SIZE_MAX, 0.25f, 0, scores, out, ld);
            floats_are("out", out, (queries - 1) * ld + width, absolute, relative);
            enum { heads = 3 };
            float *group = floats(heads * width, 1), *one = zeroed(heads * width * 4);
            float *weights = zeroed(heads * (count + ck_mixed_floats) * 4);
            k->attend_one_f32(
                group, width, heads, keys, values, ld, count, 0.25f, 0, weights, one);
            floats_are("one", one, heads * width, absolute, relative);
            float *terms = floats(queries + count, 1);
            const ck_scores rule = {causal ? count / 3 + 1 : 0, 0.5f, terms + queries};
            k->attend_f32(
                q, ld, queries, width, packed_keys, packed_values, count,
                causal ? count - queries : SIZE_MAX, 0.25f, &rule, scores, out, ld);
            floats_are("changed", out, (queries - 1) * ld + width, absolute, relative);
            k->attend_one_f32(
                group, width, heads, keys, values, ld, count, 0.25f, &rule, weights, one);
            floats_are("one changed", one, heads * width, absolute, relative);
            size_t inputs = rounded_up(width, 2), columns = rounded_up(width, 16);
            int8_t *key_codes = zeroed(padded * inputs), *value_codes = zeroed(padded * columns);
            float *key_scales = zeroed(padded * 4), *value_scales = zeroed(padded * 4);
            for (size_t j = 0; j < count; j++) {
                int8_t *to = key_codes + j / ck_panel * ck_panel * inputs + j % ck_panel * 2;
                key_scales[j] = k->cache_int8(keys + j * ld, width, to, 2 * ck_panel, 1);
                to = value_codes + j / 2 * 2 * columns + j % 2;
                value_scales[j] = k->cache_int8(values + j * ld, width, to, 4, 2);
            }
            bytes_are("cached keys", key_codes, padded * inputs);
            bytes_are("cached values", value_codes, padded * columns);
            floats_are("rounded keys", keys, (count - 1) * ld + width, 0, 0);
            const ck_cached_head cached = {key_codes, value_codes, key_scales, value_scales};
            float *cached_scores = zeroed(heads * (padded + columns / 2 * 3) * 4);
            k->attend_cached(
                group, width, heads, cached, 0, count, 0.25f, 0, cached_scores, one);
            floats_are("cached", one, heads * width, 1e-3, 1e-3);
            k->attend_cached(
                group, width, heads, cached, count / 2, count, 0.25f, &rule, cached_scores, one);
            floats_are("cached changed", one, heads * width, 1e-3, 1e-3);
            k->score_f32(weights, count, 0.25f, &rule, scores);
            floats_are("scores", weights, count, absolute, relative);
            floats_are("derivatives", scores, count, absolute, relative);
        }
}

static const size_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 100, 1027};
enum { length_count = sizeof lengths / sizeof *lengths };

static void norms(const ck_kernels *k) {
    for (size_t s = 0; s < length_count; s++) {
        size_t n = lengths[s];
        float *x = floats(n, 3), *w = floats(n, 1), *b = floats(n, 1), *y = zeroed(n * 4);
        k->rms_norm_f32(y, x, w, n, 1e-5f);
        floats_are("rms", y, n, 1e-6, 1e-5);
        k->layer_norm_f32(y, x, w, b, n, 1e-5f);
        floats_are("layer", y, n, n == 1 ? 1e-3 : 1e-5, 1e-5);
        k->rms_norm_f32(x, x, w, n, 1e-5f);
        floats_are("in place", x, n, 1e-6, 1e-5);
    }
}

static void softmax(const ck_kernels *k) {
    for (size_t s = 0; s < length_count; s++) {
        size_t n = lengths[s];
        float *x = floats(n, 300);
        k->softmax_f32(x, n, 0.5f);
        floats_are("softmax", x, n, 1e-30, 1e-4);
        float *extreme = floats(n, 1);
        for (size_t i = 0; i < n; i++)
            if (below(3) == 0) extreme[i] = below(2) ? -INFINITY : -3e38f;
        extreme[0] = 1;
        k->softmax_f32(extreme, n, 1);
        floats_are("extreme", extreme, n, 1e-30, 1e-5);
        size_t padded = (n + 31) / 32 * 32;
        float *scores = floats(padded, 9), *given = floats(padded, 1);
        k->softmax_gradient_f32(scores, given, n, padded, 0.5f);
        floats_are("weights", scores, padded, 1e-30, 1e-4);
        floats_are("gradient", given, padded, 1e-5, 1e-4);
    }
}

static void logits(const ck_kernels *k) {
    for (size_t s = 0; s < length_count; s++) {
        size_t n = lengths[s];
        float *x = floats(n, 20), *y = floats(n, 20);
        double a = k->log_sum_exp_f32(x, n), b = k->log_sum_exp_f32(y, n);
        double divergence = k->divergence_f32(x, y, n, a, b);
        doubles_are("log_sum_exp", &a, 1, 1e-6, 1e-6);
        doubles_are("divergence", &divergence, 1, 1e-4, 1e-5);
    }
}

static void rotate_and_add(const ck_kernels *k) {
    for (size_t s = 0; s < length_count; s++) {
        size_t n = lengths[s];
        float *x = floats(2 * n, 1), *cosines = floats(n, 1), *sines = floats(n, 1);
        k->rotate_f32(x, 2 * n, cosines, sines);
        floats_are("rotated", x, 2 * n, 1e-6, 1e-6);
        k->add_f32(x, cosines, n);
        floats_are("sum", x, 2 * n, 1e-6, 1e-6);
    }
}

static void gradients(const ck_kernels *k) {
    static const ck_epilogue functions[] = {
        ck_epilogue_gelu, ck_epilogue_tanh_gelu, ck_epilogue_relu, ck_epilogue_swiglu,
        ck_epilogue_silu, ck_epilogue_gated_gelu, ck_epilogue_gated_tanh_gelu, ck_epilogue_gated_relu};
    for (size_t s = 0; s < length_count; s++)
        for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
            size_t n = lengths[s], outputs = is_gated(functions[f]) ? 2 * n : n;
            float *x = floats(2 * n, 6), *given = floats(n, 1), *y = zeroed(n * 4);
            float *slopes = zeroed(2 * n * 4);
            k->activate_f32(x, n, functions[f], y);
            k->differentiate_f32(x, given, n, functions[f], slopes);
            floats_are("activation", y, n, 1e-5, 1e-5);
            floats_are("derivative", slopes, outputs, 1e-4, 1e-4);
        }
    size_t rows = ck_slab_rows + 19, n = 29, width = 70;
    float *a = floats(rows * n, 1), *b = floats(rows * width, 1), *c = zeroed(n * width * 4);
    k->formats.f32.transposed_product(a, n, rows, n, b, width, 0, 64, c, product_scratch(width));
    k->formats.f32.transposed_product(a, n, rows, n, b, width, 64, width, c, product_scratch(width));
    floats_are("transposed product", c, n * width, 1e-4, 1e-4);
}

static void limits(const ck_kernels *k) {
    for (size_t s = 0; s < length_count; s++) {
        float sum = k->read_f32(floats(lengths[s], 1), lengths[s]);
        floats_are("read", &sum, 1, 1e-4, 0);
    }
    /* The number of sums depends on the table, so only a finite result is required. */
    float finite = isfinite(k->formats.f32.peak(100, 0.5f));
    floats_are("peak is finite", &finite, 1, 0, 0);
}

const kernel_case kernel_cases[] = {
    {"formats.f32", gemm},
    {"gram_f32", gram},
    {"packing of formats.f32", pack},
    {"attend_f32, attend_one_f32, attend_cached, cache_int8, score_f32", attend},
    {"rms_norm_f32, layer_norm_f32", norms},
    {"softmax_f32, softmax_gradient_f32", softmax},
    {"log_sum_exp_f32, divergence_f32", logits},
    {"rotate_f32, add_f32", rotate_and_add},
    {"activate_f32, differentiate_f32, transposed products", gradients},
    {"formats.f32.peak, read_f32", limits},
    {0, 0},
};
