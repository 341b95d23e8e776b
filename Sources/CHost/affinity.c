#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CHost.h"

#include <unistd.h>

#if defined(__linux__)
#include <sched.h>

/* The maximum number of CPUs of a Linux kernel. */
enum { MAX_CPUS = 8192 };

typedef union {
    cpu_set_t first;
    unsigned char bytes[MAX_CPUS / 8];
} cpu_mask;

size_t host_usable_cpus(int32_t *ids, size_t capacity) {
    cpu_mask mask = {.bytes = {0}};
    size_t count = 0;
    if (sched_getaffinity(0, sizeof mask, &mask.first) == 0)
        for (int32_t cpu = 0; cpu < MAX_CPUS; cpu++)
            if (CPU_ISSET_S(cpu, sizeof mask, &mask.first)) {
                if (ids && count < capacity) ids[count] = cpu;
                count++;
            }
    if (count > 0) return count;
    if (ids && capacity > 0) ids[0] = 0;
    return 1;
}

#else

size_t host_usable_cpus(int32_t *ids, size_t capacity) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = online > 0 ? (size_t)online : 1;
    for (size_t i = 0; ids && i < count && i < capacity; i++) ids[i] = (int32_t)i;
    return count;
}

#endif
