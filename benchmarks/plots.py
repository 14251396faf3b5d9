"""The comparison as a picture: one panel a scene, bytes against encode time, both logarithmic."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from report import SceneResult

OUR_COLOUR = "#c8102e"
PEER_COLOURS = plt.colormaps["tab10"].colors  # type: ignore[attr-defined]
PEER_MARKERS = "osD^vPX<>h"
COLUMNS = 4
LEGEND_WIDTH = 2.6


def plot_comparison(results: Sequence[SceneResult], path: Path) -> None:
    """Write the picture; lower and further left is better."""
    columns = min(COLUMNS, len(results))
    rows = ceil(len(results) / columns)
    size = (3.2 * columns + LEGEND_WIDTH, max(2.9 * rows, 4))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for result, panel in zip(results, axes.flat, strict=False):
        for index, m in enumerate(result.peers):
            panel.scatter(
                m.encode_ms,
                m.bytes / 1e6,
                s=34,
                color=PEER_COLOURS[index % len(PEER_COLOURS)],
                marker=PEER_MARKERS[index % len(PEER_MARKERS)],
                label=m.codec,
                zorder=2,
            )
        panel.plot(
            [m.encode_ms for m in result.ours],
            [m.bytes / 1e6 for m in result.ours],
            color=OUR_COLOUR,
            marker="*",
            markersize=11,
            linewidth=1,
            label="fastframe (fast, balanced, tight)",
            zorder=3,
        )
        panel.set(title=result.scene.name, xscale="log", yscale="log")
        panel.grid(which="both", color="#dddddd", linewidth=0.5)
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    for panel in axes.flat[len(results) :]:
        panel.set_axis_off()
    figure.supxlabel("encode, CPU ms a frame")
    figure.supylabel("MB of the whole scene")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
