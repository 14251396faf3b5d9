"""A window that shows one of several pictures, by tkinter, which comes with Python.

Tk wants to be asked now and then whether something has happened, so the window is part of the event loop (`run`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastframe.errors import FastframeError
from fastframe.geometry import Rect

# Seconds between two looks of Tk at its events: those of a screen's refresh.
REFRESH = 1 / 60
# As many can be chosen by the keys 1 to 9.
KEYS = 9
# Changed rectangles that are drawn one by one; with more of them what encloses them all is cheaper.
MOST_RECTANGLES = 8


class Window:
    """Shows one picture in its own size, with scroll bars where the screen is smaller, and a pointer on it.

    Where there are several to choose from, each has a tab above, and one of the keys 1 to 9.

    Parameters
    ----------
    title
        What stands above the window.
    on_choose
        Called with the number of the picture that the user wants to see.

    Raises
    ------
    FastframeError
        There is no tkinter, or no display.
    """

    def __init__(self, title: str, on_choose: Callable[[int], None]) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise FastframeError(f"there is no tkinter: {error}") from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise FastframeError(f"no window can be opened: {error}") from error
        self._tkinter = tkinter
        self._root.title(title)
        self._on_choose = on_choose
        self.is_open = True
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        self._canvas = tkinter.Canvas(self._root, highlightthickness=0, borderwidth=0, background="black")
        bars = [
            (tkinter.Scrollbar(self._root, orient="horizontal", command=self._canvas.xview), 2, 0, "ew"),
            (tkinter.Scrollbar(self._root, orient="vertical", command=self._canvas.yview), 1, 1, "ns"),
        ]
        for bar, row, column, sticky in bars:
            bar.grid(row=row, column=column, sticky=sticky)
        self._canvas.configure(xscrollcommand=bars[0][0].set, yscrollcommand=bars[1][0].set)
        self._canvas.grid(row=1, column=0, sticky="nsew")
        self._root.rowconfigure(1, weight=1)
        self._root.columnconfigure(0, weight=1)
        self._tabs = tkinter.Frame(self._root)
        self._buttons: list[Any] = []
        self._numbers: list[int] = []
        for key in range(KEYS):
            self._root.bind(str(key + 1), lambda _, index=key: self._choose(index))  # type: ignore[misc]
        self._picture: Any = None
        self._picture_item = self._canvas.create_image(0, 0, anchor="nw")
        self._pointer: Any = None
        self._pointer_item = self._canvas.create_image(0, 0, anchor="nw", state="hidden")
        self._hotspot = (0, 0)

    def offer(self, names: Mapping[int, str], shown: int | None) -> None:
        """Offers pictures to choose from: their numbers, and what stands on their tabs. `shown` is the chosen one."""
        for button in self._buttons:
            button.destroy()
        self._buttons.clear()
        self._numbers = list(names)
        if len(names) < 2:
            self._tabs.grid_remove()
            return
        for index, (number, name) in enumerate(names.items()):
            button = self._tkinter.Button(
                self._tabs,
                text=f"{index + 1} {name}",
                relief="sunken" if number == shown else "raised",
                command=lambda index=index: self._choose(index),  # type: ignore[misc]
            )
            button.pack(side="left")
            self._buttons.append(button)
        self._tabs.grid(row=0, column=0, columnspan=2, sticky="w")

    def _choose(self, index: int) -> None:
        if index < len(self._numbers):
            self._on_choose(self._numbers[index])

    def clear(self) -> None:
        """Shows nothing."""
        self._picture = None
        self._canvas.itemconfigure(self._picture_item, image="")
        self.move_pointer(0, 0, visible=False)

    def show(self, pixels: npt.NDArray[np.uint8], dirty: Sequence[Rect]) -> None:
        """Draws a picture, (height, width, 4) uint8 BGRX, of which only `dirty` has changed since the one before."""
        height, width = pixels.shape[:2]
        if self._picture is None or (self._picture.width(), self._picture.height()) != (width, height):
            self._picture = self._tkinter.PhotoImage(master=self._root, width=width, height=height)
            self._canvas.itemconfigure(self._picture_item, image=self._picture)
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
