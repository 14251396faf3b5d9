"""The hashes of rows and frames are what SPEC.md says, on every instruction set."""

import numpy as np
import pytest
from buffers import POISONS, SIDES, Pixels, pixels

from fastframe import _kernels


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
