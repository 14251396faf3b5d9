#include "frame_encode.h"

#include <string.h>

#include "diff.h"
#include "entropy.h"
#include "hash.h"
#include "predict.h"
#include "surroundings.h"

/* What the modes cost after zstd, in bits; fitted to recorded desktops (benchmarks/bench_scenes.py). They only choose
 * between modes, so being off by a quarter hardly matters. */
#define BITS_PER_NEW_COLOUR 26u
#define BITS_PER_TRANSITION 5u
#define BITS_PER_PATCH_TRANSITION 6u
#define BITS_PER_CHANGED_PIXEL 16u
#define BITS_PER_TILE 24u
/* Up to this many colours a tile is drawn from a palette: prediction is not even tried. */
#define COLOURS_OF_A_DRAWING 16u
/* A patch is tried where less than half of the box has changed, XOR where at most a quarter has. */
#define PATCH_SHARE 2u
#define XOR_SHARE 4u
/* Smaller changes are drawn as they are: no look for a tile to copy or to bring back, none is kept. */
#define FEW_PIXELS 64u

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
    case FF_PLANE_VECTORS:
        return 1 + FF_VECTOR_BYTES * FF_MAX_VECTORS + tiles;
    case FF_PLANE_CACHE:
        return FF_MAX_CACHE_BYTES * tiles;
    default:
        return pixels;
    }
}

size_t ff_plane_buffer_size(const ff_geometry *geometry, int plane) {
    const size_t capacity = ff_plane_capacity(geometry, plane);
    return plane == FF_PLANE_MODELLED ? FF_MAX_MODELLED_BYTES * capacity + FF_RANGE_CODER_ROOM : capacity;
}

static size_t count_tiles(const ff_frame_encoder *encoder) {
    return (size_t)encoder->geometry.columns * encoder->geometry.rows;
}

static uint32_t *reference_at(const ff_frame_encoder *encoder, ff_box area) {
    return encoder->reference + (size_t)area.y * encoder->geometry.width + area.x;
}

void ff_encoder_reset(ff_frame_encoder *encoder) {
    const ff_box all = {0, 0, encoder->geometry.width, encoder->geometry.height};
    const size_t tiles = count_tiles(encoder);
    ff_fill_box(encoder->reference, encoder->geometry.width, all, FF_OPAQUE);
    ff_colours_reset(&encoder->colours);
    ff_cache_reset(&encoder->cache);
    if (encoder->model != NULL)
        ff_model_reset(encoder->model);
    encoder->packet = 0;
    memset(encoder->dirty, 0, tiles);
    memset(encoder->modes, FF_MODE_UNCHANGED, tiles);
    memset(encoder->changed_at, 0, tiles * sizeof *encoder->changed_at);
}

size_t ff_begin_packet(ff_frame_encoder *encoder, const uint8_t *frame, ptrdiff_t stride, const uint8_t *candidates) {
    const size_t tiles = count_tiles(encoder);
    encoder->position = 0;
    encoder->vectors_written = 0;
    encoder->packet++;
    encoder->modelled_pixels = 0;
    encoder->range_coder.data = encoder->planes[FF_PLANE_MODELLED];
    ff_range_begin_encoding(&encoder->range_coder);
    memset(encoder->sizes, 0, sizeof encoder->sizes);
    memset(encoder->modes, FF_MODE_UNCHANGED, tiles);
    const size_t count =
        ff_kernels->diff_tiles(frame, stride, encoder->reference, &encoder->geometry, candidates, encoder->dirty);
    if (count == 0)
        return 0;
    memset(encoder->boxes, 0, tiles * sizeof *encoder->boxes);
    for (uint32_t tile = 0; tile < tiles; tile++)
        if (encoder->dirty[tile])
            ff_load_tile(frame, stride, ff_tile_area(&encoder->geometry, tile),
                         encoder->tiles + (size_t)tile * FF_TILE_PIXELS);
    encoder->motion.vector_count = 0;
    if (encoder->packet > 1) /* nothing moves on the black of a new epoch */
        ff_motion_search(&encoder->motion, &encoder->geometry, encoder->tiles, encoder->dirty, count,
                         encoder->reference);
    return count;
}

