/* Gradients, and activation functions that are not part of a product's epilogue. */

/* Returns the activation function of x, and stores its derivative in `slope`. */
CK_INLINE ck_vector CK_NAME(activation)(ck_vector x, ck_epilogue kind, ck_vector *slope) {
    if (kind == ck_epilogue_gelu) {
        /* Φ(x) + x φ(x), with the normal distribution Φ and its density φ. */
        ck_vector y = ck_gelu(x), small = ck_splat(1e-3f);
        ck_vector size = ck_max(x, -x), safe = ck_select(size > small, x, ck_splat(1));
        ck_vector below = ck_select(size > small, y / safe, 0.5f + 0.3989422804f * x);
        *slope = below + 0.3989422804f * x * ck_exp(-0.5f * x * x);
        return y;
    }
    if (kind == ck_epilogue_tanh_gelu) {
        ck_vector square = x * x;
        ck_vector s = 1.0f / (1.0f + ck_exp(-x * (1.5957691216f + 0.0713548162726f * square)));
        *slope = s + x * s * (1.0f - s) * (1.5957691216f + 0.2140644488178f * square);
        return x * s;
    }
    if (kind == ck_epilogue_relu) {
        *slope = ck_select(x > 0.0f, ck_splat(1), ck_splat(0));
        return ck_max(x, ck_splat(0));
    }
    /* SiLU */
    ck_vector s = 1.0f / (1.0f + ck_exp(-x)), y = x * s;
    *slope = s + y * (1.0f - s);
    return y;
}

static void CK_NAME(activate_f32)(const float *x, size_t n, ck_epilogue kind, float *y) {
    for (size_t i = 0; i < n; i += CK_LANES) {
        size_t left = n - i;
        ck_vector slope, z = ck_load_up_to(x + i, left, 0);
        ck_vector value = CK_NAME(activation)(z, ck_of_gate(kind), &slope);
        if (ck_is_gated(kind)) value *= ck_load_up_to(x + n + i, left, 0);
        if (left >= CK_LANES) ck_store(y + i, value); else ck_store_part(y + i, value, left);
    }
}

static void CK_NAME(differentiate_f32)(
    const float *x, const float *gradient, size_t n, ck_epilogue kind, float *result
) {
    for (size_t i = 0; i < n; i += CK_LANES) {
        size_t left = n - i;
        ck_vector slope, z = ck_load_up_to(x + i, left, 0);
        ck_vector value = CK_NAME(activation)(z, ck_of_gate(kind), &slope);
        ck_vector given = ck_load_up_to(gradient + i, left, 0);
        ck_vector first = given * slope;
        if (ck_is_gated(kind)) {
            ck_vector second = given * value;
            first *= ck_load_up_to(x + n + i, left, 0);
            if (left >= CK_LANES) ck_store(result + n + i, second);
            else ck_store_part(result + n + i, second, left);
        }
        if (left >= CK_LANES) ck_store(result + i, first);
        else ck_store_part(result + i, first, left);
    }
}

static void CK_NAME(softmax_gradient_f32)(
    float *x, float *gradient, size_t n, size_t padded, float scale
) {
    CK_NAME(softmax_f32)(x, n, scale);
    ck_vector sums = ck_splat(0);
    for (size_t i = 0; i < n; i += CK_LANES)
        sums += ck_load_up_to(x + i, n - i, 0) * ck_load_up_to(gradient + i, n - i, 0);
    float mean = ck_sum(sums);
    for (size_t i = 0; i < padded; i += CK_LANES) {
        ck_vector weight = i < n ? ck_load_up_to(x + i, n - i, 0) : ck_splat(0);
        ck_vector given = i < n ? ck_load_up_to(gradient + i, n - i, mean) : ck_splat(mean);
        ck_store(x + i, weight);
        ck_store(gradient + i, scale * weight * (given - mean));
    }
}

/* CKernels.h describes the function. Let g = gradient * w, let z be the normalised x, and let r be
 * the factor of the norm. The gradient with respect to x is r (g - mean(g) - z mean(g z)). If the
 * norm does not subtract the mean, the term mean(g) is omitted. */
static void CK_NAME(norm_gradient_f32)(
    const float *x, const float *gradient, const float *w, size_t n, float epsilon, int centred,
    float *result, float *weight_sums, float *bias_sums
) {
    float mean = 0;
    size_t i;
    if (centred) {
        ck_vector sums = ck_splat(0);
        for (i = 0; i < n; i += CK_LANES) sums += ck_load_up_to(x + i, n - i, 0);
        mean = ck_sum(sums) / (float)n;
    }
    ck_vector squares = ck_splat(0);
    for (i = 0; i < n; i += CK_LANES) {
        ck_vector c = ck_load_up_to(x + i, n - i, mean) - mean;
        squares += c * c;
    }
    float r = 1.0f / __builtin_sqrtf(ck_sum(squares) / (float)n + epsilon);
    ck_vector firsts = ck_splat(0), seconds = ck_splat(0);
    for (i = 0; i < n; i += CK_LANES) {
        size_t left = n - i;
        ck_vector z = (ck_load_up_to(x + i, left, mean) - mean) * r;
        ck_vector y = ck_load_up_to(gradient + i, left, 0);
        ck_vector g = y * ck_load_up_to(w + i, left, 0);
        firsts += g;
        seconds += g * z;
        ck_vector sums = ck_load_up_to(weight_sums + i, left, 0) + y * z;
        ck_vector biases = ck_load_up_to(bias_sums + i, left, 0) + y;
        if (left >= CK_LANES) {
            ck_store(weight_sums + i, sums);
            ck_store(bias_sums + i, biases);
        } else {
            ck_store_part(weight_sums + i, sums, left);
            ck_store_part(bias_sums + i, biases, left);
        }
    }
    float first = centred ? ck_sum(firsts) / (float)n : 0, second = ck_sum(seconds) / (float)n;
    for (i = 0; i < n; i += CK_LANES) {
        size_t left = n - i;
        ck_vector z = (ck_load_up_to(x + i, left, mean) - mean) * r;
        ck_vector g = ck_load_up_to(gradient + i, left, 0) * ck_load_up_to(w + i, left, 0);
        ck_vector sum = ck_load_up_to(result + i, left, 0) + r * (g - first - z * second);
        if (left >= CK_LANES) ck_store(result + i, sum); else ck_store_part(result + i, sum, left);
    }
}
