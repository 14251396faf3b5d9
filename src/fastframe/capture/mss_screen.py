"""The screen as mss sees it: all that calls mss, which may hang, so that a thread of its own does it.

mss looks at the layout once and keeps it for ever, so this module looks anew through further connections: after each
grab where a monitor is shared, since its place may belong to another one by now, and else now and then. A connection
and the layout take 0.3 ms on an idle X server, 2 ms on a busy one; a grab of 1920 x 1080 takes 1.4 and 2.2 ms.
"""

import contextlib
import time
from dataclasses import dataclass

import mss
import numpy as np
import numpy.typing as npt

from fastframe._names import shown
from fastframe.capture.display_name import why_unreachable
from fastframe.capture.layout import Layout, Trail
from fastframe.capture.source import Display
from fastframe.errors import CaptureError, PermanentCaptureError, TransientCaptureError
from fastframe.geometry import Rect

# While monitors are being rearranged a layout may be outdated before the first frame of it is grabbed.
_ATTEMPTS = 10
_PAUSE = 0.02
# Seconds between two looks at the layout where no monitor is shared. X11 refuses to read beyond a screen that has
# shrunk, so this is how long what is new at the edge of one that has grown stays unseen.
_LOOK = 0.5
# What mss says about a connection that failed when libxcb does not tell it why.
_NO_REASON = "could not be established"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What was grabbed.

    Parameters
    ----------
    pixels
        (height, width, 4) uint8 BGRX, its own memory.
    area
        Where it lies on the desktop.
    layout
        The generation of the layout.
    timestamp
        Microseconds of the monotonic clock.
    """

    pixels: npt.NDArray[np.uint8]
    area: Rect
    layout: int
    timestamp: int


class MssScreen:
    """A connection to the display server, renewed when it is lost or the layout changes. For one thread.

    Parameters
    ----------
    display
        The X11 display; `None` on systems that have none.
    share
        What of the desktop is grabbed.
    """

    def __init__(self, display: str | None, share: int | str | Rect | None) -> None:
        self._display = display
        self._share = share
        self._trail: Trail | None = None
        self._mss: mss.MSS | None = None
        self._layout: Layout | None = None
        self._area: Rect | None = None
        self._generation = 0
        self._next_look = 0.0

    @property
    def name(self) -> str:
        """What is captured, for messages."""
        return f"display {shown(self._display)}" if self._display else "the screen"

    def open(self) -> Rect:
        """Connect for the first time; returns the area that is shared.

        Raises
        ------
        PermanentCaptureError
            There is no such display, monitor or region, or it cannot be captured.
        """
        connection, layout = self._connect()
        try:
            if isinstance(self._share, int | str):
                self._trail = Trail(layout, layout.find(self._share))
            self._adopt(connection, layout)
            if self._area is None:
                raise self._outside(layout)
        except BaseException:
            self.close()
            _close(connection)
            raise
        return self._area

    def displays(self) -> tuple[tuple[Display, ...], int]:
        """The monitors as of now, and the generation of the layout.

        Raises
        ------
        TransientCaptureError
            The server is not there just now.
        """
        self._look()
        assert self._layout is not None
        return self._layout.displays, self._generation

    def capture(self) -> Picture:
        """Grab the area that is shared.

        Raises
        ------
        TransientCaptureError
            The server or the monitor is not there just now, or the layout does not come to rest.
        """
        why = "its layout does not come to rest"
        for _ in range(_ATTEMPTS):
            if self._mss is None or self._area is None:
                self._look()
            if self._area is None:
                raise self._gone()
            assert self._mss is not None
            x, y, width, height = area = self._area
            try:
                shot = self._mss.grab({"left": x, "top": y, "width": width, "height": height})
            # mss lets AssertionError, ValueError, XError and others out, whatever the server's end meets first. A
            # screen that shrank fails like one that is gone; a new connection tells which it was.
            except Exception as error:
                why = _line(error)
                self.close()
                time.sleep(_PAUSE)
                continue
            timestamp = time.monotonic_ns() // 1000
            must_look = self._trail is not None or time.monotonic() >= self._next_look
            if not must_look or not self._look():
                return Picture(np.asarray(shot), area, self._generation, timestamp)
        raise TransientCaptureError(f"cannot capture {self.name} just now: {why}")

    def close(self) -> None:
        """Disconnect; the next call connects anew."""
        screen, self._mss = self._mss, None
        if screen is not None:
            _close(screen)

    def _look(self) -> bool:
        """Learn the layout as of now; returns whether it is another one, or the connection is."""
        try:
            connection, layout = self._connect()
        except CaptureError as error:
            # It has worked before, so it may again: display servers are restarted when users log out.
            self.close()
            raise TransientCaptureError(str(error)) from error
        if self._mss is not None and layout == self._layout:
            _close(connection)
            self._next_look = time.monotonic() + _LOOK
            return False
        self._adopt(connection, layout)
        return True

    def _connect(self) -> tuple[mss.MSS, Layout]:
        connection = None
        try:
            connection = mss.MSS(display=self._display) if self._display else mss.MSS()
            return connection, Layout.from_mss(connection.monitors)
        except Exception as error:  # for its breadth see `capture`
            if connection is not None:
                _close(connection)
            why = _line(error)
            if self._display and _NO_REASON in why:
                why = why_unreachable(self._display) or why
            raise PermanentCaptureError(f"cannot capture {self.name}: {why}") from error

    def _adopt(self, connection: mss.MSS, layout: Layout) -> None:
        self.close()
        self._mss, self._layout = connection, layout
        self._next_look = time.monotonic() + _LOOK
        self._generation += 1
        if self._trail is not None:
            wanted = self._trail.follow(layout)
        else:
            wanted = self._share if isinstance(self._share, Rect) else layout.desktop
        self._area = wanted and wanted.intersect(layout.desktop)

    def _gone(self) -> TransientCaptureError:
        if self._trail is None:
            assert self._layout is not None
            return TransientCaptureError(str(self._outside(self._layout)))
        return TransientCaptureError(
            f"monitor {shown(self._share)} of {self.name} is not there just now", actual=self._share
        )

    def _outside(self, layout: Layout) -> PermanentCaptureError:
        desktop = layout.desktop
        return PermanentCaptureError(
            f"the region {_described(self._share)} lies outside of the desktop {_described(desktop)}",
            actual=self._share,
            limit=desktop,
        )


def _described(area: object) -> str:
    return "{},{},{}x{}".format(*area) if isinstance(area, Rect) else str(area)


def _close(screen: mss.MSS) -> None:
    with contextlib.suppress(Exception):  # A server that is gone need not be told that we leave.
        screen.close()


def _line(error: Exception) -> str:
    """The first line of what a library says; X errors have six, dead servers none."""
    return (str(error).splitlines() or ["the display server has gone away"])[0]
