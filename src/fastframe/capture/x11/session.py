"""Capture on one connection: what has changed, where pictures lie in memory, and what is read again.

A picture stays in shared memory from one frame to the next. The server's damage reports say which rows are out of date,
and only these are read again: a line of text is a fiftieth of the screen. What the reports leave out would stay wrong
for ever, and some drivers do leave things out; so slice by slice the whole screen is read aside and compared. A server
that turns out to report too little is not believed any more.

The order is what makes damage a superset: first it is taken, then the pixels are read. What is drawn between the two
may be in the picture or not; so damage that has come up meanwhile counts for this frame and for the next.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fastframe.capture.region import bands, clipped, moved, simplified, subtracted
from fastframe.capture.source import CapturedFrame, Cursor, Display, Event, Mask
from fastframe.capture.x11.pictures import MOST_RECTANGLES, Pictures
from fastframe.capture.x11.privacy import NotThere, Privacy, View
from fastframe.capture.x11.server import Server
from fastframe.capture.x11.shm import Buffer, Segment
from fastframe.capture.x11.windows import WindowList
from fastframe.capture.x11.xcb import ConnectionLost, Pending, RequestRefused
from fastframe.errors import TransientCaptureError
from fastframe.geometry import Rect

Result = TypeVar("Result")

# A request costs the time of some fifty rows, so bands that are closer than that are read together.
_GAP = 48
# Slices in which the whole screen is read aside, and seconds between two of them: 2 s for all of it.
_SLICES = 8
_SLICE_INTERVAL = 0.25
# Seconds between two looks at where the pointer is, when nobody has told that it moved.
_POINTER_INTERVAL = 0.1
# After so many changes that no damage told of, damage is not believed any more.
_MOST_MISSED = 3
# While monitors are being rearranged a layout may be out of date before the first frame of it is read.
_ATTEMPTS = 10
_PAUSE = 0.02
_UNLIMITED = contextlib.nullcontext()
_BLACK = 0xFF000000
_COLOURS = np.uint32(0x00FFFFFF)


class LayoutChanged(RequestRefused):
    """What was read may be of another monitor."""


class Session:
    """What is known on one connection.

    Parameters
    ----------
    server
        The connection.
    privacy
        What may be seen.
    layout
        The number of the first frame's layout; 1 on the first connection.
    serial
        No shape of the pointer has a serial up to this one.
    """

    def __init__(self, server: Server, privacy: Privacy, layout: int, serial: int) -> None:
        self.server = server
        self.layout = layout
        self.missed = 0
        """Changes that were found by looking and that no damage had told of."""
        self._privacy = privacy
        self._windows: WindowList | None = None
        self._masks = privacy.masks
        self.serial = serial
        """The greatest serial of a shape that was told."""
        self._first_serial = serial
        self._shape_serial: int | None = None
        # On another connection all is told anew.
        server.news.pointer = layout > 1
        self._pointer: tuple[int, int] | None = None
        # The layout is not the one of the last frame; and nobody was told so yet.
        self._layout_changed = self._layout_untold = False
        # What is shared was not there at the last look, and may be again with another layout, or when something happens
        # to windows.
        self._monitor_missing = self._window_missing = False
        privacy.begin(server, again=layout > 1)
        server.read_layout()
        self.area = privacy.area(server.layout)
        """What the last frame showed, in pixels of the screen."""
        self._hidden: list[Rect] = []
        self._pictures = Pictures(server)
        self._aside: Segment | None = None
        self._slice = 0
        self._next_slice = time.monotonic() + _SLICE_INTERVAL
        self._next_pointer = 0.0

    @property
    def knows_damage(self) -> bool:
        """Whether we are told of changes, and believe it."""
        return self.server.has_damage and self.missed < _MOST_MISSED

    @property
    def _must_look(self) -> bool:
        """Whether only a look tells what has changed."""
        return not (self.knows_damage or self._is_missing)

    def _update_layout(self) -> None:
        """Take in what events have told, the layout of monitors included."""
        if self.server.read_events().layout:
            before = self.server.layout
            self.server.read_layout()
            if self.server.layout != before:
                self._layout_changed = self._layout_untold = True
                self._monitor_missing = self._window_missing = False

    def displays(self) -> tuple[Display, ...]:
        """The monitors as of now."""
        self._update_layout()
        return self.server.layout.displays

    @property
    def _is_missing(self) -> bool:
        """Whether another look would find no more of what is shared than the last one did."""
        return self._monitor_missing or (self._window_missing and not self.server.news.windows)

    def wait(self, deadline: float | None) -> Event:
        """Sleep until something changes; see `FrameSource.wait`."""
        slept = False
        while True:
            if event := self._news():
                return event
            if deadline is not None and time.monotonic() >= deadline:
                if slept and self._pointer_strayed():
                    return Event.CURSOR
                return Event.FRAME if self._must_look else Event.NONE
            if deadline is None and self._must_look:
                return Event.FRAME
            self._sleep(deadline)
            slept = True

    def _news(self) -> Event:
        """What has happened by now and was not captured yet."""
        self._update_layout()
        news = self.server.news
        event = Event.NONE
        if self._layout_untold:
            self._layout_untold = False
            event |= Event.LAYOUT | Event.FRAME
        if news.pointer:
            news.pointer = False
            event |= Event.CURSOR
        if news.damage and not event & Event.FRAME and news.damage.intersect(self.area) != news.damage:
            # It may lie beside what we show.
            self._take_damage()
        if self._is_missing:
            return event
        expires = self._privacy.next_change()
        if (
            self._pictures.changed is None
            or self._pictures.changed
            or news.damage
            or self._layout_changed
            or self._masks is not self._privacy.masks
            or (self._windows is not None and news.windows)
            or (expires is not None and expires <= time.monotonic())
        ):
            event |= Event.FRAME
        return event

    def _pointer_strayed(self) -> bool:
        """Whether the pointer is elsewhere than was told last: programs can place it, of which there are no events.

        Looks now and then only, since otherwise this would be most of what an idle screen costs.
        """
        now = time.monotonic()
        if self._pointer is None or now < self._next_pointer:
            return False
        self._next_pointer = now + _POINTER_INTERVAL
        return self._pointer != self.server.pointer(hurry=False)

    def _sleep(self, deadline: float | None) -> None:
        """Sleep until the server says something, until the deadline, or until there is something to do."""
        now = time.monotonic()
        due = [deadline]
        if not self._is_missing:
            due.append(self._privacy.next_change())
        if self.knows_damage and not self._is_missing:
            if self._pictures.latest is not None and now >= self._next_slice:
                self._check_slice()
                return
            due.append(self._next_slice)
        self.server.connection.sleep(min((at for at in due if at is not None), default=now + 1) - now)

    def capture(self) -> CapturedFrame:
        """Take one picture now; see `FrameSource.capture`."""
        for _ in range(_ATTEMPTS):
            try:
                return self._same_view() or self._in_view(self._picture)
            except RequestRefused as error:
                # The screen has shrunk since we looked, or a window is gone.
                # Without its traceback, which holds the picture that was to be taken: its buffer would stay lent.
                refused = error.with_traceback(None)
                self.server.news.layout = self.server.news.windows = True
                if not isinstance(error, LayoutChanged):
                    time.sleep(_PAUSE)
        raise TransientCaptureError(f"cannot capture the screen just now: {refused}") from refused

    def check(self) -> None:
        """See whether there is anything to capture.

        Raises
        ------
        NotThere
            What is shared is not on the screen.
        """
        self._in_view(lambda view: None)

    def _in_view(self, work: Callable[[View], Result]) -> Result:
        """Work with what may be seen, which stays so meanwhile."""
        self._update_layout()
        server, privacy = self.server, self._privacy
        try:
            shared = privacy.area(server.layout)
        except NotThere:
            self._monitor_missing = True
            raise
        if self._windows is None and privacy.needs_windows:
            self._windows = WindowList(server, privacy.shared_window)
        if self._windows is None:
            return work(privacy.view(shared, None, server, time.monotonic()))
        try:
            server.hold()
            try:
                windows = self._windows.read()
            except RequestRefused:
                windows = None
            try:
                view = privacy.view(shared, windows, server, time.monotonic())
            except NotThere:
                self._window_missing = True
                raise
            self._window_missing = False
            return work(view)
        finally:
            with contextlib.suppress(ConnectionLost):  # of which has been told
                server.release()

    def _same_view(self) -> CapturedFrame | None:
        """A picture of what the last one showed; `None`: there is more to decide first, or nothing has changed.

        A server may take longer to wake up than all else takes, so it is asked before anything else is done.
        """
        privacy, buffer = self._privacy, self._pictures.spare()
        if (
            buffer is None
            or privacy.needs_windows
            or privacy.masks is not self._masks
            or self._layout_changed
            or self.server.news.layout
        ):
            return None
        if (asked := self._ask_at_once(buffer, self._hidden)) is None:
            return None
        self.server.tracks.take()  # as `view` does: where windows have been until now is of no interest later
        return self._frame(buffer, self._hidden, self._masks, asked)

    def _picture(self, view: View) -> CapturedFrame:
        if not self.knows_damage:
            self._pictures.everything_changed()
        self._show(view.area)
        hidden = moved(view.hidden, -view.area.x, -view.area.y)
        buffer = self._pictures.spare() or self._pictures.new(self.area.width, self.area.height)
        return self._frame(buffer, hidden, view.masks, self._ask_at_once(buffer, hidden))

    def _frame(
        self, buffer: Buffer, hidden: list[Rect], masks: tuple[Mask, ...], asked: tuple[int, int] | None
    ) -> CapturedFrame:
        """The next frame, once rows of it have been asked for along with the damage; `None`: nothing has."""
        pixels = self._receive_picture(buffer, hidden, asked)
        pictures = self._pictures
        pictures.latest = buffer
        before, pictures.changed = pictures.changed, []
        if self.server.news.layout:
            # It may be another monitor whose pixels we have just read.
            pictures.everything_changed()
            raise LayoutChanged("the monitors have changed while they were captured")
        # What was drawn meanwhile may be in the rows that were read, wholly or in part: it counts for this frame, and
        # for the next one again.
        if self.server.news.damage:
            self._take_damage()
        damage = None if before is None else [*before, *(pictures.changed or ())]
        if damage and hidden:
            damage = subtracted(damage, hidden)
        if hidden != self._hidden:
            turned = pictures.hide(hidden, self._hidden)
            if damage is not None:
                damage += turned
        self._hidden, self._masks = hidden, masks
        self._layout_changed = False
        now = time.monotonic()
        frame = CapturedFrame(
            pixels,
            int(1e6 * now),
            None if damage is None else tuple(simplified(damage, MOST_RECTANGLES)),
            self.layout,
        )
        if self.knows_damage and now >= self._next_slice:
            self._check_slice()
        return frame

    def _show(self, area: Rect) -> None:
        """Show another part of the screen from now on, if it is another one."""
        if area == self.area and not self._layout_changed:
            return
        resized = (area.width, area.height) != (self.area.width, self.area.height)
        self.layout += resized or self._layout_changed
        if resized:
            self._pictures.drop()
            if self._aside:
                self.server.unshare(self._aside)
            self._aside = None
        self.area = area
        self._hidden = []
        self._pictures.everything_changed()

    def _inside(self, rectangles: Iterable[Rect]) -> list[Rect]:
        """What of a region of the screen we show, in pixels of the picture."""
        return moved(clipped(rectangles, self.area), -self.area.x, -self.area.y)

    def _take_damage(self) -> None:
        """Learn from the server what has changed in what we show."""
        self._pictures.add(self._inside(self._told(self.server.ask_damage().get)))

    def _told(self, ask: Callable[[], Result]) -> Result:
        """What the server tells of damage. Should it refuse, anything may have changed: to the server it was told."""
        try:
            return ask()
        except RequestRefused:
            self._pictures.everything_changed()
            raise

    def _ask_at_once(self, buffer: Buffer, hidden: list[Rect]) -> tuple[int, int] | None:
        """Ask for damage, and for the rows that events told of and the buffer lacks; `None`: it cannot be told yet.

        Waiting for the server twice takes twice as long as reading a line of text does.
        """
        if not self.knows_damage:
            return None
        missing = _out_of_date(buffer, hidden)
        rows = bands(missing, _GAP) if missing else [(0, 0)]
        if len(rows) > 1:
            return None
        return self.server.ask_changes(self.area, buffer.segment, rows[0], _GAP)

    def _receive_picture(
        self, buffer: Buffer, hidden: list[Rect], asked: tuple[int, int] | None
    ) -> npt.NDArray[np.uint8]:
        """Bring a buffer up to date, blank what is hidden, and lend it; and take in what events tell until then.

        Should the damage turn out to be more than its events have told of, the rest is read after it.
        """
        missing: list[Rect] = []
        if asked is None:
            if self.server.news.damage:
                self._take_damage()
            missing = _out_of_date(buffer, hidden)
        # Should anything fail from here on, the buffer holds what nobody must see.
        before = buffer.hidden
        buffer.stale, buffer.hidden = [buffer.whole], []
        pixels = buffer.lend()
        rows: list[tuple[int, int]] = []
        if asked is not None:
            rows.append(asked)
            changed, inside = self._told(self.server.receive_changes)
            self._pictures.add(changed)
            if not inside:
                first, end = asked
                missing = [each for each in subtracted(changed, hidden) if not (first <= each.y and each.bottom <= end)]
        if missing:
            rest = bands(missing, _GAP)
            self._receive(self._ask_rows(buffer.segment, rest, 0))
            rows += rest
        if hidden:
            _blank(buffer, hidden, rows if hidden == before else [(0, buffer.size[1])])
        self._pictures.finish(buffer, hidden)
        return pixels

    def _ask_rows(self, segment: Segment, rows: Iterable[tuple[int, int]], top: int) -> list[Pending[None]]:
        """Have rows of the picture read into a segment whose first row is row `top`."""
        x, y, width, _ = self.area
        return [
            self.server.read_pixels(Rect(x, y + first, width, end - first), segment, 4 * width * (first - top))
            for first, end in rows
        ]

    def _receive(self, pending: list[Pending[None]], *, hurry: bool = True) -> None:
        """Wait until rows have been read, and take in what has happened until then."""
        refused = None
        with _UNLIMITED if self.server.has_shm else self.server.connection.limited():
            for answer in pending:
                try:
                    answer.get(hurry=hurry)
                except RequestRefused as error:
                    refused = error
        if refused:
            raise refused
        self.server.read_events()

    def _check_slice(self) -> None:
        """Look whether a slice of the latest picture is as it should be, apart from what is known to have changed."""
        self._next_slice = time.monotonic() + _SLICE_INTERVAL
        latest = self._pictures.latest
        if latest is None:
            return
        width, height = latest.size
        rows = -(-height // _SLICES)
        self._aside = self._aside or self.server.share(4 * width * rows)
        self._slice = (self._slice + 1) % _SLICES
        first, end = self._slice * rows, min((self._slice + 1) * rows, height)
        if first >= end:
            return
        try:
            self._receive(self._ask_rows(self._aside, [(first, end)], first), hurry=False)
        except RequestRefused:
            return  # The layout is changing, which is reported in its own way.
        if self.server.news.damage:
            self._take_damage()
        now = np.frombuffer(self._aside.memory, np.uint32, width * (end - first)).reshape(-1, width)
        different = (now ^ latest.pixels().view(np.uint32)[first:end, :, 0]) & _COLOURS
        if not different.any():
            return
        for x, y, across, down in [*latest.stale, *latest.hidden]:
            different[max(y - first, 0) : max(y + down - first, 0), x : x + across] = 0
        columns, lines = np.flatnonzero(different.any(axis=0)), np.flatnonzero(different.any(axis=1))
        if len(lines):
            self.missed += 1
            left, top = int(columns[0]), int(lines[0])
            box = Rect(left, first + top, int(columns[-1]) + 1 - left, int(lines[-1]) + 1 - top)
            self._pictures.add([box])

    def cursor(self) -> Cursor:
        """Where the pointer is, and its shape if that has changed."""
        shape = self.server.cursor_shape() if self.server.read_events().cursor else None
        if shape is not None:
            if shape.serial == self._shape_serial:
                shape = None
            else:
                self._shape_serial = shape.serial
                # Servers that were restarted count from 1 again.
                shape = replace(shape, serial=self._first_serial + shape.serial)
                self.serial = max(self.serial, shape.serial)
        x, y = self._pointer = self.server.pointer()
        place = Rect(x - self.area.x, y - self.area.y, 1, 1)
        inside = place.intersect(Rect(0, 0, self.area.width, self.area.height)) is not None
        visible = inside and not clipped(self._hidden, place)
        return Cursor(place.x, place.y, visible, shape)


def _out_of_date(buffer: Buffer, hidden: list[Rect]) -> list[Rect]:
    """What of a buffer must be read for a picture in which `hidden` is blank."""
    stale = buffer.stale if buffer.hidden == hidden else [*buffer.stale, *subtracted(buffer.hidden, hidden)]
    return subtracted(stale, hidden) if stale else stale


def _blank(buffer: Buffer, hidden: Iterable[Rect], rows: Sequence[tuple[int, int]]) -> None:
    """Make black what is hidden, in some of the rows."""
    pixels = buffer.pixels().view(np.uint32)[..., 0]
    for x, y, width, height in hidden:
        for first, end in rows:
            pixels[max(y, first) : min(y + height, end), x : x + width] = _BLACK
