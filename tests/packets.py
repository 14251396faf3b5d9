"""Packets taken apart and put together from SPEC.md, so that tests can make those that no encoder makes.

Nothing here uses the package's own packet code: a mistake there must not hide itself.
"""

import struct
import zlib
from dataclasses import dataclass, field

import zstandard

from fastframe.codec import PLANES

KEYFRAME, HASH, PARTIAL = 0x01, 0x02, 0x04
SOLID, PALETTE, PHOTO, XOR, DIFFERENCE, COPY, CACHED, PATCH, MODELLED = range(1, 10)
BOXED, NEW_COLOURS, MOVED, KEEP = 0x10, 0x20, 0x40, 0x80


def varint(value: int, length: int = 1) -> bytes:
    """Unsigned LEB128 of at least `length` bytes."""
    out = bytearray()
    while value > 0x7F or len(out) + 1 < length:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def seal(body: bytes) -> bytes:
    """Appends the CRC that makes damage look intended."""
    return body + zlib.crc32(body).to_bytes(4, "little")


@dataclass
class Packet:
    """The fields of a packet, free to be wrong.

    `planes` maps numbers to (declared size, compressed bytes).
    """

    epoch: int = 1
    sequence: int = 0
    size: tuple[int, int] | None = None
    frame_hash: int | None = None
    planes: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    more_flags: int = 0
    more_planes: int = 0
    mark: int = 0xF1
    slots: int = 0  # of the tile cache; only where there is a size

    def build(self) -> bytes:
        flags = self.more_flags
        flags |= KEYFRAME if self.size is not None else 0
        flags |= HASH if self.frame_hash is not None else 0
        body = bytes((self.mark, flags)) + varint(self.more_planes | sum(1 << number for number in self.planes))
        body += varint(self.epoch) + varint(self.sequence)
        if self.size is not None:
            body += b"".join(number.to_bytes(2, "little") for number in (*self.size, self.slots))
        if self.frame_hash is not None:
            body += self.frame_hash.to_bytes(8, "little")
        for _, (size, data) in sorted(self.planes.items()):
            body += varint(size) + varint(len(data))
        for _, (_, data) in sorted(self.planes.items()):
            body += data
        return seal(body)


def parse(packet: bytes) -> Packet:
    """The fields of a good packet."""
    assert zlib.crc32(packet[:-4]) == int.from_bytes(packet[-4:], "little")
    offset = 2

    def number() -> int:
        nonlocal offset
        value = shift = 0
        while True:
            byte = packet[offset]
            offset += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(count: int) -> bytes:
        nonlocal offset
        offset += count
        return packet[offset - count : offset]

    flags, mask = packet[1], number()
    result = Packet(number(), number(), mark=packet[0], more_flags=flags & ~(KEYFRAME | HASH))
    if flags & KEYFRAME:
        result.size = (int.from_bytes(take(2), "little"), int.from_bytes(take(2), "little"))
        result.slots = int.from_bytes(take(2), "little")
    if flags & HASH:
        result.frame_hash = int.from_bytes(take(8), "little")
    sizes = {plane: (number(), number()) for plane in range(32) if mask >> plane & 1}
    result.planes = {plane: (size, take(length)) for plane, (size, length) in sizes.items()}
    assert offset == len(packet) - 4
    return result


class Streams:
    """Compresses planes as an encoder does, each in one zstd stream for the whole epoch."""

    def __init__(self) -> None:
        self._streams: dict[str, zstandard.ZstdCompressionObj] = {}

    def compress(self, name: str, data: bytes) -> bytes:
        if name not in self._streams:
            self._streams[name] = zstandard.ZstdCompressor(level=1).compressobj()
        stream = self._streams[name]
        return stream.compress(data) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def planes(self, **planes: bytes) -> dict[int, tuple[int, bytes]]:
        """The planes by name, as a `Packet` holds them."""
        return {
            PLANES.index(name): (
                (int.from_bytes(data[:4], "little"), data[4:])
                if name == "modelled"
                else (len(data), self.compress(name, data))
            )
            for name, data in planes.items()
        }


def modelled(pixels: int, data: bytes) -> bytes:
    """The plane that is no zstd stream, as `Streams.planes` takes it: any bytes are so many pixels."""
    return pixels.to_bytes(4, "little") + data


def keyframe(size: tuple[int, int], epoch: int = 1, slots: int = 0, **planes: bytes) -> bytes:
    """A keyframe of planes as they are, without a frame hash."""
    return Packet(epoch, 0, size, planes=Streams().planes(**planes), slots=slots).build()


def vectors(*vectors: tuple[int, int]) -> bytes:
    """The list that plane 8 begins with."""
    return struct.pack(f"<B{2 * len(vectors)}h", len(vectors), *(part for vector in vectors for part in vector))


def slots(*numbers: int) -> bytes:
    """Slots of the tile cache, as plane 9 holds them."""
    return struct.pack(f"<{len(numbers)}H", *numbers)


def zstd_block(data: bytes, *, last: bool = False, repeat: int | None = None) -> bytes:
    """A zstd block of the bytes as they are, or of one byte so many times."""
    size = len(data) if repeat is None else repeat
    return (last | (repeat is not None) << 1 | size << 3).to_bytes(3, "little") + data


def zstd_header(*, window_log: int = 20, dictionary: int | None = None, content: int | None = None) -> bytes:
    """What a zstd frame begins with, up to its first block.

    With a content size the frame is a single segment, whose window is that size; else `window_log` counts.
    """
    descriptor = 0 if dictionary is None else 0x01
    fields = b"" if dictionary is None else bytes((dictionary,))
    if content is None:
        fields = bytes(((window_log - 10) << 3,)) + fields
    else:
        descriptor |= 0xE0
        fields += content.to_bytes(8, "little")
    return b"\x28\xb5\x2f\xfd" + bytes((descriptor,)) + fields
