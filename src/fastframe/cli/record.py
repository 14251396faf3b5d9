"""`fastframe record`: the live screen as a lossless video, for example as material for the demo."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fastframe._names import shown
from fastframe.capture import CapturedFrame, LiveSource, Pacer, VideoWriter
from fastframe.cli.options import ForceOption, may_write
from fastframe.cli.progress import Salvage, StopOnSignal, progress
from fastframe.cli.screen import (
    PATIENCE,
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
from fastframe.cli.text import byte_count
from fastframe.errors import FastframeError, TransientCaptureError

# Seconds after which a screen is at rest.
_REST = 0.5


def record(
    output: Annotated[Path, typer.Argument(metavar="OUT.mkv", help="The video to write.")],
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long to record. Default: until Ctrl-C.")] = None,
    fps: Annotated[float, typer.Option(min=1.0, max=240.0, help="The most frames a second.")] = 30.0,
    display: DisplayOption = None,
    monitor: MonitorOption = None,
    region: RegionOption = None,
    window: WindowOption = None,
    mask: MaskOption = None,
    mask_window: MaskWindowOption = None,
    kind: KindOption = Kind.auto,
    force: ForceOption = False,
) -> None:
    """Record the live screen without loss.

    If OUT exists you are asked whether to overwrite it; without a terminal, or a yes, it is refused unless
    --force is given. OUT is replaced only when the new video is complete, and Ctrl-C completes it; until then it grows
    in OUT.mkv.*.part, which stays if the command is killed. A video cannot change its size: when the screen does, the
    recording ends.
    """
    if output.suffix != ".mkv":
        raise FastframeError(f"{shown(output)}: the name of the video must end in .mkv")
    screen = Screen.parse(display, monitor, region, window, mask, mask_window, kind)
    with screen.open() as source:
        may_write(output, force=force)
        with StopOnSignal() as stop, progress("recording, Ctrl-C ends it") as show, ExitStack() as stack:
            frames = Salvage(_frames(source, fps, seconds, stop))
            writer: VideoWriter | None = None
            count = start = now = 0
            for frame in frames:
                if writer is None:
                    writer = stack.enter_context(VideoWriter(output, frame.size, fps))
                    start = frame.timestamp
                if frame.size != writer.size:
                    frames.failure = TransientCaptureError(
                        f"the screen changed from {_text(writer.size)} to {_text(frame.size)}",
                        expected=writer.size,
                        actual=frame.size,
                    )
                    break
                now = frame.timestamp - start
                writer.write(frame.pixels, now)
                count += 1
                show(count)
    frames.raise_failure(f"{shown(output)} holds the {now / 1e6:.1f} s before it" if count else "nothing was written")
    if writer is None:
        raise FastframeError("there was no frame to record")
    size = byte_count(output.stat().st_size)
    typer.echo(f"{shown(output)}: {count} frames of {_text(writer.size)} in {now / 1e6:.1f} s, {size}")


def _frames(source: LiveSource, fps: float, seconds: float | None, stop: StopOnSignal) -> Iterator[CapturedFrame]:
    """What the screen shows until the time is over or the user wants to stop.

    The last frame comes once more when the screen has come to rest, since a video has a frame in its file only when the
    next one comes; and at the end, since the video would end with the last change.
    """
    # The recorder is all that its user runs, so it may take a core.
    pacer = Pacer(source, fps=fps, load=1.0, patience=PATIENCE)
    warnings = MaskWarnings(source)
    last: tuple[CapturedFrame, float] | None = None
    is_repeated = False
    for tick in ticks(pacer, seconds):
        if tick.frame is not None:
            warnings.update()
            last, is_repeated = (tick.frame, time.monotonic()), False
            yield tick.frame
        elif last is not None and not is_repeated and (rest := time.monotonic() - last[1]) > _REST:
            is_repeated = True
            yield _later(last[0], rest)
        if stop.wanted:
            break
    if last is not None and (rest := time.monotonic() - last[1]) > 2 / fps:
        yield _later(last[0], rest)


def _later(frame: CapturedFrame, seconds: float) -> CapturedFrame:
    """The same so many seconds after it."""
    return replace(frame, timestamp=frame.timestamp + round(seconds * 1e6), damage=())


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
