#!/usr/bin/env python3
"""How long a change on one screen takes to be on the other, exactly: both ends on this machine, by WebSocket.

    python benchmarks/loopback.py [SCENE ...] [--frames N] [--fps N] [--json]

A program plays a recorded scene on an Xvfb of its size, 30 pictures a second. `fastframe share` shows that screen, and
a viewer in this process compares what it sees with the picture that was drawn, pixel by pixel. The time is counted from
the moment at which the last part of a picture is on the screen, until it or a later one is seen. It needs two idle
cores at least, since four processes take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import pairwise

import numpy as np
from child import end_as_by_ctrl_c
from display_server import virtual_screen
from figure import Figure
from libc import memcmp
from lineup import INTERRUPTED, positive
from measure import same_picture
from painter import RemotePainter, painter
from report import cpu_name, digits
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from scene_check import check_scenes
from scenes import FIXTURES, Frame, Scene, find_scenes

from fastframe.stream import Receiver
from fastframe.stream.aio import ReceiverDriver, Worker, connect
from fastframe.stream.events import Event, FrameReceived

INTERVAL = 1 / 30
WARM_UP = 15
CONSOLE = Console(stderr=True, soft_wrap=True)
BOUNDS = {50: 12.0, 90: 30.0, 99: 30.0}


@contextmanager
def shared(display: str, fps: int) -> Iterator[tuple[str, str]]:
    """`fastframe share` of a display; gives the address and the key."""
    command = [sys.executable, "-m", "fastframe", "share", "--display", display, "--consent", "view", "--json"]
    command += ["--listen", "ws://127.0.0.1:0", "--fps", str(fps)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            yield told["url"], told["key"]
        finally:
            process.terminate()


class Watch:
    """A viewer that looks for pictures and notes when it has first seen each one, or one that came after it."""

    def __init__(self, pictures: Sequence[Frame], decoding: Worker) -> None:
        # With the fourth byte as a viewer has it, so that the first difference ends a comparison.
        self._pictures = [picture | np.array([0, 0, 0, 255], np.uint8) for picture in pictures]
        self.changes = [n for n in range(1, len(pictures)) if not self._shows(self._pictures[n - 1], n)]
        self._receiver = Receiver()
        self.driver = ReceiverDriver(self._receiver, self._happened, decoding)
        self.drawing = 0
        self.seen_at: list[float] = []
        self.seen = asyncio.Event()

    def _shows(self, picture: Frame, index: int) -> bool:
        return memcmp(picture, self._pictures[index])() == 0

    def _happened(self, event: Event) -> None:
        if not isinstance(event, FrameReceived):
            return
        now = time.monotonic()
        shown = self._receiver.frame(event.display)
        for index in range(self.drawing, len(self.seen_at) - 1, -1):
            # One that repeats the one before it is not compared: 0.8 ms each, which the next packet would wait for.
            if (index in self.changes or index == len(self.seen_at)) and self._shows(shown, index):
                self.seen_at += [now] * (index + 1 - len(self.seen_at))
                self.seen.set()
                return


async def play(watch: Watch, other: RemotePainter, url: str, key: str, count: int) -> list[float]:
    """Plays the pictures; how many seconds after each change it was seen, or what came after it."""
    viewing = asyncio.create_task(watch.driver.view(lambda: connect(url), key=key))
    await asyncio.wait_for(watch.seen.wait(), 30)
    await asyncio.sleep(0.5)
    drawn_at = [0.0]
    due = time.monotonic()
    for index in range(1, count):
        due = max(due + INTERVAL, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
        watch.drawing = index
        # In a thread, since the answer comes when the picture is drawn, and may be seen before.
        drawn_at.append(await asyncio.to_thread(_show, other, index))
    while len(watch.seen_at) <= watch.changes[-1]:
        watch.seen.clear()
        await asyncio.wait_for(watch.seen.wait(), 10)
    await watch.driver.call(lambda now: watch.driver.endpoint.close(now))
    await viewing
    return [max(0.0, watch.seen_at[index] - drawn_at[index]) for index in watch.changes if index >= WARM_UP]


def _show(other: RemotePainter, index: int) -> float:
    other.show(index)
    return time.monotonic()


def loopback_figures(scene: Scene, fps: int) -> list[Figure]:
    """The figures for one scene; says so where it has none."""
    pictures = scene.load()
    count = len(pictures)
    if not any(not same_picture(*pair) for pair in pairwise(pictures[WARM_UP - 1 :])):
        CONSOLE.print(f"[yellow]{escape(scene.name)} is left out: nothing changes after its first {WARM_UP} pictures")
        return []
    with (
        virtual_screen(scene.width, scene.height) as display,
        painter(display, scene, count) as other,
        Worker("decode") as decoding,
    ):
        other.show(0)
        with shared(display, fps) as (url, key):
            delays = asyncio.run(play(Watch(pictures, decoding), other, url, key, count))
    values = np.array(delays) * 1e3
    detail = f"{len(values)} changes of {scene.name}, {fps} frames a second at most; load {os.getloadavg()[0]:.1f}"
    return [
        Figure(f"screen to screen, p{share}", float(np.percentile(values, share)), bound, "ms", detail)
        for share, bound in BOUNDS.items()
    ]


def print_table(figures: Sequence[Figure]) -> None:
    table = Table("figure", "measured", "bound", "", "in numbers", title=cpu_name())
    for figure in figures:
        mark = "[green]✓" if figure.held else "[red]✗"
        table.add_row(figure.name, f"{digits(figure.value)} ms", f"≤ {figure.bound:g} ms", mark, escape(figure.detail))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="lossless videos; the bundled terminal if omitted")
    parser.add_argument("--frames", type=positive, default=300, metavar="N", help="only the first N pictures")
    parser.add_argument("--fps", type=positive, default=60, metavar="N", help="the most captured in a second")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if shutil.which("Xvfb") is None:
        parser.error("Xvfb is missing: apt-get install xvfb")
    try:
        scenes = find_scenes(options.scenes or [FIXTURES / "terminal.mkv"])
    except (OSError, ValueError) as error:
        parser.error(str(error))
    figures: list[Figure] = []
    try:
        for scene in check_scenes(scenes, options.frames, CONSOLE):
            figures += loopback_figures(scene, options.fps)
    except KeyboardInterrupt:
        parser.exit(INTERRUPTED, "interrupted: nothing is printed\n")
    if options.json:
        print(json.dumps([{**asdict(figure), "held": figure.held} for figure in figures], indent=2))
    elif figures:
        print_table(figures)


if __name__ == "__main__":
    end_as_by_ctrl_c()
    main()
