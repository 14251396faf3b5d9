"""`fastframe capture`: what capturing and encoding the live screen costs, and gives, as it happens."""

import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from fastframe.capture import Cursor, CursorShape, LiveSource, Pacer, Tick
from fastframe.cli.meter import milliseconds
from fastframe.cli.options import Effort, EffortOption
from fastframe.cli.screen import (
    PATIENCE,
    REFRESH,
    DisplayOption,
    Kind,
    KindOption,
    MaskOption,
    MaskWarnings,
    MaskWindowOption,
    MonitorOption,
    RegionOption,
    Screen,
    WindowOption,
    mask_text,
    ticks,
)
from fastframe.cli.text import byte_count, share
from fastframe.codec import Encoder, EncoderConfig
from fastframe.errors import FastframeError

# Seconds between two lines of --json.
LINE = 1.0
# Percentiles are those of so many last frames; half an hour at 30 frames a second.
KEPT = 54_000


def capture(
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long to run. Default: until Ctrl-C.")] = None,
    fps: Annotated[float, typer.Option(min=1.0, max=240.0, help="The most frames a second.")] = 30.0,
    load: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="The share of one core that capturing and encoding may take.")
    ] = 0.5,
    display: DisplayOption = None,
    monitor: MonitorOption = None,
    region: RegionOption = None,
    window: WindowOption = None,
    mask: MaskOption = None,
    mask_window: MaskWindowOption = None,
    kind: KindOption = Kind.auto,
    effort: EffortOption = Effort.balanced,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a second, about all so far, and nothing else.")
    ] = False,
) -> None:
    """Capture and encode the live screen, throw the packets away, and show what it costs.

    Frames are captured when something changes, as far as the source can tell. Ctrl-C ends the run with the summary. A
    mask that hides nothing is told on stderr.
    """
    screen = Screen.parse(display, monitor, region, window, mask, mask_window, kind)
    console = Console()
    failure: FastframeError | None = None
    with screen.open() as source:
        pacer = Pacer(source, fps=fps, load=load, patience=PATIENCE)
        watch = Watch(source, pacer, Encoder(EncoderConfig(effort=effort.value)))
        try:
            if as_json:
                _print_lines(watch, seconds)
            else:
                _show(watch, seconds, console if console.is_terminal else None)
        except KeyboardInterrupt:
            pass  # The summary follows.
        except FastframeError as error:
            failure = error
        if as_json:
            print(json.dumps(watch.as_dict()), flush=True)
        else:
            console.print(watch.table())
    if failure is not None:
        raise failure


def _print_lines(watch: "Watch", seconds: float | None) -> None:
    due = time.monotonic() + LINE
    for tick in ticks(watch.pacer, seconds):
        watch.step(tick)
        if time.monotonic() >= due:
            print(json.dumps(watch.as_dict()), flush=True)
            due += LINE


def _show(watch: "Watch", seconds: float | None, console: Console | None) -> None:
    if console is None:
        for tick in ticks(watch.pacer, seconds):
            watch.step(tick)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        due = time.monotonic()
        for tick in ticks(watch.pacer, seconds):
            watch.step(tick)
            if time.monotonic() >= due:
                live.update(watch.table(), refresh=True)
                due = time.monotonic() + REFRESH


