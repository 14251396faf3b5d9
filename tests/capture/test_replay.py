"""A video as a source of frames: at its pace, as fast as possible, or over and over."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fastframe.capture import Event, ReplaySource, VideoWriter, frames
from fastframe.capture.replay import Pictures, Replay
from fastframe.errors import LocalProtocolError, PermanentCaptureError, RecordingError

Pixels = npt.NDArray[np.uint8]
STEP = 0.1


@pytest.fixture
def pictures() -> list[Pixels]:
    """Five pictures, the number of each in every pixel."""
    return [np.full((8, 8, 4), (number, number, number, 255), np.uint8) for number in range(5)]


@pytest.fixture
def video(tmp_path: Path, pictures: list[Pixels]) -> Path:
    """The same as a video of ten frames a second."""
    with VideoWriter(tmp_path / "video.mkv", (8, 8), 10) as writer:
        for index, pixels in enumerate(pictures):
            writer.write(pixels, round(index * STEP * 1e6))
    return tmp_path / "video.mkv"


def number(pixels: Pixels) -> int:
    return int(pixels[0, 0, 0])


def test_every_frame_comes_as_fast_as_it_is_asked_for(video: Path) -> None:
    with ReplaySource(video) as source:
        assert (source.displays(), source.cursor()) == ((), None)
        # To wait takes nothing from what there is.
        assert source.wait(None) == source.wait(time.monotonic()) == Event.FRAME
        taken = [source.capture() for _ in range(5)]
        assert [number(frame.pixels) for frame in taken] == [0, 1, 2, 3, 4]
        assert [frame.timestamp for frame in taken] == [0, 100_000, 200_000, 300_000, 400_000]
        assert {frame.damage for frame in taken} == {None}
        assert source.wait(None) == Event.END
        with pytest.raises(LocalProtocolError, match="no more frames"):
            source.capture()
    assert number(taken[0].pixels) == 0
    with pytest.raises(ValueError, match="read-only"):
        taken[0].pixels[...] = 0


def test_at_its_pace_no_frame_comes_before_its_time(video: Path) -> None:
    with ReplaySource(video, realtime=True) as source:
        began = time.monotonic()
        seen = []
        for frame in frames(source):
            assert time.monotonic() - began >= frame.timestamp / 1e6 - 0.02
            seen.append(number(frame.pixels))
        assert time.monotonic() - began >= 4 * STEP
    assert (seen[0], seen[-1]) == (0, 4)
    assert seen == sorted(set(seen))


def test_at_its_pace_a_deadline_comes_first(video: Path) -> None:
    with ReplaySource(video, realtime=True) as source:
        assert source.wait(None) == Event.FRAME
        source.capture()
        deadline = time.monotonic() + STEP / 4
        assert source.wait(deadline) == Event.NONE
        assert time.monotonic() >= deadline


def test_at_its_pace_late_frames_are_left_out_as_on_a_screen(video: Path) -> None:
    with ReplaySource(video, realtime=True) as source:
        source.capture()
        time.sleep(2.5 * STEP)
        late = source.capture()
        assert number(late.pixels) >= 2
        assert late.damage is None


def test_at_its_pace_what_is_still_there_comes_again_without_damage(video: Path) -> None:
    with ReplaySource(video, realtime=True) as source:
        first, again = source.capture(), source.capture()
        assert first.pixels is again.pixels
        assert again.damage == ()


@pytest.mark.parametrize("realtime", [False, True])
def test_a_loop_goes_on_with_its_times(video: Path, realtime: bool) -> None:
    count = 12 if not realtime else 7
    taken = []
    with ReplaySource(video, realtime=realtime, loop=True) as source:
        for frame in frames(source):
            taken.append(frame)
            if len(taken) == count:
                break
    times = [frame.timestamp for frame in taken]
    if realtime:  # On a busy machine frames may have been left out.
        assert times == sorted(set(times))
        assert times[-1] >= 600_000
    else:
        assert [number(frame.pixels) for frame in taken] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
        assert times == [index * 100_000 for index in range(12)]


def test_a_loop_of_one_picture_is_not_endlessly_fast(tmp_path: Path, pictures: list[Pixels]) -> None:
    with VideoWriter(tmp_path / "one.mkv", (8, 8), 10) as writer:
        writer.write(pictures[3], 0)
    with ReplaySource(tmp_path / "one.mkv", loop=True) as source:
        first, second = source.capture(), source.capture()
    assert second.timestamp > first.timestamp


def broken_after(count: int, pictures: list[Pixels]) -> Callable[[], Pictures]:
    def begin() -> Pictures:
        for index, pixels in enumerate(pictures[:count]):
            yield index * 1000, pixels
        raise RecordingError("it is damaged")

    return begin


@pytest.mark.parametrize("realtime", [False, True])
def test_damage_is_an_error_after_the_frames_before_it_and_stays_one(pictures: list[Pixels], realtime: bool) -> None:
    source = Replay(broken_after(3, pictures), realtime=realtime)
    seen: list[int] = []
    with pytest.raises(RecordingError, match="it is damaged"):
        seen.extend(number(frame.pixels) for frame in frames(source))
    assert seen[-1] == 2
    for call in (lambda: source.wait(None), source.capture):
        with pytest.raises(RecordingError, match="it is damaged"):
            call()


def test_a_file_that_shrinks_between_two_loops_is_an_error(video: Path) -> None:
    with ReplaySource(video, loop=True) as source:
        for _ in range(5):
            source.capture()
        video.write_bytes(b"")
        with pytest.raises(RecordingError, match="is no video"):
            source.capture()


def test_a_closed_replay_gives_nothing(video: Path) -> None:
    source = ReplaySource(video)
    frame = source.capture()
    source.close()
    source.close()
    for call in (lambda: source.wait(None), source.capture):
        with pytest.raises(PermanentCaptureError, match="the replay is closed"):
            call()
    assert number(frame.pixels) == 0
