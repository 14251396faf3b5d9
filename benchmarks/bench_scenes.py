"""Each bundled scene from its first frame to its last; a round is a frame, so the mean is that of a frame."""

from __future__ import annotations

import pytest
from conftest import OnceEach
from pytest_benchmark.fixture import BenchmarkFixture
from scenes import Frame, Scene, find_scenes

import fastframe as ff
from fastframe import _core


@pytest.fixture(params=find_scenes(), ids=lambda scene: scene.name)
def scene(request: pytest.FixtureRequest) -> Scene:
    found: Scene = request.param
    return found


@pytest.mark.parametrize("effort", ["fast", "balanced", "tight"])
@pytest.mark.benchmark(group="scenes: encode a frame")
def bench_encode_scene(benchmark: BenchmarkFixture, once_each: OnceEach, scene: Scene, effort: str) -> None:
    encoder = ff.Encoder(ff.EncoderConfig(effort=effort))
    sizes: list[int] = []

    def encode(frame: Frame) -> None:
        sizes.append(len(encoder.encode(frame)))

    once_each(encode, scene.frames(), scene.count_frames())
    benchmark.extra_info.update(isa=_core.isa(), bytes=sum(sizes), frames=len(sizes))


@pytest.mark.benchmark(group="scenes: decode a frame")
def bench_decode_scene(benchmark: BenchmarkFixture, once_each: OnceEach, scene: Scene) -> None:
    encoder, decoder = ff.Encoder(), ff.Decoder()
    packets = [encoder.encode(frame) for frame in scene.frames()]
    once_each(decoder.decode, packets, len(packets))
    benchmark.extra_info.update(isa=_core.isa(), bytes=sum(map(len, packets)), frames=len(packets))
