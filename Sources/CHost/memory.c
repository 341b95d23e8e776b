#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CHost.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#if defined(__APPLE__)
#include <sys/sysctl.h>

static uint64_t sysctl_number(const char *name) {
    uint64_t value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

uint64_t host_cache_bytes(int level) {
    static const char *const fast[] = {"hw.perflevel0.l1dcachesize", "hw.perflevel0.l2cachesize",
                                       "hw.perflevel0.l3cachesize"};
    static const char *const any[] = {"hw.l1dcachesize", "hw.l2cachesize", "hw.l3cachesize"};
    if (level < 1 || level > 3) return 0;
    uint64_t bytes = sysctl_number(fast[level - 1]);
    return bytes > 0 ? bytes : sysctl_number(any[level - 1]);
}

uint64_t host_memory_bytes(void) { return sysctl_number("hw.memsize"); }

#else

/* Reads the first line of a small file; returns 0 if it cannot be read. */
static int read_line(const char *path, char *line, size_t capacity) {
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    int found = fgets(line, (int)capacity, file) != NULL;
    fclose(file);
    return found;
}

uint64_t host_cache_bytes(int level) {
    char path[96], text[64];
    int32_t cpu = 0;
    host_usable_cpus(&cpu, 1);
    for (int index = 0; index < 8; index++) {
        char directory[64];
        snprintf(directory, sizeof directory, "/sys/devices/system/cpu/cpu%d/cache/index", cpu);
        snprintf(path, sizeof path, "%s%d/level", directory, index);
        if (!read_line(path, text, sizeof text)) break;
        if (atoi(text) != level) continue;
        snprintf(path, sizeof path, "%s%d/type", directory, index);
        if (!read_line(path, text, sizeof text) || text[0] == 'I') continue;
        snprintf(path, sizeof path, "%s%d/size", directory, index);
        if (!read_line(path, text, sizeof text)) continue;
        char *unit = text;
        uint64_t size = strtoull(text, &unit, 10);
        return *unit == 'K' ? size << 10 : *unit == 'M' ? size << 20 : size;
    }
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    static const int names[] = {
        _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    if (level >= 1 && level <= 3) {
        long size = sysconf(names[level - 1]);
        if (size > 0) return (uint64_t)size;
    }
#endif
    return 0;
}

uint64_t host_memory_bytes(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

#endif

uint64_t host_resident_bytes(void) {
#if defined(__linux__)
    char text[64], *second = text;
    if (!read_line("/proc/self/statm", text, sizeof text)) return 0;
    strtoull(text, &second, 10);
    return strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
#else
    return 0;
#endif
}

uint64_t host_memory_limit(void) {
    struct rlimit limit;
    uint64_t least = 0;
#if defined(RLIMIT_AS)
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        least = limit.rlim_cur;
#endif
    if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        if (least == 0 || limit.rlim_cur < least) least = limit.rlim_cur;
    return least;
}

uint64_t host_peak_resident_bytes(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0 || usage.ru_maxrss < 0) return 0;
#if defined(__APPLE__)
    return (uint64_t)usage.ru_maxrss;
#else
    return (uint64_t)usage.ru_maxrss << 10;
#endif
}

/* Calls `madvise` for the complete pages in a range. */
static int advise(const void *start, size_t bytes, int advice) {
    long size = sysconf(_SC_PAGESIZE);
    uintptr_t page = size > 0 ? (uintptr_t)size : 4096;
    uintptr_t first = (uintptr_t)start;
    uintptr_t skipped = (page - first % page) % page;
    if (bytes < skipped || bytes - skipped < page) return 0;
    size_t whole = (bytes - skipped) / page * page;
    return madvise((void *)(first + skipped), whole, advice) == 0 ? 0 : errno;
}

int host_advise_huge_pages(void *start, size_t bytes) {
#if defined(MADV_HUGEPAGE)
    return advise(start, bytes, MADV_HUGEPAGE);
#else
    (void)start, (void)bytes;
    return ENOTSUP;
#endif
}

void host_keep_freed_memory(void) {
#if defined(__GLIBC__)
    /* 32 MiB is the maximum of this setting. */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}

void host_release_freed_memory(void) {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}
