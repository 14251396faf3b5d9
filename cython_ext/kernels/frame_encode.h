/* One frame into planes: the whole of the encoder but zstd and the packet around it. */
#ifndef FF_FRAME_ENCODE_H
#define FF_FRAME_ENCODE_H

#include "cache.h"
#include "colours.h"
#include "motion.h"
#include "pixel_model.h"
#include "planes.h"

/* The caller allocates every buffer, zeroed, and keeps the structure for an epoch or longer. */
typedef struct ff_frame_encoder {
    ff_geometry geometry;
    uint32_t *reference;         /* width * height pixels: what the decoder shows; X = 255 */
    uint32_t *tiles;             /* FF_TILE_PIXELS a tile: the changed tiles of the frame being coded */
    uint8_t *dirty;              /* a byte a tile: differs from the reference and is not coded yet */
    uint8_t *modes;              /* a byte a tile: enum ff_mode of the packet being written */
    ff_box *boxes;               /* a tile: what the packet draws of it; width 0: nothing */
    uint32_t *changed_at;        /* a tile: number of the packet that changed it last */
    uint8_t *planes[FF_PLANES];  /* capacity: ff_plane_buffer_size() */
    size_t sizes[FF_PLANES];     /* bytes written since ff_begin_packet or by the last ff_encode_tiles */
    const uint32_t *hash_keys;   /* for width pixels, and FF_TILE at least */
    uint32_t packet;             /* number of the packet, from 1 in each epoch */
    uint32_t position;           /* the tile that a skip of 0 would name */
    uint8_t vectors_written;     /* the packet's list of vectors stands in its plane */
    ff_motion motion;
    ff_cache cache;
    ff_colours colours;
    ff_pixel_model *model;       /* draws all that is neither copied nor cached; NULL: the other modes do */
    ff_range_encoder range_coder; /* of the modelled plane: the whole packet, not one ff_encode_tiles */
    uint32_t modelled_pixels;    /* in the packet so far */
    ff_palette palette, patch;             /* scratch */
    uint32_t patch_pixels[FF_TILE_PIXELS];
    uint8_t differences[3][FF_TILE_PIXELS];
} ff_frame_encoder;

/* What plane `plane` of one packet may state as its size before compression at most: bytes; pixels for the modelled plane. */
size_t ff_plane_capacity(const ff_geometry *geometry, int plane);

/* The bytes that an encoder's buffer for that plane holds: for the modelled plane more than its capacity. */
size_t ff_plane_buffer_size(const ff_geometry *geometry, int plane);

/* Forgets the epoch: black reference, empty colour tables and cache, a model that knows nothing, nothing dirty. */
void ff_encoder_reset(ff_frame_encoder *encoder);

/* Begins a packet: compares the frame with the reference, loads the tiles that differ and looks for motion. `candidates`: one
 * byte a tile, NULL for all; tiles without a candidate are taken for unchanged. Returns the number of dirty tiles. The frame
 * is not needed afterwards, and may change while it is read (a capture buffer): what is coded is what was loaded. */
size_t ff_begin_packet(ff_frame_encoder *encoder, const uint8_t *frame, ptrdiff_t stride, const uint8_t *candidates);

/* Codes dirty tiles from tile `start` on, around the end of the frame to the tile before `start`, until none is left, the
 * estimated size reaches `bit_budget`, or another tile could make the planes grow by more than `byte_room` together;
 * at least one. The planes then hold this chunk only: those of several chunks of one packet, each continuing where the last one
 * stopped, are joined by the caller. The modelled plane alone goes on through the packet, and stands in its buffer when the packet
 * has ended. Returns the number of tiles that are still dirty, and stores where to continue and the estimate in bits. */
size_t ff_encode_tiles(ff_frame_encoder *encoder, uint32_t start, uint64_t bit_budget, uint64_t byte_room,
                       uint32_t *next, uint64_t *estimate);

/* Ends a packet: ends the modelled plane, and brings the reference up to what was coded. */
void ff_end_packet(ff_frame_encoder *encoder);

#endif