void ff_end_packet(ff_frame_encoder *encoder) {
    if (encoder->modelled_pixels > 0) {
        ff_range_end_encoding(&encoder->range_coder);
        encoder->sizes[FF_PLANE_MODELLED] = encoder->range_coder.size;
    }
    for (uint32_t tile = 0; tile < count_tiles(encoder); tile++) {
        const ff_box box = encoder->boxes[tile];
        if (box.width == 0)
            continue;
        const ff_box area = ff_tile_area(&encoder->geometry, tile);
        ff_store_box(encoder->tiles + (size_t)tile * FF_TILE_PIXELS, box,
                     reference_at(encoder, area) + box.y * (size_t)encoder->geometry.width + box.x,
                     encoder->geometry.width);
        encoder->changed_at[tile] = encoder->packet;
    }
}

/* Where the next byte of a plane goes. */
static uint8_t *end_of(const ff_frame_encoder *encoder, int plane) {
    return encoder->planes[plane] + encoder->sizes[plane];
}

static void put(ff_frame_encoder *encoder, int plane, uint32_t byte) {
    *end_of(encoder, plane) = (uint8_t)byte;
    encoder->sizes[plane]++;
}

static void put_u16(ff_frame_encoder *encoder, int plane, uint32_t value) {
    put(encoder, plane, value & 255);
    put(encoder, plane, value >> 8 & 255);
}

static void put_operation(ff_frame_encoder *encoder, uint32_t tile, uint32_t operation) {
    const uint32_t tiles = (uint32_t)count_tiles(encoder);
    uint32_t skip = tile >= encoder->position ? tile - encoder->position : tile + tiles - encoder->position;
    for (; skip >= FF_SKIP_MORE; skip -= FF_SKIP_MORE)
        put(encoder, FF_PLANE_OPERATIONS, FF_SKIP_MORE);
    put(encoder, FF_PLANE_OPERATIONS, skip);
    put(encoder, FF_PLANE_OPERATIONS, operation);
    encoder->position = tile + 1 == tiles ? 0 : tile + 1;
    encoder->modes[tile] = (uint8_t)(operation & FF_OPERATION_MODE);
}

static uint32_t put_box(ff_frame_encoder *encoder, ff_box area, ff_box box) {
    if (box.width == area.width && box.height == area.height)
        return 0;
    put(encoder, FF_PLANE_BOXES, box.x);
    put(encoder, FF_PLANE_BOXES, box.y);
    put(encoder, FF_PLANE_BOXES, box.width - 1);
    put(encoder, FF_PLANE_BOXES, box.height - 1);
    return FF_OPERATION_BOXED;
}

static uint32_t put_vector(ff_frame_encoder *encoder, uint32_t number) {
    const ff_motion *motion = &encoder->motion;
    if (!encoder->vectors_written) {
        put(encoder, FF_PLANE_VECTORS, motion->vector_count);
        for (uint32_t i = 0; i < motion->vector_count; i++) {
            put_u16(encoder, FF_PLANE_VECTORS, (uint32_t)motion->vectors[i].dx);
            put_u16(encoder, FF_PLANE_VECTORS, (uint32_t)motion->vectors[i].dy);
        }
        encoder->vectors_written = 1;
    }
    put(encoder, FF_PLANE_VECTORS, number);
    return FF_OPERATION_MOVED;
}

/* Announces the palette's new colours in a colour table and gives all of them slots; returns the flag for the operation. */
static uint32_t put_colours(ff_frame_encoder *encoder, uint32_t table, const ff_palette *palette, uint8_t *slots) {
    uint8_t announced[FF_PALETTE_MAX];
    const uint32_t count = ff_colours_assign(&encoder->colours, table, palette, slots, announced);
    put(encoder, FF_PLANE_COLOURS, table);
    if (count == 0)
        return 0;
    put(encoder, FF_PLANE_COLOURS, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t colour = palette->colours[announced[i]];
        put(encoder, FF_PLANE_COLOURS, slots[announced[i]]);
        put(encoder, FF_PLANE_COLOURS, colour & 255);
        put(encoder, FF_PLANE_COLOURS, colour >> 8 & 255);
        put(encoder, FF_PLANE_COLOURS, colour >> 16 & 255);
    }
    return FF_OPERATION_NEW_COLOURS;
}

/* What a tile can be made from, before anything is drawn on it. */
typedef struct base {
    const uint32_t *pixels; /* the frame before, at the tile's place or where it moved from */
    uint32_t changed;       /* pixels that differ */
    ff_box box;             /* where */
} base;

