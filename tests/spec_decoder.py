"""A second decoder of the packet format, written from src/fastframe/SPEC.md alone.

It shares no line with the package, so that an encoder and a decoder which agree on a mistake are still found
out, and so that a reader of SPEC.md sees every rule as code: the sections below have the names of SPEC.md's.
It is slow, it allocates as it likes within its limits, and it is for tests only.
"""

import struct
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import zstandard
from numpy.typing import NDArray
from spec_model import Model, RangeDecoder

Pixels = NDArray[np.uint8]

TILE = 64
PLANES = OPERATIONS, BOXES, COLOURS, INDICES, XORED, GREEN, BLUE, RED, VECTORS, CACHE, MODELLED_PIXELS = range(11)
SOLID, PALETTE, PHOTO, XOR, DIFFERENCE, COPY, CACHED, PATCH, MODELLED = range(1, 10)
BOXED, NEW_COLOURS, MOVED, KEEP = 0x10, 0x20, 0x40, 0x80
MAX_WINDOW = 1 << 23


class SpecError(Exception):
    """A packet broke a rule of SPEC.md."""


def require(rule: bool, broken: str) -> None:
    """Refuse the packet unless the rule holds."""
    if not rule:
        raise SpecError(broken)


class Reader:
    """Reads one run of bytes from its beginning to its end."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._name, self._position = data, name, 0

    @property
    def used_up(self) -> bool:
        return self._position == len(self._data)

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._position + count
        require(end <= len(self._data), f"{self._name}: ends too early")
        taken, self._position = self._data[self._position : end], end
        return taken

    def unsigned(self, count: int) -> int:
        """A little-endian number of `count` bytes."""
        return int.from_bytes(self.take(count), "little")

    def varint(self) -> int:
        value = 0
        for group in range(5):
            byte = self.unsigned(1)
            value |= (byte & 0x7F) << (7 * group)
            if byte < 0x80:
                require(value < 1 << 32, f"{self._name}: varint of 2^32 or more")
                return value
        raise SpecError(f"{self._name}: varint of more than five bytes")


# Packet -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Packet:
    """The fields of a packet; planes are still compressed."""

    keyframe: bool
    partial: bool
    epoch: int
    sequence: int
    size: tuple[int, int] | None
    slots: int  # of the tile cache; only in a keyframe
    frame_hash: int | None
    planes: dict[int, tuple[int, bytes]]  # number -> (size before compression, compressed bytes)


def parse(data: bytes) -> Packet:
    """Check what can be checked without knowing the packets before."""
    require(len(data) >= 4, "packet shorter than its CRC")
    require(zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little"), "wrong CRC")
    reader = Reader(data[:-4], "packet")
    require(reader.unsigned(1) == 0xF1, "neither the mark nor version 1")
    flags = reader.unsigned(1)
    require(flags & 0b1100_0000 == 0, "reserved flag")
    keyframe = bool(flags & 1)
    mask = reader.varint()
    require(mask < 1 << len(PLANES), "reserved plane")
    epoch, sequence = reader.varint(), reader.varint()
    require(sequence == 0 or not keyframe, "keyframe whose sequence number is not 0")
    size = (reader.unsigned(2), reader.unsigned(2)) if keyframe else None
    require(size is None or 0 not in size, "empty frame")
    slots = reader.unsigned(2) if keyframe else 0
    frame_hash = reader.unsigned(8) if flags & 2 else None
    sizes = {plane: (reader.varint(), reader.varint()) for plane in PLANES if mask >> plane & 1}
    planes = {plane: (raw, reader.take(compressed)) for plane, (raw, compressed) in sizes.items()}
    require(reader.used_up, "bytes after the last plane")
    return Packet(keyframe, bool(flags & 4), epoch, sequence, size, slots, frame_hash, planes)


# Planes -------------------------------------------------------------------------------------------


def plane_limits(width: int, height: int) -> list[int]:
    """The largest size of each plane before compression."""
    tiles = -(-width // TILE) * -(-height // TILE)
    pixels = width * height
    sizes = {
        OPERATIONS: 3 * tiles + 1,
        BOXES: 4 * tiles,
        COLOURS: 1023 * tiles,
        INDICES: pixels,
        XORED: 3 * pixels,
        GREEN: pixels,
        BLUE: pixels,
        RED: pixels,
        VECTORS: 1021 + tiles,
        CACHE: 4 * tiles,
        MODELLED_PIXELS: pixels,
    }
    return [sizes[plane] for plane in PLANES]


class PlaneStream:
    """One plane's zstd stream."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()

    def next_part(self, compressed: bytes, raw_size: int) -> bytes:
        try:
            raw = self._zstd.decompress(compressed)
        except zstandard.ZstdError as error:
            raise SpecError(f"zstd: {error}") from error
        require(len(raw) == raw_size, f"plane of {len(raw)} bytes, not {raw_size} as stated")
        return raw


