#include "cache.h"

#include <string.h>

void ff_cache_reset(ff_cache *cache) {
    memset(cache->buckets, 0xFF, sizeof cache->buckets);
    if (cache->slot_count > 0)
        memset(cache->slots, 0, cache->slot_count * sizeof *cache->slots);
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

int32_t ff_cache_store(ff_cache *cache, uint64_t hash, const uint32_t *pixels, size_t pitch, ff_box area, uint32_t now) {
    int32_t slot = 0;
    if (cache->slot_count == 0)
        return -1;
    for (uint32_t i = 1; i < cache->slot_count; i++)
        if (cache->slots[i].used < cache->slots[slot].used)
            slot = (int32_t)i;
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
