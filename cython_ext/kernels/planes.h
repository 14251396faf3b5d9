/* The planes of a packet: what frame_encode.c writes and frame_decode.c reads, as SPEC.md lays them out. */
#ifndef FF_PLANES_H
#define FF_PLANES_H

#include <stddef.h>
#include <stdint.h>

/* Plane numbers are bit numbers in a packet's plane mask; all from FF_PLANES on are reserved. */
enum ff_plane_number {
    FF_PLANE_OPERATIONS, /* per coded tile: tiles skipped since the last one, then the operation byte */
    FF_PLANE_BOXES,      /* per boxed tile: x, y, width - 1, height - 1 */
    FF_PLANE_COLOURS,    /* new colours of the colour table, slots of solid tiles */
    FF_PLANE_INDICES,    /* palette tiles: a slot number for each pixel */
    FF_PLANE_XOR,        /* XOR tiles: G, B and R of all pixels, tile by tile */
    FF_PLANE_GREEN,      /* photo tiles: residuals of G, */
    FF_PLANE_BLUE,       /* of B - G */
    FF_PLANE_RED,        /* and of R - G */
    FF_PLANES
};

/* An operation byte: the mode in the low four bits, flags above; bits 6 and 7 are reserved. */
enum ff_mode { FF_MODE_UNCHANGED, FF_MODE_SOLID, FF_MODE_PALETTE, FF_MODE_PHOTO, FF_MODE_XOR, FF_MODES };
#define FF_OPERATION_MODE 0x0Fu
#define FF_OPERATION_BOXED 0x10u       /* a box follows in the plane of boxes; else the whole tile */
#define FF_OPERATION_NEW_COLOURS 0x20u /* colours enter the table before the tile is drawn */
#define FF_OPERATION_KNOWN 0x3Fu

/* A skip of 255 means 255 tiles and that another skip byte follows. */
#define FF_SKIP_MORE 255u

/* Bytes of each plane that one tile takes at most; a packet holds each tile at most once. An operation takes two bytes, and
 * all skips together add at most one byte for every 255 tiles, and one. */
#define FF_MAX_OPERATION_BYTES 3u
#define FF_MAX_BOX_BYTES 4u
#define FF_MAX_COLOUR_BYTES (1u + 4u * 255u)

#endif
