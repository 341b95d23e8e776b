/* Softmax, log-sum-exp and divergence of a row of logits. Sums over the vocabulary are in f64. */

static double CK_NAME(log_sum_exp_f32)(const float *x, size_t n) {
    float largest = x[0];
    size_t i = 0;
    if (n >= CK_LANES) {
        ck_vector running = ck_load(x);
        for (; i + CK_LANES <= n; i += CK_LANES) running = ck_max(running, ck_load(x + i));
        largest = ck_largest(running);
    }
    for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    double sum = 0;
    for (i = 0; i + CK_LANES <= n; i += CK_LANES) sum += ck_sum(ck_exp(ck_load(x + i) - largest));
    if (i < n) {
        ck_vector rest = ck_load_part(x + i, n - i, -__builtin_inff());
        sum += ck_sum(ck_exp(rest - largest));
    }
    return (double)largest + __builtin_log(sum);
}

static double CK_NAME(divergence_f32)(
    const float *x, const float *y, size_t n, double a, double b
) {
    double sum = 0;
    float first = (float)a, second = (float)b;
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) {
        ck_vector p = ck_load(x + i) - first;
        sum += ck_sum(ck_exp(p) * (p - (ck_load(y + i) - second)));
    }
    if (i < n) {
        ck_vector p = ck_load_part(x + i, n - i, first) - first;
        ck_vector q = ck_load_part(y + i, n - i, second) - second;
        ck_vector terms = ck_exp(p) * (p - q);
        for (size_t j = 0; j < n - i; j++) sum += terms[j];
    }
    return sum;
}
