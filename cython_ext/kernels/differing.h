/* Which pixels of two rows differ, a bit for each: what comparing tiles and collecting palettes begin with. */
#ifndef FF_DIFFERING_H
#define FF_DIFFERING_H

#include "isa.h"

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

/* Of `width` pixels of a row, at most 64: a bit for each that differs from `others` at its place. */
typedef uint64_t ff_compare_pixels(const uint32_t *row, const uint32_t *others, uint32_t width);

FF_INLINE uint64_t ff_differing_scalar(const uint32_t *row, const uint32_t *others, uint32_t width) {
    uint64_t differing = 0;
    for (uint32_t x = 0; x < width; x++)
        differing |= (uint64_t)(row[x] != others[x]) << x;
    return differing;
}

FF_INLINE uint32_t ff_count_bits(uint64_t word) {
#if defined(__GNUC__)
    return (uint32_t)__builtin_popcountll(word);
#else
    uint32_t count = 0;
    for (; word != 0; word &= word - 1)
        count++;
    return count;
#endif
}

#ifdef FF_HAVE_AVX2
FF_INLINE FF_AVX2 __m256i ff_equal_eight(const uint32_t *row, const uint32_t *others) {
    return _mm256_cmpeq_epi32(_mm256_loadu_si256((const __m256i *)row), _mm256_loadu_si256((const __m256i *)others));
}

/* Of 32 pixels. */
FF_INLINE FF_AVX2 uint32_t ff_differing_32(const uint32_t *row, const uint32_t *others) {
    const __m256i first = _mm256_packs_epi32(ff_equal_eight(row, others), ff_equal_eight(row + 8, others + 8));
    const __m256i second = _mm256_packs_epi32(ff_equal_eight(row + 16, others + 16), ff_equal_eight(row + 24, others + 24));
    /* Of each eight pixels four are in either half. */
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_permutevar8x32_epi32(_mm256_packs_epi16(first, second), in_order));
}

FF_INLINE FF_AVX2 uint64_t ff_differing_avx2(const uint32_t *row, const uint32_t *others, uint32_t width) {
    uint64_t differing = 0;
    uint32_t x = 0;
    if (width >= 32) /* some pixels may be compared twice */
        return ff_differing_32(row, others) | (uint64_t)ff_differing_32(row + width - 32, others + width - 32) << (width - 32);
    for (; x + 8 <= width; x += 8)
        differing |= (uint64_t)(~_mm256_movemask_ps(_mm256_castsi256_ps(ff_equal_eight(row + x, others + x))) & 255) << x;
    return x < width ? differing | ff_differing_scalar(row + x, others + x, width - x) << x : differing;
}
#endif

#endif
