"""The C kernels one by one, every instruction set, beside libc's memcmp and memcpy on as many bytes.

Kernels that work on a tile are called through Python once a tile, which costs them, and the references, about
a microsecond each time; the codec calls C once a frame and does not pay it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from libc import memcmp, memcpy
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from scenes import Frame

from fastframe import _core, _kernels

TILE = _core.TILE_SIZE
WHOLE_TILE = (0, 0, TILE, TILE)
Pixels = NDArray[np.uint32]


@pytest.fixture
def frame(pictures: dict[str, Frame]) -> Frame:
    return pictures["terminal"]


@pytest.fixture
def text_tile(pictures: dict[str, Frame]) -> Pixels:
    """A tile of the documentation page: few colours, many edges."""
    return busiest_tile(pictures["browser_docs"], palette_transitions)


@pytest.fixture
def photo_tile(pictures: dict[str, Frame]) -> Pixels:
    """The tile of the photograph with the most colours."""
    return busiest_tile(pictures["photo_gimp"], lambda tile: len(np.unique(tile)))


def busiest_tile(picture: Frame, score: Callable[[Pixels], int]) -> Pixels:
    pixels = picture.view(np.uint32)[..., 0]
    rows, columns = pixels.shape[0] // TILE, pixels.shape[1] // TILE
    tiles = pixels[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE).swapaxes(1, 2)
    return np.ascontiguousarray(max(tiles.reshape(-1, TILE, TILE), key=score))


def palette_transitions(tile: Pixels) -> int:
    collected = _kernels.collect_palette(np.ascontiguousarray(tile), WHOLE_TILE)
    return collected[2] if collected else 0


# Frames


@pytest.mark.benchmark(group="frame: find changed tiles, nothing changed")
def bench_frame_memcmp(benchmark: BenchmarkFixture, frame: Frame) -> None:
    other = frame.copy()
    assert benchmark(memcmp(frame, other)) == 0


@pytest.mark.benchmark(group="frame: find changed tiles, nothing changed")
def bench_frame_diff_tiles(benchmark: BenchmarkFixture, frame: Frame, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    reference = frame.view(np.uint32)[..., 0].copy()
    dirty = np.zeros(_core.FrameEncoder(frame.shape[1], frame.shape[0], 0).tiles, np.uint8)
    assert benchmark(_kernels.diff_tiles, frame, reference, dirty) == 0


@pytest.mark.benchmark(group="frame: load changed tiles, all of them")
def bench_frame_load_tiles(benchmark: BenchmarkFixture, frame: Frame, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    dirty = np.ones(_core.FrameEncoder(frame.shape[1], frame.shape[0], 0).tiles, np.uint8)
    tiles = np.zeros((len(dirty), TILE * TILE), np.uint32)
    benchmark(_kernels.load_tiles, frame, dirty, tiles)
    assert tiles.any()


@pytest.mark.benchmark(group="frame: hash")
def bench_frame_memcpy(benchmark: BenchmarkFixture, frame: Frame) -> None:
    target = np.empty_like(frame)
    benchmark(memcpy(target, frame))


@pytest.mark.benchmark(group="frame: hash")
def bench_frame_hash(benchmark: BenchmarkFixture, frame: Frame, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    benchmark(_kernels.hash_frame, frame.view(np.uint32)[..., 0])


# Tiles


@pytest.mark.benchmark(group="tile: box of change")
def bench_tile_memcmp(benchmark: BenchmarkFixture, text_tile: Pixels) -> None:
    other = text_tile.copy()
    assert benchmark(memcmp(text_tile, other)) == 0


@pytest.mark.benchmark(group="tile: box of change")
def bench_tile_diff_box(benchmark: BenchmarkFixture, text_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    reference = text_tile.copy()
    reference[TILE // 4, TILE // 4] ^= 1
    assert benchmark(_kernels.diff_box, text_tile, reference)[0] == 1


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_expand_palette(benchmark: BenchmarkFixture, text_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    collected = _kernels.collect_palette(text_tile, WHOLE_TILE)
    assert collected is not None
    colours = np.zeros(256, np.uint32)
    colours[: len(collected[0])] = collected[0]
    target = np.empty_like(text_tile)
    benchmark(_kernels.expand_palette, collected[1], colours, target)
    assert np.array_equal(target, text_tile)


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_mask_unchanged(benchmark: BenchmarkFixture, text_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    masked = np.ones_like(text_tile)
    benchmark(_kernels.mask_unchanged, text_tile, text_tile.copy(), WHOLE_TILE, masked)
    assert not masked.any()


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_collect_palette(benchmark: BenchmarkFixture, text_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    assert benchmark(_kernels.collect_palette, text_tile, WHOLE_TILE) is not None


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_map_indices(benchmark: BenchmarkFixture, text_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    collected = _kernels.collect_palette(text_tile, WHOLE_TILE)
    assert collected is not None
    slots = np.arange(len(collected[0]), dtype=np.uint8)
    indices = collected[1].ravel()
    target = np.empty_like(indices)
    benchmark(_kernels.map_indices, indices, slots, target)
    assert np.array_equal(target, indices)


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_count_unknown(benchmark: BenchmarkFixture, text_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    collected = _kernels.collect_palette(text_tile, WHOLE_TILE)
    assert collected is not None
    unknown = benchmark(_kernels.count_unknown, np.zeros((256, 16), np.uint32), collected[0])
    assert unknown.tolist() == [len(collected[0])] * 16


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_memcpy(benchmark: BenchmarkFixture, photo_tile: Pixels) -> None:
    target = np.empty_like(photo_tile)
    benchmark(memcpy(target, photo_tile))


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_predict(benchmark: BenchmarkFixture, photo_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    residuals = np.empty((3, TILE * TILE), np.uint8)
    assert benchmark(_kernels.predict, photo_tile, WHOLE_TILE, *residuals) > 0


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_unpredict(benchmark: BenchmarkFixture, photo_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    residuals = np.empty((3, TILE * TILE), np.uint8)
    _kernels.predict(photo_tile, WHOLE_TILE, *residuals)
    target = np.empty_like(photo_tile)
    benchmark(_kernels.unpredict, *residuals, target)
    assert np.array_equal(target, photo_tile)


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_xor(benchmark: BenchmarkFixture, photo_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    planes = np.empty(3 * TILE * TILE, np.uint8)
    benchmark(_kernels.xor_box, photo_tile, np.roll(photo_tile, 1, axis=1), WHOLE_TILE, planes)
    assert planes.any()


@pytest.mark.benchmark(group="tile: code and draw")
def bench_tile_unxor(benchmark: BenchmarkFixture, photo_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    planes = np.empty(3 * TILE * TILE, np.uint8)
    _kernels.xor_box(photo_tile, np.roll(photo_tile, 1, axis=1), WHOLE_TILE, planes)
    benchmark(_kernels.unxor_box, planes, photo_tile.copy())


@pytest.mark.benchmark(group="tile: pixel model")
@pytest.mark.parametrize("content", ["text", "photo"])
def bench_tile_encode_box(
    benchmark: BenchmarkFixture, text_tile: Pixels, photo_tile: Pixels, kernel_isa: str, content: str
) -> None:
    tile, black = {"text": text_tile, "photo": photo_tile}[content], np.full_like(text_tile, 0xFF000000)
    benchmark.extra_info["isa"] = kernel_isa

    def encode() -> bytes:
        model.begin(TILE * TILE)
        model.encode(tile, black, WHOLE_TILE)
        return model.end()

    model = _kernels.PixelModel()
    assert benchmark(encode)


@pytest.mark.benchmark(group="tile: pixel model")
@pytest.mark.parametrize("content", ["text", "photo"])
def bench_tile_decode_box(
    benchmark: BenchmarkFixture, text_tile: Pixels, photo_tile: Pixels, kernel_isa: str, content: str
) -> None:
    """With a model that goes on learning: from the second round on it draws other pixels, but takes as long."""
    tile, black = {"text": text_tile, "photo": photo_tile}[content], np.full_like(text_tile, 0xFF000000)
    benchmark.extra_info["isa"] = kernel_isa
    encoder = _kernels.PixelModel()
    encoder.begin(TILE * TILE)
    encoder.encode(tile, black, WHOLE_TILE)
    data = encoder.end()

    def decode() -> Pixels:
        model.open(data)
        return model.decode(black, WHOLE_TILE)

    model = _kernels.PixelModel()
    assert np.array_equal(decode(), tile)
    benchmark(decode)


# Residuals


@pytest.mark.benchmark(group="residuals: what codes cost")
def bench_estimate_codes(benchmark: BenchmarkFixture, photo_tile: Pixels, kernel_isa: str) -> None:
    benchmark.extra_info["isa"] = kernel_isa
    green, blue, red = np.empty((3, TILE * TILE), np.uint8)
    _kernels.predict(photo_tile, WHOLE_TILE, green, blue, red)
    counts = np.bincount(green, minlength=256).astype(np.uint32)
    assert benchmark(_kernels.estimate_codes, counts) > 0
