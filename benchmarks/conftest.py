"""What the benchmarks share: pictures of the bundled scenes, and the instruction sets to run them with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scenes import Frame, find_scenes

from fastframe import _core, _kernels

OnceEach: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any], int], None]


@pytest.fixture(scope="session")
def pictures() -> dict[str, Frame]:
    """The first frame of each bundled scene."""
    return {scene.name: scene.load(1)[0] for scene in find_scenes()}


@pytest.fixture(params=_kernels.available_isas())
def kernel_isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set in turn, for kernels that are called one by one."""
    best = _kernels.isa()
    _kernels.force_isa(request.param)
    yield request.param
    _kernels.force_isa(best)


@pytest.fixture(params=_core.available_isas())
def codec_isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set in turn, for the codec as a whole."""
    best = _core.isa()
    _core.force_isa(request.param)
    yield request.param
    _core.force_isa(best)


@pytest.fixture
def once_each(benchmark: BenchmarkFixture) -> OnceEach:
    """Time a function once for each of `rounds` arguments: for what cannot take the same one twice."""

    def measure(function: Callable[[Any], Any], arguments: Iterable[Any], rounds: int) -> None:
        pending = iter(arguments)
        run: Any = benchmark.pedantic
        run(function, setup=lambda: ((next(pending),), {}), rounds=rounds)

    return measure
