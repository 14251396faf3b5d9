#include "tile.h"

#include <string.h>

ff_geometry ff_make_geometry(uint32_t width, uint32_t height) {
    ff_geometry geometry = {width, height, (width + FF_TILE - 1) / FF_TILE, (height + FF_TILE - 1) / FF_TILE};
    return geometry;
}

ff_box ff_tile_area(const ff_geometry *geometry, uint32_t tile) {
    ff_box area;
    area.x = tile % geometry->columns * FF_TILE;
    area.y = tile / geometry->columns * FF_TILE;
    area.width = geometry->width - area.x < FF_TILE ? geometry->width - area.x : FF_TILE;
    area.height = geometry->height - area.y < FF_TILE ? geometry->height - area.y : FF_TILE;
    return area;
}

void ff_store_box(const uint32_t *tile, ff_box box, uint32_t *target, size_t pitch) {
    tile += box.y * FF_TILE + box.x;
    for (uint32_t y = 0; y < box.height; y++, tile += FF_TILE, target += pitch)
        memcpy(target, tile, (size_t)box.width * 4);
}

void ff_fill_box(uint32_t *target, size_t pitch, ff_box box, uint32_t pixel) {
    for (uint32_t y = 0; y < box.height; y++, target += pitch)
        for (uint32_t x = 0; x < box.width; x++)
            target[x] = pixel;
}
