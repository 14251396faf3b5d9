"""`fastframe demo`: the whole way from pixels to pixels, measured, with every frame compared bit for bit."""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from fastframe import _core, fixtures
from fastframe._names import shown
from fastframe._version import __version__
from fastframe.capture import CapturedFrame, FrameSource, LiveSource, Pacer
from fastframe.cli.inputs import open_replay
from fastframe.cli.meter import Meter, Mismatch, find_mismatch, milliseconds
from fastframe.cli.options import Effort, EffortOption, JsonOption
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
    ticks,
)
from fastframe.cli.text import byte_count, ratio, share
from fastframe.codec import Decoder, Encoder, EncoderConfig
from fastframe.errors import CaptureError, FastframeError, ProtocolError

# More frames a second than screens commonly show would only take the CPU away from the programs on the
# screen.
SCREEN_FPS = 60.0
SCREEN_SECONDS = 10.0


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="How long to run. Default: the clip once, or 10 seconds of the screen."),
    ] = None,
    display: DisplayOption = None,
    monitor: MonitorOption = None,
    region: RegionOption = None,
    window: WindowOption = None,
    mask: MaskOption = None,
    mask_window: MaskWindowOption = None,
    kind: KindOption = Kind.auto,
    fixture: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="Replay a video, a recording (.ffs; - is stdin) or a bundled clip instead of capturing the screen.",
        ),
    ] = None,
    effort: EffortOption = Effort.balanced,
    as_json: JsonOption = False,
) -> None:
    """Capture or replay, encode, decode, and compare every frame bit for bit.

    Where neither --fixture nor anything about the screen is given it captures the screen where there is one, and
    replays a bundled clip where there is none. Clips play at their own speed, and again when --seconds asks for more.
    Ctrl-C ends the run with the summary. Exit code 1: a frame did not come back exactly.
    """
    screen = Screen.parse(display, monitor, region, window, mask, mask_window, kind)
    if fixture is not None and screen.is_demanding:
        raise FastframeError("--fixture does not go together with options about the screen, such as --display")
    material = _choose(screen, fixture, loop=seconds is not None)
    if seconds is None and material.screen is not None:
        seconds = SCREEN_SECONDS
    run = _Run(material, effort)
    console = Console()
    failure: FastframeError | None = None
    try:
        _play(run, material.frames(seconds), console if console.is_terminal and not as_json else None)
    except KeyboardInterrupt:
        pass  # The summary follows; a frame that was under way does not count.
    except FastframeError as error:
        failure = error
    finally:
        material.source.close()
    if as_json and failure is None:
        print(json.dumps(run.as_dict()))
    elif not as_json and run.meter.frames:
        console.print(run.table())
        console.print(run.verdict(), highlight=False)
    if failure is not None:
        raise failure
    if run.mismatch is not None:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Material:
    """What is shown to the encoder: a clip, or (`screen`) a screen."""

    name: str
    source: FrameSource
    screen: LiveSource | None = None

    def frames(self, seconds: float | None) -> Iterator[CapturedFrame | None]:
        """Frames for so many seconds, or to the end of a clip; `None` now and then while nothing changes."""
        # The demo is all that its user runs, so it may take a core.
        pacer = Pacer(self.source, fps=SCREEN_FPS, load=1.0, patience=PATIENCE)
        warnings = MaskWarnings(self.screen) if self.screen else None
        for tick in ticks(pacer, seconds):
            if tick.frame is not None and warnings is not None:
                warnings.update()
            yield tick.frame


def _choose(screen: Screen, fixture: str | None, *, loop: bool) -> _Material:
    has_screen = sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY"))
    if screen.is_demanding or (fixture is None and has_screen):
        try:
            source = screen.open()
        except CaptureError as error:
            if screen.is_demanding:
                raise
            print(f"fastframe: {error}; replaying a bundled clip instead", file=sys.stderr)
        else:
            return _Material(f"screen {screen.display or os.environ.get('DISPLAY', '')}".strip(), source, source)
    name = fixtures.names()[0] if fixture is None else fixture
    return _Material(name, open_replay(name, realtime=True, loop=loop))


