#include "palette.h"

#include <string.h>

#include "differing.h"

FF_INLINE void mask_unchanged(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint32_t *masked) {
    for (uint32_t y = box.y; y < box.y + box.height; y++) {
        const uint32_t *row = tile + y * FF_TILE + box.x, *old = base + y * pitch + box.x;
        uint32_t *target = masked + y * FF_TILE + box.x;
        for (uint32_t x = 0; x < box.width; x++)
            target[x] = row[x] == old[x] ? FF_NO_COLOUR : row[x];
    }
}

void ff_mask_unchanged_scalar(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint32_t *masked) {
    mask_unchanged(tile, base, pitch, box, masked);
}

/* Fibonacci hashing to the 11 bits of the map. */
#define MAP_SIZE 2048u
FF_INLINE uint32_t hash_colour(uint32_t colour) { return colour * 0x9E3779B1u >> 21; }

/* A hash map from colour to number, from 1 on. */
typedef struct colour_map {
    uint8_t numbers[MAP_SIZE];
    uint32_t colours[FF_PALETTE_MAX + 2]; /* by number; that of 0, which stands for free, is no colour; and one too many */
    uint32_t steps;                       /* places looked at beyond the colours' own */
} colour_map;

/* For one tile. Recorded screens take a sixth of it at most; colours that someone chose to share their own places would take 128 a pixel. */
#define MOST_STEPS FF_TILE_PIXELS

#define NOT_A_COLOUR 0x01000000u /* neither opaque nor FF_NO_COLOUR */

/* The number of a colour in whose own place there is another one. If it is new, it is written already as that of the next number. After
 * too many steps it counts as one too many. */
static uint32_t find_elsewhere(colour_map *map, uint32_t colour, uint32_t *count) {
    const uint32_t own = hash_colour(colour);
    uint32_t place = own, number;
    do {
        place = (place + 1) % MAP_SIZE;
        number = map->numbers[place];
    } while (number != 0 && map->colours[number] != colour);
    map->steps += (place - own) % MAP_SIZE;
    if (map->steps > MOST_STEPS)
        return *count = FF_PALETTE_MAX + 1;
    if (number != 0)
        return number;
    map->numbers[place] = (uint8_t)++*count;
    return *count;
}

/* The number of a colour. A new one gets the next, which may be one too many. Whether it is new nobody can foresee, so no branch asks
 * for it: guessed wrong it took a third of the time of a palette. */
FF_INLINE uint32_t number_colour(colour_map *map, uint32_t colour, uint32_t *count) {
    const uint32_t place = hash_colour(colour), next = *count + 1;
    const uint32_t is_free = map->numbers[place] == 0;
    const uint32_t number = map->numbers[place] | (next & (0 - is_free));
    map->numbers[place] = (uint8_t)number;
    map->colours[next] = colour;
    *count += is_free;
    return map->colours[number] == colour ? number : find_elsewhere(map, colour, count);
}

/* Of `width` indices in rows with room for FF_TILE: those of `fresh` where there is a bit in `new`, those of the row above elsewhere.
 * The row above stands `width` bytes before `indices`. */
typedef void merge_row(uint8_t *indices, const uint8_t *fresh, uint64_t new, uint32_t width);

FF_INLINE void merge_scalar(uint8_t *indices, const uint8_t *fresh, uint64_t new, uint32_t width) {
    for (uint32_t x = 0; x < width; x++)
        indices[x] = new >> x & 1 ? fresh[x] : indices[(ptrdiff_t)x - (ptrdiff_t)width];
}

/* Only where a run of equal pixels begins that are not as those above is anything looked at. */
FF_INLINE int collect_palette(ff_palette *palette, const uint32_t *tile, ff_box box, ff_compare_pixels differing, merge_row merge) {
    colour_map map;
    uint32_t count = 0, transitions = 0;
    uint8_t *indices = palette->indices;
    memset(map.numbers, 0, sizeof map.numbers);
    map.colours[0] = NOT_A_COLOUR;
    map.steps = 0;
    tile += box.y * FF_TILE + box.x;
    for (uint32_t y = 0; y < box.height; y++, tile += FF_TILE, indices += box.width) {
        const uint64_t new = y == 0 ? UINT64_MAX : differing(tile, tile - FF_TILE, box.width);
        if (new == 0) {
            memmove(indices, indices - box.width, FF_TILE); /* what is too much is written later */
            continue;
        }
        const uint64_t starts = differing(tile + 1, tile, box.width - 1) << 1 | 1;
        uint64_t left = new & (starts | ~(new << 1));
        uint8_t fresh[2 * FF_TILE];
        transitions += ff_count_bits(starts & new);
        while (left != 0) {
            const uint32_t x = ff_lowest_bit(left), number = number_colour(&map, tile[x], &count);
            left &= left - 1;
            if (count > FF_PALETTE_MAX)
                return -1;
            /* Up to the end of any row: what comes next is written later, and to ask how long the run is takes longer. */
            memset(fresh + x, (int)(number - 1), FF_TILE);
        }
        if (y > 0)
            merge(indices, fresh, new, box.width);
        else
            memcpy(indices, fresh, FF_TILE);
    }
    memcpy(palette->colours, map.colours + 1, count * sizeof *palette->colours);
    palette->count = count;
    palette->transitions = transitions;
    return 0;
}

