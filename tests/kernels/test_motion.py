"""The motion search finds what moved, and nothing that the format cannot hold, on every instruction set."""

import numpy as np
import pytest
from buffers import Pixels, pixels

from fastframe import _kernels


def text(random: np.random.Generator, width: int, height: int) -> Pixels:
    """Something with edges that stands nowhere twice."""
    chosen = np.full((height, width), 0xFFFFFFFF, np.uint32)
    ink = random.random((height, width)) < 0.3
    chosen[ink] = pixels(random, width, height, 6)[ink]
    return chosen


@pytest.mark.parametrize(
    ("dx", "dy"),
    [
        (0, 1), (1, 0), (-1, 0), (0, -1), (0, 48), (0, -64), (17, 0), (-63, 65), (5, 3), (-100, 37), (128, -128),
        (0, 200), (300, 0), (-299, -199),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("width", "height"), [(640, 480), (517, 395)])
def test_motion_search_finds_where_a_picture_moved(isa: str, width: int, height: int, dx: int, dy: int) -> None:
    random = np.random.default_rng(0)
    picture = text(random, width + 300, height + 200)
    x, y = max(dx, 0), max(dy, 0)
    reference = np.ascontiguousarray(picture[y : y + height, x : x + width])
    frame = np.ascontiguousarray(picture[y - dy : y - dy + height, x - dx : x - dx + width])
    # A vector tells where the pixels come from.
    assert _kernels.motion_search(frame, reference)[0] == (-dx, -dy)


def test_motion_search_finds_windows_that_move_apart(isa: str) -> None:
    random = np.random.default_rng(0)
    background, first, second = text(random, 700, 500), text(random, 260, 200), text(random, 250, 230)
    reference, frame = background.copy(), background.copy()
    reference[10:210, 20:280], reference[240:470, 400:650] = first, second
    frame[47:247, 51:311], frame[229:459, 330:580] = first, second
    assert set(_kernels.motion_search(frame, reference)[:2]) == {(-31, -37), (70, 11)}


@pytest.mark.parametrize(("width", "height"), [(640, 480), (333, 150), (64, 300), (300, 64), (15, 400), (1, 300)])
def test_motion_search_of_other_pictures_stays_within_bounds(isa: str, width: int, height: int) -> None:
    random = np.random.default_rng(0)
    stripes = np.resize(np.arange(5, dtype=np.uint32) * np.uint32(0x332211) | np.uint32(0xFF000000), (height, width))
    kinds = [
        np.full((height, width), 0xFF000000, np.uint32),
        pixels(random, width, height),
        pixels(random, width, height, 2),
        stripes,
        np.ascontiguousarray(stripes[::-1, ::-1]),
    ]
    for frame in kinds:
        for reference in kinds:
            vectors = _kernels.motion_search(frame, reference)
            assert len(vectors) == len(set(vectors)) <= 8
            assert (0, 0) not in vectors
            assert all(abs(dx) < width and abs(dy) < height for dx, dy in vectors)
            if frame is reference:
                assert vectors == []


def test_motion_search_leaves_vectors_alone_that_the_format_cannot_hold(isa: str) -> None:
    random = np.random.default_rng(0)
    sign = text(random, 40_000, 64)
    reference, frame = np.full((2, 64, 40_000), 0xFF808080, np.uint32)
    reference[:, :400], frame[:, 39_600:] = sign[:, :400], sign[:, :400]
    assert _kernels.motion_search(frame, reference) == []
    reference[:, 7000:7400] = sign[:, :400]
    assert _kernels.motion_search(frame, reference) == [(7000 - 39_600, 0)]
