/* Tiles of few colours: collecting a tile's colours, the colour table that lives through an epoch, and drawing a tile
 * from indices into that table. */
#ifndef FF_PALETTE_H
#define FF_PALETTE_H

#include "isa.h"

#define FF_TABLE_SLOTS 256u
/* Tiles with more colours are photos. The count of new colours of a tile is one byte on the wire, hence < 256. */
#define FF_PALETTE_MAX 255u

/* The colours of one box, in order of first appearance, and each pixel's index into them. */
typedef struct ff_palette {
    uint32_t count;
    uint32_t transitions; /* pixels that equal neither their left nor their upper neighbour: what indices cost */
    uint32_t colours[FF_PALETTE_MAX];
    uint8_t indices[FF_TILE_PIXELS]; /* rows of the box, without gaps */
    /* A hash map from colour to index that need not be cleared: an entry counts only if its stamp is the current one. */
    uint32_t stamp;
    struct {
        uint32_t stamp, colour, index;
    } map[1024];
} ff_palette;

/* Collects the colours of `box` of a loaded tile. Returns 0, or -1 when there are more than FF_PALETTE_MAX; then only
 * the map's stamp is of use. The palette starts out zeroed. */
int ff_collect_palette(ff_palette *palette, const uint32_t *tile, ff_box box);

/* The encoder's side of the colour table: 256 slots, a hash map from colour to slot, and a list of the slots by last use,
 * so that the colour unused for longest makes room. The decoder needs none of this, only the slots' colours. */
typedef struct ff_colour_table {
    uint32_t colours[FF_TABLE_SLOTS];
    int16_t buckets[1024];         /* first slot of each hash value, -1: none */
    int16_t next[FF_TABLE_SLOTS];  /* next slot of the same hash value, -1: none */
    uint8_t used[FF_TABLE_SLOTS];  /* slot holds a colour that was announced */
    uint8_t newer[FF_TABLE_SLOTS], older[FF_TABLE_SLOTS];
    uint8_t newest, oldest;
} ff_colour_table;

void ff_colour_table_reset(ff_colour_table *table);

/* Finds every colour of the palette a slot, evicting those unused for longest: slots[i] becomes the slot of
 * palette->colours[i], `announced` lists the indices i of the colours that were not in the table. Returns how many were
 * announced. `slots` and `announced` hold palette->count entries. */
uint32_t ff_colour_table_assign(ff_colour_table *table, const ff_palette *palette, uint8_t *slots, uint8_t *announced);

/* How many of the palette's colours are not in the table; changes nothing. */
uint32_t ff_colour_table_missing(const ff_colour_table *table, const ff_palette *palette);

/* expand_palette: target pixel = colours[index] for the box.width * box.height indices; box.x and box.y are not used.
 * `colours` has 256 entries, so that no index is out of range. */
void ff_expand_palette_scalar(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target,
                              size_t pitch);
#ifdef FF_HAVE_AVX2
void ff_expand_palette_avx2(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target,
                            size_t pitch);
#endif

#endif
