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


def share_a_bucket(random: np.random.Generator, count: int) -> Pixels:
    """Windows of 16 pixels whose hashes have the same top bits, as someone who chooses pixels would have them."""
    windows = pixels(random, 16, 4096 * 2 * count)
    hashes = np.zeros(len(windows), np.uint64)
    for column in windows.T:
        hashes = hashes * np.uint64(0xE3779B97F4A7C150) + column
    return windows[hashes >> np.uint64(52) == 1234][:count]


def put(picture: Pixels, x: int, y: int, window: Pixels) -> None:
    picture[y, x : x + 16] = window


def test_motion_search_keeps_few_windows_of_one_bucket(isa: str) -> None:
    random = np.random.default_rng(0)
    chosen, others = share_a_bucket(random, 36), pixels(random, 16, 36)
    assert len(chosen) == 36
    for windows in (chosen, others):
        for absent in (0, 6, 8):  # of the first ones
            frame, reference = np.full((2, 192, 256), 0xFFFFFFFF, np.uint32)
            for i, window in enumerate(windows):
                # Three for each tile, where the search looks first.
                x, y = i // 3 % 4 * 64, i // 12 * 64 + (0, 21, 42)[i % 3]
                put(frame, x, y, window)
                if i >= absent:
                    put(reference, x + 5, y + 2, window)
            assert _kernels.motion_search(frame, reference) == ([] if windows is chosen and absent == 8 else [(5, 2)])


@pytest.mark.parametrize(("crowd", "is_found"), [(15, True), (16, False)])
def test_motion_search_looks_at_few_places_for_a_vector(isa: str, crowd: int, is_found: bool) -> None:
    random = np.random.default_rng(0)
    frame, reference = np.full((2, 192, 1280), 0xFFFFFFFF, np.uint32)
    ys, xs = np.indices((192 - 21, 1280 - 16), np.uint32)
    last, vector = 0, (0, 0)
    for i in range(crowd + 1):
        wx, wy = i % 20 * 64, i // 20 * 64
        own = ((xs - np.uint32(wx)) * np.uint32(0x9E3779B1) ^ (ys - np.uint32(wy)) * np.uint32(0x85EBCA6B)) >> 20
        # Rows are looked at four at a time, so this vector comes after those before.
        y, x = next((int(y), int(x)) for y, x in np.argwhere(own == 1234) if y >= last and (x, y) != (wx, wy))
        last, vector = y // 4 * 4 + 4, (x - wx, y - wy)
        # One vote for each but the last vector, which gets two.
        for below in (0, 21)[: 1 + (i == crowd)]:
            window = pixels(random, 16, 1)[0]
            put(frame, wx, wy + below, window)
            put(reference, x, y + below, window)
    assert _kernels.motion_search(frame, reference) == ([vector] if is_found else [])
