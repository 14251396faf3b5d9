"""A viewer for VNC servers, as far as it takes to read exactly what TigerVNC sends when it loses nothing.

The protocol is RFB 3.8 (RFC 6143) with the encodings ZRLE and Tight, whose description is in the community's version of
the specification (github.com/rfbproto/rfbproto). Of Tight, what TigerVNC does not write is refused: JPEG, which it
writes only for viewers that ask for a quality, and the gradient filter. The viewer asks for one update at a time,
counts every byte of it and keeps the picture.
"""

from __future__ import annotations

import socket
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scenes import Frame

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8: B, G, R."""
Read = Callable[[int], bytes]
"""Reads so many bytes."""

_RAW, _COPY, _TIGHT, _ZRLE = 0, 1, 7, 16
_LAST_RECTANGLE, _CURSOR = -224, -239
_COMPRESS_LEVEL_0 = -256
_MANY_RECTANGLES = 0xFFFF
"""Their number, where a last one ends them instead."""


class RfbError(Exception):
    """The server does not answer, is gone, or sends what this viewer does not understand."""


class Decoder(ABC):
    """Rectangles of one encoding; streams of zlib last from one to the next."""

    number: int
    """What the encoding is called in the protocol."""

    @abstractmethod
    def decode(self, read: Read, width: int, height: int) -> Pixels: ...


class Zrle(Decoder):
    """Tiles of 64 x 64 pixels: plain, from a palette, in runs, or both; all in one stream of zlib."""

    number = _ZRLE

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def decode(self, read: Read, width: int, height: int) -> Pixels:
        (size,) = struct.unpack(">I", read(4))
        data = self._stream.decompress(read(size))
        pixels = np.empty((height, width, 3), np.uint8)
        at = 0
        for top in range(0, height, 64):
            for left in range(0, width, 64):
                tile = pixels[top : top + 64, left : left + 64]
                at = _zrle_tile(data, at, tile)
        if at != len(data):
            raise RfbError(f"ZRLE: {len(data)} bytes for tiles of {at}")
        return pixels


def _zrle_tile(data: bytes, at: int, tile: Pixels) -> int:
    """Fill the tile from what is at `at`; returns where the next one begins."""
    height, width, _ = tile.shape
    kind, at = data[at], at + 1
    colours = 1 if kind == 0 or kind == 128 else kind & 127
    if kind == 0:
        end = at + tile.size
        tile[:] = np.frombuffer(data[at:end], np.uint8).reshape(tile.shape)
        return end
    if kind == 128:
        starts, lengths, at = _plain_runs(data, at, height * width)
        entries = np.frombuffer(data, np.uint8)[np.array(starts)[:, None] + np.arange(3)]
        tile[:] = np.repeat(entries, lengths, axis=0).reshape(tile.shape)
        return at
    palette = np.frombuffer(data[at : at + 3 * colours], np.uint8).reshape(-1, 3)
    at += 3 * colours
    if kind == 1:
        tile[:] = palette[0]
    elif kind <= 16:
        bits = 1 if colours == 2 else 2 if colours <= 4 else 4
        end = at + height * -(-width * bits // 8)
        packed = np.frombuffer(data[at:end], np.uint8).reshape(height, -1, 1)
        indices = packed >> np.arange(8 - bits, -1, -bits, dtype=np.uint8) & (1 << bits) - 1
        tile[:] = palette[indices.reshape(height, -1)[:, :width]]
        at = end
    elif kind > 129:
        names, lengths, at = _palette_runs(data, at, height * width)
        tile[:] = palette[np.repeat(names, lengths)].reshape(tile.shape)
    else:
        raise RfbError(f"ZRLE: no such kind of tile: {kind}")
    return at


def _plain_runs(data: bytes, at: int, area: int) -> tuple[list[int], list[int], int]:
    """Where the colour of each run is, how long the run, and where the last one ends."""
    starts, lengths = [], []
    while area > 0:
        starts.append(at)
        length, at = _run_length(data, at + 3)
        lengths.append(length)
        area -= length
    return starts, lengths, at


def _palette_runs(data: bytes, at: int, area: int) -> tuple[list[int], list[int], int]:
    """The colour of each run, how long the run, and where the last one ends."""
    names, lengths = [], []
    while area > 0:
        name, length, at = data[at], 1, at + 1
        if name > 127:
            length, at = _run_length(data, at)
        names.append(name & 127)
        lengths.append(length)
        area -= length
    return names, lengths, at


def _run_length(data: bytes, at: int) -> tuple[int, int]:
    length = 1
    while data[at] == 255:
        length, at = length + 255, at + 1
    return length + data[at], at + 1


class Tight(Decoder):
    """A colour, colours of a palette or plain ones, in one of four streams of zlib."""

    number = _TIGHT

    def __init__(self) -> None:
        self._streams = [zlib.decompressobj() for _ in range(4)]

    def decode(self, read: Read, width: int, height: int) -> Pixels:
        (control,) = read(1)
        for number in range(4):
            if control >> number & 1:
                self._streams[number] = zlib.decompressobj()
        kind = control >> 4
        if kind == 8:
            return np.broadcast_to(_colours(read(3)), (height, width, 3))
        if kind > 8:
            raise RfbError("Tight: JPEG, or no such compression")
        stream = self._streams[kind & 3]
        filtered = read(1)[0] if kind & 4 else 0
        if filtered == 0:
            return _colours(_inflate(read, stream, 3 * width * height)).reshape(height, width, 3)
        if filtered != 1:
            raise RfbError("Tight: the gradient filter, or no such filter")
        palette = _colours(read(3 * (read(1)[0] + 1)))
        if len(palette) == 2:
            packed = np.frombuffer(_inflate(read, stream, height * -(-width // 8)), np.uint8).reshape(height, -1)
            return palette[np.unpackbits(packed, axis=1, count=width)]
        return palette[np.frombuffer(_inflate(read, stream, height * width), np.uint8).reshape(height, width)]


def _colours(data: bytes) -> Pixels:
    """Tight has red first."""
    return np.frombuffer(data, np.uint8).reshape(-1, 3)[:, ::-1]


def _inflate(read: Read, stream: zlib._Decompress, size: int) -> bytes:
    """`size` bytes, which are not compressed where they are less than 12."""
    if size < 12:
        return read(size)
    length = shift = 0
    for last in (False, False, True):
        (part,) = read(1)
        length |= (part if last else part & 127) << shift
        shift += 7
        if part < 128:
            break
    data = stream.decompress(read(length))
    if len(data) != size:
        raise RfbError(f"Tight: {len(data)} bytes where {size} are due")
    return data


ENCODINGS: dict[str, Callable[[], Decoder]] = {"Tight": Tight, "ZRLE": Zrle}


class Viewer:
    """Looks at a server that asks for no password.

    It says of itself what TigerVNC's own viewer does, as far as it helps the server to send less: that it can copy
    rectangles, draws the pointer by itself, and needs not know how many rectangles come.

    Parameters
    ----------
    path
        The server's socket.
    decoder
        The encoding that the server is to use.
    level
        How hard the server is to try to compress, 0 to 9.
    timeout
        Seconds for which the server may send nothing.

    Raises
    ------
    RfbError
        There is no such server.
    """

    def __init__(self, path: Path, decoder: Decoder, level: int, timeout: float) -> None:
        self._decoder = decoder
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise RfbError(f"there is no VNC server at {path}: {error}") from error
        self._file = self._socket.makefile("rb")
        self._received = 0
        try:
            self.picture: Frame = self._greet()
            encodings = [decoder.number, _COPY, _LAST_RECTANGLE, _CURSOR, _COMPRESS_LEVEL_0 + level]
            # 32 bits a pixel, of which 24 count, little-endian, true colour: B, G, R and a byte without meaning.
            self._send(struct.pack(">B3x4B3H3B3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
            self._send(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Disconnect."""
        self._file.close()
        self._socket.close()

    def update(self, *, incremental: bool) -> int:
        """Wait until what has changed since the last update, or everything, is in `picture`; returns its bytes.

        A server to which nothing has changed does not answer.
        """
        height, width, _ = self.picture.shape
        self._send(struct.pack(">BBHHHH", 3, incremental, 0, 0, width, height))
        before = self._received
        (message,) = self._read(1)
        if message != 0:
            raise RfbError(f"the server sends message {message} instead of an update")
        (count,) = struct.unpack(">xH", self._read(3))
        while count:
            x, y, width, height, encoding = struct.unpack(">HHHHi", self._read(12))
            if encoding == _LAST_RECTANGLE:
                break
            self._draw(x, y, width, height, encoding)
            count -= count != _MANY_RECTANGLES
        return self._received - before

    def _draw(self, x: int, y: int, width: int, height: int, encoding: int) -> None:
        area = self.picture[y : y + height, x : x + width]
        if encoding == self._decoder.number:
            try:
                area[..., :3] = self._decoder.decode(self._read, width, height)
            except (zlib.error, IndexError, ValueError) as error:
                raise RfbError(f"the server sends what is no rectangle of {width} x {height}: {error}") from error
        elif encoding == _RAW:
            area[:] = np.frombuffer(self._read(4 * width * height), np.uint8).reshape(height, width, 4)
        elif encoding == _COPY:
            left, top = struct.unpack(">HH", self._read(4))
            area[:] = self.picture[top : top + height, left : left + width]
        elif encoding == _CURSOR:
            self._read(4 * width * height + height * -(-width // 8))
        else:
            raise RfbError(f"the server uses encoding {encoding}, which it was not asked for")

    def _greet(self) -> Frame:
        """Agree on the version, no password and a shared screen; returns a black picture of the screen's size."""
        if (version := self._read(12)) != b"RFB 003.008\n":
            raise RfbError(f"the server speaks {version!r} instead of RFB 3.8")
        self._send(version)
        if 1 not in self._read(self._read(1)[0]):
            raise RfbError("the server asks for a password")
        self._send(b"\x01")
        if any(self._read(4)):
            raise RfbError("the server refuses the connection")
        self._send(b"\x01")
        width, height, name = struct.unpack(">HH16xI", self._read(24))
        self._read(name)
        return np.zeros((height, width, 4), np.uint8)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise RfbError(f"the VNC server is gone: {error}") from error

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except TimeoutError as error:
            raise RfbError(f"the VNC server sent nothing for {self._timeout:g} seconds") from error
        except OSError as error:
            raise RfbError(f"the VNC server is gone: {error}") from error
        if len(data) != size:
            raise RfbError("the VNC server has closed the connection")
        self._received += size
        return data
