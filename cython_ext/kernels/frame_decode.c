#include "frame_decode.h"

#include <string.h>

#include "predict.h"
#include "surroundings.h"

typedef struct operation {
    uint32_t tile, mode, flags, table, new_colours;
    ff_box area, box;
    uint32_t source_x, source_y; /* with FF_OPERATION_MOVED */
    uint32_t slot, kept_slot;    /* of a cached tile; with FF_OPERATION_KEEP */
    const uint8_t *colours, *indices, *xor_planes, *green, *blue, *red; /* those that the mode uses */
} operation;

typedef struct reader {
    const ff_geometry *geometry;
    ff_plane_view planes[FF_PLANES]; /* what is not read yet */
    uint32_t position;               /* the tile that a skip of 0 names */
    uint32_t passed;                 /* tiles from the first operation's on, skipped ones included */
    uint32_t cache_slots;
    uint32_t modelled_pixels;        /* stated for the packet, and not drawn yet */
    uint32_t vector_count;           /* 0: the list has not been read */
    const uint8_t *vectors;
    int plane;                       /* where the last fault was found */
} reader;

static reader make_reader(const ff_frame_decoder *decoder, const ff_plane_view *planes) {
    reader r = {.geometry = &decoder->geometry,
                .cache_slots = decoder->cache_slots,
                .modelled_pixels = decoder->modelled_pixels};
    memcpy(r.planes, planes, sizeof r.planes);
    r.planes[FF_PLANE_MODELLED].size = 0; /* the range coder reads it */
    return r;
}

/* The next `size` bytes of a plane; NULL when it holds fewer. */
static const uint8_t *take(reader *r, int plane, size_t size) {
    ff_plane_view *view = &r->planes[plane];
    r->plane = plane;
    if (view->size < size)
        return NULL;
    const uint8_t *data = view->data;
    view->data += size;
    view->size -= size;
    return data;
}

/* Moves to the tile of the next operation. Skips run around the end of the frame, but never past the first tile named. */
static ff_fault read_tile(reader *r, operation *op) {
    const uint32_t tiles = r->geometry->columns * r->geometry->rows;
    const int first = r->passed == 0;
    uint32_t skip = 0;
    const uint8_t *byte;
    do {
        byte = take(r, FF_PLANE_OPERATIONS, 1);
        if (byte == NULL)
            return FF_FAULT_PLANE_SHORT;
        skip += *byte;
        if (skip >= tiles)
            return FF_FAULT_TILE;
    } while (*byte == FF_SKIP_MORE);
    r->passed += (first ? 0 : skip) + 1;
    if (r->passed > tiles)
        return FF_FAULT_TILE;
    op->tile = r->position + skip < tiles ? r->position + skip : r->position + skip - tiles;
    r->position = op->tile + 1 == tiles ? 0 : op->tile + 1;
    return FF_OK;
}

static ff_fault read_box(reader *r, operation *op) {
    const uint8_t *bytes = take(r, FF_PLANE_BOXES, FF_MAX_BOX_BYTES);
    if (bytes == NULL)
        return FF_FAULT_PLANE_SHORT;
    op->box = (ff_box){bytes[0], bytes[1], bytes[2] + 1u, bytes[3] + 1u};
    if (op->box.x + op->box.width > op->area.width || op->box.y + op->box.height > op->area.height)
        return FF_FAULT_BOX;
    return FF_OK;
}

static uint32_t u16_at(const uint8_t *bytes) { return bytes[0] | (uint32_t)bytes[1] << 8; }

static int32_t i16_at(const uint8_t *bytes) { return (int16_t)u16_at(bytes); }

