"""The windows on an X11 screen: where they are, what they are called, and which belong together.

The children of the root window are what lies on the screen. With a window manager most of them are frames, and the
window of the program, which has the class and the title, is one of a frame's children or grandchildren; the window
manager marks it with the property WM_STATE (ICCCM 4.1.3.1). Menus and tooltips are children of the root that belong to
the same client and that no window manager has framed.

A window may also be put into that of another program (XEmbed, `xterm -into`). What was once seen is looked for wherever
it is, so that it does not escape its mask in this way.
"""

import fnmatch
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fastframe.capture.region import moved, subtracted
from fastframe.capture.source import WindowPattern
from fastframe.capture.x11.server import Attributes, Looks, Server
from fastframe.capture.x11.xcb import Pending, RequestRefused
from fastframe.geometry import Rect

_GET_WINDOW_ATTRIBUTES, _GET_GEOMETRY, _QUERY_TREE, _INTERN_ATOM, _GET_PROPERTY = 3, 14, 15, 16, 20
_SHAPE_SELECT, _SHAPE_GET_RECTANGLES = 6, 8
# Atoms that every server has.
_WM_NAME, _WM_CLASS, _WM_TRANSIENT_FOR = 39, 67, 68
_INPUT_OUTPUT, _VIEWABLE = 1, 2
# Frames hold the window of the program at most so deep: KWin has a wrapper between them.
_DEPTH = 3
# A window that lies deeper than this in others is not looked for, and nothing is shown.
_DEEPEST = 64
# Longest title or class that is looked at, in words of four bytes.
_WORDS = 1024


@dataclass(slots=True, eq=False)
class Window:
    """A child of the root window that is on the screen."""

    id: int
    area: Rect
    """Where it is, its border included."""
    ids: set[int]
    """It, and the windows in it that were looked at."""
    clients: set[int] = field(default_factory=set)
    """Of these the ones that a program gave a class or a title."""
    classes: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    transient_for: set[int] = field(default_factory=set)
    managed: bool = False
    """Whether a window manager keeps it, so that it is no menu or tooltip."""
    override_redirect: bool = False
    parts: list[Rect] = field(default_factory=list)
    """What of its area it is drawn on: all, but for windows with a shape of their own (SHAPE). Of shared ones alone."""
    guests: list["Window"] = field(default_factory=list)
    """Windows of others that were put into it, at the area of the whole."""

    def hides(self, pattern: WindowPattern) -> bool:
        """Whether it fits, or something in it does."""
        return self.fits(pattern) or any(guest.fits(pattern) for guest in self.guests)

    def fits(self, pattern: WindowPattern) -> bool:
        """Whether all that a pattern asks for is true of it."""
        return (
            (pattern.id is None or pattern.id in self.ids)
            and (not pattern.window_class or _any_matches(self.classes, pattern.window_class))
            and (not pattern.title or _any_matches(self.titles, pattern.title))
        )


def _any_matches(texts: Iterable[str], pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(text.casefold(), pattern.casefold()) for text in texts)


