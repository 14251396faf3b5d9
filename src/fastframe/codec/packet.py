"""The byte layout of packets: the only module that knows it. SPEC.md, "Packet", is its normative text.

A packet is a few header fields, the compressed planes and a CRC-32 over all of it. Numbers that are usually small are
written as unsigned LEB128 ("varint"), all others little-endian.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fastframe._core import PLANES
from fastframe.errors import RemoteProtocolError
from fastframe.limits import Limits

# First byte: 0xF in the high four bits, the version in the low four.
MARK = 0xF0
VERSION = 1
MAX_U32 = 2**32 - 1

FLAG_KEYFRAME = 0x01
FLAG_HASH = 0x02
FLAG_PARTIAL = 0x04
# Bits 3 to 5 are unused (a decoder ignores them), bits 6 and 7 reserved (a decoder refuses them).
RESERVED_FLAGS = 0xC0

CRC_BYTES = 4
HASH_BYTES = 8
SMALLEST_PACKET = 2 + 3 + CRC_BYTES
# More than any header: mark and flags, three varints, size and cache, hash, two varints a plane, CRC.
HEADER_ROOM = 2 + 3 * 5 + 6 + HASH_BYTES + len(PLANES) * 2 * 5 + CRC_BYTES


class Header(NamedTuple):
    """Everything of a packet but its planes.

    `width` and `height` (pixels) and `cache_slots` are 0 in a packet that is no keyframe; `frame_hash` is `None` where
    the packet has none.
    """

    epoch: int
    sequence: int
    keyframe: bool = False
    partial: bool = False
    width: int = 0
    height: int = 0
    cache_slots: int = 0
    frame_hash: int | None = None


@dataclass(frozen=True, slots=True)
class CompressedPlane:
    """A plane as it stands in a packet: compressed bytes, and the exact size they decompress to.

    Of the modelled plane that size is the number of pixels that come out of the model.
    """

    raw_size: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class PlaneInPieces:
    """The same plane where it is written, in pieces: joining megabytes takes a while, and the packet does so anyway."""

    raw_size: int
    pieces: Sequence[bytes | memoryview]

    @property
    def size(self) -> int:
        """Compressed bytes."""
        return sum(map(len, self.pieces))


def put_varint(out: bytearray, value: int) -> None:
    """Appends a number from 0 to 2**32 - 1 in unsigned LEB128."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def pack(header: Header, planes: dict[int, PlaneInPieces]) -> bytes:
    """Assembles a packet. `planes` maps plane numbers, in ascending order, to planes that are not empty."""
    flags = (
        FLAG_KEYFRAME * header.keyframe | FLAG_HASH * (header.frame_hash is not None) | FLAG_PARTIAL * header.partial
    )
    head = bytearray((MARK | VERSION, flags))
    put_varint(head, sum(1 << number for number in planes))
    put_varint(head, header.epoch)
    put_varint(head, header.sequence)
    if header.keyframe:
        for number in (header.width, header.height, header.cache_slots):
            head += number.to_bytes(2, "little")
    if header.frame_hash is not None:
        head += header.frame_hash.to_bytes(HASH_BYTES, "little")
    for plane in planes.values():
        put_varint(head, plane.raw_size)
        put_varint(head, plane.size)
    parts: list[bytes | bytearray | memoryview] = [head]
    for plane in planes.values():
        parts += plane.pieces
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return b"".join([*parts, crc.to_bytes(CRC_BYTES, "little")])


