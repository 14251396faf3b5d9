/* Where values of a stream have come before: runs of one value, and longer repeats.
 *
 * Repeats are looked for as LZ77 coders with one hash table do (Ziv, Lempel 1977; zstd's fastest levels), but for two things. A repeat
 * counts only where it saves bits by the prices of its values, since in residuals of photos most are chance and would cost more than
 * they replace. And where hardly any is found the search rests, since residuals of text repeat and large ones of photos do not. */
#ifndef FF_REPEAT_FINDER_H
#define FF_REPEAT_FINDER_H

#include <stdint.h>

/* How far back a repeat may begin, unless the window is smaller. */
#define FF_REPEAT_WINDOW_LOG 17u
#define FF_PLACES_LOG 13u
/* Values of a run and of a repeat at least. */
#define FF_MIN_RUN 16u
#define FF_MIN_REPEAT 8u

typedef struct ff_repeat_finder {
    uint32_t window;                      /* how far back, in values */
    uint32_t size;                        /* of the history */
    uint32_t quiet;                       /* values since the last repeat */
    uint32_t distance;                    /* of a repeat that reached the end of the history, or 0 */
    uint32_t searches;                    /* units that may still be searched in vain; 0: only runs are found */
    uint32_t least;                       /* values of a repeat that may save anything */
    uint32_t dearest;                     /* the highest price of a value that the unit has */
    uint32_t saved;                       /* bits, in this unit */
    uint32_t in_vain;                     /* what looking at repeats that saved nothing took in this unit */
    uint8_t prices[256];                  /* of literals, in bits */
    uint32_t places[1u << FF_PLACES_LOG]; /* by a hash of values: where they came last, and bits of the hash */
    uint8_t history[2u << FF_REPEAT_WINDOW_LOG];
} ff_repeat_finder;

/* Values from `begin` to before `end` in the history, equal to those `distance` before them. */
typedef struct ff_repeat {
    uint32_t begin, end, distance;
} ff_repeat;

/* Begins with an empty history. `window_log`: base-2 logarithm of the window that a decoder has. */
void ff_repeats_begin(ff_repeat_finder *finder, uint32_t window_log);

/* Makes room for `count` more values behind the history, a window at most, which may move for that. */
void ff_repeats_make_room(ff_repeat_finder *finder, uint32_t count);

/* Allows units to be searched again that may be in vain. */
void ff_repeats_allow(ff_repeat_finder *finder);

/* Ends a unit of values, which would take so many bits without repeats: whether others are searched depends on what was saved. Before a
 * unit that is searched, `prices`, `dearest` and `least` are to be set. */
void ff_repeats_end(ff_repeat_finder *finder, uint64_t bits);

/* The next run or repeat from a place in the history on, or an empty one at its end. */
ff_repeat ff_find_repeat(ff_repeat_finder *finder, uint32_t from);

#endif
