"""Checks of displays where a product states them: what is wrong is told by the display and the field."""

from collections.abc import Iterable
from typing import Any

from fastframe._arguments import checked_bool, checked_int, checked_text
from fastframe.errors import LocalProtocolError
from fastframe.stream.messages import MAX_DISPLAYS, MAX_NAME, Display

_PLACES = (-(2**31), 2**31 - 1)
_SIDES = (1, 0xFFFF)


def checked_displays(displays: Iterable[Display]) -> tuple[Display, ...]:
    """The displays, their numbers as Python's integers.

    Raises
    ------
    LocalProtocolError
        They are no displays, too many, two have the same number, or a field is out of its range.
    """
    try:
        checked = tuple(map(_checked, displays))
    except TypeError as error:
        raise LocalProtocolError(f"displays must be several of the type Display: {error}", actual=displays) from error
    if len(checked) > MAX_DISPLAYS:
        raise LocalProtocolError(
            f"a session has at most {MAX_DISPLAYS} displays, not {len(checked)}",
            limit=MAX_DISPLAYS,
            actual=len(checked),
        )
    numbers = [display.id for display in checked]
    if len(set(numbers)) != len(numbers):
        raise LocalProtocolError(f"two displays have the same number: {sorted(numbers)}", actual=numbers)
    return checked


def _checked(display: Any) -> Display:
    if not isinstance(display, Display):
        # With modules: that of `fastframe.capture` has the same name.
        kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in (Display, type(display))]
        raise LocalProtocolError(f"a display must be a {kinds[0]}, not a {kinds[1]}", expected=Display, actual=display)
    number = checked_int(display.id, "id of a display", 0, 0xFF)
    return Display(
        number,
        checked_int(display.x, f"x of display {number}", *_PLACES),
        checked_int(display.y, f"y of display {number}", *_PLACES),
        checked_int(display.width, f"width of display {number}", *_SIDES),
        checked_int(display.height, f"height of display {number}", *_SIDES),
        checked_text(display.name, f"name of display {number}", MAX_NAME),
        checked_bool(display.primary, f"primary of display {number}"),
    )
