/* Finding what moved: scrolled text and dragged windows, at any distance and in any direction, several at once.
 *
 * Windows of 16 pixels with many colour changes are taken from the changed tiles and hashed; the same hash is rolled once
 * over the reference, and each equal hash votes for the vector between the two places. The hash is a polynomial whose
 * multiplier is a multiple of 16: in 64 bits a pixel's weight is 16^16 = 0 after sixteen steps, so old pixels drop out
 * without being subtracted. */
#ifndef FF_MOTION_H
#define FF_MOTION_H

#include "isa.h"

/* Vectors looked at in one frame; recorded desktops hardly ever gain from more than four. */
#define FF_VECTORS 8u
#define FF_MOTION_WINDOWS 4096u
#define FF_MOTION_VOTES 4096u
/* Below this many changed tiles there is too little to gain. */
#define FF_MOTION_MIN_TILES 4u

/* The pixels of a moved tile stood at (x + dx, y + dy) in the frame before. */
typedef struct ff_vector {
    int32_t dx, dy;
} ff_vector;

typedef struct ff_motion {
    ff_vector vectors[FF_VECTORS]; /* most votes first */
    uint32_t vector_count;
    struct {
        uint64_t hash;
        uint32_t x, y;
        int32_t next;
    } windows[FF_MOTION_WINDOWS];
    uint32_t window_count;
    int32_t buckets[FF_MOTION_WINDOWS];
    uint64_t filter[2048]; /* a bit for each value of the top 17 bits of a hash */
    struct {
        ff_vector vector;
        uint32_t count;
    } votes[FF_MOTION_VOTES];
    uint32_t vote_count;
} ff_motion;

/* motion_search: finds the vectors of a frame. `tiles`: the loaded tiles, FF_TILE_PIXELS each; only those with dirty[t] are read.
 * `reference`: the frame before, width pixels a row. Reads the reference only in the rows and columns of tiles where
 * something changed. */
void ff_motion_search_scalar(ff_motion *motion, const ff_geometry *geometry, const uint32_t *tiles, const uint8_t *dirty,
                             size_t dirty_count, const uint32_t *reference);

#ifdef FF_HAVE_AVX2
void ff_motion_search_avx2(ff_motion *motion, const ff_geometry *geometry, const uint32_t *tiles, const uint8_t *dirty,
                           size_t dirty_count, const uint32_t *reference);
#endif

#endif
