"""The C kernels one by one, for tests and benchmarks; the library itself does not import this module.

It is built from the same C files as fastframe._core and has its own active instruction set. Pixels are uint32 arrays
(rows, columns), tiles (64, 64); boxes are tuples (x, y, width, height).
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from kernels cimport *

import numpy as np


# What fastframe._core reaches only through the encoder and the decoder.
cdef extern from "entropy.h" nogil:
    uint32_t ff_entropy(const uint8_t *data, uint32_t count)


cdef extern from "palette.h" nogil:
    void ff_expand_patch(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target, size_t pitch)


ff_isa_init()

PALETTE_MAX = FF_PALETTE_MAX


def isa():
    """The name of the instruction set that the kernels use."""
    return ff_kernels.name.decode()


def available_isas():
    """The names of the instruction sets that this processor runs, slowest first."""
    cdef const ff_kernel_table *tables[8]
    cdef size_t count = ff_isa_list(tables, 8)
    return tuple(tables[i].name.decode() for i in range(count))


def force_isa(str name):
    """Makes all later calls use one instruction set."""
    if ff_isa_force(name.encode()) != 0:
        raise ValueError(f"no kernels for {name!r} on this processor, only for {', '.join(available_isas())}")


cdef ff_box make_box(tuple box) except *:
    cdef ff_box result
    result.x, result.y, result.width, result.height = box
    if not (0 < result.width <= FF_TILE - result.x and 0 < result.height <= FF_TILE - result.y):
        raise ValueError(f"{box} is no box of a tile")
    return result


cdef int check_tile(const uint32_t[:, ::1] tile) except -1:
    if tile.shape[0] != FF_TILE or tile.shape[1] != FF_TILE:
        raise ValueError("a tile has 64 x 64 pixels")
    return 0


cdef size_t pitch_of(const uint32_t[:, :] pixels) except 0:
    """Pixels from one row to the next; rows may be further apart than they are long."""
    if pixels.strides[1] != 4 or pixels.strides[0] < 4 * pixels.shape[1] or pixels.strides[0] % 4 != 0:
        raise ValueError("rows must go from left to right and follow each other downwards")
    return pixels.strides[0] // 4


cdef class PixelModel:
    """The pixel model, with a range coder at either side. The encoder's side and the decoder's need one each."""

    cdef ff_pixel_model *model
    cdef ff_range_encoder encoder
    cdef ff_range_decoder decoder
    cdef uint8_t[::1] written
    cdef const uint8_t[::1] data
    cdef size_t room

    def __cinit__(self):
        self.model = <ff_pixel_model *> calloc(1, sizeof(ff_pixel_model))
        if self.model == NULL:
            raise MemoryError("no memory for a model")
        ff_model_reset(self.model)

    def __dealloc__(self):
        free(self.model)

    cdef int set_window(self, const uint32_t[:, :] base, tuple box, uint32_t around) except -1:
        cdef ff_box area = make_box((0, 0, base.shape[1], base.shape[0]))
        cdef ff_box inside = make_box(box)
        if inside.x + inside.width > area.width or inside.y + inside.height > area.height:
            raise ValueError("the base does not hold the box")
        for i in range(FF_WINDOW_PITCH * (FF_ABOVE + FF_TILE)):
            self.model.window[i] = around
        ff_model_set_base(self.model, &base[0, 0], pitch_of(base), area)
        return 0

    def begin(self, size_t pixels):
        """Begins to encode so many pixels."""
        self.written = np.zeros(FF_MAX_MODELLED_BYTES * pixels + FF_RANGE_CODER_ROOM, np.uint8)
        self.room = pixels
        self.encoder.data = &self.written[0]
        ff_range_begin_encoding(&self.encoder)

    def encode(self, const uint32_t[:, ::1] tile, const uint32_t[:, :] base, tuple box, uint32_t around=0xFF000000):
        """Encodes a box of a tile, which was `base` before and has pixels of the value `around` around it."""
        cdef ff_box area = make_box(box)
        check_tile(tile)
        if area.width * area.height > self.room:
            raise ValueError("more pixels than were begun with")
        self.room -= area.width * area.height
        self.set_window(base, box, around)
        ff_kernels.encode_box(self.model, &self.encoder, &tile[0, 0], area)

    def end(self):
        """The bytes of all boxes since `begin`."""
        ff_range_end_encoding(&self.encoder)
        self.room = 0
        return bytes(self.written[:self.encoder.size])

    def open(self, const uint8_t[::1] data):
        """Begins to decode these bytes; there may be none."""
        self.data = data
        ff_range_begin_decoding(&self.decoder, &data[0] if data.shape[0] else NULL, data.shape[0])

    def decode(self, const uint32_t[:, :] base, tuple box, uint32_t around=0xFF000000):
        """The next box, (height, width), of a tile that was `base` before."""
        cdef ff_box area = make_box(box)
        self.set_window(base, box, around)
        ff_kernels.decode_box(self.model, &self.decoder, area)
        rows = np.empty((FF_ABOVE + FF_TILE, FF_WINDOW_PITCH), np.uint32)
        cdef uint32_t[:, ::1] target = rows
        memcpy(&target[0, 0], self.model.window, rows.nbytes)
        top, left = FF_ABOVE + area.y, FF_MARGIN + area.x
        return rows[top : top + area.height, left : left + area.width]


def diff_tiles(const uint8_t[:, :, :] frame, const uint32_t[:, ::1] reference, uint8_t[::1] dirty,
               candidates=None, repeats=None):
    """Marks in `dirty` the tiles in which `frame` (H, W, 4) differs from `reference` (H, W); returns their number.

    `repeats`: uint64, what find_repeats says of each tile of the reference.
    """
    cdef ff_geometry geometry = ff_make_geometry(<uint32_t> reference.shape[1], <uint32_t> reference.shape[0])
    cdef const uint8_t *wanted = NULL
    cdef const uint8_t[::1] chosen
    cdef const uint64_t *repeated = NULL
    cdef const uint64_t[::1] rows
    cdef size_t count
    if frame.shape[0] != reference.shape[0] or frame.shape[1] != reference.shape[1] or frame.shape[2] != 4 \
            or frame.strides[1] != 4 or frame.strides[2] != 1 \
            or dirty.shape[0] != geometry.columns * geometry.rows:
        raise ValueError("frame, reference and dirty do not fit together")
    if candidates is not None:
        chosen = candidates
        if chosen.shape[0] != dirty.shape[0]:
            raise ValueError("candidates and dirty do not fit together")
        wanted = &chosen[0]
    if repeats is not None:
        rows = repeats
        if rows.shape[0] != dirty.shape[0]:
            raise ValueError("repeats and dirty do not fit together")
        repeated = &rows[0]
    with nogil:
        count = ff_kernels.diff_tiles(&frame[0, 0, 0], frame.strides[0], &reference[0, 0], &geometry, repeated, wanted,
                                      &dirty[0])
    return count


def load_tiles(const uint8_t[:, :, :] frame, const uint8_t[::1] dirty, uint32_t[:, ::1] tiles):
    """Copies the tiles of `frame` (H, W, 4) that are marked in `dirty` to their rows of `tiles`, opaque."""
    cdef ff_geometry geometry = ff_make_geometry(<uint32_t> frame.shape[1], <uint32_t> frame.shape[0])
    if frame.shape[2] != 4 or frame.strides[1] != 4 or frame.strides[2] != 1 \
            or dirty.shape[0] != geometry.columns * geometry.rows or tiles.shape[0] != dirty.shape[0] \
            or tiles.shape[1] != FF_TILE_PIXELS:
        raise ValueError("frame, dirty and tiles do not fit together")
    with nogil:
        ff_kernels.load_tiles(&frame[0, 0, 0], frame.strides[0], &geometry, &dirty[0], &tiles[0, 0])


def find_repeats(const uint32_t[:, ::1] tile, uint32_t width, uint32_t first, uint32_t end):
    """A bit for each of the rows `first` up to `end` of a tile that equals the row above it, as a number."""
    check_tile(tile)
    if not (0 < width <= FF_TILE and 1 <= first <= end <= FF_TILE):
        raise ValueError("no such rows")
    return ff_kernels.find_repeats(&tile[0, 0], width, first, end)


def diff_box(const uint32_t[:, ::1] tile, const uint32_t[:, :] reference):
    """Compares `reference` with the upper left part of a tile; returns (changed pixels, box or None)."""
    cdef ff_box area = make_box((0, 0, reference.shape[1], reference.shape[0]))
    cdef ff_box box
    cdef uint32_t count
    check_tile(tile)
    count = ff_kernels.diff_box(&tile[0, 0], &reference[0, 0], pitch_of(reference), area, &box)
    return count, ((box.x, box.y, box.width, box.height) if count else None)


def count_differences(const uint32_t[:, ::1] tile, const uint32_t[:, :] source, uint32_t limit, uint32_t first=0,
                      uint32_t apart=1):
    """The number of pixels in which `source` differs from the upper left part of a tile, in every `apart`-th row from the `first`
    on; above `limit`: any such number."""
    cdef ff_box area = make_box((0, 0, source.shape[1], source.shape[0]))
    check_tile(tile)
    return ff_kernels.count_differences(&tile[0, 0], area, &source[0, 0], pitch_of(source), first, apart, limit)


cdef class Motion:
    """What a search for motion works with, for a frame of some size."""

    cdef ff_motion *motion
    cdef ff_tile_windows *windows
    cdef ff_votes *votes

    def __cinit__(self, size_t tiles, size_t bands):
        self.motion = <ff_motion *> calloc(1, sizeof(ff_motion))
        self.windows = <ff_tile_windows *> calloc(tiles, sizeof(ff_tile_windows))
        self.votes = <ff_votes *> calloc(bands, sizeof(ff_votes))
        if self.motion == NULL or self.windows == NULL or self.votes == NULL:
            raise MemoryError("no memory for a search")

    def __dealloc__(self):
        free(self.votes)
        free(self.windows)
        free(self.motion)


def motion_search(const uint32_t[:, ::1] frame, const uint32_t[:, ::1] reference):
    """The vectors (dx, dy) of what moved from `reference` to `frame`, most votes first."""
    cdef ff_geometry geometry = ff_make_geometry(<uint32_t> frame.shape[1], <uint32_t> frame.shape[0])
    cdef size_t tile, left, top, count = <size_t> geometry.columns * geometry.rows
    cdef uint8_t[::1] dirty = np.empty(count, np.uint8)
    cdef uint32_t[:, ::1] tiles = np.empty((count, FF_TILE_PIXELS), np.uint32)
    cdef const uint8_t *pixels = <const uint8_t *> &frame[0, 0]
    cdef Motion search = Motion(count, geometry.rows)
    cdef ff_motion *motion = search.motion
    cdef uint32_t band, bands
    cdef ff_box area
    if frame.shape[0] != reference.shape[0] or frame.shape[1] != reference.shape[1]:
        raise ValueError("frame and reference do not fit together")
    changed = ff_kernels.diff_tiles(pixels, frame.strides[0], &reference[0, 0], &geometry, NULL, NULL,
                                    &dirty[0])
    ff_kernels.load_tiles(pixels, frame.strides[0], &geometry, &dirty[0], &tiles[0, 0])
    for tile in range(count):
        if dirty[tile]:
            left, top = tile % geometry.columns * FF_TILE, tile // geometry.columns * FF_TILE
            area = ff_box(left, top, min(FF_TILE, geometry.width - left), min(FF_TILE, geometry.height - top))
            ff_kernels.motion_take(&tiles[tile, 0], area, &search.windows[tile])
    bands = ff_motion_begin(motion, &geometry, search.windows, &dirty[0], changed)
    for band in range(bands):
        ff_kernels.motion_vote(motion, &geometry, &dirty[0], &reference[0, 0], band, &search.votes[band])
    ff_motion_end(motion, search.votes, bands)
    return [(motion.vectors[i].dx, motion.vectors[i].dy) for i in range(motion.vector_count)]


def hash_row(const uint32_t[::1] row):
    """NH of one row of pixels."""
    cdef uint32_t[::1] keys = hash_keys(row.shape[0] + row.shape[0] % 2)
    return ff_kernels.hash_row(&row[0], &keys[0], row.shape[0])


def hash_keys(size_t count):
    """The keys of NH for a row of `count` pixels."""
    cdef uint32_t[::1] keys = np.empty(count, np.uint32)
    ff_hash_keys(&keys[0], count)
    return np.asarray(keys)


def hash_frame(const uint32_t[:, ::1] frame):
    """The hash of a frame."""
    cdef uint32_t[::1] keys = hash_keys(frame.shape[1] + frame.shape[1] % 2)
    cdef uint64_t value
    with nogil:
        value = ff_hash_pixels(&frame[0, 0], frame.shape[1], <uint32_t> frame.shape[1], <uint32_t> frame.shape[0], &keys[0])
    return value


def mask_unchanged(const uint32_t[:, ::1] tile, const uint32_t[:, ::1] base, tuple box, uint32_t[:, ::1] masked):
    """Copies a box of a tile to its place in `masked`, with 0 for each pixel that equals the one of `base`."""
    cdef ff_box area = make_box(box)
    check_tile(tile)
    check_tile(base)
    check_tile(masked)
    ff_kernels.mask_unchanged(&tile[0, 0], &base[0, 0], FF_TILE, area, &masked[0, 0])


def collect_palette(const uint32_t[:, ::1] tile, tuple box):
    """Returns (colours, indices (height, width), transitions), or None when there are more than PALETTE_MAX colours."""
    cdef ff_palette palette
    cdef ff_box area = make_box(box)
    check_tile(tile)
    memset(&palette, 0, sizeof(palette))
    if ff_kernels.collect_palette(&palette, &tile[0, 0], area) != 0:
        return None
    colours = np.array([palette.colours[i] for i in range(palette.count)], np.uint32)
    indices = np.array([palette.indices[i] for i in range(area.width * area.height)], np.uint8)
    return colours, indices.reshape(area.height, area.width), palette.transitions


def entropy(const uint8_t[::1] data):
    """The estimate of what at most 4096 bytes cost, in bits."""
    if not 0 < data.shape[0] <= FF_TILE_PIXELS:
        raise ValueError("1 to 4096 bytes are needed")
    return ff_entropy(&data[0], <uint32_t> data.shape[0])


def map_indices(const uint8_t[::1] indices, const uint8_t[::1] slots, uint8_t[::1] target):
    """Writes the slot of each index; `indices` are below the number of `slots`."""
    if not 0 < slots.shape[0] <= FF_PALETTE_MAX or target.shape[0] != indices.shape[0]:
        raise ValueError("indices, slots and target do not fit together")
    ff_kernels.map_indices(&indices[0], <uint32_t> indices.shape[0], &slots[0], <uint32_t> slots.shape[0], &target[0])


def estimate_codes(const uint32_t[::1] counts):
    """The bits of bytes that come `counts[byte]` times each, by their entropy, and of their code."""
    cdef uint64_t total = 0
    for i in range(counts.shape[0]):
        total += counts[i]
    if counts.shape[0] != 256 or not 0 < total < 1 << 17:
        raise ValueError("there are 256 bytes, which come fewer than 2^17 times")
    return ff_kernels.estimate_codes(&counts[0], <uint32_t> total)


def count_unknown(const uint32_t[:, ::1] tables, const uint32_t[::1] colours):
    """How many of at most 255 colours each table does not know; `tables`: uint32 (256 slots, 16 tables)."""
    cdef ff_palette palette
    cdef ff_colour_tables known
    if tables.shape[0] != FF_TABLE_SLOTS or tables.shape[1] != FF_TABLES or colours.shape[0] > FF_PALETTE_MAX:
        raise ValueError("no such tables or colours")
    memcpy(<void *> known.colours, &tables[0, 0], FF_TABLE_SLOTS * FF_TABLES * sizeof(uint32_t))
    memcpy(<void *> palette.colours, &colours[0], colours.shape[0] * sizeof(uint32_t))
    palette.count = <uint32_t> colours.shape[0]
    unknown = np.zeros(FF_TABLES, np.uint32)
    cdef uint32_t[::1] counts = unknown
    ff_kernels.count_unknown(&known, &palette, &counts[0])
    return unknown


cdef ff_box check_expansion(const uint8_t[:, ::1] indices, const uint32_t[::1] colours, uint32_t[:, :] target) except *:
    cdef ff_box box = make_box((0, 0, indices.shape[1], indices.shape[0]))
    if colours.shape[0] != FF_TABLE_SLOTS or target.shape[0] < box.height or target.shape[1] < box.width:
        raise ValueError("indices, colours and target do not fit together")
    return box


def expand_palette(const uint8_t[:, ::1] indices, const uint32_t[::1] colours, uint32_t[:, :] target):
    """Draws `indices` into the upper left corner of `target`; `colours` has 256 entries."""
    cdef ff_box box = check_expansion(indices, colours, target)
    ff_kernels.expand_palette(&indices[0, 0], &colours[0], box, &target[0, 0], pitch_of(target))


def expand_patch(const uint8_t[:, ::1] indices, const uint32_t[::1] colours, uint32_t[:, :] target):
    """As `expand_palette`, but pixels with index 0 keep their value."""
    cdef ff_box box = check_expansion(indices, colours, target)
    ff_expand_patch(&indices[0, 0], &colours[0], box, &target[0, 0], pitch_of(target))


def predict(const uint32_t[:, ::1] tile, tuple box, uint8_t[::1] green, uint8_t[::1] blue, uint8_t[::1] red,
            const uint32_t[:, :] base=None):
    """Writes the residuals of a box: planes of G, B - G and R - G; returns the sum of their magnitudes.

    `base`: what the tile holds before, at least down to the box's lower right corner; None: nothing is subtracted.
    """
    cdef ff_box area = make_box(box)
    cdef const uint32_t *base_pixels = NULL
    cdef size_t pitch = 0
    check_tile(tile)
    if min(green.shape[0], blue.shape[0], red.shape[0]) < area.width * area.height:
        raise ValueError("a plane is too short")
    if base is not None:
        if base.shape[0] < area.y + area.height or base.shape[1] < area.x + area.width:
            raise ValueError("the base does not hold the box")
        base_pixels, pitch = &base[0, 0], pitch_of(base)
    return ff_kernels.predict(&tile[0, 0], base_pixels, pitch, area, &green[0], &blue[0], &red[0])


def unpredict(const uint8_t[::1] green, const uint8_t[::1] blue, const uint8_t[::1] red, uint32_t[:, :] target,
              bint based=False):
    """Rebuilds all of `target`, at most 64 x 64, from its residuals; with `based` it holds what they are relative to."""
    cdef ff_box box = make_box((0, 0, target.shape[1], target.shape[0]))
    if min(green.shape[0], blue.shape[0], red.shape[0]) < box.width * box.height:
        raise ValueError("a plane is too short")
    ff_kernels.unpredict(&green[0], &blue[0], &red[0], based, box, &target[0, 0], pitch_of(target))


def xor_box(const uint32_t[:, ::1] tile, const uint32_t[:, ::1] reference, tuple box, uint8_t[::1] planes):
    """Writes the XOR of a box of two tiles: G, B, R planes."""
    cdef ff_box area = make_box(box)
    check_tile(tile)
    check_tile(reference)
    if planes.shape[0] < 3 * area.width * area.height:
        raise ValueError("planes are too short")
    ff_kernels.xor_box(&tile[0, 0], &reference[0, 0], FF_TILE, area, &planes[0])


def unxor_box(const uint8_t[::1] planes, uint32_t[:, :] target):
    """Applies XOR planes to all of `target`, at most 64 x 64, in place."""
    cdef ff_box box = make_box((0, 0, target.shape[1], target.shape[0]))
    if planes.shape[0] < 3 * box.width * box.height:
        raise ValueError("planes are too short")
    ff_kernels.unxor_box(&planes[0], box, &target[0, 0], pitch_of(target))
