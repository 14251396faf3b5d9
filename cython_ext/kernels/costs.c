#include "costs.h"

/* Bits that another code costs: its description, of which each value takes about two, and as many as are worth the time. */
#define BITS_PER_CODE 300u
#define BITS_PER_CODED_VALUE 2u

FF_INLINE uint32_t estimate_codes(const uint32_t *counts, uint32_t all) {
    uint32_t sum = 0, values = 0; /* of fewer than 2^17: below 2^30 */
    for (uint32_t value = 0; value < 256; value++) {
        sum += counts[value] * ff_log2(counts[value]); /* nothing where there are none */
        values += counts[value] > 0;
    }
    return (all * ff_log2(all) - sum) / 256 + BITS_PER_CODE + BITS_PER_CODED_VALUE * values;
}

uint32_t ff_estimate_codes_scalar(const uint32_t counts[256], uint32_t all) { return estimate_codes(counts, all); }

#ifdef FF_HAVE_AVX2
/* The same for the compiler, to which AVX2 gives an instruction that multiplies 32 bits. */
FF_AVX2 uint32_t ff_estimate_codes_avx2(const uint32_t counts[256], uint32_t all) { return estimate_codes(counts, all); }
#endif
