#include "analyse.h"

#include <string.h>

#include "drift.h"
#include "entropy.h"
#include "frame_encode.h"
#include "hash.h"
#include "predict.h"

/* What the modes cost after zstd, in bits; fitted to recorded desktops (benchmarks/bench_scenes.py). They only choose
 * between modes, so being off by a quarter hardly matters. */
#define BITS_PER_TRANSITION 5u
#define BITS_PER_PATCH_TRANSITION 6u
/* Up to this many colours a tile is drawn from a palette: prediction is not even tried. */
#define COLOURS_OF_A_DRAWING 16u
/* A patch is tried where less than half of the box has changed. */
#define PATCH_SHARE 2u
/* Residuals whose sum is more than 3/2 of that of others hardly ever have less entropy than these: it is not computed. (With 5/4
 * desktop_windows takes 0.5 % more bytes.) */
#define MAGNITUDES_APART(more, less) (2 * (more) > 3 * (uint64_t)(less))
/* XOR is tried where at most a quarter of the box has changed. */
#define XOR_SHARE 4u
/* Smaller changes are drawn as they are: no look for a tile to copy or to bring back. */
#define FEW_PIXELS 64u

static const uint32_t *pixels_of(const ff_frame_encoder *encoder, uint32_t tile) {
    return encoder->tiles + (size_t)tile * FF_TILE_PIXELS;
}

int ff_is_drawing(const ff_palette *palette) { return palette->count <= COLOURS_OF_A_DRAWING; }

int ff_changed_much(const ff_analysis *analysis) { return analysis->changed >= FEW_PIXELS; }

void ff_analyse_change(const ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis) {
    if (analysis->steps & FF_ANALYSED_CHANGE)
        return;
    const uint32_t *pixels = pixels_of(encoder, tile);
    const ff_box area = ff_tile_area(&encoder->geometry, tile);
    const uint32_t *old = encoder->reference + (size_t)area.y * encoder->geometry.width + area.x;
    analysis->steps |= FF_ANALYSED_CHANGE;
    analysis->changed = ff_kernels->diff_box(pixels, old, encoder->geometry.width, area, &analysis->box);
    analysis->base = (ff_base){old, analysis->changed, analysis->box};
    analysis->hash = 0;
    if (ff_changed_much(analysis) && encoder->cache.slot_count > 0 && encoder->packet > 1) /* the cache is empty before */
        analysis->hash = ff_hash_pixels(pixels, FF_TILE, area.width, area.height, encoder->hash_keys);
}

/* Whether fewer than `changed` pixels of a tile, one at least, seem to differ from its supposed origin, by a look at every eighth
 * row. */
static int seems_closer(const uint32_t *pixels, ff_box area, const uint32_t *source, size_t pitch, uint32_t changed) {
    const uint32_t first = area.height > 4 ? 4 : 0, apart = 8, rows = (area.height - first + apart - 1) / apart;
    const uint32_t most = (changed * rows - 1) / area.height; /* in these rows */
    return ff_kernels->count_differences(pixels, area, source, pitch, first, apart, most) <= most;
}

/* The number of the vector whose source resembles the tile most, or -1 when none does so better than `changed` differing
 * pixels, which becomes the number of those that differ from that source. */
static int32_t best_vector(const ff_frame_encoder *encoder, const uint32_t *pixels, ff_box area, uint32_t *changed) {
    const ff_motion *motion = &encoder->motion;
    const size_t pitch = encoder->geometry.width;
    int32_t best = -1;
    for (uint32_t i = 0; i < motion->vector_count && *changed > 0; i++) {
        const uint32_t *source = ff_source_of(&encoder->geometry, encoder->reference, area, motion->vectors[i]);
        if (source == NULL || !seems_closer(pixels, area, source, pitch, *changed))
            continue;
        const uint32_t differences = ff_kernels->count_differences(pixels, area, source, pitch, 0, 1, *changed - 1);
        if (differences < *changed) {
            *changed = differences;
            best = (int32_t)i;
        }
    }
    return best;
}

