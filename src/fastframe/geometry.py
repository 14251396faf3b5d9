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
        return self._replace(x=self.x + dx, y=self.y + dy)

    def intersect(self, other: "Rect") -> "Rect | None":
        """What lies in both; `None`: nothing does."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        width, height = min(self.right, other.right) - x, min(self.bottom, other.bottom) - y
        return Rect(x, y, width, height) if width > 0 and height > 0 else None
