#ifndef CHOST_H
#define CHOST_H
#include <stddef.h>
#include <stdint.h>
#pragma clang assume_nonnull begin
void host_pause(void);
void host_advise_huge_pages(void *address, size_t bytes);
#pragma clang assume_nonnull end
#endif
