/* What can be said about a changed tile without asking what the encoder did with other tiles: where it differs, what it could be
 * made from, and what drawing it would cost.
 *
 * The encoder's choice also hangs on its colour tables and its cache, which every tile changes, so tiles are chosen one after
 * the other. The steps here come before, read nothing that coding a tile writes, and may be done for many tiles at once. Each
 * is done once, when it is first asked for: what coding a tile does not need is not computed. */
#ifndef FF_ANALYSE_H
#define FF_ANALYSE_H

#include "cache.h"
#include "colours.h"
#include "palette.h"

struct ff_frame_encoder;

/* What a tile can be made from, before anything is drawn on it. */
typedef struct ff_base {
    const uint32_t *pixels; /* the frame before, at the tile's place or where it moved from */
    uint32_t changed;       /* pixels that differ */
    ff_box box;             /* where */
} ff_base;

/* What the encoder knew at one time. */
typedef struct ff_known {
    ff_colour_tables tables;
    ff_cache_filter cache;
} ff_known;

enum ff_analysis_step { FF_ANALYSED_CHANGE = 1, FF_ANALYSED_BASE = 2, FF_ANALYSED_COLOURS = 4, FF_ANALYSED_PHOTO = 8 };

typedef struct ff_analysis {
    const ff_known *known; /* to foresee by which steps will be asked for; only ff_analyse_tiles needs it */
    uint32_t steps;   /* those done, a bit each; 0 makes room for another tile */
    uint32_t changed; /* pixels that differ from the frame before, at the same place */
    ff_box box;       /* where */
    uint64_t hash;    /* of the whole tile; not of one where few pixels changed */
    int32_t vector;   /* the vector whose source resembles the tile more than its own place does, or -1 */
    ff_base base;
    uint8_t has_palette, has_patch;    /* there are few enough colours */
    uint32_t palette_bits, patch_bits; /* besides new colours */
    ff_palette palette, patch;         /* of the base's box: of all pixels, and of those that differ from the base */
    int32_t difference_vector; /* from whose source the difference is taken: that of the base, or one that resembles it more closely */
    uint32_t photo_bits, difference_bits; /* UINT32_MAX where the other is cheaper, or there is
                                             nothing before; where nothing else can be chosen, roughly */
    uint8_t photo[3][FF_TILE_PIXELS], difference[3][FF_TILE_PIXELS]; /* residuals of G, B - G, R - G */
} ff_analysis;

/* Whether so much of a tile has changed that it is worth to look where it may have come from. */
int ff_changed_much(const ff_analysis *analysis);

/* Whether so little of a box differs from its base that XOR may be the cheapest. */
int ff_changed_sparsely(const ff_base *base);

/* The steps, each of which does those before it: where tile number `tile`, which is dirty, differs, and its hash; */
void ff_analyse_change(const struct ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis);
/* what it is best made from; */
void ff_analyse_base(const struct ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis);
/* its colours; */
void ff_analyse_colours(const struct ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis);
/* and its residuals. */
void ff_analyse_photo(const struct ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis);

/* For a tile that the pixel model will draw: takes the source of a drift for the base where residuals from there seem to take fewer bits. */
void ff_analyse_drift(const struct ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis);

/* Whether drawing from a palette is so cheap that residuals are not even computed. */
int ff_is_drawing(const ff_palette *palette);

#endif
