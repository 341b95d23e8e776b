/* What Swift cannot see of the operating system and the processor. */
#ifndef CHOST_H
#define CHOST_H
#include <stddef.h>
#include <stdint.h>
#pragma clang assume_nonnull begin

#pragma clang assume_nonnull end
#endif
