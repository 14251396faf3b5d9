"""fastframe and its peers behind one small interface, so that one loop measures them all.

Every peer is lossless for B, G and R, runs on one thread, and gets its pixels in the layout that it likes
best: converting them is not counted, in the peer's favour. No keyframe follows the first one.
"""

from __future__ import annotations

import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import av
import numpy as np
import zstandard
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray
from scenes import Frame, Scene, copy_picture, plane

import fastframe as ff
from fastframe import _core

OURS = "fastframe"
"""How the names of this project's codecs begin."""

HEADERS = "headers"
"""The part of this project's packets that is no plane."""

Packet: TypeAlias = Any
"""What an encoder returns: `bytes`, or PyAV's packet, which is a buffer too."""


class PeerMissing(Exception):
    """A peer cannot run on this machine; the message says what to install."""


class Codec(ABC):
    """An encoder and its decoder.

    For each frame the loop calls `prepare`, `encode` and `parts`, then `decode` and `picture`; in the end `finish`
    and `drain`, for what the two sides have held back. `prepare`, `parts` and `picture` are not timed.
    """

    name: str
    version: str
    settings: str

    def prepare(self, frame: Frame) -> Any:
        """The frame as the encoder takes it. `frame` stays intact until several more have been prepared."""
        return frame

    @abstractmethod
    def encode(self, prepared: Any) -> Sequence[Packet]: ...

    def parts(self) -> Mapping[str, int]:
        """Bytes of the frame just encoded by the parts of its packet; empty for a codec that does not tell."""
        return {}

    def finish(self) -> Sequence[Packet]:
        return ()

    @abstractmethod
    def decode(self, packet: Packet) -> Sequence[Any]: ...

    def drain(self) -> Sequence[Any]:
        return ()

    def picture(self, decoded: Any) -> Frame:
        """The decoded frame as BGRX; its X says nothing."""
        frame: Frame = decoded
        return frame


class Fastframe(Codec):
    """This project, at one of its efforts."""

    def __init__(self, effort: str) -> None:
        self.version = ff.__version__
        self.name = f"{OURS} {effort}"
        self.settings = f'EncoderConfig(effort="{effort}"), kernels: {_core.isa()}'
        self._encoder = ff.Encoder(ff.EncoderConfig(effort=effort))
        self._decoder = ff.Decoder()

    def encode(self, prepared: Frame) -> Sequence[bytes]:
        return (self._encoder.encode(prepared),)

    def parts(self) -> Mapping[str, int]:
        stats = self._encoder.stats
        assert stats is not None
        headers = stats.packet_bytes - sum(stats.plane_bytes.values())
        return {HEADERS: headers} | {name: stats.plane_bytes[name] for name in _core.PLANES}

    def decode(self, packet: bytes) -> Sequence[Frame]:
        self._decoder.decode(packet)
        return (self._decoder.frame,)


class Video(Codec):
    """A video codec of ffmpeg's libraries, driven in this process through PyAV.

    In the process, because its CPU time can then be read around the calls alone. Feeding the same frames to
    the `ffmpeg` program costs another 12 ms a frame in pipes, which would have to be measured and taken off.
    """

    def __init__(self, scene: Scene, name: str, encoder: str, decoder: str, **options: str) -> None:
        self.name = name
        self.settings = " ".join(f"{key}={value}" for key, value in options.items())
        try:
            context: Any = av.CodecContext.create(encoder, "w")
        except av.codec.codec.UnknownCodecError:
            raise PeerMissing(f"this PyAV has no {encoder}: pip install av (its wheels have it)") from None
        context.width, context.height = scene.width, scene.height
        context.pix_fmt = "bgr0"
        context.framerate = Fraction(scene.frame_rate)
        context.time_base = 1 / context.framerate
        context.gop_size = 1 << 20
        context.thread_count = 1
        context.options = options
        self._encoder: VideoCodecContext = context
        self._decoder = open_decoder(decoder, scene)
        self._input = av.VideoFrame(scene.width, scene.height, "bgr0")
        self._output: Frame = np.empty((scene.height, scene.width, 4), np.uint8)
        self._frames = 0
        self.version = f"libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"

    def prepare(self, frame: Frame) -> av.VideoFrame:
        plane(self._input, 0, 4)[:] = frame.reshape(frame.shape[0], -1)
        self._input.pts = self._frames
        self._frames += 1
        return self._input

    def encode(self, prepared: av.VideoFrame) -> Sequence[Packet]:
        return self._encoder.encode(prepared)

    def finish(self) -> Sequence[Packet]:
        return self._encoder.encode(None)

    def decode(self, packet: Packet) -> Sequence[av.VideoFrame]:
        return self._decoder.decode(packet)

    def drain(self) -> Sequence[av.VideoFrame]:
        return self._decoder.decode(None)

    def picture(self, decoded: av.VideoFrame) -> Frame:
        copy_picture(decoded, self._output)
        return self._output


