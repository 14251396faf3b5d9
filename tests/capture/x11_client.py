"""A program that draws: an X client of the tests, and what another program, `xwd`, sees of the screen."""

import random
import struct
import subprocess

import numpy as np
from numpy.typing import NDArray

from fastframe import Rect
from fastframe.capture.x11.xcb import Attempt, Connection

_CREATE_WINDOW, _CHANGE_ATTRIBUTES, _DESTROY, _REPARENT, _MAP, _UNMAP, _CONFIGURE = 1, 2, 4, 7, 8, 10, 12
_QUERY_TREE, _INTERN_ATOM, _CHANGE_PROPERTY, _SET_SELECTION_OWNER = 15, 16, 18, 22
_CREATE_PIXMAP, _CREATE_GC, _CHANGE_GC, _COPY_AREA, _FILL, _PUT_IMAGE = 53, 55, 56, 62, 70, 72
_GRAB_SERVER, _UNGRAB_SERVER, _WARP_POINTER = 36, 37, 41
_STRING, _WM_NAME, _WM_CLASS, _WM_TRANSIENT_FOR, _WINDOW = 31, 39, 67, 68, 33


class Client:
    """One X client that makes windows and draws into them."""

    def __init__(self, display: str) -> None:
        self.connection = Connection(Attempt(display).wait(10), 10)
        self.root = self._first_root()
        self._gc = self.connection.new_id()
        # Drawing into the root window goes over its children.
        self.connection.tell(_CREATE_GC, 0, struct.pack("<IIII", self._gc, self.root, 0x8000, 1))

    def _first_root(self) -> int:
        setup = self.connection.setup
        vendor, _, _, formats = struct.unpack_from("<HHBB", setup, 24)
        return int(struct.unpack_from("<I", setup, 40 + vendor + (-vendor % 4) + 8 * formats)[0])

    def window(
        self,
        area: Rect,
        colour: int = 0,
        *,
        title: str = "",
        window_class: str = "",
        transient_for: int = 0,
        override_redirect: bool = False,
        parent: int | None = None,
        background: bool = True,
    ) -> int:
        """A window on the screen; without a background it keeps what was there before."""
        number = self.connection.new_id()
        mask = 0x200 | (0x2 if background else 0)
        values = [colour] if background else []
        payload = struct.pack("<IIhhHHHHII", number, self.root if parent is None else parent, *area, 0, 1, 0, mask)
        values.append(override_redirect)
        self.connection.tell(_CREATE_WINDOW, 0, payload + struct.pack(f"<{len(values)}I", *values))
        if title:
            self.title(number, title)
        if window_class:
            self.text(number, _WM_CLASS, f"{window_class.lower()}\0{window_class}\0")
        if transient_for:
            payload = struct.pack("<IIIBxxxII", number, _WM_TRANSIENT_FOR, _WINDOW, 32, 1, transient_for)
            self.connection.tell(_CHANGE_PROPERTY, 0, payload)
        self.connection.tell(_MAP, 0, struct.pack("<I", number))
        self.connection.synchronize()
        return number

    def atom(self, name: str) -> int:
        """The number of a name."""
        raw = name.encode()
        payload = struct.pack("<HH", len(raw), 0) + raw + bytes(-len(raw) % 4)
        return self.connection.ask(
            _INTERN_ATOM, 0, payload, lambda reply: int(struct.unpack_from("<I", reply, 8)[0])
        ).get()

    def manage(self, window: int) -> None:
        """Mark a window as a window manager does with those that it keeps."""
        state = self.atom("WM_STATE")
        self.connection.tell(_CHANGE_PROPERTY, 0, struct.pack("<IIIBxxxIII", window, state, state, 32, 2, 1, 0))
        self.connection.synchronize()

    def own(self, selection: str, window: int) -> None:
        """Take a selection, as compositors do to tell that they run."""
        self.connection.tell(_SET_SELECTION_OWNER, 0, struct.pack("<III", window, self.atom(selection), 0))
        self.connection.synchronize()

    def shape(self, window: int, *parts: Rect) -> None:
        """Give a window a shape: it is drawn on these parts of it alone."""
        extension = self.connection.query_extension("SHAPE")
        assert extension is not None
        rectangles = b"".join(struct.pack("<hhHH", *part) for part in parts)
        self.connection.tell(extension.opcode, 1, struct.pack("<BBBxIhh", 0, 0, 0, window, 0, 0) + rectangles)
        self.connection.synchronize()

    def children(self) -> tuple[int, ...]:
        """All windows on the screen, those that are not shown too."""

        def parse(reply: bytes) -> tuple[int, ...]:
            return struct.unpack_from(f"<{struct.unpack_from('<H', reply, 16)[0]}I", reply, 32)

        return self.connection.ask(_QUERY_TREE, 0, struct.pack("<I", self.root), parse).get()

    def text(self, window: int, name: int, value: str) -> None:
        """Set a property."""
        raw = value.encode("latin-1")
        payload = struct.pack("<IIIBxxxI", window, name, _STRING, 8, len(raw)) + raw + bytes(-len(raw) % 4)
        self.connection.tell(_CHANGE_PROPERTY, 0, payload)
        self.connection.synchronize()

    def title(self, window: int, title: str) -> None:
        """Give a window another title."""
        self.text(window, _WM_NAME, title)

    def place(self, window: int, area: Rect) -> None:
        """Move and resize a window, without waiting for the server."""
        payload = struct.pack("<IHxxiiII", window, 15, *area)
        self.connection.tell(_CONFIGURE, 0, payload)

    def top(self, window: int) -> None:
        """Put a window before all others."""
        self.connection.tell(_CONFIGURE, 0, struct.pack("<IHxxI", window, 64, 0))

    def map(self, window: int) -> None:
        """Show a window again."""
        self.connection.tell(_MAP, 0, struct.pack("<I", window))

    def unmap(self, window: int) -> None:
        """Take a window from the screen."""
        self.connection.tell(_UNMAP, 0, struct.pack("<I", window))

    def reparent(self, window: int, parent: int, x: int, y: int) -> None:
        """Put a window into another one."""
        self.connection.tell(_REPARENT, 0, struct.pack("<IIhh", window, parent, x, y))

    def destroy(self, window: int) -> None:
        """Close a window."""
        self.connection.tell(_DESTROY, 0, struct.pack("<I", window))

    def fill(self, window: int, area: Rect, colour: int) -> None:
        """Draw a rectangle."""
        self.connection.tell(_CHANGE_GC, 0, struct.pack("<III", self._gc, 0x4, colour))
        self.connection.tell(_FILL, 0, struct.pack("<IIhhHH", window, self._gc, *area))

    def copy(self, window: int, area: Rect, x: int, y: int) -> None:
        """Copy a rectangle to another place, as scrolling does."""
        payload = struct.pack("<IIIhhhhHH", window, window, self._gc, area.x, area.y, x, y, area.width, area.height)
        self.connection.tell(_COPY_AREA, 0, payload)

    def image(self, window: int, x: int, y: int, pixels: NDArray[np.uint8]) -> None:
        """Draw a picture, (height, width, 4) BGRX."""
        height, width = pixels.shape[:2]
        payload = struct.pack("<IIHHhhBBxx", window, self._gc, width, height, x, y, 0, 24)
        self.connection.tell(_PUT_IMAGE, 2, payload + pixels.tobytes())

    def pointer(self, pixels: NDArray[np.uint8], hotspot: tuple[int, int]) -> None:
        """Give the pointer a shape, (height, width, 4) BGRA with colours multiplied by alpha."""
        height, width = pixels.shape[:2]
        render = self.connection.query_extension("RENDER")
        assert render is not None
        formats = self.connection.ask(render.opcode, 1, b"", bytes).get()
        argb = next(
            struct.unpack_from("<I", formats, at)[0]
            for at in range(32, len(formats), 28)
            if formats[at + 4 : at + 6] == b"\1\x20"
            and struct.unpack_from("<8H", formats, at + 8)[::2] == (16, 8, 0, 24)
        )
        pixmap, gc, picture, cursor = (self.connection.new_id() for _ in range(4))
        self.connection.tell(_CREATE_PIXMAP, 32, struct.pack("<IIHH", pixmap, self.root, width, height))
        self.connection.tell(_CREATE_GC, 0, struct.pack("<III", gc, pixmap, 0))
        image = struct.pack("<IIHHhhBBxx", pixmap, gc, width, height, 0, 0, 0, 32)
        self.connection.tell(_PUT_IMAGE, 2, image + pixels.tobytes())
        self.connection.tell(render.opcode, 4, struct.pack("<IIII", picture, pixmap, argb, 0))
        self.connection.tell(render.opcode, 27, struct.pack("<IIHH", cursor, picture, *hotspot))
        self.connection.tell(_CHANGE_ATTRIBUTES, 0, struct.pack("<III", self.root, 0x4000, cursor))
        self.connection.synchronize()

    def move_pointer(self, x: int, y: int) -> None:
        """Move the pointer as a mouse would."""
        xtest = self.connection.query_extension("XTEST")
        assert xtest is not None
        self.connection.tell(xtest.opcode, 2, struct.pack("<BBxxIIxxxxxxxxhhxxxxxxxx", 6, 0, 0, self.root, x, y))
        self.connection.synchronize()

    def place_pointer(self, x: int, y: int) -> None:
        """Put the pointer somewhere, as programs can."""
        self.connection.tell(_WARP_POINTER, 0, struct.pack("<IIhhHHhh", 0, self.root, 0, 0, 0, 0, x, y))
        self.connection.synchronize()

    def synchronize(self) -> None:
        """Wait until all of it has been drawn."""
        self.connection.synchronize()

    def hold(self) -> None:
        """Have the server serve nobody else until `release`."""
        self.connection.tell(_GRAB_SERVER, 0, b"")

    def release(self) -> None:
        """Let it go on with the others."""
        self.connection.tell(_UNGRAB_SERVER, 0, b"")
        self.connection.flush()

    def close(self) -> None:
        """Leave; the windows go with us."""
        self.connection.close()


