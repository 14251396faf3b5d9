"""Peers that find the box around all change, and give it to a compressor of bytes or of still images."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from codec import Codec, PeerMissing
from numpy.typing import NDArray
from scenes import Frame, Scene
from zstd_peers import ZSTD_VERSION, ZstdStream


@dataclass(frozen=True, slots=True)
class StillCodec:
    """A still-image or byte compressor for boxes, and the order of channels that it wants."""

    name: str
    version: str
    settings: str
    channels: tuple[int, ...]
    compress: Callable[[NDArray[np.uint8]], bytes]
    decompress: Callable[[bytes, tuple[int, ...]], NDArray[np.uint8]]


class ChangedBox(Codec):
    """The rectangle around all change, coded as a picture of its own: xpra's lossless path."""

    _HEADER = struct.Struct("<4H")

    def __init__(self, scene: Scene, still: StillCodec) -> None:
        self.name = f"changed box + {still.name}"
        self.version = still.version
        self.settings = still.settings
        self._still = still
        self._previous: Frame | None = None
        self._screen: Frame = np.zeros((scene.height, scene.width, 4), np.uint8)
        self._pixels = np.empty((scene.height, scene.width, len(still.channels)), np.uint8)

    def prepare(self, frame: Frame) -> Frame:
        for target, channel in enumerate(self._still.channels):
            self._pixels[..., target] = frame[..., channel]
        return frame

    def encode(self, prepared: Frame) -> Sequence[bytes]:
        box = self._find_box(prepared)
        self._previous = prepared
        x, y, width, height = box
        if not width:
            return (self._HEADER.pack(*box),)
        pixels = np.ascontiguousarray(self._pixels[y : y + height, x : x + width])
        return (self._HEADER.pack(*box) + self._still.compress(pixels),)

    def decode(self, packet: bytes) -> Sequence[Frame]:
        x, y, width, height = self._HEADER.unpack_from(packet)
        if width:
            shape = (height, width, len(self._still.channels))
            pixels = self._still.decompress(packet[self._HEADER.size :], shape)
            region = self._screen[y : y + height, x : x + width]
            if self._still.channels == (0, 1, 2, 3):
                region[:] = pixels
            else:
                for source, channel in zip(range(3), self._still.channels, strict=False):
                    region[..., channel] = pixels[..., source]
        return (self._screen,)

    def _find_box(self, frame: Frame) -> tuple[int, int, int, int]:
        if self._previous is None:
            return 0, 0, frame.shape[1], frame.shape[0]
        changed = frame.view(np.uint32)[..., 0] != self._previous.view(np.uint32)[..., 0]
        rows = np.flatnonzero(changed.any(axis=1))
        if not rows.size:
            return 0, 0, 0, 0
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        columns = np.flatnonzero(changed[top:bottom].any(axis=0))
        left, right = int(columns[0]), int(columns[-1]) + 1
        return left, top, right - left, bottom - top


def box_zstd(scene: Scene) -> Codec:
    compressor, decompressor = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()
    return ChangedBox(
        scene,
        StillCodec(
            name="zstd-1",
            version=ZSTD_VERSION,
            settings="BGRX, each box compressed for itself",
            channels=(0, 1, 2, 3),
            compress=lambda pixels: compressor.compress(pixels.data),
            decompress=lambda data, shape: np.frombuffer(decompressor.decompress(data), np.uint8).reshape(shape),
        ),
    )


def box_zstd_stream(scene: Scene) -> Codec:
    stream = ZstdStream()
    return ChangedBox(
        scene,
        StillCodec(
            name=f"zstd-{ZstdStream.LEVEL} stream",
            version=ZSTD_VERSION,
            settings=ZstdStream.settings,
            channels=(0, 1, 2, 3),
            compress=lambda pixels: stream.compress(pixels.data),
            decompress=lambda data, shape: np.frombuffer(stream.decompress(data), np.uint8).reshape(shape),
        ),
    )


def _imagecodecs() -> Any:
    try:
        import imagecodecs
    except ImportError:
        raise PeerMissing("pip install imagecodecs") from None
    return imagecodecs


def box_lz4(scene: Scene) -> Codec:
    codecs = _imagecodecs()
    return ChangedBox(
        scene,
        StillCodec(
            name="lz4",
            version=codecs.lz4_version(),
            settings="BGRX, default acceleration",
            channels=(0, 1, 2, 3),
            compress=lambda pixels: codecs.lz4_encode(pixels, header=True),
            decompress=lambda data, shape: np.frombuffer(codecs.lz4_decode(data, header=True), np.uint8).reshape(shape),
        ),
    )


def box_webp(scene: Scene) -> Codec:
    codecs = _imagecodecs()
    return ChangedBox(
        scene,
        StillCodec(
            name="WebP lossless",
            version=codecs.webp_version(),
            settings="method 0, level 0",
            channels=(2, 1, 0, 3),
            compress=lambda pixels: codecs.webp_encode(pixels, level=0, method=0, lossless=True, numthreads=1),
            decompress=lambda data, shape: codecs.webp_decode(data),
        ),
    )


def box_jpegxl(scene: Scene) -> Codec:
    codecs = _imagecodecs()
    return ChangedBox(
        scene,
        StillCodec(
            name="JPEG XL e1",
            version=codecs.jpegxl_version(),
            settings="effort 1, lossless",
            channels=(2, 1, 0),
            compress=lambda pixels: codecs.jpegxl_encode(pixels, effort=1, lossless=True, numthreads=1),
            decompress=lambda data, shape: codecs.jpegxl_decode(data, numthreads=1),
        ),
    )
