"""The byte layout of packets: the only module that knows it. SPEC.md, "Packet", is its normative text.

A packet is a few header fields, the compressed planes and a CRC-32 over all of it. Numbers that are usually small are
written as unsigned LEB128 ("varint"), all others little-endian.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from fastframe._core import PLANES, crc32, varints
from fastframe.codec.stats import PlaneSizes
from fastframe.errors import RemoteProtocolError
from fastframe.limits import Limits

# First byte: 0xF in the high four bits, the version in the low four.
MARK = 0xF0
VERSION = 1
MAX_U32 = 2**32 - 1
MAX_VARINT_BYTES = 5

FLAG_KEYFRAME = 0x01
FLAG_HASH = 0x02
FLAG_PARTIAL = 0x04
# Bits 3 to 5 are unused (a decoder ignores them), bits 6 and 7 reserved (a decoder refuses them).
RESERVED_FLAGS = 0xC0

CRC_BYTES = 4
HASH_BYTES = 8
SMALLEST_PACKET = 2 + 3 + CRC_BYTES
# More than any header: mark and flags, three varints, size and cache, hash, two varints a plane, CRC.
HEADER_ROOM = 2 + 3 * MAX_VARINT_BYTES + 6 + HASH_BYTES + len(PLANES) * 2 * MAX_VARINT_BYTES + CRC_BYTES

# What messages call the planes and the two sizes of each.
PLANE_NAMES = tuple(f"plane {name!r}" for name in PLANES)
SIZE_NAMES = tuple((f"the size of {plane}", f"the compressed size of {plane}") for plane in PLANE_NAMES)
INDICES, XOR, GREEN, BLUE, RED, MODELLED = map(PLANES.index, ("indices", "xor", "green", "blue", "red", "modelled"))


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


class CompressedPlane(NamedTuple):
    """A plane as it stands in a packet: compressed bytes, and the exact size they decompress to.

    Of the modelled plane that size is the number of pixels that come out of the model.
    """

    raw_size: int
    data: memoryview


def pack(header: Header, sizes: PlaneSizes, pieces: Sequence[bytes] = ()) -> bytes:
    """Assembles a packet. `sizes` are those of planes that are not empty, in ascending order.

    `pieces` are the bytes of all of these planes, in order: joining megabytes takes a while, and the packet does so
    anyway.
    """
    flags = (
        FLAG_KEYFRAME * header.keyframe | FLAG_HASH * (header.frame_hash is not None) | FLAG_PARTIAL * header.partial
    )
    head = bytearray((MARK | VERSION, flags))
    mask = 0
    for number in sizes:
        mask |= 1 << number
    head += varints((mask, header.epoch, header.sequence))
    if header.keyframe:
        for number in (header.width, header.height, header.cache_slots):
            head += number.to_bytes(2, "little")
    if header.frame_hash is not None:
        head += header.frame_hash.to_bytes(HASH_BYTES, "little")
    head += varints(tuple(chain.from_iterable(sizes.values())))
    crc = crc32(head)
    for piece in pieces:
        crc = crc32(piece, crc)
    return b"".join([head, *pieces, crc.to_bytes(CRC_BYTES, "little")])


def _take(data: memoryview, size: int, what: str) -> tuple[memoryview, memoryview]:
    """The first bytes and the rest; running out of bytes is the peer's fault."""
    if size > len(data):
        raise RemoteProtocolError(
            f"packet ends inside {what}: {size} bytes needed, {len(data)} left", expected=size, actual=len(data)
        )
    return data[:size], data[size:]


def _take_varints(data: memoryview, names: Sequence[str]) -> tuple[list[int], memoryview]:
    """A number for each of the names (for messages), and the rest."""
    numbers: list[int] = []
    value = shift = offset = 0
    for byte in data[: MAX_VARINT_BYTES * len(names)]:
        offset += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 and value <= MAX_U32:
            numbers.append(value)
            if len(numbers) == len(names):
                break
            value = shift = 0
        elif byte < 0x80 or shift == 7 * MAX_VARINT_BYTES:
            raise RemoteProtocolError(f"{names[len(numbers)]} does not fit into 32 bits", limit=MAX_U32)
    if len(numbers) < len(names):
        _take(data[offset:], 1, names[len(numbers)])  # says that there is none
    return numbers, data[offset:]


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
    declared, computed = int.from_bytes(data[-CRC_BYTES:], "little"), crc32(body)
    if declared != computed:
        raise RemoteProtocolError(
            f"packet is damaged: CRC is 0x{computed:08x}, the packet says 0x{declared:08x}",
            expected=declared,
            actual=computed,
        )
    return body


