"""Wrong arguments: a typed error that says what was expected, where the call is made, and a session that goes on."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from meeting import Meeting

from fastframe import LocalProtocolError
from fastframe.stream import (
    ConsentGate,
    ConsentState,
    Display,
    MessageFramer,
    PairingKey,
    Receiver,
    Relay,
    RelayConfig,
    Scope,
    Sender,
)

NO_SCOPES = [None, 1, "nonsense", b"view", math.nan, [], (1, 2)]


@pytest.mark.parametrize("action", ["state", "allows", "require", "request", "grant", "refuse", "withdraw"])
@pytest.mark.parametrize("scope", NO_SCOPES)
def test_what_is_no_scope_is_refused_and_changes_nothing(action: str, scope: Any) -> None:
    gate = ConsentGate()
    with pytest.raises(LocalProtocolError, match="scope must be one of view, control, record"):
        getattr(gate, action)(scope, 1.0)
    assert gate.revision == 0
    assert all(gate.state(each, 2.0) is ConsentState.NONE for each in Scope)


def test_a_gate_follows_no_state_that_there_is_not() -> None:
    gate = ConsentGate()
    with pytest.raises(LocalProtocolError, match="state must be one of none, requested"):
        gate.follow(Scope.VIEW, "perhaps", 1.0)  # type: ignore[arg-type]
    assert gate.state(Scope.VIEW, 2.0) is ConsentState.NONE


def test_a_scope_by_its_text_is_that_scope() -> None:
    """A text is equal to the scope: were it taken as it is, what hangs on `view` would stay when that is withdrawn."""
    gate = ConsentGate()
    for text in ("view", "control", "record"):
        gate.grant(text, 1.0)  # type: ignore[arg-type]
    gate.withdraw("view", 2.0)  # type: ignore[arg-type]
    assert not any(gate.allows(scope, 3.0) for scope in Scope)
    assert all(isinstance(change.scope, Scope) for change in gate.changes_since(0, 3.0))


@pytest.mark.parametrize("digits", [None, 1234567, 1234567.0, b"1234567", list("1234567")])
def test_a_key_that_is_no_text_is_refused_and_shown_nowhere(digits: Any) -> None:
    key = PairingKey("7654321", expires=5.0)
    for call in (lambda: PairingKey(digits, expires=5.0), lambda: key.verify(digits, 1.0)):
        with pytest.raises(LocalProtocolError, match="text") as caught:
            call()
        assert "1234567" not in str(caught.value)
        assert caught.value.actual is type(digits)
    assert key.attempts_left == 5


@pytest.mark.parametrize("attempts", [math.nan, math.inf, 2.5, "5", None])
def test_attempts_that_never_end_are_refused(attempts: Any) -> None:
    with pytest.raises(LocalProtocolError, match="max_attempts must be of the type int"):
        PairingKey("1234567", expires=5.0, max_attempts=attempts)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("gate", lambda wrong: Sender(wrong)),
        ("config", lambda wrong: Sender(ConsentGate(), wrong)),
        ("pairing", lambda wrong: Sender(ConsentGate(), pairing=wrong)),
        ("config", lambda wrong: Receiver(wrong)),
        ("config", lambda wrong: Relay(wrong)),
        ("pairing", lambda wrong: Relay().add_viewer(0.0, pairing=wrong)),
        ("upstream", lambda wrong: RelayConfig(upstream=wrong)),
        ("viewers", lambda wrong: RelayConfig(viewers=wrong)),
        ("message", lambda wrong: MessageFramer(1000).pack(wrong)),
    ],
)
@pytest.mark.parametrize("wrong", [0, "1234567", b"", [], object()])
def test_what_is_of_another_type_is_refused_by_its_name(name: str, call: Callable[[Any], object], wrong: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"{name} must be of the type "):
        call(wrong)


def test_calls_that_are_refused_leave_the_session_as_it_was() -> None:
    meeting = Meeting()
    number = meeting.join()
    meeting.pump(0.1)
    sender, viewer = meeting.sender, meeting.viewers[number]
    shape = np.zeros((8, 8, 4), np.uint8)
    calls: list[Callable[[], object]] = [
        *(lambda wrong=wrong: sender.set_displays(wrong, meeting.now) for wrong in (None, 1, "x", [1], [None])),
        lambda: sender.set_displays([Display([], 0, 0, 8, 8)], meeting.now),  # type: ignore[arg-type]
        *(
            lambda wrong=wrong: sender.send_cursor_shape(shape, wrong, meeting.now)
            for wrong in (None, 1, [], [1], "xy")
        ),
        *(lambda wrong=wrong: viewer.acknowledge(0, wrong, 0, meeting.now) for wrong in (None, "1", math.nan, 1.0)),
        *(lambda wrong=wrong: viewer.consent(wrong) for wrong in NO_SCOPES),
        lambda: meeting.relay.add_viewer(meeting.now, pairing="1234567"),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(LocalProtocolError):
            call()
    meeting.draw(1)
    meeting.pump(0.1)
    assert meeting.sees(number)
    assert meeting.relay.viewers == (number,)
