"""What of a display is still to be sent, and what of it first.

While the line has no room, damage only adds up. It is kept as a grid of the codec's tiles, which is as fine as the
encoder looks, so that it takes the same few kilobytes whatever happens. When more has changed than the next packet can
hold, the tiles that have waited longest beyond their patience go first. Small changes have none, since they answer what
somebody has just done; what is near the pointer has little; what is large and moves by itself has more. So all of it is
sent in the end, however much changes meanwhile.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from fastframe.geometry import Rect

# Of the codec's format: SPEC.md, "Terms and notation".
TILE = 64
# A change of so few tiles is a menu, a line of text, a button.
SMALL_TILES = 12
# Tiles around the pointer that count as near.
NEAR = 2
# In packets of the display: what can wait so much longer than what is near by nothing else.
SMALL_PATIENCE = -64
NEAR_PATIENCE = 4
PATIENCE = 16


class DamageMap:
    """The tiles of one display, `width` by `height` pixels, that have changed and were not given to the encoder yet.

    At first all have. Not that all these differ: damage is a superset.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        shape = (-(-height // TILE), -(-width // TILE))
        self._pending = np.ones(shape, np.bool_)
        self._small = np.zeros(shape, np.bool_)
        # The number of packets that there were when a tile was damaged.
        self._since = np.zeros(shape, np.int64)
        self._packets = 0
        self._everything = True

    @property
    def any(self) -> bool:
        """Whether something is to be sent."""
        return self._everything or bool(self._pending.any())

    @property
    def count(self) -> int:
        """How many tiles are."""
        return int(self._pending.size if self._everything else np.count_nonzero(self._pending))

    def add(self, damage: Iterable[tuple[int, int, int, int]] | None) -> None:
        """Adds rectangles (x, y, width, height); `None`: everything. Those outside of the display do not count."""
        if damage is None:
            self._everything = True
            return
        spans = []
        tiles = 0
        for x, y, width, height in damage:
            left, top = max(x, 0), max(y, 0)
            right, bottom = min(x + width, self.width), min(y + height, self.height)
            if left < right and top < bottom:
                rows = slice(top // TILE, (bottom - 1) // TILE + 1)
                columns = slice(left // TILE, (right - 1) // TILE + 1)
                spans.append((rows, columns))
                tiles += (rows.stop - rows.start) * (columns.stop - columns.start)
        for span in spans:
            self._since[span][~self._pending[span]] = self._packets
            self._pending[span] = True
            if tiles <= SMALL_TILES:
                self._small[span] = True

    def take_all(self) -> list[Rect] | None:
        """All there is, for `Encoder.encode(damage=...)`; nothing is pending afterwards."""
        damage = None if self._everything else _rectangles(self._pending)
        self._packets += 1
        self._everything = False
        self._pending[...] = False
        self._small[...] = False
        return damage

    def take(self, tiles: int, pointer: tuple[int, int] | None) -> list[Rect] | None:
        """At most so many tiles, the most urgent first; `pointer` is where it is, in pixels."""
        if self.count <= tiles:
            return self.take_all()
        if self._everything:
            self._since[~self._pending] = self._packets
            self._pending[...] = True
            self._everything = False
        patience = np.where(self._near(pointer), NEAR_PATIENCE, PATIENCE)
        patience[self._small] = SMALL_PATIENCE
        pending = np.flatnonzero(self._pending)
        order = np.argsort((self._since + patience).flat[pending], kind="stable")
        chosen = np.zeros_like(self._pending)
        chosen.flat[pending[order[:tiles]]] = True
        self._packets += 1
        self._pending &= ~chosen
        self._small &= ~chosen
        return _rectangles(chosen)

    def _near(self, pointer: tuple[int, int] | None) -> npt.NDArray[np.bool_]:
        near = np.zeros_like(self._pending)
        if pointer is not None:
            column, row = pointer[0] // TILE, pointer[1] // TILE
            rows = slice(max(0, row - NEAR), max(0, row + NEAR + 1))
            near[rows, max(0, column - NEAR) : max(0, column + NEAR + 1)] = True
        return near


def _rectangles(tiles: npt.NDArray[np.bool_]) -> list[Rect]:
    """The tiles as runs of rows, in pixels; they may reach beyond the display."""
    found = []
    padded = np.zeros((tiles.shape[0], tiles.shape[1] + 2), np.int8)
    padded[:, 1:-1] = tiles
    edges = np.diff(padded, axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
        found.append(Rect(start * TILE, row * TILE, (end - start) * TILE, TILE))
    return found
