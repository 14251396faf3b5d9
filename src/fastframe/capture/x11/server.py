"""What fastframe asks of an X server: its layout, its damage, its pixels and its pointer.

The requests are those of the core protocol and of the extensions MIT-SHM, DAMAGE, XFIXES, XINPUT and RANDR; the numbers
are theirs, from the protocol descriptions of X.Org (xorgproto). A server that lacks an extension gives less: without
DAMAGE nobody knows what has changed, without MIT-SHM pixels come through the socket, without RANDR there is one
monitor, without XFIXES no pointer.
"""

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fastframe.capture.layout import Layout, Monitor
from fastframe.capture.region import simplified
from fastframe.capture.source import CursorShape, Display
from fastframe.capture.x11.shm import Segment
from fastframe.capture.x11.tracks import Tracks
from fastframe.capture.x11.xcb import Area, Connection, Extension, Pending, RequestRefused
from fastframe.errors import PermanentCaptureError
from fastframe.geometry import Rect

if TYPE_CHECKING:
    from fastframe._xcb import ChangesRequest

# Core requests.
_CHANGE_WINDOW_ATTRIBUTES, _GET_GEOMETRY, _GET_ATOM_NAME = 2, 14, 17
_GRAB_SERVER, _UNGRAB_SERVER, _QUERY_POINTER, _GET_IMAGE = 36, 37, 38, 73
# Of MIT-SHM, DAMAGE, XFIXES, RANDR, XINPUT. The version is asked for with 0 but for the last.
_SHM_DETACH, _SHM_GET_IMAGE, _SHM_ATTACH_FD = 2, 4, 6
_DAMAGE_CREATE, _DAMAGE_SUBTRACT = 1, 3
_XFIXES_SELECT_CURSOR, _XFIXES_GET_CURSOR, _XFIXES_CREATE_REGION, _XFIXES_FETCH_REGION = 3, 4, 5, 19
_RANDR_SELECT, _RANDR_GET_MONITORS = 4, 42
_XINPUT_SELECT, _XINPUT_QUERY_VERSION = 46, 47

_EVENT_MASK = 0x800
_STRUCTURE_NOTIFY, _SUBSTRUCTURE_NOTIFY, _PROPERTY_CHANGE = 0x20000, 0x80000, 0x400000
_CREATE_NOTIFY, _DESTROY_NOTIFY, _REPARENT_NOTIFY, _CONFIGURE_NOTIFY, _PROPERTY_NOTIFY = 16, 17, 21, 22, 28
# CreateNotify to CirculateNotify: something happened to a window.
_WINDOW_EVENTS = range(16, 27)
_Z_PIXMAP, _ALL_PLANES = 2, 0xFFFFFFFF
_BOUNDING_BOX = 2
_GENERIC_EVENT, _RAW_MOTION, _ALL_MASTER_DEVICES = 35, 17, 1
_MOST_RECTANGLES = 256
# Damage that grows by more rows than this at once leaves out rows in between: those would take as long to read as it
# takes to ask which they are.
_LEAP = 96
_AREA = struct.Struct("<hhHH")
_SHM_PIXELS = struct.Struct("<IhhHHIBxxxII")


@dataclass(slots=True)
class News:
    """What events have told since it was last reset."""

    layout: bool = True
    damage: Rect | None = None
    """What has changed lies in it, in pixels of the screen."""
    sparse: bool = False
    """Much of what lies in `damage` may not have changed."""
    windows: bool = True
    cursor: bool = True
    """The shape of the pointer is not the one that was read last."""
    pointer: bool = False
    """The pointer has moved or changed its shape, and nobody was told so yet."""


@dataclass(slots=True)
class Looks:
    """What was read of a window.

    Parameters
    ----------
    properties
        Their values, in the order in which they are asked for.
    children
        The windows in it; `None`: nobody has asked.
    """

    properties: tuple[bytes, ...]
    children: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Attributes:
    """How a child of the root is shown.

    Parameters
    ----------
    drawn
        Whether it can be: others are for input alone.
    viewable
        Whether it is now.
    override_redirect
        Whether window managers leave it alone.
    """

    drawn: bool
    viewable: bool
    override_redirect: bool


