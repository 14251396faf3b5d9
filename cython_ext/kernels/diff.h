/* Finding what changed: which tiles of a frame differ from the reference, and the box inside a tile that differs. */
#ifndef FF_DIFF_H
#define FF_DIFF_H

#include "isa.h"

/* diff_tiles: sets dirty[t] to 1 for every tile t that differs from the reference in B, G or R, to 0 for the others, and
 * returns how many differ. `frame`: geometry->height rows, `stride` bytes apart (may be negative), any alignment.
 * `reference`: width pixels a row, no gaps. `candidates`: one byte a tile, only tiles with a non-zero one are compared;
 * NULL compares all. `repeats`: what find_repeats says of each tile of the reference, or NULL. `dirty`: columns * rows bytes.
 *
 * Where a row of the reference repeats the one above it in the tile, it is not read: the frame's row is compared with the frame's
 * row above, which has just been. Half of a desktop and nine tenths of a page of text are such rows, and an idle frame costs
 * little else than reading memory.
 *
 * Walks whole rows of the frame and compares the 256 bytes of each tile in turn: walking tile by tile costs 2.3 times as
 * much (page and prefetch misses). A tile already known to differ is not looked at again. */
size_t ff_diff_tiles_scalar(const uint8_t *frame, ptrdiff_t stride, const uint32_t *reference,
                            const ff_geometry *geometry, const uint64_t *repeats, const uint8_t *candidates,
                            uint8_t *dirty);

/* load_tiles: copies each tile t with dirty[t] of a frame, which is given as to diff_tiles, to tiles + t * FF_TILE_PIXELS, FF_TILE
 * pixels a row, and sets X to 255. */
void ff_load_tiles_scalar(const uint8_t *frame, ptrdiff_t stride, const ff_geometry *geometry, const uint8_t *dirty, uint32_t *tiles);

/* find_repeats: a bit for each of the rows `first` up to `end` of a loaded tile, `width` pixels wide, that equals the row above it.
 * 1 <= first, end <= FF_TILE. */
uint64_t ff_find_repeats_scalar(const uint32_t *tile, uint32_t width, uint32_t first, uint32_t end);

/* diff_box: compares a loaded tile (FF_TILE pixels a row, X = 255) with `reference`, which points at the tile's first
 * pixel in a frame of `pitch` pixels a row. Stores the smallest box, relative to the tile, that holds every difference,
 * and returns the number of pixels that differ; 0 leaves `box` alone. */
uint32_t ff_diff_box_scalar(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area, ff_box *box);

/* count_differences: the number of pixels in which a loaded tile differs from `source`, its supposed origin in a frame of
 * `pitch` pixels a row, in rows `first`, `first` + `apart` and so on. Stops above `limit`, with a count above it. */
uint32_t ff_count_differences_scalar(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                     uint32_t first, uint32_t apart, uint32_t limit);

#ifdef FF_HAVE_AVX2
uint32_t ff_count_differences_avx2(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                   uint32_t first, uint32_t apart, uint32_t limit);
size_t ff_diff_tiles_avx2(const uint8_t *frame, ptrdiff_t stride, const uint32_t *reference,
                          const ff_geometry *geometry, const uint64_t *repeats, const uint8_t *candidates,
                          uint8_t *dirty);
void ff_load_tiles_avx2(const uint8_t *frame, ptrdiff_t stride, const ff_geometry *geometry, const uint8_t *dirty, uint32_t *tiles);
uint64_t ff_find_repeats_avx2(const uint32_t *tile, uint32_t width, uint32_t first, uint32_t end);
uint32_t ff_diff_box_avx2(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area, ff_box *box);
#endif

#endif
