"""A second decoder of the packet format, written from src/fastframe/SPEC.md alone.

It shares no line with the package, so that an encoder and a decoder which agree on a mistake are still found
out, and so that a reader of SPEC.md sees every rule as code: the sections below have the names of SPEC.md's.
It is slow, it allocates as it likes within `max_pixels`, and it is for tests only.
"""

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import zstandard
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

TILE = 64
PLANES = OPERATIONS, BOXES, COLOURS, INDICES, XORED, GREEN, BLUE, RED = range(8)
SOLID, PALETTE, PHOTO, XOR = 1, 2, 3, 4
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
    frame_hash: int | None
    planes: dict[int, tuple[int, bytes]]  # number -> (size before compression, compressed bytes)


def parse(data: bytes) -> Packet:
    """Check what can be checked without knowing the packets before."""
    require(len(data) >= 4, "packet shorter than its CRC")
    require(zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little"), "wrong CRC")
    reader = Reader(data[:-4], "packet")
    require(reader.unsigned(1) == 0xF0, "neither the mark nor version 0")
    flags = reader.unsigned(1)
    require(flags & 0b1100_0000 == 0, "reserved flag")
    keyframe = bool(flags & 1)
    mask = reader.varint()
    require(mask < 1 << len(PLANES), "reserved plane")
    epoch, sequence = reader.varint(), reader.varint()
    require(sequence == 0 or not keyframe, "keyframe whose sequence number is not 0")
    size = (reader.unsigned(2), reader.unsigned(2)) if keyframe else None
    require(size is None or 0 not in size, "empty frame")
    frame_hash = reader.unsigned(8) if flags & 2 else None
    sizes = {plane: (reader.varint(), reader.varint()) for plane in PLANES if mask >> plane & 1}
    planes = {plane: (raw, reader.take(compressed)) for plane, (raw, compressed) in sizes.items()}
    require(reader.used_up, "bytes after the last plane")
    return Packet(keyframe, bool(flags & 4), epoch, sequence, size, frame_hash, planes)


# Planes -------------------------------------------------------------------------------------------


def plane_limits(width: int, height: int) -> list[int]:
    """The largest size of each plane before compression."""
    tiles = -(-width // TILE) * -(-height // TILE)
    pixels = width * height
    return [3 * tiles + 1, 4 * tiles, 1021 * tiles, pixels, 3 * pixels, pixels, pixels, pixels]


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


class Painter:
    """Runs the operations of one packet on a framebuffer and a colour table."""

    def __init__(self, framebuffer: Pixels, colours: Pixels, planes: dict[int, bytes]) -> None:
        self._framebuffer, self._colours = framebuffer, colours
        self._planes = [Reader(planes.get(number, b""), f"plane {number}") for number in PLANES]

    def paint(self) -> None:
        height, width = self._framebuffer.shape[:2]
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
            y, x = tile // columns * TILE, tile % columns * TILE
            self._operation(self._framebuffer[y : y + TILE, x : x + TILE])
        require(all(plane.used_up for plane in self._planes), "bytes left in a plane")

    def _skip(self) -> int:
        skip = 0
        while (byte := self._planes[OPERATIONS].unsigned(1)) == 255:
            skip += 255
        return skip + byte

    def _operation(self, tile: Pixels) -> None:
        byte = self._planes[OPERATIONS].unsigned(1)
        mode = byte & 0b1111
        require(mode in (SOLID, PALETTE, PHOTO, XOR), "reserved mode")
        require(byte & 0b1100_0000 == 0, "reserved bit of an operation")
        box = self._box(tile) if byte & 0b01_0000 else tile
        if byte & 0b10_0000:
            require(mode in (SOLID, PALETTE), "new colours for a mode that has none")
            self._new_colours()
        if mode == SOLID:
            box[..., :3] = self._colours[self._planes[COLOURS].unsigned(1)]
        elif mode == PALETTE:
            box[..., :3] = self._colours[self._pixels(INDICES, box)]
        elif mode == XOR:
            green, blue, red = (self._pixels(XORED, box) for _ in range(3))
            box[..., :3] ^= np.stack([blue, green, red], axis=-1)
        else:
            residuals = np.stack([self._pixels(part, box) for part in (GREEN, BLUE, RED)], axis=-1)
            green, blue, red = np.moveaxis(unpredict(residuals), -1, 0)
            box[..., :3] = np.stack([blue + green, green, red + green], axis=-1)

    def _pixels(self, plane: int, box: Pixels) -> Pixels:
        height, width = box.shape[:2]
        return np.frombuffer(self._planes[plane].take(width * height), np.uint8).reshape(height, width)

    def _box(self, tile: Pixels) -> Pixels:
        x, y, width_less_1, height_less_1 = self._planes[BOXES].take(4)
        bottom, right = y + height_less_1 + 1, x + width_less_1 + 1
        require(bottom <= tile.shape[0] and right <= tile.shape[1], "box outside its tile")
        return tile[y:bottom, x:right]

    def _new_colours(self) -> None:
        for _ in range(self._planes[COLOURS].unsigned(1)):
            slot, *colour = self._planes[COLOURS].take(4)
            self._colours[slot] = colour


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

    def __init__(self, max_pixels: int = 1 << 22) -> None:
        self.frame: Pixels | None = None
        self._max_pixels = max_pixels
        self._epoch: int | None = None
        self._next_sequence: int | None = None  # None: refuse everything but a keyframe
        self._colours = np.zeros((256, 3), np.uint8)
        self._streams: dict[int, PlaneStream] = {}

    def decode(self, data: bytes) -> Update:
        """Accept a packet, or raise `SpecError` and refuse all packets up to the next good keyframe."""
        next_sequence, self._next_sequence = self._next_sequence, None
        packet = parse(data)
        if packet.size is not None:
            framebuffer = self._begin_epoch(packet.epoch, packet.size)
        else:
            require(next_sequence is not None, "no keyframe yet, or none since a fault")
            require(packet.epoch == self._epoch, "packet of another epoch")
            require(packet.sequence == next_sequence, "gap in the chain")
            assert self.frame is not None
            framebuffer = self.frame.copy()
        limits = plane_limits(framebuffer.shape[1], framebuffer.shape[0])
        for number, (raw_size, _) in packet.planes.items():
            require(1 <= raw_size <= limits[number], "plane empty or too large")
        planes = {
            number: self._streams.setdefault(number, PlaneStream()).next_part(compressed, raw_size)
            for number, (raw_size, compressed) in packet.planes.items()
        }
        Painter(framebuffer, self._colours, planes).paint()
        if packet.frame_hash is not None:
            require(frame_hash(framebuffer) == packet.frame_hash, "wrong frame hash")
        self.frame, self._epoch, self._next_sequence = framebuffer, packet.epoch, packet.sequence + 1
        return Update(packet.epoch, packet.sequence, packet.keyframe, not packet.partial)

    def _begin_epoch(self, epoch: int, size: tuple[int, int]) -> Pixels:
        if self._epoch is not None:
            require(0 < (epoch - self._epoch) % (1 << 32) < 1 << 31, "keyframe of the past")
        width, height = size
        require(width * height <= self._max_pixels, "frame larger than this decoder's limit")
        self._colours[:] = 0
        self._streams.clear()
        framebuffer = np.zeros((height, width, 4), np.uint8)
        framebuffer[..., 3] = 255
        return framebuffer
