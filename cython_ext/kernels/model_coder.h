/* What all parts of the pixel model share: the coder in either direction, and probabilities that learn. Internal to the model: these
 * headers hold its inner loops, which pixel_model.c makes one function of for each direction and variant. */
#ifndef FF_MODEL_CODER_H
#define FF_MODEL_CODER_H

#include <stdlib.h>
#include <string.h>

#include "pixel_model.h"

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

/* One of the two; the other is NULL. So one text is the encoder and the decoder, and they cannot fall apart. */
typedef struct coder {
    ff_range_encoder *encoder;
    ff_range_decoder *decoder;
} coder;

FF_INLINE uint32_t code_bit(const coder *c, uint32_t one, uint32_t bit) {
    if (c->decoder != NULL)
        return ff_range_decode_bit(c->decoder, one);
    ff_range_encode_bit(c->encoder, one, bit);
    return bit;
}

#define SPAN_RATE 6

FF_INLINE void learn(uint16_t *probability, uint32_t bit, int rate) {
    /* Without a branch: towards 65535 is towards 0 of the complement. Both ways end before the end. */
    const uint16_t flip = (uint16_t)-bit, distance = *probability ^ flip;
    *probability = (uint16_t)(distance - (distance >> rate)) ^ flip;
}

#endif