int ff_collect_palette_scalar(ff_palette *palette, const uint32_t *tile, ff_box box) {
    return collect_palette(palette, tile, box, ff_differing_scalar, merge_scalar);
}

void ff_map_indices_scalar(const uint8_t *indices, uint32_t count, const uint8_t *slots, uint32_t colours, uint8_t *target) {
    (void)colours;
    for (uint32_t i = 0; i < count; i++)
        target[i] = slots[indices[i]];
}

void ff_expand_palette_scalar(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target,
                              size_t pitch) {
    for (uint32_t y = 0; y < box.height; y++, indices += box.width, target += pitch)
        for (uint32_t x = 0; x < box.width; x++)
            target[x] = colours[indices[x]];
}

void ff_expand_patch(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target, size_t pitch) {
    for (uint32_t y = 0; y < box.height; y++, indices += box.width, target += pitch)
        for (uint32_t x = 0; x < box.width; x++)
            target[x] = indices[x] == FF_KEEP_SLOT ? target[x] : colours[indices[x]];
}

#ifdef FF_HAVE_AVX2
FF_AVX2 void ff_mask_unchanged_avx2(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint32_t *masked) {
    mask_unchanged(tile, base, pitch, box, masked);
}

FF_INLINE FF_AVX2 void merge_avx2(uint8_t *indices, const uint8_t *fresh, uint64_t new, uint32_t width) {
    /* Each byte of a mask's eight times, and of these another bit each. */
    const __m256i places = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bits = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i merged[2];
    for (uint32_t i = 0; i < 2; i++) {
        const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32((int)(new >> 32 * i)), places);
        const __m256i mask = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bits), bits);
        merged[i] = _mm256_blendv_epi8(_mm256_loadu_si256((const __m256i *)(indices - width) + i),
                                       _mm256_loadu_si256((const __m256i *)fresh + i), mask);
    }
    /* Not before both were loaded: a narrow row's copy reaches into what is stored here. */
    _mm256_storeu_si256((__m256i *)indices, merged[0]);
    _mm256_storeu_si256((__m256i *)indices + 1, merged[1]);
}

FF_AVX2 int ff_collect_palette_avx2(ff_palette *palette, const uint32_t *tile, ff_box box) {
    return collect_palette(palette, tile, box, ff_differing_avx2, merge_avx2);
}

/* Slots that one shuffle chooses from. */
#define SHUFFLED 16u

FF_AVX2 void ff_map_indices_avx2(const uint8_t *indices, uint32_t count, const uint8_t *slots, uint32_t colours,
                                 uint8_t *target) {
    uint8_t padded[FF_TABLE_SLOTS] = {0};
    __m256i parts[FF_TABLE_SLOTS / SHUFFLED];
    const uint32_t part_count = (colours + SHUFFLED - 1) / SHUFFLED;
    uint32_t i = 0;
    memcpy(padded, slots, colours);
    for (uint32_t part = 0; part < part_count; part++)
        parts[part] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(padded + part * SHUFFLED)));
    for (; i + 32 <= count; i += 32) {
        __m256i index = _mm256_loadu_si256((const __m256i *)(indices + i)), mapped = _mm256_setzero_si256();
        for (uint32_t part = 0; part < part_count; part++) {
            /* Whatever is not below SHUFFLED gets its top bit set, for which a shuffle gives 0. */
            const __m256i chosen = _mm256_adds_epu8(index, _mm256_set1_epi8(0x80 - SHUFFLED));
            mapped = _mm256_or_si256(mapped, _mm256_shuffle_epi8(parts[part], chosen));
            index = _mm256_sub_epi8(index, _mm256_set1_epi8(SHUFFLED));
        }
        _mm256_storeu_si256((__m256i *)(target + i), mapped);
    }
    ff_map_indices_scalar(indices + i, count - i, slots, colours, target + i);
}

FF_AVX2 void ff_expand_palette_avx2(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target,
                                    size_t pitch) {
    for (uint32_t y = 0; y < box.height; y++, indices += box.width, target += pitch) {
        uint32_t x = 0;
        for (; x + 8 <= box.width; x += 8) {
            uint64_t eight;
            memcpy(&eight, indices + x, 8);
            /* Runs are the rule: eight equal indices are one broadcast instead of a gather. */
            if (eight == (eight & 0xFF) * 0x0101010101010101u) {
                _mm256_storeu_si256((__m256i *)(target + x), _mm256_set1_epi32((int)colours[eight & 0xFF]));
            } else {
                const __m256i offsets = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)eight));
                _mm256_storeu_si256((__m256i *)(target + x),
                                    _mm256_i32gather_epi32((const int *)colours, offsets, 4));
            }
        }
        for (; x < box.width; x++)
            target[x] = colours[indices[x]];
    }
}
#endif
