/* Finds floats that a type cannot represent. ck_dequantize.h describes the function. */
#include "ck_dequantize.h"
#include <math.h>

size_t ck_first_outside(const float *in, size_t count, float limit) {
    enum { piece = 4096 };
    for (size_t first = 0; first < count; first += piece) {
        size_t end = count - first < piece ? count : first + piece;
        /* There is no early exit, so that the compiler can vectorise the loop. */
        int outside = 0;
        for (size_t i = first; i < end; i++) outside |= !(fabsf(in[i]) <= limit);
        if (!outside) continue;
        while (fabsf(in[first]) <= limit) first++;
        return first;
    }
    return count;
}
