"""Peers that give zstd the pixels as they are: whole frames, or one stream of what has changed in a scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import zstandard
from codec import Codec
from numpy.typing import NDArray
from scenes import Frame, Scene

ZSTD_VERSION = f"NumPy {np.__version__}, zstd {'.'.join(map(str, zstandard.ZSTD_VERSION))}"


class XorZstd(Codec):
    """The whole frame XOR the one before, then zstd: what fits into ten lines of Python."""

    version = ZSTD_VERSION

    def __init__(self, scene: Scene, level: int) -> None:
        self.name = f"numpy XOR + zstd-{level}"
        self.settings = "each frame compressed for itself"
        self._compressor = zstandard.ZstdCompressor(level=level)
        self._decompressor = zstandard.ZstdDecompressor()
        shape = (scene.height, scene.width, 4)
        self._previous: Frame = np.zeros(shape, np.uint8)
        self._difference: Frame = np.empty(shape, np.uint8)
        self._screen: Frame = np.zeros(shape, np.uint8)

    def encode(self, prepared: Frame) -> Sequence[bytes]:
        np.bitwise_xor(prepared, self._previous, out=self._difference)
        self._previous = prepared
        return (self._compressor.compress(self._difference.data),)

    def decode(self, packet: bytes) -> Sequence[Frame]:
        difference = np.frombuffer(self._decompressor.decompress(packet), np.uint8)
        self._screen ^= difference.reshape(self._screen.shape)
        return (self._screen,)


class ZstdStream:
    """One zstd stream for a whole scene, as VNC's ZRLE has one of zlib: what was on the screen before costs little."""

    LEVEL = 3
    WINDOW_LOG = 27
    """The largest window that zstd's decoders take unasked."""

    version = ZSTD_VERSION
    settings = f"BGRX, one stream for all frames, window of 2^{WINDOW_LOG}"

    def __init__(self) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(self.LEVEL, window_log=self.WINDOW_LOG)
        self._compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=1 << self.WINDOW_LOG).decompressobj()

    def compress(self, data: bytes | memoryview) -> bytes:
        return self._compressor.compress(data) + self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def decompress(self, data: bytes) -> bytes:
        return self._decompressor.decompress(data)


class ChangedTiles(Codec):
    """The tiles that have changed, in one zstd stream: VNC's way, without its palettes."""

    name = f"changed tiles + zstd-{ZstdStream.LEVEL} stream"
    version = ZSTD_VERSION
    settings = ZstdStream.settings
    _SIZE = 64
    """As in ZRLE."""

    def __init__(self, scene: Scene) -> None:
        self._stream = ZstdStream()
        self._previous: Frame | None = None
        self._screen: Frame = np.zeros((scene.height, scene.width, 4), np.uint8)
        self._tops = range(0, scene.height, self._SIZE)
        self._lefts = range(0, scene.width, self._SIZE)

    def encode(self, prepared: Frame) -> Sequence[bytes]:
        changed = self._find_changed(prepared)
        self._previous = prepared
        pixels = b"".join(prepared[tile].tobytes() for tile in self._tiles(changed))
        return (np.packbits(changed).tobytes() + self._stream.compress(pixels),)

    def decode(self, packet: bytes) -> Sequence[Frame]:
        shape = len(self._tops), len(self._lefts)
        mask_bytes = -(-shape[0] * shape[1] // 8)
        mask = np.frombuffer(packet, np.uint8, mask_bytes)
        changed = np.unpackbits(mask, count=shape[0] * shape[1]).reshape(shape).astype(bool)
        pixels = np.frombuffer(self._stream.decompress(packet[mask_bytes:]), np.uint8)
        offset = 0
        for tile in self._tiles(changed):
            target = self._screen[tile]
            target[:] = pixels[offset : offset + target.size].reshape(target.shape)
            offset += target.size
        return (self._screen,)

    def _find_changed(self, frame: Frame) -> NDArray[np.bool_]:
        """Which tiles have changed, (rows, columns)."""
        if self._previous is None:
            return np.ones((len(self._tops), len(self._lefts)), np.bool_)
        different = frame.view(np.uint32)[..., 0] != self._previous.view(np.uint32)[..., 0]
        by_row = np.stack([different[top : top + self._SIZE].any(axis=0) for top in self._tops])
        found: NDArray[np.bool_] = np.logical_or.reduceat(by_row, self._lefts, axis=1)
        return found

    def _tiles(self, changed: NDArray[np.bool_]) -> Iterator[tuple[slice, slice]]:
        for row, column in np.argwhere(changed).tolist():
            top, left = self._tops[row], self._lefts[column]
            yield slice(top, top + self._SIZE), slice(left, left + self._SIZE)