def _play(run: "_Run", frames: Iterator[CapturedFrame | None], console: Console | None) -> None:
    """Take every frame through the codec; with a console, show the figures meanwhile."""
    if console is None:
        for frame in frames:
            if frame is not None and not run.step(frame):
                return
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        due = time.monotonic()
        for frame in frames:
            if frame is not None and not run.step(frame):
                return
            if time.monotonic() >= due:
                live.update(run.table(), refresh=True)
                due = time.monotonic() + REFRESH


@dataclass(slots=True)
class _Run:
    """One encoder, one decoder, and what they did."""

    material: _Material
    effort: Effort
    meter: Meter = field(default_factory=Meter)
    mismatch: Mismatch | None = None
    _encoder: Encoder = field(init=False)
    _decoder: Decoder = field(init=False)

    def __post_init__(self) -> None:
        self._encoder = Encoder(EncoderConfig(effort=self.effort.value))
        self._decoder = Decoder()

    def step(self, frame: CapturedFrame) -> bool:
        """Encode, decode and compare one frame; False: it did not come back exactly."""
        pixels = frame.pixels
        begin = time.perf_counter()
        packet = self._encoder.encode(pixels, damage=frame.damage)
        encoded = time.perf_counter()
        try:
            update = self._decoder.decode(packet)
        except ProtocolError as error:
            count = pixels.shape[0] * pixels.shape[1]
            self.mismatch = Mismatch(self.meter.frames, 0, 0, count, f"the decoder refuses the packet: {error}")
            return False
        decoded = time.perf_counter()
        self.mismatch = find_mismatch(self.meter.frames, pixels, self._decoder.frame)
        stats = self._encoder.stats
        assert stats is not None
        self.meter.add(
            pixels,
            len(packet),
            keyframe=update.keyframe,
            tiles=stats.tiles,
            encode_seconds=encoded - begin,
            decode_seconds=decoded - encoded,
        )
        return self.mismatch is None

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON."""
        screen = self.material.screen
        return {
            "version": __version__,
            "isa": _core.isa(),
            "source": self.material.name,
            "capture": screen and {"name": screen.name, "reason": screen.reason},
            "effort": self.effort.value,
            **self.meter.as_dict(),
            "exact": self.mismatch is None,
            "mismatch": asdict(self.mismatch) if self.mismatch else None,
        }

    def table(self) -> Table:
        """The figures for a person."""
        meter = self.meter
        encode, decode = milliseconds(meter.encode_seconds), milliseconds(meter.decode_seconds)
        tiles = sum(meter.tiles.values())
        title = f"{escape(shown(self.material.name))}  {meter.width}x{meter.height}  {self.effort.value}  {_core.isa()}"
        table = Table(title=title, show_header=False, title_justify="left", min_width=52)
        table.add_column(style="bold")
        table.add_column(justify="right")
        if self.material.screen is not None:
            table.add_row("captured by", self.material.screen.name)
        table.add_row("frames", f"{meter.frames} ({meter.keyframes} key)")
        table.add_row("frames a second", f"{meter.fps:.1f}")
        table.add_row("encode p50 / p99", f"{encode['p50']:.2f} / {encode['p99']:.2f} ms")
        table.add_row("decode p50 / p99", f"{decode['p50']:.2f} / {decode['p99']:.2f} ms")
        table.add_row("bytes a frame", byte_count(meter.bytes_per_frame))
        table.add_row("to raw (3 bytes a pixel)", ratio(meter.ratio))
        table.add_row("bit rate", f"{meter.mbit_per_second:.3f} Mbit/s", end_section=True)
        for mode, count in meter.tiles.items():
            table.add_row(f"tiles {mode}", f"{count}  {share(count, tiles):>7}")
        return table

    def verdict(self) -> str:
        """What came of it, in one line."""
        if self.mismatch is not None:
            return f"[red]NOT EXACT[/red]: {self.mismatch}"
        meter = self.meter
        return (
            f"[green]exact[/green]: {meter.frames} frames in {meter.seconds:.1f} s, every pixel as it was; "
            f"{byte_count(meter.packet_bytes)} for {byte_count(meter.raw_bytes)}"
        )
