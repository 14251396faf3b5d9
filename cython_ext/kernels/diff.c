#include "diff.h"

#include <string.h>

#include "differing.h"

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

FF_INLINE uint32_t find_box(const uint32_t *tile, const uint32_t *reference, size_t pitch, uint32_t width, uint32_t height, ff_box *box,
                            ff_compare_pixels differing) {
    uint64_t columns = 0, rows = 0;
    uint32_t count = 0;
    for (uint32_t y = 0; y < height; y++, tile += FF_TILE, reference += pitch) {
        const uint64_t row = differing(tile, reference, width);
        columns |= row;
        rows |= (uint64_t)(row != 0) << y;
        count += ff_count_bits(row);
    }
    if (count == 0)
        return 0;
    const uint32_t left = ff_lowest_bit(columns), top = ff_lowest_bit(rows);
    *box = (ff_box){left, top, ff_highest_bit(columns) - left + 1, ff_highest_bit(rows) - top + 1};
    return count;
}

uint32_t ff_diff_box_scalar(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area, ff_box *box) {
    return find_box(tile, reference, pitch, area.width, area.height, box, ff_differing_scalar);
}

FF_INLINE uint32_t count_differences(const uint32_t *tile, uint32_t width, uint32_t height, const uint32_t *source, size_t pitch,
                                     uint32_t first, uint32_t apart, uint32_t limit, ff_compare_pixels differing) {
    uint32_t count = 0;
    for (uint32_t y = first; y < height && count <= limit; y += apart)
        count += ff_count_bits(differing(tile + y * FF_TILE, source + y * pitch, width));
    return count;
}

uint32_t ff_count_differences_scalar(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                     uint32_t first, uint32_t apart, uint32_t limit) {
    return count_differences(tile, area.width, area.height, source, pitch, first, apart, limit, ff_differing_scalar);
}

#ifdef FF_HAVE_AVX2

FF_AVX2 uint32_t ff_count_differences_avx2(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                           uint32_t first, uint32_t apart, uint32_t limit) {
    /* The usual width, with its loops unrolled. */
    return area.width == FF_TILE ? count_differences(tile, FF_TILE, area.height, source, pitch, first, apart, limit, ff_differing_avx2)
                                 : count_differences(tile, area.width, area.height, source, pitch, first, apart, limit, ff_differing_avx2);
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

FF_AVX2 uint32_t ff_diff_box_avx2(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area,
                                  ff_box *box) {
    return area.width == FF_TILE ? find_box(tile, reference, pitch, FF_TILE, area.height, box, ff_differing_avx2)
                                 : find_box(tile, reference, pitch, area.width, area.height, box, ff_differing_avx2);
}

#endif
