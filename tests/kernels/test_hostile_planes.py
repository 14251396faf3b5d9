"""Planes that no encoder wrote are refused, or drawn without touching memory that is not theirs.

Inside a `Decoder` planes lie in larger buffers, where reading past an end goes unnoticed. Here each buffer is
exactly as large as what it holds, so that under `make sanitize` one byte too many ends the run.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from fastframe import _core

# The last column and row of tiles are cut off, and rows are no multiple of a vector.
WIDTH, HEIGHT = 277, 165
CACHE_SLOTS = 5

MODELLED = _core.PLANES.index("modelled")
# The bytes of modelled pixels cannot be wrong: any are some pixels, and zeros follow them.
COUNTED = [number for number in range(len(_core.PLANES)) if number != MODELLED]


@dataclass(frozen=True)
class Planes:
    """The planes of a packet, and how many modelled pixels it states."""

    data: list[NDArray[np.uint8]]
    modelled_pixels: int

    def with_plane(self, number: int, data: bytes) -> "Planes":
        return replace(self, data=[exact(data) if i == number else plane for i, plane in enumerate(self.data)])


def exact(data: memoryview | bytes) -> NDArray[np.uint8]:
    """Return a copy of `data` in an allocation of exactly its size."""
    return np.frombuffer(data, np.uint8).copy() if len(data) else np.empty(0, np.uint8)


def frames() -> list[NDArray[np.uint8]]:
    """Return frames by which an encoder is led into every mode."""
    random = np.random.default_rng(5)
    page = np.zeros((HEIGHT, WIDTH + 40, 4), np.uint8)
    page[:64] = random.integers(0, 256, (64, WIDTH + 40, 4))
    page[64:, 64:][random.random((HEIGHT - 64, WIDTH - 24)) < 0.3] = (240, 240, 240, 0)
    page[100:, :64] = (200, 100, 50, 0)
    start = page[:, :WIDTH].copy()
    sparse = start.copy()
    sparse[3:60, 2:270:5] ^= 1
    brighter = sparse.copy()
    brighter[:64] = np.minimum(brighter[:64], 250) + random.integers(0, 4, (64, WIDTH, 1), np.uint8)
    brighter[70:90, 10:270] = random.integers(0, 4, (20, 260, 1)) * 60
    scrolled = page[:, 40:].copy()
    spotted = scrolled.copy()
    spotted[100:160:9, 5:200:7] = (9, 120, 200, 0)
    window = spotted.copy()
    window[20:140, 70:200] = (50, 50, 50, 0)
    return [start, sparse, brighter, scrolled, spotted, spotted, spotted, spotted, window, spotted]


@cache
def written_planes() -> list[Planes]:
    """Return the planes of packets that between them use every mode and flag."""
    return written_by(modelled=False) + written_by(modelled=True)


@cache
def written_by(modelled: bool) -> list[Planes]:
    encoder = _core.FrameEncoder(WIDTH, HEIGHT, CACHE_SLOTS)
    encoder.modelled = modelled
    packets = []
    for frame in frames():
        encoder.begin(None)
        encoder.compare(frame, 0, encoder.rows)
        encoder.begin_tiles()
        encoder.look_for_motion(0, encoder.bands)
        encoder.end_motion()
        changed = encoder.encode_part(1 << 40, 1 << 40)
        assert encoder.left == 0
        encoder.end()
        encoder.end_rows(0, encoder.rows, False)
        if changed:
            data = [exact(encoder.take_plane(number, 1)) for number in range(len(_core.PLANES))]
            packets.append(Planes(data, encoder.modelled_pixels))
    return packets


def attempt(planes: Planes, cache_slots: int = CACHE_SLOTS) -> str | None:
    """Let a new decoder draw the planes; return why it refused them, and then nothing was drawn."""
    decoder = _core.FrameDecoder(WIDTH, HEIGHT, cache_slots)
    framebuffer = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    try:
        dirty = decoder.decode(planes.data, planes.modelled_pixels, framebuffer)
    except _core.PlaneError as error:
        assert not framebuffer.any()
        return str(error)
    for x, y, width, height in dirty:
        assert 0 <= x < x + width <= WIDTH
        assert 0 <= y < y + height <= HEIGHT
    return None


def test_the_planes_use_every_mode_and_draw_the_frames() -> None:
    modes = set()
    for modelled in (False, True):
        decoder = _core.FrameDecoder(WIDTH, HEIGHT, CACHE_SLOTS)
        framebuffer = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        framebuffer[..., 3] = 255
        shown = []
        for planes in written_by(modelled):
            decoder.decode(planes.data, planes.modelled_pixels, framebuffer)
            modes |= {_core.MODES[mode] for mode in decoder.modes()}
            shown.append(framebuffer[..., :3].copy())
        different = [frame for number, frame in enumerate(frames()) if number not in (5, 6, 7)]
        np.testing.assert_array_equal(shown, [frame[..., :3] for frame in different])
    assert modes == set(_core.MODES)
    assert all(any(len(planes.data[number]) for planes in written_planes()) for number in range(len(_core.PLANES)))


def lengths(size: int) -> list[int]:
    """Return some lengths below `size`."""
    return sorted({*range(min(size, 40)), *range(max(size - 40, 0), size), *range(0, size, 97)})


@pytest.mark.parametrize("number", COUNTED, ids=lambda number: _core.PLANES[number])
def test_a_plane_cut_short_is_refused(number: int) -> None:
    for planes in written_planes():
        for length in lengths(len(planes.data[number])):
            assert attempt(planes.with_plane(number, planes.data[number][:length].tobytes())) is not None


@pytest.mark.parametrize("number", COUNTED, ids=lambda number: _core.PLANES[number])
def test_a_plane_with_a_byte_too_many_is_refused(number: int) -> None:
    for planes in written_planes():
        assert attempt(planes.with_plane(number, planes.data[number].tobytes() + b"\0")) is not None


def test_another_number_of_modelled_pixels_is_refused() -> None:
    for planes in written_by(modelled=True):
        pixels = planes.modelled_pixels
        if pixels:
            for fewer in {0, 1, pixels - 1} - {pixels}:
                assert attempt(replace(planes, modelled_pixels=fewer)) == "plane 'modelled' ends inside an operation"
        for more in (pixels + 1, 2**32 - 1):
            fault = attempt(replace(planes, modelled_pixels=more))
            assert fault == "plane 'modelled' holds more than its operations use"


def test_any_bytes_are_some_modelled_pixels() -> None:
    random = np.random.default_rng(0)
    for planes in written_by(modelled=True):
        data = planes.data[MODELLED]
        made_up = [b"", b"\xff" * len(data), random.bytes(len(data)), data.tobytes() + random.bytes(9)]
        for changed in made_up + [data[:length].tobytes() for length in lengths(len(data))[::9]]:
            assert attempt(planes.with_plane(MODELLED, changed)) == attempt(planes)


def test_slots_of_a_cache_that_is_smaller_are_refused() -> None:
    found = {attempt(planes, slots) for planes in written_planes() for slots in range(CACHE_SLOTS)}
    assert found == {None, "plane 'cache' names a cache slot that does not exist"}


@pytest.mark.parametrize("seed", range(8))
def test_damaged_planes_are_refused_or_drawn_within_bounds(seed: int) -> None:
    random = np.random.default_rng(seed)
    found = set()
    # Operations, boxes, vectors and slots steer everything else, so they are hit as often as all the pixels.
    names = ["operations", "operations", "boxes", "boxes", "vectors", "cache", "colours", "indices", "xor", "green"]
    names += ["modelled"]
    for planes in written_planes():
        for _ in range(80):
            damaged = replace(planes, data=[plane.copy() for plane in planes.data])
            plane = damaged.data[_core.PLANES.index(str(random.choice(names)))]
            if len(plane):
                places = random.integers(0, len(plane), random.integers(1, 4))
                # Small numbers are the ones that nearly fit.
                plane[places] = random.integers(0, random.choice([8, 256]), len(places))
            found.add(attempt(damaged))
    faults = {fault for fault in found if fault is not None}
    assert None in found
    assert any("vector" in fault for fault in faults)
    assert any("box" in fault for fault in faults)
    assert any("operation" in fault for fault in faults)