void ff_analyse_base(const ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis) {
    if (analysis->steps & FF_ANALYSED_BASE)
        return;
    ff_analyse_change(encoder, tile, analysis);
    analysis->steps |= FF_ANALYSED_BASE;
    analysis->vector = -1;
    if (!ff_changed_much(analysis))
        return;
    const uint32_t *pixels = pixels_of(encoder, tile);
    const ff_box area = ff_tile_area(&encoder->geometry, tile);
    ff_base *base = &analysis->base;
    analysis->vector = best_vector(encoder, pixels, area, &base->changed);
    if (analysis->vector >= 0) {
        base->pixels = ff_source_of(&encoder->geometry, encoder->reference, area, encoder->motion.vectors[analysis->vector]);
        if (base->changed > 0)
            ff_kernels->diff_box(pixels, base->pixels, encoder->geometry.width, area, &base->box);
    }
}

void ff_analyse_colours(const ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis) {
    if (analysis->steps & FF_ANALYSED_COLOURS)
        return;
    ff_analyse_base(encoder, tile, analysis);
    analysis->steps |= FF_ANALYSED_COLOURS;
    const uint32_t *pixels = pixels_of(encoder, tile);
    const ff_base *base = &analysis->base;
    const uint32_t count = base->box.width * base->box.height;
    ff_palette *palette = &analysis->palette, *patch = &analysis->patch;

    analysis->has_palette = ff_kernels->collect_palette(palette, pixels, base->box) == 0;
    if (analysis->has_palette) {
        analysis->palette_bits = palette->transitions * BITS_PER_TRANSITION;
        if (!ff_is_drawing(palette)) {
            const uint32_t entropy = ff_entropy(palette->indices, count);
            analysis->palette_bits = entropy < analysis->palette_bits ? entropy : analysis->palette_bits;
        }
    }
    analysis->has_patch = 0;
    if (base->changed * PATCH_SHARE < count) {
        uint32_t masked[FF_TILE_PIXELS];
        ff_kernels->mask_unchanged(pixels, base->pixels, encoder->geometry.width, base->box, masked);
        analysis->has_patch = ff_kernels->collect_palette(patch, masked, base->box) == 0;
        analysis->patch_bits = patch->transitions * BITS_PER_PATCH_TRANSITION;
    }
}

/* What residuals take, those of green taking `green`. `precisely`: else roughly, as the differences from green together take about what
 * green takes. */
static uint32_t residual_bits(uint8_t planes[3][FF_TILE_PIXELS], uint32_t count, uint32_t green, int precisely) {
    return green + (precisely ? ff_entropy(planes[1], count) + ff_entropy(planes[2], count) : green);
}

/* The number of the drift whose source resembles the tile most, or -1 where none does so better than the base. */
static int32_t closest_drift(const ff_frame_encoder *encoder, const uint32_t *pixels, ff_box area, const ff_base *base) {
    const ff_motion *motion = &encoder->motion;
    uint32_t least = ff_sum_differences(pixels, area, base->pixels, encoder->geometry.width);
    least -= least / FF_LEAST_GAIN; /* what is closer by chance only is not worth predicting from */
    int32_t closest = -1;
    for (uint32_t i = motion->vector_count; i < motion->vector_count + motion->drift_count; i++) {
        const uint32_t *source = ff_source_of(&encoder->geometry, encoder->reference, area, motion->vectors[i]);
        if (source == NULL)
            continue;
        const uint32_t sum = ff_sum_differences(pixels, area, source, encoder->geometry.width);
        if (sum < least) {
            least = sum;
            closest = (int32_t)i;
        }
    }
    return closest;
}

