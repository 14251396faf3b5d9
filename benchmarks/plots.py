"""The comparison as pictures.

One has a panel a scene: bytes against encode time, both logarithmic. The other has a bar for each scene and effort:
the share that each plane has in its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from codec import OURS
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from report import SceneResult, digits

OUR_COLOUR = "#c8102e"
PEER_COLOURS = plt.colormaps["tab10"].colors  # type: ignore[attr-defined]
PEER_MARKERS = "osD^vPX<>hp"
"""Not as many as colours, so that both together repeat late."""
PART_COLOURS = ("#333333", *plt.colormaps["tab20"].colors[1::2], *plt.colormaps["tab20"].colors[::2])  # type: ignore[attr-defined]
"""The headers' first; then the planes', pale ones that black numbers can be read on before the others."""
COLUMNS = 4
LEGEND_WIDTH = 2.6
LABELLED_PERCENT = 4
"""The least share whose bar has room for its number."""


def plot_comparison(results: Sequence[SceneResult], path: Path) -> None:
    """Draw bytes against encode time; lower and further left is better."""
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


def plot_planes(results: Sequence[SceneResult], path: Path) -> None:
    """Draw the share of each plane, and of the packets' headers, in the bytes of each scene and effort."""
    size = (11, max(1 + 0.75 * len(results), 3))
    figure, axes = plt.subplots(len(results), figsize=size, sharex=True, squeeze=False, layout="constrained")
    for result, panel in zip(results, axes.flat, strict=True):
        efforts = [m.codec.removeprefix(OURS).strip() for m in result.ours]
        left = np.zeros(len(efforts))
        for index, part in enumerate(result.ours[0].bytes_by_part):
            shares = np.array([100 * m.bytes_by_part[part] / m.bytes for m in result.ours])
            colour = PART_COLOURS[index % len(PART_COLOURS)]
            bars = panel.barh(efforts, shares, 0.9, left, color=colour, label=part)
            numbers = [f"{share:.0f}" if share >= LABELLED_PERCENT else "" for share in shares]
            panel.bar_label(bars, numbers, label_type="center", size=7.5)
            left += shares
        for row, m in enumerate(result.ours):
            panel.text(101, row, f"{digits(m.bytes / 1e6)} MB", va="center", size=8)
        panel.set(xlim=(0, 100))
        panel.set_ylabel(result.scene.name, rotation=0, ha="right", va="center", weight="bold")
        panel.invert_yaxis()
        panel.tick_params(length=0, labelsize=8)
        panel.spines[:].set_visible(False)
    axes.flat[-1].set_xlabel("percent of the bytes of the scene")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
