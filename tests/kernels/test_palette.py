"""Palettes are collected and drawn as NumPy does it, on every instruction set; entropy is what its formula says."""

import numpy as np
import numpy.typing as npt
import pytest
from buffers import BOXES, POISONS, SIDES, TILE, Target, assert_guards, guarded, pixels, tile_with

from fastframe import _kernels


@pytest.mark.parametrize("box", BOXES)
def test_mask_unchanged(isa: str, box: tuple[int, int, int, int]) -> None:
    random = np.random.default_rng(box[2] * box[3])
    old, new = pixels(random, box[2], box[3], 3), pixels(random, box[2], box[3], 3)
    changed = random.random(old.shape) < 0.5
    changed[0, 0] = True
    old[0, 0] ^= 1  # the lowest bit of a colour counts
    new = np.where(changed, new, old)
    for poison in POISONS:
        masked = np.full((TILE, TILE), poison * 0x01010101, np.uint32)
        _kernels.mask_unchanged(tile_with(new, box, poison), tile_with(old, box, 0x5A), box, masked)
        np.testing.assert_array_equal(masked, tile_with(np.where(new == old, 0, new), box, poison))


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


def colours_of_one_bucket(bucket: int, count: int) -> npt.NDArray[np.uint32]:
    """Opaque colours of one place in the palette's map: its number is the top eleven bits of this product."""
    candidates = np.arange(1 << 20, dtype=np.uint32) | np.uint32(0xFF000000)
    return candidates[(candidates * np.uint32(0x9E3779B1)) >> np.uint32(21) == bucket][:count]


@pytest.mark.parametrize("crowded", [2, 3, 4])
def test_collect_palette_keeps_apart_colours_that_share_a_hash_bucket(crowded: int) -> None:
    # In the last bucket, so that the search for another place goes on at the first one.
    random = np.random.default_rng(crowded)
    colours = np.concatenate([colours_of_one_bucket(2047, crowded), pixels(random, 255 - crowded, 1)[0]])
    tile = np.resize(random.permutation(colours), (TILE, TILE)).astype(np.uint32)
    result = _kernels.collect_palette(tile, (0, 0, TILE, TILE))
    assert result is not None
    np.testing.assert_array_equal(result[0][result[1]], tile)
    assert len(result[0]) == 255


@pytest.mark.parametrize("crowded", [8, 255])
def test_collect_palette_gives_up_on_many_colours_chosen_for_one_bucket(isa: str, crowded: int) -> None:
    # 255 of them would take 128 steps a pixel. A small box is done before that matters.
    colours = colours_of_one_bucket(1234, crowded)
    chosen = np.random.default_rng(crowded).choice(colours, (TILE, TILE))
    assert _kernels.collect_palette(chosen, (0, 0, TILE, TILE)) is None
    assert _kernels.collect_palette(chosen, (3, 5, 7, 5)) is not None


@pytest.mark.parametrize("count", [1, 31, 32, 33, 64, 4095, 4096])
@pytest.mark.parametrize("colours", [1, 2, 15, 16, 17, 128, 129, 254, 255])
def test_map_indices(isa: str, count: int, colours: int) -> None:
    random = np.random.default_rng(count * colours)
    slots = random.integers(0, 256, colours, np.uint8)
    indices = random.integers(0, colours, count, np.uint8)
    for poison in POISONS:
        whole, target = guarded(count, poison)
        _kernels.map_indices(indices, slots, target)
        np.testing.assert_array_equal(target, slots[indices])
        assert_guards(whole, poison)


@pytest.mark.parametrize("count", [1, 2, 16, 254, 255])
def test_count_unknown(isa: str, count: int) -> None:
    random = np.random.default_rng(count)
    colours = pixels(random, count, 1)[0]
    # In each table a colour is either in every slot, so wherever it is looked for, or in none.
    everywhere = random.permutation(np.resize(colours, 16))
    tables = np.tile(everywhere, (256, 1))
    assert _kernels.count_unknown(tables, colours).tolist() == [count - 1] * 16
    assert _kernels.count_unknown(np.zeros_like(tables), colours).tolist() == [count] * 16
    # 0 marks what a patch keeps: no table has to know it.
    colours[count // 2] = 0
    known = np.isin(everywhere, colours)
    assert _kernels.count_unknown(tables, colours).tolist() == [count - 1 - int(one) for one in known]


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


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 63, 64, 255, 256, 257, 1000, 2047, 4093, 4095, 4096])
@pytest.mark.parametrize("values", [1, 2, 3, 16, 255, 256])
def test_entropy(count: int, values: int) -> None:
    random = np.random.default_rng(count * values)
    for spread in (1.0, 6.0):
        data = (random.random(count) ** spread * values).astype(np.uint8)
        looked_at = data
        if count >= 1024:  # sixteen of each 64 bytes, from one 64 to the next sixteen further on
            sixteens = data[: count // 256 * 256].reshape(-1, 4, 4, 16)
            looked_at = sixteens[:, range(4), range(4)].ravel()
        shares = np.bincount(looked_at) / looked_at.size
        bits = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum() * count
        whole, part = guarded(count, 0xA5)
        part[...] = data
        # It computes logarithms of eight bits, so it may be off by a hundredth of a bit for each byte.
        assert _kernels.entropy(part) == pytest.approx(bits, abs=1 + 0.02 * count)
        assert_guards(whole, 0xA5)
