"""The `.ffs` file: the packets of one encoder, in order, each with its time.

It is the simplest thing that keeps a stream: a signature, then records until the end of the file. There is no
index and no trailer, so a file that was cut is good up to the cut. Packets carry their own version, checksum
and sequence; this layer adds only what a file needs: where a packet ends and when its frame was seen.

The layout stands in SPEC.md, "Packet files": seven bytes of signature and a version, then for each packet its length
(u32), its time in microseconds (u64) and its bytes, little-endian.

A file that ends within a record was cut: the records before it are good. A writer that owns the file's name
writes to a temporary one and renames it when the last record is complete; a record is in the file as soon as it is
written, whatever happens to the writer.
"""

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastframe._arguments import checked, checked_int
from fastframe._closing import Closing, Completing
from fastframe._files import PendingFile, reason
from fastframe._names import shown
from fastframe.errors import LocalProtocolError, RecordingError
from fastframe.limits import Limits

SIGNATURE = b"\x89FFS\r\n\x1a"
VERSION = 1
MAX_TIMESTAMP = 2**63 - 1
_HEADER = struct.Struct("<7sB")
_RECORD = struct.Struct("<IQ")
# A packet is read in pieces, so that a length that lies costs at most the bytes that are really there and one
# piece.
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class TimedPacket:
    """One record of a packet file.

    Parameters
    ----------
    offset
        Where the record begins in the file, in bytes.
    timestamp
        Microseconds on the clock of the writer.
    packet
        What `Encoder.encode` returned.
    """

    offset: int
    timestamp: int
    packet: bytes


class PacketWriter(Completing):
    """Writes a packet file; use it as a context manager.

    The file appears under its name when the block ends without an exception, and replaces a file that was
    there before; after an exception nothing has changed. Not for use by two threads at once.

    Parameters
    ----------
    path
        The file to write.
    limits
        `max_packet_bytes` bounds the packets, so that a reader with the same limits accepts the file.

    Raises
    ------
    RecordingError
        The file cannot be created.
    LocalProtocolError
        `path` is neither a text nor a path, or the limits are none.
    """

    def __init__(self, path: str | os.PathLike[str], *, limits: Limits | None = None) -> None:
        self._limit = (Limits() if limits is None else checked(limits, Limits, "limits")).max_packet_bytes
        self._last = 0
        self._pending = PendingFile(path)
        try:
            self._pending.write(_HEADER.pack(SIGNATURE, VERSION))
        except BaseException:  # an interrupt
            self._pending.discard()
            raise

    def write(self, timestamp: int, packet: bytes | memoryview) -> None:
        """Append one packet.

        Parameters
        ----------
        timestamp
            Microseconds, not less than the one before.
        packet
            What `Encoder.encode` returned, or any bytes-like object of it.

        Raises
        ------
        LocalProtocolError
            The timestamp is no integer, goes back or does not fit, or the packet is not bytes-like, empty or too
            long; nothing was written.
        RecordingError
            The file could not be written; what it held is discarded.
        """
        moment = checked_int(timestamp, "timestamp", self._last, MAX_TIMESTAMP)
        try:
            data = memoryview(packet).cast("B")
        except (TypeError, ValueError) as error:
            raise LocalProtocolError(f"a packet must be a contiguous bytes-like object: {error}") from error
        if not 1 <= len(data) <= self._limit:
            raise LocalProtocolError(
                f"a packet must have 1 to {self._limit} bytes, not {len(data)}",
                actual=len(data),
                limit=self._limit,
            )
        self._pending.write(_RECORD.pack(len(data), moment), data)
        self._last = moment

    def close(self) -> None:
        """Complete the file and give it its name."""
        self._pending.close()

    def discard(self) -> None:
        """Delete what was written; a file that was there before stays."""
        self._pending.discard()


