"""Cuts a short lossless clip out of a longer recording, and proves that it is lossless.

    python benchmarks/cut_fixture.py scene.mkv benchmarks/fixtures/scene.mkv --start 240 --frames 60

The clip is H.264 in RGB with a quantiser of zero and a single keyframe: small, exact, and readable by
everything that has FFmpeg. After writing it is decoded again and every frame compared with its source.
"""

import argparse
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray


def frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a video as (H, W, 3) RGB arrays."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


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


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut a lossless clip out of a recording and verify it.")
    parser.add_argument("source", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--start", type=int, default=0, help="first frame, counted from 0")
    parser.add_argument("--frames", type=int, default=60, help="how many frames")
    parser.add_argument("--rate", type=int, default=15, help="frames a second of the clip")
    args = parser.parse_args()

    wanted = list(islice(frames(args.source), args.start, args.start + args.frames))
    if len(wanted) != args.frames:
        parser.error(f"{args.source} ends {args.frames - len(wanted)} frames short of that range")
    write(args.clip, wanted, args.rate)

    got = list(frames(args.clip))
    if len(got) != len(wanted) or not all(map(np.array_equal, got, wanted)):
        args.clip.unlink()
        parser.error(f"{args.clip} did not come out lossless and was removed")
    changed = sum(not np.array_equal(a, b) for a, b in pairwise(wanted))
    print(f"{args.clip}: {len(got)} frames exact, {changed} change, {args.clip.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
