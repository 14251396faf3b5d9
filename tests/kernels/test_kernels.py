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
        count = int((changed != source).sum())
        for poison in POISONS:
            tile = tile_with(changed, (0, 0, width, height), poison)
            for beside in (0, 9):
                laid = part_of_a_frame(source, beside, poison)
                for limit in {0, count // 2, max(count - 1, 0), count, count + 1, 2**32 - 1}:
                    found = _kernels.count_differences(tile, laid, limit)
                    assert found == count if count <= limit else limit < found <= count


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
        target = Target(pixels(random, width, height), poison)
        _kernels.expand_palette(indices, colours, target.pixels)
        np.testing.assert_array_equal(target.pixels, colours[indices])
        target.assert_guards()


@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", [1, 3, 64])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
def test_expand_patch(isa: str, width: int, height: int, share: float) -> None:
    random = np.random.default_rng(width)
    colours, before = pixels(random, 256, 1)[0], pixels(random, width, height)
    kept = random.random((height, width)) < share
    indices = np.where(kept, 0, random.integers(1, 256, (height, width))).astype(np.uint8)
    for poison in POISONS:
        target = Target(before, poison)
        _kernels.expand_patch(indices, colours, target.pixels)
        np.testing.assert_array_equal(target.pixels, np.where(kept, before, colours[indices]))
        target.assert_guards()


# -- entropy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 63, 64, 255, 256, 257, 1000, 2047, 4093, 4095, 4096])
@pytest.mark.parametrize("values", [1, 2, 3, 16, 255, 256])
def test_entropy(count: int, values: int) -> None:
    random = np.random.default_rng(count * values)
    for spread in (1.0, 6.0):
        data = (random.random(count) ** spread * values).astype(np.uint8)
        shares = np.bincount(data) / count
        bits = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum() * count
        whole, part = guarded(count, 0xA5)
        part[...] = data
        # It computes logarithms of eight bits, so it may be off by a hundredth of a bit for each byte.
        assert _kernels.entropy(part) == pytest.approx(bits, abs=1 + 0.02 * count)
        assert_guards(whole, 0xA5)


# -- motion ----------------------------------------------------------------------------------------


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


# -- prediction ------------------------------------------------------------------------------------


def parts_of(box_pixels: Pixels) -> Bytes:
    """G, B - G and R - G as three planes."""
    green, blue, red = channels(box_pixels)
    return np.stack([green, blue - green, red - green])


def expected_residuals(box_pixels: Pixels, base: Pixels | None = None) -> Bytes:
    """Each part, or 128 and its difference from a base's, minus the median of left, above and left + above - corner."""
    split = parts_of(box_pixels) if base is None else parts_of(box_pixels) - parts_of(base) + np.uint8(128)
    parts = split.astype(np.int32)
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


@pytest.mark.parametrize("based", [False, True])
@pytest.mark.parametrize("box", BOXES)
def test_predict(isa: str, box: tuple[int, int, int, int], based: bool) -> None:
    count = box[2] * box[3]
    random = np.random.default_rng(count)
    for picture in pictures(random, box[2], box[3]):
        for old in pictures(random, box[2], box[3]) if based else [None]:
            for poison in POISONS:
                base = None
                if old is not None:
                    # As in a frame: what is beside the box, and beside the tile, must not count.
                    base = part_of_a_frame(tile_with(old, box, 0x5A), 9, poison)
                tile = tile_with(picture, box, poison)
                outputs = [guarded(count, poison) for _ in range(3)]
                (_, green), (_, blue), (_, red) = outputs
                magnitude = _kernels.predict(tile, box, green, blue, red, base)
                for (whole, part), expected in zip(outputs, expected_residuals(picture, old), strict=True):
                    np.testing.assert_array_equal(part, expected)
                    assert_guards(whole, poison)
                assert magnitude == sum(int(np.abs(part.view(np.int8).astype(int)).sum()) for _, part in outputs)


@pytest.mark.parametrize("based", [False, True])
@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", [1, 2, 3, 31, 64])
def test_unpredict(isa: str, width: int, height: int, based: bool) -> None:
    random = np.random.default_rng(width * height)
    count = width * height
    for old in pictures(random, width, height):
        base = old if based else None
        residuals = [expected_residuals(picture, base) for picture in pictures(random, width, height)]
        # Residuals that no picture was asked for make pictures too.
        residuals += [random.integers(0, 256, (3, count), np.uint8), np.full((3, count), 0xFF, np.uint8)]
        for green, blue, red in residuals:
            for poison in POISONS:
                target = Target(old, poison)
                _kernels.unpredict(green, blue, red, target.pixels, based)
                np.testing.assert_array_equal(expected_residuals(target.pixels, base), [green, blue, red])
                assert (target.pixels >> np.uint32(24) == 255).all()
                target.assert_guards()


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
    new, old = pixels(random, width, height), pixels(random, width, height)
    for poison in POISONS:
        target = Target(old, poison)
        _kernels.unxor_box(np.ascontiguousarray(channels(new ^ old)).ravel(), target.pixels)
        np.testing.assert_array_equal(target.pixels, new)
        target.assert_guards()


# -- the pixel model -------------------------------------------------------------------------------


def drawn_tiles(random: np.random.Generator) -> list[Pixels]:
    """Tiles that call for each way to code a pixel: flat, drawn, grains, gradients, noise, and some that come back."""
    slope = np.add.outer(np.arange(TILE), 2 * np.arange(TILE)).astype(np.uint32)
    gradient = (slope * 0x010101 & 0xFFFFFF) + random.integers(0, 3, (TILE, TILE), np.uint32) | np.uint32(0xFF000000)
    drawing = pixels(random, 8, 8, 3).repeat(8, axis=0).repeat(8, axis=1)
    flat = np.full((TILE, TILE), 0xFFEEDDCC, np.uint32)
    few, noise = pixels(random, TILE, TILE, 5), pixels(random, TILE, TILE)
    grains = np.where(
        random.random((TILE, TILE)) < 0.02, noise, flat
    )  # in some rows only, some of them at the left edge
    grains[::9, 0] = noise[::9, 0]
    return [flat, drawing, grains, few, noise, gradient, np.roll(drawing, 9, axis=1), few, np.roll(gradient, 3, axis=0)]


def model_passes(random: np.random.Generator) -> list[tuple[Pixels, Pixels, tuple[int, int, int, int], int]]:
    """What is coded one after the other: the tile, what it was before, the box, and what is around the tile."""
    tiles = drawn_tiles(random)
    passes = []
    for number, box in enumerate(BOXES):
        tile, before = tiles[number % len(tiles)], tiles[(number + 3) % len(tiles)].copy()
        if number % 2:
            before = tile.copy()
            before[random.random(tile.shape) < 0.1] = 0xFF000000
        passes.append((tile, before, box, (0xFF000000, 0xFFFFFFFF)[number % 2]))
    return passes


@pytest.mark.parametrize("seed", range(3))
def test_modelled_boxes_come_back_and_all_instruction_sets_write_the_same(isa: str, seed: int) -> None:
    passes = model_passes(np.random.default_rng(seed))
    count = sum(width * height for _, _, (_, _, width, height), _ in passes)
    written = set()
    for name in ("scalar", isa):
        _kernels.force_isa(name)
        encoder, decoder = _kernels.PixelModel(), _kernels.PixelModel()
        for _ in range(2):  # the second time it knows more
            encoder.begin(count)
            for tile, before, box, around in passes:
                encoder.encode(tile, before, box, around)
            data = encoder.end()
            written.add(data)
            decoder.open(data)
            for tile, before, box, around in passes:
                np.testing.assert_array_equal(decoder.decode(before, box, around), inside(tile, box))
    assert len(written) == 2
    assert len(min(written, key=len)) < len(max(written, key=len))


@pytest.mark.parametrize("width", SIDES)
def test_modelled_boxes_of_cut_tiles_come_back(isa: str, width: int) -> None:
    random = np.random.default_rng(width)
    encoder, decoder = _kernels.PixelModel(), _kernels.PixelModel()
    for poison in POISONS:
        for height in SIDES:
            part, box = pixels(random, width, height, 4), (0, 0, width, height)
            before = part_of_a_frame(pixels(random, width, height, 2), 3, poison)
            encoder.begin(width * height)
            encoder.encode(tile_with(part, box, poison), before, box)
            decoder.open(encoder.end())
            np.testing.assert_array_equal(decoder.decode(before, box), part)


def test_what_lies_outside_of_box_and_base_changes_no_byte(isa: str) -> None:
    random = np.random.default_rng(1)
    part, before = pixels(random, 30, 21, 6), pixels(random, 40, 37, 6)
    written = set()
    for poison in POISONS:
        model = _kernels.PixelModel()
        model.begin(30 * 21)
        model.encode(tile_with(part, (7, 9, 30, 21), poison), part_of_a_frame(before, 5, poison), (7, 9, 30, 21))
        written.add(model.end())
    assert len(written) == 1


def test_noise_takes_little_more_than_its_bytes(isa: str) -> None:
    random = np.random.default_rng(2)
    model = _kernels.PixelModel()
    model.begin(24 * TILE * TILE)
    flat = np.full((TILE, TILE), 0xFF102030, np.uint32)
    for _ in range(20):  # it learns to be sure
        model.encode(flat, flat, (0, 0, TILE, TILE))
    for _ in range(4):
        model.encode(pixels(random, TILE, TILE), flat, (0, 0, TILE, TILE))
    assert 4 * 3 * TILE * TILE < len(model.end()) < 4 * 4 * TILE * TILE
