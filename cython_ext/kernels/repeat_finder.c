#include "repeat_finder.h"

#include <string.h>

#include "bit_writer.h"

/* The history begins here, so that no place is 0. */
#define FIRST 8u
#define PLACE_BITS (FF_REPEAT_WINDOW_LOG + 1)
#define PLACE_MASK ((1u << PLACE_BITS) - 1)
/* What a repeat costs besides the bits of its distance, and what is worth the time. */
#define REPEAT_BITS 18u
/* Every place is looked at for so many values after a repeat, then every second one for as many, and so on. */
#define QUIET_LOG 6u
#define LARGEST_STEP_LOG 3u
/* Units in vain, of which a search is allowed; and the part of its bits that a unit has to save to be none of these. */
#define SEARCHES 12u
#define WORTH 32u
/* What looking at a repeat in vain takes, in values of it; and how much of that a unit may take, eight times its values. Recorded screens
 * hardly take a third of it, but values that repeat in ever other ways without saving anything would. */
#define VAIN_LOOK 16u
#define MOST_IN_VAIN 32768u

void ff_repeats_begin(ff_repeat_finder *finder, uint32_t window_log) {
    finder->window = 1u << (window_log < FF_REPEAT_WINDOW_LOG ? window_log : FF_REPEAT_WINDOW_LOG);
    finder->size = FIRST;
    finder->quiet = finder->distance = finder->saved = finder->in_vain = 0;
    memset(finder->places, 0, sizeof finder->places);
    ff_repeats_allow(finder);
}

void ff_repeats_make_room(ff_repeat_finder *finder, uint32_t count) {
    if (finder->size + count <= sizeof finder->history)
        return;
    const uint32_t kept = 1u << FF_REPEAT_WINDOW_LOG, gone = finder->size - kept - FIRST;
    memmove(finder->history + FIRST, finder->history + FIRST + gone, kept);
    finder->size -= gone;
    for (uint32_t i = 0; i < 1u << FF_PLACES_LOG; i++)
        finder->places[i] = (finder->places[i] & PLACE_MASK) >= FIRST + gone ? finder->places[i] - gone : 0;
}

void ff_repeats_allow(ff_repeat_finder *finder) { finder->searches = SEARCHES; }

void ff_repeats_end(ff_repeat_finder *finder, uint64_t bits) {
    if (finder->searches > 0) {
        if (finder->saved * (uint64_t)WORTH < bits)
            finder->searches--;
        else if (finder->searches < SEARCHES)
            finder->searches++;
    }
    finder->saved = finder->in_vain = 0;
}

FF_INLINE uint64_t eight_at(const uint8_t *values) {
    uint64_t eight;
    memcpy(&eight, values, 8);
    return eight;
}

FF_INLINE int are_equal(uint64_t eight) { return (eight >> 8 | eight << 56) == eight; }

/* The bits that a repeat behind literals from a place on saves, or 0. */
static uint32_t saved_by(const ff_repeat_finder *finder, uint32_t from, const ff_repeat *repeat) {
    const uint32_t cost = REPEAT_BITS + ff_top_bit(repeat->distance) + ff_top_bit((repeat->begin - from) | 1);
    const uint8_t *values = finder->history;
    const uint32_t length = repeat->end - repeat->begin;
    uint32_t bits = 0, equal = 0;
    if (length < finder->least || length * finder->dearest <= cost)
        return 0;
    for (uint32_t i = repeat->begin; i < repeat->end; i++) {
        equal = values[i] == values[i - 1] ? equal + 1 : 0;
        /* The rest of a run would take no bits. */
        bits += equal < FF_MIN_RUN ? finder->prices[values[i]] : 0;
    }
    return bits > cost ? bits - cost : 0;
}

/* The end of the values from a place on that equal those at that distance before them. */
FF_INLINE uint32_t end_of_repeat(const ff_repeat_finder *finder, uint32_t place, uint32_t distance) {
    const uint8_t *values = finder->history;
    for (; place + 8 <= finder->size; place += 8) {
        const uint64_t differing = eight_at(values + place) ^ eight_at(values + place - distance);
        if (differing != 0)
            return place + ff_lowest_bit(differing) / 8;
    }
    while (place < finder->size && values[place] == values[place - distance])
        place++;
    return place;
}

