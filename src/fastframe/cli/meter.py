"""The figures of a run: what was encoded and decoded, how fast, and how small."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
# What "raw" means in every ratio: a pixel has three bytes that matter.
RAW_BYTES_PER_PIXEL = 3


@dataclass(frozen=True, slots=True)
class Mismatch:
    """How a decoded picture differs from its source.

    Parameters
    ----------
    frame
        The number of the frame, counted from 0.
    x, y
        The first wrong pixel in reading order.
    pixels
        How many pixels are wrong.
    detail
        What was expected there and what came.
    """

    frame: int
    x: int
    y: int
    pixels: int
    detail: str

    def __str__(self) -> str:
        where = f"the first at ({self.x}, {self.y})"
        return f"frame {self.frame}: {self.pixels} wrong pixels, {where}: {self.detail}"


def find_mismatch(frame: int, source: Pixels, decoded: Pixels) -> Mismatch | None:
    """Compare a decoded picture with its source: the same colours everywhere, and X 255.

    Pictures of different sizes differ in every pixel.
    """
    if source.shape != decoded.shape:
        pixels = max(source.shape[0] * source.shape[1], decoded.shape[0] * decoded.shape[1])
        return Mismatch(frame, 0, 0, pixels, f"a picture of shape {decoded.shape} in place of {source.shape}")
    # Four bytes at once are four times faster than the three colours apart.
    opaque = np.frombuffer(b"\0\0\0\xff", np.uint32)
    expected = np.ascontiguousarray(source).view(np.uint32)[..., 0] | opaque
    actual = np.ascontiguousarray(decoded).view(np.uint32)[..., 0]
    if np.array_equal(expected, actual):
        return None
    wrong = expected != actual
    y, x = divmod(int(wrong.argmax()), wrong.shape[1])
    detail = f"BGRX {tuple(actual[y, x].tobytes())} in place of {tuple(expected[y, x].tobytes())}"
    return Mismatch(frame, x, y, int(wrong.sum()), detail)


def raw_size(pixels: Pixels) -> int:
    """Bytes of a picture without any compression."""
    height, width = pixels.shape[:2]
    return int(height * width * RAW_BYTES_PER_PIXEL)


@dataclass(slots=True)
class Meter:
    """Adds up the figures of frames as they come."""

    frames: int = 0
    keyframes: int = 0
    packet_bytes: int = 0
    raw_bytes: int = 0
    width: int = 0
    height: int = 0
    tiles: Counter[str] = field(default_factory=Counter)
    encode_seconds: list[float] = field(default_factory=list)
    decode_seconds: list[float] = field(default_factory=list)
    _first: float = 0.0
    _last: float = 0.0

    def add(
        self,
        source: Pixels,
        packet_bytes: int,
        *,
        keyframe: bool,
        tiles: Mapping[str, int],
        encode_seconds: float,
        decode_seconds: float,
    ) -> None:
        """Count one frame that has been encoded and decoded just now."""
        # The moment when work on the frame began, so that a slow first frame does not shorten the run.
        self._last = time.monotonic() - encode_seconds - decode_seconds
        if self.frames == 0:
            self._first = self._last
        self.frames += 1
        self.keyframes += keyframe
        self.packet_bytes += packet_bytes
        self.raw_bytes += raw_size(source)
        self.height, self.width = source.shape[:2]
        self.tiles.update(tiles)
        self.encode_seconds.append(encode_seconds)
        self.decode_seconds.append(decode_seconds)

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return self._last - self._first

    @property
    def fps(self) -> float:
        """Frames a second; 0 until there are two."""
        return (self.frames - 1) / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_frame(self) -> float:
        """The mean length of a packet."""
        return self.packet_bytes / self.frames if self.frames else 0.0

    @property
    def ratio(self) -> float:
        """How many times smaller the packets are than raw pictures of three bytes a pixel."""
        return self.raw_bytes / self.packet_bytes if self.packet_bytes else 0.0

    @property
    def mbit_per_second(self) -> float:
        """The mean bit rate in millions of bits a second."""
        return self.bytes_per_frame * 8 * self.fps / 1e6

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON."""
        return {
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "keyframes": self.keyframes,
            "seconds": round(self.seconds, 6),
            "fps": round(self.fps, 3),
            "encode_ms": milliseconds(self.encode_seconds),
            "decode_ms": milliseconds(self.decode_seconds),
            "bytes": self.packet_bytes,
            "bytes_per_frame": round(self.bytes_per_frame, 1),
            "raw_bytes": self.raw_bytes,
            "ratio": round(self.ratio, 3),
            "mbit_per_second": round(self.mbit_per_second, 6),
            "tiles": dict(self.tiles),
        }


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile and mean of durations, in milliseconds."""
    if not seconds:
        return {"p50": 0.0, "p99": 0.0, "mean": 0.0}
    values = np.array(seconds) * 1e3
    p50, p99 = np.percentile(values, (50, 99))
    return {"p50": round(float(p50), 4), "p99": round(float(p99), 4), "mean": round(float(values.mean()), 4)}