/* The number of the vector whose source resembles the tile most, or -1 when none does so better than `changed` differing
 * pixels. */
static int32_t best_vector(const ff_frame_encoder *encoder, const uint32_t *pixels, ff_box area, uint32_t changed) {
    const ff_motion *motion = &encoder->motion;
    int32_t best = -1;
    for (uint32_t i = 0; i < motion->vector_count && changed > 0; i++) {
        const int64_t x = (int64_t)area.x + motion->vectors[i].dx, y = (int64_t)area.y + motion->vectors[i].dy;
        if (x < 0 || y < 0 || x + area.width > encoder->geometry.width || y + area.height > encoder->geometry.height)
            continue;
        const uint32_t *source = encoder->reference + (size_t)y * encoder->geometry.width + (size_t)x;
        const uint32_t differences =
            ff_kernels->count_differences(pixels, area, source, encoder->geometry.width, changed - 1);
        if (differences < changed) {
            changed = differences;
            best = (int32_t)i;
        }
    }
    return best;
}

/* The way to draw a box that is the cheapest so far. */
typedef struct drawing {
    uint32_t mode, bits;
    const ff_palette *palette; /* of the modes solid, palette and patch */
    uint32_t table;
} drawing;

static void try_palette(const ff_frame_encoder *encoder, uint32_t mode, const ff_palette *palette, uint32_t bits,
                        drawing *best) {
    uint32_t missing;
    const uint32_t table = ff_colours_choose(&encoder->colours, palette, &missing);
    bits += missing * BITS_PER_NEW_COLOUR;
    if (bits < best->bits)
        *best = (drawing){mode, bits, palette, table};
}

static void try_mode(uint32_t mode, uint32_t bits, drawing *best) {
    if (bits < best->bits)
        *best = (drawing){mode, bits, NULL, 0};
}

/* Puts FF_NO_COLOUR in the place of every pixel of the box that the base has already. */
static void mask_unchanged(const uint32_t *pixels, const base *from, size_t pitch, uint32_t *masked) {
    const ff_box box = from->box;
    for (uint32_t y = box.y; y < box.y + box.height; y++)
        for (uint32_t x = box.x; x < box.x + box.width; x++) {
            const uint32_t pixel = pixels[y * FF_TILE + x];
            masked[y * FF_TILE + x] = pixel == from->pixels[y * pitch + x] ? FF_NO_COLOUR : pixel;
        }
}

/* Estimates what the box costs in each mode that may pay, and leaves the residuals of a photo at the end of their planes, those
 * of a difference in the scratch buffers. */
static drawing choose_drawing(ff_frame_encoder *encoder, const uint32_t *pixels, const base *from) {
    const ff_box box = from->box;
    const uint32_t count = box.width * box.height;
    const size_t pitch = encoder->geometry.width;
    drawing best = {FF_MODE_PHOTO, UINT32_MAX, NULL, 0};

    if (ff_collect_palette(&encoder->palette, pixels, box) == 0) {
        const ff_palette *palette = &encoder->palette;
        uint32_t bits = palette->transitions * BITS_PER_TRANSITION;
        if (palette->count > COLOURS_OF_A_DRAWING) {
            const uint32_t entropy = ff_entropy(palette->indices, count);
            bits = entropy < bits ? entropy : bits;
        }
        try_palette(encoder, palette->count == 1 ? FF_MODE_SOLID : FF_MODE_PALETTE, palette, bits, &best);
    }
    if (from->changed * PATCH_SHARE < count) {
        mask_unchanged(pixels, from, pitch, encoder->patch_pixels);
        if (ff_collect_palette(&encoder->patch, encoder->patch_pixels, box) == 0)
            try_palette(encoder, FF_MODE_PATCH, &encoder->patch,
                        encoder->patch.transitions * BITS_PER_PATCH_TRANSITION, &best);
    }
    if (best.palette != NULL && best.palette->count <= COLOURS_OF_A_DRAWING)
        return best;
    try_mode(FF_MODE_PHOTO,
             ff_kernels->predict(pixels, NULL, 0, box, end_of(encoder, FF_PLANE_GREEN), end_of(encoder, FF_PLANE_BLUE),
                                 end_of(encoder, FF_PLANE_RED)),
             &best);
    if (encoder->packet > 1)
        try_mode(FF_MODE_DIFFERENCE,
                 ff_kernels->predict(pixels, from->pixels, pitch, box, encoder->differences[0],
                                     encoder->differences[1], encoder->differences[2]),
                 &best);
    if (from->changed * XOR_SHARE <= count)
        try_mode(FF_MODE_XOR, from->changed * BITS_PER_CHANGED_PIXEL, &best);
    return best;
}

