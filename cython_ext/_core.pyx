"""Frames into planes and planes into frames: validates buffers, releases the GIL, and calls C for many tiles at a time.

The classes own all memory that the C kernels work on. They are not thread-safe, but for the methods that say so, and
trust their callers in fastframe.codec: rules of the packet format and of the public API are checked there.
"""

import zlib

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.buffer cimport PyBUF_READ, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from kernels cimport *

ff_isa_init()

TILE_SIZE = FF_TILE
MAX_TILE_BYTES = FF_MAX_TILE_BYTES
MAX_MODELLED_TILE_BYTES = FF_MAX_MODELLED_TILE_BYTES
ANALYSED_TILES = FF_ANALYSES
WINDOWS = FF_WINDOWS
PLANES = ("operations", "boxes", "colours", "indices", "xor", "green", "blue", "red", "vectors", "cache",
          "modelled")
MODES = ("unchanged", "solid", "palette", "photo", "xor", "difference", "copy", "cached", "patch",
         "modelled")
assert len(PLANES) == FF_PLANES and len(MODES) == FF_MODES

cdef dict FAULTS = {
    FF_FAULT_PLANE_SHORT: "ends inside an operation",
    FF_FAULT_PLANE_LONG: "holds more than its operations use",
    FF_FAULT_OPERATION: "holds an unknown operation",
    FF_FAULT_TILE: "names a tile twice",
    FF_FAULT_BOX: "holds a box that leaves its tile",
    FF_FAULT_VECTOR: "holds a vector that is unknown or leaves the frame",
    FF_FAULT_SLOT: "names a cache slot that does not exist",
    FF_FAULT_TABLE: "names a colour table that does not exist",
}


class PlaneError(ValueError):
    """The planes of a packet break the rules; the message says which plane and how."""


def isa():
    """The name of the instruction set that the kernels use."""
    return ff_kernels.name.decode()


def available_isas():
    """The names of the instruction sets that this processor runs, slowest first."""
    cdef const ff_kernel_table *tables[8]
    cdef size_t count = ff_isa_list(tables, 8)
    return tuple(tables[i].name.decode() for i in range(count))


def force_isa(str name):
    """Makes all later calls use one instruction set; for tests and benchmarks, with no other thread at work."""
    if ff_isa_force(name.encode()) != 0:
        raise ValueError(f"no kernels for {name!r} on this processor, only for {', '.join(available_isas())}")
    from fastframe import _residuals  # which is linked with kernels of its own
    _residuals.force_isa(name)


def plane_capacities(uint32_t width, uint32_t height):
    """What each plane of one packet may state as its size at most, for a frame of that size: bytes before compression, and of
    the modelled plane pixels."""
    cdef ff_geometry geometry = ff_make_geometry(width, height)
    return tuple(ff_plane_capacity(&geometry, plane) for plane in range(FF_PLANES))


def varints(tuple values not None):
    """Numbers from 0 to 2**32 - 1 in unsigned LEB128, one after the other."""
    cdef bytes out = PyBytes_FromStringAndSize(NULL, 5 * len(values))  # at seven bits a byte
    cdef uint8_t *begin = <uint8_t *> PyBytes_AS_STRING(out)
    cdef uint8_t *end = begin
    cdef uint32_t value
    for value in values:
        while value > 0x7F:
            end[0] = value & 0x7F | 0x80
            end += 1
            value >>= 7
        end[0] = value
        end += 1
    return out[:end - begin]


# Fewer bytes take less time than it takes to give the GIL away and to get it back.
cdef Py_ssize_t FEW_BYTES = 1 << 12


def crc32(data, uint32_t value=0):
    """What zlib.crc32 gives, in a third of its time where the processor can."""
    cdef Py_buffer buffer
    if ff_kernels.crc32 == NULL:
        return zlib.crc32(data, value)
    PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
    if buffer.len < FEW_BYTES:
        value = ff_kernels.crc32(value, <const uint8_t *> buffer.buf, buffer.len)
    else:
        with nogil:
            value = ff_kernels.crc32(value, <const uint8_t *> buffer.buf, buffer.len)
    PyBuffer_Release(&buffer)
    return value


