#include "frame_encode.h"

#include <string.h>

#include "diff.h"
#include "predict.h"

/* What the modes cost after zstd, in bits; fitted to recorded desktops (benchmarks/bench_scenes.py). They only choose
 * between modes, so being off by a quarter hardly matters. */
#define BITS_PER_NEW_COLOUR 26u
#define BITS_PER_TRANSITION 5u
#define BITS_PER_CHANGED_PIXEL 16u
#define BITS_PER_TILE 24u
/* Up to this many colours a tile is drawn, not photographed: prediction is not even tried. */
#define COLOURS_OF_A_DRAWING 16u
/* XOR is tried where at most one pixel of four in the box has changed. */
#define SPARSE_SHARE 4u

size_t ff_plane_capacity(const ff_geometry *geometry, int plane) {
    const size_t tiles = (size_t)geometry->columns * geometry->rows;
    const size_t pixels = (size_t)geometry->width * geometry->height;
    switch (plane) {
    case FF_PLANE_OPERATIONS:
        return FF_MAX_OPERATION_BYTES * tiles + 1;
    case FF_PLANE_BOXES:
        return FF_MAX_BOX_BYTES * tiles;
    case FF_PLANE_COLOURS:
        return FF_MAX_COLOUR_BYTES * tiles;
    case FF_PLANE_XOR:
        return 3 * pixels;
    default:
        return pixels;
    }
}

void ff_encoder_reset(ff_frame_encoder *encoder) {
    const ff_box all = {0, 0, encoder->geometry.width, encoder->geometry.height};
    const size_t tiles = (size_t)encoder->geometry.columns * encoder->geometry.rows;
    ff_fill_box(encoder->reference, encoder->geometry.width, all, FF_OPAQUE);
    ff_colour_table_reset(&encoder->colours);
    memset(encoder->dirty, 0, tiles);
    memset(encoder->modes, FF_MODE_UNCHANGED, tiles);
}

size_t ff_begin_packet(ff_frame_encoder *encoder, const uint8_t *frame, ptrdiff_t stride, const uint8_t *candidates) {
    encoder->position = 0;
    memset(encoder->modes, FF_MODE_UNCHANGED, (size_t)encoder->geometry.columns * encoder->geometry.rows);
    return ff_kernels->diff_tiles(frame, stride, encoder->reference, &encoder->geometry, candidates, encoder->dirty);
}

/* Where the next byte of a plane goes. */
static uint8_t *end_of(const ff_frame_encoder *encoder, int plane) {
    return encoder->planes[plane] + encoder->sizes[plane];
}

static void put(ff_frame_encoder *encoder, int plane, uint32_t byte) {
    *end_of(encoder, plane) = (uint8_t)byte;
    encoder->sizes[plane]++;
}

static void put_operation(ff_frame_encoder *encoder, uint32_t tile, uint32_t operation, ff_box area, ff_box box) {
    const uint32_t tiles = encoder->geometry.columns * encoder->geometry.rows;
    uint32_t skip = tile >= encoder->position ? tile - encoder->position : tile + tiles - encoder->position;
    for (; skip >= FF_SKIP_MORE; skip -= FF_SKIP_MORE)
        put(encoder, FF_PLANE_OPERATIONS, FF_SKIP_MORE);
    put(encoder, FF_PLANE_OPERATIONS, skip);
    if (box.width != area.width || box.height != area.height) {
        operation |= FF_OPERATION_BOXED;
        put(encoder, FF_PLANE_BOXES, box.x);
        put(encoder, FF_PLANE_BOXES, box.y);
        put(encoder, FF_PLANE_BOXES, box.width - 1);
        put(encoder, FF_PLANE_BOXES, box.height - 1);
    }
    put(encoder, FF_PLANE_OPERATIONS, operation);
    encoder->position = tile + 1 == tiles ? 0 : tile + 1;
    encoder->modes[tile] = (uint8_t)(operation & FF_OPERATION_MODE);
}

/* Gives the palette's colours slots and announces the new ones; returns the flag for the operation byte. */
static uint32_t put_colours(ff_frame_encoder *encoder, uint8_t *slots) {
    uint8_t announced[FF_PALETTE_MAX];
    const uint32_t count = ff_colour_table_assign(&encoder->colours, &encoder->palette, slots, announced);
    if (count == 0)
        return 0;
    put(encoder, FF_PLANE_COLOURS, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t colour = encoder->palette.colours[announced[i]];
        put(encoder, FF_PLANE_COLOURS, slots[announced[i]]);
        put(encoder, FF_PLANE_COLOURS, colour & 255);
        put(encoder, FF_PLANE_COLOURS, colour >> 8 & 255);
        put(encoder, FF_PLANE_COLOURS, colour >> 16 & 255);
    }
    return FF_OPERATION_NEW_COLOURS;
}

