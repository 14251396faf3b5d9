/* The units every kernel shares: pixels, tiles and boxes.
 *
 * A pixel is a uint32_t whose bytes in memory are B, G, R, X. Inside the codec X is always 255; frames that come from
 * outside may hold anything there, and it is ignored. A frame is cut into tiles of 64 x 64 pixels in raster order;
 * tiles at the right and lower edge are smaller. 64 pixels make 256 bytes a row, four cache lines.
 */
#ifndef FF_TILE_H
#define FF_TILE_H

#include <stddef.h>
#include <stdint.h>

#define FF_TILE 64u
#define FF_TILE_PIXELS (FF_TILE * FF_TILE)

/* The colour channels of a pixel and its X byte, as a mask over the uint32_t; big-endian machines are not supported
 * (setup.py refuses them). */
#define FF_RGB_MASK 0x00FFFFFFu
#define FF_OPAQUE 0xFF000000u

/* A rectangle in pixels, relative to a tile or to a frame, never empty. */
typedef struct ff_box {
    uint32_t x, y, width, height;
} ff_box;

typedef struct ff_geometry {
    uint32_t width, height;  /* frame, pixels */
    uint32_t columns, rows;  /* tiles */
} ff_geometry;

ff_geometry ff_make_geometry(uint32_t width, uint32_t height);

/* The part of the frame that tile number `tile` covers; `tile` < columns * rows. */
ff_box ff_tile_area(const ff_geometry *geometry, uint32_t tile);

/* Columns `first` up to `end`. */
typedef struct ff_span {
    uint32_t first, end;
} ff_span;

/* From the first of `count` flags that is set to the last one; empty where none is. */
static inline ff_span ff_find_span(const uint8_t *flags, uint32_t count) {
    ff_span span = {0, count};
    while (span.end > 0 && !flags[span.end - 1])
        span.end--;
    while (span.first < span.end && !flags[span.first])
        span.first++;
    return span;
}

/* Asks for the rows of a tile, `pitch` pixels apart, from memory before they are needed: the hardware follows a few streams, and a
 * tile of a frame is one for each row. */
static inline void ff_prefetch_rows(const uint32_t *row, size_t pitch, uint32_t width, uint32_t rows) {
#if defined(__GNUC__)
    for (uint32_t y = 0; y < rows; y++, row += pitch)
        if (width == FF_TILE) { /* the usual width, with its loop unrolled */
            __builtin_prefetch(row);
            __builtin_prefetch(row + 16); /* 64 bytes further, the next line of the cache */
            __builtin_prefetch(row + 32);
            __builtin_prefetch(row + 48);
        } else {
            for (uint32_t x = 0; x < width; x += 16)
                __builtin_prefetch(row + x);
        }
#else
    (void)row, (void)pitch, (void)width, (void)rows;
#endif
}

/* Of a row of a tile in a frame that is read row by row, `stride` bytes apart: asks for the one two rows further down, for the
 * processor's second cache. Left to the hardware, which stops at the end of each page, reading a frame takes a sixth longer. (4 to 8
 * rows ahead do no more, 1 row does less.) Beyond the frame there is nothing to fetch, and no harm in trying. */
static inline void ff_prefetch_ahead(const uint8_t *segment, ptrdiff_t stride) {
#if defined(__GNUC__)
    for (size_t i = 0; i < FF_TILE * 4; i += 64)
        __builtin_prefetch((const void *)((uintptr_t)segment + 2 * (uintptr_t)stride + i), 0, 2);
#else
    (void)segment, (void)stride;
#endif
}

/* Copies `box` (relative to the tile) of a tile buffer to `target`, which points at the box's first pixel in a frame
 * with `pitch` pixels a row. */
void ff_store_box(const uint32_t *tile, ff_box box, uint32_t *target, size_t pitch);

/* Fills a box of a frame with one pixel value. */
void ff_fill_box(uint32_t *target, size_t pitch, ff_box box, uint32_t pixel);

#endif
