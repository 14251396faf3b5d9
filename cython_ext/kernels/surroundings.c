#include "surroundings.h"

#include <string.h>

/* Fills a rectangle of the window, whose upper left corner is (x, y) relative to the tile. `source`: NULL, or the pixel for that
 * corner; of each row `known` pixels are copied, the others become FF_OPAQUE. */
static void fill_part(ff_pixel_model *model, int32_t x, int32_t y, uint32_t width, uint32_t height, const uint32_t *source,
                      size_t pitch, uint32_t known) {
    for (uint32_t row = 0; row < height; row++) {
        uint32_t *target = ff_model_window_at(model, x, y + (int32_t)row);
        if (known > 0)
            memcpy(target, source + row * pitch, known * sizeof *target);
        for (uint32_t i = known; i < width; i++)
            target[i] = FF_OPAQUE;
    }
}

void ff_surround_tile(ff_pixel_model *model, const ff_geometry *geometry, uint32_t tile, ff_find_tile *find_tile,
                      const void *canvas) {
    const ff_box area = ff_tile_area(geometry, tile);
    const uint32_t column = tile % geometry->columns;
    const int32_t above = -(int32_t)FF_ABOVE, margin = (int32_t)FF_MARGIN, right = (int32_t)area.width;
    /* The neighbour on the right may be narrower than the margin. */
    const uint32_t beyond = geometry->width - area.x - area.width, known = beyond < FF_MARGIN ? beyond : FF_MARGIN;
    size_t pitch = 0;

    for (int side = 0; side < 2; side++) { /* first the row of tiles above, then the tile's own */
        if (side == 0 && tile < geometry->columns) {
            fill_part(model, -margin, above, area.width + 2 * FF_MARGIN, FF_ABOVE, NULL, 0, 0);
            continue;
        }
        const uint32_t middle = side == 0 ? tile - geometry->columns : tile;
        const uint32_t height = side == 0 ? FF_ABOVE : area.height, first_row = side == 0 ? FF_TILE - FF_ABOVE : 0;
        const int32_t y = side == 0 ? above : 0;
        const uint32_t *pixels;
        if (column > 0) {
            pixels = find_tile(canvas, middle - 1, &pitch);
            fill_part(model, -margin, y, FF_MARGIN, height, pixels + first_row * pitch + FF_TILE - FF_MARGIN, pitch,
                      FF_MARGIN);
        } else {
            fill_part(model, -margin, y, FF_MARGIN, height, NULL, 0, 0);
        }
        if (side == 0) {
            pixels = find_tile(canvas, middle, &pitch);
            fill_part(model, 0, y, area.width, height, pixels + first_row * pitch, pitch, area.width);
        }
        if (known > 0) {
            pixels = find_tile(canvas, middle + 1, &pitch);
            fill_part(model, right, y, FF_MARGIN, height, pixels + first_row * pitch, pitch, known);
        } else {
            fill_part(model, right, y, FF_MARGIN, height, NULL, 0, 0);
        }
    }
}
