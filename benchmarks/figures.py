#!/usr/bin/env python3
"""The figures that the project holds itself to, measured in one run, each with its bound.

    python benchmarks/figures.py [SCENE ...] [--json]

Nearly all are ratios of two things that take turns on this machine, since milliseconds alone say little on
another one. It is a report, not a test: it always ends with success.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time

import numpy as np
from libc import Libc, memcmp
from measure import Measurement, measure
from peers import PEERS, CodecFactory, Fastframe
from report import cpu_name
from rich.console import Console
from rich.table import Table
from scenes import Frame, Scene, find_scenes

import fastframe as ff

MEBIBYTE = 1 << 20
ROUNDS = 7
IDLE_FRAMES = 60
NO_DAMAGE_FRAMES = 2000
MEMORY_SCENES = 3
"""How many of the heaviest scenes the encoder is watched on."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured, and what it must not exceed."""

    name: str
    value: float
    bound: float
    unit: str = ""
    detail: str = ""

    @property
    def held(self) -> bool:
        return self.value <= self.bound


def idle_figures(effort: str, picture: Frame) -> Iterable[Figure]:
    """What a frame costs in which nothing has changed."""
    left, right, frame = picture.copy(), picture.copy(), picture.copy()
    compare = memcmp(left, right)
    encoder = ff.Encoder(ff.EncoderConfig(effort=effort))
    encoder.encode(frame)
    ratios, compare_ms = [], []
    for _ in range(ROUNDS):
        encode_seconds = compare_seconds = 0.0
        for _ in range(IDLE_FRAMES):
            start = process_time()
            compare()
            middle = process_time()
            encoder.encode(frame)
            compare_seconds += middle - start
            encode_seconds += process_time() - middle
        ratios.append(encode_seconds / compare_seconds)
        compare_ms.append(1000 * compare_seconds / IDLE_FRAMES)
    detail = f"memcmp: {statistics.median(compare_ms):.2f} ms"
    yield Figure("idle frame: encode ÷ memcmp of two frames", statistics.median(ratios), 1.3, detail=detail)

    microseconds = []
    for _ in range(ROUNDS):
        start = process_time()
        for _ in range(NO_DAMAGE_FRAMES):
            encoder.encode(frame, damage=[])
        microseconds.append(1e6 * (process_time() - start) / NO_DAMAGE_FRAMES)
    yield Figure("encode with damage=[]", statistics.median(microseconds), 20, "µs")


def scene_figures(effort: str, scenes: Sequence[Scene], limit: int | None, repeat: int) -> Iterable[Figure]:
    """Time and size over whole scenes, against x264, memcpy, and NumPy with zstd."""
    codecs: list[CodecFactory] = [
        lambda scene: Fastframe(effort),
        PEERS["x264-ultrafast"],
        PEERS["xor-zstd"],
        Libc,
    ]
    results = {scene: measure(codecs, scene, limit=limit, repeat=repeat) for scene in scenes}
    for scene, measurements in results.items():
        for m in measurements:
            if m.first_difference is not None:
                raise AssertionError(f"{m.codec} is not exact: {scene.name}, frame {m.first_difference}")

    quiet = [measurements for scene, measurements in results.items() if not scene.is_video]
    if quiet:
        ours, x264 = (_mean([m[codec] for m in quiet], "encode_ms") for codec in (0, 1))
        detail = f"{ours:.2f} ms against {x264:.2f} ms"
        yield Figure("mean encode, scenes without video ÷ x264rgb ultrafast", ours / x264, 0.5, detail=detail)
    ours, copy = (_mean([m[codec] for m in results.values()], "decode_ms") for codec in (0, 3))
    detail = f"{ours:.2f} ms against {copy:.2f} ms"
    yield Figure("mean decode, all scenes ÷ memcpy of a frame", ours / copy, 1.0, detail=detail)
    if len(quiet) < len(results) and quiet:
        ours, copy = (_mean([m[codec] for m in quiet], "decode_ms") for codec in (0, 3))
        detail = f"{ours:.2f} ms against {copy:.2f} ms"
        yield Figure("mean decode, scenes without video ÷ memcpy of a frame", ours / copy, 1.0, detail=detail)
    for scene, (mine, _, xor, _) in results.items():
        detail = f"{mine.bytes:,} of {xor.bytes:,} bytes, {mine.frames} frames"
        yield Figure(f"bytes ÷ numpy XOR + zstd-3: {scene.name}", mine.bytes / xor.bytes, 1.0, detail=detail)


