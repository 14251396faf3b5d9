#include "hash.h"

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

/* Finaliser of MurmurHash3 (Austin Appleby, public domain) over a Weyl sequence: well mixed and easy to restate. */
void ff_hash_keys(uint32_t *keys, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t key = ((uint32_t)i + 1) * 0x9E3779B1u;
        key = (key ^ key >> 16) * 0x85EBCA6Bu;
        key = (key ^ key >> 13) * 0xC2B2AE35u;
        keys[i] = key ^ key >> 16;
    }
}

uint64_t ff_hash_row_scalar(const uint32_t *row, const uint32_t *keys, size_t width) {
    uint64_t sum = 0;
    size_t x = 0;
    for (; x + 1 < width; x += 2)
        sum += (uint64_t)(uint32_t)(row[x] + keys[x]) * (uint32_t)(row[x + 1] + keys[x + 1]);
    if (x < width)
        sum += (uint64_t)(uint32_t)(row[x] + keys[x]) * keys[x + 1];
    return sum;
}

#ifdef FF_HAVE_AVX2
FF_INLINE FF_AVX2 uint64_t hash_row_avx2(const uint32_t *row, const uint32_t *keys, size_t width) {
    __m256i sum = _mm256_setzero_si256();
    size_t x = 0;
    for (; x + 8 <= width; x += 8) {
        const __m256i keyed = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)(row + x)),
                                               _mm256_loadu_si256((const __m256i *)(keys + x)));
        sum = _mm256_add_epi64(sum, _mm256_mul_epu32(keyed, _mm256_srli_epi64(keyed, 32)));
    }
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    const uint64_t lanes = (uint64_t)_mm_cvtsi128_si64(two) + (uint64_t)_mm_extract_epi64(two, 1);
    return x == width ? lanes : lanes + ff_hash_row_scalar(row + x, keys + x, width - x);
}

FF_AVX2 uint64_t ff_hash_row_avx2(const uint32_t *row, const uint32_t *keys, size_t width) {
    /* A row of a tile, with its loop unrolled. */
    return width == FF_TILE ? hash_row_avx2(row, keys, FF_TILE) : hash_row_avx2(row, keys, width);
}
#endif

static uint64_t mix_row(uint64_t hash, uint64_t row) {
    hash = (hash ^ row) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

uint64_t ff_hash_pixels(const uint32_t *pixels, size_t pitch, uint32_t width, uint32_t height, const uint32_t *keys) {
    uint64_t hash = (uint64_t)width << 32 | height;
    for (uint32_t y = 0; y < height; y++)
        hash = mix_row(hash, ff_kernels->hash_row(pixels + y * pitch, keys, width));
    return hash;
}

uint64_t ff_join_row_hashes(const uint64_t *rows, uint32_t width, uint32_t height) {
    uint64_t hash = (uint64_t)width << 32 | height;
    for (uint32_t y = 0; y < height; y++)
        hash = mix_row(hash, rows[y]);
    return hash;
}
