/* Finding what moved without staying equal: films, and what shows through a translucent window that is dragged.
 *
 * motion.h finds exact repeats at any distance. Here nothing repeats, but residuals relative to where a picture came from may take a
 * third less than relative to its own place. A few tiles of those that were drawn by residuals before are looked for in the frame
 * before, near their place, by the sum of absolute differences; the vectors that gain most are tried by all tiles. All this only where
 * exact repeats are looked for, too. */
#ifndef FF_DRIFT_H
#define FF_DRIFT_H

#include "motion.h"

/* Tiles that are looked for in a band of FF_MOTION_BAND rows of tiles. */
#define FF_BAND_DRIFTS 3u

/* A vector counts where it saves this part of the differences. */
#define FF_LEAST_GAIN 16u

typedef struct ff_drift {
    uint32_t tile;
    ff_vector vector;
    uint32_t least; /* the sum of differences from what the frame before holds at its own place, or at a vector that was chosen */
} ff_drift;

/* Those of one band. */
typedef struct ff_band_drifts {
    ff_drift drifts[FF_BAND_DRIFTS];
    uint32_t count;
} ff_band_drifts;

/* Looks for tiles of one band among those with both restless[t] and dirty[t] in `reference`, the frame before, width pixels a row.
 * `tiles`: FF_TILE_PIXELS a tile. */
void ff_look_for_drifts(const ff_geometry *geometry, const uint8_t *restless, const uint8_t *dirty, const uint32_t *tiles,
                        const uint32_t *reference, uint32_t band, ff_band_drifts *found);

/* Stores those of the found vectors that together gain most for all tiles that were looked for, FF_DRIFTS at most, and returns how many
 * these are. (A single tile of text fits as well where another line stood.) */
uint32_t ff_choose_drifts(const ff_geometry *geometry, const uint32_t *tiles, const uint32_t *reference, ff_band_drifts *bands,
                          uint32_t band_count, ff_vector *vectors);

/* Where the pixels of an area come from by a vector, or NULL where that is not wholly inside the frame. */
const uint32_t *ff_source_of(const ff_geometry *geometry, const uint32_t *reference, ff_box area, ff_vector vector);

/* The sum of absolute differences of all channels between a loaded tile and `source`, its supposed origin in a frame of `pitch` pixels a
 * row, in every eighth row. */
uint32_t ff_sum_differences(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch);

#endif