def _mean(measurements: Sequence[Measurement], figure: str) -> float:
    """Mean a frame over all frames of several scenes."""
    total = sum(getattr(m, figure) * m.frames for m in measurements)
    return float(total / sum(m.frames for m in measurements))


def memory_figures(effort: str, scenes: Sequence[Scene], limit: int | None) -> Iterable[Figure]:
    """What an encoder needs for itself while it codes the heaviest scenes, in a process of its own."""
    size = max((scene.width, scene.height) for scene in scenes)
    same_size = [scene for scene in scenes if (scene.width, scene.height) == size]
    heaviest = sorted(same_size, key=lambda scene: scene.path.stat().st_size)[-MEMORY_SCENES:]
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=watch_encoder, args=(effort, *size, there))
    process.start()
    there.close()
    for scene in heaviest:
        for frame in scene.frames(limit):
            here.send_bytes(frame.reshape(-1).data)
    here.send_bytes(b"")
    growth = here.recv()
    process.join()
    if growth is not None:
        beyond = growth - 2 * heaviest[0].frame_bytes
        names = ", ".join(scene.name for scene in heaviest)
        detail = f"the process grew by {growth / MEBIBYTE:.0f} MiB at {size[0]}x{size[1]}: {names}"
        yield Figure("encoder memory beyond two frames", beyond / MEBIBYTE, 96, "MiB", detail)


def watch_encoder(effort: str, width: int, height: int, frames: Connection) -> None:
    """Encode what comes; answer with the bytes by which the process's peak grew, None where nothing tells.

    Frames come from the parent, into one buffer: a video decoder in this process would leave free memory
    behind, in which the encoder could hide.
    """
    buffer = np.ones((height, width, 4), np.uint8)
    encoder = ff.Encoder(ff.EncoderConfig(effort=effort))
    before = _peak_memory()
    while frames.recv_bytes_into(buffer.reshape(-1).data):
        encoder.encode(buffer)
    after = _peak_memory()
    frames.send(None if before is None or after is None else after - before)


def _peak_memory() -> int | None:
    """The most memory this process has had resident; `ru_maxrss` would count its parent's before exec."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak[1]) * 1024 if peak else None


def reference_picture(scenes: Sequence[Scene]) -> Frame:
    """A 1920x1080 picture for the idle frames: the first scene's of that size, else noise."""
    for scene in scenes:
        if (scene.width, scene.height) == (1920, 1080):
            return scene.load(1)[0]
    return np.random.default_rng(1).integers(0, 256, (1080, 1920, 4), np.uint8)


def print_table(figures: Sequence[Figure], effort: str) -> None:
    title = f"fastframe {ff.__version__}, effort {effort}, {ff._core.isa()} kernels; {cpu_name()}"
    table = Table("figure", "measured", "bound", "", "in numbers", title=title)
    table.columns[1].justify = table.columns[2].justify = "right"
    for figure in figures:
        mark = "[green]✓" if figure.held else "[red]✗"
        unit = f" {figure.unit}" if figure.unit else ""
        table.add_row(figure.name, f"{figure.value:.2f}{unit}", f"≤ {figure.bound:g}{unit}", mark, figure.detail)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="lossless videos, or folders of them")
    parser.add_argument("--effort", default="balanced", choices=("fast", "balanced", "tight"))
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames of each scene")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="code each scene N times, take medians")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    try:
        scenes = find_scenes(options.scenes)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    figures = [
        *idle_figures(options.effort, reference_picture(scenes)),
        *scene_figures(options.effort, scenes, options.frames, options.repeat),
        *memory_figures(options.effort, scenes, options.frames),
    ]
    if options.json:
        print(json.dumps([{**asdict(figure), "held": figure.held} for figure in figures], indent=2))
    else:
        print_table(figures, options.effort)


if __name__ == "__main__":
    main()
