"""What of a display is still to be sent, and what of it first.

While the line has no room, damage only adds up. When more has changed than the next packet can hold, the tiles that
have waited longest beyond their patience go first. Small changes have none, since they answer what somebody has just
done; what is near the pointer has little; what is large and moves by itself has more. So all of it is sent in the end,
however much changes meanwhile.

Most frames come when there is room, with a few rectangles, which go to the encoder as they are. Only when rectangles
become many, or a choice has to be made, are they drawn into a grid of the codec's tiles, which is as fine as the
encoder looks, and takes the same few kilobytes whatever happens.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from fastframe._frames import clipped_damage
from fastframe.geometry import Rect

Rectangle = tuple[int, int, int, int]

# Of the codec's format: SPEC.md, "Terms and notation".
TILE = 64
# More rectangles than this are drawn into the grid.
MAX_RECTANGLES = 32
# A change of so few tiles is a menu, a line of text, a button.
SMALL_TILES = 12
# Tiles around the pointer that count as near.
NEAR = 2
# In packets of the display: how long what was damaged may wait before it is as urgent as what is near and new.
SMALL_PATIENCE = -64
NEAR_PATIENCE = 4
PATIENCE = 16


class DamageMap:
    """The parts of one display, `width` by `height` pixels, that have changed and were not given to the encoder yet.

    At first all have. Not that every pixel of them differs: damage is a superset.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        # Whether something is to be sent.
        self.any = True
        # Whether it is not known what has changed: everything is to be looked at.
        self.unknown = True
        # Rectangles inside of the display as they came together, the packets that there were then, and whether they are
        # small; and of all of them the number, and the tiles they touch.
        self._batches: list[tuple[list[Rectangle], int, bool]] = []
        self._count = self._tiles = 0
        self._grid: _Grid | None = None
        self._packets = 0

    def count(self) -> int:
        """How many tiles are, at most: some may have been counted twice."""
        if self.unknown:
            return -(-self.width // TILE) * -(-self.height // TILE)
        return self._tiles + (0 if self._grid is None else self._grid.count)

    def add(self, damage: Iterable[Rectangle] | None) -> None:
        """Adds rectangles (x, y, width, height); `None`: everything. What is outside of the display does not count.

        `LocalProtocolError` for what is no rectangles; nothing is added then.
        """
        if damage is None:
            self._forget()
            self.any = self.unknown = True
            return
        added = clipped_damage(damage, self.width, self.height)
        if not added or self.unknown:
            return
        self.any = True
        tiles = 0
        for left, top, width, height in added:
            columns = (left + width - 1) // TILE - left // TILE + 1
            tiles += columns * ((top + height - 1) // TILE - top // TILE + 1)
        self._tiles += tiles
        self._count += len(added)
        self._batches.append((added, self._packets, tiles <= SMALL_TILES))
        if self._count > MAX_RECTANGLES:
            self._draw()

    def take_all(self) -> list[Rectangle] | None:
        """All there is, for `Encoder.encode(damage=...)`; nothing is pending afterwards."""
        taken: list[Rectangle] | None = None
        if not self.unknown:
            taken = [rectangle for batch, _, _ in self._batches for rectangle in batch]
            if self._grid is not None:
                taken += self._grid.rectangles()
        self._forget()
        self.any = self.unknown = False
        self._packets += 1
        return taken

    def _forget(self) -> None:
        self._batches.clear()
        self._count = self._tiles = 0
        self._grid = None

    def take(self, tiles: int, pointer: tuple[int, int] | None, *, small: bool = False) -> list[Rectangle] | None:
        """At most so many tiles, the most urgent first; `pointer` is where it is, in pixels.

        With `small` only those of small changes; this may be none.
        """
        if not self.any or (not small and self.count() <= tiles):
            return self.take_all()
        grid = self._draw()
        taken = grid.take(tiles, pointer, small=small)
        if not grid.count:
            self._grid = None
            self.any = False
        self._packets += 1
        return taken

    def _draw(self) -> "_Grid":
        """Puts everything into the grid."""
        grid = self._grid
        if grid is None:
            grid = self._grid = _Grid(self.width, self.height)
        if self.unknown:
            grid.add((0, 0, self.width, self.height), self._packets, small=False)
            self.unknown = False
        for rectangles, since, small in self._batches:
            for rectangle in rectangles:
                grid.add(rectangle, since, small=small)
        self._batches.clear()
        self._count = self._tiles = 0
        return grid


class _Grid:
    """Tiles that are pending, and how urgent they are."""

    def __init__(self, width: int, height: int) -> None:
        shape = (-(-height // TILE), -(-width // TILE))
        self._pending = np.zeros(shape, np.bool_)
        self._small = np.zeros(shape, np.bool_)
        self._since = np.zeros(shape, np.int64)

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self._pending))

    def add(self, rectangle: Rectangle, since: int, *, small: bool) -> None:
        x, y, width, height = rectangle
        span = (slice(y // TILE, (y + height - 1) // TILE + 1), slice(x // TILE, (x + width - 1) // TILE + 1))
        self._since[span][~self._pending[span]] = since
        self._pending[span] = True
        if small:
            self._small[span] = True

    def take(self, tiles: int, pointer: tuple[int, int] | None, *, small: bool) -> list[Rectangle]:
        patience = np.where(self._near(pointer), NEAR_PATIENCE, PATIENCE)
        patience[self._small] = SMALL_PATIENCE
        pending = np.flatnonzero(self._pending & self._small if small else self._pending)
        order = np.argsort((self._since + patience).flat[pending], kind="stable")
        chosen = np.zeros_like(self._pending)
        chosen.flat[pending[order[:tiles]]] = True
        self._pending &= ~chosen
        self._small &= ~chosen
        return _rectangles(chosen)

    def rectangles(self) -> list[Rectangle]:
        return _rectangles(self._pending)

    def _near(self, pointer: tuple[int, int] | None) -> npt.NDArray[np.bool_]:
        near = np.zeros_like(self._pending)
        if pointer is not None:
            column, row = pointer[0] // TILE, pointer[1] // TILE
            rows = slice(max(0, row - NEAR), max(0, row + NEAR + 1))
            near[rows, max(0, column - NEAR) : max(0, column + NEAR + 1)] = True
        return near


def _rectangles(tiles: npt.NDArray[np.bool_]) -> list[Rectangle]:
    """The tiles as parts of rows, in pixels; they may reach beyond the display."""
    found: list[Rectangle] = []
    padded = np.zeros((tiles.shape[0], tiles.shape[1] + 2), np.int8)
    padded[:, 1:-1] = tiles
    edges = np.diff(padded, axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
        found.append(Rect(start * TILE, row * TILE, (end - start) * TILE, TILE))
    return found
