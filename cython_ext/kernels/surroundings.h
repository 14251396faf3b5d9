/* What is around a tile, for the pixel model: both sides fill its window from what the decoder shows at that moment, each from
 * where it keeps that. */
#ifndef FF_SURROUNDINGS_H
#define FF_SURROUNDINGS_H

#include "pixel_model.h"

/* The first pixel of a tile as the decoder shows it, and the pixels from one row to the next. */
typedef const uint32_t *ff_find_tile(const void *canvas, uint32_t tile, size_t *pitch);

/* Fills the window around tile number `tile`: two rows above it and FF_MARGIN pixels at either side, from the five neighbours
 * there; what is outside of the frame becomes FF_OPAQUE. The middle of the window is not touched. */
void ff_surround_tile(ff_pixel_model *model, const ff_geometry *geometry, uint32_t tile, ff_find_tile *find_tile,
                      const void *canvas);

#endif
