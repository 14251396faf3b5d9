"""Pictures in shared memory, and where each of them is out of date.

A picture that nobody looks at any more is used for the next frame: it is brought up to date, not made anew. So each is
told what changes on the screen, those that are lent as well.
"""

from fastframe.capture.region import simplified, subtracted
from fastframe.capture.x11.server import Server
from fastframe.capture.x11.shm import Buffer
from fastframe.geometry import Rect

# Regions with more rectangles than this are told more coarsely: an encoder gains nothing from so many.
MOST_RECTANGLES = 256
# Pictures in shared memory that are kept for the next frames: one being shown, one being encoded, one being captured,
# and one to spare. A consumer that holds more of them gets memory that nobody uses again.
_MOST_BUFFERS = 4


class Pictures:
    """The pictures of one connection, all of one size.

    Parameters
    ----------
    server
        Who writes into them.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        # In the order in which they were read.
        self._buffers: list[Buffer] = []
        self.latest: Buffer | None = None
        """The one of the last frame."""
        self.changed: list[Rect] | None = None
        """Where the screen differs from the last frame, in pixels of the picture; `None`: not known."""

    def drop(self) -> None:
        """Use none of them again."""
        for buffer in self._buffers:
            self._server.unshare(buffer.segment)
        self._buffers, self.latest = [], None

    def everything_changed(self) -> None:
        """All may be out of date everywhere."""
        self.changed = None
        for buffer in self._told():
            buffer.stale = [buffer.whole]

    def add(self, more: list[Rect]) -> None:
        """Something has changed, in pixels of the picture."""
        if self.changed is not None:
            self.changed = simplified([*self.changed, *more], MOST_RECTANGLES)
        for buffer in self._told():
            buffer.stale = simplified([*buffer.stale, *more], MOST_RECTANGLES)

    def hide(self, hidden: list[Rect], before: list[Rect]) -> list[Rect]:
        """Something else is hidden in the latest picture than was before: what looks different for that alone."""
        # Both what is newly hidden and what is seen again; what was hidden and is so still, does not.
        turned = [*subtracted(hidden, before), *subtracted(before, hidden)]
        for other in self._buffers:
            if other is not self.latest:
                other.stale = simplified([*other.stale, *turned], MOST_RECTANGLES)
        return turned

    def _told(self) -> list[Buffer]:
        """All that are told what has changed."""
        latest = self.latest
        return self._buffers if latest is None or latest in self._buffers else [*self._buffers, latest]

    def spare(self) -> Buffer | None:
        """One that nobody looks at, of several the one read last: as a rule it takes least to bring up to date."""
        for buffer in reversed(self._buffers):
            if not buffer.is_lent:
                return buffer
        return None

    def new(self, width: int, height: int) -> Buffer:
        """One more."""
        buffer = Buffer(self._server.share(4 * width * height), (width, height))
        if len(self._buffers) < _MOST_BUFFERS:
            self._buffers.append(buffer)
        return buffer

    def finish(self, buffer: Buffer, hidden: list[Rect]) -> None:
        """One is up to date, and `hidden` is blank in it."""
        buffer.stale, buffer.hidden = [], hidden
        if buffer not in self._buffers:
            self._server.unshare(buffer.segment)
        elif buffer is not self._buffers[-1]:
            self._buffers.remove(buffer)
            self._buffers.append(buffer)