class X264(Video):
    """x264 in RGB with a quantiser of zero: the usual lossless choice of screen recorders."""

    def __init__(self, scene: Scene, preset: str) -> None:
        super().__init__(scene, f"x264rgb {preset}", "libx264rgb", "h264", preset=preset, qp="0")

    def decode(self, packet: Packet) -> Sequence[av.VideoFrame]:
        if signature := re.search(rb"x264 - core (\d+)", bytes(packet)[:1024]):
            self.version = f"x264 core {signature[1].decode()}"
        return super().decode(packet)


class XorZstd(Codec):
    """The whole frame XOR the one before, then zstd: what fits into ten lines of Python."""

    version = f"NumPy {np.__version__}, zstd {'.'.join(map(str, zstandard.ZSTD_VERSION))}"

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


@dataclass(frozen=True, slots=True)
class StillCodec:
    """A still-image or byte compressor for boxes, and the order of channels that it wants."""

    name: str
    version: str
    settings: str
    channels: tuple[int, ...]
    compress: Callable[[NDArray[np.uint8]], bytes]
    decompress: Callable[[bytes, tuple[int, ...]], NDArray[np.uint8]]


class ZstdStream:
    """One zstd stream for a whole scene, as VNC's ZRLE has one of zlib: what was on the screen before costs little."""

    LEVEL = 3
    WINDOW_LOG = 27
    """The largest window that zstd's decoders take unasked."""

    version = XorZstd.version
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
    version = ZstdStream.version
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


def open_decoder(name: str, scene: Scene) -> VideoCodecContext:
    decoder: Any = av.CodecContext.create(name, "r")
    decoder.width, decoder.height = scene.width, scene.height
    decoder.thread_count = 1
    context: VideoCodecContext = decoder
    return context


def _box_zstd(scene: Scene) -> Codec:
    compressor, decompressor = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()
    return ChangedBox(
        scene,
        StillCodec(
            name="zstd-1",
            version=XorZstd.version,
            settings="BGRX, each box compressed for itself",
            channels=(0, 1, 2, 3),
            compress=lambda pixels: compressor.compress(pixels.data),
            decompress=lambda data, shape: np.frombuffer(decompressor.decompress(data), np.uint8).reshape(shape),
        ),
    )


def _box_zstd_stream(scene: Scene) -> Codec:
    stream = ZstdStream()
    return ChangedBox(
        scene,
        StillCodec(
            name=f"zstd-{ZstdStream.LEVEL} stream",
            version=ZstdStream.version,
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


def _box_lz4(scene: Scene) -> Codec:
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


def _box_webp(scene: Scene) -> Codec:
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


def _box_jpegxl(scene: Scene) -> Codec:
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


CodecFactory: TypeAlias = Callable[[Scene], Codec]

EFFORTS: dict[str, CodecFactory] = {
    effort: lambda scene, effort=effort: Fastframe(effort)  # type: ignore[misc]
    for effort in ("fast", "balanced", "tight")
}

PEERS: dict[str, CodecFactory] = {
    "xor-zstd": lambda scene: XorZstd(scene, 3),
    "box-lz4": _box_lz4,
    "box-zstd": _box_zstd,
    "box-zstd-stream": _box_zstd_stream,
    "tiles-zstd-stream": ChangedTiles,
    "box-webp": _box_webp,
    "box-jxl": _box_jpegxl,
    "x264-ultrafast": lambda scene: X264(scene, "ultrafast"),
    "x264-medium": lambda scene: X264(scene, "medium"),
    "zmbv": lambda scene: Video(scene, "zmbv", "zmbv", "zmbv"),
}
"""Peers that run in this process; AV1 runs in a program of its own (see av1.py)."""
