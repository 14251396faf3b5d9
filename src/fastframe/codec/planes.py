"""Planes through zstd: one stream for each plane, which lives as long as the epoch, so that repeats are found again.

Every packet ends each of its streams at a flushed block, and a decoder reads exactly the bytes that the packet
declares: a bomb that would decompress to more is noticed after one byte too many.
"""

from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
import zstandard

from fastframe._core import PLANES
from fastframe.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class Compression:
    """zstd's levels for one effort.

    Parameters
    ----------
    drawing
        For indices and XOR, whose repeats are real and worth a search, and for the small planes.
    photo
        For residuals.
    window_log
        Base-2 logarithm of how far back matches reach in indices and XOR.
    """

    drawing: int
    photo: int
    window_log: int


# What looks like a repeat in residuals is chance, and costs more than the literals it replaces: on first frames of
# desktops zstd's level 1 takes 2 to 7 % fewer bytes than level 3, and less time. Indices gain 5 to 15 % from level 3
# to 6.
EFFORTS = {
    "fast": Compression(drawing=1, photo=1, window_log=20),
    "balanced": Compression(drawing=6, photo=1, window_log=22),
    "tight": Compression(drawing=12, photo=9, window_log=23),
}

PHOTO_PLANES = frozenset(PLANES.index(name) for name in ("green", "blue", "red"))
PHOTO_WINDOW_LOG = 20
# Base-2 logarithm of the entries of zstd's tables: at level 12 more took 85 MiB for 0.1 % of the bytes.
MAX_TABLE_LOG = 19
# Operations, boxes, colours, vectors and cache slots come to a few kilobytes a frame.
LARGE_PLANES = frozenset(PLANES.index(name) for name in ("indices", "xor"))
SMALL_WINDOW_LOG = 18


class PlaneCompressor:
    """One plane's stream on the encoder's side."""

    def __init__(self, number: int, compression: Compression, max_window_log: int) -> None:
        level, window_log = compression.drawing, SMALL_WINDOW_LOG
        if number in PHOTO_PLANES:
            level, window_log = compression.photo, PHOTO_WINDOW_LOG
        elif number in LARGE_PLANES:
            window_log = compression.window_log
        window_log = min(window_log, max_window_log)
        # The size tells zstd how large to make its tables: without it each plane would take those of the largest.
        usual = zstandard.ZstdCompressionParameters.from_level(level, source_size=1 << window_log)
        parameters = zstandard.ZstdCompressionParameters.from_level(
            level,
            source_size=1 << window_log,
            window_log=window_log,
            hash_log=min(usual.hash_log, MAX_TABLE_LOG),
            chain_log=min(usual.chain_log, MAX_TABLE_LOG),
        )
        # A compressor serves one stream at a time, hence one for each plane.
        self._stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()

    def feed(self, data: memoryview) -> bytes:
        """Takes bytes and returns what is compressed of them already; how they are cut makes no difference."""
        return self._stream.compress(data)

    def flush(self) -> bytes:
        """Compresses what is left up to a block boundary, so that the decoder gets all of it."""
        return self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


class _Chunk:
    """The file that a zstd reader reads from: one packet's part of the stream, then nothing more."""

    def __init__(self) -> None:
        self.data: bytes | memoryview = b""

    def read(self, _size: int = -1) -> bytes | memoryview:
        data, self.data = self.data, b""
        return data


class PlaneDecompressor:
    """One plane's stream on the decoder's side. After an error it is of no use any more."""

    def __init__(self, number: int, max_window_log: int) -> None:
        self._name = PLANES[number]
        self._chunk = _Chunk()
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << max_window_log)
        self._reader = decompressor.stream_reader(cast(BinaryIO, self._chunk))
        self._buffer: npt.NDArray[np.uint8] = np.zeros(1 << 12, np.uint8)

    def decompress(self, data: bytes | memoryview, size: int) -> npt.NDArray[np.uint8]:
        """Decompresses one packet's part, which must give exactly `size` bytes.

        Returns a view of them that is valid until the next call. The caller has checked `size` against its limits.
        """
        if len(self._buffer) <= size:
            self._buffer = np.zeros(size + 1, np.uint8)
        self._chunk.data = data
        try:
            # Room for one byte more than declared tells a longer stream apart. readinto1 reads the source once, so all
            # of the part is consumed when it returns less than it has room for.
            actual: int = self._reader.readinto1(self._buffer[: size + 1].data)
        except zstandard.ZstdError as error:
            raise RemoteProtocolError(f"plane {self._name!r} is no valid zstd stream: {error}") from error
        if actual != size:
            more = "more" if actual > size else str(actual)
            raise RemoteProtocolError(
                f"plane {self._name!r} declares {size} bytes and holds {more}", expected=size, actual=actual
            )
        return self._buffer[:size]
