/* The encoder's side of the tile cache: which tiles that were on the screen before it could bring back.
 *
 * When a tile that has not changed for a while is drawn over, both sides keep what it held: the encoder names a slot. So a
 * menu that closes or a window that comes back costs a slot number a tile. Slots are found by a hash of their pixels and
 * verified by comparison; the slot unused for longest makes room. */
#ifndef FF_CACHE_H
#define FF_CACHE_H

#include "isa.h"

/* A tile is kept if it has not changed in this many packets: what moves all the time does not come back as it was. */
#define FF_CACHE_SETTLED 4u
#define FF_CACHE_BUCKETS 1024u

typedef struct ff_cache_slot {
    uint64_t hash;
    uint32_t used; /* packet number of the last use; 0: empty */
    int32_t next;  /* next slot of the same bucket, -1: none */
} ff_cache_slot;

typedef struct ff_cache {
    uint32_t slot_count;
    uint32_t *pixels; /* FF_TILE_PIXELS a slot */
    ff_cache_slot *slots;
    int32_t buckets[FF_CACHE_BUCKETS]; /* first slot of each hash value, -1: none */
    uint32_t oldest; /* no slot was used before this packet, */
    uint32_t next;   /* and none below this one was last used in it: where to look for the slot that makes room */
} ff_cache;

void ff_cache_reset(ff_cache *cache);

/* The slot that holds exactly the pixels of `area`, whose ff_hash_pixels is `hash`, or -1. */
int32_t ff_cache_find(const ff_cache *cache, uint64_t hash, const uint32_t *pixels, size_t pitch, ff_box area);

/* Stores pixels in the slot unused for longest and returns it, or -1 when every slot is used in this packet already. */
int32_t ff_cache_store(ff_cache *cache, uint64_t hash, const uint32_t *pixels, size_t pitch, ff_box area, uint32_t now);

#endif
