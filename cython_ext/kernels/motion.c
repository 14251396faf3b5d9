#include "motion.h"

#include <string.h>

#include "differing.h"

#define WINDOW 16u
/* An odd number times 16. */
#define MULTIPLIER (UINT64_C(0x9E3779B97F4A7C15) << 4)
/* Fewer changes of colour than this, and the window is likely to stand in many places. */
#define MIN_TRANSITIONS 4u
/* In the reference one fewer is enough: the first pixel of a window hardly weighs in its hash, so windows that differ there are
 * found as well, and mostly moved as well. */
#define ENOUGH_TRANSITIONS (MIN_TRANSITIONS - 1)
/* Windows of equal hash that are kept: more of them are a pattern that votes for everything. */
#define SAME_HASH 2u
/* Windows in a bucket, and places that are looked at for a vector: recorded screens have 6 and 7 at most. Someone who chooses pixels could
 * have all in one, and each pixel of the reference look through it. */
#define MOST_IN_BUCKET 8u
#define MOST_PLACES 16u
#define MIN_VOTES 2u
/* With so many windows, every second row of the reference holds enough of them, */
#define MANY_WINDOWS 150u
/* and with so many every fourth. */
#define VERY_MANY_WINDOWS 200u

/* The shifts below take the top bits of a hash for the sizes of these tables. */
_Static_assert(FF_MOTION_WINDOWS == 1u << (64 - 52), "buckets are numbered by 12 bits");
_Static_assert(FF_MOTION_VOTES == 1u << (32 - 20), "votes are numbered by 12 bits");
_Static_assert(sizeof ((ff_motion *)0)->filter == (1u << (64 - 47)) / 8, "the filter has 17 bits for its number");

static void add_window(ff_motion *motion, const ff_window *window) {
    int32_t *bucket = &motion->buckets[window->hash >> 52];
    uint32_t same = 0, all = 0;
    for (int32_t i = *bucket; i >= 0; i = motion->windows[i].next, all++)
        same += motion->windows[i].window.hash == window->hash;
    if (same >= SAME_HASH || all >= MOST_IN_BUCKET || motion->window_count == FF_MOTION_WINDOWS)
        return;
    motion->windows[motion->window_count].window = *window;
    motion->windows[motion->window_count].next = *bucket;
    *bucket = (int32_t)motion->window_count++;
    motion->filter[window->hash >> 53] |= UINT64_C(1) << (window->hash >> 47 & 63);
}

/* Of WINDOW pixels, those that differ from the ones `before` them, which stand at the same index of the other pointer. */
typedef uint32_t count_changes(const uint32_t *pixels, const uint32_t *before);

FF_INLINE uint32_t count_changes_scalar(const uint32_t *pixels, const uint32_t *before) {
    uint32_t changes = 0;
    for (uint32_t i = 0; i < WINDOW; i++)
        changes += pixels[i] != before[i];
    return changes;
}

/* Takes the windows with the most changes of colour, each from another third of the tile. */
FF_INLINE void take_windows(const uint32_t *tile, ff_box area, ff_tile_windows *taken, ff_compare_pixels differing) {
    taken->count = 0;
    for (uint32_t part = 0; part < FF_TILE_WINDOWS; part++) {
        const uint32_t first = area.height * part / FF_TILE_WINDOWS;
        const uint32_t last = area.height * (part + 1) / FF_TILE_WINDOWS;
        uint32_t best = MIN_TRANSITIONS - 1, best_x = 0, best_y = 0;
        for (uint32_t y = first; y < last; y += 3) {
            const uint32_t *row = tile + y * FF_TILE;
            const uint64_t changes = differing(row + 1, row, area.width - 1);
            for (uint32_t x = 0; x + WINDOW <= area.width; x += WINDOW) {
                const uint32_t transitions = ff_count_bits(changes >> x & ((1u << (WINDOW - 1)) - 1));
                if (transitions > best) {
                    best = transitions;
                    best_x = x;
                    best_y = y;
                }
            }
        }
        if (best < MIN_TRANSITIONS)
            continue;
        uint64_t hash = 0;
        for (uint32_t i = 0; i < WINDOW; i++)
            hash = hash * MULTIPLIER + tile[best_y * FF_TILE + best_x + i];
        taken->windows[taken->count++] = (ff_window){hash, area.x + best_x, area.y + best_y};
    }
}

static void clear_votes(ff_votes *votes) {
    for (uint32_t i = 0; i < votes->count; i++)
        votes->slots[votes->taken[i]].count = 0;
    votes->count = 0;
}

