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
/* And of those from which a picture moved without staying equal: eight save half a percent more of synthetic films, nothing elsewhere. */
#define FF_DRIFTS 4u
#define FF_MOTION_WINDOWS 4096u
#define FF_MOTION_VOTES 4096u
/* Below this many changed tiles there is too little to gain. */
#define FF_MOTION_MIN_TILES 4u

/* The pixels of a moved tile stood at (x + dx, y + dy) in the frame before. */
typedef struct ff_vector {
    int32_t dx, dy;
} ff_vector;

/* Where in a frame a window stands. */
typedef struct ff_window {
    uint64_t hash;
    uint32_t x, y;
} ff_window;

/* Those that were taken from one tile. */
#define FF_TILE_WINDOWS 3u
typedef struct ff_tile_windows {
    ff_window windows[FF_TILE_WINDOWS];
    uint32_t count;
} ff_tile_windows;

/* Votes for vectors, in a hash table. Zeroed by the caller before its first use. */
typedef struct ff_votes {
    struct {
        ff_vector vector;
        uint32_t count;
    } slots[FF_MOTION_VOTES];
    uint16_t taken[FF_MOTION_VOTES / 2]; /* slots in the order in which they were first voted for */
    uint32_t count;                      /* how many these are */
} ff_votes;

typedef struct ff_motion {
    ff_vector vectors[FF_VECTORS + FF_DRIFTS]; /* most votes first; then drifts (drift.h), the one that gains most first */
    uint32_t vector_count, drift_count;
    struct {
        ff_window window;
        int32_t next;
    } windows[FF_MOTION_WINDOWS];
    uint32_t window_count;
    int32_t buckets[FF_MOTION_WINDOWS];
    uint64_t filter[2048]; /* a bit for each value of the top 17 bits of a hash */
    ff_votes votes;
} ff_motion;

/* Rows of tiles that vote in one table. Several threads may take some of these bands each, and the vectors hang on the bands alone:
 * where a table is full, on what came first. */
#define FF_MOTION_BAND 3u

/* A search takes these steps. motion_take: takes the windows of a loaded tile, `area` of the frame. */
void ff_motion_take_scalar(const uint32_t *tile, ff_box area, ff_tile_windows *taken);

/* Collects what was taken from the tiles with dirty[t], `dirty_count` of them. Returns the number of bands to look for it in: 0 where
 * there is too little. */
uint32_t ff_motion_begin(ff_motion *motion, const ff_geometry *geometry, const ff_tile_windows *taken, const uint8_t *dirty,
                         size_t dirty_count);

/* motion_vote: looks in one band of `reference`, the frame before, width pixels a row, only in the rows and columns of tiles where
 * something changed. Replaces what `votes` held. */
void ff_motion_vote_scalar(const ff_motion *motion, const ff_geometry *geometry, const uint8_t *dirty,
                           const uint32_t *reference, uint32_t band, ff_votes *votes);

/* Finds the vectors: those with most of the votes of all bands, which follow each other in `bands`. */
void ff_motion_end(ff_motion *motion, const ff_votes *bands, uint32_t band_count);

#ifdef FF_HAVE_AVX2
void ff_motion_take_avx2(const uint32_t *tile, ff_box area, ff_tile_windows *taken);
void ff_motion_vote_avx2(const ff_motion *motion, const ff_geometry *geometry, const uint8_t *dirty,
                         const uint32_t *reference, uint32_t band, ff_votes *votes);
#endif

#endif
