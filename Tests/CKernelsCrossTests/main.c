/* Compares the results of kernels on different processors.
 *
 *     kernel-cases record FILE   writes the results of the scalar kernels
 *     kernel-cases check FILE    compares the results of every kernel of every table with FILE;
 *                                exit status 1 if a result differs
 *
 * Input is seeded, so two processors compute the same cases. Both must be little-endian.
 * KernelTests checks that the scalar kernels compute the right results. This program checks that no
 * processor, compiler or vector length changes the results. */
#include "harness.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static FILE *file;
static int recording;
static const char *table_name, *case_name;
static char tables_run[256];
static size_t wrong, compared;

static uint64_t state;

/* SplitMix64. */
static uint64_t next(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fail(const char *problem) {
    fprintf(stderr, "kernel-cases: %s: %s: %s\n", table_name, case_name, problem);
    exit(1);
}

/* Called if a kernel accesses memory after the end of a block, where the mapping ends. */
static void crashed(int signal) {
    (void)signal;
    fail("touches memory past its arguments");
}

enum { most_blocks = 4096 };
static struct { void *start; size_t length; } blocks[most_blocks];
static size_t block_count;

void *zeroed(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (size + page - 1) / page * page;
    char *start = mmap(
        0, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || block_count == most_blocks || mprotect(start + used, page, PROT_NONE))
        fail("no memory");
    blocks[block_count].start = start;
    blocks[block_count++].length = used + page;
    return start + used - size;
}

static void free_all(void) {
    while (block_count) {
        block_count--;
        munmap(blocks[block_count].start, blocks[block_count].length);
    }
}

float *floats(size_t count, float range) {
    float *values = zeroed(count * 4);
    for (size_t i = 0; i < count; i++)
        values[i] = ((float)(next() >> 40) * 0x1p-23f - 1) * range;
    return values;
}

double *doubles(size_t count) {
    double *values = zeroed(count * 8);
    for (size_t i = 0; i < count; i++) values[i] = (double)(next() >> 11) * 0x1p-52 - 1;
    return values;
}

uint8_t *bytes(size_t count) {
    uint8_t *values = zeroed(count);
    for (size_t i = 0; i < count; i++) values[i] = (uint8_t)(next() >> 56);
    return values;
}

size_t below(size_t limit) { return (size_t)(next() % limit); }

/* Records `size` bytes, or reads the recorded bytes. Returns the bytes, which are freed at the end of
 * the case. */
static const void *reference(const void *values, size_t size) {
    uint64_t length = size;
    if (recording) {
        if (fwrite(&length, 8, 1, file) != 1 || fwrite(values, 1, size, file) != size)
            fail("cannot write the results");
        return values;
    }
    void *recorded = zeroed(size);
    if (fread(&length, 8, 1, file) != 1 || length != size || fread(recorded, 1, size, file) != size)
        fail("the recorded results are of other cases");
    return recorded;
}

/* Counts one result of a kernel, and reports the first differences. */
static void judge(const char *name, size_t index, double got, double want, double tolerance) {
    compared++;
    if (isnan(got) && isnan(want)) return;
    if (got == want && (tolerance > 0 || !signbit(got) == !signbit(want))) return;
    if (fabs(got - want) <= tolerance && tolerance > 0) return;
    if (wrong++ < 20)
        fprintf(stderr, "%s: %s: %s[%zu] is %.9g, not %.9g within %.2g\n", table_name, case_name,
                name, index, got, want, tolerance);
}

void floats_are(
    const char *name, const float *values, size_t count, double absolute, double relative
) {
    const float *want = reference(values, count * 4);
    for (size_t i = 0; i < count; i++)
        judge(name, i, values[i], want[i], absolute + relative * fabs((double)want[i]));
}

void doubles_are(
    const char *name, const double *values, size_t count, double absolute, double relative
) {
    const double *want = reference(values, count * 8);
    for (size_t i = 0; i < count; i++)
        judge(name, i, values[i], want[i], absolute + relative * fabs(want[i]));
}

void bytes_are(const char *name, const void *values, size_t count) {
    const uint8_t *want = reference(values, count);
    for (size_t i = 0; i < count; i++) judge(name, i, ((const uint8_t *)values)[i], want[i], 0);
}

/* Starts the cases of one table, with the results at `offset` of the file. */
static void use(const char *name, long offset) {
    table_name = name;
    size_t used = strlen(tables_run);
    snprintf(tables_run + used, sizeof tables_run - used, "%s%s", used ? ", " : "", name);
    if (fseek(file, offset, SEEK_SET)) fail("cannot seek in the results");
}

/* Starts a case with the same random numbers for every table and processor. */
static void start(const char *name) {
    case_name = name;
    state = 0;
    for (const char *c = name; *c; c++) state = state * 31 + (uint8_t)*c;
}

#define RUN_CASES(cases, ...) \
    do { \
        for (size_t i = 0; cases[i].name; i++) { \
            start(cases[i].name); \
            cases[i].run(__VA_ARGS__); \
            free_all(); \
        } \
    } while (0)

int main(int count, char **words) {
    if (count != 3 || (strcmp(words[1], "record") && strcmp(words[1], "check"))) {
        fprintf(stderr, "usage: kernel-cases record|check FILE\n");
        return 2;
    }
    recording = !strcmp(words[1], "record");
    file = fopen(words[2], recording ? "wb" : "rb");
    if (!file) {
        perror(words[2]);
        return 1;
    }

    signal(SIGSEGV, crashed);
    /* All tables are compared with the results of the scalar table, which is the last. */
    long kernels_begin = ftell(file);
    const ck_kernels *kernels = 0;
    for (size_t index = 0; (kernels = ck_table(index)); index++) {
        if (recording && ck_table(index + 1)) continue;
        use(kernels->name, kernels_begin);
        RUN_CASES(kernel_cases, kernels);
        RUN_CASES(precision_cases, kernels);
    }
    if (!recording) {
        kernels = ck_emulated_table();
        use(kernels->name, kernels_begin);
        RUN_CASES(kernel_cases, kernels);
        RUN_CASES(precision_cases, kernels);
    }
    long f64_begin = ftell(file);
    const ck_f64_kernels *f64 = 0;
    for (size_t index = 0; (f64 = ck_f64_table(index)); index++) {
        if (recording && ck_f64_table(index + 1)) continue;
        use(f64->name, f64_begin);
        RUN_CASES(f64_cases, f64);
    }
    use("conversions", ftell(file));
    RUN_CASES(conversion_cases);

    if (fclose(file)) {
        perror(words[2]);
        return 1;
    }
    if (wrong) fprintf(stderr, "kernel-cases: %zu of %zu numbers differ\n", wrong, compared);
    else if (!recording) printf("%s: %zu numbers agree\n", tables_run, compared);
    return wrong != 0;
}
