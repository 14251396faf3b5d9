"""Wrong arguments of sources, pacers and writers: a typed error that names them, before anything is opened."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fastframe.capture import MssSource, Pacer, ReplaySource, VideoWriter, WindowPattern, X11Source, open_source
from fastframe.capture.replay import Replay
from fastframe.errors import LocalProtocolError, PermanentCaptureError, RecordingError
from fastframe.recording import PacketReader, PacketWriter

NO_NUMBERS = [None, "1", math.nan, [], object(), 1j]


def pictures() -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    yield 0, np.zeros((2, 2, 4), np.uint8)


@pytest.mark.parametrize("wrong", NO_NUMBERS)
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("fps", lambda wrong: Pacer(Replay(pictures), fps=wrong)),
        ("load", lambda wrong: Pacer(Replay(pictures), load=wrong)),
        ("patience", lambda wrong: Pacer(Replay(pictures), patience=wrong)),
        ("backlog", lambda wrong: Pacer(Replay(pictures)).next(backlog=wrong)),
        ("deadline", lambda wrong: Pacer(Replay(pictures)).next([] if wrong is None else wrong)),
        ("deadline", lambda wrong: Replay(pictures).wait([] if wrong is None else wrong)),  # type: ignore[arg-type]
        ("timeout", lambda wrong: X11Source(":99999", timeout=wrong)),
        ("timeout", lambda wrong: MssSource(":99999", timeout=wrong)),
    ],
)
def test_what_is_no_number_is_refused_by_the_name_of_the_argument(
    name: str, call: Callable[[Any], object], wrong: Any
) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{name} must be a number"):
        call(wrong)


@pytest.mark.parametrize("wrong", [None, 0, 1, "no", [], np.zeros(2, bool)])
@pytest.mark.parametrize("kind", [partial(Replay, pictures), partial(ReplaySource, "/no/such/file")])
def test_what_is_neither_true_nor_false_is_refused(kind: Callable[..., object], wrong: Any) -> None:
    for name in ("realtime", "loop"):
        with pytest.raises(LocalProtocolError, match=f"^{name} must be True or False"):
            kind(**{name: wrong})


@pytest.mark.parametrize("wrong", [1, 0, b":0", [":0"], np.zeros(2), Path(":0")])
def test_what_is_no_text_is_no_name_of_a_display_or_a_source(wrong: Any) -> None:
    for call in (
        lambda: open_source(wrong),
        lambda: X11Source(wrong),
        lambda: MssSource(wrong),
        lambda: open_source(":99999", prefer=wrong),
    ):
        with pytest.raises(LocalProtocolError, match=r"^(display must be of the type str|prefer must be one of)"):
            call()


@pytest.mark.parametrize("name", ["nul\0", "long" * 2000])
def test_a_name_that_no_file_can_have_is_none_of_a_recording(name: str) -> None:
    for kind in (ReplaySource, PacketReader, PacketWriter, lambda path: VideoWriter(path, (2, 2))):
        with pytest.raises(RecordingError):
            kind(name)


@pytest.mark.parametrize("masks", [None, 1j, 5, [None], [(1, 2)]])
def test_what_are_no_masks_is_refused_before_a_source_is_chosen(masks: Any) -> None:
    with pytest.raises(LocalProtocolError, match="mask"):
        open_source(":99999", masks=masks)


@pytest.mark.parametrize("path", [None, 5, b"name", ["name"]])
@pytest.mark.parametrize("kind", [PacketWriter, ReplaySource, lambda path: VideoWriter(path, (2, 2)), PacketReader])
def test_what_is_no_path_is_refused(kind: Callable[[Any], object], path: Any) -> None:
    with pytest.raises(LocalProtocolError, match="path"):
        kind(path)


@pytest.mark.parametrize("timestamp", [*NO_NUMBERS, math.inf, 1.0, -1, 10**30])
def test_what_is_no_time_of_a_frame_is_refused_and_the_video_goes_on(tmp_path: Path, timestamp: Any) -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    with VideoWriter(tmp_path / "video.mkv", (2, 2)) as writer:
        writer.write(pixels, 0)
        with pytest.raises(LocalProtocolError, match=r"^timestamp must be an integer"):
            writer.write(pixels, timestamp)
        writer.write(pixels, np.int64(40_000))  # type: ignore[arg-type]
    with ReplaySource(tmp_path / "video.mkv") as source:
        assert [source.capture().timestamp for _ in range(2)] == [0, 40_000]


@pytest.mark.parametrize(
    "call",
    [
        ReplaySource,
        PacketReader,
        lambda path: VideoWriter(path / "video.mkv", (8, 8)),
        lambda path: PacketWriter(path / "packets.ffs"),
        lambda path: X11Source(str(path)),
        lambda path: MssSource(":99999", share=WindowPattern(title=str(path))),
    ],
)
def test_an_error_is_one_line_whatever_is_in_the_name_that_it_tells(
    tmp_path: Path, call: Callable[[Path], object]
) -> None:
    with pytest.raises((RecordingError, PermanentCaptureError)) as caught:
        call(tmp_path / "two\nlines\x1b[2J\udcff")
    assert str(caught.value).isprintable()
    assert r"two\nlines\x1b[2J\udcff" in str(caught.value)
