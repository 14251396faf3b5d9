"""What every source of frames has in common: the interface, and the values that pass through it.

A source is pulled. `wait` sleeps until there may be something new, `capture` takes one picture, and how often that
happens is its user's choice (`Pacer` makes it). What changes while nobody asks is added up, never queued, so that the
next picture is always of now.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from fastframe._names import shown
from fastframe.errors import LocalProtocolError
from fastframe.geometry import Rect


class Event(enum.Flag):
    """What `FrameSource.wait` found; several may have happened, or none."""

    NONE = 0
    """The deadline came first."""
    FRAME = enum.auto()
    """The picture has changed, or may have changed where the source cannot tell."""
    LAYOUT = enum.auto()
    """Monitors were added, removed, moved or resized; `displays()` is different now. Told once."""
    CURSOR = enum.auto()
    """The pointer has moved or changed its shape."""
    END = enum.auto()
    """There are no more frames. Only replays end."""


@dataclass(frozen=True, slots=True)
class Display:
    """One monitor.

    Parameters
    ----------
    number
        1 for the first one, in the order of the display server. Not kept when monitors come and go: use the name.
    name
        What the display server calls it, such as `HDMI-1`, or a description; may be empty.
    area
        Its place on the desktop in pixels.
    primary
        Whether the user made it the main one. At most one is.
    """

    number: int
    name: str
    area: Rect
    primary: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CapturedFrame:
    """One picture of what a source shows.

    Parameters
    ----------
    pixels
        (height, width, 4) uint8, blue, green, red and a byte without meaning; read-only. Yours for as long as you refer
        to it or to a view of it: only then is its memory used again.
    timestamp
        Microseconds on the monotonic clock of the source when the picture was taken; only differences mean something.
    damage
        Rectangles that together hold every pixel that is different from the source's frame before this one; `()`: none
        is. `None`: not known, look everywhere. It is what `Encoder.encode(damage=...)` takes. Who drops a frame adds
        its damage to the next one's.
    layout
        A number that grows with each change of the monitors' layout or of the picture's size.
    """

    pixels: npt.NDArray[np.uint8]
    timestamp: int
    damage: tuple[Rect, ...] | None = None
    layout: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.pixels.shape[:2]
        return width, height

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return self.pixels.strides[0]


@dataclass(frozen=True, slots=True, eq=False)
class CursorShape:
    """What the pointer looks like.

    Parameters
    ----------
    serial
        A number for this shape: two shapes of one source with the same serial are the same.
    pixels
        (height, width, 4) uint8, blue, green, red, alpha; straight alpha, that is, colours are not multiplied with it.
        Read-only.
    hotspot
        The column and row in `pixels` that point at the position.
    """

    serial: int
    pixels: npt.NDArray[np.uint8]
    hotspot: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Cursor:
    """Where the pointer is.

    Parameters
    ----------
    x, y
        The pixel of the source's picture that the hotspot is on. May lie outside of the picture.
    visible
        Whether it should be drawn: it lies in the picture, and not under a mask.
    shape
        What it looks like, when that is not what the call before said; `None`: as before, or not known as long as none
        has been told.
    """

    x: int
    y: int
    visible: bool
    shape: CursorShape | None = None


@dataclass(frozen=True, slots=True)
class WindowPattern:
    """Windows of an X11 desktop, told by what they are. A window must fit all that is given.

    Menus, tooltips and dialogs of a window that fits belong to it.

    Parameters
    ----------
    id
        The number of the window, as `xwininfo` shows it.
    window_class
        A pattern for either part of WM_CLASS, without regard to case: `firefox*`.
    title
        A pattern for the title, without regard to case: `*online banking*`.

    Raises
    ------
    LocalProtocolError
        Nothing is given, or something of the wrong type.

    Notes
    -----
    Patterns are those of `fnmatch`: `*` for anything, `?` for one character, `[ab]` for one of these.
    """

    id: int | None = None
    window_class: str | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        for name, kind in (("id", int), ("window_class", str), ("title", str)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise LocalProtocolError(f"{name} of a window must be {kind.__name__}, not {value!r}", actual=value)
        if self.id is None and not self.window_class and not self.title:
            raise LocalProtocolError("a window pattern must name an id, a class or a title")

    def __str__(self) -> str:
        parts = [f"id {self.id:#x}"] if self.id is not None else []
        parts += [f"class {shown(self.window_class)}"] if self.window_class else []
        parts += [f"title {shown(self.title)}"] if self.title else []
        return "window of " + " and ".join(parts)


Mask = Rect | WindowPattern
"""What must stay private: a rectangle in pixels of the desktop, or windows."""

Share = int | str | Rect | WindowPattern | None
"""What a source shows: a monitor by its number or by its name, a rectangle of the desktop, the windows that fit a
pattern and nothing else, or `None`, the whole desktop."""


class FrameSource(Protocol):
    """A live picture: a context manager that is asked for frames.

    Not for use by two threads at once.
    """

    def displays(self) -> tuple[Display, ...]:
        """The monitors as of now; empty where there are none, as in a replay.

        Raises
        ------
        CaptureError
            As `capture` does.
        """
        ...

    def wait(self, deadline: float | None) -> Event:
        """Sleep until there may be something new.

        What happened before the call counts, so that nothing is missed between two calls. A source that cannot tell
        whether its picture has changed sleeps until the deadline and says `Event.FRAME`, or says so at once where there
        is no deadline.

        Parameters
        ----------
        deadline
            When to give up, in seconds of `time.monotonic()`; `None`: never.

        Raises
        ------
        CaptureError
            As `capture` does.
        """
        ...

    def capture(self) -> CapturedFrame:
        """Take one picture now, whether it has changed or not.

        Raises
        ------
        TransientCaptureError
            It did not work this time and may work again: ask again, not faster than the frame rate.
        PermanentCaptureError
            It will not work again until something outside changes; or the source is closed.
        RecordingError
            From replays: the file is damaged.
        LocalProtocolError
            From replays: there are no more frames.
        """
        ...

    def cursor(self) -> Cursor | None:
        """Where the pointer is; `None` where the source cannot tell.

        Raises
        ------
        CaptureError
            As `capture` does.
        """
        ...

    def close(self) -> None:
        """Let go of the display or file; may be called again. Frames stay valid."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class LiveSource(FrameSource, Protocol):
    """A source that shows a screen, which may hold what nobody else must see."""

    @property
    def name(self) -> str:
        """What kind of source it is, in a word."""
        ...

    @property
    def reason(self) -> str:
        """How it works here, and why so, in one line."""
        ...

    @property
    def unmatched(self) -> tuple[Mask, ...]:
        """Masks that hide nothing in the last frame, such as those of programs that are not running."""
        ...

    def set_masks(self, masks: Iterable[Mask]) -> None:
        """Hide something else, from the next frame on.

        Raises
        ------
        LocalProtocolError
            One of them is no mask; nothing has changed.
        PermanentCaptureError
            This source cannot hide one of them; nothing has changed.
        """
        ...


def frames(source: FrameSource) -> Iterator[CapturedFrame]:
    """Every frame of a source as soon as it is there, until the source ends."""
    while Event.END not in (event := source.wait(None)):
        if Event.FRAME in event:
            yield source.capture()
