/* Norms, rotary position embeddings and sums of rows of the residual stream. */

static void CK_NAME(rms_norm_f32)(
    float *y, const float *x, const float *w, size_t n, float epsilon
) {
    ck_vector squares = ck_splat(0);
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) squares += ck_load(x + i) * ck_load(x + i);
    float sum = ck_sum(squares);
    for (; i < n; i++) sum += x[i] * x[i];
    float scale = 1.0f / __builtin_sqrtf(sum / (float)n + epsilon);
    for (i = 0; i + CK_LANES <= n; i += CK_LANES)
        ck_store(y + i, ck_load(x + i) * scale * ck_load(w + i));
    for (; i < n; i++) y[i] = x[i] * scale * w[i];
}

static void CK_NAME(layer_norm_f32)(
    float *y, const float *x, const float *w, const float *b, size_t n, float epsilon
) {
    ck_vector sums = ck_splat(0);
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) sums += ck_load(x + i);
    float sum = ck_sum(sums);
    for (; i < n; i++) sum += x[i];
    float mean = sum / (float)n;
    ck_vector squares = ck_splat(0);
    for (i = 0; i + CK_LANES <= n; i += CK_LANES) {
        ck_vector centred = ck_load(x + i) - mean;
        squares += centred * centred;
    }
    float square = ck_sum(squares);
    for (; i < n; i++) square += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / __builtin_sqrtf(square / (float)n + epsilon);
    for (i = 0; i + CK_LANES <= n; i += CK_LANES)
        ck_store(y + i, (ck_load(x + i) - mean) * scale * ck_load(w + i) + ck_load(b + i));
    for (; i < n; i++) y[i] = (x[i] - mean) * scale * w[i] + b[i];
}

static void CK_NAME(rotate_f32)(float *x, size_t width, const float *cosines, const float *sines) {
    size_t half = width / 2, i = 0;
    for (; i + CK_LANES <= half; i += CK_LANES) {
        ck_vector first = ck_load(x + i), second = ck_load(x + half + i);
        ck_vector cosine = ck_load(cosines + i), sine = ck_load(sines + i);
        ck_store(x + i, first * cosine - second * sine);
        ck_store(x + half + i, second * cosine + first * sine);
    }
    for (; i < half; i++) {
        float first = x[i], second = x[half + i];
        x[i] = first * cosines[i] - second * sines[i];
        x[half + i] = second * cosines[i] + first * sines[i];
    }
}

static void CK_NAME(add_f32)(float *y, const float *x, size_t n) {
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) ck_store(y + i, ck_load(y + i) + ck_load(x + i));
    for (; i < n; i++) y[i] += x[i];
}
