"""How long a change takes to be seen over lines of different speed, beside what sending every frame would give.

Recorded screens play over a line in virtual time (`fastframe.stream.simulation`): once through the stream with its
flow control, and once by encoding every frame and handing it to the line. Encoding and decoding take no time here, so
what is measured is the line and what is done with it. The table goes to docs/network.md, the plot beside it.

    python benchmarks/network.py [SCENE ...] [--out docs/network.md --plot docs/network.png]

A scene takes a minute or two.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from lineup import INTERRUPTED
from outputs import output_path, plot_path
from rich.console import Console
from scene_check import check_scenes
from scenes import FIXTURES, Frame, Scene, find_scenes

import fastframe as ff
from fastframe.stream import ConsentGate, Display, Receiver, Scope, Sender, SenderConfig
from fastframe.stream.simulation import Line, LineProfile, Session

Packets = Sequence[tuple[float, bytes]]
"""When each is sent, and the packet."""

RATES = (0.25, 1.0, 10.0, 100.0)
ROUND_TRIPS = (0.005, 0.050, 0.300)
SCENES = ("browser_docs", "terminal", "video_window", "writer_typing")
SECONDS = 20.0
SAMPLE_SECONDS = 0.01
"""How often a queue is looked at, as `Session` does."""


@dataclass(frozen=True, slots=True)
class Result:
    """Latencies in seconds of the changes that were seen; how many were not, when the recording ended."""

    latencies: tuple[float, ...]
    unseen: int
    megabytes: float
    queue: float

    def percentile(self, percent: float) -> float:
        """Changes that were not seen count as the worst."""
        ordered = sorted([*self.latencies, *[math.inf] * self.unseen])
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Recording:
    """Frames that follow each other in virtual time; frames that equal the one before are no change."""

    def __init__(self, frames: Sequence[Frame], rate: float) -> None:
        pairs = enumerate(zip(frames, [None, *frames[:-1]], strict=True))
        changes = [i for i, (frame, last) in pairs if last is None or not np.array_equal(frame, last)]
        self.times = [index / rate for index in changes]
        self._frames = [frames[index] for index in changes]
        self._next = 0
        self.frame = self._frames[0]

    def next_change(self, now: float) -> float:
        return self.times[self._next] if self._next < len(self.times) else math.inf

    def change(self, now: float) -> None:
        self.frame = self._frames[self._next]
        self._next += 1


def through_the_stream(frames: Sequence[Frame], rate: float, line: LineProfile) -> Result:
    height, width = frames[0].shape[:2]
    gate = ConsentGate()
    gate.grant(Scope.VIEW, 0.0)
    sender, receiver = Sender(gate, SenderConfig()), Receiver()
    sender.set_displays([Display(0, 0, 0, width, height)], 0.0)
    receiver.connect(0.0)
    recording = Recording(frames, rate)
    session = Session(sender, receiver, {0: recording}, line)
    end = len(frames) / rate
    session.run(end)
    shown = [latency for _, latency in session.measured.frames]
    queues = [queue for _, queue in session.measured.queues]
    return Result(
        tuple(shown), len(recording.times) - len(shown), session.down.sent_bytes / 1e6, float(np.quantile(queues, 0.95))
    )


def encode_every_frame(frames: Sequence[Frame], rate: float) -> Packets:
    encoder, recording = ff.Encoder(), Recording(frames, rate)
    packets = []
    for at in recording.times:
        recording.change(at)
        packets.append((at, encoder.encode(recording.frame)))
    return packets


def every_frame(packets: Packets, end: float, profile: LineProfile) -> Result:
    line = Line(profile)
    latencies: list[float] = []
    queues: list[float] = []
    for at, packet in packets:
        queues += sample_queue(line, len(queues), at)
        line.send(packet, at)
        arrival = at + line.queue(at) + profile.delay
        if arrival <= end:
            latencies.append(arrival - at)
    queues += sample_queue(line, len(queues), end)
    queue = float(np.quantile(queues, 0.95))
    return Result(tuple(latencies), len(packets) - len(latencies), line.sent_bytes / 1e6, queue)


def sample_queue(line: Line, first: int, until: float) -> list[float]:
    """The queue at every sample from the `first` on, up to that time."""
    return [line.queue(index * SAMPLE_SECONDS) for index in range(first, math.ceil(until / SAMPLE_SECONDS))]


Row = tuple[str, float, float, Result, Result]


def milliseconds(value: float) -> str:
    return "not seen" if math.isinf(value) else f"{value * 1000:,.0f}"


def table(rows: Sequence[Row]) -> str:
    lines = [
        "| scene | line, Mbit/s | round trip, ms | stream: p50 ms | p95 ms | queue p95 ms | MB "
        "| every frame: p50 ms | p95 ms | queue p95 ms | MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for scene, rate, round_trip, ours, naive in rows:
        cells = [scene, f"{rate:g}", f"{round_trip * 1000:.0f}"]
        for result in (ours, naive):
            cells += [milliseconds(result.percentile(50)), milliseconds(result.percentile(95))]
            cells += [milliseconds(result.queue), f"{result.megabytes:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(rows: Sequence[Row], path: Path) -> None:
    """The 95th percentile of latency against the line's rate; a panel a scene."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    scenes = list(dict.fromkeys(row[0] for row in rows))
    figure, axes = plt.subplots(1, len(scenes), figsize=(3.4 * len(scenes), 3.6), squeeze=False, layout="constrained")
    for panel, scene in zip(axes.flat, scenes, strict=True):
        for shade, round_trip in zip((1.0, 0.65, 0.35), ROUND_TRIPS, strict=True):
            chosen = [row for row in rows if row[0] == scene and row[2] == round_trip]
            for which, colour, name in ((3, "#c8102e", "stream"), (4, "#333333", "every frame")):
                points = [(row[1], row[which].percentile(95)) for row in chosen]  # type: ignore[union-attr]
                panel.plot(
                    [x for x, _ in points],
                    [min(y, SECONDS) * 1000 for _, y in points],
                    color=colour,
                    alpha=shade,
                    marker="o",
                    markersize=4,
                    label=f"{name}, {round_trip * 1000:.0f} ms",
                )
        panel.set(title=scene, xscale="log", yscale="log", xlabel="line, Mbit/s", ylim=(1, SECONDS * 1500))
        panel.grid(True, which="major", alpha=0.3)
    axes[0, 0].set_ylabel("p95 from change to picture, ms\n(top: not seen before the end)")
    axes[0, -1].legend(fontsize=7)
    figure.savefig(path, dpi=110)


