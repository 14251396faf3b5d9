/* What values cost in codes of their own, by how often each comes. */
#ifndef FF_COSTS_H
#define FF_COSTS_H

#include <string.h>

#include "isa.h"

/* 256 * log2(value), within 5, of 1 to 2^24; of 0 anything. Without a table, so that compilers do several at a time. */
FF_INLINE uint32_t ff_log2(uint32_t value) {
    const float number = (float)(int32_t)value;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits >>= 15; /* the exponent, and eight bits of what is behind it: straight between powers of two, where log2 is bent */
    return bits - (127u << 8) + ((bits & 255) * (256 - (bits & 255)) * 88 >> 16);
}

/* The bits of values by their entropy, and of the description of their code. Value v comes counts[v] times; all of them, `all`: fewer than
 * 2^17. */
uint32_t ff_estimate_codes_scalar(const uint32_t counts[256], uint32_t all);
#ifdef FF_HAVE_AVX2
uint32_t ff_estimate_codes_avx2(const uint32_t counts[256], uint32_t all);
#endif

#endif
