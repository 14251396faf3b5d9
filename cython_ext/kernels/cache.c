#include "cache.h"

#include <string.h>

/* Bytes; where pages are larger, some are written to more than once. */
#define SMALLEST_PAGE 4096u

static void unlink_slot(ff_cache *cache, int32_t slot) {
    const ff_cache_slot *entry = &cache->slots[slot];
    cache->slots[entry->older].younger = entry->younger;
    cache->slots[entry->younger].older = entry->older;
}

static void link_slot(ff_cache *cache, int32_t slot, int32_t older) {
    ff_cache_slot *slots = cache->slots;
    slots[slot].older = older;
    slots[slot].younger = slots[older].younger;
    slots[slots[slot].younger].older = slot;
    slots[older].younger = slot;
}

void ff_cache_reset(ff_cache *cache) {
    memset(cache->buckets, 0xFF, sizeof cache->buckets);
    cache->shown = -1;
    cache->now = 0;
    if (cache->slot_count == 0)
        return;
    memset(cache->slots, 0, (cache->slot_count + 1) * sizeof *cache->slots);
    const int32_t ring = (int32_t)cache->slot_count; /* all slots, the oldest first, and the end that joins them */
    for (int32_t slot = 0; slot <= ring; slot++) {
        cache->slots[slot].older = slot == 0 ? ring : slot - 1;
        cache->slots[slot].younger = slot == ring ? 0 : slot + 1;
    }
}

void ff_cache_prepare(ff_cache *cache, uint32_t end, uint32_t count) {
    for (; count > 0 && cache->prepared < cache->slot_count && cache->prepared < end; cache->prepared++) {
        if (cache->slots[cache->prepared].used > 0)
            continue; /* a tile came before this did */
        uint32_t *pixels = cache->pixels + (size_t)cache->prepared * FF_TILE_PIXELS;
        for (uint32_t i = 0; i < FF_TILE_PIXELS; i += SMALLEST_PAGE / sizeof *pixels)
            pixels[i] = 0;
        count--;
    }
}

/* Whether a slot holds the pixels of an area. */
static int holds(const uint32_t *kept, const uint32_t *pixels, size_t pitch, ff_box area) {
    if (pitch == FF_TILE && area.width == FF_TILE) /* in one go, since the slot mostly has left the processor's caches */
        return memcmp(kept, pixels, (size_t)area.height * FF_TILE * sizeof *pixels) == 0;
    uint32_t y = 0;
    while (y < area.height && memcmp(kept + y * FF_TILE, pixels + y * pitch, area.width * sizeof *pixels) == 0)
        y++;
    return y == area.height;
}

int32_t ff_cache_find(const ff_cache *cache, uint64_t hash, const uint32_t *pixels, size_t pitch, ff_box area) {
    int32_t slot = cache->buckets[hash % FF_CACHE_BUCKETS];
    while (slot >= 0 && cache->slots[slot].hash != hash)
        slot = cache->slots[slot].next;
    /* Only those who choose pixels meet other pixels with the same hash, and all slots may hold such: one is compared. */
    return slot >= 0 && holds(cache->pixels + (size_t)slot * FF_TILE_PIXELS, pixels, pitch, area) ? slot : -1;
}

void ff_cache_note_hashes(const ff_cache *cache, ff_cache_filter *filter) {
    memset(filter->bits, 0, sizeof filter->bits);
    for (uint32_t slot = 0; slot < cache->slot_count; slot++) {
        const uint64_t hash = cache->slots[slot].hash % FF_CACHE_FILTER_BITS;
        if (cache->slots[slot].used > 0)
            filter->bits[hash / 64] |= UINT64_C(1) << hash % 64;
    }
}

int ff_cache_may_know(const ff_cache_filter *filter, uint64_t hash) {
    hash %= FF_CACHE_FILTER_BITS;
    return filter->bits[hash / 64] >> hash % 64 & 1;
}

void ff_cache_begin_packet(ff_cache *cache, uint32_t packet) {
    cache->now = packet;
    cache->shown = -1;
    if (cache->slot_count > 0)
        cache->last_before = cache->slots[cache->slot_count].older;
}

void ff_cache_use(ff_cache *cache, int32_t slot) {
    if (slot == cache->shown)
        cache->shown = -1;
    if (cache->slots[slot].used == cache->now)
        return;
    if (slot == cache->last_before)
        cache->last_before = cache->slots[slot].older;
    unlink_slot(cache, slot);
    link_slot(cache, slot, cache->last_before);
    cache->slots[slot].used = cache->now;
}

/* The slot to overwrite, or -1. */
static int32_t find_room(const ff_cache *cache) {
    const int32_t oldest = cache->slots[cache->slot_count].younger;
    if (cache->slots[oldest].used > 0 && cache->shown >= 0)
        return cache->shown;
    return cache->slots[oldest].used == cache->now ? -1 : oldest;
}

int32_t ff_cache_store(ff_cache *cache, uint64_t hash, const uint32_t *pixels, size_t pitch, ff_box area) {
    const int32_t slot = find_room(cache);
    if (slot < 0)
        return -1;
    ff_cache_slot *entry = &cache->slots[slot];
    cache->shown = -1;
    if (entry->used > 0) {
        int32_t *link = &cache->buckets[entry->hash % FF_CACHE_BUCKETS];
        while (*link != slot)
            link = &cache->slots[*link].next;
        *link = entry->next;
    }
    entry->hash = hash;
    ff_cache_use(cache, slot);
    entry->next = cache->buckets[hash % FF_CACHE_BUCKETS];
    cache->buckets[hash % FF_CACHE_BUCKETS] = slot;
    for (uint32_t y = 0; y < area.height; y++)
        memcpy(cache->pixels + (size_t)slot * FF_TILE_PIXELS + y * FF_TILE, pixels + y * pitch, (size_t)area.width * 4);
    return slot;
}