static ff_fault read_vector(reader *r, operation *op) {
    if (r->vector_count == 0) {
        const uint8_t *count = take(r, FF_PLANE_VECTORS, 1);
        if (count == NULL)
            return FF_FAULT_PLANE_SHORT;
        r->vector_count = *count;
        r->vectors = take(r, FF_PLANE_VECTORS, FF_VECTOR_BYTES * (size_t)*count);
        if (r->vectors == NULL)
            return FF_FAULT_PLANE_SHORT;
    }
    const uint8_t *number = take(r, FF_PLANE_VECTORS, 1);
    if (number == NULL)
        return FF_FAULT_PLANE_SHORT;
    if (*number >= r->vector_count)
        return FF_FAULT_VECTOR;
    const uint8_t *vector = r->vectors + FF_VECTOR_BYTES * (size_t)*number;
    const int64_t x = (int64_t)op->area.x + i16_at(vector), y = (int64_t)op->area.y + i16_at(vector + 2);
    if (x < 0 || y < 0 || x + op->area.width > r->geometry->width || y + op->area.height > r->geometry->height)
        return FF_FAULT_VECTOR;
    op->source_x = (uint32_t)x;
    op->source_y = (uint32_t)y;
    return FF_OK;
}

static ff_fault read_slot(reader *r, uint32_t *slot) {
    const uint8_t *bytes = take(r, FF_PLANE_CACHE, 2);
    if (bytes == NULL)
        return FF_FAULT_PLANE_SHORT;
    *slot = u16_at(bytes);
    return *slot < r->cache_slots ? FF_OK : FF_FAULT_SLOT;
}

static ff_fault read_colours(reader *r, operation *op) {
    const uint8_t *byte = take(r, FF_PLANE_COLOURS, 1);
    if (byte == NULL)
        return FF_FAULT_PLANE_SHORT;
    op->table = *byte;
    if (op->table >= FF_TABLES)
        return FF_FAULT_TABLE;
    op->new_colours = 0;
    if (!(op->flags & FF_OPERATION_NEW_COLOURS))
        return FF_OK;
    if ((byte = take(r, FF_PLANE_COLOURS, 1)) == NULL)
        return FF_FAULT_PLANE_SHORT;
    op->new_colours = *byte;
    op->colours = take(r, FF_PLANE_COLOURS, 4 * (size_t)op->new_colours);
    return op->colours == NULL ? FF_FAULT_PLANE_SHORT : FF_OK;
}

static int is_drawn(uint32_t mode) {
    return mode == FF_MODE_SOLID || mode == FF_MODE_PALETTE || mode == FF_MODE_PATCH;
}

/* Which flags go with which mode. */
static int is_operation(uint32_t mode, uint32_t flags) {
    switch (mode) {
    case FF_MODE_SOLID:
    case FF_MODE_PALETTE:
    case FF_MODE_PATCH:
        return 1;
    case FF_MODE_PHOTO:
    case FF_MODE_XOR:
    case FF_MODE_DIFFERENCE:
    case FF_MODE_MODELLED:
        return !(flags & FF_OPERATION_NEW_COLOURS);
    case FF_MODE_COPY:
        return (flags & ~FF_OPERATION_KEEP) == FF_OPERATION_MOVED;
    case FF_MODE_CACHED:
        return (flags & ~FF_OPERATION_KEEP) == 0;
    default:
        return 0;
    }
}

static ff_fault read_pixels(reader *r, operation *op) {
    const size_t pixels = (size_t)op->box.width * op->box.height;
    switch (op->mode) {
    case FF_MODE_SOLID:
        op->indices = take(r, FF_PLANE_COLOURS, 1);
        return op->indices == NULL ? FF_FAULT_PLANE_SHORT : FF_OK;
    case FF_MODE_PALETTE:
    case FF_MODE_PATCH:
        op->indices = take(r, FF_PLANE_INDICES, pixels);
        return op->indices == NULL ? FF_FAULT_PLANE_SHORT : FF_OK;
    case FF_MODE_PHOTO:
    case FF_MODE_DIFFERENCE:
        if ((op->green = take(r, FF_PLANE_GREEN, pixels)) == NULL || (op->blue = take(r, FF_PLANE_BLUE, pixels)) == NULL ||
            (op->red = take(r, FF_PLANE_RED, pixels)) == NULL)
            return FF_FAULT_PLANE_SHORT;
        return FF_OK;
    case FF_MODE_XOR:
        op->xor_planes = take(r, FF_PLANE_XOR, 3 * pixels);
        return op->xor_planes == NULL ? FF_FAULT_PLANE_SHORT : FF_OK;
    case FF_MODE_CACHED:
        return read_slot(r, &op->slot);
    case FF_MODE_MODELLED:
        r->plane = FF_PLANE_MODELLED;
        if (pixels > r->modelled_pixels)
            return FF_FAULT_PLANE_SHORT;
        r->modelled_pixels -= (uint32_t)pixels;
        return FF_OK;
    default:
        return FF_OK;
    }
}

