"""The live screen through mss: on X11, Windows and macOS alike, without knowing what has changed.

A watchdog's thread does the work (`mss_screen`), so that a display server that hangs does not take its user with it.
"""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fastframe._closing import Closing
from fastframe.capture.checks import checked_deadline, checked_masks, checked_share, checked_timeout
from fastframe.capture.display_name import chosen_display
from fastframe.capture.mss_screen import MssScreen
from fastframe.capture.source import CapturedFrame, Cursor, Display, Event, Mask, Share, WindowPattern
from fastframe.capture.watchdog import NoAnswer, Watchdog
from fastframe.errors import PermanentCaptureError, TransientCaptureError
from fastframe.geometry import Rect

Result = TypeVar("Result")

_BLACK = np.array((0, 0, 0, 255), np.uint8)


class MssSource(Closing):
    """The live screen, or a part of it, grabbed anew for every frame.

    It does not see what has changed, so `damage` is `None` in every frame, and not the pointer either. Not for use by
    two threads at once. It starts one thread, which makes all calls that may hang, and which ends after `close`.

    Parameters
    ----------
    display
        An X11 display such as `:0`; `None` is the one that DISPLAY names, or the desktop of Windows and macOS.
    share
        What of the desktop is shown: a monitor by its number, or by its name where the system tells one; a rectangle,
        of which the part on the desktop is shown; `None`: all of it. A monitor is followed when it moves or changes its
        size. While it is unplugged `capture` raises `TransientCaptureError`; what is in its place is not shown.
    masks
        Rectangles of the desktop that are blank (black) in every frame.
    timeout
        Seconds after which a display server that does not answer counts as hung.
    reason
        Why this source was chosen, for `reason`.

    Raises
    ------
    PermanentCaptureError
        There is no such display, monitor or region, it cannot be captured, or it does not answer; or windows are to be
        shared or masked, which needs the X11 source.
    LocalProtocolError
        A wrong argument.
    """

    name = "mss"

    def __init__(
        self,
        display: str | None = None,
        *,
        share: Share = None,
        masks: Iterable[Mask] = (),
        timeout: float = 2.0,
        reason: str = "",
    ) -> None:
        self._timeout = checked_timeout(timeout)
        self._reason = reason
        self._masks = _masks_without_windows(masks)
        self._screen = MssScreen(chosen_display(display), _share_without_windows(share))
        self._closed = False
        self._layout = self._told_layout = 1
        try:
            self._watchdog = Watchdog(self._screen.close)
        except RuntimeError as error:
            raise PermanentCaptureError(f"cannot capture {self._screen.name}: {error}") from error
        try:
            self._area = self._call(self._screen.open)
        except TransientCaptureError as error:
            self.close()
            raise PermanentCaptureError(str(error), limit=timeout) from error
        except BaseException:
            self.close()
            raise

    @property
    def reason(self) -> str:
        """How this source works, and why it was chosen, in one line."""
        return "reads everything for every frame" + (f", since {self._reason}" if self._reason else "")

    @property
    def unmatched(self) -> tuple[Mask, ...]:
        """Masks that cover nothing of the last frame."""
        return tuple(mask for mask in self._masks if mask.intersect(self._area) is None)

    def set_masks(self, masks: Iterable[Mask]) -> None:
        """Hide something else, from the next frame on.

        Raises
        ------
        PermanentCaptureError
            One of them is a window pattern; nothing has changed.
        LocalProtocolError
            One of them is not a rectangle with an area; nothing has changed.
        """
        self._masks = _masks_without_windows(masks)

    def displays(self) -> tuple[Display, ...]:
        """The monitors as of now; see `FrameSource.displays`."""
        displays, self._layout = self._call(self._screen.displays)
        return displays

    def wait(self, deadline: float | None) -> Event:
        """Sleep until the deadline, since what changes cannot be told; see `FrameSource.wait`.

        It returns earlier when the last call has found another layout.
        """
        self._check_open()
        deadline = checked_deadline(deadline)
        if self._layout != self._told_layout:
            self._told_layout = self._layout
            return Event.FRAME | Event.LAYOUT
        if deadline is not None:
            time.sleep(max(0.0, deadline - time.monotonic()))
        return Event.FRAME

    def capture(self) -> CapturedFrame:
        """Grab what is shared; see `FrameSource.capture`."""
        picture = self._call(self._screen.capture)
        self._area, self._layout = picture.area, picture.layout
        blank(picture.pixels, picture.area, self._masks)
        picture.pixels.flags.writeable = False
        return CapturedFrame(picture.pixels, picture.timestamp, None, picture.layout)

    def cursor(self) -> Cursor | None:
        """`None`: mss does not tell where the pointer is."""
        self._check_open()
        return None

    def close(self) -> None:
        """Disconnect; may be called again. Frames stay valid.

        From a server that hangs it disconnects when that goes on or ends; this returns within `timeout` all the same.
        """
        if not self._closed:
            self._closed = True
            self._watchdog.end(self._timeout)

    def _check_open(self) -> None:
        if self._closed:
            raise PermanentCaptureError("the screen source is closed")

    def _call(self, function: Callable[[], Result]) -> Result:
        self._check_open()
        try:
            return self._watchdog.call(function, self._timeout)
        except NoAnswer:
            raise TransientCaptureError(
                f"cannot capture {self._screen.name}: it has not answered for {self._timeout:g} s", limit=self._timeout
            ) from None


def _share_without_windows(share: Share) -> int | str | Rect | None:
    share = checked_share(share)
    if isinstance(share, WindowPattern):
        raise PermanentCaptureError(f"to share a {share} takes the X11 source", actual=share)
    return share


def _masks_without_windows(masks: Iterable[Mask]) -> tuple[Rect, ...]:
    rectangles = []
    for mask in checked_masks(masks):
        if isinstance(mask, WindowPattern):
            raise PermanentCaptureError(f"to mask a {mask} takes the X11 source", actual=mask)
        rectangles.append(mask)
    return tuple(rectangles)


def blank(pixels: npt.NDArray[np.uint8], area: Rect, masks: Iterable[Rect]) -> None:
    """Blank what masks cover of a picture of this area of the desktop.

    A picture may have more pixels than the area, as on macOS; then masks grow to whole pixels.
    """
    height, width = pixels.shape[:2]
    for mask in masks:
        covered = mask.intersect(area)
        if covered is not None:
            left, right = covered.x - area.x, covered.right - area.x
            top, bottom = covered.y - area.y, covered.bottom - area.y
            pixels[
                top * height // area.height : -(-bottom * height // area.height),
                left * width // area.width : -(-right * width // area.width),
            ] = _BLACK
