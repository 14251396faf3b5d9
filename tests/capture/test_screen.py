"""The live screen of a real X server."""

import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fastframe.capture import ScreenSource
from fastframe.errors import LocalProtocolError, PermanentCaptureError

if TYPE_CHECKING:
    from xserver import XServer


def test_shows_exactly_what_is_on_the_screen(xserver: "XServer") -> None:
    xserver.fill("#123456")
    with ScreenSource(xserver.display) as screen:
        frames = iter(screen)
        pixels = next(frames).pixels
        assert pixels.shape == (600, 800, 4)
        assert pixels.dtype == np.uint8
        assert (pixels[..., :3] == (0x56, 0x34, 0x12)).all()
        xserver.fill("#ffff01")
        assert (next(frames).pixels[..., :3] == (0x01, 0xFF, 0xFF)).all()
        assert (pixels[..., :3] == (0x56, 0x34, 0x12)).all()


def test_takes_the_display_from_the_environment(xserver: "XServer", monkeypatch: pytest.MonkeyPatch) -> None:
    xserver.fill("#abcdef")
    monkeypatch.setenv("DISPLAY", xserver.display)
    with ScreenSource() as screen:
        assert (next(iter(screen)).pixels[..., :3] == (0xEF, 0xCD, 0xAB)).all()


def test_sees_a_client_draw(xserver: "XServer", eventually: Callable[[Callable[[], bool]], None]) -> None:
    xserver.fill("#000000")
    with ScreenSource(xserver.display) as screen:
        frames = iter(screen)
        assert not next(frames).pixels[..., :3].any()
        xserver.start("xterm", "-bg", "#204060", "-geometry", "40x10+0+0")
        eventually(lambda: bool((next(frames).pixels[..., :3] == (0x60, 0x40, 0x20)).all(axis=2).sum() > 10_000))


def test_follows_the_size_of_the_screen_down_and_up(xserver: "XServer") -> None:
    with ScreenSource(xserver.display) as screen:
        frames = iter(screen)
        assert next(frames).pixels.shape == (600, 800, 4)
        xserver.shrink(640, 480)
        assert next(frames).pixels.shape == (480, 640, 4)
        xserver.grow()
        xserver.fill("#102030")
        grown = next(frames).pixels
        assert grown.shape == (600, 800, 4)
        assert (grown[..., :3] == (0x30, 0x20, 0x10)).all()


def test_keeps_to_the_frame_rate(xserver: "XServer") -> None:
    with ScreenSource(xserver.display, fps=20) as screen:
        frames = iter(screen)
        times = [next(frames).timestamp for _ in range(5)]
    assert times[-1] - times[0] >= 150_000  # Five frames on a grid of 50 ms; the first may lie anywhere in its cell.


def test_no_display_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(PermanentCaptureError, match=r"no display to capture: .*DISPLAY is not set"):
        ScreenSource()


@pytest.mark.parametrize("display", [":99999", "nonsense", "no.such.host.invalid:0"])
def test_an_unknown_display_is_one_clear_line(display: str) -> None:
    with pytest.raises(PermanentCaptureError, match=f"^cannot capture display {display}: .+$"):
        ScreenSource(display)


def test_a_server_that_dies_ends_the_frames_with_one_clear_line(xserver: "XServer") -> None:
    with ScreenSource(xserver.display) as screen:
        frames = iter(screen)
        next(frames)
        os.kill(xserver.process.pid, signal.SIGKILL)
        xserver.process.wait()
        with pytest.raises(PermanentCaptureError, match=f"^cannot capture display {xserver.display}: .+$"):
            next(frames)


def test_a_closed_source_gives_no_frames(xserver: "XServer") -> None:
    screen = ScreenSource(xserver.display)
    screen.close()
    screen.close()
    with pytest.raises(PermanentCaptureError, match="closed"):
        next(iter(screen))


@pytest.mark.parametrize("fps", [0, -1.0])
def test_a_frame_rate_must_be_positive(fps: float) -> None:
    with pytest.raises(LocalProtocolError, match="fps must be more than 0"):
        ScreenSource(":0", fps=fps)


def test_timestamps_are_monotonic_microseconds(xserver: "XServer") -> None:
    with ScreenSource(xserver.display) as screen:
        before = time.monotonic_ns() // 1000
        times = [frame.timestamp for frame, _ in zip(screen, range(3), strict=False)]
    assert before <= times[0] <= times[1] <= times[2] <= time.monotonic_ns() // 1000
