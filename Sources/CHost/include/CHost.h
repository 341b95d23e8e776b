/* Facts about the operating system and the processor that Swift cannot read.
 *
 * Nothing here allocates memory. A value that the system does not give is returned as 0. An action
 * that the system does not support returns an errno value. Every function may be called from any
 * thread. */
#ifndef CHOST_H
#define CHOST_H
#include <stddef.h>
#include <stdint.h>
#pragma clang assume_nonnull begin

/* ---- Processor (processor.c) ---- */

/* Writes the processor's name, NUL-terminated and cut to the capacity. Returns its length. The name
 * is empty on Linux if the processor is not x86, because the kernel gives no name. */
size_t host_processor_brand(char *text, size_t capacity);

/* Writes the vector and matrix features that both processor and system support, in lower case and
 * separated by spaces. NUL, capacity and result are as in `host_processor_brand`. */
size_t host_processor_features(char *text, size_t capacity);

/* Numbers that identify the processor design: family and model on x86, implementer and part on
 * Linux for other processors, and 0 and 0 on other systems. */
void host_processor_signature(uint32_t *family, uint32_t *model);

/* ---- CPUs (affinity.c) ---- */

/* Writes the ids of the CPUs that the calling thread may use, ascending, at most `capacity` of
 * them. Returns the number of usable CPUs, at least 1. */
size_t host_usable_cpus(int32_t *_Nullable ids, size_t capacity);

/* ---- Memory (memory.c) ---- */

/* The bytes of a cache of the first usable CPU: level 1 (data), 2 or 3; 0 if absent or unknown. */
uint64_t host_cache_bytes(int level);

/* Bytes of memory of the machine. */
uint64_t host_memory_bytes(void);

/* The limit of the shell on the memory of this process, in bytes; 0 if there is no limit. */
uint64_t host_memory_limit(void);

/* The bytes of this process that are in memory; 0 if unknown. */
uint64_t host_resident_bytes(void);

/* The maximum of `host_resident_bytes` since the process began. */
uint64_t host_peak_resident_bytes(void);

/* Keeps freed memory for later allocations, if the C library supports it. Code that allocates and
 * frees the same large buffers repeatedly then does not wait for the system to clear their
 * pages. */
void host_keep_freed_memory(void);

/* Returns freed memory to the system, if the C library supports it. */
void host_release_freed_memory(void);

/* Requests huge pages for the complete pages in a range. Returns 0 or an errno value. */
int host_advise_huge_pages(void *start, size_t bytes);

/* ---- Clocks (clock.c) ---- */

/* Nanoseconds of a clock that never goes back. */
uint64_t host_monotonic_nanoseconds(void);

/* Nanoseconds of processor time of all threads of this process. */
uint64_t host_process_cpu_nanoseconds(void);

/* ---- Waiting ---- */

/* Lets another thread that waits for this CPU run first. */
void host_yield(void);

/* Tells the processor that this is a spin loop. */
static inline void host_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* ---- Digest (sha256.c) ---- */

/* Updates a SHA-256 state of 8 words with `count` blocks of 64 bytes (FIPS 180-4, section 6.2). */
void host_sha256_blocks(uint32_t *state, const void *blocks, size_t count);

#pragma clang assume_nonnull end
#endif
