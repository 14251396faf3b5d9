"""What differs between two pictures is what NumPy says, on every instruction set."""

from itertools import product

import numpy as np
import pytest
from buffers import (
    POISONS,
    SIDES,
    TILE,
    Bytes,
    Pixels,
    as_bytes,
    assert_guards,
    guarded,
    part_of_a_frame,
    pixels,
    tile_with,
)
from numpy.typing import NDArray

from fastframe import _kernels


def tiles_that_differ(frame: Bytes, reference: Pixels) -> NDArray[np.bool_]:
    """The answer of diff_tiles: pad to whole tiles, compare, reduce each tile."""
    height, width = reference.shape
    padded = np.zeros((-(-height // TILE) * TILE, -(-width // TILE) * TILE), bool)
    padded[:height, :width] = (frame[..., :3] != as_bytes(reference)[..., :3]).any(axis=2)
    return padded.reshape(padded.shape[0] // TILE, TILE, -1, TILE).any(axis=(1, 3)).ravel()


def laid_out(frame: Bytes, layout: str) -> Bytes:
    """The same pixels with rows laid out as captures lay them out."""
    height, width = frame.shape[:2]
    if layout == "negative":
        return np.ascontiguousarray(frame[::-1])[::-1]
    padding, offset = {"packed": (0, 0), "padded": (64, 0), "unaligned": (3, 1)}[layout]
    stride = width * 4 + padding
    memory = np.full(height * stride + offset, 0xA5, np.uint8)
    view = np.ndarray((height, width, 4), np.uint8, memory, offset, (stride, 4, 1))
    view[...] = frame
    return view


@pytest.mark.parametrize("layout", ["packed", "padded", "unaligned", "negative"])
@pytest.mark.parametrize(
    ("width", "height"),
    [(1, 1), (64, 64), (65, 63), (63, 65), (7, 130), (130, 7), (129, 129), (200, 3), (72, 64), (333, 150)],
)
def test_diff_tiles(isa: str, width: int, height: int, layout: str) -> None:
    random = np.random.default_rng(width * height)
    reference = pixels(random, width, height)
    tiles = -(-width // TILE) * -(-height // TILE)
    for changes in (0, 1, 1, 1, 3, 20, width * height):
        frame = as_bytes(reference.copy())
        for _ in range(changes):
            y, x, channel = random.integers(height), random.integers(width), random.integers(3)
            frame[y, x, channel] ^= 1 << random.integers(8)
        frame[..., 3] = random.integers(0, 256, (height, width))
        frame.flags.writeable = False
        expected = tiles_that_differ(frame, reference)
        chosen = random.integers(0, 2, tiles, np.uint8) * np.uint8(random.choice([1, 255]))
        for candidates, wanted in ((None, expected), (chosen, expected & (chosen != 0))):
            for poison in POISONS:
                whole, dirty = guarded(tiles, poison)
                count = _kernels.diff_tiles(laid_out(frame, layout), reference, dirty, candidates)
                np.testing.assert_array_equal(dirty, wanted)
                assert count == wanted.sum()
                assert_guards(whole, poison)


def test_diff_tiles_sees_every_single_bit_of_colour(isa: str) -> None:
    width, height = 67, 2
    reference = pixels(np.random.default_rng(1), width, height)
    dirty = np.empty(2, np.uint8)
    for y, x, channel, bit in np.ndindex(height, width, 3, 8):
        frame = as_bytes(reference.copy())
        frame[y, x, channel] ^= 1 << bit
        assert _kernels.diff_tiles(frame, reference, dirty) == 1
        assert dirty[x // TILE] == 1


def repeats_of(reference: Pixels) -> NDArray[np.uint64]:
    """What find_repeats says of each tile, by NumPy."""
    height, width = reference.shape
    columns = -(-width // TILE)
    repeats = np.zeros(-(-height // TILE) * columns, np.uint64)
    for y in range(height):
        for column in range(columns):
            here = slice(column * TILE, (column + 1) * TILE)
            if y % TILE and (reference[y, here] == reference[y - 1, here]).all():
                repeats[y // TILE * columns + column] |= np.uint64(1 << y % TILE)
    return repeats


@pytest.mark.parametrize("layout", ["packed", "unaligned", "negative"])
@pytest.mark.parametrize(("width", "height"), [(1, 2), (64, 64), (65, 66), (130, 7), (129, 129), (333, 150)])
def test_diff_tiles_with_repeated_rows(isa: str, width: int, height: int, layout: str) -> None:
    random = np.random.default_rng(width * height)
    reference = pixels(random, width, height)
    for y in range(1, height):
        for x in range(0, width, 32):
            if random.random() < 0.7:
                reference[y, x : x + 32] = reference[y - 1, x : x + 32]
    repeats = repeats_of(reference)
    assert repeats.any()
    frames = [as_bytes(reference.copy()) for _ in range(40)]
    for frame in frames[1:-1]:
        # Rows too that go on to repeat what is above them, but are no longer as they were.
        y, x, rows = random.integers(height), random.integers(width), random.choice([1, 1, 2, 9])
        frame[y : y + rows, x, random.integers(3)] ^= np.uint8(1 << random.integers(8))
    frames[-1] ^= 1
    for frame in frames:
        frame[..., 3] = random.integers(0, 256, (height, width))
        dirty = np.empty(len(repeats), np.uint8)
        count = _kernels.diff_tiles(laid_out(frame, layout), reference, dirty, None, repeats)
        expected = tiles_that_differ(frame, reference)
        np.testing.assert_array_equal(dirty, expected)
        assert count == expected.sum()


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize("layout", ["packed", "padded", "unaligned", "negative"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (64, 64), (65, 63), (7, 130), (129, 129), (201, 3), (333, 150)])
def test_load_tiles(isa: str, width: int, height: int, layout: str, poison: int) -> None:
    random = np.random.default_rng(width * height)
    frame = random.integers(0, 256, (height, width, 4), np.uint8)
    columns, rows = -(-width // TILE), -(-height // TILE)
    for dirty in (np.ones(columns * rows, np.uint8), random.integers(0, 2, columns * rows, np.uint8)):
        whole, inside = guarded(columns * rows * TILE * TILE * 4, poison)
        tiles = inside.view(np.uint32).reshape(columns * rows, TILE * TILE)
        expected = tiles.copy()
        for tile in np.flatnonzero(dirty):
            y, x = tile // columns * TILE, tile % columns * TILE
            part = frame[y : y + TILE, x : x + TILE].copy()
            part[..., 3] = 255
            expected[tile].reshape(TILE, TILE)[: part.shape[0], : part.shape[1]] = part.view(np.uint32)[..., 0]
        _kernels.load_tiles(laid_out(frame, layout), dirty, tiles)
        np.testing.assert_array_equal(tiles, expected)
        assert_guards(whole, poison)


@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize(("first", "end"), [(1, 64), (1, 1), (1, 2), (63, 64), (7, 40)])
def test_find_repeats(isa: str, width: int, first: int, end: int) -> None:
    random = np.random.default_rng(width)
    tile = pixels(random, TILE, TILE)
    for y in range(1, TILE):
        if random.random() < 0.6:
            tile[y, :width] = tile[y - 1, :width]
            if random.random() < 0.3:
                tile[y, random.integers(width)] ^= np.uint32(1 << random.integers(24))
    expected = sum(1 << y for y in range(first, end) if (tile[y, :width] == tile[y - 1, :width]).all())
    assert _kernels.find_repeats(tile, width, first, end) == expected


@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", [1, 2, 33, 64])
def test_diff_box(isa: str, width: int, height: int) -> None:
    random = np.random.default_rng(width * height)
    reference = pixels(random, width, height)
    for changes in (0, 1, 1, 1, 2, 5, width * height):
        changed = reference.copy()
        for place in random.integers(0, width * height, changes):
            changed.flat[place] ^= np.uint32(1 << random.integers(24))
        rows, columns = np.nonzero(changed != reference)
        count = len(rows)
        box = None
        if count:
            left, top = int(columns.min()), int(rows.min())
            box = (left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
        for poison in POISONS:
            tile = tile_with(changed, (0, 0, width, height), poison)
            for beside in (0, 9):
                assert _kernels.diff_box(tile, part_of_a_frame(reference, beside, poison)) == (count, box)


@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", [1, 2, 33, 64])
def test_count_differences(isa: str, width: int, height: int) -> None:
    random = np.random.default_rng(width * height)
    source = pixels(random, width, height)
    for changes in (0, 1, 3, width * height):
        changed = source.copy()
        for place in random.integers(0, width * height, changes):
            changed.flat[place] ^= np.uint32(1 << random.integers(24))
        for poison, beside, first, apart in product(POISONS, (0, 9), (0, 4), (1, 8)):
            count = int((changed != source)[first::apart].sum())
            tile = tile_with(changed, (0, 0, width, height), poison)
            laid = part_of_a_frame(source, beside, poison)
            for limit in {0, count // 2, max(count - 1, 0), count, count + 1, 2**32 - 1}:
                found = _kernels.count_differences(tile, laid, limit, first, apart)
                assert found == count if count <= limit else limit < found <= count
