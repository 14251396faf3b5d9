"""Lossless videos and pictures: every pixel comes back, and what cannot be kept is refused."""

import os
import resource
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from fastframe import fixtures
from fastframe.capture import ReplaySource, VideoWriter, frames, png_bytes
from fastframe.errors import LocalProtocolError, RecordingError

Pixels = npt.NDArray[np.uint8]


def noise(width: int, height: int, frames: int = 3) -> list[Pixels]:
    """Random pictures whose rows do not lie next to each other, and whose X is random too."""
    random = np.random.default_rng(7)
    return [random.integers(0, 256, (height, width + 5, 4), np.uint8)[:, 5:] for _ in range(frames)]


def write(path: Path, frames: list[Pixels], step: int = 100_000, codec: str | None = None) -> None:
    height, width = frames[0].shape[:2]
    with VideoWriter(path, (width, height), 10, codec=codec) as writer:
        for index, pixels in enumerate(frames):
            writer.write(pixels, index * step)


def read(path: Path) -> list[tuple[int, Pixels]]:
    with ReplaySource(path) as source:
        return [(frame.timestamp, frame.pixels) for frame in frames(source)]


def assert_same_colors(actual: Pixels, expected: Pixels) -> None:
    np.testing.assert_array_equal(actual[..., :3], expected[..., :3])
    assert (actual[..., 3] == 255).all()


@pytest.mark.parametrize("codec", ["libx264rgb", "ffv1", None])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 1), (333, 251)])
def test_a_video_keeps_every_pixel(tmp_path: Path, codec: str | None, size: tuple[int, int]) -> None:
    frames = noise(*size)
    write(tmp_path / "video.mkv", frames, codec=codec)
    replayed = read(tmp_path / "video.mkv")
    assert [timestamp for timestamp, _ in replayed] == [0, 100_000, 200_000]
    for (_, actual), expected in zip(replayed, frames, strict=True):
        assert_same_colors(actual, expected)


def test_frames_of_one_millisecond_all_stay(tmp_path: Path) -> None:
    frames = noise(8, 8, 5)
    write(tmp_path / "video.mkv", frames, step=10)
    replayed = read(tmp_path / "video.mkv")
    assert [timestamp for timestamp, _ in replayed] == [0, 1000, 2000, 3000, 4000]
    assert_same_colors(replayed[-1][1], frames[-1])


def test_a_bundled_clip_replays_as_stored(tmp_path: Path) -> None:
    path = fixtures.path(fixtures.names()[0])
    with ReplaySource(path) as source, av.open(path) as container:
        for frame, stored in islice(zip(frames(source), container.decode(video=0), strict=True), 10):
            np.testing.assert_array_equal(frame.pixels[..., 2::-1], stored.to_ndarray(format="rgb24"))


def test_a_picture_keeps_every_pixel(tmp_path: Path) -> None:
    (pixels,) = noise(31, 17, 1)
    (tmp_path / "picture.png").write_bytes(png_bytes(pixels))
    with av.open(tmp_path / "picture.png") as container:
        (frame,) = container.decode(video=0)
    np.testing.assert_array_equal(frame.to_ndarray(format="rgb24"), pixels[..., 2::-1])


def test_a_new_size_is_refused_with_advice_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "video.mkv"
    path.write_bytes(b"earlier")
    with pytest.raises(RecordingError, match="begin a new video, or write pictures") as refusal:
        write(path, [*noise(8, 8), *noise(8, 9)])
    assert (refusal.value.expected, refusal.value.actual) == ((8, 8), (8, 9))
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("pixels", [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 4), np.uint16), None, 1, b"x", []])
def test_what_is_no_frame_is_refused(tmp_path: Path, pixels: Any) -> None:
    with pytest.raises(LocalProtocolError, match="a frame must be"):
        png_bytes(pixels)
    with VideoWriter(tmp_path / "video.mkv", (8, 8)) as writer:
        writer.write(noise(8, 8)[0], 0)
        with pytest.raises(LocalProtocolError, match="must be"):
            writer.write(pixels, 0)
    assert len(read(tmp_path / "video.mkv")) == 1