class PacketReader(Closing):
    """Iterates over the records of a packet file; use it as a context manager.

    Nothing but the current record is in memory. Iteration goes through the file once. A fault ends it with
    `RecordingError`, after every whole record before the fault was delivered.

    Parameters
    ----------
    source
        The path of the file to read; a pipe will do. Or a binary file that is open already, such as `sys.stdin.buffer`,
        which is read from where it stands and is its owner's to close.
    limits
        `max_packet_bytes` bounds what one record may take in memory.

    Attributes
    ----------
    name
        The name of the file.

    Raises
    ------
    RecordingError
        The file cannot be read, is no packet file, or is of another version.
    LocalProtocolError
        `source` is neither a text nor a path nor a binary file, or the limits are none.
    """

    def __init__(self, source: str | os.PathLike[str] | BinaryIO, *, limits: Limits | None = None) -> None:
        self._limit = (Limits() if limits is None else checked(limits, Limits, "limits")).max_packet_bytes
        self._offset = 0
        self._is_mine = isinstance(source, str | os.PathLike)
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            self.name = str(path)
            try:
                self._file: BinaryIO = path.open("rb")
            except (OSError, ValueError) as error:
                raise RecordingError(f"cannot read {shown(path)}: {reason(error)}") from error
        elif isinstance(source, io.TextIOBase) or not hasattr(source, "read"):
            raise LocalProtocolError(f"a recording is a path or a binary file, not {source!r}", actual=source)
        else:
            self.name = str(getattr(source, "name", source))
            self._file = source
        try:
            self._check_header()
        except BaseException:
            self.close()
            raise

    def _check_header(self) -> None:
        header = self._read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(SIGNATURE):
            raise RecordingError(f"{shown(self.name)} is no fastframe recording", expected=SIGNATURE, actual=header)
        version = header[-1]
        if version != VERSION:
            raise RecordingError(
                f"{shown(self.name)} is a recording of version {version}, but this reader knows version {VERSION}",
                expected=VERSION,
                actual=version,
            )
        self._offset = _HEADER.size

    def __iter__(self) -> Iterator[TimedPacket]:
        last = 0
        while head := self._read(_RECORD.size):
            offset = self._offset
            if len(head) < _RECORD.size:
                raise self._cut(offset, _RECORD.size, len(head))
            length, timestamp = _RECORD.unpack(head)
            if not 1 <= length <= self._limit:
                raise self._damaged(f"a packet of {length} bytes (1 to {self._limit} are allowed)", actual=length)
            if not last <= timestamp <= MAX_TIMESTAMP:
                raise self._damaged(f"timestamp {timestamp} after {last}", actual=timestamp)
            packet = self._read(length)
            if len(packet) < length:
                raise self._cut(offset, _RECORD.size + length, _RECORD.size + len(packet))
            self._offset += _RECORD.size + length
            last = timestamp
            yield TimedPacket(offset, timestamp, packet)

    def _read(self, length: int) -> bytes:
        """Read exactly `length` bytes, or fewer at the end of the file."""
        pieces = []
        try:
            while length and (piece := self._file.read(min(length, _PIECE))) != b"":
                if piece is None:  # a file that does not block has nothing yet, which is not its end
                    raise RecordingError(f"cannot read {shown(self.name)}: it does not wait for what is still to come")
                pieces.append(piece)
                length -= len(piece)
        except (OSError, ValueError) as error:  # ValueError: it was given closed
            raise RecordingError(f"cannot read {shown(self.name)}: {reason(error)}") from error
        return b"".join(pieces)

    def _cut(self, offset: int, expected: int, actual: int) -> RecordingError:
        return RecordingError(
            f"{shown(self.name)} is cut: the record at offset {offset} has {actual} of {expected} bytes",
            expected=expected,
            actual=actual,
        )

    def _damaged(self, what: str, actual: int) -> RecordingError:
        return RecordingError(
            f"{shown(self.name)} is damaged at offset {self._offset}: {what}", actual=actual, limit=self._limit
        )

    def close(self) -> None:
        """Close the file, unless it was given open; may be called again."""
        if self._is_mine:
            self._file.close()