static void vote(ff_votes *votes, ff_vector vector, uint32_t number) {
    const uint32_t own = ((uint32_t)vector.dx * 0x9E3779B1u ^ (uint32_t)vector.dy * 0x85EBCA6Bu) >> 20;
    uint32_t slot = own;
    while (votes->slots[slot].count > 0) {
        if (votes->slots[slot].vector.dx == vector.dx && votes->slots[slot].vector.dy == vector.dy) {
            votes->slots[slot].count += number;
            return;
        }
        slot = (slot + 1) % FF_MOTION_VOTES;
        if (slot == (own + MOST_PLACES) % FF_MOTION_VOTES)
            return;
    }
    if (votes->count >= FF_MOTION_VOTES / 2)
        return; /* a page of patterns: the true vectors are in the table already, or never will stand out */
    votes->taken[votes->count++] = (uint16_t)slot;
    votes->slots[slot].vector = vector;
    votes->slots[slot].count = number;
}

/* Out of the loop that calls it, which would run short of registers. */
FF_NOINLINE static void found(const ff_motion *motion, uint64_t hash, uint32_t x, uint32_t y, ff_votes *votes) {
    for (int32_t i = motion->buckets[hash >> 52]; i >= 0; i = motion->windows[i].next) {
        const ff_window *window = &motion->windows[i].window;
        if (window->hash != hash)
            continue;
        const ff_vector vector = {(int32_t)x - (int32_t)window->x, (int32_t)y - (int32_t)window->y};
        /* Vectors are 16 bits on the wire. */
        if ((vector.dx != 0 || vector.dy != 0) && vector.dx >= INT16_MIN && vector.dx <= INT16_MAX &&
            vector.dy >= INT16_MIN && vector.dy <= INT16_MAX)
            vote(votes, vector, 1);
    }
}

/* Changes of colour at the pixels of columns `first` up to `end`, each against the pixel to its left. */
FF_INLINE uint32_t count_transitions(const uint32_t *row, uint32_t first, uint32_t end, count_changes count) {
    uint32_t transitions = 0;
    if (end - first == WINDOW)
        return count(row + first, row + first - 1);
    for (uint32_t x = first; x < end; x++)
        transitions += row[x] != row[x - 1];
    return transitions;
}

/* Rolls the hash over columns `first` up to `end` of four rows, `y` and those `distance` apart from it, above `bottom`: a single
 * row would wait for its own multiplications. Skips columns where no window begins that is like one of those taken. */
FF_INLINE void roll(const ff_motion *motion, const uint32_t *reference, size_t pitch, uint32_t y, uint32_t distance,
                    uint32_t bottom, uint32_t first, uint32_t end, ff_votes *votes, count_changes count) {
    const uint32_t *rows[4];
    uint64_t hashes[4];
    uint32_t here[4], next[4]; /* transitions in this WINDOW columns and in those after them */
    uint32_t rolled = first, valid = 0; /* hashed up to; the first column at which a window ends that was hashed whole */
    for (uint32_t i = 0; i < 4; i++)
        rows[i] = reference + (size_t)(y + i * distance < bottom ? y + i * distance : y) * pitch;
    for (uint32_t i = 0; i < 4; i++)
        next[i] = count_transitions(rows[i], first + 1, end - first < WINDOW ? end : first + WINDOW, count);
    for (uint32_t block = first; block < end; block += WINDOW) {
        const uint32_t after = end - block < WINDOW ? end : block + WINDOW;
        uint32_t most = 0;
        for (uint32_t i = 0; i < 4; i++) {
            here[i] = next[i];
            next[i] = count_transitions(rows[i], after, end - after < WINDOW ? end : after + WINDOW, count);
            most = here[i] + next[i] > most ? here[i] + next[i] : most;
        }
        if (most < ENOUGH_TRANSITIONS)
            continue;
        if (rolled <= block) { /* nothing was hashed just before */
            memset(hashes, 0, sizeof hashes);
            rolled = block;
            valid = block + WINDOW - 1;
        }
        const uint32_t last = end - block < 2 * WINDOW - 1 ? end : block + 2 * WINDOW - 1;
        for (; rolled < last; rolled++)
            for (uint32_t i = 0; i < 4; i++) {
                hashes[i] = hashes[i] * MULTIPLIER + rows[i][rolled];
                if ((motion->filter[hashes[i] >> 53] >> (hashes[i] >> 47 & 63) & 1) && rolled >= valid &&
                    y + i * distance < bottom)
                    found(motion, hashes[i], rolled + 1 - WINDOW, y + i * distance, votes);
            }
    }
}

