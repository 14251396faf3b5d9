"""Wrong arguments: a typed error that says what was expected, where the call is made, and a session that goes on."""

import copy
import math
import pickle
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from meeting import Meeting

from fastframe import Limits, LocalProtocolError
from fastframe.stream import (
    ConsentGate,
    ConsentState,
    Display,
    MessageFramer,
    PairingKey,
    PairingResult,
    Receiver,
    ReceiverConfig,
    Relay,
    RelayConfig,
    Scope,
    Sender,
    SenderConfig,
)
from fastframe.stream.events import ChatReceived, FrameReceived
from fastframe.stream.messages import Layout, encode

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


@pytest.mark.parametrize("attempts", [math.nan, math.inf, 2.5, "5", None, True, 0])
def test_attempts_that_never_end_are_refused(attempts: Any) -> None:
    with pytest.raises(LocalProtocolError, match="max_attempts must be an integer from 1 "):
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


GATE_CALLS: list[Callable[[ConsentGate, Any], object]] = [
    lambda gate, now: gate.state(Scope.VIEW, now),
    lambda gate, now: gate.allows(Scope.VIEW, now),
    lambda gate, now: gate.require(Scope.VIEW, now),
    lambda gate, now: gate.request(Scope.VIEW, now),
    lambda gate, now: gate.grant(Scope.CHAT, now),
    lambda gate, now: gate.refuse(Scope.CHAT, now),
    lambda gate, now: gate.withdraw(Scope.VIEW, now),
    lambda gate, now: gate.withdraw_all(now),
    lambda gate, now: gate.changes_since(0, now),
    lambda gate, now: gate.follow(Scope.CHAT, ConsentState.GRANTED, now),
]


def _granted() -> ConsentGate:
    gate = ConsentGate()
    gate.grant(Scope.VIEW, 0.0, until=5.0)
    return gate


NO_NUMBERS = [None, "1", b"1", math.nan, Decimal("nan"), [], object(), 1j, np.zeros(2)]
NO_FLAGS = [None, 0, 1, "no", b"", math.nan, [], np.zeros(2, bool), np.int64(1)]


@pytest.mark.parametrize("wrong", NO_NUMBERS)
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("expires", lambda wrong: PairingKey("1234567", expires=wrong)),
        ("now", lambda wrong: PairingKey.create(wrong)),
        ("lifetime", lambda wrong: PairingKey.create(1.0, lifetime=wrong)),
        ("now", lambda wrong: PairingKey("1234567", expires=5.0).verify("1234567", wrong)),
        *[("now", partial(lambda ask, wrong: ask(_granted(), wrong), ask)) for ask in GATE_CALLS],
        ("until", lambda wrong: _granted().grant(Scope.VIEW, 1.0, until=[] if wrong is None else wrong)),
        ("until", lambda wrong: ConsentGate().request(Scope.VIEW, 1.0, until=[] if wrong is None else wrong)),
        ("keepalive", lambda wrong: SenderConfig(keepalive=wrong)),
        ("resume_for", lambda wrong: SenderConfig(resume_for=wrong)),
        ("max_fps", lambda wrong: SenderConfig(max_fps=wrong)),
        ("keyframe_interval", lambda wrong: RelayConfig(keyframe_interval=wrong)),
        ("now", lambda wrong: Meeting().sender.poll(wrong)),
        ("now", lambda wrong: Meeting().sender.pause(wrong)),
    ],
)
def test_what_is_no_number_is_refused_by_the_name_of_the_argument(
    name: str, call: Callable[[Any], object], wrong: Any
) -> None:
    """A time that is nan is neither before an end nor after it: an expired key was good for it."""
    with pytest.raises(LocalProtocolError, match=f"^{name} must be a number"):
        call(wrong)


@pytest.mark.parametrize("wrong", [10**400, -(10**400), math.inf])
def test_what_no_clock_shows_is_refused(wrong: Any) -> None:
    meeting = Meeting()
    with pytest.raises(LocalProtocolError, match=r"^now must be a number of seconds"):
        meeting.sender.poll(wrong)
    meeting.sender.poll(1.0)


@pytest.mark.parametrize("wrong", NO_FLAGS)
def test_an_answer_to_a_file_is_yes_or_no(wrong: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"^accepted must be True or False"):
        Meeting().sender.answer_file(1, wrong, 0.0)


