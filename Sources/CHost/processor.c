#include "CHost.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__linux__) && defined(__aarch64__)
#include <sys/auxv.h>
#endif

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* Appends one word to a text that holds `length` characters; returns the new length. */
static size_t append_word(char *text, size_t capacity, size_t length, const char *word) {
    size_t needed = strlen(word) + (length > 0);
    if (length + needed + 1 > capacity) return length;
    if (length > 0) text[length++] = ' ';
    memcpy(text + length, word, strlen(word) + 1);
    return length + strlen(word);
}

#if defined(__x86_64__)

enum { EAX, EBX, ECX, EDX };

/* The bits of XCR0 that a feature requires: the system must save these registers. */
enum { AVX_STATE = 0x6, AVX512_STATE = 0xe6, AMX_STATE = 0x60000 };

static const struct feature {
    const char *name;
    unsigned leaf, subleaf, word, bit;
    uint64_t state;
} features[] = {
    {"avx", 1, 0, ECX, 28, AVX_STATE},
    {"f16c", 1, 0, ECX, 29, AVX_STATE},
    {"fma", 1, 0, ECX, 12, AVX_STATE},
    {"avx2", 7, 0, EBX, 5, AVX_STATE},
    {"avx-vnni", 7, 1, EAX, 4, AVX_STATE},
    {"avx512f", 7, 0, EBX, 16, AVX512_STATE},
    {"avx512bw", 7, 0, EBX, 30, AVX512_STATE},
    {"avx512dq", 7, 0, EBX, 17, AVX512_STATE},
    {"avx512vl", 7, 0, EBX, 31, AVX512_STATE},
    {"avx512-vnni", 7, 0, ECX, 11, AVX512_STATE},
    {"avx512-bf16", 7, 1, EAX, 5, AVX512_STATE},
    {"avx512-fp16", 7, 0, EDX, 23, AVX512_STATE},
    {"amx-tile", 7, 0, EDX, 24, AMX_STATE},
    {"amx-int8", 7, 0, EDX, 25, AMX_STATE},
    {"amx-bf16", 7, 0, EDX, 22, AMX_STATE},
};

static uint64_t saved_state(void) {
    unsigned r[4] = {0};
    if (!__get_cpuid(1, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) || !(r[ECX] >> 27 & 1)) return 0;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

size_t host_processor_features(char *text, size_t capacity) {
    if (capacity == 0) return 0;
    text[0] = 0;
    size_t length = 0;
    uint64_t state = saved_state();
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        const struct feature *f = &features[i];
        unsigned r[4] = {0};
        if (!__get_cpuid_count(f->leaf, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX])) continue;
        if (f->subleaf > 0) {
            if (r[EAX] < f->subleaf) continue;
            __get_cpuid_count(f->leaf, f->subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX]);
        }
        if ((r[f->word] >> f->bit & 1) && (state & f->state) == f->state)
            length = append_word(text, capacity, length, f->name);
    }
    return length;
}

size_t host_processor_brand(char *text, size_t capacity) {
    unsigned words[13] = {0};
    for (unsigned i = 0; i < 3; i++) {
        unsigned *r = words + 4 * i;
        if (!__get_cpuid(0x80000002 + i, &r[EAX], &r[EBX], &r[ECX], &r[EDX])) break;
    }
    if (capacity == 0) return 0;
    int length = snprintf(text, capacity, "%s", (const char *)words);
    return length < 0 ? 0 : (size_t)length < capacity ? (size_t)length : capacity - 1;
}

void host_processor_signature(uint32_t *family, uint32_t *model) {
    unsigned r[4] = {0};
    __get_cpuid(1, &r[EAX], &r[EBX], &r[ECX], &r[EDX]);
    unsigned base = r[EAX] >> 8 & 0xf;
    *family = base == 0xf ? base + (r[EAX] >> 20 & 0xff) : base;
    *model = (r[EAX] >> 4 & 0xf) | (base == 0xf || base == 6 ? (r[EAX] >> 16 & 0xf) << 4 : 0);
}

#elif defined(__APPLE__)

size_t host_processor_brand(char *text, size_t capacity) {
    if (capacity == 0) return 0;
    size_t size = capacity;
    if (sysctlbyname("machdep.cpu.brand_string", text, &size, NULL, 0) != 0) text[0] = 0;
    text[capacity - 1] = 0;
    return strlen(text);
}

size_t host_processor_features(char *text, size_t capacity) {
    static const char *const names[][2] = {
        {"neon", "hw.optional.AdvSIMD"},          {"fp16", "hw.optional.arm.FEAT_FP16"},
        {"dotprod", "hw.optional.arm.FEAT_DotProd"}, {"bf16", "hw.optional.arm.FEAT_BF16"},
        {"i8mm", "hw.optional.arm.FEAT_I8MM"},    {"sme", "hw.optional.arm.FEAT_SME"},
    };
    if (capacity == 0) return 0;
    text[0] = 0;
    size_t length = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int present = 0;
        size_t size = sizeof present;
        if (sysctlbyname(names[i][1], &present, &size, NULL, 0) == 0 && present)
            length = append_word(text, capacity, length, names[i][0]);
    }
    return length;
}

void host_processor_signature(uint32_t *family, uint32_t *model) { *family = *model = 0; }

#else

/* Returns the number after `key` in /proc/cpuinfo, or 0. */
static uint32_t cpuinfo_number(const char *key) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file) return 0;
    char line[512];
    uint32_t value = 0;
    while (fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key)) != 0) continue;
        value = (uint32_t)strtoul(colon + 1, NULL, 0);
        break;
    }
    fclose(file);
    return value;
}

size_t host_processor_brand(char *text, size_t capacity) {
    if (capacity > 0) text[0] = 0;
    return 0;
}

size_t host_processor_features(char *text, size_t capacity) {
    if (capacity == 0) return 0;
    text[0] = 0;
    size_t length = 0;
#if defined(__linux__) && defined(__aarch64__)
    static const struct {
        const char *name;
        unsigned long type, bit;
    } names[] = {{"neon", AT_HWCAP, 1},  {"fp16", AT_HWCAP, 10}, {"dotprod", AT_HWCAP, 20},
                 {"sve", AT_HWCAP, 22},  {"sve2", AT_HWCAP2, 1}, {"i8mm", AT_HWCAP2, 13},
                 {"bf16", AT_HWCAP2, 14}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getauxval(names[i].type) >> names[i].bit & 1)
            length = append_word(text, capacity, length, names[i].name);
#else
    (void)append_word;
#endif
    return length;
}

void host_processor_signature(uint32_t *family, uint32_t *model) {
    *family = cpuinfo_number("CPU implementer");
    *model = cpuinfo_number("CPU part");
}

#endif
