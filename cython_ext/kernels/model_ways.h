/* By which ways the row above was coded, as what the next row's pixels depend on. */
#ifndef FF_MODEL_WAYS_H
#define FF_MODEL_WAYS_H

#include "pixel_model.h"

typedef struct ways_above {
    uint8_t literals[FF_TILE]; /* how many of the three pixels above are */
    uint8_t packed[FF_TILE];   /* n, ne, nw from bit 2 on */
} ways_above;

/* `n`: the way of the pixel above the first. */
FF_INLINE void look_at_ways(const uint8_t *n, ways_above *w) {
    const uint8_t *ne = n + 1, *nw = n - 1;
    for (uint32_t x = 0; x < FF_TILE; x++) {
        w->literals[x] = (uint8_t)((n[x] == FF_GUESSES) + (ne[x] == FF_GUESSES) + (nw[x] == FF_GUESSES));
        w->packed[x] = (uint8_t)(n[x] << 2 | ne[x] << 4 | nw[x] << 6);
    }
}

#endif
