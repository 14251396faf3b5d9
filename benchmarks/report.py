"""The comparison as Markdown: one table a figure, codecs down, scenes across."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from measure import Measurement
from peers import OURS
from scenes import Scene

import fastframe as ff


@dataclass(frozen=True, slots=True)
class SceneResult:
    """What every codec needed for one scene."""

    scene: Scene
    measurements: Sequence[Measurement]

    @property
    def smallest_peer(self) -> int | None:
        """Bytes of the smallest peer; None if none ran. A peer that was not exact counts all the same."""
        return min((m.bytes for m in self.measurements if not m.codec.startswith(OURS)), default=None)

    def ratio(self, measurement: Measurement) -> float:
        return measurement.bytes / self.smallest_peer if self.smallest_peer else float("nan")


def render(results: Sequence[SceneResult]) -> str:
    sections = [
        "# fastframe and its peers",
        "Written by `benchmarks/compare.py`: one run, the same frames, one thread each.",
        _machine(),
        _scenes(results),
        "## Bytes ÷ those of the smallest peer\n\n"
        + _table(results, lambda result, m: f"{result.ratio(m):.2f}", ("geometric mean", _mean_ratio)),
        "## Megabytes of the whole scene\n\n" + _table(results, lambda result, m: _digits(m.bytes / 1e6)),
        "## Encode: CPU milliseconds a frame, mean\n\n"
        + _table(results, lambda result, m: _digits(m.encode_ms)),
        "## Decode: CPU milliseconds a frame, mean\n\n"
        + _table(results, lambda result, m: _digits(m.decode_ms)),
        _exactness(results),
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


def _machine() -> str:
    return (
        f"{cpu_name()}, {platform.system()} {platform.machine()}, Python {platform.python_version()}; "
        f"fastframe {ff.__version__} with {ff._core.isa()} kernels. Milliseconds are CPU time, "
        "user and system, of the codec's own calls: compare them with each other, not with another machine's."
    )


def _scenes(results: Sequence[SceneResult]) -> str:
    lines = ["| scene | size | frames |", "|---|---|---|"]
    lines += [
        f"| {r.scene.name} | {r.scene.width}x{r.scene.height} | {r.measurements[0].frames} |" for r in results
    ]
    return "\n".join(lines)


def _table(
    results: Sequence[SceneResult],
    cell: Callable[[SceneResult, Measurement], str],
    last: tuple[str, Callable[[Sequence[SceneResult], int], str]] | None = None,
) -> str:
    header = ["", *(result.scene.name for result in results), *(last[:1] if last else ())]
    lines = [f"| {' | '.join(header)} |", f"|---{'|--:' * (len(header) - 1)}|"]
    for row, measurement in enumerate(results[0].measurements):
        cells = [cell(result, result.measurements[row]) for result in results]
        cells += [last[1](results, row)] if last else []
        name = f"**{measurement.codec}**" if measurement.codec.startswith(OURS) else measurement.codec
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean_ratio(results: Sequence[SceneResult], row: int) -> str:
    ratios = [result.ratio(result.measurements[row]) for result in results]
    return f"{prod(ratios) ** (1 / len(ratios)):.2f}"


def _digits(value: float) -> str:
    """Three significant digits, as a person would write them."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _exactness(results: Sequence[SceneResult]) -> str:
    spoilt = [
        f"- {m.codec}, {result.scene.name}: first differs at frame {m.first_difference}"
        for result in results
        for m in result.measurements
        if m.first_difference is not None
    ]
    text = "## Exactness\n\nEvery frame was decoded and its B, G and R compared with the source. "
    if not spoilt:
        return text + "All were equal."
    text += "All were equal but these, which are listed, and counted among the peers, all the same:\n\n"
    return text + "\n".join(spoilt)


def _codecs(results: Sequence[SceneResult]) -> str:
    lines = ["## Versions and settings", "", "| codec | version | settings |", "|---|---|---|"]
    lines += [f"| {m.codec} | {m.version} | {m.settings} |" for m in results[0].measurements]
    return "\n".join(lines)
