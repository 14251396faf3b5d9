"""Every kernel, on every instruction set of this machine, computes what a line of NumPy computes.

And it touches nothing else: outputs lie between guard bytes, and what a kernel must not look at is filled
with one poison and then with another.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastframe import _core, _kernels

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


@pytest.fixture(params=_kernels.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the test on each instruction set in turn."""
    before = _kernels.isa()
    _kernels.force_isa(request.param)
    yield request.param
    _kernels.force_isa(before)


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


def inside(tile: NDArray[np.generic], box: tuple[int, int, int, int]) -> NDArray[np.generic]:
    x, y, width, height = box
    return tile[y : y + height, x : x + width]


def tile_with(box_pixels: Pixels, box: tuple[int, int, int, int], poison: int) -> Pixels:
    """A tile that holds the pixels in a box and poison everywhere else."""
    tile = np.full((TILE, TILE), poison * 0x01010101, np.uint32)
    x, y, width, height = box
    tile[y : y + height, x : x + width] = box_pixels
    return tile


def channels(box_pixels: Pixels) -> Bytes:
    """G, B and R as three planes."""
    planes: Bytes = as_bytes(np.ascontiguousarray(box_pixels))[..., [1, 0, 2]].transpose(2, 0, 1)
    return planes


# -- instruction sets ------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [_core, _kernels])
def test_an_instruction_set_is_forced_until_another_is(module: Any) -> None:
    assert module.available_isas()[0] == "scalar"
    before = module.isa()
    try:
        for name in module.available_isas():
            module.force_isa(name)
            assert module.isa() == name
        with pytest.raises(ValueError, match="neon9"):
            module.force_isa("neon9")
        assert module.isa() == module.available_isas()[-1]
    finally:
        module.force_isa(before)


# -- diff ------------------------------------------------------------------------------------------


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
            assert _kernels.diff_box(tile, reference) == (count, box)


# -- hash ------------------------------------------------------------------------------------------


def expected_keys(count: int) -> list[int]:
    keys = []
    for x in range(count):
        key = (x + 1) * 0x9E3779B1 % 2**32
        key = (key ^ key >> 16) * 0x85EBCA6B % 2**32
        key = (key ^ key >> 13) * 0xC2B2AE35 % 2**32
        keys.append(key ^ key >> 16)
    return keys


def expected_row_hash(row: Pixels) -> int:
    values = [int(value) for value in row] + [0] * (len(row) % 2)
    keyed = [(value + key) % 2**32 for value, key in zip(values, expected_keys(len(values)), strict=True)]
    return sum(a * b for a, b in zip(keyed[::2], keyed[1::2], strict=True)) % 2**64


@pytest.mark.parametrize("width", [*SIDES, 65, 100, 129])
def test_hash_row(isa: str, width: int) -> None:
    random = np.random.default_rng(width)
    assert _kernels.hash_keys(width).tolist() == expected_keys(width)
    for row in (
        pixels(random, width, 1)[0],
        np.zeros(width, np.uint32),
        np.full(width, 0xFFFFFFFF, np.uint32),
    ):
        for poison in POISONS:
            # What follows an odd row must not count.
            memory = np.full(width + 16, poison * 0x01010101, np.uint32)
            memory[:width] = row
            assert _kernels.hash_row(memory[:width]) == expected_row_hash(row)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (7, 2), (33, 5), (129, 4)])
def test_hash_frame(isa: str, width: int, height: int) -> None:
    frame = pixels(np.random.default_rng(width), width, height)
    expected = width << 32 | height
    for row in frame:
        expected = (expected ^ expected_row_hash(row)) * 0x9E3779B97F4A7C15 % 2**64
        expected ^= expected >> 32
    assert _kernels.hash_frame(frame) == expected


