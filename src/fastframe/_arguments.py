"""Checks of arguments that every layer of the package has: a wrong one is refused where it is given, with a sentence,
and not where it is first used.
"""

import math
import operator
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, SupportsIndex, TypeVar

from fastframe.errors import LocalProtocolError

Kind = TypeVar("Kind")
Member = TypeVar("Member", bound=StrEnum)


def checked(value: Kind, kind: type[Kind], name: str) -> Kind:
    """The argument of this name, as it was given.

    Raises
    ------
    LocalProtocolError
        It is of another type.
    """
    if not isinstance(value, kind):
        raise LocalProtocolError(f"{name} must be of the type {kind.__name__}, not {value!r}", actual=value)
    return value


def checked_int(value: SupportsIndex, name: str) -> int:
    """The argument of this name, which is an integer: Python's, or one of NumPy's.

    Raises
    ------
    LocalProtocolError
        It is none. A bool is none either.
    """
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise LocalProtocolError(f"{name} must be of the type int, not {value!r}", expected=int, actual=value)


def checked_time(value: float, name: str) -> float:
    """The argument of this name, which is a time of some clock, in seconds: a number, and not nan.

    Raises
    ------
    LocalProtocolError
        It is none.
    """
    try:
        if not (isinstance(value, bool | str | bytes) or math.isnan(value)):
            return value
    except (TypeError, OverflowError):
        pass
    raise LocalProtocolError(f"{name} must be a number of seconds, not {value!r}", actual=value)


def checked_member(value: Member, kind: type[Member], name: str) -> Member:
    """The member of an enumeration, which may be given by its text too: that is equal to it, but not the same object.

    Raises
    ------
    LocalProtocolError
        There is no such member.
    """
    if isinstance(value, kind):
        return value
    try:
        return kind(value)
    except ValueError as error:
        members = [member.value for member in kind]
        raise LocalProtocolError(
            f"{name} must be one of {', '.join(members)}, not {value!r}", expected=members, actual=value
        ) from error


def clipped_damage(damage: Iterable[Any], width: int, height: int) -> list[tuple[int, int, int, int]]:
    """The rectangles (x, y, width, height) cut to a frame of that size, those outside it dropped.

    Raises
    ------
    LocalProtocolError
        They are none.
    """
    clipped = []
    try:
        for x, y, across, down in damage:
            left, top = operator.index(x), operator.index(y)
            right, bottom = left + operator.index(across), top + operator.index(down)
            if right < left or bottom < top:
                rectangle = left, top, right - left, bottom - top
                raise LocalProtocolError(f"damage must not be negative: {rectangle}", actual=rectangle)
            # Comparisons, since `min` and `max` take some ten times as long, for every rectangle of every frame.
            if left < 0:
                left = 0
            if top < 0:
                top = 0
            if right > width:
                right = width
            if bottom > height:
                bottom = height
            if left < right and top < bottom:
                clipped.append((left, top, right - left, bottom - top))
    except LocalProtocolError:
        raise
    except (TypeError, ValueError) as error:
        raise LocalProtocolError(f"damage must be rectangles (x, y, width, height) of integers: {error}") from error
    return clipped