@pytest.mark.parametrize("wrong", [None, "1", math.nan, 1.0, True, np.True_, -1, [], np.zeros(2, int)])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("max_fragment", lambda wrong: ReceiverConfig(max_fragment=wrong)),
        ("max_message", lambda wrong: MessageFramer(wrong)),
        ("revision", lambda wrong: ConsentGate().changes_since(wrong, 1.0)),
        ("max_attempts", lambda wrong: PairingKey("1234567", expires=5.0, max_attempts=wrong)),
        ("threads", lambda wrong: SenderConfig(threads=wrong)),
        ("store_bytes", lambda wrong: RelayConfig(store_bytes=wrong)),
        ("max_viewers", lambda wrong: RelayConfig(max_viewers=wrong)),
        ("max_width", lambda wrong: Limits(max_width=wrong)),
        ("number", lambda wrong: Meeting().sender.end_file(wrong, 0.0)),
    ],
)
def test_what_is_no_integer_is_refused_by_the_name_of_the_argument(
    name: str, call: Callable[[Any], object], wrong: Any
) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{name} must be an integer from "):
        call(wrong)


@pytest.mark.parametrize("wrong", NO_FLAGS)
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("reliable", lambda wrong: SenderConfig(reliable=wrong)),
        ("decode", lambda wrong: ReceiverConfig(decode=wrong)),
        ("auto_acknowledge", lambda wrong: ReceiverConfig(auto_acknowledge=wrong)),
        ("ask_for_each", lambda wrong: RelayConfig(ask_for_each=wrong)),
    ],
)
def test_what_is_neither_true_nor_false_is_refused_by_the_name_of_the_argument(
    name: str, call: Callable[[Any], object], wrong: Any
) -> None:
    """A text such as "no" would be true."""
    with pytest.raises(LocalProtocolError, match=f"^{name} must be True or False"):
        call(wrong)


def test_truth_of_numpy_is_truth() -> None:
    receiver = ReceiverConfig(decode=np.False_, auto_acknowledge=np.True_)  # type: ignore[arg-type]
    relay = RelayConfig(ask_for_each=np.True_)  # type: ignore[arg-type]
    assert (receiver.decode, receiver.auto_acknowledge, relay.ask_for_each) == (False, True, True)
    assert {type(receiver.decode), type(receiver.auto_acknowledge), type(relay.ask_for_each)} == {bool}


@pytest.mark.parametrize("effort", [None, 1, b"fast", "FAST", [], np.zeros(2), np.array(["fast", "fast"])])
def test_what_is_no_effort_is_refused(effort: Any) -> None:
    for call in (lambda: SenderConfig(effort=effort), lambda: Relay().effort_after(effort)):
        with pytest.raises(LocalProtocolError, match="must be one of "):
            call()


def test_the_efforts_that_there_are_are_told_with_that_by_default() -> None:
    sender = Sender(ConsentGate())
    for call in (lambda: SenderConfig(effort="x"), lambda: setattr(sender, "effort", "x")):
        with pytest.raises(LocalProtocolError, match="effort must be one of tight, balanced, fast, auto, not 'x'"):
            call()
    assert sender.effort == "auto"


@pytest.mark.parametrize("config", [SenderConfig, ReceiverConfig])
def test_a_name_that_is_none_is_told_in_one_sentence_of_bounded_length(config: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"^name must be of the type str, not b'x'$"):
        config(name=b"x")
    with pytest.raises(LocalProtocolError, match=r"^name has at most 64 characters, not 1000: ") as caught:
        config(name="x" * 1000)
    assert len(str(caught.value)) < 150
    with pytest.raises(LocalProtocolError, match=r"^a capability has at most 64 characters, not 65: "):
        config(capabilities=("files", "x" * 65))
    with pytest.raises(LocalProtocolError, match=r"^name must be text"):
        config(name="\udcff")
    assert config(name="x" * 64, capabilities=("x" * 64,)).name == "x" * 64


def test_a_field_that_cannot_be_sent_is_told_by_its_name_and_a_key_is_not_shown() -> None:
    with pytest.raises(LocalProtocolError, match=r"^Hello cannot be sent: key: Expected `str`, got `int`$"):
        Receiver().connect(0.0, key=1234567)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match=r"^Hello cannot be sent: scopes\[1\]: Invalid enum value 'v'$"):
        Receiver().connect(0.0, scopes=(Scope.VIEW, "v"))  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match=r"^Layout cannot be sent: displays\[1\]\.width: Expected `int` >= 1$"):
        encode(Layout((Display(0, 0, 0, 1, 1), Display(1, 0, 0, 0, 1))))


def test_who_shows_before_there_are_displays_is_told_what_comes_first() -> None:
    gate = ConsentGate()
    gate.grant(Scope.VIEW, 0.0)
    sender = Sender(gate)
    frame = np.zeros((8, 8, 4), np.uint8)
    with pytest.raises(LocalProtocolError, match=r"no display 0, nor any other: Sender\.set_displays comes first"):
        sender.send_frame(0, frame, None, 0.0)
    sender.set_displays([Display(3, 0, 0, 8, 8)], 0.0)
    with pytest.raises(LocalProtocolError, match=r"no display 0, only \[3\]"):
        sender.send_frame(0, frame, None, 0.0)


