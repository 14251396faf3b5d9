#include "frame_encode.h"

#include <string.h>

#include "hash.h"
#include "surroundings.h"
#include "texture.h"

/* What the modes cost after zstd, in bits, besides what analyse.c says; fitted to recorded desktops (benchmarks/bench_scenes.py). */
#define BITS_PER_NEW_COLOUR 26u
#define BITS_PER_CHANGED_PIXEL 16u
#define BITS_PER_TILE 24u
/* At least: text takes less. */
#define BITS_PER_PHOTO_PIXEL 2u
/* What smaller changes draw over is not kept. */
#define FEW_KEPT_PIXELS 64u
/* Slots of the cache that are prepared with each packet, until a screenful of them is: in some 0.1 ms, and 0.4 with packets of so few
 * tiles that they leave time for it. */
#define PREPARED_SLOTS 8u
#define IDLY_PREPARED_SLOTS 48u
#define FEW_TILES 24u

static size_t count_tiles(const ff_frame_encoder *encoder) {
    return (size_t)encoder->geometry.columns * encoder->geometry.rows;
}

static uint32_t *reference_at(const ff_frame_encoder *encoder, ff_box area) {
    return encoder->reference + (size_t)area.y * encoder->geometry.width + area.x;
}

void ff_encoder_reset(ff_frame_encoder *encoder) {
    const size_t tiles = count_tiles(encoder);
    ff_colours_reset(&encoder->colours);
    ff_cache_reset(&encoder->cache);
    for (size_t tile = 0; tile < tiles; tile++)
        encoder->repeats[tile] = ~UINT64_C(1); /* all rows but the first */
    encoder->packet = 0;
    memset(encoder->dirty, 0, tiles);
    memset(encoder->modes, FF_MODE_UNCHANGED, tiles);
    memset(encoder->changed_at, 0, tiles * sizeof *encoder->changed_at);
    memset(encoder->hashes, 0, tiles * sizeof *encoder->hashes);
    memset(encoder->restless, 0, tiles);
    memset(encoder->excesses, 0, tiles * sizeof *encoder->excesses);
}

void ff_begin_packet(ff_frame_encoder *encoder) {
    const size_t tiles = count_tiles(encoder);
    encoder->position = 0;
    encoder->vectors_written = 0;
    encoder->packet++;
    ff_cache_begin_packet(&encoder->cache, encoder->packet);
    encoder->modelled_pixels = 0;
    encoder->range_coder.data = encoder->planes[FF_PLANE_MODELLED];
    ff_range_begin_encoding(&encoder->range_coder);
    encoder->order_count = encoder->coded = 0;
    encoder->motion.vector_count = encoder->motion.drift_count = 0;
    memset(encoder->sizes, 0, sizeof encoder->sizes);
    memset(encoder->modes, FF_MODE_UNCHANGED, tiles);
    memset(encoder->boxes, 0, tiles * sizeof *encoder->boxes);
}

/* One row of tiles. */
static size_t compare_row(ff_frame_encoder *encoder, const uint8_t *frame, ptrdiff_t stride, const uint8_t *candidates,
                          uint32_t row) {
    const ff_geometry *geometry = &encoder->geometry;
    const size_t tile = (size_t)row * geometry->columns, y = (size_t)row * FF_TILE;
    const uint32_t height = geometry->height - (uint32_t)y < FF_TILE ? geometry->height - (uint32_t)y : FF_TILE;
    const ff_geometry strip = {geometry->width, height, geometry->columns, 1};
    if (encoder->packet == 1) { /* now, so that it is in the processor's cache */
        const ff_box all = {0, 0, geometry->width, height};
        ff_fill_box(encoder->reference + y * geometry->width, geometry->width, all, FF_OPAQUE);
    }
    if (candidates != NULL && memchr(candidates + tile, 1, geometry->columns) == NULL) {
        memset(encoder->dirty + tile, 0, geometry->columns);
        return 0;
    }
    const uint8_t *strip_pixels = frame + (ptrdiff_t)y * stride;
    const size_t count = ff_kernels->diff_tiles(strip_pixels, stride,
                                                encoder->reference + y * geometry->width, &strip, encoder->repeats + tile,
                                                candidates == NULL ? NULL : candidates + tile, encoder->dirty + tile);
    if (count > 0)
        ff_kernels->load_tiles(strip_pixels, stride, &strip, encoder->dirty + tile, encoder->tiles + tile * FF_TILE_PIXELS);
    if (count > 0 && encoder->packet > 1) /* nothing moves on the black of a new epoch */
        for (uint32_t column = 0; column < geometry->columns; column++)
            if (encoder->dirty[tile + column])
                ff_kernels->motion_take(encoder->tiles + (tile + column) * FF_TILE_PIXELS,
                                        ff_tile_area(geometry, (uint32_t)tile + column), &encoder->windows[tile + column]);
    return count;
}

