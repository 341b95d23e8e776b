/* Arithmetic kernels: no allocation, no input or output, no threads.
 *
 * Every operation has a portable scalar version and one version per instruction set where that
 * pays; `ck_best()` names the best table this processor runs, `ck_table()` any of them for tests.
 * Pointers need only the alignment of their element type unless a kernel says otherwise. */
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>
#include "ck_f64.h"
#pragma clang assume_nonnull begin

#pragma clang assume_nonnull end
#endif
