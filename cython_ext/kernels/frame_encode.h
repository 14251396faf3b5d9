/* One frame into planes: the whole of the encoder but zstd and the packet around it. */
#ifndef FF_FRAME_ENCODE_H
#define FF_FRAME_ENCODE_H

#include "analyse.h"
#include "cache.h"
#include "colours.h"
#include "drift.h"
#include "motion.h"
#include "pixel_model.h"
#include "planes.h"

/* Tiles that several threads analyse and choose at a time: enough that few of them wait for the last one, in some 5 MB. */
#define FF_ANALYSES 128u
/* Windows under way at a time: one is chosen while others are analysed, and of these two, so that whoever is done with one has
 * another to go on with. */
#define FF_WINDOWS 3u

/* The caller allocates every buffer, zeroed but for pixels and planes, and keeps the structure for an epoch or longer. */
typedef struct ff_frame_encoder {
    ff_geometry geometry;
    uint32_t *reference;         /* width * height pixels: what the decoder shows; X = 255 */
    uint64_t *repeats;           /* a tile: a bit for each row of the reference that equals the row above it in the tile */
    uint32_t *tiles;             /* FF_TILE_PIXELS a tile: the changed tiles of the frame being coded */
    uint8_t *dirty;              /* a byte a tile: differs from the reference and is not coded yet */
    uint8_t *modes;              /* a byte a tile: enum ff_mode of the packet being written */
    ff_box *boxes;               /* a tile: what the packet draws of it; width 0: nothing */
    uint32_t *changed_at;        /* a tile: number of the packet that changed it last */
    uint64_t *hashes;            /* a tile: the hash of what the reference shows of it, 0 where it is not known */
    uint8_t *restless;           /* a byte a tile: when it was drawn last, residuals drew all of it */
    uint16_t *excesses;          /* a tile: see texture.h */
    uint32_t *order;             /* a tile: those that are dirty, in the order in which they are coded */
    size_t order_count, coded;   /* how many these are, and how many of them have been coded */
    uint8_t *planes[FF_PLANES];  /* capacity: ff_plane_buffer_size() */
    size_t sizes[FF_PLANES];     /* bytes written since ff_begin_part; of the modelled plane: by ff_end_packet */
    uint64_t part_bits;          /* estimate of what these are after compression */
    const uint32_t *hash_keys;   /* for width pixels, and FF_TILE at least */
    uint32_t packet;             /* number of the packet, from 1 in each epoch */
    uint32_t position;           /* the tile that a skip of 0 would name */
    uint8_t vectors_written;     /* the packet's list of vectors stands in its plane */
    ff_tile_windows *windows;    /* a tile: what the search for motion takes from it, if it is dirty */
    ff_motion motion;
    ff_votes *votes;             /* a band of FF_MOTION_BAND rows of tiles */
    ff_band_drifts *drifts;      /* likewise */
    uint32_t bands;              /* to look for motion in */
    ff_cache cache;
    ff_colours colours;
    ff_known known[FF_WINDOWS];  /* of the last windows that began */
    uint32_t windows_begun;
    ff_pixel_model *model;        /* draws what is neither copied nor cached, but for textures; NULL: the other modes do */
    ff_range_encoder range_coder; /* of the modelled plane: the whole packet */
    size_t part_start;            /* its bytes when the part began */
    uint32_t modelled_pixels;     /* in the packet so far */
    ff_analysis analysis;         /* scratch, of the tile being coded */
} ff_frame_encoder;

/* Forgets the epoch: a reference that will be black, empty colour tables and cache, nothing dirty. The caller resets the model. */
void ff_encoder_reset(ff_frame_encoder *encoder);

/* A packet is coded in steps. The first forgets the packet before; */
void ff_begin_packet(ff_frame_encoder *encoder);

/* the second compares the frame with the reference, and loads the tiles that differ: in tile rows `first` up to `end`, so that
 * several threads can take some each. `candidates`: one byte a tile of the frame, NULL for all; tiles without a candidate are
 * taken for unchanged. Returns the number of dirty tiles in these rows. The frame is not needed afterwards, and may change while
 * it is read (a capture buffer): what is coded is what was loaded. In the first packet of an epoch all rows are to be compared: it
 * is here that the reference becomes black. */
size_t ff_compare_rows(ff_frame_encoder *encoder, const uint8_t *frame, ptrdiff_t stride, const uint8_t *candidates,
                       uint32_t first, uint32_t end);

/* The third, once all rows have been compared, puts the dirty tiles in the order in which they are coded: from tile `start` on, around
 * the end of the frame to the tile before `start`; and tells in how many `bands` motion is to be looked for. */
void ff_begin_tiles(ff_frame_encoder *encoder, uint32_t start);

/* The fourth does so, in bands `first` up to `end`. Several threads may take some each. */
void ff_look_for_motion(ff_frame_encoder *encoder, uint32_t first, uint32_t end);

/* The fifth, once all bands have been looked in. */
void ff_end_motion(ff_frame_encoder *encoder);

/* Then follow parts of the packet, whose planes the caller joins. Begins one: the planes are empty. (The modelled plane alone goes
 * on through the packet, and stands in its buffer when the packet has ended.) */
void ff_begin_part(ff_frame_encoder *encoder);

/* Begins a window: dirty tiles from number `first` up to `end` of the order, that are to be analysed by what the colour tables and
 * the cache know now. Not while tiles are coded, and only when those of the window FF_WINDOWS before it have been. `analyses`: see
 * ff_encode_tiles. */
void ff_begin_window(ff_frame_encoder *encoder, size_t first, size_t end, ff_analysis *analyses);

/* Does all steps of the analysis of tiles of a window, from number `first` up to `end` of the order, that coding them would ask for if
 * the tables were as they were when it began, but for the textures of effort "tight". What coding a tile asks for otherwise it does
 * then, so what was known changes how long it takes, and nothing else. Several threads may do so for different tiles, also while
 * ff_encode_tiles codes those of other windows. */
void ff_analyse_tiles(const ff_frame_encoder *encoder, size_t first, size_t end, ff_analysis *analyses);

/* Codes the next `count` dirty tiles, of which so many must be left, into the planes of the part, behind what is there. Stops when
 * the part's estimate reaches `bit_budget`, or another tile could make its planes larger than `byte_room` together; a part has at
 * least one tile that differs, if there is one. `analyses`: FF_ANALYSES of them, that of the i-th tile of the order at index
 * i % FF_ANALYSES, as far as ff_analyse_tiles has got; NULL: none yet. */
void ff_encode_tiles(ff_frame_encoder *encoder, size_t count, ff_analysis *analyses, uint64_t bit_budget,
                     uint64_t byte_room);

/* Ends a packet when its last part has been coded: the modelled plane then stands in its buffer. */
void ff_end_packet(ff_frame_encoder *encoder);

/* Brings tile rows `first` up to `end` of the reference up to what was coded, and with `row_hashes` not NULL stores the hash of each
 * of their pixel rows at its index there, for ff_join_row_hashes. Several threads may take some rows each. All rows are to be taken
 * before the next packet begins. */
void ff_end_rows(ff_frame_encoder *encoder, uint32_t first, uint32_t end, uint64_t *row_hashes);

#endif
