/* How the encoder codes a box of modelled pixels with AVX2: row by row, and each row in passes.
 *
 * The encoder knows all pixels beforehand, so that little has to wait for what comes before it. What a row's pixels are (spans,
 * guesses, literals) depends on the memories, not on probabilities. The bits of guesses and the symbols of literals then learn from
 * their own kind alone, and most of what literals depend on can be computed for many at a time. So each pass is a short loop:
 *
 * 1. find_ways: the ways of all pixels, the questions asked of them, and what the memories learn (model_row_guesses.h);
 * 2. code_literals: predictors, errors and means, sixteen pixels at a time; then the symbols of literals (model_row_literals.h);
 * 3. code_questions: the bits of questions (model_row_guesses.h);
 * 4. write_shares: all of these into the range coder, in the order of the pixels (model_encode.c).
 *
 * code_box in pixel_model.c is the truth, pixel by pixel. Internal to the model. */
#ifndef FF_MODEL_ROWS_H
#define FF_MODEL_ROWS_H

#include <string.h>

#include "pixel_model.h"

#ifdef FF_HAVE_AVX2
#include <immintrin.h>

/* Bits of spans are fewer than pixels. */
#define MAX_ROW_BITS ((FF_GUESSES + 1) * FF_TILE)
/* A class and raw bits for each channel. */
#define MAX_LITERAL_SHARES 6u
/* A share of the range: where it begins, and its size in the upper half, both in 65536ths. */
typedef uint32_t row_share;

FF_INLINE row_share make_share(uint32_t first, uint32_t count) { return first | count << 16; }

/* Where a bit belongs: behind so many bits, of spans and questions, and so many literals of its row. */
typedef struct row_place {
    uint16_t bits, literals;
} row_place;

/* A row on its way through the passes. */
typedef struct row_work {
    const uint32_t *at, *base; /* its first pixel, and that of the base */
    uint32_t width;
    uint32_t questions, spans, literals;                /* how many there are */
    uint16_t contexts[FF_GUESSES * FF_TILE][FF_INPUTS]; /* of questions: indices of seven probabilities, and of weights */
    uint16_t answers[FF_GUESSES * FF_TILE]; /* bit 0: whether yes; from bit 1 on: spans before, from bit 8 on: literals before */
    row_share span_shares[FF_TILE];
    row_place span_places[FF_TILE];
    uint8_t literal_x[FF_TILE];          /* which pixel a literal is */
    uint16_t bits_before[FF_TILE];       /* it */
    uint16_t shares_before[FF_TILE + 1]; /* it, of other literals */
    row_share shares[MAX_ROW_BITS + MAX_LITERAL_SHARES * FF_TILE + 1]; /* all of the row, in order; one is written in vain */
} row_work;

#endif

#endif
