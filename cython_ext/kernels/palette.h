/* Tiles of few colours: collecting a tile's colours, and drawing a tile from indices into a table of colours. */
#ifndef FF_PALETTE_H
#define FF_PALETTE_H

#include "isa.h"

#define FF_TABLE_SLOTS 256u
/* Tiles with more colours are photos. The count of new colours of a tile is one byte on the wire, hence < 256. */
#define FF_PALETTE_MAX 255u
/* In a patch, slot 0 marks the pixels that stay as they are. FF_NO_COLOUR stands for them in a tile to be collected. */
#define FF_KEEP_SLOT 0
#define FF_NO_COLOUR 0u

/* The colours of one box, in order of first appearance, and each pixel's index into them. */
typedef struct ff_palette {
    uint32_t count;
    uint32_t transitions; /* pixels that equal neither their left nor their upper neighbour: what indices cost */
    uint32_t colours[FF_PALETTE_MAX];
    uint8_t indices[FF_TILE_PIXELS + FF_TILE]; /* rows of the box, without gaps; then room to write whole words */
} ff_palette;

/* mask_unchanged: copies the pixels of `box` of a loaded tile to their places in `masked`, also a tile, but FF_NO_COLOUR for each that
 * equals the one of `base`, which points at the tile's (not the box's) first pixel in a frame of `pitch` pixels a row. */
void ff_mask_unchanged_scalar(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint32_t *masked);

/* collect_palette: collects the colours of `box` of a loaded tile. Returns 0, or -1 when there are more than FF_PALETTE_MAX, or many
 * that its hash hardly tells apart, as nobody draws by chance; then the palette holds nothing of use. */
int ff_collect_palette_scalar(ff_palette *palette, const uint32_t *tile, ff_box box);

/* map_indices: target byte = slots[index] for `count` indices, each below `colours`, which is 1 to FF_PALETTE_MAX. */
void ff_map_indices_scalar(const uint8_t *indices, uint32_t count, const uint8_t *slots, uint32_t colours, uint8_t *target);

/* expand_palette: target pixel = colours[index] for the box.width * box.height indices; box.x and box.y are not used.
 * `colours` has 256 entries, so that no index is out of range. */
void ff_expand_palette_scalar(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target,
                              size_t pitch);
/* The same for a patch: pixels with index FF_KEEP_SLOT keep their value. */
void ff_expand_patch(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target, size_t pitch);

#ifdef FF_HAVE_AVX2
void ff_mask_unchanged_avx2(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint32_t *masked);
void ff_map_indices_avx2(const uint8_t *indices, uint32_t count, const uint8_t *slots, uint32_t colours, uint8_t *target);
int ff_collect_palette_avx2(ff_palette *palette, const uint32_t *tile, ff_box box);
void ff_expand_palette_avx2(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target,
                            size_t pitch);
#endif

#endif