cdef void *allocate(size_t count, size_t size) except NULL:
    cdef void *memory = calloc(count, size)
    if memory == NULL:
        raise MemoryError(f"no memory for {count * size} bytes")
    return memory


cdef void *allocate_sparse(size_t count, size_t size) except NULL:
    cdef void *memory = ff_allocate_sparse(count * size)
    if memory == NULL:
        raise MemoryError(f"no memory for {count * size} bytes")
    return memory


cdef void *allocate_large(size_t count, size_t size) except NULL:
    cdef void *memory = ff_allocate_large(count * size)
    if memory == NULL:
        raise MemoryError(f"no memory for {count * size} bytes")
    return memory


cdef uint32_t *make_hash_keys(uint32_t width) except NULL:
    # The tile cache hashes whole tiles, also of frames that are narrower.
    cdef size_t count = max(width + (width & 1), FF_TILE)
    cdef uint32_t *keys = <uint32_t *> allocate(count, sizeof(uint32_t))
    ff_hash_keys(keys, count)
    return keys


cdef class FrameEncoder:
    """The encoder's side of one frame size: the reference, the colour tables, the cache and the planes being written."""

    cdef ff_frame_encoder *encoder
    cdef ff_pixel_model *model
    cdef uint32_t *hash_keys
    cdef uint64_t *row_hashes
    cdef ff_analysis *analyses
    cdef size_t analysed
    cdef size_t taken[FF_PLANES]
    cdef uint8_t *candidates
    cdef bint everywhere
    cdef uint32_t next_tile
    cdef readonly uint32_t width, height
    cdef readonly size_t tiles, rows

    def __cinit__(self, uint32_t width, uint32_t height, uint32_t cache_slots):
        cdef size_t size
        self.width, self.height = width, height
        self.encoder = <ff_frame_encoder *> allocate(1, sizeof(ff_frame_encoder))
        self.encoder.geometry = ff_make_geometry(width, height)
        self.rows = self.encoder.geometry.rows
        self.tiles = self.rows * self.encoder.geometry.columns
        self.encoder.reference = <uint32_t *> allocate_large(<size_t> width * height, sizeof(uint32_t))
        self.encoder.repeats = <uint64_t *> allocate(self.tiles, sizeof(uint64_t))
        self.row_hashes = <uint64_t *> allocate(height, sizeof(uint64_t))
        self.encoder.tiles = <uint32_t *> allocate_large(self.tiles * FF_TILE_PIXELS, sizeof(uint32_t))
        self.encoder.boxes = <ff_box *> allocate(self.tiles, sizeof(ff_box))
        self.encoder.changed_at = <uint32_t *> allocate(self.tiles, sizeof(uint32_t))
        self.encoder.hashes = <uint64_t *> allocate(self.tiles, sizeof(uint64_t))
        self.encoder.restless = <uint8_t *> allocate(self.tiles, 1)
        self.encoder.excesses = <uint16_t *> allocate(self.tiles, sizeof(uint16_t))
        self.encoder.order = <uint32_t *> allocate(self.tiles, sizeof(uint32_t))
        self.encoder.windows = <ff_tile_windows *> allocate(self.tiles, sizeof(ff_tile_windows))
        self.encoder.votes = <ff_votes *> allocate((self.rows + FF_MOTION_BAND - 1) // FF_MOTION_BAND, sizeof(ff_votes))
        self.encoder.drifts = <ff_band_drifts *> allocate((self.rows + FF_MOTION_BAND - 1) // FF_MOTION_BAND, sizeof(ff_band_drifts))
        self.encoder.cache.slot_count = cache_slots
        self.encoder.cache.pixels = <uint32_t *> allocate_sparse(<size_t> cache_slots * FF_TILE_PIXELS + 1, sizeof(uint32_t))
        self.encoder.cache.slots = <ff_cache_slot *> allocate(cache_slots + 1, sizeof(ff_cache_slot))
        self.encoder.dirty = <uint8_t *> allocate(self.tiles, 1)
        self.encoder.modes = <uint8_t *> allocate(self.tiles, 1)
        self.candidates = <uint8_t *> allocate(self.tiles, 1)
        for plane in range(FF_PLANES):
            size = ff_plane_buffer_size(&self.encoder.geometry, plane)
            if plane in (FF_PLANE_INDICES, FF_PLANE_GREEN, FF_PLANE_BLUE, FF_PLANE_RED):
                self.encoder.planes[plane] = <uint8_t *> allocate_large(size, 1)
            elif plane != FF_PLANE_MODELLED:
                self.encoder.planes[plane] = <uint8_t *> allocate_sparse(size, 1)
        self.hash_keys = self.encoder.hash_keys = make_hash_keys(width)
        ff_encoder_reset(self.encoder)

    def __dealloc__(self):
        if self.encoder != NULL:
            for plane in range(FF_PLANES):
                ff_free_large(self.encoder.planes[plane])
            free(self.encoder.cache.slots)
            ff_free_large(self.encoder.cache.pixels)
            free(self.encoder.drifts)
            free(self.encoder.votes)
            free(self.encoder.windows)
            free(self.encoder.order)
            free(self.encoder.restless)
            free(self.encoder.excesses)
            free(self.encoder.hashes)
            free(self.encoder.changed_at)
            free(self.encoder.boxes)
            ff_free_large(self.encoder.tiles)
            free(self.encoder.repeats)
            free(self.encoder.modes)
            free(self.encoder.dirty)
            ff_free_large(self.encoder.reference)
            free(self.encoder)
        ff_free_large(self.model)
        free(self.row_hashes)
        ff_free_large(self.analyses)
        free(self.candidates)
        free(self.hash_keys)

    def reset(self):
        """Forgets the epoch: the reference becomes black, colour tables, cache and model are empty."""
        self.next_tile = 0
        with nogil:
            ff_encoder_reset(self.encoder)
            if self.model != NULL:
                ff_model_reset(self.model)

    @property
    def modelled(self):
        """Whether the pixel model draws what is neither copied nor cached, but for textures that palettes draw in fewer bytes.

        May be set between two packets. What the model has learned is kept meanwhile, as the decoder keeps it.
        """
        return self.encoder.model != NULL

    @modelled.setter
    def modelled(self, bint modelled):
        cdef size_t size
        if modelled and self.model == NULL:
            if self.encoder.planes[FF_PLANE_MODELLED] == NULL:
                size = ff_plane_buffer_size(&self.encoder.geometry, FF_PLANE_MODELLED)
                self.encoder.planes[FF_PLANE_MODELLED] = <uint8_t *> allocate_sparse(size, 1)
            self.model = <ff_pixel_model *> allocate_large(1, sizeof(ff_pixel_model))
            ff_model_reset(self.model)
        self.encoder.model = self.model if modelled else NULL

    cdef int mark(self, size_t x, size_t y, size_t width, size_t height) except -1:
        """Makes the tiles that a rectangle touches candidates."""
        cdef size_t row, left = x // FF_TILE, right = (x + width - 1) // FF_TILE
        if width == 0 or height == 0 or x + width > self.width or y + height > self.height:
            raise ValueError("a rectangle leaves the frame")
        for row in range(y // FF_TILE, (y + height - 1) // FF_TILE + 1):
            memset(self.candidates + row * self.encoder.geometry.columns + left, 1, right - left + 1)
        return 0

    @property
    def left(self):
        """Tiles that are still dirty."""
        return self.encoder.order_count - self.encoder.coded

    @property
    def coded(self):
        """Tiles that the packet has coded. Tiles are numbered in the order in which they are coded, from 0 on."""
        return self.encoder.coded

    def begin(self, damage):
        """Begins the packet of a frame.

        `damage`: None, or a list of (x, y, width, height) inside the frame; tiles that a byte budget left over are
        looked at in any case. `compare`, `begin_tiles`, `look_for_motion`, `end_motion`, parts until nothing is `left` or room
        for no more, and `end` follow.
        """
        self.everywhere = damage is None
        if damage is not None:
            memcpy(self.candidates, self.encoder.dirty, self.tiles)
            for x, y, width, height in damage:
                self.mark(x, y, width, height)
        ff_begin_packet(self.encoder)

    def compare(self, const uint8_t[:, :, :] frame, uint32_t first, uint32_t end):
        """Finds the tiles that differ in tile rows `first` up to `end`; different threads may do so with different rows."""
        if first >= end or end > self.rows:
            raise ValueError("no such rows of tiles")
        with nogil:
            ff_compare_rows(self.encoder, &frame[0, 0, 0], frame.strides[0], NULL if self.everywhere else self.candidates,
                            first, end)

    def begin_tiles(self):
        """Prepares the coding of the tiles that were found to differ; `left` tells their number, and `bands` in how many bands to look
        for motion."""
        self.analysed = 0
        with nogil:
            ff_begin_tiles(self.encoder, self.next_tile)

    @property
    def bands(self):
        return self.encoder.bands

    def look_for_motion(self, uint32_t first, uint32_t end):
        """Looks in bands `first` up to `end`; different threads may do so with different bands."""
        if first > end or end > self.encoder.bands:
            raise ValueError("no such bands")
        with nogil:
            ff_look_for_motion(self.encoder, first, end)

    def end_motion(self):
        """Ends the search, when all bands have been looked in."""
        with nogil:
            ff_end_motion(self.encoder)

    def find_changes(self, damage, const uint8_t[:, :, :] frame):
        """All steps from `begin` to `end_motion` at once, in this thread."""
        self.begin(damage)
        with nogil:
            ff_compare_rows(self.encoder, &frame[0, 0, 0], frame.strides[0], NULL if self.everywhere else self.candidates,
                            0, self.rows)
            ff_begin_tiles(self.encoder, self.next_tile)
            ff_look_for_motion(self.encoder, 0, self.encoder.bands)
            ff_end_motion(self.encoder)

    def begin_part(self):
        """Begins a part of the packet: the planes then hold only what is added."""
        memset(self.taken, 0, sizeof(self.taken))
        ff_begin_part(self.encoder)

    def encode_part(self, uint64_t bit_budget, uint64_t byte_room):
        """Codes a part of the packet: dirty tiles until the estimate reaches `bit_budget`, or the planes could outgrow
        `byte_room`; at least one tile, if one differs. Returns the estimated bits.
        """
        self.begin_part()
        with nogil:
            self.encode_tiles(self.encoder.order_count - self.encoder.coded, NULL, bit_budget, byte_room)
        return self.encoder.part_bits

    def begin_window(self, size_t first, size_t end):
        """Begins a window: makes room for the analyses of the tiles with numbers `first` up to `end`, which are among the next
        ANALYSED_TILES to be coded; what is known of them stays. Not while tiles are coded, and at most WINDOWS that hold tiles which
        are not coded yet."""
        if first < self.encoder.coded or end > self.encoder.order_count or end > self.encoder.coded + FF_ANALYSES:
            raise ValueError("no such tiles")
        if self.analyses == NULL:
            self.analyses = <ff_analysis *> allocate_large(FF_ANALYSES, sizeof(ff_analysis))
        self.analysed = max(self.analysed, first)
        while self.analysed < end:
            self.analyses[self.analysed % FF_ANALYSES].steps = 0
            self.analysed += 1
        with nogil:
            ff_begin_window(self.encoder, first, end, self.analyses)

    def analyse(self, size_t first, size_t end):
        """Analyses the tiles with numbers `first` up to `end`; different threads may do so with different tiles, and while
        `encode_analysed` codes others."""
        if end > self.analysed:
            raise ValueError("no room was made for these tiles")
        with nogil:
            ff_analyse_tiles(self.encoder, first, end, self.analyses)

    def encode_analysed(self, size_t end, uint64_t bit_budget, uint64_t byte_room):
        """Codes the next tiles up to number `end`, which `analyse` has seen, behind what the planes of the part hold.

        Returns the estimated bits of the part. Where there was room for fewer tiles, `coded` is less than `end`.
        """
        if end < self.encoder.coded or end > self.analysed:
            raise ValueError("no room was made for these tiles")
        with nogil:
            self.encode_tiles(end - self.encoder.coded, self.analyses, bit_budget, byte_room)
        return self.encoder.part_bits

    cdef void encode_tiles(self, size_t count, ff_analysis *analyses, uint64_t bit_budget, uint64_t byte_room) noexcept nogil:
        ff_encode_tiles(self.encoder, count, analyses, bit_budget, byte_room)
        if self.encoder.coded > 0:
            self.next_tile = (self.encoder.order[self.encoder.coded - 1] + 1) % self.tiles

    def skip(self):
        """Stands for a packet of a frame that is known to be unchanged."""
        self.encoder.packet += 1

    def end(self):
        """Ends the packet: no tile is coded any more. `end_rows` follows, for all rows of tiles."""
        ff_end_packet(self.encoder)

    def end_rows(self, uint32_t first, uint32_t end, bint hashed):
        """Makes the reference show what was coded in tile rows `first` up to `end`, and hashes these if they are to be;
        different threads may do so with different rows."""
        if first >= end or end > self.rows:
            raise ValueError("no such rows of tiles")
        with nogil:
            ff_end_rows(self.encoder, first, end, self.row_hashes if hashed else NULL)

    def take_plane(self, int plane, size_t least):
        """What was written to a plane since it was taken last in this part: a view that is valid until the part ends. Empty, and not
        taken, where it is fewer than `least` bytes."""
        cdef size_t start = self.taken[plane]
        if self.encoder.sizes[plane] - start < least:
            return memoryview(b"")
        self.taken[plane] = self.encoder.sizes[plane]
        return PyMemoryView_FromMemory(<char *> self.encoder.planes[plane] + start, self.encoder.sizes[plane] - start,
                                       PyBUF_READ)

    def written(self):
        """What the part holds, taken or not: for each plane that is not empty its number and a view that is valid until the part
        ends. The modelled plane is not among them."""
        return [
            (plane, PyMemoryView_FromMemory(<char *> self.encoder.planes[plane], self.encoder.sizes[plane], PyBUF_READ))
            for plane in range(FF_PLANES) if plane != FF_PLANE_MODELLED and self.encoder.sizes[plane] > 0
        ]

    def plane_size(self, int plane):
        """Bytes that the part being written holds in a plane, taken or not."""
        return self.encoder.sizes[plane]

    @property
    def modelled_pixels(self):
        """Pixels that the packet has in its modelled plane so far."""
        return self.encoder.modelled_pixels

    def modelled_bytes(self):
        """Bytes in the modelled plane of the packet so far."""
        return self.encoder.range_coder.size

    def modelled_plane(self):
        """A copy of the modelled plane, when the packet has ended."""
        return (<const uint8_t *> self.encoder.planes[FF_PLANE_MODELLED])[:self.encoder.range_coder.size]

    def modes(self):
        """The mode of each tile in the packet being written: one byte a tile, an index into MODES."""
        return self.encoder.modes[:self.tiles]

    def hash(self):
        """The hash of the reference, all rows of which have been hashed by `end_rows`."""
        return ff_join_row_hashes(self.row_hashes, self.width, self.height)


cdef class FrameDecoder:
    """The decoder's side of one epoch: the colour tables, the cache and the pixel model. The framebuffer belongs to the caller."""

    cdef ff_frame_decoder *decoder
    cdef uint32_t *hash_keys
    cdef readonly uint32_t width, height
    cdef readonly size_t tiles

    def __cinit__(self, uint32_t width, uint32_t height, uint32_t cache_slots):
        self.width, self.height = width, height
        self.decoder = <ff_frame_decoder *> allocate(1, sizeof(ff_frame_decoder))
        self.decoder.geometry = ff_make_geometry(width, height)
        self.tiles = <size_t> self.decoder.geometry.columns * self.decoder.geometry.rows
        self.decoder.cache_slots = cache_slots
        self.decoder.cache = <uint32_t *> allocate_sparse(<size_t> cache_slots * FF_TILE_PIXELS + 1, sizeof(uint32_t))
        self.decoder.moved = <uint32_t *> allocate_sparse(self.tiles * FF_TILE_PIXELS, sizeof(uint32_t))
        self.decoder.modes = <uint8_t *> allocate(self.tiles, 1)
        self.decoder.coded = <ff_tile_weights *> allocate(self.tiles, sizeof(ff_tile_weights))
        self.decoder.dirty = <ff_box *> allocate(self.tiles, sizeof(ff_box))
        self.hash_keys = make_hash_keys(width)
        ff_decoder_init(self.decoder)

    def __dealloc__(self):
        if self.decoder != NULL:
            ff_free_large(self.decoder.cache)
            ff_free_large(self.decoder.model)
            ff_free_large(self.decoder.moved)
            free(self.decoder.modes)
            free(self.decoder.coded)
            free(self.decoder.dirty)
            free(self.decoder)
        free(self.hash_keys)

    def decode(self, list planes, uint32_t modelled_pixels, uint8_t[:, :, ::1] framebuffer):
        """Checks the planes of a packet (bytes-like objects), and draws them if they are good.

        `modelled_pixels`: those of the modelled plane, as the packet states them. Returns the list of changed rectangles as
        tuples. Raises PlaneError, and then nothing has changed.
        """
        cdef Py_buffer buffers[FF_PLANES]
        cdef ff_plane_view views[FF_PLANES]
        cdef int i, held = 0
        if framebuffer.shape[0] != self.height or framebuffer.shape[1] != self.width or framebuffer.shape[2] != 4:
            raise ValueError("the framebuffer has another size")
        if len(planes) != FF_PLANES:
            raise ValueError(f"{FF_PLANES} planes are needed, not {len(planes)}")
        self.decoder.modelled_pixels = modelled_pixels
        try:
            for plane in planes:
                PyObject_GetBuffer(plane, &buffers[held], PyBUF_SIMPLE)
                views[held].data = <const uint8_t *> buffers[held].buf
                views[held].size = buffers[held].len
                held += 1
            self.draw(views, <uint32_t *> &framebuffer[0, 0, 0])
        finally:
            for i in range(held):
                PyBuffer_Release(&buffers[i])
        return [
            (box.x, box.y, box.width, box.height) for box in self.decoder.dirty[:self.decoder.dirty_count]
        ]

    cdef int draw(self, const ff_plane_view *views, uint32_t *framebuffer) except -1:
        cdef int plane = 0
        cdef ff_fault fault
        with nogil:
            fault = ff_check_planes(self.decoder, views, &plane)
        if fault != FF_OK:
            raise PlaneError(f"plane {PLANES[plane]!r} {FAULTS[fault]}")
        if self.decoder.modelled_pixels > 0 and self.decoder.model == NULL:
            # Most decoders never need it.
            self.decoder.model = <ff_pixel_model *> allocate_large(1, sizeof(ff_pixel_model))
            ff_model_reset(self.decoder.model)
        with nogil:
            ff_apply_planes(self.decoder, views, framebuffer)
        return 0

    def modes(self):
        """The mode of each tile in the last packet: one byte a tile, an index into MODES."""
        return self.decoder.modes[:self.tiles]

    def weights(self):
        """Of each tile that the last packet coded, its number and its share in each plane, in no unit: uint32 (coded tiles,
        1 + planes), as bytes."""
        return (<const uint8_t *> self.decoder.coded)[:self.decoder.coded_count * sizeof(ff_tile_weights)]

    def hash(self, const uint8_t[:, :, ::1] framebuffer):
        """The hash of a framebuffer of this size."""
        cdef uint64_t value
        if framebuffer.shape[0] != self.height or framebuffer.shape[1] != self.width or framebuffer.shape[2] != 4:
            raise ValueError("the framebuffer has another size")
        with nogil:
            value = ff_hash_pixels(<const uint32_t *> &framebuffer[0, 0, 0], self.width, self.width, self.height,
                                   self.hash_keys)
        return value
