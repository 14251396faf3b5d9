"""Rectangles in pixels; the origin is the upper left corner."""

from typing import NamedTuple


class Rect(NamedTuple):
    """A rectangle in pixels: columns `x` up to `x + width`, rows `y` up to `y + height`, ends excluded."""

    x: int
    y: int
    width: int
    height: int