@dataclass(slots=True)
class Watch:
    """Encodes what a pacer brings, and adds up the figures."""

    source: LiveSource
    pacer: Pacer
    encoder: Encoder
    size: tuple[int, int] = (0, 0)
    layout: int = 0
    packet_bytes: int = 0
    moves: int = 0
    cursor: Cursor | None = None
    shape: CursorShape | None = None
    # Pixels of the frames whose damage is known, and of their damage.
    known_pixels: int = 0
    damaged_pixels: int = 0
    capture_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    encode_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    _warnings: MaskWarnings = field(init=False)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._warnings = MaskWarnings(self.source)
        self._began = time.monotonic()

    def step(self, tick: Tick) -> None:
        """Take in one tick."""
        if tick.cursor is not None:
            self.cursor = tick.cursor
            self.shape = tick.cursor.shape or self.shape
            self.moves += 1
        if tick.frame is None:
            return
        frame = tick.frame
        self.size, self.layout = frame.size, frame.layout
        self._warnings.update()
        began = time.perf_counter()
        packet = self.encoder.encode(frame.pixels, damage=frame.damage)
        self.encode_seconds.append(time.perf_counter() - began)
        self.capture_seconds.append(self.pacer.stats.capture)
        self.packet_bytes += len(packet)
        if frame.damage is not None:
            width, height = frame.size
            self.known_pixels += width * height
            self.damaged_pixels += sum(rectangle.width * rectangle.height for rectangle in frame.damage)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    @property
    def damage_share(self) -> float | None:
        """The part of the picture that damage covers, over all frames that have it; `None`: none has."""
        return self.damaged_pixels / self.known_pixels if self.known_pixels else None

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON."""
        stats, damage = self.pacer.stats, self.damage_share
        return {
            "source": self.source.name,
            "reason": self.source.reason,
            "width": self.size[0],
            "height": self.size[1],
            "layout": self.layout,
            "seconds": round(self.seconds, 3),
            "frames": stats.frames,
            "unchanged": stats.unchanged,
            "failures": stats.failures,
            "fps": round(stats.frames / self.seconds, 3),
            "interval_ms": round(stats.interval * 1e3, 3),
            "damage_share": None if damage is None else round(damage, 6),
            "bytes": self.packet_bytes,
            "capture_ms": milliseconds(list(self.capture_seconds)),
            "encode_ms": milliseconds(list(self.encode_seconds)),
            "cursor": self._cursor_dict(),
            "unmatched_masks": [mask_text(mask) for mask in self.source.unmatched],
        }

    def _cursor_dict(self) -> dict[str, Any] | None:
        if self.cursor is None:
            return None
        shape = self.shape
        return {
            "x": self.cursor.x,
            "y": self.cursor.y,
            "visible": self.cursor.visible,
            "moves": self.moves,
            "width": shape.pixels.shape[1] if shape else 0,
            "height": shape.pixels.shape[0] if shape else 0,
        }

    def table(self) -> Table:
        """The figures for a person."""
        stats, seconds = self.pacer.stats, self.seconds
        title = f"{self.source.name}: {self.source.reason}"
        table = Table(title=escape(title), show_header=False, title_justify="left", min_width=52)
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_row("picture", f"{self.size[0]}x{self.size[1]}, layout {self.layout}")
        table.add_row("frames", f"{stats.frames} in {seconds:.1f} s, {stats.frames / seconds:.1f} a second")
        table.add_row("the most a second, now", f"{1 / stats.interval:.1f}")
        table.add_row("unchanged / failed", f"{stats.unchanged} / {stats.failures}")
        table.add_row("damage", "not told" if self.damage_share is None else share(self.damage_share, 1))
        for name, values in (("capture", self.capture_seconds), ("encode", self.encode_seconds)):
            figures = milliseconds(list(values))
            table.add_row(f"{name} p50 / p99", f"{figures['p50']:.2f} / {figures['p99']:.2f} ms")
        table.add_row("bytes", byte_count(self.packet_bytes))
        table.add_row("bit rate", f"{self.packet_bytes * 8 / seconds / 1e6:.3f} Mbit/s")
        table.add_row("pointer", self._cursor_text())
        return table

    def _cursor_text(self) -> str:
        if self.cursor is None:
            return "not told"
        shape = f", {self.shape.pixels.shape[1]}x{self.shape.pixels.shape[0]}" if self.shape else ""
        hidden = "" if self.cursor.visible else ", hidden"
        return f"{self.cursor.x},{self.cursor.y}{shape}{hidden}"
