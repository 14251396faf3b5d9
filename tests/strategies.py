"""Frames and frame sequences that a codec may meet, as hypothesis strategies; every test draws from here.

A `Scene` is a handful of small values: a size, a kind of picture, how rows lie in memory, and steps that
change the picture. Arrays come from `Scene.play()`, each number in them from a seed of the scene. So an
example is cheap to draw, its repr is one line that reproduces it, and it shrinks well: fewer steps, smaller
frames, simpler kinds, which stand first in the lists below. A `Program` is the same for the planes of a
packet, beyond what the encoder writes; a `Mutation` changes bytes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

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


# Scenes -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the picture and how the encoder is called for it.

    `size`, if not `None`, is a new (width, height), which the frame takes before the edit. `damage` tells
    whether the encoder is told where the edit was. After it the picture stands still for `pause` frames.
    """

    edit: str
    seed: int
    size: tuple[int, int] | None = None
    damage: bool = False
    keyframe: bool = False
    budget: int | None = None
    pause: int = 0


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
            for _ in range(step.pause):
                yield Shot(lay_out(random, frame), [] if step.damage else None, False, step.budget)


SEEDS = st.integers(0, 2**16)

# What happens in one scene: anything, or the same few things, without which a window never comes back.
THEMES = (
    tuple(EDITS),
    ("open_window",),
    ("open_window", "drag", "type_text"),
    ("scroll_anywhere", "scroll_columns", "type_text"),
    ("fade", "sparse", "repaint"),
)


