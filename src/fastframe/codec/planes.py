"""Planes through zstd: one stream for each plane, which lives as long as the epoch, so that what was sent once is found again.

Every packet ends each of its streams at a flushed block, and a decoder reads exactly the bytes that the packet declares:
a bomb that would decompress to more is noticed after one byte too many.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import zstandard

from fastframe._core import PLANES
from fastframe.errors import RemoteProtocolError


# zstd's settings by kind of plane for one effort, as arguments of ZstdCompressionParameters.
Settings = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Compression:
    """zstd's settings for one effort.

    Parameters
    ----------
    drawing
        For operations, boxes, colours, indices and XOR: their repeats are real, and worth a search.
    photo
        For residuals.
    """

    drawing: Settings
    photo: Settings


def _level(level: int, window_log: int) -> Settings:
    return {"compression_level": level, "window_log": window_log}


# What looks like a repeat in residuals is chance, and costs more than the literals it replaces: on first frames of
# desktops zstd's level 1 takes 2 to 7 % fewer bytes than level 3, and less time.
_FAST_PHOTO: Settings = _level(1, 20)

EFFORTS = {
    "fast": Compression(drawing=_level(1, 20), photo=_FAST_PHOTO),
    "balanced": Compression(drawing=_level(3, 22), photo=_FAST_PHOTO),
    "tight": Compression(drawing=_level(9, 23), photo=_level(9, 20)),
}

PHOTO_PLANES = frozenset(PLANES.index(name) for name in ("green", "blue", "red"))
# Operations, boxes and colours come to a few kilobytes a frame, so their history needs no large window.
CONTROL_WINDOW_LOG = 18
CONTROL_PLANES = frozenset(PLANES.index(name) for name in ("operations", "boxes", "colours"))


class PlaneCompressor:
    """One plane's stream on the encoder's side."""

    def __init__(self, number: int, compression: Compression, max_window_log: int) -> None:
        settings = dict(compression.photo if number in PHOTO_PLANES else compression.drawing)
        window_log = CONTROL_WINDOW_LOG if number in CONTROL_PLANES else settings["window_log"]
        settings["window_log"] = min(window_log, max_window_log)
        parameters = zstandard.ZstdCompressionParameters.from_level(settings.pop("compression_level"), **settings)
        # A compressor serves one stream at a time, hence one for each plane.
        self._stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()

    def compress(self, data: memoryview) -> bytes:
        """Compresses bytes up to a block boundary, so that the decoder gets all of them."""
        return self._stream.compress(data) + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


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
        self._reader = decompressor.stream_reader(self._chunk)
        self._buffer: npt.NDArray[np.uint8] = np.zeros(1 << 12, np.uint8)

    def decompress(self, data: bytes | memoryview, size: int) -> npt.NDArray[np.uint8]:
        """Decompresses one packet's part, which must give exactly `size` bytes.

        Returns a view of them that is valid until the next call. The caller has checked `size` against its limits.
        """
        if len(self._buffer) <= size:
            self._buffer = np.zeros(size + size // 2 + 1, np.uint8)
        self._chunk.data = data
        try:
            # Room for one byte more than declared tells a longer stream apart. readinto1 reads the source once, so all of
            # the part is consumed when it returns less than it has room for.
            actual = self._reader.readinto1(memoryview(self._buffer)[: size + 1])
        except (zstandard.ZstdError, MemoryError) as error:
            raise RemoteProtocolError(f"plane {self._name!r} is no valid zstd stream: {error}") from error
        if actual != size:
            more = "more" if actual > size else str(actual)
            raise RemoteProtocolError(
                f"plane {self._name!r} declares {size} bytes and holds {more}", expected=size, actual=actual
            )
        return self._buffer[:size]