def test_a_video_may_be_closed_again_but_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "video.mkv"
    frames = noise(8, 8)
    with VideoWriter(path, (8, 8)) as writer:
        writer.write(frames[0], 0)
        writer.close()
    with pytest.raises(RecordingError, match=f"cannot write {path}: it is complete"):
        writer.write(frames[1], 1000)
    writer.discard()
    assert len(read(path)) == 1


def test_a_video_that_was_discarded_is_neither_completed_nor_written_to(tmp_path: Path) -> None:
    path = tmp_path / "video.mkv"
    writer = VideoWriter(path, (8, 8))
    writer.discard()
    for go_on in (lambda: writer.write(noise(8, 8)[0], 0), writer.close):
        with pytest.raises(RecordingError, match=f"cannot write {path}: it was discarded"):
            go_on()
    writer.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(0, 8), (100_000, 8)])
def test_a_size_that_no_video_has_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(RecordingError, match="cannot be made"):
        VideoWriter(tmp_path / "video.mkv", size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ({"size": None}, "a size must be two integers"),
        ({"size": (8,)}, "a size must be two integers"),
        ({"size": "88"}, "a size must be two integers"),
        ({"fps": 0}, "fps must be a positive number"),
        ({"fps": -1}, "fps must be a positive number"),
        ({"fps": float("nan")}, "fps must be a positive number"),
        ({"fps": float("inf")}, "fps must be a positive number"),
        ({"fps": None}, "fps must be a positive number"),
        ({"fps": 2**70}, "cannot be made"),
        ({"codec": 264}, "codec must be of the type str"),
        ({"codec": "magic"}, "cannot be made"),
    ],
)
def test_wrong_settings_are_refused_and_leave_no_file(tmp_path: Path, argument: dict[str, Any], complaint: str) -> None:
    with pytest.raises((LocalProtocolError, RecordingError), match=complaint):
        VideoWriter(tmp_path / "video.mkv", **{"size": (8, 8), **argument})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "video.mkv"
    path.write_bytes(b"earlier")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(RecordingError, match="cannot write"):
            write(path, noise(200, 200, 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("missing.mkv", None, "cannot read .*: No such file or directory"),
        ("empty.mkv", b"", "is no video that can be read"),
        ("noise.mkv", bytes(range(256)) * 40, "is no video that can be read"),
        ("text.txt", b"FFmpeg would play this as ANSI art\n" * 40, "holds no video"),
        ("", None, "cannot read .*: Is a directory"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=why):
        ReplaySource(tmp_path / name)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mkv")
    with pytest.raises(RecordingError, match="is no file; a video cannot come through a pipe"):
        ReplaySource(tmp_path / "pipe.mkv")


def test_a_video_cut_before_its_first_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "video.mkv"
    write(path, noise(64, 64, 1))
    path.write_bytes(path.read_bytes()[: 64 * 64])
    with pytest.raises(RecordingError, match="holds no frames"):
        read(path)


def test_damage_inside_is_an_error_and_not_a_wrong_picture(tmp_path: Path) -> None:
    path = tmp_path / "video.mkv"
    stored = noise(64, 64, 10)
    write(path, stored)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    path.write_bytes(data)
    delivered: list[Pixels] = []
    with ReplaySource(path) as source, pytest.raises(RecordingError, match=f"{path} is damaged at frame"):
        delivered.extend(frame.pixels for frame in frames(source))
    for actual, expected in zip(delivered, stored, strict=False):
        assert_same_colors(actual, expected)
    assert len(delivered) < len(stored)


def test_a_full_disk_is_an_error_and_nothing_is_printed(tmp_path: Path) -> None:
    script = """
import resource, sys
import numpy as np
from fastframe.capture import VideoWriter
from fastframe.errors import RecordingError

resource.setrlimit(resource.RLIMIT_FSIZE, (66_000, 66_000))
try:
    with VideoWriter(sys.argv[1], (200, 150)) as writer:
        for index in range(20):
            writer.write(np.random.default_rng(index).integers(0, 256, (150, 200, 4), np.uint8), index * 100_000)
except RecordingError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "video.mkv")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == (f"cannot write {tmp_path}/video.mkv: File too large\n", "")
    assert not list(tmp_path.iterdir())
