#!/usr/bin/env python3
"""What a VNC server sends for recorded screens, beside fastframe on the same frames: bytes, CPU time, exactness.

    python benchmarks/vnc.py [SCENE ...] [--settings Tight:9,ZRLE:6] [--frames N] [--out docs/vnc.md]

The server is TigerVNC's Xvnc, an X server that VNC viewers look at: `apt-get install tigervnc-standalone-server`. Both
sides see every frame, one after the other: this program draws what has changed in a frame, waits until the server has
drawn it, asks for one update and compares what it gets with the frame, B, G and R of every pixel, before it draws the
next. So no frame is skipped, as it would be for a viewer that is slow or far away, and none is sent in two parts.

VNC's bytes are all that the server sends from the first update on; fastframe's are those of its packets. VNC's CPU time
is that of the server's process, less what another one takes to draw the same frames while nobody looks. Both know which
tiles of 64 x 64 pixels have been drawn, the server by X and fastframe as by its own capture, and are lossless.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean
from typing import TypeAlias

from child import end_as_by_ctrl_c
from codec import Fastframe
from display_server import Server, ServerFailed, x_server
from lineup import INTERRUPTED, positive
from measure import Measurement, measure, same_picture
from outputs import output_path
from painter import Painter, changed_tiles
from peers import EFFORTS
from report import SceneResult, cell, digits, machine, ratio_table, table
from rfb import ENCODINGS, RfbError, Viewer
from rich.console import Console
from rich.markup import escape
from scene_check import check_scenes
from scenes import Frame, Scene, find_scenes

import fastframe as ff

CONSOLE = Console(stderr=True, soft_wrap=True)

Setting: TypeAlias = tuple[str, int]
"""How the server sends: an encoding's name and a compression level."""

PROGRAMS = ("Xtigervnc", "Xvnc")
"""What distributions call it; the second may be another project's."""

TIMEOUT = 20.0
"""Seconds after which a server that sends nothing counts as hanging."""


@dataclass(frozen=True, slots=True)
class Program:
    """The server that is measured."""

    path: str
    version: str


@dataclass(frozen=True, slots=True)
class Played:
    """What it took a server to play a scene; without a viewer there are no updates."""

    frames: int
    changes: int
    updates: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class VncResult:
    """All measurements on a scene."""

    compared: SceneResult
    unwatched: Played
    """The server without a viewer, whose time has been taken off."""
    updates: int
    """The most that came at any setting."""


class Informed(Fastframe):
    """fastframe as it is behind a capture that reports damage."""

    def __init__(self, effort: str) -> None:
        super().__init__(effort)
        self._shown: Frame | None = None
        self._damage: list[ff.Rect] | None = None

    def prepare(self, frame: Frame) -> Frame:
        self._damage = None if self._shown is None else list(changed_tiles(self._shown, frame))
        self._shown = frame
        return frame

    def encode(self, prepared: Frame) -> Sequence[bytes]:
        return (self._encoder.encode(prepared, damage=self._damage),)


def find_program() -> Program:
    """The server on this machine.

    Raises
    ------
    ServerFailed
        There is none, or this is no Linux, which tells the CPU time of another process.
    """
    if sys.platform != "linux":
        raise ServerFailed("VNC is measured on Linux only")
    for path in filter(None, map(shutil.which, PROGRAMS)):
        told = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
        if found := re.search(r"TigerVNC ([\d.]+)", told.stdout + told.stderr):
            return Program(path, found[1])
    raise ServerFailed("TigerVNC's X server is missing: apt-get install tigervnc-standalone-server")