/* Draws the box of a tile on its base in the cheapest mode; returns the operation and adds the estimated bits. */
static uint32_t draw(ff_frame_encoder *encoder, const uint32_t *pixels, const base *from, uint64_t *estimate) {
    const drawing best = choose_drawing(encoder, pixels, from);
    const uint32_t count = from->box.width * from->box.height;
    uint32_t flags = 0;
    uint8_t slots[FF_PALETTE_MAX];
    *estimate += best.bits;
    if (best.palette != NULL)
        flags = put_colours(encoder, best.table, best.palette, slots);
    switch (best.mode) {
    case FF_MODE_SOLID:
        put(encoder, FF_PLANE_COLOURS, slots[0]);
        break;
    case FF_MODE_PALETTE:
    case FF_MODE_PATCH: {
        uint8_t *indices = end_of(encoder, FF_PLANE_INDICES);
        for (uint32_t i = 0; i < count; i++)
            indices[i] = slots[best.palette->indices[i]];
        encoder->sizes[FF_PLANE_INDICES] += count;
        break;
    }
    case FF_MODE_XOR:
        ff_kernels->xor_box(pixels, from->pixels, encoder->geometry.width, from->box, end_of(encoder, FF_PLANE_XOR));
        encoder->sizes[FF_PLANE_XOR] += 3 * (size_t)count;
        break;
    default: /* the residuals of a photo stand in their planes already */
        for (int i = 0; i < 3; i++) {
            if (best.mode == FF_MODE_DIFFERENCE)
                memcpy(end_of(encoder, FF_PLANE_GREEN + i), encoder->differences[i], count);
            encoder->sizes[FF_PLANE_GREEN + i] += count;
        }
        break;
    }
    return best.mode | flags;
}

/* A tile as the decoder shows it while the packet is drawn. */
static const uint32_t *find_shown(const void *canvas, uint32_t tile, size_t *pitch) {
    const ff_frame_encoder *encoder = canvas;
    if (encoder->modes[tile] != FF_MODE_UNCHANGED) {
        *pitch = FF_TILE;
        return encoder->tiles + (size_t)tile * FF_TILE_PIXELS;
    }
    *pitch = encoder->geometry.width;
    return reference_at(encoder, ff_tile_area(&encoder->geometry, tile));
}

/* Draws the box of a tile on its base by the model; returns the operation and adds the bits. */
static uint32_t draw_modelled(ff_frame_encoder *encoder, uint32_t tile, const uint32_t *pixels, const base *from,
                              uint64_t *bits) {
    const size_t before = encoder->range_coder.size;
    ff_model_set_base(encoder->model, from->pixels, encoder->geometry.width, ff_tile_area(&encoder->geometry, tile));
    ff_surround_tile(encoder->model, &encoder->geometry, tile, find_shown, encoder);
    ff_kernels->encode_box(encoder->model, &encoder->range_coder, pixels, from->box);
    encoder->modelled_pixels += from->box.width * from->box.height;
    *bits += 8 * (uint64_t)(encoder->range_coder.size - before);
    return FF_MODE_MODELLED;
}

/* Puts what the tile held before the packet into the cache, if it stood there for long enough to come back one day. */
static uint32_t keep(ff_frame_encoder *encoder, uint32_t tile, ff_box area) {
    const size_t pitch = encoder->geometry.width;
    if (encoder->cache.slot_count == 0 || encoder->changed_at[tile] == 0 ||
        encoder->packet - encoder->changed_at[tile] < FF_CACHE_SETTLED)
        return 0;
    const uint32_t *old = reference_at(encoder, area);
    const uint64_t hash = ff_hash_pixels(old, pitch, area.width, area.height, encoder->hash_keys);
    const int32_t known = ff_cache_find(&encoder->cache, hash, old, pitch, area);
    if (known >= 0) {
        encoder->cache.slots[known].used = encoder->packet;
        return 0;
    }
    const int32_t slot = ff_cache_store(&encoder->cache, hash, old, pitch, area, encoder->packet);
    if (slot < 0)
        return 0;
    put_u16(encoder, FF_PLANE_CACHE, (uint32_t)slot);
    return FF_OPERATION_KEEP;
}

