/* The planes of a packet: what frame_encode.c writes and frame_decode.c reads, as SPEC.md lays them out. */
#ifndef FF_PLANES_H
#define FF_PLANES_H

#include "tile.h"

/* Plane numbers are bit numbers in a packet's plane mask; all from FF_PLANES on are reserved. */
enum ff_plane_number {
    FF_PLANE_OPERATIONS, /* per coded tile: tiles skipped since the last one, then the operation byte */
    FF_PLANE_BOXES,      /* per boxed tile: x, y, width - 1, height - 1 */
    FF_PLANE_COLOURS,    /* per drawn tile: its colour table, new colours of it, the slot of a solid tile */
    FF_PLANE_INDICES,    /* palette and patch tiles: a slot number for each pixel */
    FF_PLANE_XOR,        /* XOR tiles: G, B and R of all pixels, tile by tile */
    FF_PLANE_GREEN,      /* photo and difference tiles: residuals of G, */
    FF_PLANE_BLUE,       /* of B - G */
    FF_PLANE_RED,        /* and of R - G */
    FF_PLANE_VECTORS,    /* the packet's vectors, then per moved tile the number of one */
    FF_PLANE_CACHE,      /* cache slots: per cached tile its own, per kept tile the one it goes to */
    FF_PLANE_MODELLED,   /* modelled tiles: what the range coder wrote, all of them in one; no zstd stream */
    FF_PLANES
};

/* An operation byte: the mode in the low four bits, flags above. */
enum ff_mode {
    FF_MODE_UNCHANGED,
    FF_MODE_SOLID,
    FF_MODE_PALETTE,
    FF_MODE_PHOTO,
    FF_MODE_XOR,
    FF_MODE_DIFFERENCE, /* a photo of the difference from what the tile holds */
    FF_MODE_COPY,       /* nothing is drawn on the moved tile */
    FF_MODE_CACHED,     /* the whole tile from the cache */
    FF_MODE_PATCH,      /* palette, but slot 0 leaves the pixel as it is */
    FF_MODE_MODELLED,   /* the pixels come from the pixel model */
    FF_MODES
};
#define FF_OPERATION_MODE 0x0Fu
#define FF_OPERATION_BOXED 0x10u       /* a box follows in the plane of boxes; else the whole tile */
#define FF_OPERATION_NEW_COLOURS 0x20u /* colours enter the table before the tile is drawn */
#define FF_OPERATION_MOVED 0x40u       /* the tile is first filled from elsewhere in the frame before the packet */
#define FF_OPERATION_KEEP 0x80u        /* what the tile held before the packet enters the cache */

/* A skip of 255 means 255 tiles and that another skip byte follows. */
#define FF_SKIP_MORE 255u

/* Bytes of each plane that one tile takes at most; a packet holds each tile at most once. An operation takes two bytes, and
 * all skips together add at most one byte for every 255 tiles, and one. */
#define FF_MAX_OPERATION_BYTES 3u
#define FF_MAX_BOX_BYTES 4u
#define FF_MAX_COLOUR_BYTES (1u + 1u + 4u * 255u + 1u)
#define FF_MAX_CACHE_BYTES 4u
/* The list of vectors: a count, then dx and dy in 16 bits each. */
#define FF_MAX_VECTORS 255u
#define FF_VECTOR_BYTES 4u
/* What the pixel model writes for one pixel at most, 100.1 bits: probabilities of spans stay within 63 and 65472 of 65536, 10.1 bits;
 * those of guesses 32 away from the ends, 11 bits three times; each class keeps 8 of 32768 in both distributions, 12 bits and 7 raw
 * ones three times. */
#define FF_MAX_MODELLED_BYTES 13u
/* More than one tile takes in all planes together: its pixels, and the small planes. Without the model a pixel takes at most
 * three bytes. */
#define FF_MAX_SMALL_BYTES 3072u
#define FF_MAX_MODELLED_TILE_BYTES (FF_MAX_MODELLED_BYTES * 64u * 64u + FF_MAX_SMALL_BYTES)
#define FF_MAX_TILE_BYTES (3u * 64u * 64u + FF_MAX_SMALL_BYTES)
/* What the range coder still writes when it ends, and what it may be ahead of the bound for each pixel by. */
#define FF_RANGE_CODER_ROOM 16u

/* What plane `plane` of one packet may state as its size before compression at most: bytes; pixels for the modelled plane. */
size_t ff_plane_capacity(const ff_geometry *geometry, int plane);

/* The bytes that an encoder's buffer for that plane holds: for the modelled plane more than its capacity. */
size_t ff_plane_buffer_size(const ff_geometry *geometry, int plane);

#endif