@st.composite
def sizes(draw: st.DrawFn, max_pixels: int = 1 << 14, least: int = 1) -> tuple[int, int]:
    """Width and height, `least` to 200 each, of at most `max_pixels` in all, for which the height gives way."""
    sides = st.sampled_from([side for side in TELLING_SIDES if side >= least]) | st.integers(least, 200)
    width, height = draw(sides), draw(sides)
    return (width, min(height, max(1, max_pixels // width)))


@st.composite
def scenes(
    draw: st.DrawFn,
    max_pixels: int = 1 << 14,
    max_steps: int = 7,
    resizes: bool = True,
    budgets: bool = True,
    keyframes: bool = True,
) -> Scene:
    """Scenes; the switches leave out steps that a test is not about."""
    steps = st.builds(
        Step,
        edit=st.sampled_from(draw(st.sampled_from(THEMES))),
        seed=SEEDS,
        size=st.none() | st.none() | st.none() | sizes(max_pixels) if resizes else st.none(),
        damage=st.booleans(),
        keyframe=st.sampled_from([False] * 7 + [True]) if keyframes else st.just(False),
        budget=st.none() | st.integers(1, 2000) if budgets else st.none(),
        # Tiles that stood still for so long are worth keeping.
        pause=st.sampled_from([0, 0, 5]),
    )
    return Scene(
        # Moves are looked for where several tiles change.
        size=draw(sizes(max_pixels) | sizes(max_pixels, least=129)),
        picture=draw(st.sampled_from(list(PICTURES))),
        seed=draw(SEEDS),
        layout=draw(st.sampled_from(list(LAYOUTS))),
        steps=tuple(draw(st.lists(steps, max_size=max_steps))),
    )


# Packets that no encoder writes ---------------------------------------------------------------------


# The flags that a mode may have; a copy is always moved.
FLAGS = {
    packets.SOLID: packets.BOXED | packets.NEW_COLOURS | packets.MOVED | packets.KEEP,
    packets.PALETTE: packets.BOXED | packets.NEW_COLOURS | packets.MOVED | packets.KEEP,
    packets.PATCH: packets.BOXED | packets.NEW_COLOURS | packets.MOVED | packets.KEEP,
    packets.COPY: packets.MOVED | packets.KEEP,
    packets.CACHED: packets.KEEP,
    packets.PHOTO: packets.BOXED | packets.MOVED | packets.KEEP,
    packets.XOR: packets.BOXED | packets.MOVED | packets.KEEP,
    packets.DIFFERENCE: packets.BOXED | packets.MOVED | packets.KEEP,
    packets.MODELLED: packets.BOXED | packets.MOVED | packets.KEEP,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a packet; of its flags those count that its mode may have.

    The box, the vector, the slots, the colours and the pixels come from the seed.
    """

    skip: int
    mode: int
    flags: int
    new_colours: int
    seed: int


@dataclass(frozen=True, slots=True)
class Program:
    """The operations of one packet, good by SPEC.md for every frame size and number of cache slots."""

    operations: tuple[Operation, ...]

    def planes(self, size: tuple[int, int], slots: int) -> dict[str, bytes]:
        """The planes by name, not compressed; what would name a tile again or needs a slot is left out."""
        columns, rows = -(-size[0] // 64), -(-size[1] // 64)
        planes: dict[str, bytearray] = {}
        # Vectors that no operation uses may point anywhere.
        vectors: list[tuple[int, int]] = [(-32768, 32767), (32767, -32768)][: len(self.operations) % 3]
        vector_numbers = bytearray()

        def put(plane: str, data: bytes) -> None:
            planes.setdefault(plane, bytearray()).extend(data)

        modelled_pixels = 0
        position = walked = 0
        for operation in self.operations:
            skip = operation.skip % (columns * rows)
            walked += skip + 1 if walked else 1
            if walked > columns * rows:
                break
            mode = operation.mode if slots or operation.mode != packets.CACHED else packets.SOLID
            flags = operation.flags & FLAGS[mode]
            if mode == packets.COPY:
                flags |= packets.MOVED
            if not slots:
                flags &= ~packets.KEEP
            if mode == packets.MODELLED:
                flags |= packets.BOXED
            put("operations", b"\xff" * (skip // 255) + bytes([skip % 255, mode | flags]))

            tile = (position + skip) % (columns * rows)
            position = tile + 1
            left, top = tile % columns * 64, tile // columns * 64
            width, height = min(64, size[0] - left), min(64, size[1] - top)
            random = np.random.default_rng(operation.seed)
            if flags & packets.MOVED:
                # From anywhere, above all from the frame's borders.
                dx = int(random.choice([-left, size[0] - width - left, random.integers(size[0] - width + 1) - left]))
                dy = int(random.choice([-top, size[1] - height - top, random.integers(size[1] - height + 1) - top]))
                vector_numbers.append(len(vectors))
                vectors.append((dx, dy))
            if flags & packets.BOXED:
                x, y = int(random.integers(width)), int(random.integers(height))
                width, height = int(random.integers(1, width - x + 1)), int(random.integers(1, height - y + 1))
                if mode == packets.MODELLED:  # the second decoder takes long over them
                    width, height = min(width, 40), min(height, 9)
                    modelled_pixels += width * height
                put("boxes", bytes([x, y, width - 1, height - 1]))
            if mode in (packets.SOLID, packets.PALETTE, packets.PATCH):
                # Often the same table, so that one operation finds what another has put there.
                put("colours", bytes([int(random.choice([0, 15, random.integers(16)]))]))
            if flags & packets.NEW_COLOURS:
                put("colours", bytes([operation.new_colours]) + random.bytes(4 * operation.new_colours))
            self._put_pixels(put, mode, width * height, random)
            if mode == packets.CACHED:
                put("cache", packets.slots(int(random.integers(slots))))
            if flags & packets.KEEP:
                put("cache", packets.slots(int(random.integers(slots))))
        if vector_numbers:
            put("vectors", packets.vectors(*vectors) + vector_numbers)
        if modelled_pixels:
            random = np.random.default_rng(modelled_pixels)
            put("modelled", packets.modelled(modelled_pixels, random.bytes(int(random.integers(2 * modelled_pixels)))))
        return {name: bytes(data) for name, data in planes.items()}

    @staticmethod
    def _put_pixels(put: Callable[[str, bytes], None], mode: int, count: int, random: Generator) -> None:
        match mode:
            case packets.SOLID:
                put("colours", random.bytes(1))
            case packets.PALETTE:
                put("indices", random.bytes(count))
            case packets.PATCH:
                put("indices", bytes(random.integers(0, 256, count, np.uint8) * (random.random(count) < 0.5)))
            case packets.XOR:
                put("xor", random.bytes(3 * count))
            case packets.PHOTO | packets.DIFFERENCE:
                for part in ("green", "blue", "red"):
                    put(part, random.bytes(count))


def programs() -> st.SearchStrategy[Program]:
    """Programs of up to eight operations."""
    operation = st.builds(
        Operation,
        skip=st.integers(0, 3) | st.integers(0, 1000),
        mode=st.sampled_from(list(FLAGS)),
        flags=st.integers(0, 15).map(lambda bits: bits << 4),
        new_colours=st.integers(0, 4) | st.integers(0, 255),
        seed=SEEDS,
    )
    return st.builds(Program, st.lists(operation, max_size=8).map(tuple))


# Slots of the tile cache: none, so few that they are used again and again, more than there are tiles.
SLOTS = st.sampled_from([2, 1, 0, 5, 500])


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
