"""The loop that measures codecs on a scene: bytes, CPU time, and whether every frame comes back exactly.

CPU time is the whole process's (`time.process_time`), read around the codec's own calls, so a codec that
hides work in a thread of its own pays for it. Codecs take turns in chunks of frames: noise of a shared host
then hits all of them, and each still works in long runs, on frames that have left the cache.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import process_time

import numpy as np
from codec import Codec, CodecFactory, Packet
from scenes import Frame, Scene

CHUNK_FRAMES = 16
"""133 MB at 1080p, well beyond any cache."""

MAX_DELAY_FRAMES = 16
"""How many frames an encoder may hold back before it returns the first one."""

_VISIBLE = np.frombuffer(b"\xff\xff\xff\x00", np.uint32)[0]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one codec needed for one scene."""

    codec: str
    version: str
    settings: str
    frames: int
    bytes: int
    encode_ms: float
    """Mean CPU time a frame; with repeats, of each frame's median."""
    decode_ms: float
    first_difference: int | None
    """The first frame that did not come back exactly; None if all did."""
    encode_each_ms: Sequence[float] = ()
    """CPU time of each frame, of which `encode_ms` is the mean; empty where only their sum is known."""
    bytes_by_part: Mapping[str, int] = field(default_factory=dict)
    """How `bytes` divide among the parts of the packets; empty for a codec that does not tell."""

    @property
    def encode_p99_ms(self) -> float:
        """The 99th percentile, between two frames where it falls there. Needs `encode_each_ms`."""
        return float(np.percentile(self.encode_each_ms, 99))


def same_picture(left: Frame, right: Frame) -> bool:
    """Whether B, G and R are equal everywhere."""
    return not ((left.view(np.uint32) ^ right.view(np.uint32)) & _VISIBLE).any()


@dataclass(slots=True)
class _Run:
    """One codec on its way through a scene."""

    codec: Codec
    verify: bool
    size: int = 0
    bytes_by_part: dict[str, int] = field(default_factory=dict)
    compared: int = 0
    first_difference: int | None = None
    encode_seconds: list[float] = field(default_factory=list)
    decode_seconds: list[float] = field(default_factory=list)
    _pending: deque[Frame] = field(default_factory=deque)

    def process(self, chunk: Sequence[Frame]) -> None:
        packets: list[Packet] = []
        for frame in chunk:
            prepared = self.codec.prepare(frame)
            start = process_time()
            packets += self.codec.encode(prepared)
            self.encode_seconds.append(process_time() - start)
            for part, size in self.codec.parts().items():
                self.bytes_by_part[part] = self.bytes_by_part.get(part, 0) + size
        self._pending.extend(chunk)
        self._decode(packets)
        if len(self._pending) > MAX_DELAY_FRAMES:
            raise RuntimeError(f"{self.codec.name} is {len(self._pending)} frames behind")

    def finish(self) -> None:
        start = process_time()
        packets = list(self.codec.finish())
        self.encode_seconds[-1] += process_time() - start
        self._decode(packets)
        start = process_time()
        pictures = self.codec.drain()
        self.decode_seconds[-1] += process_time() - start
        self._check(pictures)
        if self._pending and self.first_difference is None:
            self.first_difference = self.compared

    def _decode(self, packets: Sequence[Packet]) -> None:
        for packet in packets:
            self.size += memoryview(packet).nbytes
            start = process_time()
            pictures = self.codec.decode(packet)
            self.decode_seconds.append(process_time() - start)
            self._check(pictures)

    def _check(self, pictures: Sequence[object]) -> None:
        for picture in pictures:
            source = self._pending.popleft()
            unspoilt = self.verify and self.first_difference is None
            if unspoilt and not same_picture(self.codec.picture(picture), source):
                self.first_difference = self.compared
            self.compared += 1


def measure(
    codecs: Sequence[CodecFactory],
    scene: Scene,
    *,
    limit: int | None = None,
    repeat: int = 1,
    progress: Callable[[int, str], None] = lambda steps, codec: None,
) -> list[Measurement]:
    """Measure each codec on the scene's first `limit` frames, `repeat` times side by side.

    `progress` is called with the steps done so far, a frame of a codec each, and the codec that comes next.
    """
    groups = [[_Run(make(scene), verify=not turn) for turn in range(repeat)] for make in codecs]
    frames = steps = 0
    for chunk in scene.chunks(CHUNK_FRAMES, limit, keep=CHUNK_FRAMES + MAX_DELAY_FRAMES):
        for runs in groups:
            progress(steps, runs[0].codec.name)
            for run in runs:
                run.process(chunk)
            steps += len(chunk)
        frames += len(chunk)
    for runs in groups:
        for run in runs:
            run.finish()
    return [_summarise(runs, frames) for runs in groups]


def _summarise(runs: Sequence[_Run], frames: int) -> Measurement:
    first = runs[0]
    encode_each_ms = 1000 * np.median([run.encode_seconds for run in runs], axis=0)
    return Measurement(
        codec=first.codec.name,
        version=first.codec.version,
        settings=first.codec.settings,
        frames=frames,
        bytes=first.size,
        encode_ms=float(encode_each_ms.sum()) / frames,
        decode_ms=1000 * float(np.median([run.decode_seconds for run in runs], axis=0).sum()) / frames,
        first_difference=first.first_difference,
        encode_each_ms=encode_each_ms.tolist(),
        bytes_by_part=first.bytes_by_part,
    )
