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
                      const uint64_t *repeats, const uint8_t *candidates, uint8_t *dirty, segment_compare differs) {
    const uint32_t columns = geometry->columns;
    ff_span looked_at = {0, columns};
    size_t count = 0;
    memset(dirty, 0, (size_t)columns * geometry->rows);
    for (uint32_t y = 0; y < geometry->height; y++) {
        const size_t first = (size_t)(y / FF_TILE) * columns;
        if (candidates != NULL && y % FF_TILE == 0)
            looked_at = ff_find_span(candidates + first, columns);
        const uint8_t *row = frame + (ptrdiff_t)y * stride;
        const uint8_t *old = (const uint8_t *)(reference + (size_t)y * geometry->width);
        for (uint32_t column = looked_at.first; column < looked_at.end; column++) {
            const size_t tile = first + column;
            if (dirty[tile] || (candidates != NULL && !candidates[tile]))
                continue;
            const size_t offset = (size_t)column * FF_TILE * 4;
            const size_t rest = (size_t)geometry->width * 4 - offset;
            ff_prefetch_ahead(row + offset, stride);
            /* Of a tile that is not dirty, the row above is as in the reference. It is in the processor's cache. */
            const int repeated = repeats != NULL && (repeats[tile] >> y % FF_TILE & 1);
            const uint8_t *other = repeated ? row + offset - stride : old + offset;
            /* The usual width, with its loop unrolled. */
            if (rest < FF_TILE * 4 ? differs(row + offset, other, rest) : differs(row + offset, other, FF_TILE * 4)) {
                dirty[tile] = 1;
                count++;
            }
        }
    }
    return count;
}

size_t ff_diff_tiles_scalar(const uint8_t *frame, ptrdiff_t stride, const uint32_t *reference,
                            const ff_geometry *geometry, const uint64_t *repeats, const uint8_t *candidates,
                            uint8_t *dirty) {
    return walk(frame, stride, reference, geometry, repeats, candidates, dirty, segment_differs_scalar);
}

/* Copies one row of one tile, `width` pixels, at most FF_TILE, and sets X to 255. */
typedef void segment_load(const uint8_t *pixels, uint32_t width, uint32_t *target);

FF_INLINE void load_segment_scalar(const uint8_t *pixels, uint32_t width, uint32_t *target) {
    for (uint32_t x = 0; x < width; x++) {
        uint32_t pixel;
        memcpy(&pixel, pixels + (size_t)x * 4, 4); /* rows of a frame from outside need not be aligned to 4 bytes */
        target[x] = pixel | FF_OPAQUE;
    }
}

/* Line by line, as memory is prefetched. */
FF_INLINE void load_tiles(const uint8_t *frame, ptrdiff_t stride, const ff_geometry *geometry, const uint8_t *dirty, uint32_t *tiles,
                          segment_load load) {
    ff_span span = {0, 0};
    for (uint32_t y = 0; y < geometry->height; y++) {
        const size_t first = (size_t)(y / FF_TILE) * geometry->columns;
        const uint8_t *row = frame + (ptrdiff_t)y * stride;
        if (y % FF_TILE == 0)
            span = ff_find_span(dirty + first, geometry->columns);
        for (uint32_t column = span.first; column < span.end; column++) {
            if (!dirty[first + column])
                continue;
            const uint8_t *segment = row + (size_t)column * FF_TILE * 4;
            const uint32_t rest = geometry->width - column * FF_TILE;
            uint32_t *target = tiles + (first + column) * FF_TILE_PIXELS + y % FF_TILE * FF_TILE;
            ff_prefetch_ahead(segment, stride);
            /* The usual width, with its loop unrolled. */
            if (rest < FF_TILE)
                load(segment, rest, target);
            else
                load(segment, FF_TILE, target);
        }
    }
}

void ff_load_tiles_scalar(const uint8_t *frame, ptrdiff_t stride, const ff_geometry *geometry, const uint8_t *dirty, uint32_t *tiles) {
    load_tiles(frame, stride, geometry, dirty, tiles, load_segment_scalar);
}

FF_INLINE uint64_t find_repeats(const uint32_t *tile, uint32_t width, uint32_t first, uint32_t end, segment_compare differs) {
    uint64_t repeats = 0;
    for (uint32_t y = first; y < end; y++) {
        const uint8_t *row = (const uint8_t *)(tile + y * FF_TILE);
        repeats |= (uint64_t)!differs(row, row - 4 * FF_TILE, width * 4) << y;
    }
    return repeats;
}

uint64_t ff_find_repeats_scalar(const uint32_t *tile, uint32_t width, uint32_t first, uint32_t end) {
    return find_repeats(tile, width, first, end, segment_differs_scalar);
}