class Server:
    """One connection, with what it takes to capture the screen.

    Parameters
    ----------
    connection
        The connection, closed with the server.

    Raises
    ------
    PermanentCaptureError
        Its pixels are of a kind that cannot be captured.
    ConnectionLost
        It does not answer, or is gone.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        try:
            self._open()
        except BaseException:
            self.connection.close()
            raise

    def _open(self) -> None:
        connection = self.connection
        self.client_mask, self.root = _read_setup(connection.setup, connection.screen)
        self.news = News()
        self.tracks = Tracks(self.root)
        self.watched_properties: frozenset[int] = frozenset()
        self.looked_at: dict[int, Looks] = {}
        """What was read of windows, by their numbers; gone once events say that it is out of date."""
        self.attributes: dict[int, Attributes] = {}
        """What was read of children of the root, likewise."""
        self.layout = Layout(Rect(0, 0, 1, 1), ())
        self._shm = connection.query_extension("MIT-SHM") if connection.is_local else None
        self._damage_extension = connection.query_extension("DAMAGE")
        self._xfixes = connection.query_extension("XFIXES")
        self._randr = connection.query_extension("RANDR")
        self.shape = connection.query_extension("SHAPE")
        self.is_xwayland = connection.query_extension("XWAYLAND") is not None
        """Whether it serves X11 programs on a Wayland desktop, and knows only these. Old ones do not say so."""
        self.select(self.root, structure=True, children=True)
        # Memory by its descriptor came with 1.2 of MIT-SHM; older servers take it by a number that others can try as
        # well.
        if self._shm and (not hasattr(os, "memfd_create") or self._version(self._shm, b"", "<HH") < (1, 2)):
            self._shm = None
        if self._xfixes:
            # The version that we speak; regions came with 2.
            self._version(self._xfixes, struct.pack("<II", 5, 0), "<II")
            connection.tell(self._xfixes.opcode, _XFIXES_SELECT_CURSOR, struct.pack("<II", self.root, 1))
        # The pointer is moved: only raw events of the input extension tell it whatever window it is over.
        self._xinput = connection.query_extension("XInputExtension")
        if self._xinput:
            version = struct.pack("<HH", 2, 2)
            self._version(self._xinput, version, "<HH", _XINPUT_QUERY_VERSION)
            motion = struct.pack("<IHxxHHI", self.root, 1, _ALL_MASTER_DEVICES, 1, 1 << _RAW_MOTION)
            connection.tell(self._xinput.opcode, _XINPUT_SELECT, motion)
        if self._randr:
            if self._version(self._randr, struct.pack("<II", 1, 5), "<II") < (1, 5):
                self._randr = None
            else:
                connection.tell(self._randr.opcode, _RANDR_SELECT, struct.pack("<IHH", self.root, 7, 0))
        self.has_damage = False
        """Whether the server tells what has changed."""
        # No event has this code.
        self._damage_kind = -1
        self._changes_request: ChangesRequest | None = None
        if self._damage_extension and self._xfixes:
            self._version(self._damage_extension, struct.pack("<II", 1, 1), "<II")
            damage, region = connection.new_id(), connection.new_id()
            create = struct.pack("<IIBxxx", damage, self.root, _BOUNDING_BOX)
            connection.tell_and_check(self._damage_extension.opcode, _DAMAGE_CREATE, create)
            connection.tell_and_check(self._xfixes.opcode, _XFIXES_CREATE_REGION, struct.pack("<I", region))
            take = struct.pack("<III", damage, 0, region)
            self._take = self._damage_extension.opcode, _DAMAGE_SUBTRACT, take
            self._fetch = self._xfixes.opcode, _XFIXES_FETCH_REGION, struct.pack("<I", region)
            self._damage_kind = self._damage_extension.first_event
            self.has_damage = True
            if self._shm:
                anywhere = self._shm.opcode, _SHM_GET_IMAGE, self._pixels_request(Rect(0, 0, 0, 0), 0, 0)
                self._changes_request = connection.changes_request(
                    self._damage_kind, _LEAP, self._take, self._fetch, anywhere
                )

    def _version(self, extension: Extension, payload: bytes, layout: str, request: int = 0) -> tuple[int, int]:
        def parse(reply: bytes) -> tuple[int, int]:
            major, minor = struct.unpack_from(layout, reply, 8)
            return major, minor

        return self.connection.ask(extension.opcode, request, payload, parse).get()

    @property
    def has_shm(self) -> bool:
        """Whether the server writes pixels into memory of ours."""
        return self._shm is not None

    def select(self, window: int, *, structure: bool = False, properties: bool = False, children: bool = False) -> None:
        """Say about what of a window there shall be events: where it is, its properties, where its children are."""
        mask = structure * _STRUCTURE_NOTIFY | properties * _PROPERTY_CHANGE | children * _SUBSTRUCTURE_NOTIFY
        self.connection.tell(_CHANGE_WINDOW_ATTRIBUTES, 0, struct.pack("<III", window, _EVENT_MASK, mask))

    def read_events(self) -> News:
        """Take in what the server has told by now."""
        news = self.news
        events, told, leapt = self.connection.events(self._damage_kind, news.damage, _LEAP)
        self._note(events, told, leapt)
        return news

    def ask_changes(self, area: Rect, segment: Segment, wanted: tuple[int, int], gap: int) -> tuple[int, int] | None:
        """Take in what the server has told, and ask at once for damage and pixels if there is nothing else to decide.

        Parameters
        ----------
        area
            The picture, in pixels of the screen.
        segment
            Where it lies.
        wanted
            Rows of it (first, end excluded) that are asked for in any case.
        gap
            Rows that are so far apart are not read together.

        Returns
        -------
        The rows that are on their way, for `receive_changes`: damage that counts as seen, and pixels that are at least
        what these changes made of them. `None`: nothing is, and `news` tells what there is to decide.
        """
        news = self.news
        # Where damage is sparse, what has not changed is dear as well.
        if self._changes_request is None or news.sparse:
            return None
        events, told, leapt, rows = self.connection.ask_changes(
            self._changes_request, news.damage, area, segment.number, wanted, gap
        )
        self._note(events, told, leapt)
        return rows

    def receive_changes(self) -> tuple[list[Rect], bool]:
        """What `ask_changes` has asked for, and take in what the server has told meanwhile.

        Returns
        -------
        What has changed, in pixels of the picture, and whether all of that lies in the rows that were read.
        """
        assert self._changes_request is not None
        changed, inside, events, told, leapt = self.connection.receive_changes(self._changes_request)
        self._note(events, told, leapt)
        return _rectangles(changed), inside

    def _note(self, events: list[bytes], told: Area | None, leapt: bool) -> None:
        """Take in events, and what damage they told of."""
        self.news.damage = None if told is None else Rect(*told)
        self.news.sparse |= leapt
        if events:
            self._take_in(events)

    def _take_in(self, events: list[bytes]) -> None:
        """Take in events that are not of damage."""
        news = self.news
        for event in events:
            kind = event[0] & 0x7F
            if self._xfixes and kind == self._xfixes.first_event + 1:
                news.cursor = news.pointer = True
            elif self._randr and kind in (self._randr.first_event, self._randr.first_event + 1):
                news.layout = True
            elif self.shape and kind == self.shape.first_event:
                news.windows = True
            elif kind == _GENERIC_EVENT:
                # The only ones that we have asked for: the pointer is moved.
                news.pointer = True
            elif kind == _PROPERTY_NOTIFY:
                window, name = struct.unpack_from("<II", event, 4)
                if name in self.watched_properties:
                    news.windows = True
                    self.looked_at.pop(window, None)
            elif kind in _WINDOW_EVENTS:
                about, window = struct.unpack_from("<II", event, 4)
                if kind in (_CREATE_NOTIFY, _DESTROY_NOTIFY, _REPARENT_NOTIFY):
                    news.windows = True
                    self.looked_at.pop(about, None)
                    self.looked_at.pop(window, None)
                if about == self.root:
                    news.windows = True
                    self.attributes.pop(window, None)
                self.tracks.take_in(kind, event)
                # Of the root itself, not of one of its children: the screen has another size.
                if kind == _CONFIGURE_NOTIFY and about == window == self.root:
                    news.layout = True

    def read_layout(self) -> None:
        """Learn the screen's size and the monitors anew."""
        self.news.layout = False
        geometry = self.connection.ask(_GET_GEOMETRY, 0, struct.pack("<I", self.root), _geometry)
        monitors = None
        if self._randr:
            active = struct.pack("<IBxxx", self.root, 1)
            monitors = self.connection.ask(self._randr.opcode, _RANDR_GET_MONITORS, active, _monitors)
        screen = geometry.get()
        listed = monitors.get() if monitors else []
        names = [self.connection.ask(_GET_ATOM_NAME, 0, struct.pack("<I", name), _atom_name) for name, _, _ in listed]
        displays = [
            Display(number, name.get(), area, primary)
            for number, (name, (_, primary, area)) in enumerate(zip(names, listed, strict=True), 1)
        ] or [Display(1, "", screen, True)]
        # RandR sees to it that no two have the same name.
        self.layout = Layout(screen, tuple(Monitor(each, (each.name,), each.name) for each in displays))

    def ask_damage(self) -> Pending[list[Rect]]:
        """What has changed since the last time, in pixels of the screen; from now on it counts as seen.

        Whoever asks for pixels after that gets at least what these changes made of them. Only where `has_damage`.
        """
        self.news.damage, self.news.sparse = None, False
        self.connection.tell(*self._take)
        return self.connection.ask(*self._fetch, lambda reply: _rectangles(reply[32:]))

    def share(self, size: int) -> Segment:
        """Memory for pixels, into which the server writes where it can."""
        if self._shm:
            descriptor = self.connection.new_memory()
            segment = Segment(size, self.connection.new_id(), descriptor.fileno())
            attach = struct.pack("<IBxxx", segment.number, 0)
            try:
                self.connection.tell_and_check(self._shm.opcode, _SHM_ATTACH_FD, attach, descriptor)
                return segment
            except RequestRefused:
                self._shm = self._changes_request = None
        return Segment(size)

    def unshare(self, segment: Segment) -> None:
        """Tell the server to forget memory that it wrote pixels into."""
        if self._shm and segment.number:
            self.connection.tell(self._shm.opcode, _SHM_DETACH, struct.pack("<I", segment.number))

    def read_pixels(self, area: Rect, segment: Segment, offset: int) -> Pending[None]:
        """Have a rectangle of the screen written to a segment, row after row without gaps, from byte `offset` on.

        Getting the answer raises `RequestRefused` where the rectangle does not lie in the screen.
        """
        if self._shm and segment.number:
            request = self._pixels_request(area, segment.number, offset)
            return self.connection.ask(self._shm.opcode, _SHM_GET_IMAGE, request, _nothing)
        size = 4 * area.width * area.height

        def copy(reply: bytes) -> None:
            segment.memory[offset : offset + size] = reply[32 : 32 + size]

        place = struct.pack("<IhhHHI", self.root, *area, _ALL_PLANES)
        return self.connection.ask(_GET_IMAGE, _Z_PIXMAP, place, copy)

    def _pixels_request(self, area: Rect, segment: int, offset: int) -> bytes:
        return _SHM_PIXELS.pack(self.root, *area, _ALL_PLANES, _Z_PIXMAP, segment, offset)

    def hold(self) -> None:
        """Have the server serve nobody else until `release`, and take in all that happened before."""
        self.connection.tell(_GRAB_SERVER, 0, b"")
        self.connection.synchronize()

    def release(self) -> None:
        """Let the server go on."""
        self.connection.tell(_UNGRAB_SERVER, 0, b"")
        self.connection.flush()

    def pointer(self, *, hurry: bool = True) -> tuple[int, int]:
        """Where the pointer is on the screen."""
        return self.connection.ask(_QUERY_POINTER, 0, struct.pack("<I", self.root), _pointer).get(hurry=hurry)

    def cursor_shape(self) -> CursorShape | None:
        """What the pointer looks like; `None`: the server does not tell.

        Servers refuse to show a cursor that belonged to a program which has ended.
        """
        self.news.cursor = False
        if not self._xfixes:
            return None
        try:
            return self.connection.ask(self._xfixes.opcode, _XFIXES_GET_CURSOR, b"", _cursor).get()
        except RequestRefused:
            return None

    def close(self) -> None:
        """Disconnect; may be called again."""
        self.connection.close()


