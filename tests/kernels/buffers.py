"""What the tests of kernels share: the sizes that matter, pixels, and buffers that tell what was touched.

Outputs lie between guard bytes, and what a kernel must not look at is filled with one poison and then with another.
"""

import numpy as np
from numpy.typing import NDArray

TILE = 64
GUARD = 64
POISONS = (0x00, 0xFF)
# Around the widths of vectors (8 and 32 pixels or bytes) and of tiles, and what is left over beside them.
SIDES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64)
BOXES = [
    (0, 0, 64, 64), (0, 0, 1, 1), (63, 63, 1, 1), (0, 0, 64, 1), (0, 0, 1, 64), (63, 0, 1, 64),
    (0, 63, 64, 1), (1, 1, 62, 62), (5, 9, 7, 3), (8, 0, 8, 8), (31, 17, 33, 47), (2, 3, 17, 1),
    (60, 60, 4, 4), (0, 1, 9, 63),
]  # fmt: skip

Bytes = NDArray[np.uint8]
Pixels = NDArray[np.uint32]


def pixels(random: np.random.Generator, width: int, height: int, colours: int = 0) -> Pixels:
    """Opaque pixels, of so many colours (0: any)."""
    if colours:
        palette = random.integers(0, 1 << 24, colours, np.uint32)
        chosen = palette[random.integers(0, colours, (height, width))]
    else:
        chosen = random.integers(0, 1 << 24, (height, width), np.uint32)
    return chosen | np.uint32(0xFF000000)


def as_bytes(frame: Pixels) -> Bytes:
    return frame.view(np.uint8).reshape(*frame.shape, 4)


def guarded(count: int, poison: int) -> tuple[Bytes, Bytes]:
    """A buffer with guards, and the part between them."""
    whole = np.full(count + 2 * GUARD, poison, np.uint8)
    return whole, whole[GUARD : GUARD + count]


def assert_guards(whole: Bytes, poison: int) -> None:
    assert (whole[:GUARD] == poison).all()
    assert (whole[-GUARD:] == poison).all()


def tile_with(box_pixels: Pixels, box: tuple[int, int, int, int], poison: int) -> Pixels:
    """A tile that holds the pixels in a box and poison everywhere else."""
    tile = np.full((TILE, TILE), poison * 0x01010101, np.uint32)
    x, y, width, height = box
    tile[y : y + height, x : x + width] = box_pixels
    return tile


def part_of_a_frame(part: Pixels, beside: int, poison: int) -> Pixels:
    """The pixels inside rows that go on with `beside` pixels of poison."""
    height, width = part.shape
    frame = np.full((height, width + beside), poison * 0x01010101, np.uint32)
    frame[:, :width] = part
    return frame[:, :width]


class Target:
    """Pixels to be drawn on, with guards before, beside and behind them."""

    def __init__(self, before: Pixels, poison: int) -> None:
        self._poison = np.uint32(poison * 0x01010101)
        height, width = before.shape
        self._memory = np.full((height + 2, width + 9), self._poison, np.uint32)
        self.pixels: Pixels = self._memory[1:-1, 4 : 4 + width]
        self.pixels[...] = before

    def assert_guards(self) -> None:
        outside = np.ones(self._memory.shape, bool)
        outside[1:-1, 4 : 4 + self.pixels.shape[1]] = False
        assert (self._memory[outside] == self._poison).all()