def test_the_frame_hash_tells_every_single_bit_and_swapped_rows_apart(isa: str) -> None:
    frame = pixels(np.random.default_rng(3), 9, 4)
    seen = {_kernels.hash_frame(frame), _kernels.hash_frame(np.ascontiguousarray(frame[::-1]))}
    for place, bit in np.ndindex(frame.size, 24):
        changed = frame.copy()
        changed.flat[place] ^= np.uint32(1 << bit)
        seen.add(_kernels.hash_frame(changed))
    assert len(seen) == 2 + frame.size * 24


# -- palette ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("colours", [1, 2, 3, 16, 255, 256, 0])
def test_collect_palette(isa: str, box: tuple[int, int, int, int], colours: int) -> None:
    random = np.random.default_rng(colours)
    chosen = pixels(random, box[2], box[3], colours)
    if colours == 255 and chosen.size >= 256:
        chosen.flat[:255] = np.arange(255, dtype=np.uint32) | np.uint32(0xFF000000)
        chosen.flat[255:] = random.permutation(chosen.flat[:255])[random.integers(0, 255, chosen.size - 255)]
    first: dict[int, int] = {}
    for colour in chosen.ravel().tolist():
        first.setdefault(colour, len(first))
    other_left, other_above = np.ones(chosen.shape, bool), np.ones(chosen.shape, bool)
    other_left[:, 1:] = chosen[:, 1:] != chosen[:, :-1]
    other_above[1:] = chosen[1:] != chosen[:-1]
    for poison in POISONS:
        result = _kernels.collect_palette(tile_with(chosen, box, poison), box)
        if len(first) > _kernels.PALETTE_MAX:
            assert result is None
            continue
        assert result is not None
        found, indices, transitions = result
        assert found.tolist() == list(first)
        np.testing.assert_array_equal(found[indices], chosen)
        assert transitions == (other_left & other_above).sum()


def test_collect_palette_keeps_apart_colours_that_share_a_hash_bucket() -> None:
    # The map's bucket is the top ten bits of colour * 0x9E3779B1: find many colours for the same few buckets.
    candidates = np.arange(1 << 20, dtype=np.uint32) | np.uint32(0xFF000000)
    buckets = (candidates * np.uint32(0x9E3779B1)) >> np.uint32(22)
    crowded = candidates[buckets >= 1022][:255]
    tile = np.resize(crowded, (TILE, TILE)).astype(np.uint32)
    result = _kernels.collect_palette(tile, (0, 0, TILE, TILE))
    assert result is not None
    np.testing.assert_array_equal(result[0][result[1]], tile)
    assert len(result[0]) == 255