def parse_header(data: memoryview, limits: Limits) -> tuple[Header, int, memoryview]:
    """Checks a packet as a whole and reads its header.

    Returns the header, the plane mask, and what follows them, which `parse_planes` reads.
    """
    header, mask, rest = _read_header(_checked_body(data, limits))
    if mask >> len(PLANES):
        raise RemoteProtocolError(f"unknown planes in mask 0x{mask:02x}", actual=mask)
    return header, mask, rest


def peek_header(packet: bytes | memoryview) -> Header:
    """The header of a packet whose length, CRC and planes are not checked: for those who sort packets and pass them on.

    Raises `RemoteProtocolError` where there is no header of this version.
    """
    if len(packet) < SMALLEST_PACKET:
        raise RemoteProtocolError(
            f"packet of {len(packet)} bytes, the smallest has {SMALLEST_PACKET}",
            expected=SMALLEST_PACKET,
            actual=len(packet),
        )
    _check_mark(packet[0])
    return _read_header(memoryview(packet))[0]


def _read_header(data: memoryview) -> tuple[Header, int, memoryview]:
    """Header, plane mask and the rest of a packet that has the right mark."""
    flags = data[1]
    if flags & RESERVED_FLAGS:
        raise RemoteProtocolError(f"reserved flags 0x{flags & RESERVED_FLAGS:02x} are set", actual=flags)
    keyframe, partial = flags & FLAG_KEYFRAME > 0, flags & FLAG_PARTIAL > 0
    (mask, epoch, sequence), rest = _take_varints(data[2:], ("the plane mask", "the epoch", "the sequence number"))
    width = height = cache_slots = 0
    frame_hash = None
    if keyframe:
        size, rest = _take(rest, 6, "the size of the frame and of the cache")
        width, height, cache_slots = struct.unpack("<HHH", size)
    if flags & FLAG_HASH:
        hash_bytes, rest = _take(rest, HASH_BYTES, "the frame hash")
        frame_hash = int.from_bytes(hash_bytes, "little")
    return Header(epoch, sequence, keyframe, partial, width, height, cache_slots, frame_hash), mask, rest


@lru_cache(maxsize=64)  # of the 2048 masks an encoder uses a few, again and again
def _planes_in(mask: int) -> tuple[list[int], list[str]]:
    """The numbers of the planes in a mask, and what their sizes are called."""
    numbers = [number for number in range(len(PLANES)) if mask >> number & 1]
    return numbers, [name for number in numbers for name in SIZE_NAMES[number]]


def parse_planes(data: memoryview, mask: int, capacities: tuple[int, ...]) -> dict[int, CompressedPlane]:
    """The compressed planes of a packet, which view the packet's bytes; none is larger than its capacity.

    `data`: what follows the header.
    """
    numbers, names = _planes_in(mask)
    sizes, rest = _take_varints(data, names)
    raw_sizes = [0] * len(PLANES)
    planes: dict[int, CompressedPlane] = {}
    for number, raw_size in zip(numbers, sizes[::2], strict=True):
        if not 0 < raw_size <= capacities[number]:
            unit = "pixels" if number == MODELLED else "bytes"
            raise RemoteProtocolError(
                f"plane {PLANES[number]!r} declares {raw_size} {unit}; for this frame it has 1 to {capacities[number]}",
                actual=raw_size,
                limit=capacities[number],
            )
        raw_sizes[number] = raw_size
    _check_pixels(raw_sizes, capacities[GREEN])
    for number, size in zip(numbers, sizes[1::2], strict=True):
        plane, rest = _take(rest, size, PLANE_NAMES[number])
        planes[number] = CompressedPlane(raw_sizes[number], plane)
    if rest:
        raise RemoteProtocolError(
            f"{len(rest)} bytes follow the last plane", expected=len(data) - len(rest), actual=len(data)
        )
    return planes


def _check_pixels(raw_sizes: list[int], pixels: int) -> None:
    """Refuses planes that no operations could use up before they are decompressed: pixels are drawn once at most."""
    indices, xor, modelled = raw_sizes[INDICES], raw_sizes[XOR], raw_sizes[MODELLED]
    green, blue, red = raw_sizes[GREEN], raw_sizes[BLUE], raw_sizes[RED]
    drawn = indices + xor // 3 + green + modelled
    if not green == blue == red or xor % 3 or drawn > pixels:
        raise RemoteProtocolError(
            f"planes hold {indices} indices, {xor} bytes of XOR, {green}, {blue} and {red} residuals and {modelled} "
            f"modelled pixels: these are not for {pixels} pixels at the most",
            actual=drawn,
            limit=pixels,
        )
