"""Rectangles in pixels; the origin is the upper left corner."""

from typing import NamedTuple, Self


class Rect(NamedTuple):
    """A rectangle in pixels: columns `x` up to `x + width`, rows `y` up to `y + height`, ends excluded."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column beyond it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row beyond it."""
        return self.y + self.height

    def moved(self, dx: int, dy: int) -> Self:
        """The same rectangle somewhere else."""
        x, y, width, height = self
        return type(self)(x + dx, y + dy, width, height)

    def intersect(self, other: "Rect") -> "Rect | None":
        """What lies in both; `None`: nothing does."""
        left, top, width, height = self
        x, y, across, down = other
        right, bottom = min(left + width, x + across), min(top + height, y + down)
        x, y = max(left, x), max(top, y)
        return Rect(x, y, right - x, bottom - y) if right > x and bottom > y else None
