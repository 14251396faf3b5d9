"""AV1 in RGB with `lossless=1`, through the `ffmpeg` program: PyAV's wheels have no encoder that can do it.

Realtime settings, since only they come near the time that a live screen leaves. With libaom 3.6 they are not
quite lossless: a few pixels a frame come back wrong, by libaom's decoder and dav1d. `-usage good` was exact
on the ten frames tried and took about ten times as long. The comparison says of every scene whether it was.

Its CPU time is the program's, user and system, less what the same program needs to take the same frames from
the pipe and throw them away.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import process_time

import av
import numpy as np
from codec import PeerMissing
from measure import Measurement, same_picture
from scenes import Frame, Scene, copy_picture

NAME = "AV1 lossless=1, realtime 8"
ENCODER = [
    *("-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-g", "1048576"),
    *("-aom-params", "lossless=1:tune-content=screen"),
]
_FROM_BGRX = (1, 0, 2)
"""Planes of ffmpeg's gbrp: G, B, R."""


def check_available() -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        raise PeerMissing("apt-get install ffmpeg")
    command = [program, "-hide_banner", "-encoders"]
    if b"libaom-av1" not in subprocess.run(command, capture_output=True, check=True).stdout:
        raise PeerMissing("an ffmpeg with libaom-av1 (Debian's and Ubuntu's have it)")


def measure_av1(scene: Scene, limit: int | None = None) -> Measurement:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.ivf"
        encode_seconds, log = _feed(scene, limit, [*ENCODER, "-threads", "1", "-f", "ivf", str(path)])
        pipe_seconds, _ = _feed(scene, limit, ["-f", "null", "-"])
        size, frames, decode_seconds, first_difference = _decode(path, scene, limit)
    version = re.search(r"libaom-av1 @ [^]]*\] v(\S+)", log)
    return Measurement(
        codec=NAME,
        version=f"libaom {version[1]}" if version else "libaom",
        settings=" ".join(ENCODER[2:]),
        frames=frames,
        bytes=size,
        encode_ms=1000 * (encode_seconds - pipe_seconds) / frames,
        decode_ms=1000 * decode_seconds / frames,
        first_difference=first_difference,
    )


def _feed(scene: Scene, limit: int | None, output: list[str]) -> tuple[float, str]:
    """Pipe the scene into ffmpeg; the CPU seconds it took, and what it had to say."""
    command = [
        *("ffmpeg", "-nostdin", "-v", "verbose", "-y", "-f", "rawvideo", "-pix_fmt", "gbrp"),
        *("-s", f"{scene.width}x{scene.height}", "-r", str(scene.frame_rate), "-i", "pipe:0"),
        *output,
    ]
    planes = np.empty((3, scene.height, scene.width), np.uint8)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile("w+") as log:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log) as ffmpeg:
            assert ffmpeg.stdin is not None
            for frame in scene.frames(limit):
                for target, channel in enumerate(_FROM_BGRX):
                    planes[target] = frame[..., channel]
                ffmpeg.stdin.write(planes.data)
        log.seek(0)
        messages = log.read()
    if ffmpeg.returncode:
        raise RuntimeError(f"ffmpeg failed: {messages[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, messages


def _decode(path: Path, scene: Scene, limit: int | None) -> tuple[int, int, float, int | None]:
    """Bytes and frames of the file, CPU seconds to decode it, and the first frame that is not exact."""
    size, frames, seconds = 0, 0, 0.0
    first_difference: int | None = None
    picture: Frame = np.empty((scene.height, scene.width, 4), np.uint8)
    sources = scene.frames(limit)
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            size += packet.size
            start = process_time()
            decoded = stream.codec_context.decode(packet if packet.size else None)
            seconds += process_time() - start
            for image in decoded:
                copy_picture(image, picture)
                if first_difference is None and not same_picture(picture, next(sources)):
                    first_difference = frames
                frames += 1
    if first_difference is None and next(sources, None) is not None:
        first_difference = frames
    return size, frames, seconds, first_difference