size_t ff_compare_rows(ff_frame_encoder *encoder, const uint8_t *frame, ptrdiff_t stride, const uint8_t *candidates,
                       uint32_t first, uint32_t end) {
    size_t count = 0;
    /* What is loaded still is in the processor's cache from being compared. */
    for (uint32_t row = first; row < end; row++)
        count += compare_row(encoder, frame, stride, candidates, row);
    return count;
}

void ff_begin_tiles(ff_frame_encoder *encoder, uint32_t start) {
    const size_t tiles = count_tiles(encoder);
    for (uint32_t tile = start; tile < tiles; tile++)
        if (encoder->dirty[tile])
            encoder->order[encoder->order_count++] = tile;
    for (uint32_t tile = 0; tile < start; tile++)
        if (encoder->dirty[tile])
            encoder->order[encoder->order_count++] = tile;
    encoder->bands = 0;
    if (encoder->packet > 1)
        encoder->bands = ff_motion_begin(&encoder->motion, &encoder->geometry, encoder->windows, encoder->dirty,
                                         encoder->order_count);
}

void ff_look_for_motion(ff_frame_encoder *encoder, uint32_t first, uint32_t end) {
    for (uint32_t band = first; band < end; band++) {
        ff_kernels->motion_vote(&encoder->motion, &encoder->geometry, encoder->dirty, encoder->reference, band,
                                &encoder->votes[band]);
        ff_look_for_drifts(&encoder->geometry, encoder->restless, encoder->dirty, encoder->tiles, encoder->reference, band,
                           &encoder->drifts[band]);
    }
}

void ff_end_motion(ff_frame_encoder *encoder) {
    ff_motion *motion = &encoder->motion;
    ff_motion_end(motion, encoder->votes, encoder->bands);
    motion->drift_count = ff_choose_drifts(&encoder->geometry, encoder->tiles, encoder->reference, encoder->drifts, encoder->bands,
                                           motion->vectors + motion->vector_count);
}

/* Says which rows of the tile repeat the one above, now that those of a box have changed. */
static void update_repeats(ff_frame_encoder *encoder, uint32_t tile, ff_box area, ff_box box) {
    const uint32_t first = box.y > 0 ? box.y : 1, below = box.y + box.height;
    const uint32_t end = below < area.height ? below + 1 : below;
    uint64_t *repeats = &encoder->repeats[tile];
    for (uint32_t y = first; y < end; y++)
        *repeats &= ~(UINT64_C(1) << y);
    *repeats |= ff_kernels->find_repeats(encoder->tiles + (size_t)tile * FF_TILE_PIXELS, area.width, first, end);
}

void ff_end_rows(ff_frame_encoder *encoder, uint32_t first, uint32_t end, uint64_t *row_hashes) {
    const ff_geometry *geometry = &encoder->geometry;
    for (uint32_t row = first; row < end; row++) {
        for (uint32_t tile = row * geometry->columns; tile < (row + 1) * geometry->columns; tile++) {
            const ff_box box = encoder->boxes[tile];
            if (box.width == 0)
                continue;
            const ff_box area = ff_tile_area(geometry, tile);
            ff_store_box(encoder->tiles + (size_t)tile * FF_TILE_PIXELS, box,
                         reference_at(encoder, area) + box.y * (size_t)geometry->width + box.x, geometry->width);
            update_repeats(encoder, tile, area, box);
            encoder->changed_at[tile] = encoder->packet;
        }
        const uint32_t top = row * FF_TILE, bottom = geometry->height - top < FF_TILE ? geometry->height : top + FF_TILE;
        for (uint32_t y = top; row_hashes != NULL && y < bottom; y++)
            row_hashes[y] = ff_kernels->hash_row(encoder->reference + (size_t)y * geometry->width, encoder->hash_keys, geometry->width);
    }
}