static ff_fault read_operation(reader *r, operation *op) {
    ff_fault fault = read_tile(r, op);
    if (fault != FF_OK)
        return fault;
    const uint8_t *byte = take(r, FF_PLANE_OPERATIONS, 1);
    if (byte == NULL)
        return FF_FAULT_PLANE_SHORT;
    op->mode = *byte & FF_OPERATION_MODE;
    op->flags = *byte & ~FF_OPERATION_MODE;
    if (!is_operation(op->mode, op->flags))
        return FF_FAULT_OPERATION;
    op->area = ff_tile_area(r->geometry, op->tile);
    op->box = (ff_box){0, 0, op->area.width, op->area.height};
    op->table = op->new_colours = 0;
    if ((op->flags & FF_OPERATION_MOVED) && (fault = read_vector(r, op)) != FF_OK)
        return fault;
    if ((op->flags & FF_OPERATION_BOXED) && (fault = read_box(r, op)) != FF_OK)
        return fault;
    if (is_drawn(op->mode) && (fault = read_colours(r, op)) != FF_OK)
        return fault;
    if ((fault = read_pixels(r, op)) != FF_OK)
        return fault;
    return op->flags & FF_OPERATION_KEEP ? read_slot(r, &op->kept_slot) : FF_OK;
}

void ff_decoder_init(ff_frame_decoder *decoder) {
    for (uint32_t table = 0; table < FF_TABLES; table++)
        for (uint32_t slot = 0; slot < FF_TABLE_SLOTS; slot++)
            decoder->colours[table][slot] = FF_OPAQUE;
}

ff_fault ff_check_planes(const ff_frame_decoder *decoder, const ff_plane_view *planes, int *plane) {
    reader r = make_reader(decoder, planes);
    while (r.planes[FF_PLANE_OPERATIONS].size > 0) {
        operation op;
        const ff_fault fault = read_operation(&r, &op);
        if (fault != FF_OK) {
            *plane = r.plane;
            return fault;
        }
    }
    for (int i = 0; i < FF_PLANES; i++)
        if (r.planes[i].size > 0 || (i == FF_PLANE_MODELLED && r.modelled_pixels > 0)) {
            *plane = i;
            return FF_FAULT_PLANE_LONG;
        }
    return FF_OK;
}

/* Adds a rectangle to the list, or widens the last one where the new one continues it to the right. */
static void add_dirty(ff_frame_decoder *decoder, ff_box box) {
    if (decoder->dirty_count > 0) {
        ff_box *last = &decoder->dirty[decoder->dirty_count - 1];
        if (last->y == box.y && last->height == box.height && last->x + last->width == box.x) {
            last->width += box.width;
            return;
        }
    }
    decoder->dirty[decoder->dirty_count++] = box;
}

/* Copies the sources of all moved tiles aside: they are read as they were before the packet, in whatever order the tiles
 * are drawn. */