/* The longest repeat at that distance with a place in it, or none there. */
static ff_repeat widen(const ff_repeat_finder *finder, uint32_t from, uint32_t place, uint32_t distance) {
    const uint8_t *values = finder->history;
    uint32_t begin = place;
    while (begin > from && begin - distance > FIRST && values[begin - 1] == values[begin - 1 - distance])
        begin--;
    return (ff_repeat){begin, end_of_repeat(finder, place, distance), distance};
}

/* Takes a repeat where it saves bits. */
static int take(ff_repeat_finder *finder, uint32_t from, const ff_repeat *repeat) {
    const uint32_t saved = saved_by(finder, from, repeat);
    if (saved == 0)
        return 0;
    finder->saved += saved;
    finder->quiet = 0;
    finder->distance = repeat->end == finder->size ? repeat->distance : 0;
    return 1;
}

/* Where values like those at a place came last; 0: nowhere that can be told. This place is the last one from now on. */
FF_INLINE uint32_t last_place(ff_repeat_finder *finder, uint32_t place, int wide) {
    const uint8_t *values = finder->history + place;
    uint64_t key = eight_at(values) * UINT64_C(0x9E3779B97F4A7C15);
    if (wide)
        key = (key ^ eight_at(values + 8)) * UINT64_C(0xC2B2AE3D27D4EB4F);
    uint32_t *entry = finder->places + (uint32_t)(key >> (64 - FF_PLACES_LOG));
    const uint32_t mark = (uint32_t)(key >> 16) & ~PLACE_MASK, before = *entry ^ mark;
    *entry = place | mark;
    return before >= FIRST && before < place && place - before <= finder->window ? before : 0;
}

/* The run that eight equal values at a place belong to, without its first value. */
static ff_repeat run_at(const ff_repeat_finder *finder, uint32_t from, uint32_t place) {
    const uint8_t *values = finder->history;
    uint32_t begin = place;
    while (begin > from && values[begin - 1] == values[place])
        begin--;
    return (ff_repeat){begin + 1, end_of_repeat(finder, place + 8, 1), 1};
}

/* The next run, or an empty one at the end of the history: any has eight values from a multiple of eight on. `place`: where values behind
 * `from` are to be looked at. */
static ff_repeat find_run(ff_repeat_finder *finder, uint32_t from, uint32_t place) {
    const uint32_t first = place;
    for (place = (place + 7) & ~7u; place + 8 <= finder->size; place += 8) {
        if (!are_equal(eight_at(finder->history + place)))
            continue;
        const ff_repeat run = run_at(finder, from, place);
        if (run.end - run.begin + 1 >= FF_MIN_RUN) {
            finder->quiet += place - first;
            return run;
        }
    }
    finder->quiet += finder->size - first;
    return (ff_repeat){finder->size, finder->size, 1};
}

ff_repeat ff_find_repeat(ff_repeat_finder *finder, uint32_t from) {
    const int wide = finder->searches > 0 && finder->least >= 16;
    int search = finder->searches > 0 && finder->in_vain < MOST_IN_VAIN;
    const uint32_t looked_at = wide ? 16 : 8;
    if (finder->distance > 0) {
        const ff_repeat more = widen(finder, from, from, finder->distance);
        finder->distance = 0;
        if (search && take(finder, from, &more))
            return more;
    }
    ff_repeat refused = {0, 0, 0}; /* from all of its places it is the same */
    uint32_t place = from, quiet = finder->quiet;
    while (search && place + looked_at <= finder->size) {
        const uint32_t slower = quiet >> QUIET_LOG;
        const uint32_t step = 1u << (slower < LARGEST_STEP_LOG ? slower : LARGEST_STEP_LOG);
        uint32_t next = (place | (step - 1)) + 1;
        if (are_equal(eight_at(finder->history + place))) {
            const ff_repeat run = run_at(finder, from, place);
            if (run.end - run.begin + 1 >= FF_MIN_RUN) {
                finder->quiet = quiet;
                return run;
            }
            next = run.end - 7 > next ? run.end - 7 : next;
        } else {
            const uint32_t before = last_place(finder, place, wide), distance = place - before;
            if (before > 0 && (distance != refused.distance || place >= refused.end)) {
                const ff_repeat repeat = widen(finder, from, place, distance);
                if (take(finder, from, &repeat))
                    return repeat;
                refused = repeat;
                finder->in_vain += VAIN_LOOK + repeat.end - repeat.begin;
                search = finder->in_vain < MOST_IN_VAIN;
            }
        }
        quiet += next - place;
        place = next;
    }
    finder->quiet = quiet;
    return search ? (ff_repeat){finder->size, finder->size, 1} : find_run(finder, from, place);
}
