"""Regions: lists of rectangles, which may overlap, and what capture does with them.

The lists are short (damage reports, masks, windows), so plain loops do.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastframe.geometry import Rect

# The side of the cells by which large regions are told: the encoder's tiles.
_CELL = 64


def clipped(rectangles: Iterable[Rect], area: Rect) -> list[Rect]:
    """What of a region lies in an area, in coordinates of the desktop still."""
    return [part for rectangle in rectangles if (part := rectangle.intersect(area))]


def moved(rectangles: Iterable[Rect], dx: int, dy: int) -> list[Rect]:
    """A region somewhere else."""
    if not (dx or dy):
        return list(rectangles)
    return [rectangle.moved(dx, dy) for rectangle in rectangles]


def subtracted(rectangles: Iterable[Rect], holes: Iterable[Rect]) -> list[Rect]:
    """What of a region lies in none of the holes."""
    left = list(rectangles)
    for hole in holes:
        left = [piece for rectangle in left for piece in _around(rectangle, hole)]
    return left


def _around(rectangle: Rect, hole: Rect) -> list[Rect]:
    """The parts of a rectangle above, below, left and right of a hole."""
    inner = rectangle.intersect(hole)
    if inner is None:
        return [rectangle]
    x, y, width, _ = rectangle
    pieces = [
        Rect(x, y, width, inner.y - y),
        Rect(x, inner.bottom, width, rectangle.bottom - inner.bottom),
        Rect(x, inner.y, inner.x - x, inner.height),
        Rect(inner.right, inner.y, rectangle.right - inner.right, inner.height),
    ]
    return [piece for piece in pieces if piece.width > 0 and piece.height > 0]


def bands(rectangles: Iterable[Rect], gap: int) -> list[tuple[int, int]]:
    """The rows (first, end excluded) that a region touches; bands less than `gap` rows apart become one."""
    merged: list[tuple[int, int]] = []
    for first, end in sorted((rectangle.y, rectangle.bottom) for rectangle in rectangles):
        if merged and first - merged[-1][1] < gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((first, end))
    return merged


def simplified(rectangles: Sequence[Rect] | npt.NDArray[np.integer[Any]], most: int) -> list[Rect]:
    """The region itself, or one around it that has at most `most` rectangles.

    Parameters
    ----------
    rectangles
        Rectangles, or an array of them, (n, 4).
    most
        At least 1.
    """
    if len(rectangles) <= most:
        return [Rect(*each) for each in rectangles.tolist()] if isinstance(rectangles, np.ndarray) else list(rectangles)
    # One step for all of them, since there may be tens of thousands: each adds 1 to the cells of a grid that it
    # touches.
    x, y, width, height = np.asarray(rectangles, np.int64).T
    left, top, right, bottom = int(x.min()), int(y.min()), int((x + width).max()), int((y + height).max())
    cell = _CELL
    while True:
        columns, rows = (right - left + cell - 1) // cell, (bottom - top + cell - 1) // cell
        edges = np.zeros((rows + 1, columns + 1), np.int64)
        first, end = (x - left) // cell, (x + width - left + cell - 1) // cell
        upper, lower = (y - top) // cell, (y + height - top + cell - 1) // cell
        for row, column, step in ((upper, first, 1), (upper, end, -1), (lower, first, -1), (lower, end, 1)):
            np.add.at(edges, (row, column), step)
        touched = np.diff(edges.cumsum(axis=0).cumsum(axis=1)[:-1] > 0, axis=1, prepend=False).astype(bool)
        # A run of touched cells begins and ends where that changes; the last column of the grid is never touched.
        lines, changes = np.nonzero(touched)
        if len(lines) <= 2 * most:
            break
        cell *= 2
    boxes = zip(lines[::2].tolist(), changes[::2].tolist(), changes[1::2].tolist(), strict=True)
    around = Rect(left, top, right - left, bottom - top)
    return clipped((Rect(left + a * cell, top + line * cell, (b - a) * cell, cell) for line, a, b in boxes), around)
