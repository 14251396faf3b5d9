"""What scenes are made of: kinds of pictures, edits that change them, and layouts, as rows lie in somebody's memory.

Each is a function of a random generator and pixels, by its name in a dictionary, the simpler ones first: that is how
`drawn_scenes` chooses them and how an example that fails is made simpler.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from fastframe import Rect

Pixels = NDArray[np.uint8]


# Pictures: (random, height, width) -> (height, width, 3) BGR --------------------------------------


def solid(random: Generator, height: int, width: int) -> Pixels:
    return np.broadcast_to(random.integers(0, 256, 3, np.uint8), (height, width, 3)).copy()


def of_colours(random: Generator, height: int, width: int, count: int) -> Pixels:
    """Exactly `count` colours in each tile (fewer where it has fewer pixels), without any order."""
    step = int(random.integers(1 << 23)) * 2 + 1  # odd, so that no colour comes twice
    colours = (int(random.integers(1 << 24)) + step * np.arange(count)) % (1 << 24)
    tile_height, tile_width = min(height, 64), min(width, 64)
    tile = random.permutation(np.arange(tile_height * tile_width) % count).reshape(tile_height, tile_width)
    indices = np.tile(tile, (-(-height // tile_height), -(-width // tile_width)))[:height, :width]
    pixels: Pixels = (colours[indices][..., None] >> np.array([0, 8, 16]) & 0xFF).astype(np.uint8)
    return pixels


def few_colours(random: Generator, height: int, width: int) -> Pixels:
    return of_colours(random, height, width, int(random.integers(2, 17)))


def border_of_palettes(random: Generator, height: int, width: int) -> Pixels:
    """As many colours in a tile as a palette, or the colour table, just holds or just does not hold."""
    return of_colours(random, height, width, int(random.choice([254, 255, 256, 257])))


def text(random: Generator, height: int, width: int) -> Pixels:
    """Lines of a dozen different glyphs, dark on light or light on dark."""
    glyphs = random.random((12, 9, 6)) < 0.35
    glyphs[:, -2:] = glyphs[:, :, -1:] = False
    lines = glyphs[random.integers(0, 12, (-(-height // 9), -(-width // 6)))]
    ink = lines.transpose(0, 2, 1, 3).reshape(lines.shape[0] * 9, -1)[:height, :width]
    paper, colour = random.integers(0, 256, (2, 3), np.uint8)
    pixels: Pixels = np.where(ink[..., None], colour, paper)
    return pixels


def gradient(random: Generator, height: int, width: int) -> Pixels:
    y, x = np.mgrid[:height, :width]
    slopes = random.integers(-3, 4, (2, 3))
    values = x[..., None] * slopes[0] + y[..., None] * slopes[1] + random.integers(0, 256, 3)
    pixels: Pixels = values.astype(np.uint8)
    return pixels


def photograph(random: Generator, height: int, width: int) -> Pixels:
    """Smooth with a little grain: more colours than any palette holds."""
    pixels = gradient(random, height, width)
    pixels += random.integers(0, 4, pixels.shape, np.uint8)
    return pixels


def noise(random: Generator, height: int, width: int) -> Pixels:
    return random.integers(0, 256, (height, width, 3), np.uint8)


Picture = Callable[[Generator, int, int], Pixels]
PICTURES: dict[str, Picture] = {
    picture.__name__: picture for picture in (solid, few_colours, text, gradient, photograph, noise, border_of_palettes)
}


# Edits: change a frame in place and tell where ----------------------------------------------------


def some_rect(random: Generator, frame: Pixels) -> Rect:
    height, width = frame.shape[:2]
    x, y = int(random.integers(width)), int(random.integers(height))
    return Rect(x, y, int(random.integers(1, width - x + 1)), int(random.integers(1, height - y + 1)))


def inside(frame: Pixels, rect: Rect) -> Pixels:
    return frame[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]


def nothing(random: Generator, frame: Pixels) -> list[Rect]:
    return []


def fill(random: Generator, frame: Pixels) -> list[Rect]:
    rect = some_rect(random, frame)
    inside(frame, rect)[:] = random.integers(0, 256, 3)
    return [rect]


def single_pixel(random: Generator, frame: Pixels) -> list[Rect]:
    """The smallest change there is: one step of one channel."""
    rect = some_rect(random, frame)._replace(width=1, height=1)
    inside(frame, rect)[..., random.integers(3)] += 1
    return [rect]


def sparse(random: Generator, frame: Pixels) -> list[Rect]:
    """Pixels here and there, as a subtitle over a film or a pointer's trail leaves them."""
    rect = some_rect(random, frame)
    region = inside(frame, rect)
    chosen = random.random(region.shape[:2]) < 0.05
    region[chosen] ^= random.integers(1, 256, (int(chosen.sum()), 3), np.uint8)
    return [rect]


