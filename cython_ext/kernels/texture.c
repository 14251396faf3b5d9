#include "texture.h"

#include "entropy.h"
#include "frame_encode.h"

/* Fitted to first frames of recorded screens (docs/measurements.md, "Model or palette, tile by tile"). */
/* A pixel in so many differs from the ones to the left and above. */
#define RESTLESS_SHARE 7u
/* One row in so many is looked at before the colours are collected. */
#define ROW_STEP 8u
#define MOST_COLOURS 128u
/* In smaller boxes little can be won, and each plane of a packet takes some bytes. */
#define LEAST_PIXELS 512u
/* Excesses are in 64ths, and a palette pays from 5/4 on. */
#define EXCESS_ONE 64u
#define EXCESS_PAYS (EXCESS_ONE * 5 / 4)
#define MAX_EXCESS (16 * EXCESS_ONE)
/* By a 32nd each time, so that the excess of neighbours is measured again after some tiles. */
#define EXCESS_DECAY 32u

static int looks_restless(const uint32_t *pixels, ff_box box) {
    uint32_t restless = 0, seen = 0;
    for (uint32_t y = box.y + 1; y < box.y + box.height; y += ROW_STEP, seen += box.width - 1) {
        const uint32_t *row = pixels + y * FF_TILE, *above = row - FF_TILE;
        for (uint32_t x = box.x + 1; x < box.x + box.width; x++)
            restless += (row[x] != row[x - 1]) & (row[x] != above[x]);
    }
    return restless * RESTLESS_SHARE > seen;
}

uint32_t ff_estimate_texture(const ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis) {
    const ff_box box = analysis->base.box;
    const uint32_t count = box.width * box.height;
    if (count < LEAST_PIXELS || !looks_restless(encoder->tiles + (size_t)tile * FF_TILE_PIXELS, box))
        return 0;
    ff_analyse_colours(encoder, tile, analysis);
    const ff_palette *palette = &analysis->palette;
    if (!analysis->has_palette || palette->count > MOST_COLOURS || palette->transitions * RESTLESS_SHARE <= count)
        return 0;
    return ff_estimate_matches(palette->indices, count, palette->count);
}

/* The mean excess of a tile's neighbours to the left and above, and of what it held before, as far as known. */
static uint32_t excess_around(const ff_frame_encoder *encoder, uint32_t tile) {
    const uint32_t columns = encoder->geometry.columns;
    const uint16_t *excesses = encoder->excesses + tile;
    const uint32_t before = excesses[0], left = tile % columns > 0 ? *(excesses - 1) : 0;
    const uint32_t above = tile >= columns ? *(excesses - columns) : 0;
    const uint32_t known = (before > 0) + (left > 0) + (above > 0);
    return known > 0 ? (before + left + above) / known : 0;
}

int ff_texture_pays(ff_frame_encoder *encoder, uint32_t tile) {
    const uint32_t excess = excess_around(encoder, tile);
    if (excess <= EXCESS_PAYS)
        return 0;
    encoder->excesses[tile] = (uint16_t)(excess - excess / EXCESS_DECAY);
    return 1;
}

void ff_compare_texture(ff_frame_encoder *encoder, uint32_t tile, uint32_t texture_bits, uint64_t model_bits) {
    const uint64_t excess = model_bits * EXCESS_ONE / texture_bits;
    encoder->excesses[tile] = (uint16_t)(excess < 1 ? 1 : excess > MAX_EXCESS ? MAX_EXCESS : excess);
}

void ff_forget_texture(ff_frame_encoder *encoder, uint32_t tile) { encoder->excesses[tile] = 0; }