/* Codes one tile; returns the estimated bits, 0 when it does not differ after all. */
static uint64_t encode_tile(ff_frame_encoder *encoder, uint32_t tile) {
    const uint32_t *pixels = encoder->tiles + (size_t)tile * FF_TILE_PIXELS;
    const ff_box area = ff_tile_area(&encoder->geometry, tile);
    const ff_box whole = {0, 0, area.width, area.height};
    const size_t pitch = encoder->geometry.width;
    uint64_t bits = BITS_PER_TILE;
    uint32_t operation = 0;
    base from = {reference_at(encoder, area), 0, whole};

    from.changed = ff_kernels->diff_box(pixels, from.pixels, pitch, area, &from.box);
    if (from.changed == 0) /* the frame was changed back since it was compared */
        return 0;
    encoder->boxes[tile] = from.box;

    if (from.changed >= FEW_PIXELS) {
        if (encoder->cache.slot_count > 0) {
            const uint64_t hash = ff_hash_pixels(pixels, FF_TILE, area.width, area.height, encoder->hash_keys);
            const int32_t slot = ff_cache_find(&encoder->cache, hash, pixels, FF_TILE, area);
            if (slot >= 0) {
                encoder->cache.slots[slot].used = encoder->packet;
                put_u16(encoder, FF_PLANE_CACHE, (uint32_t)slot);
                put_operation(encoder, tile, FF_MODE_CACHED | keep(encoder, tile, area));
                return bits;
            }
        }
        const int32_t vector = best_vector(encoder, pixels, area, from.changed);
        if (vector >= 0) {
            const ff_vector moved = encoder->motion.vectors[vector];
            from.pixels += (ptrdiff_t)moved.dy * (ptrdiff_t)pitch + moved.dx;
            from.changed = ff_kernels->diff_box(pixels, from.pixels, pitch, area, &from.box);
            operation |= put_vector(encoder, (uint32_t)vector);
        }
    }
    if (from.changed == 0) {
        operation |= FF_MODE_COPY;
    } else {
        operation |= put_box(encoder, area, from.box);
        operation |= encoder->model != NULL ? draw_modelled(encoder, tile, pixels, &from, &bits)
                                            : draw(encoder, pixels, &from, &bits);
    }
    if (encoder->boxes[tile].width * encoder->boxes[tile].height >= FEW_PIXELS)
        operation |= keep(encoder, tile, area);
    put_operation(encoder, tile, operation);
    return bits;
}

static size_t total_size(const ff_frame_encoder *encoder) {
    size_t total = 0;
    for (int plane = 0; plane < FF_PLANES; plane++)
        total += encoder->sizes[plane];
    return total;
}

size_t ff_encode_tiles(ff_frame_encoder *encoder, uint32_t start, uint64_t bit_budget, uint64_t byte_room,
                       uint32_t *next, uint64_t *estimate) {
    const uint32_t tiles = (uint32_t)count_tiles(encoder);
    const size_t modelled_before = encoder->range_coder.size;
    const size_t tile_bytes = encoder->model != NULL ? FF_MAX_TILE_BYTES : FF_MAX_UNMODELLED_TILE_BYTES;
    size_t left = 0;
    uint64_t bits = 0;
    uint32_t tile = start;
    memset(encoder->sizes, 0, sizeof encoder->sizes);
    *next = start;
    for (uint32_t i = 0; i < tiles; i++, tile = tile + 1 == tiles ? 0 : tile + 1) {
        if (!encoder->dirty[tile])
            continue;
        const size_t size = total_size(encoder) + encoder->range_coder.size - modelled_before;
        if (bits > 0 && (bits >= bit_budget || size + tile_bytes > byte_room)) {
            left++;
            continue;
        }
        bits += encode_tile(encoder, tile);
        encoder->dirty[tile] = 0;
        *next = tile + 1 == tiles ? 0 : tile + 1;
    }
    *estimate = bits;
    return left;
}