def _read_setup(setup: bytes, number: int) -> tuple[int, int]:
    """Which bits of a resource's number tell the client, and the root window.

    Raises
    ------
    PermanentCaptureError
        Its pixels are not blue, green, red and a byte without meaning.
    """
    (mask,) = struct.unpack_from("<I", setup, 16)
    vendor, _, screens, formats, byte_order = struct.unpack_from("<HHBBB", setup, 24)
    position = 40 + vendor + (-vendor % 4)
    bits = {}
    for _ in range(formats):
        depth, bits_per_pixel = setup[position : position + 2]
        bits[depth] = bits_per_pixel
        position += 8
    for index in range(screens):
        (root,) = struct.unpack_from("<I", setup, position)
        (root_visual,) = struct.unpack_from("<I", setup, position + 32)
        root_depth, depths = setup[position + 38 : position + 40]
        position += 40
        masks: dict[int, tuple[int, ...]] = {}
        for _ in range(depths):
            (visuals,) = struct.unpack_from("<H", setup, position + 2)
            position += 8
            for _ in range(visuals):
                masks[struct.unpack_from("<I", setup, position)[0]] = struct.unpack_from("<III", setup, position + 8)
                position += 24
        if index == number:
            layout = masks.get(root_visual, (0, 0, 0))
            if bits.get(root_depth) != 32 or layout != (0xFF0000, 0xFF00, 0xFF) or byte_order != 0:
                raise PermanentCaptureError(
                    f"the screen has {root_depth} bits of colour; only those of 24 bits, blue first, can be captured",
                    expected=24,
                    actual=root_depth,
                )
            return ~mask & 0xFFFFFFFF, root
    raise PermanentCaptureError(f"the display has no screen {number}", actual=number, limit=screens)