HEADING = """# The stream over slow and fast lines

From a change on the screen to the viewer's exact picture of it (or of a later one), and what the line had still to send
meanwhile; 95 of 100 samples were below p95. "Not seen": the recording ended first. Encoding and decoding count as
nothing. The line is one in virtual time, with a queue without end and, unlike TCP, no slow start of its own;
`benchmarks/network.py` prints this page. The scenes, {screens}, are played forwards and
backwards for {seconds:.0f} seconds; each begins with a whole picture that nobody has seen.

"Every frame" encodes each frame with `balanced` and hands it to the line. The stream waits with a frame until there is
room for it, chooses the effort by the bandwidth, and sends what is small first.

Over a round trip of 300 ms the first picture comes sooner by "every frame" where the line is fast: the stream begins
with 16 KB and finds out in some round trips what the line carries, as any sender has to that must not fill a slow one.

![p95 of the latency against the rate of the line](network.png)

"""


def load(scene: Scene) -> list[Frame]:
    """The scene forwards and backwards, again and again."""
    frames = scene.load()
    there_and_back = [*frames, *frames[-2:0:-1]]
    return list(islice(cycle(there_and_back), int(SECONDS * scene.frame_rate)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(SCENES)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"lossless videos; the bundled {names} if omitted")
    parser.add_argument("--out", type=output_path, metavar="TABLE.md", help="write the table here")
    parser.add_argument("--plot", type=plot_path, metavar="PLOT.png", help="draw latency against the line's rate here")
    options = parser.parse_args()
    try:
        scenes = find_scenes(options.scenes or [FIXTURES / f"{name}.mkv" for name in SCENES])
    except (OSError, ValueError) as error:
        parser.error(str(error))
    rows: list[Row] = []
    try:
        for scene in check_scenes(scenes, None, Console(stderr=True, soft_wrap=True)):
            frames = load(scene)
            packets, end = encode_every_frame(frames, scene.frame_rate), len(frames) / scene.frame_rate
            for rate in RATES:
                for round_trip in ROUND_TRIPS:
                    line = LineProfile(rate * 1e6 / 8, round_trip / 2)
                    ours = through_the_stream(frames, scene.frame_rate, line)
                    naive = every_frame(packets, end, line)
                    rows.append((scene.name, rate, round_trip, ours, naive))
                    print(table(rows[-1:]).splitlines()[-1], flush=True)
    except KeyboardInterrupt:
        parser.exit(INTERRUPTED, "interrupted: nothing has been written\n")
    if options.out is not None:
        screens = sorted({f"{scene.width} x {scene.height} at {scene.frame_rate} frames a second" for scene in scenes})
        heading = HEADING.format(seconds=SECONDS, screens=", ".join(screens))
        options.out.write_text(heading + table(rows), encoding="utf-8")
    if options.plot is not None:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
