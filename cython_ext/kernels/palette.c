#include "palette.h"

#include <string.h>

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

/* Fibonacci hashing to the 10 bits of the map. */
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
        uint32_t last = ~tile[0]; /* another than the first */
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