class _Cursor:
    """Reads fields off the front of a packet; running out of bytes is the peer's fault."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.offset = 0

    def take(self, size: int, what: str) -> memoryview:
        end = self.offset + size
        if end > len(self.data):
            raise RemoteProtocolError(
                f"packet ends inside {what}: {size} bytes needed, {len(self.data) - self.offset} left",
                expected=size,
                actual=len(self.data) - self.offset,
            )
        part = self.data[self.offset : end]
        self.offset = end
        return part

    def number(self, size: int, what: str) -> int:
        return int.from_bytes(self.take(size, what), "little")

    def varint(self, what: str) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1, what)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > MAX_U32:
                    break
                return value
        raise RemoteProtocolError(f"{what} does not fit into 32 bits", limit=MAX_U32)


def _check_mark(mark: int) -> None:
    if mark & 0xF0 != MARK:
        raise RemoteProtocolError(f"no fastframe packet: first byte is 0x{mark:02x}", expected=MARK, actual=mark)
    if mark & 0x0F != VERSION:
        raise RemoteProtocolError(
            f"packet of format version {mark & 0x0F}, this decoder reads version {VERSION}",
            expected=VERSION,
            actual=mark & 0x0F,
        )


def _checked_body(data: memoryview, limits: Limits) -> memoryview:
    """A packet without its CRC, once length, mark and CRC are right."""
    if len(data) > limits.max_packet_bytes:
        raise RemoteProtocolError(
            f"packet of {len(data)} bytes, the limit is {limits.max_packet_bytes}",
            actual=len(data),
            limit=limits.max_packet_bytes,
        )
    if len(data) < SMALLEST_PACKET:
        raise RemoteProtocolError(
            f"packet of {len(data)} bytes, the smallest has {SMALLEST_PACKET}",
            expected=SMALLEST_PACKET,
            actual=len(data),
        )
    _check_mark(data[0])
    body = data[:-CRC_BYTES]
    declared, computed = int.from_bytes(data[-CRC_BYTES:], "little"), zlib.crc32(body)
    if declared != computed:
        raise RemoteProtocolError(
            f"packet is damaged: CRC is 0x{computed:08x}, the packet says 0x{declared:08x}",
            expected=declared,
            actual=computed,
        )
    return body


def parse_header(data: memoryview, limits: Limits) -> tuple[Header, "_Cursor", int]:
    """Checks a packet as a whole and reads its header.

    Returns the header, a cursor that stands at the plane sizes, and the plane mask; `parse_planes` reads on.
    """
    cursor = _Cursor(_checked_body(data, limits))
    cursor.take(1, "the mark")
    flags = cursor.number(1, "the flags")
    mask = cursor.varint("the plane mask")
    if flags & RESERVED_FLAGS:
        raise RemoteProtocolError(f"reserved flags 0x{flags & RESERVED_FLAGS:02x} are set", actual=flags)
    if mask >> len(PLANES):
        raise RemoteProtocolError(f"unknown planes in mask 0x{mask:02x}", actual=mask)
    epoch = cursor.varint("the epoch")
    sequence = cursor.varint("the sequence number")
    width = height = cache_slots = 0
    if flags & FLAG_KEYFRAME:
        width = cursor.number(2, "the width")
        height = cursor.number(2, "the height")
        cache_slots = cursor.number(2, "the number of cache slots")
    frame_hash = cursor.number(HASH_BYTES, "the frame hash") if flags & FLAG_HASH else None
    header = Header(
        epoch=epoch,
        sequence=sequence,
        keyframe=bool(flags & FLAG_KEYFRAME),
        partial=bool(flags & FLAG_PARTIAL),
        width=width,
        height=height,
        cache_slots=cache_slots,
        frame_hash=frame_hash,
    )
    return header, cursor, mask


def peek_header(packet: bytes | memoryview) -> Header:
    """The header of a packet whose length, CRC and planes are not checked: for those who sort packets and pass them on.

    That is done with every packet at both ends, so it does without a cursor. The frame hash is left out. Raises
    `RemoteProtocolError` where there is no header of this version.
    """
    if len(packet) < SMALLEST_PACKET:
        raise RemoteProtocolError(
            f"packet of {len(packet)} bytes, the smallest has {SMALLEST_PACKET}",
            expected=SMALLEST_PACKET,
            actual=len(packet),
        )
    mark, flags = packet[0], packet[1]
    if mark != MARK | VERSION:
        _check_mark(mark)
    if flags & RESERVED_FLAGS:
        raise RemoteProtocolError(f"reserved flags 0x{flags & RESERVED_FLAGS:02x} are set", actual=flags)
    numbers: list[int] = []
    value, shift, position = 0, 0, 2
    for byte in bytes(packet[2 : 2 + 3 * 5]):
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 and value <= MAX_U32:
            numbers.append(value)
            if len(numbers) == 3:
                break
            value = shift = 0
        elif byte < 0x80 or shift == 5 * 7:
            what = ("the plane mask", "the epoch", "the sequence number")[len(numbers)]
            raise RemoteProtocolError(f"{what} does not fit into 32 bits", limit=MAX_U32)
    else:
        raise RemoteProtocolError(f"packet of {len(packet)} bytes ends inside its header", actual=len(packet))
    _, epoch, sequence = numbers
    if not flags & FLAG_KEYFRAME:
        return Header(epoch, sequence, False, bool(flags & FLAG_PARTIAL))
    fields = bytes(packet[position : position + 6])
    size = (int.from_bytes(fields[at : at + 2], "little") for at in (0, 2, 4))
    return Header(epoch, sequence, True, bool(flags & FLAG_PARTIAL), *size)


def parse_planes(cursor: _Cursor, mask: int, capacities: tuple[int, ...]) -> dict[int, CompressedPlane]:
    """The compressed planes of a packet, which view the packet's bytes; none is larger than its capacity."""
    sizes: dict[int, tuple[int, int]] = {}
    for number, name in enumerate(PLANES):
        if not mask >> number & 1:
            continue
        raw_size = cursor.varint(f"the size of plane {name!r}")
        unit = "pixels" if name == "modelled" else "bytes"
        if not 0 < raw_size <= capacities[number]:
            raise RemoteProtocolError(
                f"plane {name!r} declares {raw_size} {unit}; for this frame it has 1 to {capacities[number]}",
                actual=raw_size,
                limit=capacities[number],
            )
        sizes[number] = raw_size, cursor.varint(f"the compressed size of plane {name!r}")
    _check_pixels({PLANES[number]: raw_size for number, (raw_size, _) in sizes.items()}, capacities)
    planes = {
        number: CompressedPlane(raw_size, cursor.take(size, f"plane {PLANES[number]!r}"))
        for number, (raw_size, size) in sizes.items()
    }
    if cursor.offset != len(cursor.data):
        raise RemoteProtocolError(
            f"{len(cursor.data) - cursor.offset} bytes follow the last plane",
            expected=cursor.offset,
            actual=len(cursor.data),
        )
    return planes


def _check_pixels(raw_sizes: dict[str, int], capacities: tuple[int, ...]) -> None:
    """Refuses planes that no operations could use up before they are decompressed: pixels are drawn once at most."""
    pixels = capacities[PLANES.index("green")]
    green, blue, red, indices, xor, modelled = (
        raw_sizes.get(name, 0) for name in ("green", "blue", "red", "indices", "xor", "modelled")
    )
    drawn = indices + xor // 3 + green + modelled
    if not green == blue == red or xor % 3 or drawn > pixels:
        raise RemoteProtocolError(
            f"planes hold {indices} indices, {xor} bytes of XOR, {green}, {blue} and {red} residuals and {modelled} "
            f"modelled pixels: these are not for {pixels} pixels at the most",
            actual=drawn,
            limit=pixels,
        )
