"""The pixel model gives back what it was given, and writes the same on every instruction set."""

import numpy as np
import pytest
from buffers import BOXES, POISONS, SIDES, TILE, Pixels, part_of_a_frame, pixels, tile_with

from fastframe import _kernels


def inside(tile: Pixels, box: tuple[int, int, int, int]) -> Pixels:
    x, y, width, height = box
    return tile[y : y + height, x : x + width]


def drawn_tiles(random: np.random.Generator) -> list[Pixels]:
    """Tiles that call for each way to code a pixel: flat, drawn, grains, gradients, noise, and some that come back."""
    slope = np.add.outer(np.arange(TILE), 2 * np.arange(TILE)).astype(np.uint32)
    gradient = (slope * 0x010101 & 0xFFFFFF) + random.integers(0, 3, (TILE, TILE), np.uint32) | np.uint32(0xFF000000)
    drawing = pixels(random, 8, 8, 3).repeat(8, axis=0).repeat(8, axis=1)
    flat = np.full((TILE, TILE), 0xFFEEDDCC, np.uint32)
    few, noise = pixels(random, TILE, TILE, 5), pixels(random, TILE, TILE)
    # In some rows only, some of them at the left edge.
    grains = np.where(random.random((TILE, TILE)) < 0.02, noise, flat)
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
