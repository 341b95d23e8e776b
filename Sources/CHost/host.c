#include "CHost.h"
#include <sys/mman.h>
void host_pause(void) { __builtin_ia32_pause(); }
void host_advise_huge_pages(void *a, size_t n) { madvise(a, n, MADV_HUGEPAGE); }