# Operations ---------------------------------------------------------------------------------------

# The flags that a mode may have, and in COPY's case must have.
FLAGS = {
    SOLID: BOXED | NEW_COLOURS | MOVED | KEEP,
    PALETTE: BOXED | NEW_COLOURS | MOVED | KEEP,
    PHOTO: BOXED | MOVED | KEEP,
    XOR: BOXED | MOVED | KEEP,
    DIFFERENCE: BOXED | MOVED | KEEP,
    COPY: MOVED | KEEP,
    CACHED: KEEP,
    PATCH: BOXED | NEW_COLOURS | MOVED | KEEP,
    MODELLED: BOXED | MOVED | KEEP,
}


def black_tile() -> Pixels:
    return np.zeros((TILE, TILE, 3), np.uint8)


@dataclass(slots=True)
class Epoch:
    """All that lives from a keyframe to the next one, black at first."""

    slots: int
    colours: Pixels = field(default_factory=lambda: np.zeros((16, 256, 3), np.uint8))
    tiles: defaultdict[int, Pixels] = field(default_factory=lambda: defaultdict(black_tile))  # slot -> BGR
    streams: defaultdict[int, PlaneStream] = field(default_factory=lambda: defaultdict(PlaneStream))
    model: Model = field(default_factory=Model)


