/* Planes back into pixels: the whole of the decoder but zstd and the packet around it.
 *
 * A packet is read twice: ff_check_planes proves that every operation stays inside its tile and every plane is used up
 * exactly, and changes nothing; ff_apply_planes then cannot fail. So a bad packet never leaves half a picture. */
#ifndef FF_FRAME_DECODE_H
#define FF_FRAME_DECODE_H

#include "colours.h"
#include "pixel_model.h"
#include "planes.h"

typedef struct ff_plane_view {
    const uint8_t *data;
    size_t size;
} ff_plane_view;

/* A coded tile's share in each plane, in no unit. */
typedef struct ff_tile_weights {
    uint32_t tile;
    uint32_t weights[FF_PLANES];
} ff_tile_weights;

typedef struct ff_frame_decoder {
    ff_geometry geometry;
    uint32_t colours[FF_TABLES][FF_TABLE_SLOTS]; /* the colour tables; X = 255 */
    uint32_t cache_slots;
    uint32_t *cache;                   /* FF_TILE_PIXELS a slot, zeroed by the caller */
    ff_pixel_model *model;             /* needed, and reset by the caller, when modelled_pixels is not 0 for the first time */
    uint32_t modelled_pixels;          /* of the packet being decoded, as it states them */
    ff_range_decoder range_coder;      /* scratch */
    uint32_t *moved;                   /* scratch, FF_TILE_PIXELS a tile: where copied tiles wait to be drawn */
    uint8_t *modes;                    /* a byte a tile: enum ff_mode of the last packet */
    ff_tile_weights *coded;            /* capacity: one a tile; those of the last packet */
    uint32_t coded_count;
    ff_box *dirty;                     /* capacity: one a tile */
    uint32_t dirty_count;              /* rectangles of the last packet, in frame pixels */
} ff_frame_decoder;

typedef enum ff_fault {
    FF_OK,
    FF_FAULT_PLANE_SHORT,     /* a plane ended inside an operation */
    FF_FAULT_PLANE_LONG,      /* a plane holds more than the operations use */
    FF_FAULT_OPERATION,       /* unknown mode, or a flag that the mode may not have */
    FF_FAULT_TILE,            /* a tile is named twice */
    FF_FAULT_BOX,             /* a box leaves its tile */
    FF_FAULT_VECTOR,          /* an unknown vector, or one that leaves the frame */
    FF_FAULT_SLOT,            /* a cache slot that does not exist */
    FF_FAULT_TABLE,           /* a colour table that does not exist */
} ff_fault;

/* Makes the colour tables black; a decoder serves one epoch. */
void ff_decoder_init(ff_frame_decoder *decoder);

/* Checks FF_PLANES planes; on a fault stores the number of the plane in which it was found. Of the modelled plane the number of
 * pixels is checked: its bytes are not, since any bytes are some pixels. */
ff_fault ff_check_planes(const ff_frame_decoder *decoder, const ff_plane_view *planes, int *plane);

/* Draws planes that were checked into `framebuffer` (width * height pixels) and fills modes, coded and dirty. */
void ff_apply_planes(ff_frame_decoder *decoder, const ff_plane_view *planes, uint32_t *framebuffer);

#endif
