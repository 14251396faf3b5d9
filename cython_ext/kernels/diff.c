#include "diff.h"

#include <string.h>

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

/* Compares one row of one tile; `bytes` is at most 4 * FF_TILE and a multiple of 4. */
typedef int segment_compare(const uint8_t *a, const uint8_t *b, size_t bytes);

FF_INLINE int segment_differs_scalar(const uint8_t *a, const uint8_t *b, size_t bytes) {
    const uint64_t mask = FF_RGB_MASK | (uint64_t)FF_RGB_MASK << 32;
    uint64_t difference = 0;
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t x, y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        difference |= x ^ y;
    }
    if (i < bytes) {
        uint32_t x, y;
        memcpy(&x, a + i, 4);
        memcpy(&y, b + i, 4);
        difference |= x ^ y;
    }
    return (difference & mask) != 0;
}

/* The walk itself, inlined into each variant with its own segment comparison. */
FF_INLINE size_t walk(const uint8_t *frame, ptrdiff_t stride, const uint32_t *reference, const ff_geometry *geometry,
                      const uint8_t *candidates, uint8_t *dirty, segment_compare differs) {
    const uint32_t columns = geometry->columns;
    size_t count = 0;
    memset(dirty, 0, (size_t)columns * geometry->rows);
    for (uint32_t y = 0; y < geometry->height; y++) {
        const size_t first = (size_t)(y / FF_TILE) * columns;
        const uint8_t *row = frame + (ptrdiff_t)y * stride;
        const uint8_t *old = (const uint8_t *)(reference + (size_t)y * geometry->width);
        for (uint32_t column = 0; column < columns; column++) {
            const size_t tile = first + column;
            if (dirty[tile] || (candidates != NULL && !candidates[tile]))
                continue;
            const size_t offset = (size_t)column * FF_TILE * 4;
            const size_t rest = (size_t)geometry->width * 4 - offset;
            if (differs(row + offset, old + offset, rest < FF_TILE * 4 ? rest : FF_TILE * 4)) {
                dirty[tile] = 1;
                count++;
            }
        }
    }
    return count;
}

size_t ff_diff_tiles_scalar(const uint8_t *frame, ptrdiff_t stride, const uint32_t *reference,
                            const ff_geometry *geometry, const uint8_t *candidates, uint8_t *dirty) {
    return walk(frame, stride, reference, geometry, candidates, dirty, segment_differs_scalar);
}

FF_INLINE uint32_t find_box(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area, ff_box *box) {
    uint32_t changed_columns[FF_TILE] = {0};
    uint32_t top = area.height, bottom = 0, left = area.width, right = 0, count = 0;
    for (uint32_t y = 0; y < area.height; y++) {
        const uint32_t *row = tile + y * FF_TILE;
        const uint32_t *old = reference + y * pitch;
        uint32_t row_count = 0;
        for (uint32_t x = 0; x < area.width; x++) {
            const uint32_t changed = row[x] != old[x];
            changed_columns[x] |= changed;
            row_count += changed;
        }
        if (row_count) {
            top = top < y ? top : y;
            bottom = y;
            count += row_count;
        }
    }
    if (count == 0)
        return 0;
    for (uint32_t x = 0; x < area.width; x++)
        if (changed_columns[x]) {
            left = left < x ? left : x;
            right = x;
        }
    *box = (ff_box){left, top, right - left + 1, bottom - top + 1};
    return count;
}

uint32_t ff_diff_box_scalar(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area, ff_box *box) {
    return find_box(tile, reference, pitch, area, box);
}

FF_INLINE uint32_t count_differences(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                     uint32_t limit) {
    uint32_t count = 0;
    for (uint32_t y = 0; y < area.height && count <= limit; y++, tile += FF_TILE, source += pitch)
        for (uint32_t x = 0; x < area.width; x++)
            count += tile[x] != source[x];
    return count;
}

uint32_t ff_count_differences_scalar(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                     uint32_t limit) {
    return count_differences(tile, area, source, pitch, limit);
}

#ifdef FF_HAVE_AVX2

FF_AVX2 uint32_t ff_count_differences_avx2(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                           uint32_t limit) {
    return count_differences(tile, area, source, pitch, limit);
}

FF_INLINE FF_AVX2 int segment_differs_avx2(const uint8_t *a, const uint8_t *b, size_t bytes) {
    const __m256i mask = _mm256_set1_epi32((int)FF_RGB_MASK);
    __m256i difference = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 32 <= bytes; i += 32)
        difference = _mm256_or_si256(difference, _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(a + i)),
                                                                  _mm256_loadu_si256((const __m256i *)(b + i))));
    return !_mm256_testz_si256(difference, mask) || segment_differs_scalar(a + i, b + i, bytes - i);
}

FF_AVX2 size_t ff_diff_tiles_avx2(const uint8_t *frame, ptrdiff_t stride, const uint32_t *reference,
                                  const ff_geometry *geometry, const uint8_t *candidates, uint8_t *dirty) {
    return walk(frame, stride, reference, geometry, candidates, dirty, segment_differs_avx2);
}

FF_AVX2 uint32_t ff_diff_box_avx2(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area,
                                  ff_box *box) {
    return find_box(tile, reference, pitch, area, box);
}

#endif
