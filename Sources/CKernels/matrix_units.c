#define _GNU_SOURCE
#include "matrix_units.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#define CK_INLINE static inline __attribute__((always_inline))
#pragma clang attribute push(__attribute__((target("amx-tile,amx-int8,amx-bf16"))), apply_to = function)
#include "tiles.h"

/* arch_prctl: permission for the state of tile registers, which is state number 18. */
enum { request_permission = 0x1023, tile_state = 18 };

static int is_supported(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    unsigned needed = 1u << 22 | 1u << 24 | 1u << 25; /* bf16, tiles, int8 */
    return (d & needed) == needed
        && syscall(SYS_arch_prctl, request_permission, tile_state) == 0;
}

static sigjmp_buf resumption;
static void resume(int number) {
    (void)number;
    siglongjmp(resumption, 1);
}

/* Returns whether a product of ones is correct. Some virtual machines report the instructions but
 * do not run them. */
static int multiplies(void) {
    struct sigaction before, guard = {.sa_handler = resume};
    volatile int result = 0;
    sigaction(SIGILL, &guard, &before);
    if (sigsetjmp(resumption, 1) == 0) {
        ck_tile_sizes sizes = {.palette = 1};
        for (int t = 0; t < ck_tile_count; t++)
            sizes.bytes[t] = ck_tile_bytes, sizes.rows[t] = ck_tile_rows;
        uint8_t ones[ck_tile_rows * ck_tile_bytes];
        int32_t sums[ck_tile_rows * ck_tile_units] = {0};
        __builtin_memset(ones, 1, sizeof ones);
        ck_tile_configure(&sizes);
        ck_tile_zero(0);
        ck_tile_load(4, ones, ck_tile_bytes);
        ck_tile_load(6, ones, ck_tile_bytes);
        ck_tile_multiply_int8(0, 4, 6);
        ck_tile_store(0, sums, ck_tile_bytes);
        ck_tile_release();
        result = sums[0] == ck_tile_bytes && sums[255] == ck_tile_bytes;
    }
    sigaction(SIGILL, &before, 0);
    return result;
}
#pragma clang attribute pop

static int found;
static void find(void) { found = is_supported() && multiplies(); }

int ck_has_matrix_units(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find);
    return found;
}
#else
int ck_has_matrix_units(void) { return 0; }
#endif
