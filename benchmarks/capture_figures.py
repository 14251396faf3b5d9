"""Figures of the capture of an X11 screen: beside a grab of the whole screen with mss, and by themselves.

They need Xvfb. What is drawn is drawn by another process, and a call to it returns when it is on the screen.
"""

from __future__ import annotations

import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter

import mss
import numpy as np
from display_server import virtual_screen
from figure import Figure
from painter import RemotePainter, painter
from rich.console import Console
from scenes import Scene

import fastframe as ff
from fastframe.capture import Pacer
from fastframe.capture.x11 import X11Source

TURNS = 12
TURN = 20
WARM_UP = 4
LATENCIES = 300
IDLE_SECONDS = 6.0
SCENE_FRAMES = 90


def capture_figures(effort: str, scenes: Sequence[Scene], console: Console) -> Iterable[Figure]:
    """What it costs to capture; says so where it cannot tell."""
    if shutil.which("Xvfb") is None:
        console.print("[yellow]capture is left out: install Xvfb")
        return
    moving = [scene for scene in scenes if not scene.is_video]
    if not moving:
        console.print("[yellow]capture is left out: it is measured on scenes without video")
        return
    console.print("measuring capture")
    scene = moving[0]
    with virtual_screen(scene.width, scene.height) as display, painter(display, scene, 1) as other:
        other.show(0)
        yield from _idle(display)
        yield from _changes(display, effort, other)
        yield from _latency(display, effort, other)
    gains = {scene.name: _gain(scene, effort) for scene in moving if scene.count_frames(2) > 1}
    if not gains:
        return
    least = min(gains, key=gains.__getitem__)
    yield Figure(
        "capture and encode: frames a second ÷ those of mss + encoder, geometric mean",
        statistics.geometric_mean(gains.values()),
        2,
        detail=f"{len(gains)} scenes; least on {least}, {gains[least]:.2f}",
        at_least=True,
    )


def _idle(display: str) -> Iterable[Figure]:
    """What a screen costs that does not change, at 30 ticks a second."""
    with X11Source(display) as source:
        pacer = Pacer(source, fps=30)
        pacer.next()
        frames = ticks = 0
        began, used = perf_counter(), time.process_time()
        while perf_counter() - began < IDLE_SECONDS:
            frames += pacer.next(time.monotonic() + 1 / 30).frame is not None
            ticks += 1
        share = (time.process_time() - used) / (perf_counter() - began)
    detail = f"{ticks / IDLE_SECONDS:.0f} ticks a second, {frames} frames"
    yield Figure("idle capture: share of a core", 100 * share, 2, "%", detail)


def _changes(display: str, effort: str, other: RemotePainter) -> Iterable[Figure]:
    """What a small and what a full change cost, beside mss in turns."""
    encoder = ff.Encoder(ff.EncoderConfig(effort=effort))
    with X11Source(display) as source, mss.MSS(display=display) as screen:

        def grab() -> None:
            screen.grab(screen.monitors[0])

        def capture() -> None:
            source.capture()

        def capture_and_encode() -> None:
            frame = source.capture()
            encoder.encode(frame.pixels, damage=frame.damage)

        capture_and_encode()
        small, whole = _in_turns(other.type, capture_and_encode, grab)
        detail = f"{small:.2f} ms, mss {whole:.2f} ms"
        yield Figure("a typed character: capture and encode ÷ mss grab", small / whole, 0.15, detail=detail)
        full, whole = _in_turns(lambda index: other.show(-(index % 2)), capture, grab)
        detail = f"{full:.2f} ms, mss {whole:.2f} ms"
        yield Figure("the whole screen changed: capture ÷ mss grab", full / whole, 0.5, detail=detail)


def _in_turns(
    draw: Callable[[int], None], first: Callable[[], None], second: Callable[[], None]
) -> tuple[float, float]:
    """The medians of what two things take after a change, in milliseconds.

    They take turns of several changes, since each would find the caches full of what the other has read; what comes
    first in a turn does not count.
    """
    seconds: dict[Callable[[], None], list[float]] = {first: [], second: []}
    for turn in range(TURNS):
        for action in (first, second):
            for index in range(TURN):
                draw(turn * TURN + index)
                start = perf_counter()
                action()
                if index >= WARM_UP:
                    seconds[action].append(perf_counter() - start)
    one, two = (1000 * statistics.median(seconds[action]) for action in (first, second))
    return one, two


def _latency(display: str, effort: str, other: RemotePainter) -> Iterable[Figure]:
    """From a character on the screen to its packet, at 60 ticks a second."""
    encoder = ff.Encoder(ff.EncoderConfig(effort=effort))
    delays = random.Random(1)
    seconds = []
    with X11Source(display) as source:
        pacer = Pacer(source, fps=60)

        def packet() -> None:
            frame = None
            while frame is None:
                frame = pacer.next().frame
            encoder.encode(frame.pixels, damage=frame.damage)

        packet()
        for index in range(LATENCIES):
            other.type_later(index, delays.uniform(0.02, 0.08))
            packet()
            ready = time.monotonic()
            seconds.append(ready - other.typed())
    p50, p99 = np.percentile(np.array(seconds) * 1000, (50, 99))
    yield Figure("a typed character: screen to packet, p99", float(p99), 10, "ms", f"median {p50:.2f} ms")


def _gain(scene: Scene, effort: str) -> float:
    """How many times the frames a second of mss and an encoder that looks for what has changed, on the same frames."""
    count = scene.count_frames(SCENE_FRAMES)
    ours, theirs = (ff.Encoder(ff.EncoderConfig(effort=effort)) for _ in range(2))
    taken = np.zeros(2)
    with (
        virtual_screen(scene.width, scene.height) as display,
        painter(display, scene, count) as other,
        X11Source(display) as source,
        mss.MSS(display=display) as screen,
    ):
        for index in range(count):
            other.show(index)
            start = perf_counter()
            frame = source.capture()
            ours.encode(frame.pixels, damage=frame.damage)
            del frame
            middle = perf_counter()
            theirs.encode(np.asarray(screen.grab(screen.monitors[0])))
            if index:
                taken += middle - start, perf_counter() - middle
    return float(taken[1] / taken[0])
