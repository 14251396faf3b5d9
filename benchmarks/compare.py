#!/usr/bin/env python3
"""fastframe and its peers on the same frames, in one run: bytes, CPU time, and proof that nothing was lost.

    python benchmarks/compare.py                        the bundled scenes, as a table on the terminal
    python benchmarks/compare.py DIR --out RESULTS.md --plot results.png --planes-plot planes.png

A peer that this machine lacks is skipped, with a line that names what to install. The tables are written anew
after every scene, so a long run may be watched, and stopped with Ctrl-C: scenes that were finished are kept.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from av1 import measure_av1
from codec import CodecFactory
from lineup import AV1, INTERRUPTED, PEER_NAMES, available_peers, peer_names, positive
from measure import Measurement, measure
from outputs import output_path, plot_path
from peers import EFFORTS, PEERS
from report import SceneResult, render
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from scene_check import check_scenes
from scenes import Scene, find_scenes

CONSOLE = Console(stderr=True, soft_wrap=True)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="lossless videos, or folders of them")
    parser.add_argument("--frames", type=positive, metavar="N", help="only the first N frames of each scene")
    parser.add_argument(
        "--peers",
        type=peer_names,
        default=PEER_NAMES,
        metavar="A,B",
        help=f"only these of: {', '.join(PEER_NAMES)}; '' for none",
    )
    parser.add_argument("--repeat", type=positive, default=1, metavar="N", help="code N times, take medians (not AV1)")
    parser.add_argument("--out", type=output_path, metavar="RESULTS.md", help="write the tables here")
    parser.add_argument("--plot", type=plot_path, metavar="PLOT.png", help="draw bytes against encode time here")
    parser.add_argument(
        "--planes-plot", type=plot_path, metavar="PLANES.png", help="draw what the bytes went into here"
    )
    options = parser.parse_args(arguments)
    try:
        options.scenes = find_scenes(options.scenes)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return options


def measure_scene(scene: Scene, peers: Sequence[str], frames: int | None, repeat: int) -> list[Measurement]:
    codecs: list[CodecFactory] = [*EFFORTS.values(), *(PEERS[name] for name in peers if name != AV1)]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[codec]}"),
        TimeElapsedColumn(),
    )
    # Refreshed by hand: a thread that draws would count as CPU time of whatever codec is running.
    with Progress(*columns, console=CONSOLE, auto_refresh=False, transient=True) as progress:
        total = scene.count_frames(frames) * len(codecs)
        task = progress.add_task(escape(scene.name), total=total, codec="")

        def show(steps: int, codec: str) -> None:
            progress.update(task, completed=steps, codec=codec, refresh=True)

        measurements = measure(codecs, scene, limit=frames, repeat=repeat, progress=show)
        if AV1 in peers:
            show(total, "AV1")
            measurements.append(measure_av1(scene, frames))
    return measurements


def write(results: Sequence[SceneResult], options: argparse.Namespace) -> None:
    """Write what is known so far into the files that the user wants."""
    if options.out:
        options.out.write_text(render(results), encoding="utf-8")
    if options.plot or options.planes_plot:
        # Only here, since tables can do without matplotlib.
        from plots import plot_comparison, plot_planes

        if options.plot:
            plot_comparison(results, options.plot)
        if options.planes_plot:
            plot_planes(results, options.planes_plot)


def main() -> int:
    options = parse_arguments()
    scenes: list[Scene] = options.scenes
    results: list[SceneResult] = []
    try:
        scenes = check_scenes(scenes, options.frames, CONSOLE)
        peers = available_peers(options.peers, scenes[0], CONSOLE)
        for scene in scenes:
            measurements = measure_scene(scene, peers, options.frames, options.repeat)
            results.append(SceneResult(scene, measurements))
            best = min(measurements, key=lambda measurement: measurement.bytes)
            name = escape(scene.name)
            CONSOLE.print(f"{name}: {measurements[0].frames} frames, smallest is {best.codec}, {best.bytes:,} bytes")
            write(results, options)
    except KeyboardInterrupt:
        CONSOLE.print(f"[yellow]interrupted: {len(results)} of {len(scenes)} scenes have been measured")
        if not results:
            return INTERRUPTED
    if not options.out:
        print(render(results))
    spoilt = {m.codec for result in results for m in result.measurements if m.first_difference is not None}
    if spoilt:
        CONSOLE.print(f"[red]not lossless on every frame: {', '.join(sorted(spoilt))}")
    if len(results) < len(scenes):
        return INTERRUPTED
    return int(any(codec.startswith("fastframe") for codec in spoilt))


if __name__ == "__main__":
    sys.exit(main())
