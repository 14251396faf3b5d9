#include "palette.h"

#include <string.h>

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

/* Fibonacci hashing to 10 bits: both maps have 1024 entries. */
FF_INLINE uint32_t hash_colour(uint32_t colour) { return colour * 0x9E3779B1u >> 22; }

int ff_collect_palette(ff_palette *palette, const uint32_t *tile, ff_box box) {
    const uint32_t stamp = ++palette->stamp;
    uint32_t count = 0, transitions = 0;
    uint8_t *indices = palette->indices;
    if (stamp == 0) { /* wrapped: old stamps could be taken for current ones */
        memset(palette->map, 0, sizeof palette->map);
        palette->stamp = 1;
        return ff_collect_palette(palette, tile, box);
    }
    tile += box.y * FF_TILE + box.x;
    for (uint32_t y = 0; y < box.height; y++, tile += FF_TILE, indices += box.width) {
        uint32_t last = 0; /* no pixel: X of a loaded tile is 255 */
        uint8_t last_index = 0;
        for (uint32_t x = 0; x < box.width; x++) {
            const uint32_t colour = tile[x];
            if (colour != last) {
                last = colour;
                if (y > 0 && tile[(ptrdiff_t)x - (ptrdiff_t)FF_TILE] == colour) {
                    last_index = indices[(ptrdiff_t)x - (ptrdiff_t)box.width];
                } else {
                    uint32_t slot = hash_colour(colour);
                    transitions++;
                    while (palette->map[slot].stamp == stamp && palette->map[slot].colour != colour)
                        slot = (slot + 1) & 1023;
                    if (palette->map[slot].stamp != stamp) {
                        if (count == FF_PALETTE_MAX)
                            return -1;
                        palette->map[slot].stamp = stamp;
                        palette->map[slot].colour = colour;
                        palette->map[slot].index = count;
                        palette->colours[count++] = colour;
                    }
                    last_index = (uint8_t)palette->map[slot].index;
                }
            }
            indices[x] = last_index;
        }
    }
    palette->count = count;
    palette->transitions = transitions;
    return 0;
}

void ff_colour_table_reset(ff_colour_table *table) {
    memset(table->used, 0, sizeof table->used);
    for (size_t i = 0; i < 1024; i++)
        table->buckets[i] = -1;
    for (uint32_t slot = 0; slot < FF_TABLE_SLOTS; slot++) {
        table->colours[slot] = FF_OPAQUE;
        table->newer[slot] = (uint8_t)(slot + 1);
        table->older[slot] = (uint8_t)(slot - 1);
    }
    /* The list runs from slot 255 (newest) down to slot 0 (oldest), so that slots fill in ascending order. */
    table->newest = FF_TABLE_SLOTS - 1;
    table->oldest = 0;
}

static int find(const ff_colour_table *table, uint32_t colour) {
    int slot = table->buckets[hash_colour(colour)];
    while (slot >= 0 && table->colours[slot] != colour)
        slot = table->next[slot];
    return slot;
}

/* Makes `slot` the one used last. */
static void touch(ff_colour_table *table, uint8_t slot) {
    if (slot == table->newest)
        return;
    const uint8_t newer = table->newer[slot], older = table->older[slot];
    table->older[newer] = older;
    if (slot == table->oldest)
        table->oldest = newer;
    else
        table->newer[older] = newer;
    table->newer[table->newest] = slot;
    table->older[slot] = table->newest;
    table->newest = slot;
}

static uint8_t replace_oldest(ff_colour_table *table, uint32_t colour) {
    const uint8_t slot = table->oldest;
    if (table->used[slot]) {
        int16_t *link = &table->buckets[hash_colour(table->colours[slot])];
        while (*link != slot)
            link = &table->next[*link];
        *link = table->next[slot];
    }
    int16_t *bucket = &table->buckets[hash_colour(colour)];
    table->colours[slot] = colour;
    table->used[slot] = 1;
    table->next[slot] = *bucket;
    *bucket = slot;
    touch(table, slot);
    return slot;
}

uint32_t ff_colour_table_assign(ff_colour_table *table, const ff_palette *palette, uint8_t *slots, uint8_t *announced) {
    uint32_t missing = 0;
    /* First mark the colours that are here as used, so that none of them makes room for the others: a palette has fewer
     * colours than the table has slots. */
    for (uint32_t i = 0; i < palette->count; i++) {
        const int slot = find(table, palette->colours[i]);
        if (slot < 0) {
            announced[missing++] = (uint8_t)i;
        } else {
            touch(table, (uint8_t)slot);
            slots[i] = (uint8_t)slot;
        }
    }
    for (uint32_t i = 0; i < missing; i++)
        slots[announced[i]] = replace_oldest(table, palette->colours[announced[i]]);
    return missing;
}

uint32_t ff_colour_table_missing(const ff_colour_table *table, const ff_palette *palette) {
    uint32_t missing = 0;
    for (uint32_t i = 0; i < palette->count; i++)
        missing += find(table, palette->colours[i]) < 0;
    return missing;
}

void ff_expand_palette_scalar(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target,
                              size_t pitch) {
    for (uint32_t y = 0; y < box.height; y++, indices += box.width, target += pitch)
        for (uint32_t x = 0; x < box.width; x++)
            target[x] = colours[indices[x]];
}

#ifdef FF_HAVE_AVX2
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
