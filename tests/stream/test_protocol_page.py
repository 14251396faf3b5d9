"""PROTOCOL.md says what the messages are, so that others can write a viewer from it."""

import re
from importlib import resources

import msgspec
import pytest

from fastframe.stream import ConsentState, Party, Scope, wire
from fastframe.stream import messages as m
from fastframe.stream.connection import _DROPPABLE
from fastframe.stream.states import TRANSITIONS, Role, State

PAGE = resources.files("fastframe.stream").joinpath("PROTOCOL.md").read_text(encoding="utf-8")
ROWS = {
    match[1]: (match[2].strip(), match[3])
    for match in re.finditer(r"^\| `([a-z-]+)` \| (.*?)\| (sender|receiver|both) \|", PAGE, re.MULTILINE)
}
KINDS = m.ControlMessage.__args__


def literal(value: object) -> str:
    texts = {"()": "[]", "None": "nil", "True": "true", "False": "false", "''": '""', "b''": 'b""'}
    return texts.get(repr(value), repr(value))


def fields(kind: type) -> str:
    said = []
    for field in msgspec.structs.fields(kind):
        said.append(field.name if field.required else f"{field.name} = {literal(field.default)}")
    return ", ".join(said)


def test_every_message_is_there() -> None:
    assert set(ROWS) == {kind.__struct_config__.tag for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_fields_and_direction_are_right(kind: type) -> None:
    said, origin = ROWS[kind.__struct_config__.tag]  # type: ignore[attr-defined]
    assert said == fields(kind)
    receives = {role for role in Role for state in State if kind in TRANSITIONS[role].get(state, {})}
    assert (
        receives
        == {
            "both": {Role.SENDER, Role.RECEIVER},
            "sender": {Role.RECEIVER},
            "receiver": {Role.SENDER},
        }[origin]
    )


@pytest.mark.parametrize("part", [m.WireLimits, m.Position, m.Display, m.Grant])
def test_parts_are_right(part: type) -> None:
    assert f"[{fields(part)}]" in " ".join(PAGE.split())


def test_values_and_numbers_are_right() -> None:
    for values in (Scope, ConsentState, Party, m.ByeReason):
        assert f"{', '.join(f'`{value}`' for value in values)}." in " ".join(PAGE.split())
    assert f"at least {m.LEAST_MAX_MESSAGE}." in PAGE
    assert f"at most {m.MAX_FILE_DATA} bytes" in PAGE
    assert f"| mark | u8 | 0x{wire.MARK:X} |" in PAGE
    droppable = {f"`{kind.__struct_config__.tag}`" for kind in _DROPPABLE}
    sentence = re.search(r"Frame fragments, (.*?) may be lost", " ".join(PAGE.split()))
    assert sentence is not None
    assert set(re.findall(r"`[a-z]+`", sentence[1])) == droppable
