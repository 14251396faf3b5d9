#include "colours.h"

#include <string.h>

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

_Static_assert(FF_KEEP_SLOT == 0, "a byte of 0 is the slot that is nobody's");

/* Slots of its own that a colour has. */
#define HOMES 4u

/* Four slots in the bytes of a word, to be taken in this order: the green of the colour, and three bytes of the finaliser of
 * MurmurHash3, shortened. A grey has its green alone. FF_KEEP_SLOT, which is 0, is nobody's: a green of 0 counts as 1, which so is the
 * slot of black, and other bytes of 0 become 128. */
static uint32_t home_slots(uint32_t colour) {
    const uint32_t green = colour >> 8 & 255, first = green > 0 ? green : 1;
    uint32_t word = colour * 0x9E3779B1u;
    word = (word ^ word >> 15) * 0x85EBCA6Bu;
    word ^= word >> 13;
    word = (word & ~255u) | first;
    word |= ~(((word & 0x7F7F7F7Fu) + 0x7F7F7F7Fu) | word) & 0x80808080u;
    return (colour & 0xFFFFFFu) == green * 0x010101u && green != 1 ? first * 0x01010101u : word;
}

static int has_one_home(uint32_t homes) { return homes == (homes & 255) * 0x01010101u; }

void ff_colours_reset(ff_colours *colours) { memset(colours, 0, sizeof *colours); }

/* The slot of a colour in a table, or FF_KEEP_SLOT. Colours that a crowded tile sent away from home are not found: they are announced
 * again. No branch asks which of its slots a colour is in, since nobody can foresee it. */
FF_INLINE uint32_t find(const ff_colour_tables *tables, uint32_t table, uint32_t colour) {
    const uint64_t homes = home_slots(colour);
    uint32_t found = 1u << HOMES;
    for (uint32_t i = 0; i < HOMES; i++)
        found |= (uint32_t)(tables->colours[homes >> 8 * i & 255][table] == colour) << i;
    const uint32_t slot = homes >> 8 * ff_lowest_bit(found) & 255; /* FF_KEEP_SLOT behind the last one */
    return colour == FF_NO_COLOUR ? FF_KEEP_SLOT : slot;
}

void ff_count_unknown_scalar(const ff_colour_tables *tables, const ff_palette *palette, uint32_t unknown[FF_TABLES]) {
    memset(unknown, 0, FF_TABLES * sizeof *unknown);
    for (uint32_t j = 0; j < palette->count; j++) {
        const uint32_t colour = palette->colours[j], homes = home_slots(colour);
        if (colour == FF_NO_COLOUR)
            continue;
        const uint32_t *first = tables->colours[homes & 255], *second = tables->colours[homes >> 8 & 255];
        const uint32_t *third = tables->colours[homes >> 16 & 255], *fourth = tables->colours[homes >> 24];
        for (uint32_t i = 0; i < FF_TABLES; i++) /* without a branch, so that compilers take several tables at a time */
            unknown[i] += (first[i] != colour) & (second[i] != colour) & (third[i] != colour) & (fourth[i] != colour);
    }
}

#ifdef FF_HAVE_AVX2
_Static_assert(FF_TABLES == 16, "two vectors hold a number for each table");

