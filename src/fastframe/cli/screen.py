"""The screen as the commands `displays`, `capture`, `demo` and `record` take it: what of it, and what not."""

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from fastframe.capture import Event, LiveSource, Mask, Pacer, Share, Tick, WindowPattern, open_source
from fastframe.errors import FastframeError
from fastframe.geometry import Rect

# How long a display server may be away before a command ends; a restart takes about a second.
PATIENCE = 3.0
# Seconds between two looks at the clock, at Ctrl-C and at the figures on the terminal while nothing changes.
REFRESH = 0.25

_RECT = re.compile(r"(-?\d{1,9}),(-?\d{1,9}),(\d{1,9})x(\d{1,9})")


class Kind(StrEnum):
    """Which source captures the screen; the names of `open_source`, and `auto` for the best that works."""

    auto = "auto"
    x11 = "x11"
    mss = "mss"


_WINDOWS = "class:PATTERN, title:PATTERN (* and ? stand for anything) or id:NUMBER"

DisplayOption = Annotated[
    str | None, typer.Option(metavar=":N", help="The X11 display to capture instead of the one in DISPLAY.")
]
MonitorOption = Annotated[
    str | None,
    typer.Option(metavar="N|NAME", help="Show this monitor only, by its number or name in `fastframe displays`."),
]
MonitorsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--monitor",
        metavar="N|NAME|all",
        help="Show this monitor only. May be repeated: each is a display of its own. all: every one, also in future.",
    ),
]
RegionOption = Annotated[
    str | None, typer.Option(metavar="X,Y,WxH", help="Show this rectangle of the desktop only, in pixels.")
]
WindowOption = Annotated[
    str | None, typer.Option(metavar="PATTERN", help=f"Show the windows that fit only: {_WINDOWS}.")
]
MaskOption = Annotated[
    list[str] | None, typer.Option(metavar="X,Y,WxH", help="Blank this rectangle of the desktop. May be repeated.")
]
MaskWindowOption = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help=f"Blank windows that fit: {_WINDOWS}. May be repeated.")
]
KindOption = Annotated[Kind, typer.Option("--source", help="What captures the screen.")]


@dataclass(frozen=True, slots=True)
class Screen:
    """What of a screen is to be captured.

    Parameters
    ----------
    display
        The X11 display; `None`: the one in DISPLAY.
    share, masks
        What is shown, and what is blank in it.
    kind
        Which source may do it.
    """

    display: str | None
    share: Share
    masks: tuple[Mask, ...]
    kind: Kind

    @classmethod
    def parse(
        cls,
        display: str | None,
        monitor: str | None,
        region: str | None,
        window: str | None,
        mask: list[str] | None,
        mask_window: list[str] | None,
        kind: Kind,
    ) -> "Screen":
        """The options of the same names, understood.

        Raises
        ------
        FastframeError
            One of them is not, or they do not go together.
        """
        share: Share = None
        if sum(option is not None for option in (monitor, region, window)) > 1:
            raise FastframeError("choose one of --monitor, --region and --window")
        if monitor is not None:
            share = parse_monitor(monitor)
        elif region is not None:
            share = parse_rect(region, "--region")
        elif window is not None:
            share = parse_window(window, "--window")
        masks: list[Mask] = [parse_rect(text, "--mask") for text in mask or ()]
        masks += [parse_window(text, "--mask-window") for text in mask_window or ()]
        return cls(display, share, tuple(masks), kind)

    @property
    def is_demanding(self) -> bool:
        """Whether more is asked for than whatever screen there is."""
        return self.display is not None or self.share is not None or bool(self.masks) or self.kind is not Kind.auto

    def open(self) -> LiveSource:
        """Open the source; it raises what `open_source` does."""
        prefer = None if self.kind is Kind.auto else self.kind.value
        return open_source(self.display, share=self.share, masks=self.masks, prefer=prefer)


def parse_monitor(text: str) -> int | str:
    """The monitor that is written as its number or name."""
    return int(text) if re.fullmatch(r"\d{1,9}", text) else text


def parse_rect(text: str, option: str) -> Rect:
    """The rectangle that is written as X,Y,WxH.

    Raises
    ------
    FastframeError
        It is not, or has no area.
    """
    match = _RECT.fullmatch(text)
    rectangle = Rect(*map(int, match.groups())) if match else None
    if rectangle is None or not (rectangle.width and rectangle.height):
        raise FastframeError(f"{option} wants X,Y,WxH in pixels, such as 100,80,640x480, not {text!r}", actual=text)
    return rectangle


def parse_window(text: str, option: str) -> WindowPattern:
    """The windows that are written as class:PATTERN, title:PATTERN or id:NUMBER.

    Raises
    ------
    FastframeError
        They are not.
    """
    kind, _, pattern = text.partition(":")
    if kind == "class" and pattern:
        return WindowPattern(window_class=pattern)
    if kind == "title" and pattern:
        return WindowPattern(title=pattern)
    if kind == "id" and re.fullmatch(r"0x[0-9a-fA-F]{1,8}|\d{1,10}", pattern):
        return WindowPattern(id=int(pattern, 0))
    raise FastframeError(f"{option} wants {_WINDOWS}, not {text!r}", actual=text)


class MaskWarnings:
    """Says on stderr when a mask hides nothing, once for each time that it begins to.

    Parameters
    ----------
    sources
        All that have the masks: what one of them hides is hidden. They may come and go.
    """

    def __init__(self, *sources: LiveSource) -> None:
        self.sources = list(sources)
        self._told: set[Mask] = set()

    def update(self) -> None:
        """Look at the masks of the last frames."""
        if not self.sources:
            return
        unmatched = set.intersection(*(set(source.unmatched) for source in self.sources))
        for mask in unmatched - self._told:
            print(f"fastframe: warning: the mask {mask_text(mask)} hides nothing", file=sys.stderr)
        self._told = unmatched


def mask_text(mask: Mask) -> str:
    """A mask for a person, a rectangle as the options take it."""
    return "{},{},{}x{}".format(*mask) if isinstance(mask, Rect) else str(mask)


def ticks(pacer: Pacer, seconds: float | None) -> Iterator[Tick]:
    """What the pacer brings, for so many seconds or (`None`) without end; at times a tick with nothing in it."""
    end = float("inf") if seconds is None else time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        tick = pacer.next(min(end, now + REFRESH))
        if Event.END in tick.event:
            return
        yield tick