uint32_t ff_motion_begin(ff_motion *motion, const ff_geometry *geometry, const ff_tile_windows *taken, const uint8_t *dirty,
                         size_t dirty_count) {
    if (dirty_count < FF_MOTION_MIN_TILES)
        return 0;
    motion->window_count = 0;
    memset(motion->buckets, 0xFF, sizeof motion->buckets);
    memset(motion->filter, 0, sizeof motion->filter);

    /* On large frames with much change only every n-th changed tile gives windows. */
    const size_t step = dirty_count * FF_TILE_WINDOWS / FF_MOTION_WINDOWS + 1;
    size_t number = 0;
    const uint32_t tile_count = geometry->columns * geometry->rows;
    for (uint32_t tile = 0; tile < tile_count; tile++)
        if (dirty[tile] && number++ % step == 0)
            for (uint32_t i = 0; i < taken[tile].count; i++)
                add_window(motion, &taken[tile].windows[i]);
    return motion->window_count < MIN_VOTES ? 0 : (geometry->rows + FF_MOTION_BAND - 1) / FF_MOTION_BAND;
}

FF_INLINE void look(const ff_motion *motion, const ff_geometry *geometry, const uint8_t *dirty, const uint32_t *reference,
                    uint32_t band, ff_votes *votes, count_changes count) {
    const uint32_t windows = motion->window_count;
    const uint32_t distance = windows < MANY_WINDOWS ? 1 : windows < VERY_MANY_WINDOWS ? 2 : 4;
    clear_votes(votes);
    for (uint32_t row = band * FF_MOTION_BAND; row < (band + 1) * FF_MOTION_BAND && row < geometry->rows; row++) {
        uint32_t left = geometry->columns, right = 0;
        for (uint32_t column = 0; column < geometry->columns; column++)
            if (dirty[row * geometry->columns + column]) {
                left = left < column ? left : column;
                right = column + 1;
            }
        if (left >= right)
            continue;
        const uint32_t first = left * FF_TILE;
        const uint32_t end = right * FF_TILE < geometry->width ? right * FF_TILE : geometry->width;
        const uint32_t bottom = (row + 1) * FF_TILE < geometry->height ? (row + 1) * FF_TILE : geometry->height;
        for (uint32_t y = row * FF_TILE; y < bottom; y += 4 * distance)
            roll(motion, reference, geometry->width, y, distance, bottom, first, end, votes, count);
    }
}

void ff_motion_end(ff_motion *motion, const ff_votes *bands, uint32_t band_count) {
    ff_votes *votes = &motion->votes;
    clear_votes(votes);
    for (const ff_votes *band = bands; band < bands + band_count; band++)
        for (uint32_t i = 0; i < band->count; i++)
            vote(votes, band->slots[band->taken[i]].vector, band->slots[band->taken[i]].count);
    motion->vector_count = 0;
    while (motion->vector_count < FF_VECTORS) {
        uint32_t best = 0, most = MIN_VOTES - 1;
        for (uint32_t i = 0; i < votes->count; i++) {
            const uint32_t slot = votes->taken[i], count = votes->slots[slot].count;
            /* Of equals the lower slot, which is like drawing lots. With the one that was found first browser_docs takes 0.2 % more. */
            if (count > most || (count == most && count >= MIN_VOTES && slot < best)) {
                best = slot;
                most = count;
            }
        }
        if (most < MIN_VOTES)
            return;
        motion->vectors[motion->vector_count++] = votes->slots[best].vector;
        votes->slots[best].count = 0;
    }
}

void ff_motion_take_scalar(const uint32_t *tile, ff_box area, ff_tile_windows *taken) {
    take_windows(tile, area, taken, ff_differing_scalar);
}

void ff_motion_vote_scalar(const ff_motion *motion, const ff_geometry *geometry, const uint8_t *dirty,
                           const uint32_t *reference, uint32_t band, ff_votes *votes) {
    look(motion, geometry, dirty, reference, band, votes, count_changes_scalar);
}

#ifdef FF_HAVE_AVX2
FF_INLINE FF_AVX2 uint32_t count_changes_avx2(const uint32_t *pixels, const uint32_t *before) {
    const __m256i left = ff_equal_eight(pixels, before), right = ff_equal_eight(pixels + 8, before + 8);
    return WINDOW - ff_count_bits((uint32_t)_mm256_movemask_epi8(_mm256_packs_epi32(left, right))) / 2;
}

FF_AVX2 void ff_motion_take_avx2(const uint32_t *tile, ff_box area, ff_tile_windows *taken) {
    take_windows(tile, area, taken, ff_differing_avx2);
}

FF_AVX2 void ff_motion_vote_avx2(const ff_motion *motion, const ff_geometry *geometry, const uint8_t *dirty,
                                 const uint32_t *reference, uint32_t band, ff_votes *votes) {
    look(motion, geometry, dirty, reference, band, votes, count_changes_avx2);
}
#endif
