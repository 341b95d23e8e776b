/* A text to evaluate language models on. It differs from most calibration texts. */
#ifndef CPROSE_H
#define CPROSE_H
#pragma clang assume_nonnull begin

/* Returns prose in ASCII, one paragraph on each line. */
const char *prose_text(void);

#pragma clang assume_nonnull end
#endif