class Scribbler:
    """Draws something different with each step: rectangles, pictures, copies, windows that come, move and go."""

    def __init__(self, client: Client, size: tuple[int, int], seed: int) -> None:
        self._client = client
        self._width, self._height = size
        self._random = random.Random(seed)
        self._pixels = np.random.default_rng(seed)
        self._windows = [client.window(self._area(), self._random.getrandbits(24)) for _ in range(4)]

    def _area(self, most: int = 300) -> Rect:
        pick = self._random.randint
        return Rect(
            pick(-50, self._width - 1),
            pick(-50, self._height - 1),
            pick(1, self._random.choice((20, most))),
            pick(1, most),
        )

    def step(self) -> None:
        """Draw one thing, without waiting for the server."""
        client, pick = self._client, self._random
        where = pick.choice([client.root, client.root, *self._windows])
        match pick.randrange(8):
            case 0 | 1:
                client.fill(where, self._area(), pick.getrandbits(24))
            case 2:
                shape = (pick.randint(1, 60), pick.randint(1, 80), 4)
                client.image(where, *self._area()[:2], self._pixels.integers(0, 256, shape, np.uint8))
            case 3:
                client.copy(where, self._area(), *self._area()[:2])
            case 4:
                client.place(pick.choice(self._windows), self._area())
            case 5:
                client.top(pick.choice(self._windows))
            case 6:
                client.unmap(pick.choice(self._windows))
            case 7:
                client.map(pick.choice(self._windows))


def xwd(display: str) -> NDArray[np.uint8]:
    """The screen as the program `xwd` sees it: (height, width, 3) BGR."""
    dump = subprocess.run(["xwd", "-root", "-silent", "-display", display], check=True, capture_output=True).stdout
    header = struct.unpack_from(">25I", dump)
    start = header[0] + 12 * header[19]
    width, height, stride = header[4], header[5], header[12]
    rows = np.frombuffer(dump, np.uint8, stride * height, start).reshape(height, stride)
    return rows[:, : 4 * width].reshape(height, width, 4)[..., :3]


def colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame without the byte that means nothing."""
    return pixels[..., :3]
