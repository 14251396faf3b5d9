"""Planes as zstd streams: one for each plane, which lives as long as the epoch, so that repeats are found again.

Those of residuals are written by the core, which looks for repeats only where they save bits: in photos they hardly do.
The modelled plane is none: its bytes come from a range coder, and nothing is left in them for zstd.

Every packet ends each of its streams at a flushed block, and a decoder reads exactly the bytes that the packet
declares: a bomb that would decompress to more is noticed after one byte too many.
"""

from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

import numpy as np
import zstandard

from fastframe._core import PLANES
from fastframe._residuals import ResidualCompressor
from fastframe.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class Compression:
    """How zstd works on one kind of plane.

    Parameters
    ----------
    level
        zstd's level, which settles what nothing else does.
    window_log
        Base-2 logarithm of how far back matches reach.
    table_log
        Base-2 logarithm of the entries of zstd's tables, at most.
    strategy, min_match, search_log
        Instead of the level's.
    """

    level: int
    window_log: int
    table_log: int
    strategy: int | None = None
    min_match: int | None = None
    search_log: int | None = None

    def parameters(self, max_window_log: int) -> zstandard.ZstdCompressionParameters:
        window_log = min(self.window_log, max_window_log)
        chosen = {"strategy": self.strategy, "min_match": self.min_match, "search_log": self.search_log}
        # The size tells zstd how large to make its tables: without it each plane would take those of the largest.
        usual = zstandard.ZstdCompressionParameters.from_level(self.level, source_size=1 << window_log)
        return zstandard.ZstdCompressionParameters.from_level(
            self.level,
            source_size=1 << window_log,
            window_log=window_log,
            hash_log=min(usual.hash_log, self.table_log),
            chain_log=min(usual.chain_log, self.table_log),
            **{name: value for name, value in chosen.items() if value is not None},
        )


@dataclass(frozen=True, slots=True)
class Effort:
    """The compression of each kind of plane."""

    # Indices and XOR: repeats are real and worth a search.
    drawing: Compression
    # Colours: up to some 60 kilobytes a frame, four bytes each.
    colours: Compression
    # Operations, boxes, vectors and cache slots: a few kilobytes a frame, in records of one to four bytes.
    records: Compression
    # Whether the pixel model draws instead of photos, XOR and most palettes: zstd has little but the records then.
    modelled: bool = False


# Matches of four bytes are one colour, or one box. The optimal parser would save 0.4 to 1.2 % of the bytes of a scene,
# for 3 to 10 % of the time of frames with much change.
COLOURS = Compression(5, 19, 17, strategy=zstandard.STRATEGY_LAZY, min_match=4)
RECORDS = Compression(5, 18, 15, strategy=zstandard.STRATEGY_LAZY2, min_match=4)
# The best search there is.
THOROUGH = Compression(13, 18, 15, strategy=zstandard.STRATEGY_BTOPT, min_match=3)
# The best of 32 candidates at each place: a fifth less time than level 6, which looks at 8 but then also at the next
# place for a better one, for 0.5 to 4 % more bytes of indices. Larger tables gain 0.1 % of the bytes, for 85 MiB at
# level 12. What the tables tell of hardly lies more than 2^21 bytes back.
INDICES = Compression(5, 21, 17, search_log=5)
EFFORTS = {
    "fast": Effort(Compression(1, 20, 17), COLOURS, RECORDS),
    "balanced": Effort(INDICES, COLOURS, RECORDS),
    "tight": Effort(INDICES, COLOURS, THOROUGH, modelled=True),
}

PHOTO_PLANES = frozenset(PLANES.index(name) for name in ("green", "blue", "red"))
DRAWING_PLANES = frozenset(PLANES.index(name) for name in ("indices", "xor"))
COLOUR_PLANE = PLANES.index("colours")
MODELLED_PLANE = PLANES.index("modelled")
STREAMED_PLANES = tuple(number for number in range(len(PLANES)) if number != MODELLED_PLANE)
# What is left to zstd where the pixel model draws; only dithered pictures have indices and colours as well.
RECORD_PLANES = tuple(PLANES.index(name) for name in ("operations", "boxes", "vectors", "cache"))


def _check_memory(error: zstandard.ZstdError) -> None:
    """Tells running out of memory, which zstd reports as any other error, from the rest."""
    if "Allocation error" in str(error):
        raise MemoryError(f"no memory for zstd: {error}") from error


class PlaneCompressor(Protocol):
    """One plane's streams on the encoder's side, one after the other."""

    def restart(self) -> None:
        """Begins the stream of another epoch."""

    def feed(self, data: memoryview, /) -> bytes:
        """Takes bytes and returns what is compressed of them already; how they are cut makes no difference."""

    def flush(self) -> bytes:
        """Compresses what is left up to a block boundary, so that the decoder gets all of it."""


class ZstdCompressor:
    """The streams of a plane that is worth a search.

    They share zstd's tables: to allocate and clear these takes longer than many a frame. What zstd finds in a stream
    does not hang on the streams before it.
    """

    def __init__(self, compression: Compression, max_window_log: int) -> None:
        # A compressor serves one stream at a time, hence one for each plane.
        self._compressor = zstandard.ZstdCompressor(compression_params=compression.parameters(max_window_log))
        self.restart()

    def restart(self) -> None:
        self._stream = self._compressor.compressobj()

    def feed(self, data: memoryview, /) -> bytes:
        try:
            return self._stream.compress(data)
        except zstandard.ZstdError as error:
            _check_memory(error)
            raise

    def flush(self) -> bytes:
        try:
            return self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        except zstandard.ZstdError as error:
            _check_memory(error)
            raise


def make_compressor(number: int, effort: Effort, max_window_log: int) -> PlaneCompressor:
    """What compresses the plane of that number."""
    if number in PHOTO_PLANES:
        return ResidualCompressor(max_window_log)
    if number in DRAWING_PLANES:
        return ZstdCompressor(effort.drawing, max_window_log)
    return ZstdCompressor(effort.colours if number == COLOUR_PLANE else effort.records, max_window_log)


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
        self._buffer: memoryview = np.zeros(1 << 12, np.uint8).data

    def decompress(self, data: bytes | memoryview, size: int) -> memoryview:
        """Decompresses one packet's part, which must give exactly `size` bytes.

        Returns a view of them that is valid until the next call. The caller has checked `size` against its limits.
        """
        if len(self._buffer) <= size:
            self._buffer = np.zeros(size + 1, np.uint8).data
        self._chunk.data = data
        try:
            # Room for one byte more than declared tells a longer stream apart. readinto1 reads the source once, so all
            # of the part is consumed when it returns less than it has room for.
            actual: int = self._reader.readinto1(self._buffer[: size + 1])
        except zstandard.ZstdError as error:
            _check_memory(error)
            raise RemoteProtocolError(f"plane {self._name!r} is no valid zstd stream: {error}") from error
        if actual != size:
            more = "more" if actual > size else str(actual)
            raise RemoteProtocolError(
                f"plane {self._name!r} declares {size} bytes and holds {more}", expected=size, actual=actual
            )
        return self._buffer[:size]
