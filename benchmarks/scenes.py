"""Recorded screens as BGRX frames, for the benchmarks and the comparison with peers.

A scene is a lossless RGB video that PyAV opens. Frames are decoded one after the other into a small ring of
buffers, because an 8 MB frame costs more to allocate (page faults) than most codecs need to encode it, and a
scene of hundreds of frames does not fit everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

Frame: TypeAlias = NDArray[np.uint8]
"""(height, width, 4) uint8, BGRX, X = 255."""

FIXTURES = Path(__file__).parent / "fixtures"
BUNDLED_VIDEO = "video_window"
VIDEO_SUFFIXES = frozenset({".mkv", ".mp4", ".avi", ".mov", ".webm"})


@dataclass(frozen=True, slots=True)
class Scene:
    """One recorded screen: where it is, what it measures, and what tables call it."""

    path: Path
    width: int
    height: int
    frame_rate: int
    name: str
    length: int | None = None
    """How many of its frames there are to be measured; None: all."""
    is_video: bool = False
    """Whether a film plays in it, as told by `mark_videos`: the worst case for lossless coding."""

    @property
    def frame_bytes(self) -> int:
        return self.width * self.height * 4

    def frames(self, limit: int | None = None, *, keep: int = 2) -> Iterator[Frame]:
        """Decode the scene. A frame stays intact until `keep` further frames have been drawn.

        Decoding uses one thread, so that no thread works in the background while a codec is measured.
        """
        ring = np.full((keep + 1, self.height, self.width, 4), 255, np.uint8)
        with av.open(self.path) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            # No further, since what comes next may be damaged.
            pictures = islice(container.decode(stream), self.count_frames(limit))
            for index, picture in enumerate(pictures):
                frame = ring[index % len(ring)]
                copy_picture(picture, frame)
                yield frame

    def count_frames(self, limit: int | None = None) -> int:
        """How many frames there are, at most `limit`; decodes nothing."""
        frames = self.length
        if frames is None:
            with av.open(self.path) as container:
                frames = sum(1 for packet in container.demux(video=0) if packet.size)
        return frames if limit is None else min(frames, limit)

    def load(self, limit: int | None = None) -> list[Frame]:
        """The first `limit` frames, each in memory of its own."""
        return [frame.copy() for frame in self.frames(limit)]

    def chunks(self, size: int, limit: int | None = None, *, keep: int = 0) -> Iterator[list[Frame]]:
        """Frames in lists of `size`. A list stays intact until `keep` frames of the next are drawn."""
        chunk: list[Frame] = []
        for frame in self.frames(limit, keep=size + keep):
            chunk.append(frame)
            if len(chunk) == size:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


def plane(picture: av.VideoFrame, index: int, bytes_per_pixel: int = 1) -> NDArray[np.uint8]:
    """A plane's visible bytes, (height, width * bytes_per_pixel), as a view into the picture."""
    source: Any = picture.planes[index]
    rows: NDArray[np.uint8] = np.frombuffer(source, np.uint8).reshape(-1, source.line_size)
    return rows[: picture.height, : picture.width * bytes_per_pixel]


def copy_picture(picture: av.VideoFrame, out: Frame) -> None:
    """Write a picture's B, G and R into `out`, whose X is left alone."""
    if picture.format.name == "gbrp":
        for channel, index in ((0, 1), (1, 0), (2, 2)):
            out[..., channel] = plane(picture, index)
        return
    if picture.format.name not in ("bgr0", "bgra"):
        picture = picture.reformat(format="bgra")
    out[..., :3] = plane(picture, 0, 4).reshape(out.shape)[..., :3]


def open_scene(path: Path) -> Scene:
    """Raises ValueError for a file that cannot be read, or has no pictures."""
    try:
        with av.open(path) as container:
            if not container.streams.video or next(container.decode(video=0), None) is None:
                raise ValueError(f"no pictures in {path}")
            stream: Any = container.streams.video[0]
            # At least one: a recording of a few pictures a minute has a rate, too.
            return Scene(path, stream.width, stream.height, max(1, round(stream.average_rate or 15)), path.stem)
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error


def find_scenes(arguments: Sequence[str | Path] = ()) -> list[Scene]:
    """Scenes named by files and folders, each once; the bundled fixtures when there is none.

    Raises OSError or ValueError for what is missing or no video.
    """
    paths: list[Path] = []
    for path in map(Path, arguments or [FIXTURES]):
        if path.is_dir():
            paths += sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
        elif path.is_file():
            paths.append(path)
        else:
            raise FileNotFoundError(f"no such scene: {path}")
    if not paths:
        raise FileNotFoundError(f"no videos in {', '.join(map(str, arguments or [FIXTURES]))}")
    by_file = {path.resolve(): path for path in paths}
    names = distinct_names(list(by_file))
    return [replace(open_scene(path), name=name) for path, name in zip(by_file.values(), names, strict=True)]


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """The stems of files; where some share one, their names, and with as many folders before them as it takes."""
    names = [path.stem for path in paths]
    parts = 0
    while len(set(names)) < len(names):
        parts += 1
        seen = Counter(names)
        for index, path in enumerate(paths):
            if seen[names[index]] > 1:
                names[index] = str(Path(*path.parts[-parts:]))
    return names


def mark_videos(scenes: Sequence[Scene], names: Sequence[str]) -> list[Scene]:
    """The same scenes, those with `is_video` that are called so, be it by the stem of their file.

    Raises ValueError for a name that no scene has.
    """
    if unknown := set(names).difference(*((scene.name, scene.path.stem) for scene in scenes)):
        known = ", ".join(scene.name for scene in scenes)
        raise ValueError(f"no such scene: {', '.join(sorted(unknown))}; there are {known}")
    return [replace(scene, is_video=not {scene.name, scene.path.stem}.isdisjoint(names)) for scene in scenes]
