/* The encoder's side of the colour tables: which colours the decoder knows, and under which number.
 *
 * There are 16 tables of 256 slots, which live through the epoch; every drawn tile uses one of them. So parts of the screen
 * that have little in common do not take each other's slots. Every colour has a few slots of its own, the same in all tables,
 * and enters the first of them that no other colour of the tile is in, whatever was there; a grey has one slot, its own. So the same
 * text gives the same indices in all tables, and its colours the same four bytes each. To announce a colour again costs less than indices that zstd does not
 * find again. The decoder needs none of this, only the slots' colours. */
#ifndef FF_COLOURS_H
#define FF_COLOURS_H

#include "palette.h"

#define FF_TABLES 16u

/* What the choice of a table hangs on. */
typedef struct ff_colour_tables {
    uint32_t colours[FF_TABLE_SLOTS][FF_TABLES]; /* a slot of all tables side by side: they are searched together */
    uint64_t used_last[FF_TABLES];               /* when a tile used the table last; 0: never */
} ff_colour_tables;

typedef struct ff_colours {
    ff_colour_tables tables;
    uint64_t used[FF_TABLES][FF_TABLE_SLOTS]; /* when a tile used the slot last; 0: never */
    uint64_t clock; /* tiles drawn in this epoch: 2^32 of them are a day or two of full change */
} ff_colours;

void ff_colours_reset(ff_colours *colours);

/* count_unknown: how many colours of a palette each table does not know. */
void ff_count_unknown_scalar(const ff_colour_tables *tables, const ff_palette *palette, uint32_t unknown[FF_TABLES]);
#ifdef FF_HAVE_AVX2
void ff_count_unknown_avx2(const ff_colour_tables *tables, const ff_palette *palette, uint32_t unknown[FF_TABLES]);
#endif

/* The table for a tile: the one that knows most of its colours; when none knows three eighths of them, and there are more than four,
 * the one unused for longest. Stores how many colours the former does not know. Changes nothing. */
uint32_t ff_colours_choose(const ff_colour_tables *tables, const ff_palette *palette, uint32_t *missing);

/* Finds every colour of the palette a slot in `table`: slots[i] becomes the slot of palette->colours[i], `announced` lists the
 * indices i of the colours that are new, in the order of these. Returns their number. FF_NO_COLOUR gets FF_KEEP_SLOT, which no colour
 * ever gets. `slots` holds palette->count entries, `announced` one more, which is touched. */
uint32_t ff_colours_assign(ff_colours *colours, uint32_t table, const ff_palette *palette, uint8_t *slots,
                           uint8_t *announced);

#endif
