"""Frames and frame sequences that a codec may meet, as hypothesis strategies; every test draws from here.

A `Scene` is a handful of small values: a size, a kind of picture, how rows lie in memory, and steps that
change the picture. Arrays come from `Scene.play()`, each number in them from a seed of the scene. So an
example is cheap to draw, its repr is one line that reproduces it, and it shrinks well: fewer steps, smaller
frames, simpler kinds, which stand first in the lists below. A `Program` is the same for the planes of a
packet, beyond what the encoder writes; a `Mutation` changes bytes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import packets
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.typing import NDArray

from fastframe import Rect

Pixels = NDArray[np.uint8]

# Sides around the borders of tiles, and the smallest.
TELLING_SIDES = (1, 2, 3, 16, 63, 64, 65, 127, 128, 129, 200)


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


def scroll(random: Generator, frame: Pixels) -> list[Rect]:
    """A region moves up, down or sideways; what leaves it comes back on the other side."""
    rect = some_rect(random, frame)
    region = inside(frame, rect)
    region[:] = np.roll(region, (int(random.integers(-20, 21)), int(random.choice([0, 0, -7, 3]))), (0, 1))
    return [rect]


def move(random: Generator, frame: Pixels) -> list[Rect]:
    """A window is dragged: its content is now elsewhere too."""
    source, target = some_rect(random, frame), some_rect(random, frame)
    width, height = min(source.width, target.width), min(source.height, target.height)
    source, target = source._replace(width=width, height=height), target._replace(width=width, height=height)
    inside(frame, target)[:] = inside(frame, source).copy()
    return [target]


def repaint(random: Generator, frame: Pixels) -> list[Rect]:
    """A region shows something else altogether."""
    rect = some_rect(random, frame)
    picture = list(PICTURES.values())[random.integers(len(PICTURES))]
    inside(frame, rect)[:] = picture(random, rect.height, rect.width)
    return [rect]


def cycle_palette(random: Generator, frame: Pixels) -> list[Rect]:
    """200 colours that were not there before: two of these overflow the 256 slots of the colour table."""
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
    edit.__name__: edit for edit in (nothing, fill, single_pixel, sparse, scroll, move, repaint, cycle_palette, redraw)
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


# Scenes -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the picture and how the encoder is called for it.

    `size`, if not `None`, is a new (width, height), which the frame takes before the edit. `damage` tells
    whether the encoder is told where the edit was.
    """

    edit: str
    seed: int
    size: tuple[int, int] | None = None
    damage: bool = False
    keyframe: bool = False
    budget: int | None = None


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame for an encoder: (height, width, 4) BGRX, X is junk, and the arguments of `Encoder.encode`."""

    frame: Pixels
    damage: list[Rect] | None
    keyframe: bool
    budget: int | None

    @property
    def shown(self) -> Pixels:
        """What a viewer must show: the same colours, X = 255."""
        shown = np.array(self.frame)
        shown[..., 3] = 255
        return shown


@dataclass(frozen=True, slots=True)
class Scene:
    """A first picture and what happens to it."""

    size: tuple[int, int]
    picture: str
    seed: int
    layout: str
    steps: tuple[Step, ...]

    def play(self) -> Iterator[Shot]:
        """Yield the frames, each in memory of its own."""
        random = np.random.default_rng(self.seed)
        lay_out = LAYOUTS[self.layout]
        frame = PICTURES[self.picture](random, self.size[1], self.size[0])
        yield Shot(lay_out(random, frame), None, False, None)
        for step in self.steps:
            random = np.random.default_rng(step.seed)
            resized = step.size is not None and step.size != (frame.shape[1], frame.shape[0])
            if step.size is not None:
                frame = np.resize(frame, (step.size[1], step.size[0], 3))
            touched = EDITS[step.edit](random, frame)
            damage = touched if step.damage and not resized else None
            yield Shot(lay_out(random, frame), damage, step.keyframe, step.budget)


SEEDS = st.integers(0, 2**16)


@st.composite
def sizes(draw: st.DrawFn, max_pixels: int = 1 << 14) -> tuple[int, int]:
    """Width and height, 1 to 200 each, of at most `max_pixels` in all."""
    width = draw(st.sampled_from(TELLING_SIDES) | st.integers(1, 200))
    height = draw(st.sampled_from(TELLING_SIDES) | st.integers(1, 200))
    return (width, min(height, max(1, max_pixels // width)))


@st.composite
def scenes(
    draw: st.DrawFn,
    max_pixels: int = 1 << 14,
    max_steps: int = 6,
    resizes: bool = True,
    budgets: bool = True,
    keyframes: bool = True,
) -> Scene:
    """Scenes; the switches leave out steps that a test is not about."""
    steps = st.builds(
        Step,
        edit=st.sampled_from(list(EDITS)),
        seed=SEEDS,
        size=st.none() | st.none() | st.none() | sizes(max_pixels) if resizes else st.none(),
        damage=st.booleans(),
        keyframe=st.sampled_from([False] * 7 + [True]) if keyframes else st.just(False),
        budget=st.none() | st.integers(1, 2000) if budgets else st.none(),
    )
    return Scene(
        size=draw(sizes(max_pixels)),
        picture=draw(st.sampled_from(list(PICTURES))),
        seed=draw(SEEDS),
        layout=draw(st.sampled_from(list(LAYOUTS))),
        steps=tuple(draw(st.lists(steps, max_size=max_steps))),
    )


# Packets that no encoder writes ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a packet; the box, the colours and the pixels come from the seed."""

    skip: int
    mode: int
    boxed: bool
    new_colours: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class Program:
    """The operations of one packet, good by SPEC.md for every frame size."""

    operations: tuple[Operation, ...]

    def planes(self, size: tuple[int, int]) -> dict[str, bytes]:
        """The planes by name, not compressed; operations that would name a tile again are left out."""
        columns, rows = -(-size[0] // 64), -(-size[1] // 64)
        planes: dict[str, bytearray] = {}

        def put(plane: str, data: bytes) -> None:
            planes.setdefault(plane, bytearray()).extend(data)

        position = walked = 0
        for operation in self.operations:
            skip = operation.skip % (columns * rows)
            walked += skip + 1 if walked else 1
            if walked > columns * rows:
                break
            tile = (position + skip) % (columns * rows)
            position = tile + 1
            random = np.random.default_rng(operation.seed)
            width = min(64, size[0] - tile % columns * 64)
            height = min(64, size[1] - tile // columns * 64)
            put("operations", b"\xff" * (skip // 255) + bytes([skip % 255]))
            flags = packets.BOXED * operation.boxed
            if operation.boxed:
                x, y = int(random.integers(width)), int(random.integers(height))
                width, height = (
                    int(random.integers(1, width - x + 1)),
                    int(random.integers(1, height - y + 1)),
                )
                put("boxes", bytes([x, y, width - 1, height - 1]))
            if operation.new_colours is not None and operation.mode in (packets.SOLID, packets.PALETTE):
                flags |= packets.NEW_COLOURS
                put("colours", bytes([operation.new_colours]) + random.bytes(4 * operation.new_colours))
            put("operations", bytes([operation.mode | flags]))
            pixels = width * height
            if operation.mode == packets.SOLID:
                put("colours", random.bytes(1))
            elif operation.mode == packets.PALETTE:
                put("indices", random.bytes(pixels))
            elif operation.mode == packets.XOR:
                put("xor", random.bytes(3 * pixels))
            else:
                for part in ("green", "blue", "red"):
                    put(part, random.bytes(pixels))
        return {name: bytes(data) for name, data in planes.items()}


def programs() -> st.SearchStrategy[Program]:
    """Programs of up to eight operations."""
    operation = st.builds(
        Operation,
        skip=st.integers(0, 3) | st.integers(0, 1000),
        mode=st.sampled_from([packets.SOLID, packets.PALETTE, packets.PHOTO, packets.XOR]),
        boxed=st.booleans(),
        # Not 255: with its slot, a solid tile would have one byte more than plane 2 has room for.
        new_colours=st.none() | st.integers(0, 4) | st.integers(0, 254),
        seed=SEEDS,
    )
    return st.builds(Program, st.lists(operation, max_size=8).map(tuple))


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change of bytes: at `position`, counted around the end, `kind` happens with `value`."""

    kind: str
    position: int
    value: int

    def apply(self, data: bytes) -> bytes:
        at = self.position % (len(data) + 1)
        before, after = data[:at], data[at:]
        match self.kind:
            case "set":
                return before + bytes([self.value]) + after[1:]
            case "flip":
                return before + bytes(byte ^ 1 << self.value % 8 for byte in after[:1]) + after[1:]
            case "insert":
                return before + bytes([self.value]) + after
            case "delete":
                return before + after[1 + self.value % 4 :]
            case _:
                return before


def mutations() -> st.SearchStrategy[Mutation]:
    """Mutations; half of them in the first bytes, where the fields are."""
    return st.builds(
        Mutation,
        kind=st.sampled_from(["set", "flip", "insert", "delete", "cut"]),
        position=st.integers(0, 40) | st.integers(0, 2**16),
        value=st.sampled_from([0, 1, 127, 128, 255]) | st.integers(0, 255),
    )
