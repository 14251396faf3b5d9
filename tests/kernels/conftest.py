"""What the tests of kernels share beside `buffers`: instruction sets, for the kernels called one by one, too."""

from collections.abc import Iterator

import pytest

from fastframe import _kernels


@pytest.fixture
def isa(isa: str) -> Iterator[str]:
    """Runs the test on each instruction set in turn."""
    before = _kernels.isa()
    _kernels.force_isa(isa)
    yield isa
    _kernels.force_isa(before)