def type_text(random: Generator, frame: Pixels) -> list[Rect]:
    """A few letters, all of one colour, on whatever is there."""
    rect = some_rect(random, frame)
    region = inside(frame, rect)
    letters = np.kron(random.random((-(-rect.height // 9), -(-rect.width // 6))) < 0.1, np.ones((9, 6), bool))
    strokes = random.random(letters.shape) < 0.35
    region[(letters & strokes)[: rect.height, : rect.width]] = random.integers(0, 256, 3)
    return [rect]


def fade(random: Generator, frame: Pixels) -> list[Rect]:
    """A region goes part of the way to one colour, as films, menus and dimmed windows do."""
    rect = some_rect(random, frame)
    region = inside(frame, rect)
    weight = int(random.choice([2, 4, 8, 32]))
    region[:] = (region.astype(np.int32) * (256 - weight) + random.integers(0, 256, 3) * weight) // 256
    return [rect]


def pan(random: Generator, frame: Pixels) -> list[Rect]:
    """The whole frame moves a little, and no pixel stays what it was, as in films and behind translucent windows."""
    height, width = frame.shape[:2]
    dx, dy = random.integers(-9, 10, 2).tolist()
    frame[:] = np.roll(frame, (dy, dx), (0, 1)) + random.integers(1, 4, frame.shape, np.uint8)
    return [Rect(0, 0, width, height)]


def scroll(random: Generator, frame: Pixels) -> list[Rect]:
    """A region moves up, down or sideways; what leaves it comes back on the other side."""
    rect = some_rect(random, frame)
    region = inside(frame, rect)
    region[:] = np.roll(region, (int(random.integers(-20, 21)), int(random.choice([0, 0, -7, 3]))), (0, 1))
    return [rect]


def scroll_anywhere(random: Generator, frame: Pixels) -> list[Rect]:
    """The whole frame moves in any direction; something new comes in."""
    height, width = frame.shape[:2]
    dx, dy = int(random.integers(-width, width + 1)) // 2, int(random.integers(-height, height + 1)) // 2
    before = frame.copy()
    redraw(random, frame)
    to_x, to_y, from_x, from_y = max(dx, 0), max(dy, 0), max(-dx, 0), max(-dy, 0)
    frame[to_y : height - from_y, to_x : width - from_x] = before[from_y : height - to_y, from_x : width - to_x]
    return [Rect(0, 0, width, height)]


def scroll_columns(random: Generator, frame: Pixels) -> list[Rect]:
    """Windows side by side scroll, each by a distance of its own."""
    height, width = frame.shape[:2]
    borders = sorted({0, *random.integers(0, width + 1, 3).tolist(), width})
    for left, right in pairwise(borders):
        frame[:, left:right] = np.roll(frame[:, left:right], int(random.integers(-height, height)), 0)
    return [Rect(0, 0, width, height)]


def move(random: Generator, frame: Pixels) -> list[Rect]:
    """A region is copied: its content is now elsewhere too."""
    source, target = some_rect(random, frame), some_rect(random, frame)
    width, height = min(source.width, target.width), min(source.height, target.height)
    source, target = source._replace(width=width, height=height), target._replace(width=width, height=height)
    inside(frame, target)[:] = inside(frame, source).copy()
    return [target]


def drag(random: Generator, frame: Pixels) -> list[Rect]:
    """Two windows are dragged at once, each to any place, and leave one colour behind."""
    height, width = frame.shape[:2]
    touched = []
    for source in (some_rect(random, frame), some_rect(random, frame)):
        x = int(random.integers(width - source.width + 1))
        y = int(random.integers(height - source.height + 1))
        content = inside(frame, source).copy()
        inside(frame, source)[:] = random.integers(0, 256, 3)
        target = source._replace(x=x, y=y)
        inside(frame, target)[:] = content
        touched += [source, target]
    return touched


def open_window(random: Generator, frame: Pixels) -> list[Rect]:
    """One of three windows comes to the front, always the same at the same place: the first fills the screen."""
    window = int(random.integers(3))
    random = np.random.default_rng(window)
    height, width = frame.shape[:2]
    rect = some_rect(random, frame) if window else Rect(0, 0, width, height)
    picture = (text, photograph, few_colours)[window]
    inside(frame, rect)[:] = picture(random, rect.height, rect.width)
    return [rect]


def repaint(random: Generator, frame: Pixels) -> list[Rect]:
    """A region shows something else altogether."""
    rect = some_rect(random, frame)
    picture = list(PICTURES.values())[random.integers(len(PICTURES))]
    inside(frame, rect)[:] = picture(random, rect.height, rect.width)
    return [rect]


def cycle_palette(random: Generator, frame: Pixels) -> list[Rect]:
    """200 colours that were not there before: two of these overflow the 256 slots of a colour table."""
    height, width = frame.shape[:2]
    rect = Rect(0, 0, min(width, 20), min(height, 20))
    inside(frame, rect)[:] = of_colours(random, rect.height, rect.width, 200)
    return [rect]


def redraw(random: Generator, frame: Pixels) -> list[Rect]:
    """The whole screen changes."""
    height, width = frame.shape[:2]
    picture = list(PICTURES.values())[random.integers(len(PICTURES))]
    frame[:] = picture(random, height, width)
    return [Rect(0, 0, width, height)]


Edit = Callable[[Generator, Pixels], list[Rect]]
EDITS: dict[str, Edit] = {
    edit.__name__: edit
    for edit in (
        nothing,
        fill,
        single_pixel,
        sparse,
        type_text,
        fade,
        pan,
        open_window,
        scroll,
        scroll_anywhere,
        scroll_columns,
        move,
        drag,
        repaint,
        cycle_palette,
        redraw,
    )
}


# Layouts: a frame as it lies in somebody's memory, (random, BGR pixels) -> (height, width, 4) -----


def with_x(random: Generator, frame: Pixels) -> Pixels:
    """BGRX with junk in X, as capture leaves it."""
    return np.dstack([frame, random.integers(0, 256, frame.shape[:2], np.uint8)])


def packed(random: Generator, frame: Pixels) -> Pixels:
    return with_x(random, frame)


def padded(random: Generator, frame: Pixels) -> Pixels:
    """Part of a larger buffer, and not aligned to the four bytes of a pixel."""
    height, width = frame.shape[:2]
    stride = 4 * width + int(random.integers(1, 40))
    offset = int(random.integers(4))
    buffer = random.integers(0, 256, offset + height * stride, np.uint8)
    view = np.ndarray((height, width, 4), np.uint8, buffer, offset, (stride, 4, 1))
    view[:] = with_x(random, frame)
    return view


def bottom_up(random: Generator, frame: Pixels) -> Pixels:
    """The lowest row first in memory, as in Windows bitmaps: the stride is negative."""
    return with_x(random, frame[::-1])[::-1]


def read_only(random: Generator, frame: Pixels) -> Pixels:
    result = with_x(random, frame)
    result.flags.writeable = False
    return result


Layout = Callable[[Generator, Pixels], Pixels]
LAYOUTS: dict[str, Layout] = {layout.__name__: layout for layout in (packed, padded, bottom_up, read_only)}
