"""Arguments and options that several commands share."""

import contextlib
import glob
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fastframe._files import left_over
from fastframe._names import shown
from fastframe.cli.text import byte_count
from fastframe.errors import FastframeError


class Effort(StrEnum):
    """How hard the encoder tries; the names of `EncoderConfig.effort`."""

    fast = "fast"
    balanced = "balanced"
    tight = "tight"


EffortOption = Annotated[Effort, typer.Option(help="How hard the encoder tries to make packets small.")]
ForceOption = Annotated[bool, typer.Option("--force", "-y", help="Overwrite the output without asking.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def parse_pictures(name: str) -> tuple[Path, bool]:
    """Where pictures are to be written, and whether that is a folder; otherwise it is a video.

    Raises
    ------
    FastframeError
        It can be neither.
    """
    if not name:
        raise FastframeError("a video or a folder must have a name")
    if name == "-":
        raise FastframeError("pictures cannot be written to standard output; a folder of that name is ./-")
    path = Path(name)
    is_folder = name.endswith("/") or path.is_dir() or not path.suffix
    if is_folder and path.exists() and not path.is_dir():
        raise FastframeError(f"{shown(path)} is a file, not a folder")
    if not is_folder and path.suffix != ".mkv":
        raise FastframeError(f"{shown(path)} is neither a video (.mkv) nor a folder (with / at the end)")
    return path, is_folder


def may_write(path: Path, *, force: bool) -> None:
    """Tell of parts that killed commands left of `path`, and then as `may_overwrite`."""
    if path.is_dir():
        for folder in (path, *sorted(path.glob("display[0-9]*/"))):
            tell_parts(folder, "frame-[0-9]*.png")
    else:
        tell_parts(path.parent, glob.escape(path.name))
    may_overwrite(path, force=force)


def may_overwrite(path: Path, *, force: bool) -> None:
    """Refuse to overwrite `path` unless the user agrees, now or by `--force`.

    Raises
    ------
    FastframeError
        It exists, and the user said no or cannot be asked.
    """
    if force or not path.exists():
        return
    what = "is not empty" if path.is_dir() else "exists"
    if path.is_dir() and not any(path.iterdir()):
        return
    # A stream that the shell has closed (`<&-`) is None.
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        raise FastframeError(f"{shown(path)} {what}; --force overwrites it")
    if not typer.confirm(f"{shown(path)} {what}. Overwrite?", err=True):
        raise FastframeError(f"{shown(path)} stays as it was")


def tell_parts(folder: Path, pattern: str) -> None:
    """Say on stderr which half-written files of such names (a glob pattern) there are; deleting them is the user's."""
    for part in left_over(folder, pattern):
        with contextlib.suppress(OSError):  # another command has just completed it
            size = byte_count(part.stat().st_size)
            note = "a command that was killed left it, or one is still writing it"
            print(f"fastframe: warning: there is {shown(part)}, {size}: {note}", file=sys.stderr)
