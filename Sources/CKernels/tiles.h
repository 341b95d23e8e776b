#include <stddef.h>
#include <stdint.h>

/* Tile registers: eight matrices of up to 16 rows of 64 bytes, and the instructions that multiply
 * them (Intel AMX).
 *
 * With CK_EMULATED_TILES the instructions are plain C, so that kernels can be tested on every
 * processor. */

/* A tile of weights consists of 16 units. A unit has 32 bits of inputs for each of 16 outputs. */
enum { ck_tile_rows = 16, ck_tile_units = 16, ck_tile_bytes = 64, ck_tile_count = 8 };

/* The sizes of all tiles, in the layout that the processor reads. */
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} ck_tile_sizes;

#if CK_EMULATED_TILES
static _Thread_local struct {
    ck_tile_sizes sizes;
    uint8_t tiles[ck_tile_count][ck_tile_rows][ck_tile_bytes];
} ck_emulated;

static void ck_tile_configure(const ck_tile_sizes *sizes) {
    __builtin_memset(&ck_emulated, 0, sizeof ck_emulated);
    ck_emulated.sizes = *sizes;
}

static void ck_tile_release(void) { __builtin_memset(&ck_emulated, 0, sizeof ck_emulated); }

static void ck_tile_zero(int t) {
    __builtin_memset(ck_emulated.tiles[t], 0, sizeof ck_emulated.tiles[t]);
}

static void ck_tile_load(int t, const void *from, size_t stride) {
    ck_tile_zero(t);
    for (size_t r = 0; r < ck_emulated.sizes.rows[t]; r++)
        __builtin_memcpy(
            ck_emulated.tiles[t][r], (const char *)from + r * stride, ck_emulated.sizes.bytes[t]);
}

static void ck_tile_store(int t, void *to, size_t stride) {
    for (size_t r = 0; r < ck_emulated.sizes.rows[t]; r++)
        __builtin_memcpy(
            (char *)to + r * stride, ck_emulated.tiles[t][r], ck_emulated.sizes.bytes[t]);
}

static float ck_widened_bf16(const uint8_t *half) {
    uint16_t bits;
    __builtin_memcpy(&bits, half, 2);
    uint32_t word = (uint32_t)bits << 16;
    float value;
    __builtin_memcpy(&value, &word, 4);
    return value;
}

static void ck_tile_multiply_bf16(int c, int a, int b) {
    for (size_t r = 0; r < ck_emulated.sizes.rows[c]; r++)
        for (size_t i = 0; i < ck_emulated.sizes.bytes[a] / 4; i++)
            for (size_t j = 0; j < ck_emulated.sizes.bytes[c] / 4; j++) {
                const uint8_t *x = ck_emulated.tiles[a][r] + 4 * i;
                const uint8_t *w = ck_emulated.tiles[b][i] + 4 * j;
                float sum;
                __builtin_memcpy(&sum, ck_emulated.tiles[c][r] + 4 * j, 4);
                sum += ck_widened_bf16(x) * ck_widened_bf16(w);
                sum += ck_widened_bf16(x + 2) * ck_widened_bf16(w + 2);
                __builtin_memcpy(ck_emulated.tiles[c][r] + 4 * j, &sum, 4);
            }
}

static void ck_tile_multiply_int8(int c, int a, int b) {
    for (size_t r = 0; r < ck_emulated.sizes.rows[c]; r++)
        for (size_t i = 0; i < ck_emulated.sizes.bytes[a] / 4; i++)
            for (size_t j = 0; j < ck_emulated.sizes.bytes[c] / 4; j++) {
                int32_t sum;
                __builtin_memcpy(&sum, ck_emulated.tiles[c][r] + 4 * j, 4);
                for (size_t k = 0; k < 4; k++)
                    sum += ck_emulated.tiles[a][r][4 * i + k]
                        * (int8_t)ck_emulated.tiles[b][i][4 * j + k];
                __builtin_memcpy(ck_emulated.tiles[c][r] + 4 * j, &sum, 4);
            }
}
#else
/* The asm statement makes the compiler store the sizes before the processor reads them. */
CK_INLINE void ck_tile_configure(const ck_tile_sizes *sizes) {
    __asm__ volatile("ldtilecfg %0" : : "m"(*sizes));
}
#define ck_tile_release() _tile_release()
#define ck_tile_zero(t) _tile_zero(t)
#define ck_tile_load(t, from, stride) _tile_loadd(t, from, stride)
#define ck_tile_store(t, to, stride) _tile_stored(t, to, stride)
#define ck_tile_multiply_bf16(c, a, b) _tile_dpbf16ps(c, a, b)
#define ck_tile_multiply_int8(c, a, b) _tile_dpbusd(c, a, b)
#endif
