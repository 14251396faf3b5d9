"""Where windows have been between two looks at them.

The list of windows tells where they are now. A window that moves through three places between two frames, or opens and
closes, was in places that no list ever told; a compositor may be painting it there still, and a program that repaints
late leaves its pixels there. The server's events tell every place.
"""

import struct
from collections.abc import Iterable

from fastframe.geometry import Rect

_CREATE, _DESTROY, _UNMAP, _MAP, _REPARENT, _CONFIGURE = 16, 17, 18, 19, 21, 22
# More places than this of one window are told by the rectangle around them.
_MOST = 16
# More windows than this are too many to tell. So many come and go only where nobody asks for long.
_MOST_WINDOWS = 1024


class Tracks:
    """Places of the children of the root window since they were last asked for."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._areas: dict[int, Rect] = {}
        self._shown: set[int] = set()
        self._passed: dict[int, list[Rect]] | None = {}
        self._guarded: int | None = None
        self._away: set[int] = set()
        # Nobody asks as long as no window decides about what is shown.
        self._watching = False
        self.guarded_is_gone = False
        """Whether the window that `guard` named was closed since."""

    def guard(self, window: int) -> None:
        """Tell from now on whether this window is closed: its number may be another window's afterwards."""
        self._guarded, self.guarded_is_gone = window, False

    def take_in(self, kind: int, event: bytes) -> None:
        """Learn from an event about a window, or about a child of the root."""
        about, window = struct.unpack_from("<II", event, 4)
        if kind == _DESTROY:
            self.guarded_is_gone |= window == self._guarded
            self._away.discard(window)
        if about != self._root:
            return
        away = kind == _REPARENT and struct.unpack_from("<I", event, 12)[0] != self._root
        if away and self._watching:
            self._away.add(window)
        if away or kind == _DESTROY:
            self._areas.pop(window, None)
            self._shown.discard(window)
        elif kind == _UNMAP:
            self._shown.discard(window)
        elif kind == _MAP:
            self._shown.add(window)
            self._pass(window)
        elif kind in (_CREATE, _CONFIGURE):
            x, y, width, height, border = struct.unpack_from("<hhHHH", event, 12 if kind == _CREATE else 16)
            self._areas[window] = Rect(x, y, width + 2 * border, height + 2 * border)
            if window in self._shown:
                self._pass(window)

    def _pass(self, window: int) -> None:
        area = self._areas.get(window)
        if area and self._passed is not None:
            places = self._passed.setdefault(window, [])
            if len(self._passed) > _MOST_WINDOWS:
                self._passed = None
                return
            places.append(area)
            if len(places) > _MOST:
                x, y = min(each.x for each in places), min(each.y for each in places)
                right, bottom = max(each.right for each in places), max(each.bottom for each in places)
                places[:] = [Rect(x, y, right - x, bottom - y)]

    def begin(self, areas: Iterable[tuple[int, Rect, bool]]) -> None:
        """Take in all children as they are now, and whether they are mapped."""
        self._areas, self._shown, self._watching = {}, set(), True
        for window, area, shown in areas:
            self._areas[window] = area
            if shown:
                self._shown.add(window)

    def exists(self, window: int) -> bool:
        """Whether it is a child of the root still."""
        return window in self._areas

    def take_away(self) -> set[int]:
        """The windows that were put into other ones since the last time."""
        away, self._away = self._away, set()
        return away

    def take(self) -> dict[int, list[Rect]] | None:
        """Where each has been since the last time; `None`: anywhere, they were too many."""
        passed, self._passed = self._passed, {}
        return passed
