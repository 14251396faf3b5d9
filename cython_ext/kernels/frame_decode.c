#include "frame_decode.h"

#include <string.h>

#include "predict.h"

typedef struct operation {
    uint32_t tile, mode, new_colours;
    ff_box area, box;
    const uint8_t *colours, *indices, *xor_planes, *green, *blue, *red; /* those that the mode uses */
} operation;

typedef struct reader {
    const ff_geometry *geometry;
    ff_plane_view planes[FF_PLANES]; /* what is not read yet */
    uint32_t position;               /* the tile that a skip of 0 names */
    uint32_t passed;                 /* tiles from the first operation's on, skipped ones included */
    int plane;                       /* where the last fault was found */
} reader;

static reader make_reader(const ff_geometry *geometry, const ff_plane_view *planes) {
    reader r = {geometry, {{0, 0}}, 0, 0, 0};
    memcpy(r.planes, planes, sizeof r.planes);
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

static ff_fault read_operation(reader *r, operation *op) {
    ff_fault fault = read_tile(r, op);
    if (fault != FF_OK)
        return fault;
    const uint8_t *byte = take(r, FF_PLANE_OPERATIONS, 1);
    if (byte == NULL)
        return FF_FAULT_PLANE_SHORT;
    op->mode = *byte & FF_OPERATION_MODE;
    const int drawn = op->mode == FF_MODE_SOLID || op->mode == FF_MODE_PALETTE;
    if ((*byte & ~FF_OPERATION_KNOWN) || op->mode == FF_MODE_UNCHANGED || op->mode >= FF_MODES ||
        ((*byte & FF_OPERATION_NEW_COLOURS) && !drawn))
        return FF_FAULT_OPERATION;

    op->area = ff_tile_area(r->geometry, op->tile);
    op->box = (ff_box){0, 0, op->area.width, op->area.height};
    if (*byte & FF_OPERATION_BOXED) {
        fault = read_box(r, op);
        if (fault != FF_OK)
            return fault;
    }

    op->new_colours = 0;
    op->colours = NULL;
    if (*byte & FF_OPERATION_NEW_COLOURS) {
        const uint8_t *count = take(r, FF_PLANE_COLOURS, 1);
        if (count == NULL)
            return FF_FAULT_PLANE_SHORT;
        op->new_colours = *count;
        op->colours = take(r, FF_PLANE_COLOURS, 4 * (size_t)op->new_colours);
        if (op->colours == NULL)
            return FF_FAULT_PLANE_SHORT;
    }

    const size_t pixels = (size_t)op->box.width * op->box.height;
    switch (op->mode) {
    case FF_MODE_SOLID:
        op->indices = take(r, FF_PLANE_COLOURS, 1);
        return op->indices == NULL ? FF_FAULT_PLANE_SHORT : FF_OK;
    case FF_MODE_PALETTE:
        op->indices = take(r, FF_PLANE_INDICES, pixels);
        return op->indices == NULL ? FF_FAULT_PLANE_SHORT : FF_OK;
    case FF_MODE_PHOTO:
        if ((op->green = take(r, FF_PLANE_GREEN, pixels)) == NULL || (op->blue = take(r, FF_PLANE_BLUE, pixels)) == NULL ||
            (op->red = take(r, FF_PLANE_RED, pixels)) == NULL)
            return FF_FAULT_PLANE_SHORT;
        return FF_OK;
    default:
        op->xor_planes = take(r, FF_PLANE_XOR, 3 * pixels);
        return op->xor_planes == NULL ? FF_FAULT_PLANE_SHORT : FF_OK;
    }
}

void ff_decoder_reset(ff_frame_decoder *decoder) {
    for (uint32_t slot = 0; slot < FF_TABLE_SLOTS; slot++)
        decoder->colours[slot] = FF_OPAQUE;
}

ff_fault ff_check_planes(const ff_frame_decoder *decoder, const ff_plane_view *planes, int *plane) {
    reader r = make_reader(&decoder->geometry, planes);
    while (r.planes[FF_PLANE_OPERATIONS].size > 0) {
        operation op;
        const ff_fault fault = read_operation(&r, &op);
        if (fault != FF_OK) {
            *plane = r.plane;
            return fault;
        }
    }
    for (int i = 0; i < FF_PLANES; i++)
        if (r.planes[i].size > 0) {
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

void ff_apply_planes(ff_frame_decoder *decoder, const ff_plane_view *planes, uint32_t *framebuffer) {
    reader r = make_reader(&decoder->geometry, planes);
    const size_t tiles = (size_t)decoder->geometry.columns * decoder->geometry.rows;
    const size_t pitch = decoder->geometry.width;
    memset(decoder->modes, FF_MODE_UNCHANGED, tiles);
    memset(decoder->raw_bytes, 0, tiles * FF_PLANES * sizeof *decoder->raw_bytes);
    decoder->dirty_count = 0;
    while (r.planes[FF_PLANE_OPERATIONS].size > 0) {
        operation op;
        ff_plane_view before[FF_PLANES];
        memcpy(before, r.planes, sizeof before);
        if (read_operation(&r, &op) != FF_OK)
            return; /* not after ff_check_planes */
        for (uint32_t i = 0; i < op.new_colours; i++) {
            const uint8_t *entry = op.colours + 4 * (size_t)i;
            decoder->colours[entry[0]] = FF_OPAQUE | entry[1] | (uint32_t)entry[2] << 8 | (uint32_t)entry[3] << 16;
        }
        const ff_box dirty = {op.area.x + op.box.x, op.area.y + op.box.y, op.box.width, op.box.height};
        uint32_t *target = framebuffer + (size_t)dirty.y * pitch + dirty.x;
        switch (op.mode) {
        case FF_MODE_SOLID:
            ff_fill_box(target, pitch, op.box, decoder->colours[op.indices[0]]);
            break;
        case FF_MODE_PALETTE:
            ff_kernels->expand_palette(op.indices, decoder->colours, op.box, target, pitch);
            break;
        case FF_MODE_PHOTO:
            ff_kernels->unpredict(op.green, op.blue, op.red, op.box, target, pitch);
            break;
        default:
            ff_kernels->unxor_box(op.xor_planes, op.box, target, pitch);
            break;
        }
        decoder->modes[op.tile] = (uint8_t)op.mode;
        for (int plane = 0; plane < FF_PLANES; plane++)
            decoder->raw_bytes[op.tile * FF_PLANES + plane] += (uint32_t)(before[plane].size - r.planes[plane].size);
        add_dirty(decoder, dirty);
    }
}
