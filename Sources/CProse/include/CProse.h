/* A text to evaluate language models on, of another kind than most text they are calibrated on. */
#ifndef CPROSE_H
#define CPROSE_H
#pragma clang assume_nonnull begin

/* Prose in ASCII, a paragraph a line. */
const char *prose_text(void);

#pragma clang assume_nonnull end
#endif
