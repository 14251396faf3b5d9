"""Checks of arguments that every layer of the package has: a wrong one is refused where it is given, with a sentence,
and not where it is first used.
"""

from enum import StrEnum
from typing import TypeVar

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
