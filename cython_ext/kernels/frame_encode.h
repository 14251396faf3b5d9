/* One frame into planes: the whole of the encoder but zstd and the packet around it. */
#ifndef FF_FRAME_ENCODE_H
#define FF_FRAME_ENCODE_H

#include "palette.h"
#include "planes.h"

/* The caller allocates every buffer, zeroed, and keeps the structure for an epoch or longer. */
typedef struct ff_frame_encoder {
    ff_geometry geometry;
    uint32_t *reference;         /* width * height pixels: what the decoder shows; X = 255 */
    uint8_t *dirty;              /* a byte a tile: differs from the reference and is not coded yet */
    uint8_t *modes;              /* a byte a tile: enum ff_mode of the packet being written */
    uint8_t *planes[FF_PLANES];  /* capacity: ff_plane_capacity() */
    size_t sizes[FF_PLANES];     /* bytes written since ff_begin_chunk */
    uint32_t position;           /* the tile that a skip of 0 would name */
    ff_colour_table colours;
    ff_palette palette;
    uint32_t tile[FF_TILE_PIXELS];
} ff_frame_encoder;

/* Bytes that plane `plane` of one packet takes at most. */
size_t ff_plane_capacity(const ff_geometry *geometry, int plane);

/* Forgets the epoch: black reference, empty colour table, nothing dirty. */
void ff_encoder_reset(ff_frame_encoder *encoder);

/* Begins a packet: compares the frame with the reference and sets `dirty` and clears `modes`. `candidates`: one byte a tile,
 * NULL for all; tiles without a candidate are taken for unchanged. Returns the number of dirty tiles. */
size_t ff_begin_packet(ff_frame_encoder *encoder, const uint8_t *frame, ptrdiff_t stride, const uint8_t *candidates);

/* Codes dirty tiles from tile `start` on, around the end of the frame to the tile before `start`, until none is left or
 * the estimated size reaches `bit_budget`, at least one; updates the reference for each. The planes then hold this
 * chunk only: those of several chunks of one packet, each continuing where the last one stopped, are joined by the
 * caller. Returns the number of tiles that are still dirty, and stores where to continue and the estimate in bits. The
 * frame may change while it is read (a capture buffer): every tile is loaded once, and what is coded is what was loaded. */
size_t ff_encode_tiles(ff_frame_encoder *encoder, const uint8_t *frame, ptrdiff_t stride, uint32_t start,
                       uint64_t bit_budget, uint32_t *next, uint64_t *estimate);

#endif