uint32_t ff_diff_box_scalar(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area, ff_box *box) {
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

uint32_t ff_count_differences_scalar(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                     uint32_t first, uint32_t apart, uint32_t limit) {
    uint32_t count = 0;
    for (uint32_t y = first; y < area.height && count <= limit; y += apart) {
        const uint32_t *row = tile + y * FF_TILE, *other = source + y * pitch;
        for (uint32_t x = 0; x < area.width; x++)
            count += row[x] != other[x];
    }
    return count;
}

#ifdef FF_HAVE_AVX2

/* For each of eight pixels that equal the others at their place, all bits; also where there are fewer than eight. */
FF_INLINE FF_AVX2 __m256i equal_pixels(const uint32_t *row, const uint32_t *others, uint32_t count) {
    if (count >= 8)
        return _mm256_cmpeq_epi32(_mm256_loadu_si256((const __m256i *)row), _mm256_loadu_si256((const __m256i *)others));
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return _mm256_cmpeq_epi32(_mm256_maskload_epi32((const int *)row, mask), _mm256_maskload_epi32((const int *)others, mask));
}

/* The sum of eight numbers. */
FF_INLINE FF_AVX2 uint32_t sum_lanes(__m256i lanes) {
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return (uint32_t)_mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
}

/* Rows between two looks at the limit. */
#define ROWS_AT_A_TIME 4u

FF_INLINE FF_AVX2 uint32_t count_wide(const uint32_t *tile, uint32_t width, uint32_t height, const uint32_t *source,
                                      size_t pitch, uint32_t first, uint32_t apart, uint32_t limit) {
    uint32_t count = 0;
    for (uint32_t y = first; y < height && count <= limit;) {
        const uint32_t end = height - y < ROWS_AT_A_TIME * apart ? height : y + ROWS_AT_A_TIME * apart;
        __m256i differing = _mm256_setzero_si256();
        for (; y < end; y += apart) {
            const uint32_t *row = tile + y * FF_TILE, *other = source + y * pitch;
            for (uint32_t x = 0; x < width; x += 8)
                differing = _mm256_sub_epi32(
                    differing, _mm256_xor_si256(equal_pixels(row + x, other + x, width - x), _mm256_set1_epi32(-1)));
        }
        count += sum_lanes(differing);
    }
    return count;
}

FF_AVX2 uint32_t ff_count_differences_avx2(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                           uint32_t first, uint32_t apart, uint32_t limit) {
    /* The usual width, with its loops unrolled. */
    return area.width == FF_TILE ? count_wide(tile, FF_TILE, area.height, source, pitch, first, apart, limit)
                                 : count_wide(tile, area.width, area.height, source, pitch, first, apart, limit);
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
                                  const ff_geometry *geometry, const uint64_t *repeats, const uint8_t *candidates,
                                  uint8_t *dirty) {
    return walk(frame, stride, reference, geometry, repeats, candidates, dirty, segment_differs_avx2);
}

FF_INLINE FF_AVX2 void load_segment_avx2(const uint8_t *pixels, uint32_t width, uint32_t *target) {
    const __m256i opaque = _mm256_set1_epi32((int)FF_OPAQUE);
    uint32_t x = 0;
    for (; x + 8 <= width; x += 8)
        _mm256_storeu_si256((__m256i *)(target + x),
                            _mm256_or_si256(_mm256_loadu_si256((const __m256i *)(pixels + (size_t)x * 4)), opaque));
    load_segment_scalar(pixels + (size_t)x * 4, width - x, target + x);
}

FF_AVX2 void ff_load_tiles_avx2(const uint8_t *frame, ptrdiff_t stride, const ff_geometry *geometry, const uint8_t *dirty,
                                uint32_t *tiles) {
    load_tiles(frame, stride, geometry, dirty, tiles, load_segment_avx2);
}

FF_AVX2 uint64_t ff_find_repeats_avx2(const uint32_t *tile, uint32_t width, uint32_t first, uint32_t end) {
    return width == FF_TILE ? find_repeats(tile, FF_TILE, first, end, segment_differs_avx2)
                            : find_repeats(tile, width, first, end, segment_differs_avx2);
}

FF_INLINE FF_AVX2 uint32_t find_box_avx2(const uint32_t *tile, const uint32_t *reference, size_t pitch, uint32_t width,
                                         uint32_t height, ff_box *box) {
    const __m256i all = _mm256_set1_epi32(-1);
    __m256i columns[FF_TILE / 8], differing = _mm256_setzero_si256();
    uint32_t top = height, bottom = 0, left = FF_TILE, right = 0;
    for (uint32_t i = 0; i < FF_TILE / 8; i++)
        columns[i] = all;
    for (uint32_t y = 0; y < height; y++, tile += FF_TILE, reference += pitch) {
        __m256i row = all;
        for (uint32_t x = 0; x < width; x += 8) {
            const __m256i equal = equal_pixels(tile + x, reference + x, width - x);
            columns[x / 8] = _mm256_and_si256(columns[x / 8], equal);
            row = _mm256_and_si256(row, equal);
            differing = _mm256_sub_epi32(differing, _mm256_xor_si256(equal, all));
        }
        if (_mm256_movemask_epi8(row) != -1) {
            top = top < y ? top : y;
            bottom = y;
        }
    }
    if (top == height)
        return 0;
    for (uint32_t x = 0; x < width; x++)
        if (!(_mm256_movemask_ps(_mm256_castsi256_ps(columns[x / 8])) >> x % 8 & 1)) {
            left = left < x ? left : x;
            right = x;
        }
    *box = (ff_box){left, top, right - left + 1, bottom - top + 1};
    return sum_lanes(differing);
}

FF_AVX2 uint32_t ff_diff_box_avx2(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area,
                                  ff_box *box) {
    return area.width == FF_TILE ? find_box_avx2(tile, reference, pitch, FF_TILE, area.height, box)
                                 : find_box_avx2(tile, reference, pitch, area.width, area.height, box);
}

#endif
