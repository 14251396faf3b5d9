"""The codec frame by frame at 1080p: what an idle screen, a keyframe and a change of everything cost."""

from __future__ import annotations

from itertools import cycle, islice

import pytest
from conftest import OnceEach
from pytest_benchmark.fixture import BenchmarkFixture
from scenes import Frame

import fastframe as ff

ROUNDS = 30


@pytest.fixture
def frame(pictures: dict[str, Frame]) -> Frame:
    return pictures["terminal"]


@pytest.fixture
def two_frames(pictures: dict[str, Frame]) -> tuple[Frame, Frame]:
    """Two pictures that differ nearly everywhere."""
    return pictures["terminal"], pictures["browser_docs"]


@pytest.mark.benchmark(group="encode, nothing changed")
def bench_encode_idle(benchmark: BenchmarkFixture, frame: Frame, codec_isa: str) -> None:
    encoder = ff.Encoder()
    encoder.encode(frame)
    packet = benchmark(encoder.encode, frame)
    benchmark.extra_info.update(isa=codec_isa, bytes=len(packet))


@pytest.mark.benchmark(group="encode, nothing changed")
def bench_encode_without_damage(benchmark: BenchmarkFixture, frame: Frame, codec_isa: str) -> None:
    encoder = ff.Encoder()
    encoder.encode(frame)
    packet = benchmark(encoder.encode, frame, damage=[])
    benchmark.extra_info.update(isa=codec_isa, bytes=len(packet))


@pytest.mark.benchmark(group="encode, everything changed")
def bench_encode_full_change(
    benchmark: BenchmarkFixture, once_each: OnceEach, two_frames: tuple[Frame, Frame], codec_isa: str
) -> None:
    encoder = ff.Encoder()
    # Both pictures have been sent before, as when someone switches between two windows.
    for frame in two_frames:
        encoder.encode(frame)
    sizes: list[int] = []
    once_each(lambda frame: sizes.append(len(encoder.encode(frame))), cycle(two_frames), ROUNDS)
    benchmark.extra_info.update(isa=codec_isa, bytes=sizes[-1])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("scene", ["browser_docs", "photo_gimp", "terminal", "video_window"])
@pytest.mark.benchmark(group="encode, keyframe, by threads")
def bench_encode_threads(benchmark: BenchmarkFixture, pictures: dict[str, Frame], scene: str, threads: int) -> None:
    encoder = ff.Encoder(ff.EncoderConfig(threads=threads))
    packet = benchmark(encoder.encode, pictures[scene], keyframe=True)
    benchmark.extra_info.update(threads=threads, bytes=len(packet))


@pytest.mark.parametrize("effort", ["fast", "balanced", "tight"])
@pytest.mark.benchmark(group="encode, keyframe")
def bench_encode_keyframe(benchmark: BenchmarkFixture, frame: Frame, effort: str, codec_isa: str) -> None:
    encoder = ff.Encoder(ff.EncoderConfig(effort=effort))
    packet = benchmark(encoder.encode, frame, keyframe=True)
    benchmark.extra_info.update(isa=codec_isa, bytes=len(packet))


@pytest.mark.benchmark(group="decode")
def bench_decode_idle(benchmark: BenchmarkFixture, once_each: OnceEach, frame: Frame, codec_isa: str) -> None:
    size = decode_in_turn(once_each, [frame] * ROUNDS)
    benchmark.extra_info.update(isa=codec_isa, bytes=size)


@pytest.mark.benchmark(group="decode")
def bench_decode_full_change(
    benchmark: BenchmarkFixture, once_each: OnceEach, two_frames: tuple[Frame, Frame], codec_isa: str
) -> None:
    size = decode_in_turn(once_each, list(islice(cycle(two_frames), ROUNDS)))
    benchmark.extra_info.update(isa=codec_isa, bytes=size)


@pytest.mark.benchmark(group="decode")
def bench_decode_keyframe(benchmark: BenchmarkFixture, once_each: OnceEach, frame: Frame, codec_isa: str) -> None:
    size = decode_in_turn(once_each, [frame] * ROUNDS, keyframe=True)
    benchmark.extra_info.update(isa=codec_isa, bytes=size)


def decode_in_turn(once_each: OnceEach, frames: list[Frame], *, keyframe: bool = False) -> int:
    """Time the packets of a chain, since a decoder takes no packet twice; the bytes of the last one."""
    encoder, decoder = ff.Encoder(), ff.Decoder()
    decoder.decode(encoder.encode(frames[-1]))
    packets = [encoder.encode(frame, keyframe=keyframe) for frame in frames]
    once_each(decoder.decode, packets, len(packets))
    return len(packets[-1])