class WindowList:
    """The windows of one server, looked at again when events say that something has happened to them.

    Parameters
    ----------
    server
        Where they are. While it is held nobody else is served; so of most windows only the place is read again.
    shared
        What is shared, if it is a window: of those that fit the shape is read too.
    """

    def __init__(self, server: Server, shared: WindowPattern | None) -> None:
        self._server = server
        self._shared = shared
        self._ask = server.connection.ask
        self._state, self._net_name = (
            self._ask(_INTERN_ATOM, 0, struct.pack("<HH", len(name), 0) + name + bytes(-len(name) % 4), _atom).get()
            for name in (b"WM_STATE", b"_NET_WM_NAME")
        )
        server.watched_properties = frozenset((_WM_NAME, _WM_CLASS, _WM_TRANSIENT_FOR, self._state, self._net_name))
        self._windows: list[Window] = []
        # All that were looked at and are not known to be gone.
        self._seen: set[int] = set()

    def read(self) -> list[Window]:
        """The windows that are on the screen, from the lowest to the topmost.

        Exact for as long as the server is held (`Server.hold`).

        Raises
        ------
        RequestRefused
            A window went away while it was looked at.
        """
        if self._server.read_events().windows:
            self._server.news.windows = False
            try:
                self._windows = self._walk()
            except BaseException:
                self._server.news.windows = True
                raise
        return self._windows

    def _walk(self) -> list[Window]:
        children = self._children([self._server.root])[0]
        self._seen |= self._server.tracks.take_away()
        windows = []
        level: list[tuple[int, Window]] = []
        looks = self._look_at(children)
        self._server.tracks.begin(
            (number, area, attributes.viewable) for number, (attributes, area) in zip(children, looks, strict=True)
        )
        for number, (attributes, area) in zip(children, looks, strict=True):
            if attributes.drawn and attributes.viewable:
                window = Window(number, area, {number}, override_redirect=attributes.override_redirect)
                windows.append(window)
                level.append((number, window))
        for depth in range(_DEPTH):
            unmanaged = self._read_properties(level)
            if depth == _DEPTH - 1 or not unmanaged:
                break
            inside = self._children_of([number for number, _ in unmanaged])
            level = [(child, window) for (_, window), found in zip(unmanaged, inside, strict=True) for child in found]
            for child, window in level:
                window.ids.add(child)
        self._find_guests({window.id: window for window in windows}, set(children))
        windows = [window for window in windows if not self._is_overlay(window)]
        if self._shared is not None:
            self._read_shapes(family(windows, self._shared, self._server.client_mask))
        return windows

    def _children(self, parents: Sequence[int]) -> list[tuple[int, ...]]:
        pending = [self._ask(_QUERY_TREE, 0, struct.pack("<I", parent), _tree) for parent in parents]
        return [answer.get() for answer in pending]

    def _children_of(self, parents: Sequence[int]) -> list[tuple[int, ...]]:
        """As events left them; of those that are looked into for the first time there are events from now on."""
        known = self._server.looked_at
        new = [parent for parent in parents if known[parent].children is None]
        for parent in new:
            self._server.select(parent, structure=True, properties=True, children=True)
        for parent, children in zip(new, self._children(new), strict=True):
            known[parent].children = children
        return [known[parent].children or () for parent in parents]

    def _look_at(self, numbers: Sequence[int]) -> list[tuple[Attributes, Rect]]:
        known = self._server.attributes
        places = [self._ask(_GET_GEOMETRY, 0, struct.pack("<I", number), _outer_geometry) for number in numbers]
        pending = [
            (number, self._ask(_GET_WINDOW_ATTRIBUTES, 0, struct.pack("<I", number), _attributes))
            for number in numbers
            if number not in known
        ]
        for number, answer in pending:
            known[number] = answer.get()
        return [(known[number], place.get()) for number, place in zip(numbers, places, strict=True)]

    def _find_guests(self, windows: dict[int, Window], children: set[int]) -> None:
        """Look for windows that were seen before, and are neither on the screen nor in what a window manager made."""
        found = {number for window in windows.values() for number in window.ids}
        lost = self._seen - found - children
        tops: dict[int, int] = {}
        above = {number: number for number in lost}
        for _ in range(_DEEPEST):
            pending = [
                (number, at, self._ask(_QUERY_TREE, 0, struct.pack("<I", at), _parent)) for number, at in above.items()
            ]
            above = {}
            for number, at, answer in pending:
                try:
                    parent = answer.get()
                except RequestRefused:
                    lost.discard(number)  # It is gone.
                    continue
                if parent == self._server.root:
                    tops[number] = at
                else:
                    above[number] = parent
            if not above:
                break
        else:
            raise RequestRefused(f"windows lie in each other more than {_DEEPEST} deep", limit=_DEEPEST)
        self._seen = found | lost | (self._seen & children)
        level = []
        for number, top in tops.items():
            if host := windows.get(top):
                guest = Window(number, host.area, {number})
                host.guests.append(guest)
                level.append((number, guest))
        self._read_properties(level)

    def _read_shapes(self, windows: Sequence[Window]) -> None:
        shape = self._server.shape
        if shape is None:
            for window in windows:
                window.parts = [window.area]
            return
        pending = []
        for window in windows:
            self._server.connection.tell(shape.opcode, _SHAPE_SELECT, struct.pack("<IBxxx", window.id, 1))
            bounding = struct.pack("<IBxxx", window.id, 0)
            pending.append(
                (
                    window,
                    self._ask(shape.opcode, _SHAPE_GET_RECTANGLES, bounding, _shape),
                    self._ask(_GET_GEOMETRY, 0, struct.pack("<I", window.id), _border),
                )
            )
        for window, answer, border in pending:
            width = border.get()
            window.parts = moved(answer.get(), window.area.x + width, window.area.y + width)

    def _read_properties(self, level: list[tuple[int, Window]]) -> list[tuple[int, Window]]:
        """Add to each window what its member at this level says. Returns those that no window manager has marked."""
        names = (self._state, _WM_CLASS, _WM_NAME, self._net_name, _WM_TRANSIENT_FOR)
        known = self._server.looked_at
        pending = []
        for number, _ in level:
            if number not in known:
                # Before they are read, so that no change goes by unseen.
                self._server.select(number, structure=True, properties=True)
                pending.append((number, [self._property(number, name) for name in names]))
        for number, answers in pending:
            known[number] = Looks(tuple([answer.get() for answer in answers]))
        unmanaged = []
        for number, window in level:
            state, window_class, name, net_name, transient = known[number].properties
            window.classes += _texts(window_class)
            window.titles += _texts(name, "latin-1") + _texts(net_name)
            if len(transient) == 4:
                window.transient_for.add(struct.unpack("<I", transient)[0])
            if state or window_class or name or net_name:
                window.clients.add(number)
            if state:
                window.managed = True
            else:
                unmanaged.append((number, window))
        return unmanaged

    def _property(self, window: int, name: int) -> Pending[bytes]:
        return self._ask(_GET_PROPERTY, 0, struct.pack("<IIIII", window, name, 0, 0, _WORDS), _value)

    def _is_overlay(self, window: Window) -> bool:
        """Whether it is what a compositor paints the whole desktop on, which lies above all windows and hides none."""
        # The server itself makes it, and no other window below the root.
        return not window.id & self._server.client_mask


