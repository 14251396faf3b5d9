"""What codes are estimated to cost is nearly what the entropy says, and the same on every instruction set."""

import numpy as np
import pytest
from buffers import Pixels
from numpy.typing import NDArray

from fastframe import _kernels

BITS_PER_CODE, BITS_PER_CODED_VALUE = 300, 2


def log2(values: Pixels) -> NDArray[np.uint32]:
    """256 times the logarithm, as the kernels compute it."""
    bits = values.astype(np.float32).view(np.uint32) >> 15
    below = bits & 255
    return bits - (127 << 8) + (below * (256 - below) * 88 >> 16)


def counts_of(kind: str) -> Pixels:
    random = np.random.default_rng(5)
    counts = np.zeros(256, np.uint32)
    if kind == "one":
        counts[7] = 1
    elif kind == "all of one":
        counts[255] = (1 << 17) - 1
    elif kind == "alike":
        counts[:] = 511
    elif kind == "ever rarer":
        counts[:17] = 1 << np.arange(17)[::-1] >> 1
    else:
        values = random.laplace(0, int(kind), 70_000).round().astype(np.int64) & 255
        counts += np.bincount(values, minlength=256).astype(np.uint32)
    return counts


def test_the_logarithm_is_near() -> None:
    values = np.arange(1, 1 << 17, dtype=np.uint32)
    assert np.abs(log2(values) - 256 * np.log2(values)).max() < 5


@pytest.mark.parametrize("kind", ["one", "all of one", "alike", "ever rarer", "1", "5", "40"])
def test_estimate_codes(isa: str, kind: str) -> None:
    counts = counts_of(kind)
    coming = counts[counts > 0]
    total = coming.sum(dtype=np.uint32)
    entropy = (total * log2(total) - (coming * log2(coming)).sum(dtype=np.uint32)) // 256
    assert _kernels.estimate_codes(counts) == entropy + BITS_PER_CODE + BITS_PER_CODED_VALUE * len(coming)


def test_wrong_counts_are_refused() -> None:
    for counts in (np.zeros(256, np.uint32), np.ones(255, np.uint32), np.full(256, 1 << 9, np.uint32)):
        with pytest.raises(ValueError, match="256 bytes"):
            _kernels.estimate_codes(counts)
