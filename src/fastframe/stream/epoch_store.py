"""The packets of one display's epoch, from its keyframe on: what a relay serves its viewers from.

Viewers read at their own pace. One that joins gets the whole epoch, and so the exact picture, without the encoder
knowing about it. An epoch may last for hours, so the oldest packets go when there are too many; who still needs them
has to wait for the next keyframe.
"""

from collections import deque

from fastframe.codec.packet import Header

# What Python takes for a packet besides its bytes.
PACKET_ROOM = 128


class EpochStore:
    """Packets of the current epoch, in order.

    Parameters
    ----------
    limit
        Bytes that are kept at most; the latest packet is kept in any case.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._packets: deque[bytes] = deque()
        self._first = 0
        self._total = 0
        # Bytes of the epoch up to each packet: where a reader is in it is a difference of two of them.
        self._ends: deque[int] = deque()
        self.epoch: int | None = None
        # Bytes of the packets that made the first whole picture; None: it is not whole yet.
        self.picture_bytes: int | None = None

    @property
    def end(self) -> int:
        """Sequence number of the packet that comes next."""
        return self._first + len(self._packets)

    @property
    def whole(self) -> bool:
        """Whether the keyframe is still there, so that a viewer can join."""
        return self.epoch is not None and self._first == 0

    def add(self, header: Header, packet: bytes) -> None:
        """Adds the next packet; a keyframe begins anew."""
        if header.keyframe:
            self.clear()
            self.epoch = header.epoch
        self._packets.append(packet)
        self._total += len(packet)
        self._ends.append(self._total)
        if self.picture_bytes is None and not header.partial:
            self.picture_bytes = self._total
        while self.held + PACKET_ROOM * len(self._packets) > self._limit and len(self._packets) > 1:
            self._packets.popleft()
            self._ends.popleft()
            self._first += 1

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self.bytes_from(self._first)

    def has(self, sequence: int) -> bool:
        """Whether this packet is there, or is the next one that comes."""
        return self.epoch is not None and self._first <= sequence <= self.end

    def packet(self, sequence: int) -> bytes:
        """A packet that is there."""
        return self._packets[sequence - self._first]

    def bytes_from(self, sequence: int) -> int:
        """Bytes of the packets from this one on."""
        index = sequence - self._first
        if index >= len(self._packets):
            return 0
        return self._total - self._ends[index] + len(self._packets[index])

    def clear(self) -> None:
        """Forgets everything."""
        self._packets.clear()
        self._ends.clear()
        self._first = self._total = 0
        self.epoch = self.picture_bytes = None
