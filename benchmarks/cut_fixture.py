"""Cuts a short lossless clip out of a longer recording, and proves that it is lossless.

    python benchmarks/cut_fixture.py scene.mkv benchmarks/fixtures/scene.mkv --start 240 --frames 60

The clip is H.264 in RGB with a quantiser of zero and a single keyframe: small, exact, and readable by
everything that has FFmpeg. After writing it is decoded again and every frame compared with its source.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from lineup import INTERRUPTED, natural, positive
from numpy.typing import NDArray
from outputs import output_path


def frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a video as (H, W, 3) RGB arrays; ValueError where one cannot be read."""
    found = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"no pictures in {path}")
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                found += 1
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be read beyond {found} frames: {error.strerror}") from error


def write(path: Path, clip: list[NDArray[np.uint8]], rate: int) -> None:
    """Write `clip` as libx264rgb -qp 0: the first frame is the only keyframe."""
    height, width, _ = clip[0].shape
    with av.open(str(path), "w") as container:
        options = {"qp": "0", "preset": "veryslow", "x264-params": "keyint=infinite:scenecut=0"}
        stream = container.add_stream("libx264rgb", rate=rate, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        for pixels in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def cut(source: Path, clip: Path, start: int, count: int, rate: int) -> str:
    """Write the clip and compare it; what came of it, in a line. After an error nothing has been written.

    Raises OSError or ValueError, PyAV's among them: for a source that cannot be read or has no such frames, and for a
    clip that cannot be written or differs.
    """
    wanted = list(islice(frames(source), start, start + count))
    if len(wanted) != count:
        raise ValueError(f"{source} ends {count - len(wanted)} frames short of that range")
    if clip.exists() and clip.samefile(source):
        raise ValueError(f"{clip} is the recording itself")
    unproven = clip.with_name(f"unproven-{clip.name}")
    try:
        write(unproven, wanted, rate)
        got = list(frames(unproven))
        if len(got) != len(wanted) or not all(map(np.array_equal, got, wanted)):
            raise ValueError(f"{clip} did not come out lossless")
        unproven.replace(clip)
    finally:
        unproven.unlink(missing_ok=True)
    changed = sum(not np.array_equal(a, b) for a, b in pairwise(wanted))
    return f"{clip}: {len(got)} frames exact, {changed} change, {clip.stat().st_size / 1e6:.2f} MB"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Cut a lossless clip out of a recording and verify it.")
    parser.add_argument("source", type=Path)
    parser.add_argument("clip", type=output_path)
    parser.add_argument("--start", type=natural, default=0, help="first frame, counted from 0")
    parser.add_argument("--frames", type=positive, default=60, help="how many frames")
    parser.add_argument("--rate", type=positive, default=15, help="frames a second of the clip")
    options = parser.parse_args(arguments)
    try:
        print(cut(options.source, options.clip, options.start, options.frames, options.rate))
    except KeyboardInterrupt:
        parser.exit(INTERRUPTED, "interrupted: nothing has been written\n")
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