def family(
    windows: Sequence[Window],
    pattern: WindowPattern,
    client_mask: int,
    *,
    absent: Sequence[Window] = (),
    guests: bool = False,
) -> list[Window]:
    """The windows that fit a pattern, with their dialogs, menus and tooltips.

    `absent` are windows that fit and are not on the screen now, whose dialogs may be. With `guests` windows count too
    that have something in them which fits.
    """
    members = [window for window in windows if (window.hides(pattern) if guests else window.fits(pattern))]
    if not members and not absent:
        return []
    owners = owners_of([*members, *absent], client_mask, guests=guests)
    ids = {number for window in (*members, *absent) for number in window.ids}
    if guests:
        ids |= {number for window in members for guest in window.guests for number in guest.ids}
    while True:
        more = [
            window
            for window in windows
            if window not in members
            and (
                window.transient_for & ids
                or (window.override_redirect and not window.managed and window.id & client_mask in owners)
            )
        ]
        if not more:
            return members
        members += more
        ids |= {number for window in more for number in window.ids}


def owners_of(windows: Iterable[Window], client_mask: int, *, guests: bool) -> set[int]:
    """The programs that windows belong to, and with `guests` those of what was put into them."""
    all_of_them = [each for window in windows for each in (window, *(window.guests if guests else ()))]
    return {number & client_mask for window in all_of_them for number in window.clients or window.ids}


def covered_by_others(windows: Sequence[Window], shown: Window, members: Sequence[Window]) -> list[Rect]:
    """What of a window's place on the screen shows other windows than its family."""
    # Through the holes of a window that has a shape what lies behind it is seen.
    others = subtracted([shown.area], shown.parts)
    for window in windows[windows.index(shown) + 1 :]:
        if window in members:
            others = subtracted(others, window.parts)
        elif part := window.area.intersect(shown.area):
            others.append(part)
    return others


def _atom(reply: bytes) -> int:
    return int(struct.unpack_from("<I", reply, 8)[0])


def _tree(reply: bytes) -> tuple[int, ...]:
    (count,) = struct.unpack_from("<H", reply, 16)
    return struct.unpack_from(f"<{count}I", reply, 32)


def _parent(reply: bytes) -> int:
    return int(struct.unpack_from("<I", reply, 12)[0])


def _attributes(reply: bytes) -> Attributes:
    (window_class,) = struct.unpack_from("<H", reply, 12)
    return Attributes(window_class == _INPUT_OUTPUT, reply[26] == _VIEWABLE, bool(reply[27]))


def _outer_geometry(reply: bytes) -> Rect:
    x, y, width, height, border = struct.unpack_from("<hhHHH", reply, 12)
    return Rect(x, y, width + 2 * border, height + 2 * border)


def _border(reply: bytes) -> int:
    return int(struct.unpack_from("<H", reply, 20)[0])


def _shape(reply: bytes) -> list[Rect]:
    (count,) = struct.unpack_from("<I", reply, 8)
    return [Rect(*struct.unpack_from("<hhHH", reply, 32 + 8 * index)) for index in range(count)]


def _value(reply: bytes) -> bytes:
    (length,) = struct.unpack_from("<I", reply, 16)
    return reply[32 : 32 + length * (reply[1] // 8)]


def _texts(value: bytes, encoding: str = "utf-8") -> list[str]:
    return [text.decode(encoding, "replace") for text in value.split(b"\0") if text]