def _nothing(reply: bytes) -> None:
    return None


def _geometry(reply: bytes) -> Rect:
    """Of a window, in its parent."""
    return Rect(*struct.unpack_from("<hhHH", reply, 12))


def _atom_name(reply: bytes) -> str:
    (length,) = struct.unpack_from("<H", reply, 8)
    return reply[32 : 32 + length].decode("utf-8", "replace")


def _monitors(reply: bytes) -> list[tuple[int, bool, Rect]]:
    """The atom of the name, whether it is the primary one, and the place, of each."""
    (count,) = struct.unpack_from("<I", reply, 12)
    monitors = []
    position = 32
    for _ in range(count):
        name, primary, _, outputs, *area = struct.unpack_from("<IBBHhhHH", reply, position)
        monitors.append((name, bool(primary), Rect(*area)))
        position += 24 + 4 * outputs
    return monitors


def _rectangles(told: bytes) -> list[Rect]:
    """Rectangles as X has them, or if they are many a region around them."""
    if len(told) <= _AREA.size * _MOST_RECTANGLES:
        return [Rect(*place) for place in _AREA.iter_unpack(told)]
    # A screen full of small changes has tens of thousands.
    place = np.frombuffer(told, np.int16).reshape(-1, 4).astype(np.int32)
    place[:, 2:] &= 0xFFFF
    return simplified(place, _MOST_RECTANGLES)


def _pointer(reply: bytes) -> tuple[int, int]:
    x, y = struct.unpack_from("<hh", reply, 16)
    return x, y


def _cursor(reply: bytes) -> CursorShape:
    width, height, left, top, serial = struct.unpack_from("<HHHHI", reply, 12)
    pixels = np.frombuffer(reply, np.uint8, 4 * width * height, 32).reshape(height, width, 4)
    return CursorShape(serial, straight_alpha(pixels), (left, top))


def straight_alpha(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Colours as they were before they were multiplied with alpha, rounded to the nearest; read-only.

    Parameters
    ----------
    pixels
        (height, width, 4) uint8: blue, green, red, alpha.
    """
    alpha = pixels[..., 3:].astype(np.uint32)
    colours = (pixels[..., :3] * np.uint32(255) + alpha // 2) // np.maximum(alpha, 1)
    straight = np.concatenate([np.minimum(colours, 255), alpha], axis=2).astype(np.uint8)
    straight.flags.writeable = False
    return straight
