/* The encoder's side of the tile cache: which tiles that were on the screen before it could bring back.
 *
 * When a tile that has not changed for a while is drawn over, both sides keep what it held: the encoder names a slot. So a
 * menu that closes or a window that comes back costs a slot number a tile. Slots are found by a hash of their pixels and
 * verified by comparison.
 *
 * The slot unused for longest makes room, of those last used in one packet the one used last: where a whole screen of tiles comes
 * back, the first to leave must not push out those that are next to come. For the same reason a tile that has come back makes room
 * for the next one that leaves: two windows that take turns need no more slots than one of them has tiles. */
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
    int32_t older, younger; /* the ring in which slots make room */
} ff_cache_slot;

typedef struct ff_cache {
    uint32_t slot_count;
    uint32_t *pixels; /* FF_TILE_PIXELS a slot */
    ff_cache_slot *slots; /* slot_count, and one where the ring begins and ends */
    int32_t buckets[FF_CACHE_BUCKETS]; /* first slot of each hash value, -1: none */
    uint32_t now;        /* the number of the packet */
    int32_t last_before; /* the youngest slot that it has not used, or slot_count */
    uint32_t prepared;   /* slots below this one have had their memory from the system */
    int32_t shown;       /* the slot of a tile that the packet has brought back, if it may make room now, or -1 */
} ff_cache;

/* The hashes that a cache knew at one time, roughly: one bit stands for many of them. */
#define FF_CACHE_FILTER_BITS 65536u
typedef struct ff_cache_filter {
    uint64_t bits[FF_CACHE_FILTER_BITS / 64];
} ff_cache_filter;

void ff_cache_reset(ff_cache *cache);

/* Has the system give memory for the next `count` slots below `end`, which would otherwise happen when tiles are stored there, by frames
 * that have much to do anyway: some 10 microseconds a slot. Does not change what the cache does. */
void ff_cache_prepare(ff_cache *cache, uint32_t end, uint32_t count);

/* The slot that holds exactly the pixels of `area`, whose ff_hash_pixels is `hash`, or -1. Of several slots with one hash only that
 * stored last is looked at. */
int32_t ff_cache_find(const ff_cache *cache, uint64_t hash, const uint32_t *pixels, size_t pitch, ff_box area);

/* Notes the hashes that the cache knows now. */
void ff_cache_note_hashes(const ff_cache *cache, ff_cache_filter *filter);

/* Whether the cache may have known a hash when its hashes were noted. With 512 slots one unknown hash in a hundred passes for known. */
int ff_cache_may_know(const ff_cache_filter *filter, uint64_t hash);

/* Packets have ascending numbers, from 1 on. */
void ff_cache_begin_packet(ff_cache *cache, uint32_t packet);

/* Says that a slot's pixels were on the screen or are now. */
void ff_cache_use(ff_cache *cache, int32_t slot);

/* Stores pixels in the slot that makes room, and returns it, or -1 when every slot is used in this packet already. The cache must
 * have slots. */
int32_t ff_cache_store(ff_cache *cache, uint64_t hash, const uint32_t *pixels, size_t pitch, ff_box area);

#endif