@pytest.mark.parametrize("signalling", [Decimal("sNaN"), 10**400])
def test_numbers_that_are_no_times_are_refused(signalling: Any) -> None:
    for call in (
        lambda: SenderConfig(keepalive=signalling),
        lambda: RelayConfig(keyframe_interval=signalling),
        lambda: PairingKey("1234567", expires=signalling),
    ):
        with pytest.raises(LocalProtocolError, match="must be a number"):
            call()


@pytest.mark.parametrize("wrong", [None, 1, Decimal(1), date(2026, 1, 1), b"text", ["text"]])
def test_what_is_no_text_is_refused_and_sent_to_nobody(wrong: Any) -> None:
    """Some of it has a text of its own, by which the peer could not tell it from one."""
    meeting = Meeting()
    number = meeting.join()
    meeting.pump(0.1)
    for call in (
        lambda: meeting.sender.send_chat(wrong, meeting.now),
        lambda: meeting.sender.send_chat("text", meeting.now, author=wrong),
        lambda: meeting.sender.offer_file(wrong, 10, meeting.now),
    ):
        with pytest.raises(LocalProtocolError, match="cannot be sent"):
            call()
    meeting.pump(0.1)
    assert not [event for event in meeting.received[number] if isinstance(event, ChatReceived)]


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_integers_of_numpy_are_integers(kind: Any) -> None:
    assert PairingKey("1234567", expires=5.0, max_attempts=kind(3)).attempts_left == 3
    limits = Limits(max_cache_slots=kind(12))
    config = ReceiverConfig(max_fragment=kind(100) * np.int64(1000), auto_acknowledge=False)
    assert (config.max_fragment, limits.max_cache_slots) == (100_000, 12)
    relay = RelayConfig(store_bytes=kind(200), max_viewers=kind(2))
    assert (relay.store_bytes, relay.max_viewers) == (200, 2)
    integers = (config.max_fragment, limits.max_cache_slots, relay.store_bytes, relay.max_viewers)
    assert {type(integer) for integer in integers} == {int}
    meeting = Meeting()
    number = meeting.join(config)
    # More pictures than may be on their way without having been acknowledged.
    for step in range(10):
        meeting.draw(step)
        meeting.pump(0.1)
        *_, event = (each for each in meeting.received[number] if isinstance(each, FrameReceived))
        place = np.int64(event.update.epoch), kind(event.update.sequence)
        meeting.viewers[number].acknowledge(kind(event.display), *place, meeting.now)
    meeting.pump(0.1)
    assert meeting.sees(number)


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, pickle.dumps])
def test_what_goes_on_from_message_to_message_cannot_be_doubled(twin: Callable[[object], object]) -> None:
    """A copied key could be guessed at anew, and a copied gate would allow what is withdrawn."""
    gate = _granted()
    key, digits = PairingKey.create(0.0)
    for original in (gate, Sender(gate), Receiver(), Relay(), key):
        with pytest.raises(TypeError, match=f"{type(original).__name__} cannot be copied or pickled"):
            twin(original)
    assert gate.allows(Scope.VIEW, 1.0)
    assert key.verify(digits, 1.0) is PairingResult.ACCEPTED


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
        *(lambda wrong=wrong: viewer.acknowledge(wrong, 0, 0, meeting.now) for wrong in (None, [], {}, shape, 7)),
        *(lambda wrong=wrong: meeting.relay.viewer_state(wrong) for wrong in (None, [], shape)),
        *(lambda wrong=wrong: sender.send_file_data(0, wrong, meeting.now) for wrong in (None, 1j, "x", [1])),
        lambda: meeting.relay.add_viewer(meeting.now, pairing="1234567"),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(LocalProtocolError):
            call()
    meeting.draw(1)
    meeting.pump(0.1)
    assert meeting.sees(number)
    assert meeting.relay.viewers == (number,)


def test_any_real_number_is_a_time() -> None:
    config = SenderConfig(max_fps=Decimal(30), keepalive=Fraction(5, 2))  # type: ignore[arg-type]
    assert (config.max_fps, config.keepalive) == (30.0, 2.5)
    relay = RelayConfig(keyframe_interval=Decimal("0.5"))  # type: ignore[arg-type]
    assert relay.keyframe_interval == 0.5
    assert {type(config.max_fps), type(config.keepalive), type(relay.keyframe_interval)} == {float}


def test_a_relay_that_would_never_ask_for_a_keyframe_is_refused() -> None:
    for interval in (-1, math.inf):
        with pytest.raises(LocalProtocolError, match="keyframe_interval must be a number of seconds from 0 on"):
            RelayConfig(keyframe_interval=interval)