class Painter:
    """Runs the operations of one packet."""

    def __init__(
        self, before: Pixels, epoch: Epoch, planes: dict[int, bytes], modelled: tuple[int, bytes] | None
    ) -> None:
        self._before, self._epoch = before, epoch
        self._planes = [Reader(planes.get(number, b""), f"plane {number}") for number in PLANES]
        self._modelled_pixels, range_coded = modelled or (0, b"")
        self._coder = RangeDecoder(range_coded)
        self._vectors: list[tuple[int, int]] | None = None  # None: not yet read
        self.framebuffer = before.copy()

    def paint(self) -> None:
        """Run all operations on `framebuffer`."""
        height, width = self.framebuffer.shape[:2]
        columns, rows = -(-width // TILE), -(-height // TILE)
        tiles = columns * rows
        after_last = walked = 0
        while not self._planes[OPERATIONS].used_up:
            skip = self._skip()
            require(skip < tiles, "skip over the whole frame")
            walked += skip + 1 if walked else 1
            require(walked <= tiles, "tile named twice")
            tile = (after_last + skip) % tiles
            after_last = tile + 1
            self._operation(tile % columns * TILE, tile // columns * TILE)
        require(all(plane.used_up for plane in self._planes), "bytes left in a plane")
        require(self._modelled_pixels == 0, "pixels left in plane 10")

    def _skip(self) -> int:
        skip = 0
        while (byte := self._planes[OPERATIONS].unsigned(1)) == 255:
            skip += 255
        return skip + byte

    def _operation(self, x: int, y: int) -> None:
        """Run one operation on the tile at (x, y): read what it needs in order, then let it take effect."""
        byte = self._planes[OPERATIONS].unsigned(1)
        mode, flags = byte & 0b1111, byte & 0b1111_0000
        require(mode in FLAGS, "reserved mode")
        require(flags & ~FLAGS[mode] == 0, "flag that the mode may not have")
        require(mode != COPY or bool(flags & MOVED), "copy of nothing")

        tile = self.framebuffer[y : y + TILE, x : x + TILE, :3]
        source = self._moved(x, y) if flags & MOVED else tile
        box = self._box(tile) if flags & BOXED else (slice(None), slice(None))
        cached = self._cache_slot() if mode == CACHED else None
        kept = self._cache_slot() if flags & KEEP else None

        if kept is not None:
            self._epoch.tiles[kept][: tile.shape[0], : tile.shape[1]] = tile
        tile[:] = source
        if cached is not None:
            tile[:] = self._epoch.tiles[cached][: tile.shape[0], : tile.shape[1]]
        elif mode in (SOLID, PALETTE, PATCH):
            self._draw_colours(mode, bool(flags & NEW_COLOURS), tile[box])
        elif mode in (PHOTO, DIFFERENCE):
            self._draw_photo(mode, tile[box])
        elif mode == XOR:
            self._draw_xor(tile[box])
        elif mode == MODELLED:
            self._draw_modelled(x, y, tile, box)

    def _moved(self, x: int, y: int) -> Pixels:
        """What fills the tile at (x, y), out of the framebuffer before the packet."""
        plane = self._planes[VECTORS]
        if self._vectors is None:
            self._vectors = [struct.unpack("<hh", plane.take(4)) for _ in range(plane.unsigned(1))]
        number = plane.unsigned(1)
        require(number < len(self._vectors), "no such vector")
        dx, dy = self._vectors[number]
        height, width = self._before.shape[:2]
        left, right = x + dx, min(x + TILE, width) + dx
        top, bottom = y + dy, min(y + TILE, height) + dy
        require(left >= 0 and top >= 0 and right <= width and bottom <= height, "moved from outside the frame")
        return self._before[top:bottom, left:right, :3]

    def _box(self, tile: Pixels) -> tuple[slice, slice]:
        """Rows and columns of the tile."""
        x, y, width_less_1, height_less_1 = self._planes[BOXES].take(4)
        bottom, right = y + height_less_1 + 1, x + width_less_1 + 1
        require(bottom <= tile.shape[0] and right <= tile.shape[1], "box outside its tile")
        return slice(y, bottom), slice(x, right)

    def _cache_slot(self) -> int:
        slot = self._planes[CACHE].unsigned(2)
        require(slot < self._epoch.slots, "no such slot of the tile cache")
        return slot

    def _pixels(self, plane: int, box: Pixels) -> Pixels:
        height, width = box.shape[:2]
        return np.frombuffer(self._planes[plane].take(width * height), np.uint8).reshape(height, width)

    def _draw_colours(self, mode: int, new_colours: bool, box: Pixels) -> None:
        plane = self._planes[COLOURS]
        number = plane.unsigned(1)
        require(number < len(self._epoch.colours), "no such colour table")
        table = self._epoch.colours[number]
        if new_colours:
            for _ in range(plane.unsigned(1)):
                slot, *colour = plane.take(4)
                table[slot] = colour
        if mode == SOLID:
            box[:] = table[plane.unsigned(1)]
        else:
            indices = self._pixels(INDICES, box)
            drawn = indices != 0 if mode == PATCH else np.full(indices.shape, True)
            box[drawn] = table[indices[drawn]]

    def _draw_photo(self, mode: int, box: Pixels) -> None:
        parts = unpredict(np.stack([self._pixels(part, box) for part in (GREEN, BLUE, RED)], axis=-1))
        if mode == DIFFERENCE:
            blue, green, red = np.moveaxis(box, -1, 0)
            old = np.stack([green, blue - green, red - green], axis=-1)
            parts = parts - np.uint8(128) + old
        part_1, part_2, part_3 = np.moveaxis(parts, -1, 0)
        box[:] = np.stack([part_2 + part_1, part_1, part_3 + part_1], axis=-1)

    def _draw_xor(self, box: Pixels) -> None:
        green, blue, red = (self._pixels(XORED, box) for _ in range(3))
        box ^= np.stack([blue, green, red], axis=-1)

    def _draw_modelled(self, x: int, y: int, tile: Pixels, box: tuple[slice, slice]) -> None:
        left, top = box[1].start or 0, box[0].start or 0
        height, width = tile[box].shape[:2]
        require(width * height <= self._modelled_pixels, "plane 10 states fewer pixels")
        self._modelled_pixels -= width * height
        area = (x, y, tile.shape[1], tile.shape[0])
        self._epoch.model.draw(self._coder, self.framebuffer, area, (left, top, width, height))


def unpredict(residuals: Pixels) -> Pixels:
    """Undo photo's prediction, all parts alike: (height, width, parts) residuals to values.

    A row and a column of zeros before the box make one rule of the four: the median of (a, 0, a) is a, that
    of (0, b, b) is b. Pixels on a diagonal from lower left to upper right do not depend on each other.
    """
    height, width, parts = residuals.shape
    values = np.zeros((height + 1, width + 1, parts), np.int16)
    for diagonal in range(height + width - 1):
        y = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        x = diagonal - y
        a, b, c = values[y + 1, x], values[y, x + 1], values[y, x]
        median = np.clip(a + b - c, np.minimum(a, b), np.maximum(a, b))
        values[y + 1, x + 1] = (median + residuals[y, x]) & 0xFF
    return values[1:, 1:].astype(np.uint8)


# Frame hash ---------------------------------------------------------------------------------------


@cache
def column_key(x: int) -> int:
    key = (x + 1) * 0x9E3779B1 % (1 << 32)
    key = (key ^ key >> 16) * 0x85EBCA6B % (1 << 32)
    key = (key ^ key >> 13) * 0xC2B2AE35 % (1 << 32)
    return key ^ key >> 16


def frame_hash(framebuffer: Pixels) -> int:
    """The frame hash of an (H, W, 4) framebuffer whose X is 255."""
    height, width = framebuffer.shape[:2]
    pixels = np.zeros((height, width + width % 2), np.uint32)
    pixels[:, :width] = np.ascontiguousarray(framebuffer).view("<u4")[..., 0]
    keys = np.array([column_key(x) for x in range(pixels.shape[1])], np.uint32)
    sums = (pixels + keys).astype(np.uint64)
    row_hashes = (sums[:, 0::2] * sums[:, 1::2]).sum(axis=1, dtype=np.uint64)
    value: int = width << 32 | height
    for row_hash in row_hashes:
        value = (value ^ int(row_hash)) * 0x9E3779B97F4A7C15 % (1 << 64)
        value ^= value >> 32
    return value


# Stream, epochs and the chain; faults -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Update:
    """What a packet said about itself."""

    epoch: int
    sequence: int
    keyframe: bool
    complete: bool


class SpecDecoder:
    """Decodes the packets of one stream; `frame` is the last good framebuffer, `None` before the first."""

    def __init__(self, max_pixels: int = 1 << 22, max_slots: int = 512) -> None:
        self.frame: Pixels | None = None
        self._max_pixels, self._max_slots = max_pixels, max_slots
        self._number: int | None = None  # of the epoch of the last good keyframe
        self._next_sequence: int | None = None  # None: refuse everything but a keyframe
        self._epoch = Epoch(0)

    def decode(self, data: bytes) -> Update:
        """Accept a packet, or raise `SpecError` and refuse all packets up to the next good keyframe."""
        next_sequence, self._next_sequence = self._next_sequence, None
        packet = parse(data)
        if packet.size is not None:
            before = self._begin_epoch(packet.epoch, packet.size, packet.slots)
        else:
            require(next_sequence is not None, "no keyframe yet, or none since a fault")
            require(packet.epoch == self._number, "packet of another epoch")
            require(packet.sequence == next_sequence, "gap in the chain")
            assert self.frame is not None
            before = self.frame
        limits = plane_limits(before.shape[1], before.shape[0])
        for number, (raw_size, _) in packet.planes.items():
            require(1 <= raw_size <= limits[number], "plane empty or too large")
        modelled = packet.planes.pop(MODELLED_PIXELS, None)
        planes = {
            number: self._epoch.streams[number].next_part(compressed, raw_size)
            for number, (raw_size, compressed) in packet.planes.items()
        }
        painter = Painter(before, self._epoch, planes, modelled)
        painter.paint()
        if packet.frame_hash is not None:
            require(frame_hash(painter.framebuffer) == packet.frame_hash, "wrong frame hash")
        self.frame, self._number, self._next_sequence = painter.framebuffer, packet.epoch, packet.sequence + 1
        return Update(packet.epoch, packet.sequence, packet.keyframe, not packet.partial)

    def _begin_epoch(self, number: int, size: tuple[int, int], slots: int) -> Pixels:
        """Forget everything; the framebuffer that the keyframe finds."""
        if self._number is not None:
            require(0 < (number - self._number) % (1 << 32) < 1 << 31, "keyframe of the past")
        width, height = size
        require(width * height <= self._max_pixels, "frame larger than this decoder's limit")
        require(slots <= self._max_slots, "tile cache larger than this decoder's limit")
        self._epoch = Epoch(slots)
        framebuffer = np.zeros((height, width, 4), np.uint8)
        framebuffer[..., 3] = 255
        return framebuffer
