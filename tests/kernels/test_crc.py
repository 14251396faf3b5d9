"""The CRC of packets is zlib's, on every instruction set."""

import zlib

import numpy as np
import pytest

from fastframe import _core


@pytest.mark.parametrize("start", range(4))
def test_crc_is_that_of_zlib(isa: str, start: int) -> None:
    memory = np.random.default_rng(start).integers(0, 256, start + 10_000, np.uint8)
    for count in (*range(300), 4095, 4096, 4097, 10_000):
        data = memory[start : start + count].data
        for value in (0, 0xFFFFFFFF, 0x12345678):
            assert _core.crc32(data, value) == zlib.crc32(data, value)


def test_crc_goes_on_from_where_it_was(isa: str) -> None:
    data = np.random.default_rng(9).bytes(5000)
    for cut in (0, 1, 63, 64, 65, 127, 128, 4097, 5000):
        assert _core.crc32(data[cut:], _core.crc32(data[:cut])) == zlib.crc32(data)