@contextmanager
def vnc_server(program: Program, width: int, height: int) -> Iterator[tuple[Server, Path]]:
    """A server whose screen has that size, and the socket for its viewers, which only its owner may open."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rfb"
        options = ["-geometry", f"{width}x{height}", "-depth", "24", "-SecurityTypes", "None"]
        options += ["-rfbunixpath", str(path), "-rfbport", "-1", "-nolisten", "tcp"]
        with x_server(program.path, *options) as server:
            yield server, path


def cpu_seconds(process: int) -> float:
    """What a process has taken so far, user and system, all threads."""
    # As in /proc/PID/stat, but to the nanosecond, where that counts hundredths.
    clock = ctypes.c_int()
    if error := ctypes.CDLL(None).clock_getcpuclockid(process, ctypes.byref(clock)):
        raise OSError(error, f"no CPU time of process {process}")
    return time.clock_gettime(clock.value)


def play(program: Program, scene: Scene, limit: int | None, setting: Setting | None) -> Played:
    """Play a scene on a server that sends it by an encoding and at a level, or, without one, to nobody.

    Raises
    ------
    ServerFailed, RfbError, CaptureError
        The server does not start, sends something else than was drawn, or goes away.
    """
    frames = changes = updates = size = 0
    previous = None
    with (
        vnc_server(program, scene.width, scene.height) as (server, path),
        closing(Painter(server.display, (scene.width, scene.height))) as painter,
        _viewer(path, setting) as viewer,
    ):
        before = cpu_seconds(server.pid)
        for frame in scene.frames(limit):
            painter.show(frame)
            # A server to which nothing has changed does not answer.
            if previous is None or not same_picture(previous, frame):
                changes += 1
                while viewer is not None:
                    try:
                        size += viewer.update(incremental=updates > 0)
                    except RfbError as error:
                        raise RfbError(f"frame {frames} of {scene.name} has not arrived: {error}") from error
                    updates += 1
                    if same_picture(viewer.picture, frame):
                        break
            previous = frame
            frames += 1
        return Played(frames, changes, updates, size, cpu_seconds(server.pid) - before)


def _viewer(path: Path, setting: Setting | None) -> AbstractContextManager[Viewer | None]:
    if setting is None:
        return nullcontext()
    encoding, level = setting
    return closing(Viewer(path, ENCODINGS[encoding](), level, TIMEOUT))


def measure_scene(program: Program, scene: Scene, limit: int | None, settings: Sequence[Setting]) -> VncResult:
    """fastframe at all efforts, then the server at all settings."""
    codecs = [lambda scene, effort=effort: Informed(effort) for effort in EFFORTS]
    measurements = measure(codecs, scene, limit=limit)
    for ours in measurements:
        if ours.first_difference is not None:
            raise RuntimeError(f"{ours.codec} spoils frame {ours.first_difference} of {scene.name}")
    unwatched = play(program, scene, limit, None)
    updates = 0
    for encoding, level in settings:
        played = play(program, scene, limit, (encoding, level))
        updates = max(updates, played.updates)
        measurements.append(
            Measurement(
                codec=f"TigerVNC {encoding}, level {level}",
                version=program.version,
                settings=f"encoding {encoding}, CompressLevel {level}",
                frames=played.frames,
                bytes=played.bytes,
                encode_ms=1000 * (played.seconds - unwatched.seconds) / played.frames,
                decode_ms=math.nan,
                first_difference=None,
            )
        )
    return VncResult(SceneResult(scene, measurements), unwatched, updates)


HEADING = """# Beside VNC

Written by `benchmarks/vnc.py`: recorded screens on an Xvnc of TigerVNC {version}, by the encodings and compression
levels of its viewers, without JPEG, and the same frames through fastframe.

- **Every frame, one at a time.** A frame is drawn, an update is asked for, and what came is compared with the frame
  before the next is drawn. All frames of all rows were equal in B, G and R. There is one update for each frame that
  changes something, and one before them with the pointer's shape.
- **Bytes** are all that the server sends from the first update on, and fastframe's packets.
- **CPU milliseconds** are those of the server's process, less what another takes to draw the same frames while nobody
  looks, and those of fastframe's encoder. Both are told which tiles have been drawn, which is why fastframe takes less
  than in [RESULTS.md](../benchmarks/RESULTS.md), where it compares whole frames.
