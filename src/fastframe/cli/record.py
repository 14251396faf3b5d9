"""`fastframe record`: the live screen as a lossless video, for example as material for the demo."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from fastframe.capture import CapturedFrame, ScreenSource, VideoWriter
from fastframe.cli.options import DisplayOption, ForceOption, may_write
from fastframe.cli.progress import Salvage, StopOnSignal, progress
from fastframe.cli.text import byte_count
from fastframe.errors import FastframeError, TransientCaptureError


def record(
    output: Annotated[Path, typer.Argument(metavar="OUT.mkv", help="The video to write.")],
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long to record. Default: until Ctrl-C.")] = None,
    fps: Annotated[float, typer.Option(min=1.0, max=240.0, help="The most frames a second.")] = 30.0,
    display: DisplayOption = None,
    force: ForceOption = False,
) -> None:
    """Record the live screen without loss.

    If OUT exists you are asked whether to overwrite it; without a terminal, or a yes, it is refused unless
    --force is given. OUT is replaced only when the new video is complete, and Ctrl-C completes it. A video
    cannot change its size: when the screen does, the recording ends.
    """
    if output.suffix != ".mkv":
        raise FastframeError(f"{output}: the name of the video must end in .mkv")
    with ScreenSource(display, fps=fps) as screen:
        may_write(output, force=force)
        frames = Salvage(screen)
        with StopOnSignal() as stop, progress("recording, Ctrl-C ends it") as show, ExitStack() as stack:
            writer: VideoWriter | None = None
            count = start = now = 0
            for frame in frames:
                if writer is None:
                    writer = stack.enter_context(VideoWriter(output, _size(frame), fps))
                    start = frame.timestamp
                if _size(frame) != writer.size:
                    frames.failure = TransientCaptureError(
                        f"the screen changed from {_text(writer.size)} to {_text(_size(frame))}",
                        expected=writer.size,
                        actual=_size(frame),
                    )
                    break
                now = frame.timestamp - start
                writer.write(frame.pixels, now)
                count += 1
                show(count)
                if stop.wanted or (seconds is not None and now >= seconds * 1e6):
                    break
    frames.raise_failure(f"{output} holds the {now / 1e6:.1f} s before it" if count else "nothing was written")
    assert writer is not None
    size = byte_count(output.stat().st_size)
    typer.echo(f"{output}: {count} frames of {_text(writer.size)} in {now / 1e6:.1f} s, {size}")


def _size(frame: CapturedFrame) -> tuple[int, int]:
    height, width = frame.pixels.shape[:2]
    return width, height


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
