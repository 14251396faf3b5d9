"""Frame fragments: packets of the codec on the wire, the only messages that are not msgpack.

| bytes | name | type | meaning |
|---|---|---|---|
| 1 | mark | u8 | 0xC1, the one byte that msgpack never uses |
| 1 | flags | u8 | bit 0: this is a part of a packet, and the next two fields are there; bits 1 to 7 are reserved |
| 1 | display | u8 | number of the display |
| 4 | offset | u32 | where in the packet the bytes belong |
| 4 | size | u32 | bytes of the whole packet |
| | bytes | | the packet, or the part of it |

All little-endian. There is no number of the packet here: packets carry their epoch and sequence number themselves,
under their CRC. So a whole packet costs three bytes, and parts that do not belong together are noticed by the CRC.

A message is a header and a view of the packet, so that pixels are never copied on this side.
"""

import struct
from typing import NamedTuple

import msgspec

from fastframe.errors import RemoteProtocolError

MARK = 0xC1
PART = 0x01
# Of a whole packet, by the display.
_WHOLE = tuple(bytes((MARK, 0, display)) for display in range(256))
_PART = struct.Struct("<BBBII")
WHOLE_HEADER_BYTES = 3
PART_HEADER_BYTES = _PART.size


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message for the transport, which keeps it whole: `bytes(message)`, or `parts()` without a copy.

    Attributes
    ----------
    header
        A control message, or the header of a frame fragment.
    payload
        The fragment's bytes: a view of a packet that nobody changes; it keeps the packet alive.
    droppable
        Whether the message may be lost, repeated or overtaken by others: frames, acknowledgements and the like, which
        are made up for. All other messages must arrive, once and in order. A transport with unreliable channels sends
        these over a reliable one.
    """

    header: bytes
    payload: memoryview = memoryview(b"")
    droppable: bool = False

    def parts(self) -> tuple[bytes | memoryview, ...]:
        """What to write one after another, for example with `writelines`."""
        return (self.header, self.payload) if self.payload else (self.header,)

    def __len__(self) -> int:
        return len(self.header) + len(self.payload)

    def __bytes__(self) -> bytes:
        return self.header + self.payload


class FrameFragment(NamedTuple):
    """A fragment as it came in: `payload` views the message."""

    display: int
    offset: int
    size: int
    payload: memoryview


def cut(display: int, packet: bytes | memoryview, max_message: int) -> list[Message]:
    """The messages that carry a packet, none longer than `max_message` bytes."""
    view = memoryview(packet)
    size = len(view)
    if size + WHOLE_HEADER_BYTES <= max_message:
        return [Message(_WHOLE[display], view, True)]
    room = max_message - PART_HEADER_BYTES
    return [
        Message(_PART.pack(MARK, PART, display, offset, size), view[offset : offset + room], droppable=True)
        for offset in range(0, size, room)
    ]


def display_of(message: Message) -> int:
    """The display of a fragment."""
    return message.header[2]


def parse(data: memoryview) -> FrameFragment:
    """Reads a fragment; `RemoteProtocolError` for one that is malformed."""
    length = len(data)
    if length <= WHOLE_HEADER_BYTES:
        raise RemoteProtocolError(f"frame fragment of {length} bytes", expected=WHOLE_HEADER_BYTES + 1, actual=length)
    flags, display = data[1], data[2]
    if not flags:
        return FrameFragment(display, 0, length - WHOLE_HEADER_BYTES, data[WHOLE_HEADER_BYTES:])
    if flags & ~PART:
        raise RemoteProtocolError(f"reserved flags 0x{flags & ~PART:02x} of a fragment are set", actual=flags)
    if length <= PART_HEADER_BYTES:
        raise RemoteProtocolError(f"part of a packet in {length} bytes", expected=PART_HEADER_BYTES + 1, actual=length)
    _, _, _, offset, size = _PART.unpack_from(data)
    payload = data[PART_HEADER_BYTES:]
    if offset + len(payload) > size:
        raise RemoteProtocolError(
            f"bytes {offset} to {offset + len(payload)} of a packet of {size}", limit=size, actual=offset + len(payload)
        )
    return FrameFragment(display, offset, size, payload)


class PacketAssembler:
    """Puts the packets of one display together again.

    Parts must come in order. Those that repeat what is there are dropped; a gap drops the packet, and the next one's
    sequence number tells the rest.
    """

    def __init__(self, max_packet_bytes: int) -> None:
        self._limit = max_packet_bytes
        self._size = 0
        self._packet = bytearray()

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._packet)

    def clear(self) -> None:
        """Forgets what there is of a packet."""
        self._size, self._packet = 0, bytearray()

    def add(self, fragment: FrameFragment) -> memoryview | None:
        """The packet that is complete now, if one is.

        Raises
        ------
        RemoteProtocolError
            The packet is beyond the limit.
        FragmentsLost
            Parts are missing.
        """
        if fragment.size > self._limit:
            raise RemoteProtocolError(
                f"packet of {fragment.size} bytes, the limit is {self._limit}", limit=self._limit, actual=fragment.size
            )
        if len(fragment.payload) == fragment.size:
            if self._packet:
                self.clear()
            return fragment.payload
        held = len(self._packet)
        if fragment.offset == 0:
            self.clear()
            self._size = fragment.size
        elif fragment.offset != held or fragment.size != self._size:
            repeated = fragment.size == self._size and fragment.offset < held
            if repeated:
                return None
            self.clear()
            raise FragmentsLost(
                f"part at byte {fragment.offset} of a packet of {fragment.size}, after {held} bytes",
                expected=held,
                actual=fragment.offset,
            )
        self._packet += fragment.payload
        if len(self._packet) < self._size:
            return None
        packet = memoryview(self._packet)
        self.clear()
        return packet


class FragmentsLost(RemoteProtocolError):
    """Parts of a packet are missing: a matter for a new request, not the end of the connection."""
