"""Which pixels of the screen must not be seen: masks, and all but what is shared.

Where windows decide about it, they must be where we believe they are at the moment when pixels are read. So the server
is held meanwhile: nothing can move between the look at the windows and the pixels. Two things stay uncertain all the
same. A compositor draws windows some frames after they have moved, and a program repaints what comes into view of its
windows when it gets round to it; until then the pixels of others may be there. So what hidden windows have left, and
what has come into view of a shared one, stays hidden for a while.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastframe._names import shown
from fastframe.capture.checks import checked_masks, checked_share
from fastframe.capture.layout import Layout, Trail
from fastframe.capture.region import clipped, moved, simplified, subtracted
from fastframe.capture.source import Mask, Share, WindowPattern
from fastframe.capture.x11.server import Server
from fastframe.capture.x11.windows import Window, covered_by_others, family, owners_of
from fastframe.errors import TransientCaptureError
from fastframe.geometry import Rect

# How long the place of a hidden window that has moved or closed stays hidden. Compositors are one to three frames late;
# programs that are busy take longer to repaint.
LINGER = 0.5
# Many windows are told by their surroundings: the time to reckon with them grows with the square of their number, and
# the server is held meanwhile.
_MOST_RECTANGLES = 32


class NotThere(TransientCaptureError):
    """What is shared is not on the screen now."""


@dataclass(frozen=True, slots=True)
class View:
    """What may be seen of the screen at one moment.

    Parameters
    ----------
    area
        What the picture shows, in pixels of the screen.
    hidden
        What is blank in it, in pixels of the screen.
    """

    area: Rect
    hidden: tuple[Rect, ...]
    masks: tuple[Mask, ...]


class Privacy:
    """Decides what a source shows.

    Parameters
    ----------
    share
        What is shared.
    masks
        What is hidden.
    """

    def __init__(self, share: Share, masks: Iterable[Mask]) -> None:
        self._share = checked_share(share)
        self.replace_masks(masks)
        self._trail: Trail | None = None
        self.unmatched: tuple[Mask, ...] = ()
        """Masks that hide nothing just now."""
        # Places of hidden windows, and those that they have left.
        self._were_hidden: set[Rect] = set()
        self._left = _Lingering()
        # Windows that fit a mask, and until when those are hidden that do not fit any more.
        self._matched: dict[WindowPattern, dict[int, Window]] = {}
        self._secret: dict[int, float] = {}
        # Parts of the window that is shared, and those that have come into view.
        self._were_seen: list[Rect] | None = None
        self._shown: int | None = None
        # Whether the window with the number that is shared was closed.
        self._closed = False
        self._uncovered = _Lingering()

    def begin(self, server: Server, *, again: bool) -> None:
        """Go on with a connection that has just been made, `again` if there was one before."""
        if isinstance(self._share, WindowPattern) and self._share.id is not None:
            # Nobody knows what has happened to it meanwhile.
            self._closed |= again
            server.tracks.guard(self._share.id)

    @property
    def shared_window(self) -> WindowPattern | None:
        """What is shared, if it is a window."""
        return self._share if isinstance(self._share, WindowPattern) else None

    def replace_masks(self, masks: Iterable[Mask]) -> None:
        """Hide something else from now on."""
        self.masks = checked_masks(masks)
        self.needs_windows = any(isinstance(each, WindowPattern) for each in (self._share, *self.masks))
        """Whether windows decide about it."""

    def area(self, layout: Layout) -> Rect:
        """What of the screen is shared, windows aside.

        Raises
        ------
        NotThere
            The monitor is not plugged in now, or the region lies beyond the screen.
        PermanentCaptureError
            There never was such a monitor.
        """
        share, screen = self._share, layout.desktop
        if isinstance(share, Rect):
            area = share.intersect(screen)
            if area is None:
                raise NotThere(
                    f"{share} lies outside of the screen of {screen.width}x{screen.height}", actual=share, limit=screen
                )
            return area
        if isinstance(share, int | str):
            if self._trail is None:
                self._trail = Trail(layout, layout.find(share))
            place = self._trail.follow(layout)
            area = place and place.intersect(screen)
            if area is None:
                raise NotThere(f"monitor {shown(share)} is not plugged in just now", actual=share)
            return area
        return screen

    def view(self, area: Rect, windows: Sequence[Window] | None, server: Server, now: float) -> View:
        """What may be seen at this moment.

        Parameters
        ----------
        area
            What `area` said.
        windows
            The windows from the lowest to the topmost, exactly as of now; `None`: it could not be told.
        server
            Where they are.
        now
            Seconds of the monotonic clock.

        Raises
        ------
        NotThere
            The window that is shared is not on the screen.
        """
        masks = self.masks
        hidden = [mask for mask in masks if isinstance(mask, Rect)]
        unmatched: list[Mask] = [mask for mask in hidden if mask.intersect(area) is None]
        if not self.needs_windows:
            server.tracks.take()
            self._were_hidden, self._left, self._secret, self._matched = set(), _Lingering(), {}, {}
            self.unmatched = tuple(unmatched)
            return View(area, tuple(clipped(hidden, area)), masks)
        if windows is None:
            if isinstance(self._share, WindowPattern):
                raise NotThere("where the windows are cannot be told just now")
            return View(area, (area,), masks)
        passed = server.tracks.take()
        listed = {window.id for window in windows}
        secret: set[int] = set()
        owners: set[int] = set()
        matched: dict[WindowPattern, dict[int, Window]] = {}
        for pattern in masks:
            if isinstance(pattern, WindowPattern):
                absent = {
                    number: window
                    for number, window in self._matched.get(pattern, {}).items()
                    if number not in listed and server.tracks.exists(number)
                }
                members = family(windows, pattern, server.client_mask, absent=tuple(absent.values()), guests=True)
                secret.update(window.id for window in members)
                owners |= owners_of((*members, *absent.values()), server.client_mask, guests=True)
                matched[pattern] = absent | {window.id: window for window in members if window.hides(pattern)}
                if not members:
                    unmatched.append(pattern)
        self._matched = matched
        self.unmatched = tuple(unmatched)
        # A window that does not fit any more may not have been repainted yet, wherever it is now.
        self._secret = {number: end for number, end in self._secret.items() if end > now}
        ended = {number: min(end, now + LINGER) for number, end in self._secret.items() if number not in secret}
        windows_hidden = {window.area for window in windows if window.id in secret or window.id in ended}
        ways = (
            [server.layout.desktop]
            if passed is None
            else [
                place
                for number, places in passed.items()
                if number in secret
                or number in ended
                or (number not in listed and number & server.client_mask in owners)
                for place in places
            ]
        )
        self._secret = ended | dict.fromkeys(secret, float("inf"))
        hidden += [*windows_hidden, *self._left.update({*ways, *self._were_hidden} - windows_hidden, now)]
        self._were_hidden = windows_hidden
        if isinstance(self._share, WindowPattern):
            shown, foreign = self._window(self._share, windows, server, passed, now)
            hidden += foreign
            visible = shown.intersect(area)
            if visible is None:
                raise NotThere(f"the {self._share} lies outside of the screen")
            area = visible
        return View(area, tuple(simplified(clipped(hidden, area), 2 * _MOST_RECTANGLES)), masks)

    def _window(
        self,
        pattern: WindowPattern,
        windows: Sequence[Window],
        server: Server,
        passed: Mapping[int, Sequence[Rect]] | None,
        now: float,
    ) -> tuple[Rect, list[Rect]]:
        """Where the window is that is shared, and what of it may show others."""
        self._closed |= server.tracks.guarded_is_gone
        if self._closed:
            raise NotThere(f"the {pattern} was closed; its number may be that of another one by now")
        members = family(windows, pattern, server.client_mask)
        if not members:
            self._shown, self._were_seen = 0, []
            raise NotThere(f"no {pattern} is on the screen")
        shown = next(window for window in reversed(windows) if window.fits(pattern))
        x, y, width, height = shown.area
        if self._shown != shown.id:
            # Of another window nothing was seen before, unless it is the first of all.
            self._were_seen = None if self._shown is None else []
            self._shown = shown.id
        covered = simplified(covered_by_others(windows, shown, members), _MOST_RECTANGLES)
        # A part of the window that nobody saw before keeps what was on the screen there until its program repaints it.
        # Counted from the window's corner, since it takes its pixels along when it moves.
        seen = subtracted([Rect(0, 0, width, height)], moved(covered, -x, -y))
        new = [] if self._were_seen is None else subtracted(seen, self._were_seen)
        # Others that have come and gone meanwhile.
        ours = {window.id for window in members}
        if passed is None:
            new.append(Rect(0, 0, width, height))
        else:
            ways = [place for number, places in passed.items() if number not in ours for place in places]
            new += moved(clipped(ways, shown.area), -x, -y)
        self._were_seen = seen
        return shown.area, [*covered, *moved(self._uncovered.update(new, now), x, y)]

    def next_change(self) -> float | None:
        """When something that is hidden now may be seen, in seconds of the monotonic clock; `None`: nothing will."""
        ends = [end for lingering in (self._left, self._uncovered) if (end := lingering.next_end()) is not None]
        ends += [end for end in self._secret.values() if end != float("inf")]
        return min(ends, default=None)


class _Lingering:
    """Places that stay hidden for a while."""

    def __init__(self) -> None:
        self._ends: dict[Rect, float] = {}

    def update(self, more: Iterable[Rect], now: float) -> list[Rect]:
        """Add places, and tell all that are hidden still."""
        self._ends.update(dict.fromkeys(more, now + LINGER))
        self._ends = {place: end for place, end in self._ends.items() if end > now}
        return list(self._ends)

    def next_end(self) -> float | None:
        """When the first of them is not hidden any more."""
        return min(self._ends.values(), default=None)
