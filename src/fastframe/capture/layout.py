"""The monitors of a desktop, and how one of them is found again after they have changed.

Numbers are no help there: when the first monitor is unplugged, the second becomes the first. Who shares one monitor
must never come to show another, so a monitor is known by what its display server says about it; and where the server
says nothing (macOS, monitors that are drawn up by hand), by its place.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastframe._names import shown
from fastframe.capture.source import Display
from fastframe.errors import PermanentCaptureError
from fastframe.geometry import Rect


@dataclass(frozen=True, slots=True)
class Monitor:
    """One monitor.

    Parameters
    ----------
    display
        What users see of it.
    names
        All that it may be called.
    identity
        What is known about it beyond its place; empty where that is nothing, or fits another monitor as well.
    """

    display: Display
    names: tuple[str, ...]
    identity: str


@dataclass(frozen=True, slots=True)
class Layout:
    """The monitors at one moment.

    Parameters
    ----------
    desktop
        The rectangle around all of them, in pixels.
    monitors
        In the order of the display server; at least one.
    """

    desktop: Rect
    monitors: tuple[Monitor, ...]

    @classmethod
    def from_mss(cls, monitors: Sequence[Mapping[str, Any]]) -> "Layout":
        """The layout that `mss.MSS.monitors` describes: the desktop, then each monitor."""
        desktop, *rest = monitors
        # Servers without RandR tell of no monitor.
        each = rest or [desktop]
        identities = [
            " ".join(str(one[key]) for key in ("unique_id", "output", "name") if one.get(key)) for one in each
        ]
        count = Counter(identities)
        return cls(
            _rect(desktop),
            tuple(
                _monitor(number, one, identity if count[identity] == 1 else "")
                for number, (one, identity) in enumerate(zip(each, identities, strict=True), 1)
            ),
        )

    @property
    def displays(self) -> tuple[Display, ...]:
        """The monitors as users see them."""
        return tuple(monitor.display for monitor in self.monitors)

    def find(self, wanted: int | str) -> Monitor:
        """The monitor with this number or name.

        Raises
        ------
        PermanentCaptureError
            There is none, or there are several.
        """
        if isinstance(wanted, int):
            found = [monitor for monitor in self.monitors if monitor.display.number == wanted]
        else:
            found = [monitor for monitor in self.monitors if wanted in monitor.names]
        if len(found) == 1:
            return found[0]
        problem = "several monitors are called" if found else "there is no monitor"
        raise PermanentCaptureError(
            f"{problem} {shown(wanted)}; there is {', '.join(map(_described, self.displays))}",
            actual=wanted,
            limit=len(self.monitors),
        )


class Trail:
    """Follows one monitor from layout to layout.

    Parameters
    ----------
    layout, monitor
        Where it begins.
    """

    def __init__(self, layout: Layout, monitor: Monitor) -> None:
        self._layout = layout
        self._monitor = monitor
        self._present = True

    def follow(self, layout: Layout) -> Rect | None:
        """Where the monitor is now; `None`: it is not there, or cannot be told from others."""
        found = self._find(layout)
        self._present = found is not None
        if found is not None:
            self._layout, self._monitor = layout, found
        return found.display.area if found else None

    def _find(self, layout: Layout) -> Monitor | None:
        wanted = self._monitor
        if wanted.identity:
            return _only([monitor for monitor in layout.monitors if monitor.identity == wanted.identity])
        unknown = [monitor for monitor in layout.monitors if not monitor.identity]
        same_place = next((monitor for monitor in unknown if monitor.display.area == wanted.display.area), None)
        if same_place is not None or not self._present:
            return same_place
        # All others are as they were, and there is one that was not: ours, in another size.
        others = Counter(
            (monitor.identity, monitor.display.area) for monitor in self._layout.monitors if monitor is not wanted
        )
        new = []
        for monitor in layout.monitors:
            if others[monitor.identity, monitor.display.area]:
                others[monitor.identity, monitor.display.area] -= 1
            else:
                new.append(monitor)
        candidate = None if others.total() else _only(new)
        return candidate if candidate is not None and not candidate.identity else None


def _only(monitors: list[Monitor]) -> Monitor | None:
    return monitors[0] if len(monitors) == 1 else None


def _rect(monitor: Mapping[str, Any]) -> Rect:
    return Rect(monitor["left"], monitor["top"], monitor["width"], monitor["height"])


def _monitor(number: int, monitor: Mapping[str, Any], identity: str) -> Monitor:
    # The connector, which xrandr shows, before what the maker calls it: two of the same kind may be there.
    names = tuple(monitor[key] for key in ("output", "name") if monitor.get(key))
    display = Display(number, names[0] if names else "", _rect(monitor), bool(monitor.get("is_primary")))
    return Monitor(display, names, identity)


def _described(display: Display) -> str:
    name = f" ({shown(display.name)})" if display.name else ""
    return f"{display.number}{name}"
