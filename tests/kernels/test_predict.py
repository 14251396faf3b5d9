"""Residuals and differences are what NumPy computes, on every instruction set, and give the pixels back."""

import numpy as np
import pytest
from buffers import (
    BOXES,
    POISONS,
    SIDES,
    Bytes,
    Pixels,
    Target,
    as_bytes,
    assert_guards,
    guarded,
    part_of_a_frame,
    pixels,
    tile_with,
)

from fastframe import _kernels


def channels(box_pixels: Pixels) -> Bytes:
    """G, B and R as three planes."""
    planes: Bytes = as_bytes(np.ascontiguousarray(box_pixels))[..., [1, 0, 2]].transpose(2, 0, 1)
    return planes


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
