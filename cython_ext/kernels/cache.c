#include "cache.h"

#include <string.h>

void ff_cache_reset(ff_cache *cache) {
    memset(cache->buckets, 0xFF, sizeof cache->buckets);
    if (cache->slot_count > 0)
        memset(cache->slots, 0, cache->slot_count * sizeof *cache->slots);
    cache->oldest = cache->next = 0;
}

int32_t ff_cache_find(const ff_cache *cache, uint64_t hash, const uint32_t *pixels, size_t pitch, ff_box area) {
    int32_t slot = cache->buckets[hash % FF_CACHE_BUCKETS];
    for (; slot >= 0; slot = cache->slots[slot].next) {
        if (cache->slots[slot].hash != hash)
            continue;
        const uint32_t *kept = cache->pixels + (size_t)slot * FF_TILE_PIXELS;
        uint32_t y = 0;
        while (y < area.height && memcmp(kept + y * FF_TILE, pixels + y * pitch, (size_t)area.width * 4) == 0)
            y++;
        if (y == area.height)
            return slot;
    }
    return -1;
}

/* The slot unused for longest, of several the first. Slots only ever get younger, so one walk finds all those of one age. */
static int32_t find_oldest(ff_cache *cache) {
    while (cache->next < cache->slot_count && cache->slots[cache->next].used != cache->oldest)
        cache->next++;
    if (cache->next == cache->slot_count) {
        cache->next = 0;
        for (uint32_t i = 1; i < cache->slot_count; i++)
            if (cache->slots[i].used < cache->slots[cache->next].used)
                cache->next = i;
        cache->oldest = cache->slots[cache->next].used;
    }
    return (int32_t)cache->next;
}

int32_t ff_cache_store(ff_cache *cache, uint64_t hash, const uint32_t *pixels, size_t pitch, ff_box area, uint32_t now) {
    if (cache->slot_count == 0)
        return -1;
    const int32_t slot = find_oldest(cache);
    ff_cache_slot *entry = &cache->slots[slot];
    if (entry->used == now)
        return -1;
    if (entry->used > 0) {
        int32_t *link = &cache->buckets[entry->hash % FF_CACHE_BUCKETS];
        while (*link != slot)
            link = &cache->slots[*link].next;
        *link = entry->next;
    }
    entry->hash = hash;
    entry->used = now;
    entry->next = cache->buckets[hash % FF_CACHE_BUCKETS];
    cache->buckets[hash % FF_CACHE_BUCKETS] = slot;
    for (uint32_t y = 0; y < area.height; y++)
        memcpy(cache->pixels + (size_t)slot * FF_TILE_PIXELS + y * FF_TILE, pixels + y * pitch, (size_t)area.width * 4);
    return slot;
}
