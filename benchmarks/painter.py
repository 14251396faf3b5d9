"""A program that draws on an X server, in a process of its own, as the programs do that a technician looks at."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import numpy as np
from child import child
from scenes import Frame, Scene, open_scene

from fastframe.capture.x11.xcb import Attempt, Connection
from fastframe.geometry import Rect

_CREATE_WINDOW, _MAP_WINDOW, _CREATE_GC, _PUT_IMAGE = 1, 8, 55, 72
_TILE = 64
_MOST_BYTES = 200_000
"""A request holds 256 KiB at most."""
_CHARACTER = (20, 10)
_LINES, _COLUMNS = 30, 100
"""Of the text that is typed, where the screen has room for them."""


class Painter:
    """Draws pictures into a window that fills the screen.

    Parameters
    ----------
    display
        The display to draw on.
    size
        Width and height of the window.
    """

    def __init__(self, display: str, size: tuple[int, int]) -> None:
        self._connection = connection = Connection(Attempt(display).wait(10), 10)
        setup = connection.setup
        vendor, _, _, formats = struct.unpack_from("<HHBB", setup, 24)
        (root,) = struct.unpack_from("<I", setup, 40 + vendor + (-vendor % 4) + 8 * formats)
        self._window, self._gc = connection.new_id(), connection.new_id()
        window = struct.pack("<IIhhHHHHIII", self._window, root, 0, 0, *size, 0, 1, 0, 0x2, 0x808080)
        connection.tell(_CREATE_WINDOW, 0, window)
        connection.tell(_MAP_WINDOW, 0, struct.pack("<I", self._window))
        connection.tell(_CREATE_GC, 0, struct.pack("<III", self._gc, self._window, 0))
        connection.synchronize()
        self._shown = np.zeros((size[1], size[0], 4), np.uint8)
        self._size = size
        self._random = np.random.default_rng(1)

    def show(self, picture: Frame) -> None:
        """Draw what of a picture is not there yet, tile by tile, and wait until it is there."""
        for area in changed_tiles(self._shown, picture):
            self._put(area.x, area.y, picture[area.y : area.bottom, area.x : area.right])
        self._connection.synchronize()
        self._shown = picture

    def close(self) -> None:
        """Disconnect, which takes the window away."""
        self._connection.close()

    def type(self, index: int) -> float:
        """Draw a character at the place of the `index`th; returns when, in seconds of the monotonic clock."""
        character = self._random.integers(0, 2, (*_CHARACTER, 1), np.uint8) * np.full(4, 200, np.uint8)
        place = place_of_character(index, self._size)
        now = time.monotonic()
        self._put(*place, character)
        self._connection.synchronize()
        return now

    def _put(self, x: int, y: int, pixels: Frame) -> None:
        rows = max(1, _MOST_BYTES // (4 * pixels.shape[1]))
        for first in range(0, len(pixels), rows):
            part = pixels[first : first + rows]
            place = struct.pack("<HHhhBBxx", part.shape[1], part.shape[0], x, y + first, 0, 24)
            self._connection.tell(_PUT_IMAGE, 2, struct.pack("<II", self._window, self._gc) + place + part.tobytes())


def place_of_character(index: int, size: tuple[int, int]) -> tuple[int, int]:
    """Where the `index`th character is typed on a screen of that width and height; what is beside it is no change."""
    height, width = _CHARACTER
    columns, lines = max(1, min(_COLUMNS, size[0] // width)), max(1, min(_LINES, size[1] // height))
    line, column = divmod(index % (columns * lines), columns)
    return width * column, height * line


def changed_tiles(before: Frame, after: Frame) -> Iterator[Rect]:
    """The tiles that differ, those side by side as one."""
    height, width = after.shape[:2]
    different = before.view(np.uint32)[..., 0] != after.view(np.uint32)[..., 0]
    for top in range(0, height, _TILE):
        bottom = min(top + _TILE, height)
        columns = different[top:bottom].any(axis=0)
        dirty = np.add.reduceat(columns, np.arange(0, width, _TILE)) > 0
        edges = np.flatnonzero(np.diff(np.concatenate([[0], dirty, [0]])))
        for first, end in edges.reshape(-1, 2).tolist():
            left, right = _TILE * first, min(_TILE * end, width)
            yield Rect(left, top, right - left, bottom - top)


class RemotePainter:
    """A painter in another process; each call waits until it has been drawn."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def show(self, index: int) -> None:
        """Draw what differs in the picture with this number; -1 is the negative of the first one."""
        self._pipe.send(("show", index))
        self._pipe.recv()

    def type(self, index: int) -> None:
        """Draw a character."""
        self._pipe.send(("type", index))
        self._pipe.recv()

    def type_later(self, index: int, delay: float) -> None:
        """Draw a character after so many seconds; `typed` tells when that was."""
        self._pipe.send(("later", index, delay))

    def typed(self) -> float:
        """When the character of `type_later` was drawn, in seconds of the monotonic clock."""
        return float(self._pipe.recv())


def _serve(pipe: Pipe, display: str, size: tuple[int, int], pictures: Sequence[Frame]) -> None:
    painter = Painter(display, size)
    while True:
        match pipe.recv():
            case "show", index:
                painter.show(pictures[index])
                pipe.send(None)
            case "type", index:
                painter.type(index)
                pipe.send(None)
            case "later", index, delay:
                time.sleep(delay)
                pipe.send(painter.type(index))


def _paint(pipe: Pipe, display: str, size: tuple[int, int], path: Path, count: int) -> None:
    pictures = open_scene(path).load(count)
    _serve(pipe, display, size, [*pictures, ~pictures[0]])


@contextmanager
def painter(display: str, scene: Scene, count: int) -> Iterator[RemotePainter]:
    """A painter in a process of its own that has the first `count` frames of a scene."""
    with child(_paint, display, (scene.width, scene.height), scene.path, count) as pipe:
        yield RemotePainter(pipe)
