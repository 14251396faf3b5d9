"""What is legal when: faults, the table of states, settings."""

import math
import zlib

import pytest
from screens import Pair

from fastframe import Limits, LocalProtocolError, RemoteProtocolError
from fastframe.stream import (
    ByeReason,
    ConsentGate,
    ConsentState,
    Party,
    Receiver,
    Scope,
    Sender,
    SenderConfig,
    State,
)
from fastframe.stream import messages as m
from fastframe.stream.states import TRANSITIONS, Action, Fragment, Role, next_state


def test_a_fault_stays_and_one_last_message_goes_out() -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.CHAT]).connect()
    with pytest.raises(RemoteProtocolError) as first:
        pair.sender.receive(b"\x01", pair.now)
    for message in (b"\x01", m.encode(m.Ping(1))):
        with pytest.raises(RemoteProtocolError) as again:
            pair.sender.receive(message, pair.now)
        assert again.value is first.value
    messages = pair.sender.poll(pair.now)
    assert isinstance(messages, list)
    assert m.decode(bytes(messages[0])).reason is ByeReason.PROTOCOL_ERROR  # type: ignore[union-attr]
    assert pair.sender.poll(pair.now) == math.inf
    with pytest.raises(LocalProtocolError):
        pair.sender.send_chat("x", pair.now)
    assert not pair.sender.send_frame(0, pair.frames[0], None, pair.now)


EXAMPLES: dict[type, bytes] = {
    type(message): m.encode(message)
    for message in (
        m.Hello((1,), (1,), m.WireLimits.of(Limits()), 20_000),
        m.Welcome(1, 1, 20_000, bytes(16), "", (), (), (), False),
        m.Layout(()),
        m.CursorPosition(0, 0, 0),
        m.CursorShape(0, 1, 1, 0, 0, zlib.compress(bytes(4))),
        m.Ack(0, 0, 0),
        m.KeyframeRequest(0),
        m.Pause(),
        m.Resume(),
        m.ConsentRequest(Scope.CHAT),
        m.ConsentNotice(Scope.CHAT, ConsentState.GRANTED),
        m.Chat("x"),
        m.InputActivity(Party.CUSTOMER),
        m.Pointer(0, 0, 0),
        m.Key(1, True),
        m.FileOffer(0, "x", 1),
        m.FileAnswer(0, True),
        m.FileData(0, 0, b"x"),
        m.FileAck(0, 1),
        m.FileEnd(0, True),
        m.Ping(1),
        m.Pong(1),
        m.Bye(ByeReason.FINISHED),
    )
}
EXAMPLES[Fragment] = bytes([0xC1, 0, 0]) + bytes(20)
CONNECTED = [State.CONNECTING, State.OPEN]


def endpoint_in(role: Role, state: State) -> Sender | Receiver:
    pair = Pair()
    if state is State.CONNECTING and role is Role.RECEIVER:
        pair.receiver.connect(0.0)
    elif state is State.OPEN:
        pair.connect()
    endpoint = pair.sender if role is Role.SENDER else pair.receiver
    assert endpoint.state is state
    return endpoint


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("state", CONNECTED)
@pytest.mark.parametrize("role", Role)
def test_a_message_that_the_table_does_not_name_is_a_fault(role: Role, state: State, kind: type) -> None:
    assert set(EXAMPLES) == {*m.ControlMessage.__args__, Fragment}
    endpoint = endpoint_in(role, state)
    if kind in TRANSITIONS[role][state]:
        if kind not in (m.Pong, m.Ack):  # which are for something
            endpoint.receive(EXAMPLES[kind], 0.0)
            assert endpoint.state is TRANSITIONS[role][state][kind]
        return
    with pytest.raises(RemoteProtocolError) as caught:
        endpoint.receive(EXAMPLES[kind], 0.0)
    assert caught.value.actual == kind.__name__
    assert endpoint.state is State.FAILED


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", Role)
def test_an_action_that_the_table_does_not_name_is_this_sides_mistake(role: Role, action: Action) -> None:
    for state, legal in TRANSITIONS[role].items():
        if action in legal:
            assert next_state(role, state, action) in TRANSITIONS[role]
        else:
            with pytest.raises(LocalProtocolError):
                next_state(role, state, action)


def test_time_must_be_a_number() -> None:
    with pytest.raises(LocalProtocolError):
        Sender(ConsentGate()).poll(math.nan)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_fragment": 100},
        {"max_fragment": 2**31},
        {"keepalive": 0},
        {"keepalive": math.nan},
        {"resume_for": -1.0},
        {"effort": "best"},
        {"max_fps": 0},
        {"threads": 0},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        SenderConfig(**wrong)  # type: ignore[arg-type]