static void gather_moved(const ff_frame_decoder *decoder, const ff_plane_view *planes, const uint32_t *framebuffer) {
    reader r = make_reader(decoder, planes);
    const size_t pitch = decoder->geometry.width;
    uint32_t *moved = decoder->moved;
    operation op;
    while (r.planes[FF_PLANE_OPERATIONS].size > 0 && read_operation(&r, &op) == FF_OK) {
        if (!(op.flags & FF_OPERATION_MOVED))
            continue;
        const uint32_t *source = framebuffer + op.source_y * pitch + op.source_x;
        for (uint32_t y = 0; y < op.area.height; y++, source += pitch)
            memcpy(moved + (size_t)y * FF_TILE, source, (size_t)op.area.width * 4);
        moved += FF_TILE_PIXELS;
    }
}

/* Slots begin as zeros, which the system hands out without touching them; setting X makes them the black that they stand
 * for. */
static void bring_back(const ff_frame_decoder *decoder, const operation *op, uint32_t *target) {
    const uint32_t *slot = decoder->cache + op->slot * (size_t)FF_TILE_PIXELS;
    for (uint32_t y = 0; y < op->area.height; y++, slot += FF_TILE, target += decoder->geometry.width)
        for (uint32_t x = 0; x < op->area.width; x++)
            target[x] = slot[x] | FF_OPAQUE;
}

/* What a tile of a framebuffer is found by. */
typedef struct canvas {
    const ff_geometry *geometry;
    const uint32_t *framebuffer;
} canvas;

static const uint32_t *find_shown(const void *canvas_, uint32_t tile, size_t *pitch) {
    const canvas *c = canvas_;
    const ff_box area = ff_tile_area(c->geometry, tile);
    *pitch = c->geometry->width;
    return c->framebuffer + area.y * *pitch + area.x;
}

/* Draws the box of a tile by the model. */
static void draw_modelled(ff_frame_decoder *decoder, const operation *op, uint32_t *framebuffer) {
    const canvas shown = {&decoder->geometry, framebuffer};
    const size_t pitch = decoder->geometry.width;
    uint32_t *target = framebuffer + op->area.y * pitch + op->area.x;
    ff_model_set_base(decoder->model, target, pitch, op->area);
    ff_surround_tile(decoder->model, &decoder->geometry, op->tile, find_shown, &shown);
    ff_kernels->decode_box(decoder->model, &decoder->range_coder, op->box);
    target += op->box.y * pitch + op->box.x;
    for (uint32_t y = 0; y < op->box.height; y++, target += pitch)
        memcpy(target, ff_model_window_at(decoder->model, (int32_t)op->box.x, (int32_t)(op->box.y + y)),
               op->box.width * sizeof *target);
}

/* Draws the box of a tile in any other mode; `target` points at its first pixel. */
static void draw(ff_frame_decoder *decoder, const operation *op, uint32_t *target) {
    const size_t pitch = decoder->geometry.width;
    uint32_t *colours = decoder->colours[op->table];
    for (uint32_t i = 0; i < op->new_colours; i++) {
        const uint8_t *entry = op->colours + 4 * (size_t)i;
        colours[entry[0]] = FF_OPAQUE | entry[1] | (uint32_t)entry[2] << 8 | (uint32_t)entry[3] << 16;
    }
    switch (op->mode) {
    case FF_MODE_SOLID:
        ff_fill_box(target, pitch, op->box, colours[op->indices[0]]);
        break;
    case FF_MODE_PALETTE:
        ff_kernels->expand_palette(op->indices, colours, op->box, target, pitch);
        break;
    case FF_MODE_PATCH:
        ff_expand_patch(op->indices, colours, op->box, target, pitch);
        break;
    case FF_MODE_PHOTO:
    case FF_MODE_DIFFERENCE:
        ff_kernels->unpredict(op->green, op->blue, op->red, op->mode == FF_MODE_DIFFERENCE, op->box, target, pitch);
        break;
    case FF_MODE_XOR:
        ff_kernels->unxor_box(op->xor_planes, op->box, target, pitch);
        break;
    case FF_MODE_CACHED:
        bring_back(decoder, op, target);
        break;
    default:
        break;
    }
}

