"""Planes that no encoder wrote are refused, or drawn without touching memory that is not theirs.

Inside a `Decoder` planes lie in larger buffers, where reading past an end goes unnoticed. Here each buffer is
exactly as large as what it holds, so that under `make sanitize` one byte too many ends the run.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from fastframe import _core

# The last column and row of tiles are cut off, and rows are no multiple of a vector.
WIDTH, HEIGHT = 149, 101

Planes = list[NDArray[np.uint8]]


def exact(data: memoryview | bytes) -> NDArray[np.uint8]:
    """Return a copy of `data` in an allocation of exactly its size."""
    return np.frombuffer(data, np.uint8).copy() if len(data) else np.empty(0, np.uint8)


def written_planes() -> list[Planes]:
    """Return the planes of two packets that between them use every mode."""
    random = np.random.default_rng(5)
    encoder = _core.FrameEncoder(WIDTH, HEIGHT)
    frame = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    frame[:64] = random.integers(0, 256, (64, WIDTH, 4))
    frame[64:, :64] = (200, 100, 50, 0)
    frame[64:, 64:][random.random((HEIGHT - 64, WIDTH - 64)) < 0.3] = (240, 240, 240, 0)
    packets = []
    for _ in range(2):
        encoder.begin(frame, None)
        encoder.encode(frame, 1 << 40)
        packets.append([exact(encoder.plane(number)) for number in range(len(_core.PLANES))])
        frame[3:9, 2:147:5] ^= 1
        frame[70:90, 10:120] = random.integers(0, 4, (20, 110, 1)) * 60
    return packets


def attempt(planes: Planes) -> tuple[str, str] | None:
    """Let a new decoder check the planes and draw those that it finds good; return what it found."""
    decoder = _core.FrameDecoder(WIDTH, HEIGHT)
    fault = decoder.check(planes)
    if fault is None:
        framebuffer = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        for x, y, width, height in decoder.apply(planes, framebuffer):
            assert 0 <= x < x + width <= WIDTH
            assert 0 <= y < y + height <= HEIGHT
    return fault


def test_the_planes_use_every_mode() -> None:
    decoder, modes = _core.FrameDecoder(WIDTH, HEIGHT), set()
    framebuffer = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    for planes in written_planes():
        assert decoder.check(planes) is None
        decoder.apply(planes, framebuffer)
        modes |= {_core.MODES[mode] for mode in decoder.modes()}
    assert modes == set(_core.MODES)


@pytest.mark.parametrize("number", range(len(_core.PLANES)), ids=_core.PLANES)
def test_a_plane_cut_short_is_refused(number: int) -> None:
    for planes in written_planes():
        size = len(planes[number])
        for length in sorted({*range(min(size, 40)), *range(max(size - 40, 0), size), *range(0, size, 97)}):
            cut = [exact(plane[:length].tobytes()) if i == number else plane for i, plane in enumerate(planes)]
            assert attempt(cut) is not None


@pytest.mark.parametrize("number", range(len(_core.PLANES)), ids=_core.PLANES)
def test_a_plane_with_a_byte_too_many_is_refused(number: int) -> None:
    for planes in written_planes():
        longer = exact(planes[number].tobytes() + b"\0")
        assert attempt([longer if i == number else plane for i, plane in enumerate(planes)]) is not None


@pytest.mark.parametrize("seed", range(8))
def test_damaged_planes_are_refused_or_drawn_within_bounds(seed: int) -> None:
    random = np.random.default_rng(seed)
    found = set()
    for planes in written_planes():
        sizes = [len(plane) for plane in planes]
        for _ in range(150):
            damaged = [plane.copy() for plane in planes]
            # Operations and boxes steer everything else, so they are hit as often as all the pixels.
            number = int(random.choice([0, 0, 1, 1, 2, 3, 4, 5]))
            if sizes[number]:
                places = random.integers(0, sizes[number], random.integers(1, 4))
                damaged[number][places] = random.integers(0, 256, len(places))
            found.add(attempt(damaged))
    assert None in found
    assert len(found) > 1
