"""Frames of the live screen, through mss.

The frame is the whole desktop: every monitor, as the display server places them. mss looks at the layout once
and keeps it for ever, so this module watches for changes itself and connects anew after one.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import mss
import numpy as np
import numpy.typing as npt

from fastframe.capture.source import CapturedFrame
from fastframe.errors import LocalProtocolError, PermanentCaptureError, TransientCaptureError

# While monitors are being rearranged a layout may be outdated before the first frame of it is captured.
_ATTEMPTS = 10
_PAUSE = 0.02

_X11 = sys.platform not in ("win32", "darwin")


class ScreenSource:
    """The live screen, frame by frame without end.

    Each frame owns its pixels. A change of the screen's size shows in the next frame. The pointer is not part
    of the picture.

    Parameters
    ----------
    display
        An X11 display such as `:0`; `None` is the one that `DISPLAY` names, or the desktop of Windows and
        macOS.
    fps
        The most frames a second; `None`: as many as are asked for.

    Raises
    ------
    PermanentCaptureError
        There is no display, or it cannot be captured.
    TransientCaptureError
        While iterating: a frame could not be captured, although the display is there.
    """

    def __init__(self, display: str | None = None, *, fps: float | None = None) -> None:
        if fps is not None and fps <= 0:
            raise LocalProtocolError(f"fps must be more than 0, not {fps}", actual=fps)
        if display is not None and not _X11:
            raise PermanentCaptureError("only X11 has displays with names; leave it out to capture the desktop")
        self._display = display
        self._interval = 1 / fps if fps else 0.0
        self._screen: mss.MSS | None = None
        self._open()

    def _open(self) -> None:
        """Connect, or connect anew; afterwards `_desktop` is the rectangle around all monitors as of now."""
        self.close()
        if _X11 and not (self._display or os.environ.get("DISPLAY")):
            raise PermanentCaptureError("no display to capture: the environment variable DISPLAY is not set")
        try:
            self._screen = mss.MSS(display=self._display) if self._display else mss.MSS()
            self._desktop: dict[str, Any] = dict(self._screen.monitors[0])
        # mss lets AssertionError, ValueError, XError and others out, whatever the server's end meets first.
        except Exception as error:
            self.close()
            raise PermanentCaptureError(f"cannot capture {self._name}: {_line(error)}") from error

    @property
    def _name(self) -> str:
        return f"display {self._display or os.environ['DISPLAY']}" if _X11 else "the screen"

    def __iter__(self) -> Iterator[CapturedFrame]:
        started = time.monotonic()
        while True:
            pixels = self._grab()
            yield CapturedFrame(pixels, time.monotonic_ns() // 1000)
            if self._interval:
                # The next point of a fixed grid that still lies ahead, so that slow frames are not followed
                # by bursts.
                time.sleep(self._interval - (time.monotonic() - started) % self._interval)

    def _grab(self) -> npt.NDArray[np.uint8]:
        if self._screen is None:
            raise PermanentCaptureError("the screen source is closed")
        # For the breadth of this see `_open`. A screen that shrank fails like one that is gone; a new
        # connection tells which it was.
        with contextlib.suppress(Exception):
            shot = self._screen.grab(self._desktop)
            if not self._has_grown():
                return np.asarray(shot)
        for _ in range(_ATTEMPTS):
            self._open()
            try:
                return np.asarray(self._screen.grab(self._desktop))
            except Exception as error:
                why = _line(error)
            time.sleep(_PAUSE)
        raise TransientCaptureError(f"cannot capture {self._name} just now: {why}")

    def _has_grown(self) -> bool:
        """Whether there are pixels beyond the right or the lower edge of the desktop as we know it.

        X11 refuses to read outside of the screen, so one pixel answers, in 0.05 ms. A new connection, the
        only other way that mss offers, takes 30 ms.
        """
        if not _X11:
            return False
        width, height = self._desktop["width"], self._desktop["height"]
        return self._has_pixel(width, 0) or self._has_pixel(0, height)

    def _has_pixel(self, x: int, y: int) -> bool:
        assert self._screen is not None
        try:
            self._screen.grab({"left": x, "top": y, "width": 1, "height": 1})
        except mss.ScreenShotError:
            return False
        return True

    def close(self) -> None:
        """Disconnect; may be called again."""
        screen, self._screen = self._screen, None
        if screen is not None:
            with contextlib.suppress(Exception):  # A server that is gone need not be told that we leave.
                screen.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _line(error: Exception) -> str:
    """The first line of what a library says; X errors have six, dead servers none."""
    return (str(error).splitlines() or ["the display server has gone away"])[0]