/* Codes one loaded tile whose `box` differs from the reference in `changed` pixels; returns the estimated bits. */
static uint32_t encode_tile(ff_frame_encoder *encoder, uint32_t tile, ff_box area, ff_box box, uint32_t changed,
                            uint32_t *reference) {
    const uint32_t pixels = box.width * box.height;
    const size_t pitch = encoder->geometry.width;
    ff_palette *palette = &encoder->palette;
    uint32_t best = UINT32_MAX;
    uint32_t mode = FF_MODE_PHOTO;

    if (ff_collect_palette(palette, encoder->tile, box) == 0) {
        mode = palette->count == 1 ? FF_MODE_SOLID : FF_MODE_PALETTE;
        best = ff_colour_table_missing(&encoder->colours, palette) * BITS_PER_NEW_COLOUR +
               palette->transitions * BITS_PER_TRANSITION;
    }
    if (mode == FF_MODE_PHOTO || palette->count > COLOURS_OF_A_DRAWING) {
        const uint32_t xor_bits = changed * BITS_PER_CHANGED_PIXEL;
        const uint32_t photo_bits =
            ff_kernels->predict(encoder->tile, box, end_of(encoder, FF_PLANE_GREEN), end_of(encoder, FF_PLANE_BLUE),
                                end_of(encoder, FF_PLANE_RED));
        if (photo_bits < best) {
            best = photo_bits;
            mode = FF_MODE_PHOTO;
        }
        if (changed * SPARSE_SHARE <= pixels && xor_bits < best) {
            best = xor_bits;
            mode = FF_MODE_XOR;
        }
    }

    uint32_t flags = 0;
    uint8_t slots[FF_PALETTE_MAX];
    switch (mode) {
    case FF_MODE_SOLID:
        flags = put_colours(encoder, slots);
        put(encoder, FF_PLANE_COLOURS, slots[0]);
        break;
    case FF_MODE_PALETTE: {
        uint8_t *indices = end_of(encoder, FF_PLANE_INDICES);
        flags = put_colours(encoder, slots);
        for (uint32_t i = 0; i < pixels; i++)
            indices[i] = slots[palette->indices[i]];
        encoder->sizes[FF_PLANE_INDICES] += pixels;
        break;
    }
    case FF_MODE_PHOTO: /* the residuals have been written already */
        encoder->sizes[FF_PLANE_GREEN] += pixels;
        encoder->sizes[FF_PLANE_BLUE] += pixels;
        encoder->sizes[FF_PLANE_RED] += pixels;
        break;
    default:
        ff_kernels->xor_box(encoder->tile, reference, pitch, box, end_of(encoder, FF_PLANE_XOR));
        encoder->sizes[FF_PLANE_XOR] += 3 * (size_t)pixels;
        break;
    }
    put_operation(encoder, tile, mode | flags, area, box);
    ff_store_box(encoder->tile, box, reference + box.y * pitch + box.x, pitch);
    return best + BITS_PER_TILE;
}

size_t ff_encode_tiles(ff_frame_encoder *encoder, const uint8_t *frame, ptrdiff_t stride, uint32_t start,
                       uint64_t bit_budget, uint32_t *next, uint64_t *estimate) {
    const uint32_t tiles = encoder->geometry.columns * encoder->geometry.rows;
    size_t left = 0;
    uint64_t bits = 0;
    uint32_t tile = start;
    memset(encoder->sizes, 0, sizeof encoder->sizes);
    *next = start;
    for (uint32_t i = 0; i < tiles; i++, tile = tile + 1 == tiles ? 0 : tile + 1) {
        if (!encoder->dirty[tile])
            continue;
        if (bits > 0 && bits >= bit_budget) {
            left++;
            continue;
        }
        const ff_box area = ff_tile_area(&encoder->geometry, tile);
        uint32_t *reference = encoder->reference + (size_t)area.y * encoder->geometry.width + area.x;
        ff_box box;
        ff_load_tile(frame, stride, area, encoder->tile);
        const uint32_t changed =
            ff_kernels->diff_box(encoder->tile, reference, encoder->geometry.width, area, &box);
        encoder->dirty[tile] = 0;
        if (changed) /* else the frame was changed back since it was compared */
            bits += encode_tile(encoder, tile, area, box, changed, reference);
        *next = tile + 1 == tiles ? 0 : tile + 1;
    }
    *estimate = bits;
    return left;
}
