/* What Swift cannot see of the operating system and the processor.
 *
 * Nothing here allocates or fails loudly: a figure the system does not give is 0, an action it
 * does not offer returns an errno value. Every function may be called from any thread. */
#ifndef CHOST_H
#define CHOST_H
#include <stddef.h>
#include <stdint.h>
#pragma clang assume_nonnull begin

/* ---- Processor (processor.c) ---- */

/* Writes the processor's name, NUL-terminated and cut to the capacity; returns its length.
 * On Linux off x86, where the kernel names none, the name is empty. */
size_t host_processor_brand(char *text, size_t capacity);

/* Writes the vector and matrix features that processor and system both support, lower case,
 * separated by spaces; as `host_processor_brand` otherwise. */
size_t host_processor_features(char *text, size_t capacity);

/* Numbers that identify the design: family and model on x86, implementer and part on Linux
 * off x86, 0 and 0 elsewhere. */
void host_processor_signature(uint32_t *family, uint32_t *model);

/* ---- CPUs (affinity.c) ---- */

/* Writes the ids of the CPUs that the calling thread may run on, ascending, at most `capacity`
 * of them; returns how many there are, at least 1. */
size_t host_usable_cpus(int32_t *_Nullable ids, size_t capacity);

/* ---- Memory (memory.c) ---- */

/* Bytes of one cache that the first usable CPU sees: level 1 (data), 2 or 3; 0 when absent or unknown. */
uint64_t host_cache_bytes(int level);

/* Bytes of memory of the machine. */
uint64_t host_memory_bytes(void);

/* The most bytes that the shell lets this process allocate; 0 where it sets no limit. */
uint64_t host_memory_limit(void);

/* The bytes of this process that are in memory; 0 where that is not known. */
uint64_t host_resident_bytes(void);

/* The most bytes of this process that have been in memory at once. */
uint64_t host_peak_resident_bytes(void);

/* Keeps memory that is freed for what is allocated next, where that can be asked for: work that
 * takes and frees the same large buffers again and again need not have its pages cleared. */
void host_keep_freed_memory(void);

/* Gives freed memory back to the system, where that can be asked for. */
void host_release_freed_memory(void);

/* Asks for huge pages on the whole pages inside a range. Returns 0 or an errno value. */
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

/* Mixes `count` blocks of 64 bytes into a SHA-256 state of 8 words (FIPS 180-4, section 6.2). */
void host_sha256_blocks(uint32_t *state, const void *blocks, size_t count);

#pragma clang assume_nonnull end
#endif