@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", [1, 3, 64])
@pytest.mark.parametrize("runs", [True, False])
def test_expand_palette(isa: str, width: int, height: int, runs: bool) -> None:
    random = np.random.default_rng(width)
    colours = pixels(random, 256, 1)[0]
    indices = random.integers(0, 256, (height, width), np.uint8)
    if runs:
        indices[...] = np.sort(indices // 100 * 100, axis=1)
    for poison in POISONS:
        target = np.full((height + 2, width + 9), poison, np.uint32)
        _kernels.expand_palette(indices, colours, target)
        np.testing.assert_array_equal(target[:height, :width], colours[indices])
        assert (target[:, width:] == poison).all()
        assert (target[height:] == poison).all()


# -- prediction ------------------------------------------------------------------------------------


def expected_residuals(box_pixels: Pixels) -> Bytes:
    """G, B - G and R - G, each minus the median of left, above and left + above - above left."""
    green, blue, red = channels(box_pixels)
    parts = np.stack([green, blue - green, red - green]).astype(np.int32)
    left, above, corner = (np.zeros_like(parts) for _ in range(3))
    left[:, :, 1:] = parts[:, :, :-1]
    above[:, 1:] = parts[:, :-1]
    corner[:, 1:, 1:] = parts[:, :-1, :-1]
    prediction = np.median([left, above, left + above - corner], axis=0).astype(np.int32)
    prediction[:, 0] = left[:, 0]
    prediction[:, :, 0] = above[:, :, 0]
    residuals: Bytes = ((parts - prediction) % 256).astype(np.uint8).reshape(3, -1)
    return residuals


def pictures(random: np.random.Generator, width: int, height: int) -> list[Pixels]:
    """Boxes that reach the corners of the arithmetic: extremes, edges, gradients, noise."""
    y, x = np.mgrid[:height, :width].astype(np.uint32)
    opaque = np.uint32(0xFF000000)
    extremes = random.choice(np.array([0, 0xFF, 0xFF00, 0xFF0000, 0xFFFFFF], np.uint32), (height, width))
    return [
        pixels(random, width, height),
        extremes | opaque,
        (x * np.uint32(0x010203) + y * np.uint32(0x030201)) & np.uint32(0xFFFFFF) | opaque,
        np.full((height, width), 0xFF804020, np.uint32),
    ]


@pytest.mark.parametrize("box", BOXES)
def test_predict(isa: str, box: tuple[int, int, int, int]) -> None:
    count = box[2] * box[3]
    for picture in pictures(np.random.default_rng(count), box[2], box[3]):
        for poison in POISONS:
            outputs = [guarded(count, poison) for _ in range(3)]
            estimate = _kernels.predict(tile_with(picture, box, poison), box, *(part for _, part in outputs))
            for (whole, part), expected in zip(outputs, expected_residuals(picture), strict=True):
                np.testing.assert_array_equal(part, expected)
                assert_guards(whole, poison)
            _kernels.force_isa("scalar")
            spare = [np.empty(count, np.uint8) for _ in range(3)]
            assert estimate == _kernels.predict(tile_with(picture, box, poison), box, *spare)
            _kernels.force_isa(isa)


@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", [1, 2, 3, 31, 64])
def test_unpredict(isa: str, width: int, height: int) -> None:
    random = np.random.default_rng(width * height)
    count = width * height
    residuals = [expected_residuals(picture) for picture in pictures(random, width, height)]
    # Residuals that no picture was asked for make pictures too.
    residuals += [random.integers(0, 256, (3, count), np.uint8), np.full((3, count), 0xFF, np.uint8)]
    for green, blue, red in residuals:
        for poison in POISONS:
            memory = np.full(count + 2 * GUARD, poison * 0x01010101, np.uint32)
            target = memory[GUARD : GUARD + count].reshape(height, width)
            _kernels.unpredict(green, blue, red, target)
            np.testing.assert_array_equal(expected_residuals(target), [green, blue, red])
            assert (target >> np.uint32(24) == 255).all()
            assert (memory[:GUARD] == poison * 0x01010101).all()
            assert (memory[-GUARD:] == poison * 0x01010101).all()


# -- XOR -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", BOXES)
def test_xor_box(isa: str, box: tuple[int, int, int, int]) -> None:
    random = np.random.default_rng(box[2] * box[3])
    count = box[2] * box[3]
    new, old = pixels(random, box[2], box[3]), pixels(random, box[2], box[3])
    for poison in POISONS:
        whole, part = guarded(3 * count, poison)
        _kernels.xor_box(tile_with(new, box, poison), tile_with(old, box, 0x5A), box, part)
        np.testing.assert_array_equal(part, channels(new ^ old).ravel())
        assert_guards(whole, poison)


@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", [1, 2, 33, 64])
def test_unxor_box(isa: str, width: int, height: int) -> None:
    random = np.random.default_rng(width * height)
    count = width * height
    new, old = pixels(random, width, height), pixels(random, width, height)
    memory = np.full(count + 2 * GUARD, 0x5A5A5A5A, np.uint32)
    target = memory[GUARD : GUARD + count].reshape(height, width)
    target[...] = old
    _kernels.unxor_box(np.ascontiguousarray(channels(new ^ old)).ravel(), target)
    np.testing.assert_array_equal(target, new)
    assert (memory[:GUARD] == 0x5A5A5A5A).all()
    assert (memory[-GUARD:] == 0x5A5A5A5A).all()
