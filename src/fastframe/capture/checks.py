"""Checks of what users ask live sources for: what to share and what to mask."""

from collections.abc import Iterable

from fastframe._arguments import checked_number
from fastframe.capture.source import Mask, Share, WindowPattern
from fastframe.errors import LocalProtocolError
from fastframe.geometry import Rect

_LONGEST_TIMEOUT = 3600
# Seconds of a clock that begins with the machine: thirty years.
_LAST_DEADLINE = 1e9


def checked_share(share: Share) -> Share:
    """What is shared, as it was given.

    Raises
    ------
    LocalProtocolError
        It is neither a number, a name, a rectangle with an area, a window pattern nor None.
    """
    if share is None or (isinstance(share, int | str | WindowPattern) and not isinstance(share, bool)):
        return share
    return _checked_rect(share, "what is shared")


def checked_masks(masks: Iterable[Mask]) -> tuple[Mask, ...]:
    """The masks as they were given.

    Raises
    ------
    LocalProtocolError
        They are not several, or one of them is neither a rectangle with an area nor a window pattern.
    """
    if not isinstance(masks, Iterable):
        raise LocalProtocolError(f"masks must be several rectangles or window patterns, not {masks!r}", actual=masks)
    return tuple(mask if isinstance(mask, WindowPattern) else _checked_rect(mask, "a mask") for mask in masks)


def checked_deadline(deadline: float | None) -> float | None:
    """When to give up waiting, as it was given, but not later than the system can wait for.

    Raises
    ------
    LocalProtocolError
        It is no number.
    """
    return None if deadline is None else min(checked_number(deadline, "deadline"), _LAST_DEADLINE)


def checked_timeout(timeout: float) -> float:
    """Seconds to wait for an answer of a server, as they were given.

    Raises
    ------
    LocalProtocolError
        They are no number, or out of range.
    """
    timeout = checked_number(timeout, "timeout")
    if not 0 < timeout <= _LONGEST_TIMEOUT:
        raise LocalProtocolError(
            f"timeout must be more than 0 seconds, and at most {_LONGEST_TIMEOUT}, not {timeout}",
            actual=timeout,
            limit=_LONGEST_TIMEOUT,
        )
    return timeout


def _checked_rect(value: object, what: str) -> Rect:
    try:
        rectangle = Rect(*value)  # type: ignore[misc]
        if all(isinstance(number, int) for number in rectangle) and rectangle.width > 0 and rectangle.height > 0:
            return rectangle
    except TypeError:
        pass
    raise LocalProtocolError(f"{what} cannot be {value!r}: a rectangle is four integers, with an area", actual=value)