void ff_end_packet(ff_frame_encoder *encoder) {
    const uint32_t slots = encoder->coded < FEW_TILES ? IDLY_PREPARED_SLOTS : PREPARED_SLOTS;
    ff_cache_prepare(&encoder->cache, (uint32_t)count_tiles(encoder), slots); /* more than a screenful may never be used */
    if (encoder->modelled_pixels > 0) {
        ff_range_end_encoding(&encoder->range_coder);
        encoder->sizes[FF_PLANE_MODELLED] = encoder->range_coder.size;
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
        const uint32_t count = motion->vector_count + motion->drift_count;
        put(encoder, FF_PLANE_VECTORS, count);
        for (uint32_t i = 0; i < count; i++) {
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
    uint8_t announced[FF_PALETTE_MAX + 1];
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

/* The way to draw a box that is the cheapest so far. */
typedef struct drawing {
    uint32_t mode, bits;
    const ff_palette *palette; /* of the modes solid, palette and patch */
    uint32_t table, new_colours;
} drawing;

static void try_palette(const ff_colour_tables *tables, uint32_t mode, const ff_palette *palette, uint32_t bits, drawing *best) {
    uint32_t missing;
    const uint32_t table = ff_colours_choose(tables, palette, &missing);
    bits += missing * BITS_PER_NEW_COLOUR;
    if (bits < best->bits)
        *best = (drawing){mode, bits, palette, table, missing};
}

static void try_mode(uint32_t mode, uint32_t bits, drawing *best) {
    if (bits < best->bits)
        *best = (drawing){mode, bits, NULL, 0, 0};
}

/* Whether no residuals can be cheaper: those of nearly all tiles take more than 1.5 times what indices take, so they pay only
 * where many colours are new. */
static int is_settled(const drawing *best) {
    return best->palette != NULL &&
           (ff_is_drawing(best->palette) || best->new_colours * BITS_PER_NEW_COLOUR * 3 <= best->bits);
}

/* The cheapest way to draw the box, with these colour tables. */
static drawing choose_drawing(const ff_frame_encoder *encoder, const ff_colour_tables *tables, uint32_t tile, ff_analysis *analysis) {
    const ff_base *base = &analysis->base;
    drawing best = {FF_MODE_PHOTO, UINT32_MAX, NULL, 0, 0};

    ff_analyse_colours(encoder, tile, analysis);
    if (analysis->has_palette)
        try_palette(tables, analysis->palette.count == 1 ? FF_MODE_SOLID : FF_MODE_PALETTE, &analysis->palette,
                    analysis->palette_bits, &best);
    if (analysis->has_patch)
        try_palette(tables, FF_MODE_PATCH, &analysis->patch, analysis->patch_bits, &best);
    if (is_settled(&best))
        return best;
    ff_analyse_photo(encoder, tile, analysis);
    try_mode(FF_MODE_PHOTO, analysis->photo_bits, &best);
    try_mode(FF_MODE_DIFFERENCE, analysis->difference_bits, &best);
    if (ff_changed_sparsely(base))
        try_mode(FF_MODE_XOR, base->changed * BITS_PER_CHANGED_PIXEL, &best);
    return best;
}

void ff_begin_window(ff_frame_encoder *encoder, size_t first, size_t end, ff_analysis *analyses) {
    ff_known *known = &encoder->known[encoder->windows_begun++ % FF_WINDOWS];
    known->tables = encoder->colours.tables;
    ff_cache_note_hashes(&encoder->cache, &known->cache);
    for (size_t number = first; number < end; number++)
        analyses[number % FF_ANALYSES].known = known;
}

/* Whether the drawing is settled whatever the tables hold. */
static int is_settled_by_colours(const ff_analysis *analysis) {
    return analysis->has_palette ? ff_is_drawing(&analysis->palette) : analysis->has_patch && ff_is_drawing(&analysis->patch);
}

static void analyse_tile(const ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis) {
    ff_analyse_change(encoder, tile, analysis);
    if (analysis->changed == 0 || (ff_changed_much(analysis) && ff_cache_may_know(&analysis->known->cache, analysis->hash)))
        return;
    ff_analyse_base(encoder, tile, analysis);
    if (analysis->base.changed == 0 || encoder->model != NULL)
        return;
    ff_analyse_colours(encoder, tile, analysis);
    if (!is_settled_by_colours(analysis))
        choose_drawing(encoder, &analysis->known->tables, tile, analysis);
}

/* What coding the tile with this number in the order reads first, if there is one: the tile, and what it replaces. */
static void prefetch_tile(const ff_frame_encoder *encoder, size_t number) {
    if (number >= encoder->order_count)
        return;
    const uint32_t tile = encoder->order[number];
    const ff_box area = ff_tile_area(&encoder->geometry, tile);
    ff_prefetch_rows(reference_at(encoder, area), encoder->geometry.width, area.width, area.height);
    ff_prefetch_rows(encoder->tiles + (size_t)tile * FF_TILE_PIXELS, FF_TILE, area.width, area.height);
}

void ff_analyse_tiles(const ff_frame_encoder *encoder, size_t first, size_t end, ff_analysis *analyses) {
    for (size_t number = first; number < end; number++) {
        prefetch_tile(encoder, number + 1);
        analyse_tile(encoder, encoder->order[number], &analyses[number % FF_ANALYSES]);
    }
}

/* Draws the box of a tile on its base as was chosen; returns the operation and adds the estimated bits. */
static uint32_t draw(ff_frame_encoder *encoder, uint32_t tile, const ff_analysis *analysis, drawing best, uint64_t *estimate) {
    const ff_base *base = &analysis->base;
    const uint32_t count = base->box.width * base->box.height;
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
    case FF_MODE_PATCH:
        ff_kernels->map_indices(best.palette->indices, count, slots, best.palette->count, end_of(encoder, FF_PLANE_INDICES));
        encoder->sizes[FF_PLANE_INDICES] += count;
        break;
    case FF_MODE_XOR:
        ff_kernels->xor_box(encoder->tiles + (size_t)tile * FF_TILE_PIXELS, base->pixels, encoder->geometry.width,
                            base->box, end_of(encoder, FF_PLANE_XOR));
        encoder->sizes[FF_PLANE_XOR] += 3 * (size_t)count;
        break;
    default:
        for (int i = 0; i < 3; i++) {
            memcpy(end_of(encoder, FF_PLANE_GREEN + i),
                   best.mode == FF_MODE_PHOTO ? analysis->photo[i] : analysis->difference[i], count);
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
static uint32_t draw_modelled(ff_frame_encoder *encoder, uint32_t tile, const ff_base *base, uint64_t *bits) {
    const size_t before = encoder->range_coder.size;
    ff_model_set_base(encoder->model, base->pixels, encoder->geometry.width, ff_tile_area(&encoder->geometry, tile));
    ff_surround_tile(encoder->model, &encoder->geometry, tile, find_shown, encoder);
    ff_kernels->encode_box(encoder->model, &encoder->range_coder, encoder->tiles + (size_t)tile * FF_TILE_PIXELS, base->box);
    encoder->modelled_pixels += base->box.width * base->box.height;
    *bits += 8 * (uint64_t)(encoder->range_coder.size - before);
    return FF_MODE_MODELLED;
}

/* Draws the box of a tile as effort "tight" does: through the model, unless a palette is cheaper. */
static uint32_t draw_tightly(ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis, uint64_t *bits) {
    drawing texture = {FF_MODE_MODELLED, UINT32_MAX, NULL, 0, 0};
    const uint32_t index_bits = ff_estimate_texture(encoder, tile, analysis);
    if (index_bits > 0) {
        try_palette(&encoder->colours.tables, FF_MODE_PALETTE, &analysis->palette, index_bits, &texture);
        if (ff_texture_pays(encoder, tile))
            return draw(encoder, tile, analysis, texture, bits);
    }
    const uint64_t before = *bits;
    ff_analyse_drift(encoder, tile, analysis);
    const uint32_t operation = draw_modelled(encoder, tile, &analysis->base, bits);
    if (index_bits > 0)
        ff_compare_texture(encoder, tile, texture.bits, *bits - before);
    else
        ff_forget_texture(encoder, tile);
    return operation;
}

/* Puts what the tile held before the packet into the cache, if it stood there for long enough to come back one day. */
static uint32_t keep(ff_frame_encoder *encoder, uint32_t tile, ff_box area) {
    const size_t pitch = encoder->geometry.width;
    if (encoder->cache.slot_count == 0 || encoder->changed_at[tile] == 0 ||
        encoder->packet - encoder->changed_at[tile] < FF_CACHE_SETTLED)
        return 0;
    const uint32_t *old = reference_at(encoder, area);
    uint64_t hash = encoder->hashes[tile];
    if (hash == 0)
        hash = ff_hash_pixels(old, pitch, area.width, area.height, encoder->hash_keys);
    const int32_t known = ff_cache_find(&encoder->cache, hash, old, pitch, area);
    if (known >= 0) {
        ff_cache_use(&encoder->cache, known);
        return 0;
    }
    const int32_t slot = ff_cache_store(&encoder->cache, hash, old, pitch, area);
    if (slot < 0)
        return 0;
    put_u16(encoder, FF_PLANE_CACHE, (uint32_t)slot);
    return FF_OPERATION_KEEP;
}

/* Whether an operation draws all of a tile by residuals: by the model where that takes as many bits as photos do. */
static uint8_t is_restless(uint32_t operation, uint64_t bits) {
    const uint32_t mode = operation & FF_OPERATION_MODE;
    const int residuals = mode == FF_MODE_PHOTO || mode == FF_MODE_DIFFERENCE ||
                          (mode == FF_MODE_MODELLED && bits >= BITS_PER_PHOTO_PIXEL * FF_TILE_PIXELS);
    return residuals && !(operation & FF_OPERATION_BOXED);
}

/* Codes one tile; returns the estimated bits, 0 when it does not differ after all. */
static uint64_t encode_tile(ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis) {
    const ff_box area = ff_tile_area(&encoder->geometry, tile);
    uint64_t bits = BITS_PER_TILE;
    uint32_t operation = 0;

    ff_analyse_change(encoder, tile, analysis);
    if (analysis->changed == 0) /* the frame was changed back since it was compared */
        return 0;
    encoder->boxes[tile] = analysis->box;

    if (ff_changed_much(analysis) && encoder->cache.slot_count > 0) {
        const uint32_t *pixels = encoder->tiles + (size_t)tile * FF_TILE_PIXELS;
        const int32_t slot = ff_cache_find(&encoder->cache, analysis->hash, pixels, FF_TILE, area);
        if (slot >= 0) {
            ff_cache_use(&encoder->cache, slot);
            put_u16(encoder, FF_PLANE_CACHE, (uint32_t)slot);
            put_operation(encoder, tile, FF_MODE_CACHED | keep(encoder, tile, area));
            encoder->restless[tile] = 0;
            encoder->cache.shown = slot; /* from the next operation on: this one reads it after it has kept */
            return bits;
        }
    }
    ff_analyse_base(encoder, tile, analysis);
    if (analysis->base.changed == 0) {
        operation |= FF_MODE_COPY;
    } else {
        operation |= put_box(encoder, area, analysis->base.box);
        if (encoder->model != NULL) {
            operation |= draw_tightly(encoder, tile, analysis, &bits);
        } else {
            const drawing chosen = choose_drawing(encoder, &encoder->colours.tables, tile, analysis);
            operation |= draw(encoder, tile, analysis, chosen, &bits);
            if (chosen.mode == FF_MODE_DIFFERENCE)
                analysis->vector = analysis->difference_vector;
        }
    }
    if (analysis->vector >= 0)
        operation |= put_vector(encoder, (uint32_t)analysis->vector);
    if (analysis->box.width * analysis->box.height >= FEW_KEPT_PIXELS)
        operation |= keep(encoder, tile, area);
    put_operation(encoder, tile, operation);
    encoder->restless[tile] = is_restless(operation, bits);
    return bits;
}

/* Bytes of the part, those of the modelled plane included. */
static size_t part_size(const ff_frame_encoder *encoder) {
    size_t total = encoder->range_coder.size - encoder->part_start;
    for (int plane = 0; plane < FF_PLANES; plane++)
        total += encoder->sizes[plane];
    return total;
}

void ff_begin_part(ff_frame_encoder *encoder) {
    memset(encoder->sizes, 0, sizeof encoder->sizes);
    encoder->part_bits = 0;
    encoder->part_start = encoder->range_coder.size;
}

void ff_encode_tiles(ff_frame_encoder *encoder, size_t count, ff_analysis *analyses, uint64_t bit_budget,
                     uint64_t byte_room) {
    const size_t tile_bytes = encoder->model != NULL ? FF_MAX_MODELLED_TILE_BYTES : FF_MAX_TILE_BYTES;
    for (size_t i = 0; i < count; i++) {
        if (encoder->part_bits > 0 &&
            (encoder->part_bits >= bit_budget || part_size(encoder) + tile_bytes > byte_room))
            return;
        const uint32_t tile = encoder->order[encoder->coded];
        ff_analysis *analysis = &encoder->analysis;
        if (analyses != NULL) {
            analysis = &analyses[encoder->coded % FF_ANALYSES];
        } else {
            prefetch_tile(encoder, encoder->coded + 1);
            analysis->steps = 0;
        }
        encoder->part_bits += encode_tile(encoder, tile, analysis);
        encoder->hashes[tile] = analysis->hash;
        encoder->dirty[tile] = 0;
        encoder->coded++;
    }
}