/* The residuals from the base, or those from the source of a drift where these seem to take fewer bits. Returns their magnitude. */
static uint64_t analyse_difference(const ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis) {
    const uint32_t *pixels = pixels_of(encoder, tile);
    const ff_box area = ff_tile_area(&encoder->geometry, tile), box = analysis->base.box;
    const uint32_t count = box.width * box.height;
    const size_t pitch = encoder->geometry.width;
    uint8_t(*difference)[FF_TILE_PIXELS] = analysis->difference, drifted[3][FF_TILE_PIXELS];
    const uint64_t magnitude = ff_kernels->predict(pixels, analysis->base.pixels, pitch, box, difference[0], difference[1], difference[2]);
    analysis->difference_vector = analysis->vector;
    /* What a tile holds is moved as a whole, so all of it must be drawn. */
    if (encoder->motion.drift_count == 0 || count < area.width * area.height)
        return magnitude;
    const int32_t drift = closest_drift(encoder, pixels, area, &analysis->base);
    if (drift < 0)
        return magnitude;
    const uint32_t *source = ff_source_of(&encoder->geometry, encoder->reference, area, encoder->motion.vectors[drift]);
    const uint64_t drifted_magnitude = ff_kernels->predict(pixels, source, pitch, box, drifted[0], drifted[1], drifted[2]);
    /* By all planes: films have coarser colours than green, and where that alone decides they gain a third as much. And not by magnitudes:
     * of text that moves over what stands still, residuals from its own place are few and large, from the drift many and small. */
    const uint32_t drifted_green = ff_entropy(drifted[0], count), difference_green = ff_entropy(difference[0], count);
    if (residual_bits(drifted, count, drifted_green, 1) >= residual_bits(difference, count, difference_green, 1))
        return magnitude;
    for (uint32_t i = 0; i < 3; i++)
        memcpy(difference[i], drifted[i], count);
    analysis->difference_vector = drift;
    return drifted_magnitude;
}

void ff_analyse_drift(const ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis) {
    if (encoder->motion.drift_count == 0)
        return;
    const ff_box area = ff_tile_area(&encoder->geometry, tile);
    analyse_difference(encoder, tile, analysis);
    if (analysis->difference_vector == analysis->vector)
        return;
    analysis->vector = analysis->difference_vector;
    analysis->base.pixels = ff_source_of(&encoder->geometry, encoder->reference, area, encoder->motion.vectors[analysis->vector]);
}

int ff_changed_sparsely(const ff_base *base) { return base->changed * XOR_SHARE <= base->box.width * base->box.height; }

void ff_analyse_photo(const ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis) {
    if (analysis->steps & FF_ANALYSED_PHOTO)
        return;
    ff_analyse_colours(encoder, tile, analysis);
    analysis->steps |= FF_ANALYSED_PHOTO;
    const uint32_t *pixels = pixels_of(encoder, tile);
    const ff_base *base = &analysis->base;
    const uint32_t count = base->box.width * base->box.height;
    uint8_t(*photo)[FF_TILE_PIXELS] = analysis->photo, (*difference)[FF_TILE_PIXELS] = analysis->difference;
    const uint64_t magnitude = ff_kernels->predict(pixels, NULL, 0, base->box, photo[0], photo[1], photo[2]);
    uint64_t difference_magnitude = UINT64_MAX / 8;
    if (encoder->packet > 1)
        difference_magnitude = analyse_difference(encoder, tile, analysis);
    analysis->photo_bits = analysis->difference_bits = UINT32_MAX;
    const int drawable = analysis->has_palette || analysis->has_patch || ff_changed_sparsely(base);
    const int may_be_photo = !MAGNITUDES_APART(magnitude, difference_magnitude);
    const int may_be_difference = !MAGNITUDES_APART(difference_magnitude, magnitude);
    /* Those of green alone say which residuals are fewer. All of them are needed where there is something else to compare with, not for
     * byte budgets. */
    const uint32_t photo_green = may_be_photo ? ff_entropy(photo[0], count) : UINT32_MAX;
    const uint32_t difference_green = may_be_difference ? ff_entropy(difference[0], count) : UINT32_MAX;
    if (photo_green <= difference_green)
        analysis->photo_bits = residual_bits(photo, count, photo_green, drawable);
    else
        analysis->difference_bits = residual_bits(difference, count, difference_green, drawable);
}