FF_AVX2 void ff_count_unknown_avx2(const ff_colour_tables *tables, const ff_palette *palette, uint32_t unknown[FF_TABLES]) {
    __m256i known[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    uint32_t asked = 0;
    for (uint32_t j = 0; j < palette->count; j++) {
        const uint32_t colour = palette->colours[j];
        if (colour == FF_NO_COLOUR)
            continue;
        asked++;
        const __m256i wanted = _mm256_set1_epi32((int)colour);
        __m256i found[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        uint32_t homes = home_slots(colour);
        for (uint32_t i = 0; i < HOMES; i++, homes >>= 8) {
            const __m256i *slot = (const __m256i *)tables->colours[homes & 255];
            found[0] = _mm256_or_si256(found[0], _mm256_cmpeq_epi32(_mm256_loadu_si256(slot), wanted));
            found[1] = _mm256_or_si256(found[1], _mm256_cmpeq_epi32(_mm256_loadu_si256(slot + 1), wanted));
        }
        known[0] = _mm256_sub_epi32(known[0], found[0]);
        known[1] = _mm256_sub_epi32(known[1], found[1]);
    }
    const __m256i all = _mm256_set1_epi32((int)asked);
    _mm256_storeu_si256((__m256i *)unknown, _mm256_sub_epi32(all, known[0]));
    _mm256_storeu_si256((__m256i *)unknown + 1, _mm256_sub_epi32(all, known[1]));
}
#endif

uint32_t ff_colours_choose(const ff_colour_tables *tables, const ff_palette *palette, uint32_t *missing) {
    uint32_t best = 0, oldest = 0, unknown[FF_TABLES];
    ff_kernels->count_unknown(tables, palette, unknown);
    for (uint32_t i = 1; i < FF_TABLES; i++) {
        const uint64_t used = tables->used_last[i];
        if (unknown[i] < unknown[best] || (unknown[i] == unknown[best] && used > tables->used_last[best]))
            best = i;
        if (used < tables->used_last[oldest])
            oldest = i;
    }
    *missing = unknown[best];
    return *missing * 8 > palette->count * 5 && palette->count > 4 ? oldest : best;
}

/* Of the slots that no colour of this tile is in, those used longest ago, one after the other. */
typedef struct oldest_slots {
    uint32_t slot; /* the last one that was taken, or FF_TABLE_SLOTS */
    uint64_t used; /* when it had been */
} oldest_slots;

static uint8_t take_oldest(const uint64_t *used, uint64_t now, oldest_slots *oldest) {
    /* What was drawn as one tile was used at the same time, so mostly there is another one behind it. */
    uint32_t slot = oldest->slot + 1;
    while (slot < FF_TABLE_SLOTS && used[slot] != oldest->used)
        slot++;
    if (slot >= FF_TABLE_SLOTS) {
        oldest->used = now;
        for (uint32_t i = 0; i < FF_TABLE_SLOTS; i++)
            if (used[i] < oldest->used) {
                oldest->used = used[i];
                slot = i;
            }
    }
    oldest->slot = slot;
    return (uint8_t)slot;
}

/* Gives the colour the first of its slots that no colour of this tile is in, whatever is there. */
static uint8_t replace(ff_colours *colours, uint32_t number, uint32_t colour, uint64_t now, oldest_slots *oldest) {
    uint64_t *used = colours->used[number];
    uint32_t homes = home_slots(colour), home = 0;
    while (home < HOMES && used[homes & 255] == now) {
        home++;
        homes >>= 8;
    }
    /* Any other will do, since a palette is smaller than a table. */
    const uint8_t slot = home < HOMES ? (uint8_t)homes : take_oldest(used, now, oldest);
    colours->tables.colours[slot][number] = colour;
    used[slot] = now;
    return slot;
}

/* By colour: what has come together before mostly comes in the same order then. The place of each is the number of lesser ones, which
 * compilers count several at a time, without the branches of a search that nobody can foresee. */
static void sort_announced(const ff_palette *palette, uint8_t *announced, uint32_t count) {
    int32_t colours[FF_PALETTE_MAX]; /* without X, so that comparing them signed, as vectors do, is right */
    uint8_t entries[FF_PALETTE_MAX];
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = announced[i];
        colours[i] = (int32_t)(palette->colours[announced[i]] & FF_RGB_MASK);
    }
    for (uint32_t i = 0; i < count; i++) {
        int32_t lesser = 0;
        for (uint32_t j = 0; j < count; j++)
            lesser += colours[j] < colours[i];
        announced[lesser] = entries[i];
    }
}

uint32_t ff_colours_assign(ff_colours *colours, uint32_t number, const ff_palette *palette, uint8_t *slots,
                           uint8_t *announced) {
    ff_colour_tables *tables = &colours->tables;
    uint64_t *used = colours->used[number];
    const uint64_t now = ++colours->clock;
    uint32_t missing = 0;
    tables->used_last[number] = now;
    /* First those that can be nowhere else, then mark the colours that are here as used, so that none of them makes room for others. */
    for (uint32_t i = 0; i < palette->count; i++) {
        const uint32_t colour = palette->colours[i], homes = home_slots(colour), home = homes & 255;
        if (colour == FF_NO_COLOUR || !has_one_home(homes))
            continue;
        announced[missing] = (uint8_t)i;
        missing += tables->colours[home][number] != colour;
        tables->colours[home][number] = colour;
    }
    const uint32_t placed = missing;
    for (uint32_t i = 0; i < palette->count; i++) {
        const uint32_t colour = palette->colours[i], slot = find(tables, number, colour);
        slots[i] = (uint8_t)slot;
        used[slot] = now; /* FF_KEEP_SLOT as well, which so makes room for none that is not found */
        announced[missing] = (uint8_t)i;
        missing += (slot == FF_KEEP_SLOT) & (colour != FF_NO_COLOUR);
    }
    oldest_slots oldest = {.slot = FF_TABLE_SLOTS};
    for (uint32_t i = placed; i < missing; i++)
        slots[announced[i]] = replace(colours, number, palette->colours[announced[i]], now, &oldest);
    sort_announced(palette, announced, missing);
    return missing;
}