- What a program moves by X's own CopyArea, Xvnc sends as a copy, in 32 bytes. Here all is drawn as pictures, as most
  programs do, so that it never has anything to copy. X0tigervnc, TigerVNC's server for screens that are there already,
  never has either: it codes what was moved like anything new.
"""


def render(program: Program, results: Sequence[VncResult]) -> str:
    compared = [result.compared for result in results]
    sections = [
        HEADING.format(version=program.version).rstrip(),
        machine(),
        _scenes(results),
        "## Bytes ÷ the fewest of VNC's",
        ratio_table(compared),
        _summary(compared),
        "## Megabytes of the whole scene",
        table(compared, lambda m: m.bytes / 1e6),
        "## CPU milliseconds a frame, mean",
        table(compared, lambda m: m.encode_ms),
    ]
    return "\n\n".join(sections) + "\n"


def _scenes(results: Sequence[VncResult]) -> str:
    lines = ["| scene | size | frames | that change something | updates | drawing, ms a frame |"]
    lines.append("|---|---|--:|--:|--:|--:|")
    for result in results:
        scene, unwatched = result.compared.scene, result.unwatched
        size = f"{scene.width}x{scene.height}"
        drawing = digits(1000 * unwatched.seconds / unwatched.frames)
        cells = [cell(scene.name), size, unwatched.frames, unwatched.changes, result.updates, drawing]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _summary(results: Sequence[SceneResult]) -> str:
    """How many times fastframe's bytes VNC needs, whichever of its settings is best for a scene."""
    times = []
    for row, ours in enumerate(results[0].ours):
        factors = [1 / result.ratio(result.measurements[row]) for result in results]
        effort, mean = ours.codec.rpartition(" ")[2], geometric_mean(factors)
        times.append(f"{digits(mean)} times those of `{effort}` ({digits(min(factors))} to {digits(max(factors))})")
    return "The fewest bytes of VNC's for each scene are, as a geometric mean, " + ", ".join(times) + "."


def settings(text: str) -> list[Setting]:
    """The value of an option `--settings Tight:9,ZRLE:6`."""
    found = []
    for part in text.split(","):
        encoding, _, level = part.partition(":")
        if encoding not in ENCODINGS or level not in tuple("0123456789"):
            known = " or ".join(ENCODINGS)
            raise argparse.ArgumentTypeError(f"{known} and a level of 0 to 9, such as Tight:6, not {part}")
        found.append((encoding, int(level)))
    return found


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="lossless videos, or folders of them")
    parser.add_argument("--frames", type=positive, metavar="N", help="only the first N frames of each scene")
    parser.add_argument(
        "--settings",
        type=settings,
        default="Tight:6,ZRLE:6",
        metavar="A:N,B:N",
        help=f"VNC's encodings, {' or '.join(ENCODINGS)}, and compression levels, 0 to 9 (%(default)s)",
    )
    parser.add_argument("--out", type=output_path, metavar="VNC.md", help="write the tables here")
    options = parser.parse_args(arguments)
    try:
        options.scenes = find_scenes(options.scenes)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    results: list[VncResult] = []
    try:
        program = find_program()
        for scene in check_scenes(options.scenes, options.frames, CONSOLE):
            results.append(measure_scene(program, scene, options.frames, options.settings))
            best = results[-1].compared.smallest_peer
            CONSOLE.print(f"{escape(scene.name)}: smallest of VNC is {best.codec}, {best.bytes:,} bytes")
            if options.out is not None:
                options.out.write_text(render(program, results), encoding="utf-8")
    except (ServerFailed, RfbError, ff.CaptureError) as error:
        CONSOLE.print(f"[red]{escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        CONSOLE.print("[yellow]interrupted")
        return INTERRUPTED
    if options.out is None:
        print(render(program, results))
    return 0


if __name__ == "__main__":
    end_as_by_ctrl_c()
    sys.exit(main())
