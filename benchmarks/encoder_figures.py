"""Figures of one encoder by itself: what an idle frame costs, what a second thread brings, how much memory it needs."""

from __future__ import annotations

import os
import re
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from child import child
from figure import Figure
from libc import memcmp
from rich.console import Console
from scenes import Frame, Scene

import fastframe as ff

MEBIBYTE = 1 << 20
ROUNDS = 7
IDLE_FRAMES = 60
NO_DAMAGE_FRAMES = 2000
MEMORY_SCENES = 3
"""How many of the heaviest scenes the encoder is watched on."""


def reference_picture(scenes: Sequence[Scene]) -> Frame:
    """A 1920x1080 picture for the idle frames: the first scene's of that size, else noise."""
    for scene in scenes:
        if (scene.width, scene.height) == (1920, 1080):
            return scene.load(1)[0]
    return np.random.default_rng(1).integers(0, 256, (1080, 1920, 4), np.uint8)


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


def thread_figures(effort: str, scenes: Sequence[Scene], console: Console) -> Iterable[Figure]:
    """How much sooner two threads are done with frames in which all has changed; says so where it cannot tell."""
    if "threads" not in {field.name for field in fields(ff.EncoderConfig)}:
        console.print("[yellow]two threads are left out: this EncoderConfig has no threads")
        return
    if (os.cpu_count() or 1) < 2:
        console.print("[yellow]two threads are left out: this machine has one processor")
        return
    speeds = {scene.name: _two_threads_speed(effort, scene.load(1)[0]) for scene in scenes}
    slowest = min(speeds, key=speeds.__getitem__)
    # Cores share caches and memory, virtual ones even more: a second one gives at most what work of its own gets of it.
    most = statistics.geometric_mean(side_by_side for _, side_by_side in speeds.values())
    detail = f"wall clock, {len(speeds)} scenes; least on {slowest}, {speeds[slowest][0]:.2f}"
    detail += f"; two encoders beside each other {most:.2f}"
    name = "two threads: speed ÷ that of one, everything changed, geometric mean"
    yield Figure(
        name, statistics.geometric_mean(speed for speed, _ in speeds.values()), 1.6, detail=detail, at_least=True
    )


def _two_threads_speed(effort: str, picture: Frame) -> tuple[float, float]:
    """How much faster than one thread two are with a keyframe and then the same picture upside down.

    Working on it together, and, which is the most that the machine can give, with an encoder and a job each.
    """
    settings: dict[str, Any] = {"effort": effort}
    ones = [ff.Encoder(ff.EncoderConfig(**settings, threads=1)) for _ in range(2)]
    together = ff.Encoder(ff.EncoderConfig(**settings, threads=2))
    upside_down = np.ascontiguousarray(picture[::-1])

    def code(encoder: ff.Encoder) -> None:
        encoder.encode(picture, keyframe=True)
        encoder.encode(upside_down)

    seconds: list[list[float]] = [[], [], []]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            for encoders, taken in zip(([ones[0]], [together], ones), seconds, strict=True):
                start = perf_counter()
                list(pool.map(code, encoders))
                taken.append(perf_counter() - start)
    one, two, both = map(statistics.median, seconds)
    return one / two, 2 * one / both


def memory_figures(effort: str, scenes: Sequence[Scene], limit: int | None) -> Iterable[Figure]:
    """What an encoder needs for itself while it codes the heaviest scenes, in a process of its own."""
    size = max((scene.width, scene.height) for scene in scenes)
    same_size = [scene for scene in scenes if (scene.width, scene.height) == size]
    heaviest = sorted(same_size, key=lambda scene: scene.path.stat().st_size)[-MEMORY_SCENES:]
    with child(watch_encoder, effort, *size) as watcher:
        for scene in heaviest:
            for frame in scene.frames(limit):
                watcher.send_bytes(frame.reshape(-1).data)
        watcher.send_bytes(b"")
        growth = watcher.recv()
    if growth is not None:
        beyond = growth - 2 * heaviest[0].frame_bytes
        names = ", ".join(scene.name for scene in heaviest)
        detail = f"the process grew by {growth / MEBIBYTE:.0f} MiB at {size[0]}x{size[1]}: {names}"
        yield Figure("encoder memory beyond two frames", beyond / MEBIBYTE, 96, "MiB", detail)


def watch_encoder(frames: Connection, effort: str, width: int, height: int) -> None:
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