static void keep(const ff_frame_decoder *decoder, const operation *op, const uint32_t *pixels) {
    uint32_t *slot = decoder->cache + op->kept_slot * (size_t)FF_TILE_PIXELS;
    for (uint32_t y = 0; y < op->area.height; y++, slot += FF_TILE, pixels += decoder->geometry.width)
        memcpy(slot, pixels, (size_t)op->area.width * 4);
}

/* What part of a plane costs after zstd, in no unit: its bytes, but of indices and XOR mostly those that differ from the
 * byte before, since runs cost next to nothing. */
static uint32_t weight(int plane, const uint8_t *data, size_t size) {
    if (plane != FF_PLANE_INDICES && plane != FF_PLANE_XOR)
        return (uint32_t)size;
    uint32_t changes = 0;
    for (size_t i = 1; i < size; i++)
        changes += data[i] != data[i - 1];
    return changes + (uint32_t)(size + 31) / 32;
}

/* How far the range coder has read, in bits: those of the last word count as the interval has narrowed. */
static uint64_t bits_read(const ff_range_decoder *coder) {
    uint64_t bits = 8 * (uint64_t)coder->position;
    for (uint64_t range = coder->range; range >> 63 == 0; range <<= 1)
        bits++;
    return bits;
}

void ff_apply_planes(ff_frame_decoder *decoder, const ff_plane_view *planes, uint32_t *framebuffer) {
    reader r = make_reader(decoder, planes);
    const size_t tiles = (size_t)decoder->geometry.columns * decoder->geometry.rows;
    const size_t pitch = decoder->geometry.width;
    const uint32_t *moved = decoder->moved;
    memset(decoder->modes, FF_MODE_UNCHANGED, tiles);
    decoder->dirty_count = decoder->coded_count = 0;
    if (decoder->modelled_pixels > 0)
        ff_range_begin_decoding(&decoder->range_coder, planes[FF_PLANE_MODELLED].data, planes[FF_PLANE_MODELLED].size);
    if (planes[FF_PLANE_VECTORS].size > 0)
        gather_moved(decoder, planes, framebuffer);
    while (r.planes[FF_PLANE_OPERATIONS].size > 0) {
        operation op;
        ff_plane_view before[FF_PLANES];
        memcpy(before, r.planes, sizeof before);
        if (read_operation(&r, &op) != FF_OK)
            return; /* not after ff_check_planes */
        uint32_t *target = framebuffer + op.area.y * pitch + op.area.x;
        ff_box dirty = {op.area.x + op.box.x, op.area.y + op.box.y, op.box.width, op.box.height};
        if (op.flags & FF_OPERATION_KEEP)
            keep(decoder, &op, target);
        if (op.flags & FF_OPERATION_MOVED) {
            dirty = op.area;
            ff_store_box(moved, (ff_box){0, 0, op.area.width, op.area.height}, target, pitch);
            moved += FF_TILE_PIXELS;
        }
        ff_tile_weights *coded = &decoder->coded[decoder->coded_count++];
        *coded = (ff_tile_weights){.tile = op.tile};
        if (op.mode == FF_MODE_MODELLED) {
            const uint64_t start = bits_read(&decoder->range_coder);
            draw_modelled(decoder, &op, framebuffer);
            const uint64_t end = bits_read(&decoder->range_coder);
            coded->weights[FF_PLANE_MODELLED] = 1 + (end > start ? (uint32_t)(end - start) : 0); /* zeros beyond the end are free */
        } else {
            draw(decoder, &op, target + op.box.y * pitch + op.box.x);
        }
        decoder->modes[op.tile] = (uint8_t)op.mode;
        for (int plane = 0; plane < FF_PLANE_MODELLED; plane++)
            coded->weights[plane] = weight(plane, before[plane].data, before[plane].size - r.planes[plane].size);
        add_dirty(decoder, dirty);
    }
}
