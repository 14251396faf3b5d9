"""A window that shows a picture, by tkinter, which comes with Python.

Tk wants to be asked now and then whether something has happened, so the window is part of the event loop (`run`).
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastframe.errors import FastframeError
from fastframe.geometry import Rect

# Seconds between two looks of Tk at its events: those of a screen's refresh.
REFRESH = 1 / 60
# Changed rectangles that are drawn one by one; with more of them what encloses them all is cheaper.
MOST_RECTANGLES = 8


class Window:
    """Shows one picture in its own size, with scroll bars where the screen is smaller, and a pointer on it.

    Raises
    ------
    FastframeError
        There is no tkinter, or no display.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise FastframeError(f"there is no tkinter: {error}") from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise FastframeError(f"no window can be opened: {error}") from error
        self._tkinter = tkinter
        self.title(title)
        self.is_open = True
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        self._canvas = tkinter.Canvas(self._root, highlightthickness=0, borderwidth=0, background="black")
        bars = [
            (tkinter.Scrollbar(self._root, orient="horizontal", command=self._canvas.xview), 1, 0, "ew"),
            (tkinter.Scrollbar(self._root, orient="vertical", command=self._canvas.yview), 0, 1, "ns"),
        ]
        for bar, row, column, sticky in bars:
            bar.grid(row=row, column=column, sticky=sticky)
        self._canvas.configure(xscrollcommand=bars[0][0].set, yscrollcommand=bars[1][0].set)
        self._canvas.grid(row=0, column=0, sticky="nsew")
        self._root.rowconfigure(0, weight=1)
        self._root.columnconfigure(0, weight=1)
        self._picture: Any = None
        self._pointer: Any = None
        self._pointer_item = self._canvas.create_image(0, 0, anchor="nw", state="hidden")
        self._hotspot = (0, 0)

    def title(self, text: str) -> None:
        """What stands above the window."""
        self._root.title(text)

    def show(self, pixels: npt.NDArray[np.uint8], dirty: Sequence[Rect]) -> None:
        """Draws a picture, (height, width, 4) uint8 BGRX, of which only `dirty` has changed since the one before."""
        height, width = pixels.shape[:2]
        if self._picture is None or (self._picture.width(), self._picture.height()) != (width, height):
            self._picture = self._tkinter.PhotoImage(master=self._root, width=width, height=height)
            self._canvas.create_image(0, 0, anchor="nw", image=self._picture)
            self._canvas.tag_raise(self._pointer_item)
            self._canvas.configure(width=width, height=height, scrollregion=(0, 0, width, height))
            dirty = [Rect(0, 0, width, height)]
        elif len(dirty) > MOST_RECTANGLES:
            left, top = min(each.x for each in dirty), min(each.y for each in dirty)
            right, bottom = max(each.right for each in dirty), max(each.bottom for each in dirty)
            dirty = [Rect(left, top, right - left, bottom - top)]
        for area in dirty:
            part = pixels[area.y : area.bottom, area.x : area.right, 2::-1]
            data = b"P6 %d %d 255\n" % (area.width, area.height) + part.tobytes()
            piece = self._tkinter.PhotoImage(master=self._root, data=data, format="PPM")
            self._picture.tk.call(self._picture, "copy", piece, "-to", area.x, area.y)

    def show_pointer(self, pixels: npt.NDArray[np.uint8], hotspot: tuple[int, int]) -> None:
        """Gives the pointer a shape: (height, width, 4) uint8 BGRA. Tk knows no half transparent pixels."""
        height, width = pixels.shape[:2]
        data = b"P6 %d %d 255\n" % (width, height) + pixels[..., 2::-1].tobytes()
        self._pointer = self._tkinter.PhotoImage(master=self._root, data=data, format="PPM")
        for y, x in np.argwhere(pixels[..., 3] < 128).tolist():
            self._pointer.tk.call(self._pointer, "transparency", "set", x, y, True)
        self._hotspot = hotspot
        self._canvas.itemconfigure(self._pointer_item, image=self._pointer)

    def move_pointer(self, x: int, y: int, *, visible: bool) -> None:
        """Puts the pointer somewhere."""
        self._canvas.coords(self._pointer_item, x - self._hotspot[0], y - self._hotspot[1])
        self._canvas.itemconfigure(self._pointer_item, state="normal" if visible else "hidden")

    async def run(self) -> None:
        """Lets the window live until the user closes it."""
        while self.is_open:
            self._root.update()
            await asyncio.sleep(REFRESH)

    def close(self) -> None:
        """Closes it; may be called again."""
        if self.is_open:
            self.is_open = False
            self._root.destroy()
