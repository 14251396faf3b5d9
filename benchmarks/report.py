"""The comparison as Markdown: one table a figure, codecs down, scenes across."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import geometric_mean

from codec import OURS
from measure import Measurement
from scenes import Scene

import fastframe as ff
from fastframe import _core


@dataclass(frozen=True, slots=True)
class SceneResult:
    """What every codec needed for one scene."""

    scene: Scene
    measurements: Sequence[Measurement]

    @property
    def ours(self) -> Sequence[Measurement]:
        return [m for m in self.measurements if m.codec.startswith(OURS)]

    @property
    def peers(self) -> Sequence[Measurement]:
        return [m for m in self.measurements if not m.codec.startswith(OURS)]

    @property
    def smallest_peer(self) -> Measurement:
        """The peer with the fewest bytes; one that was not exact counts all the same."""
        return min(self.peers, key=lambda peer: peer.bytes)

    def ratio(self, measurement: Measurement) -> float:
        """Its bytes to those of the smallest peer."""
        return measurement.bytes / self.smallest_peer.bytes


def render(results: Sequence[SceneResult]) -> str:
    sections = [
        "# fastframe and its peers",
        "Written by `benchmarks/compare.py`: one run, the same frames, one thread each.",
        machine(),
        _scenes(results),
    ]
    if results[0].peers:
        sections += ["## Bytes ÷ those of the smallest peer", ratio_table(results)]
    sections += [
        "## Megabytes of the whole scene",
        table(results, lambda m: m.bytes / 1e6),
        "## Percent of each scene's bytes by plane",
        _planes_table(results),
        "## Encode: CPU milliseconds a frame, mean",
        table(results, lambda m: m.encode_ms),
        "## Encode: CPU milliseconds that 99 of 100 frames do not exceed",
        # Ours alone: a peer that holds frames back does the work of several in one call.
        table(results, lambda m: m.encode_p99_ms, lambda result: result.ours),
        "## Decode: CPU milliseconds a frame, mean",
        table(results, lambda m: m.decode_ms),
        "## Exactness",
        _exactness(results),
        "## Versions and settings",
        _codecs(results),
    ]
    return "\n\n".join(sections) + "\n"


def cpu_name() -> str:
    """The processor's name where the system tells it, else its architecture."""
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> str:
    return (
        f"{cpu_name()}, {platform.system()} {platform.machine()}, Python {platform.python_version()}; "
        f"fastframe {ff.__version__} with {_core.isa()} kernels. Milliseconds are CPU time, "
        "user and system, of the codec's own calls: compare them with each other, not with another machine's."
    )


def _scenes(results: Sequence[SceneResult]) -> str:
    lines = ["| scene | size | frames |", "|---|---|---|"]
    for result in results:
        scene, frames = result.scene, result.measurements[0].frames
        lines.append(f"| {cell(scene.name)} | {scene.width}x{scene.height} | {frames} |")
    return "\n".join(lines)


def ratio_table(results: Sequence[SceneResult]) -> str:
    header = [*(result.scene.name for result in results), "geometric mean"]
    rows = []
    for row, measurement in enumerate(results[0].measurements):
        ratios = [result.ratio(result.measurements[row]) for result in results]
        rows.append((measurement.codec, [f"{r:.2f}" for r in (*ratios, geometric_mean(ratios))]))
    return _markdown(header, rows)


def table(
    results: Sequence[SceneResult],
    figure: Callable[[Measurement], float],
    rows: Callable[[SceneResult], Sequence[Measurement]] = lambda result: result.measurements,
) -> str:
    """A figure of each codec on each scene; `rows` chooses the codecs."""
    header = [result.scene.name for result in results]
    return _markdown(
        header,
        [
            (measurement.codec, [digits(figure(rows(result)[row])) for result in results])
            for row, measurement in enumerate(rows(results[0]))
        ],
    )


def _planes_table(results: Sequence[SceneResult]) -> str:
    """Scenes and efforts down, planes across; the packets' headers are a part of their own."""
    parts = list(results[0].ours[0].bytes_by_part)
    rows = [
        (
            f"{result.scene.name}, {m.codec.removeprefix(OURS).strip()}",
            [f"{100 * m.bytes_by_part[part] / m.bytes:.1f}" for part in parts],
        )
        for result in results
        for m in result.ours
    ]
    return _markdown(parts, rows)


def _markdown(header: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A table with names down the side, those of our codecs in bold."""
    lines = [f"|  | {' | '.join(map(cell, header))} |", f"|---{'|--:' * len(header)}|"]
    for name, cells in rows:
        shown = f"**{name}**" if name.startswith(OURS) else cell(name)
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(name: str) -> str:
    """A file's name within a table, which a bar would end."""
    return name.replace("|", "\\|")


def digits(value: float) -> str:
    """Three significant digits, or all before the point and one after it."""
    return f"{value:.3f}" if value < 0.9995 else f"{value:.2f}" if value < 9.995 else f"{value:.1f}"


def _exactness(results: Sequence[SceneResult]) -> str:
    spoilt = [
        f"- {m.codec}, {result.scene.name}: first differs at frame {m.first_difference}"
        for result in results
        for m in result.measurements
        if m.first_difference is not None
    ]
    text = "Every frame was decoded and its B, G and R compared with the source. "
    if not spoilt:
        return text + "All were equal."
    text += "All were equal but these, which are listed, and counted among the peers, all the same:\n\n"
    return text + "\n".join(spoilt)


def _codecs(results: Sequence[SceneResult]) -> str:
    lines = ["| codec | version | settings |", "|---|---|---|"]
    lines += [f"| {m.codec} | {m.version} | {m.settings} |" for m in results[0].measurements]
    return "\n".join(lines)
