#include "crc.h"

#ifdef FF_HAVE_AVX2
#include <immintrin.h>

#define FF_PCLMUL __attribute__((target("avx2,pclmul")))

/* Below so many bytes there is nothing to fold. */
#define LEAST_FOLDED 64u

/* Four bits at a time. */
static uint32_t add_bytes(uint32_t state, const uint8_t *bytes, size_t count) {
    static const uint32_t remainders[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    for (size_t i = 0; i < count; i++) {
        state ^= bytes[i];
        state = state >> 4 ^ remainders[state & 15];
        state = state >> 4 ^ remainders[state & 15];
    }
    return state;
}

FF_INLINE FF_PCLMUL __m128i load(const uint8_t *bytes) { return _mm_loadu_si128((const __m128i *)bytes); }

/* Moves 128 bits of the message up by what the factors, powers of x modulo the polynomial, stand for, and adds what is there. */
FF_INLINE FF_PCLMUL __m128i fold(__m128i bits, __m128i factors, __m128i there) {
    const __m128i low = _mm_clmulepi64_si128(bits, factors, 0x00), high = _mm_clmulepi64_si128(bits, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

/* Vinodh Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009; with the constants that
 * it gives for this polynomial, bits reflected. `count` is LEAST_FOLDED or more. */
FF_INLINE FF_PCLMUL uint32_t fold_bytes(uint32_t state, const uint8_t *bytes, size_t count) {
    const __m128i by_four = _mm_set_epi64x(0x01C6E41596, 0x0154442BD4), by_one = _mm_set_epi64x(0x00CCAA009E, 0x01751997D0);
    const __m128i to_64 = _mm_set_epi64x(0, 0x0163CD6124), polynomial = _mm_set_epi64x(0x01F7011641, 0x01DB710641);
    const __m128i low_words = _mm_setr_epi32(-1, 0, -1, 0);
    __m128i sums[4];
    for (uint32_t i = 0; i < 4; i++)
        sums[i] = load(bytes + 16 * i);
    sums[0] = _mm_xor_si128(sums[0], _mm_cvtsi32_si128((int)state));
    size_t done = LEAST_FOLDED;
    for (; done + 64 <= count; done += 64) /* four at a time, none of which waits for another */
        for (uint32_t i = 0; i < 4; i++)
            sums[i] = fold(sums[i], by_four, load(bytes + done + 16 * i));
    __m128i sum = fold(fold(fold(sums[0], by_one, sums[1]), by_one, sums[2]), by_one, sums[3]);
    for (; done + 16 <= count; done += 16)
        sum = fold(sum, by_one, load(bytes + done));
    /* To 64 bits, and by Barrett's reduction to 32. */
    sum = _mm_xor_si128(_mm_srli_si128(sum, 8), _mm_clmulepi64_si128(sum, by_one, 0x10));
    sum = _mm_xor_si128(_mm_srli_si128(sum, 4), _mm_clmulepi64_si128(_mm_and_si128(sum, low_words), to_64, 0x00));
    const __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(sum, low_words), polynomial, 0x10);
    sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(_mm_and_si128(quotient, low_words), polynomial, 0x00));
    return add_bytes((uint32_t)_mm_extract_epi32(sum, 1), bytes + done, count - done);
}

FF_PCLMUL uint32_t ff_crc32_avx2(uint32_t crc, const uint8_t *bytes, size_t count) {
    return ~(count < LEAST_FOLDED ? add_bytes(~crc, bytes, count) : fold_bytes(~crc, bytes, count));
}
#endif
