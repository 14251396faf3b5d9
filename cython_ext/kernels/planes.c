#include "planes.h"

size_t ff_plane_capacity(const ff_geometry *geometry, int plane) {
    const size_t tiles = (size_t)geometry->columns * geometry->rows;
    const size_t pixels = (size_t)geometry->width * geometry->height;
    switch (plane) {
    case FF_PLANE_OPERATIONS:
        return FF_MAX_OPERATION_BYTES * tiles + 1;
    case FF_PLANE_BOXES:
        return FF_MAX_BOX_BYTES * tiles;
    case FF_PLANE_COLOURS:
        return FF_MAX_COLOUR_BYTES * tiles;
    case FF_PLANE_XOR:
        return 3 * pixels;
    case FF_PLANE_VECTORS:
        return 1 + FF_VECTOR_BYTES * FF_MAX_VECTORS + tiles;
    case FF_PLANE_CACHE:
        return FF_MAX_CACHE_BYTES * tiles;
    default:
        return pixels;
    }
}

size_t ff_plane_buffer_size(const ff_geometry *geometry, int plane) {
    const size_t capacity = ff_plane_capacity(geometry, plane);
    return plane == FF_PLANE_MODELLED ? FF_MAX_MODELLED_BYTES * capacity + FF_RANGE_CODER_ROOM : capacity;
}
