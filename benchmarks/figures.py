#!/usr/bin/env python3
"""The figures that the project holds itself to, measured in one run, each with its bound.

    python benchmarks/figures.py [SCENE ...] [--json]

Nearly all are ratios of two things that take turns on this machine, since milliseconds alone say little on
another one. It is a report, not a test: what is not held is no failure. Ctrl-C prints what has been measured.

The bounds are meant for recordings of some 20 seconds; in shorter ones the first frame, which is all new, weighs
more. docs/benchmarks.md says how each figure is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from capture_figures import capture_figures
from child import end_as_by_ctrl_c
from codec import PeerMissing
from encoder_figures import idle_figures, memory_figures, reference_picture, thread_figures
from figure import Figure
from lineup import FIGURE_PEERS, INTERRUPTED, PEER_NAMES, available_peers, peer_names, positive
from report import cpu_name, digits
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from scene_check import check_scenes
from scene_figures import TIMED, X264, measure_scene, size_figures, time_figures
from scenes import BUNDLED_VIDEO, find_scenes, mark_videos
from stream_figures import stream_figures

import fastframe as ff
from fastframe import _core

CONSOLE = Console(stderr=True, soft_wrap=True)


def print_table(figures: Sequence[Figure], effort: str) -> None:
    title = f"fastframe {ff.__version__}, effort {effort}, {_core.isa()} kernels; {cpu_name()}"
    table = Table("figure", "measured", "bound", "", "in numbers", title=title)
    table.columns[1].justify = table.columns[2].justify = "right"
    for figure in figures:
        mark = "[green]✓" if figure.held else "[red]✗"
        unit = f" {figure.unit}" if figure.unit else ""
        bound = f"{'≥' if figure.at_least else '≤'} {figure.bound:g}{unit}"
        table.add_row(escape(figure.name), f"{digits(figure.value)}{unit}", bound, mark, escape(figure.detail))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="lossless videos, or folders of them")
    parser.add_argument(
        "--effort",
        default="balanced",
        choices=("fast", "balanced", "tight"),
        help="that of the figures which name none; the bounds are those of balanced",
    )
    parser.add_argument("--frames", type=positive, metavar="N", help="only the first N frames of each scene")
    parser.add_argument("--repeat", type=positive, default=3, metavar="N", help="code each scene N times, take medians")
    parser.add_argument(
        "--peers",
        type=peer_names,
        default=FIGURE_PEERS,
        metavar="A,B",
        help=f"the smallest peer is one of these: {', '.join(PEER_NAMES)}; '' for none",
    )
    parser.add_argument(
        "--video",
        action="append",
        metavar="NAME",
        help="a film plays in this scene: it has figures of its own, and other bounds; as often as you like "
        f"(if omitted: {BUNDLED_VIDEO}, where it is among the scenes)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    try:
        scenes = find_scenes(options.scenes)
        TIMED[X264](scenes[0])
        bundled = [BUNDLED_VIDEO] if any(scene.path.stem == BUNDLED_VIDEO for scene in scenes) else []
        options.scenes = mark_videos(scenes, options.video or bundled)
    except (OSError, ValueError, PeerMissing) as error:
        parser.error(str(error))
    return options


def measure_figures(options: argparse.Namespace) -> Iterator[Figure]:
    """All figures, each as soon as it is known."""
    effort = options.effort
    scenes = check_scenes(options.scenes, options.frames, CONSOLE)
    peers = available_peers(options.peers, scenes[0], CONSOLE)
    results = {}
    for scene in scenes:
        CONSOLE.print(f"measuring {escape(scene.name)}")
        results[scene] = measure_scene(scene, peers, options.frames, options.repeat)
    yield from idle_figures(effort, reference_picture(scenes))
    yield from time_figures(effort, results)
    yield from thread_figures(effort, scenes, CONSOLE)
    yield from size_figures(effort, results, peers)
    yield from memory_figures(effort, scenes, options.frames)
    yield from stream_figures(effort, reference_picture(scenes))
    yield from capture_figures(effort, scenes, CONSOLE)


def main() -> int:
    options = parse_arguments()
    figures: list[Figure] = []
    status = 0
    try:
        for figure in measure_figures(options):
            figures.append(figure)
    except KeyboardInterrupt:
        CONSOLE.print(f"[yellow]interrupted: {len(figures) or 'no'} figures have been measured")
        status = INTERRUPTED
    if options.json:
        print(json.dumps([{**asdict(figure), "held": figure.held} for figure in figures], indent=2))
    elif figures:
        print_table(figures, options.effort)
    return status


if __name__ == "__main__":
    end_as_by_ctrl_c()
    sys.exit(main())
