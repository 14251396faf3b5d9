"""Checks of arguments that every layer of the package has: a wrong one is refused where it is given, with a sentence,
and not where it is first used.
"""

import contextlib
import math
import operator
import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, SupportsIndex, TypeVar

from fastframe.errors import LocalProtocolError

Kind = TypeVar("Kind")
Member = TypeVar("Member", bound=StrEnum)


class _Uninitialised:
    """Stands in a class for an attribute that its `__init__` sets, and tells a subclass that has not called it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner.__name__

    def __get__(self, instance: object, kind: type) -> Self:
        if instance is None:
            return self  # for who looks at the class, such as `help`
        raise LocalProtocolError(
            f"{kind.__name__} has not been initialised: {self._owner}.__init__ must be called first"
        )


def uninitialised() -> Any:
    """The value in a class of an attribute without which an object that was not initialised can do nothing."""
    return _Uninitialised()


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


def checked_int(value: SupportsIndex, name: str, lowest: int, highest: int) -> int:
    """The argument of this name as Python's integer; NumPy's are integers as well, a bool is none.

    Raises
    ------
    LocalProtocolError
        It is none, or out of its range.
    """
    number = None
    if not isinstance(value, bool):
        with contextlib.suppress(TypeError):
            number = operator.index(value)
    if number is None or not lowest <= number <= highest:
        raise LocalProtocolError(
            f"{name} must be an integer from {lowest} to {highest}, not {value!r}",
            expected=(lowest, highest),
            actual=value,
        )
    return number


def checked_bool(value: Any, name: str) -> bool:
    """The argument of this name, which may be NumPy's bool; no other value stands for one, as "no" is true to Python.

    Raises
    ------
    LocalProtocolError
        It is of another type.
    """
    if isinstance(value, bool):
        return value
    if str(getattr(value, "dtype", "")) != "bool" or getattr(value, "ndim", None) != 0:
        raise LocalProtocolError(f"{name} must be True or False, not {value!r}", expected=(True, False), actual=value)
    return bool(value)


def checked_number(value: float, name: str) -> float:
    """The argument of this name, which may be infinite.

    Raises
    ------
    LocalProtocolError
        It is no real number, or nan: that is neither below a bound nor above it, and would pass half of all checks.
    """
    with contextlib.suppress(TypeError, ValueError, OverflowError):  # text, a signalling nan, an integer too large
        if not math.isnan(value):
            return float(value)
    raise LocalProtocolError(f"{name} must be a number, not {value!r}", actual=value)


def checked_text(value: str, name: str, most: int) -> str:
    """The argument of this name, a text of at most so many characters.

    Raises
    ------
    LocalProtocolError
        It is none, longer, or stands for bytes that are no text, such as those of some hosts' and users' names.
    """
    checked(value, str, name)
    if len(value) > most:
        raise LocalProtocolError(
            f"{name} has at most {most} characters, not {len(value)}: {value[:most]!r}...", limit=most, actual=value
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"{name} must be text: {value!r}", actual=value) from error
    return value


def checked_path(value: str | os.PathLike[str], name: str) -> Path:
    """The path of a file that is the argument of this name.

    Raises
    ------
    LocalProtocolError
        It is neither a text nor a path.
    """
    try:
        return Path(value)
    except TypeError as error:
        raise LocalProtocolError(f"{name} must be a text or a path, not {value!r}", actual=value) from error


def checked_choice(value: str, choices: Iterable[str], name: str) -> str:
    """The argument of this name, which is one of several words.

    Raises
    ------
    LocalProtocolError
        It is none of them.
    """
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        raise LocalProtocolError(
            f"{name} must be one of {', '.join(choices)}, not {value!r}", expected=choices, actual=value
        )
    return value


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
