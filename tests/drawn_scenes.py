"""Frames and frame sequences that a codec may meet, as hypothesis strategies; every test draws from here.

A `Scene` is a handful of small values: a size, a kind of picture, how rows lie in memory, and steps that
change the picture. Arrays come from `Scene.play()`, each number in them from a seed of the scene. So an
example is cheap to draw, its repr is one line that reproduces it, and it shrinks well: fewer steps, smaller
frames, simpler kinds, which stand first in the lists of `drawing`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from drawing import EDITS, LAYOUTS, PICTURES, Pixels
from hypothesis import strategies as st
from pictures import shown

from fastframe import Rect

# Sides around the borders of tiles, and the smallest.
TELLING_SIDES = (1, 2, 3, 16, 63, 64, 65, 127, 128, 129, 200)


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
        return shown(self.frame)


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
    ("pan", "fade", "single_pixel"),
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
