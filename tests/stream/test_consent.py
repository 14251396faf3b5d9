"""The consent gate and the pairing key: the ways from one state to another, and that time ends what it should."""

import itertools
import math

import pytest

from fastframe import ConsentRequired, LocalProtocolError
from fastframe.stream import ConsentGate, ConsentState, PairingKey, PairingResult, Scope
from fastframe.stream.consent import CONSENT_TRANSITIONS, MAX_CHANGES

REACH = {
    ConsentState.NONE: (),
    ConsentState.REQUESTED: ("request",),
    ConsentState.GRANTED: ("grant",),
    ConsentState.REFUSED: ("refuse",),
    ConsentState.WITHDRAWN: ("grant", "withdraw"),
}
BECOMES = {
    "request": ConsentState.REQUESTED,
    "grant": ConsentState.GRANTED,
    "refuse": ConsentState.REFUSED,
    "withdraw": ConsentState.WITHDRAWN,
}
# What changes nothing, and is not wrong: a second request, a second yes, stopping what does not run.
HARMLESS = {("request", "requested"), ("request", "granted"), ("grant", "granted")} | {
    ("withdraw", state.value) for state in ConsentState if state is not ConsentState.GRANTED
}


@pytest.mark.parametrize(("state", "action"), list(itertools.product(REACH, BECOMES)))
def test_every_action_in_every_state(state: ConsentState, action: str) -> None:
    gate = ConsentGate()
    for step in REACH[state]:
        getattr(gate, step)(Scope.FILES, 1.0)
    assert gate.state(Scope.FILES, 1.0) is state
    before = gate.revision
    if (action, state.value) in HARMLESS:
        getattr(gate, action)(Scope.FILES, 2.0)
        assert gate.state(Scope.FILES, 2.0) is state
        assert gate.revision == before
    elif BECOMES[action] in CONSENT_TRANSITIONS[state]:
        getattr(gate, action)(Scope.FILES, 2.0, by="Eva")
        (change,) = gate.changes_since(before, 2.0)
        assert (change.before, change.after, change.at, change.by) == (state, BECOMES[action], 2.0, "Eva")
    else:
        with pytest.raises(LocalProtocolError):
            getattr(gate, action)(Scope.FILES, 2.0)
        assert gate.state(Scope.FILES, 2.0) is state
    assert gate.allows(Scope.FILES, 2.0) == (gate.state(Scope.FILES, 2.0) is ConsentState.GRANTED)


def test_a_consent_ends_by_itself() -> None:
    gate = ConsentGate()
    gate.grant(Scope.VIEW, 0.0, until=10.0)
    assert gate.next_expiry == 10.0
    gate.require(Scope.VIEW, 9.999)
    with pytest.raises(ConsentRequired) as caught:
        gate.require(Scope.VIEW, 10.0)
    assert caught.value.actual is ConsentState.EXPIRED
    change = gate.changes_since(1, 11.0)[0]
    assert (change.after, change.at) == (ConsentState.EXPIRED, 10.0)
    assert gate.next_expiry == math.inf


def test_a_consent_can_be_prolonged() -> None:
    gate = ConsentGate()
    gate.grant(Scope.VIEW, 0.0, until=10.0)
    gate.grant(Scope.VIEW, 5.0, until=20.0)
    assert gate.allows(Scope.VIEW, 15.0)
    gate.grant(Scope.VIEW, 16.0)
    assert gate.allows(Scope.VIEW, 1e9)
    with pytest.raises(LocalProtocolError):
        gate.grant(Scope.CHAT, 16.0, until=16.0)


def test_a_request_without_an_answer_expires() -> None:
    gate = ConsentGate()
    assert gate.request(Scope.CONTROL, 0.0, until=30.0)
    assert gate.state(Scope.CONTROL, 30.0) is ConsentState.EXPIRED
    assert gate.request(Scope.CONTROL, 31.0)


def test_without_view_there_is_no_control_no_recording_and_no_second_technician() -> None:
    gate = ConsentGate()
    for scope in Scope:
        gate.grant(scope, 0.0)
    assert gate.withdraw(Scope.VIEW, 1.0)
    assert [scope for scope in Scope if gate.allows(scope, 1.0)] == [Scope.FILES, Scope.CHAT]
    assert gate.withdraw_all(2.0)
    assert not any(gate.allows(scope, 2.0) for scope in Scope)
    assert not gate.withdraw_all(3.0)


def test_a_peer_cannot_make_the_log_grow_for_ever_and_stopping_always_works() -> None:
    gate = ConsentGate()
    gate.grant(Scope.VIEW, 0.0)
    while gate.revision < MAX_CHANGES:
        assert gate.request(Scope.CHAT, 0.0)
        gate.refuse(Scope.CHAT, 0.0)
    with pytest.raises(LocalProtocolError) as caught:
        gate.request(Scope.CHAT, 0.0)
    assert caught.value.limit == MAX_CHANGES
    with pytest.raises(LocalProtocolError):
        gate.grant(Scope.CHAT, 0.0)
    assert gate.withdraw(Scope.VIEW, 1.0)
    assert not gate.allows(Scope.VIEW, 1.0)


def test_a_pairing_key_opens_once() -> None:
    key, digits = PairingKey.create(100.0)
    assert len(digits) == 7
    assert digits.isdigit()
    assert key.verify(f"{digits[:3]} {digits[3:5]}-{digits[5:]}", 101.0) is PairingResult.ACCEPTED
    assert key.verify(digits, 102.0) is PairingResult.SPENT


def wrong(digits: str) -> str:
    return f"{(int(digits) + 1) % 10**7:07}"


def test_a_pairing_key_does_not_bear_guessing() -> None:
    key, digits = PairingKey.create(0.0, max_attempts=3)
    for left in (2, 1, 0):
        assert key.verify(wrong(digits), 1.0) is PairingResult.WRONG
        assert key.attempts_left == left
    assert key.verify(digits, 1.0) is PairingResult.SPENT


def test_a_pairing_key_gets_old() -> None:
    key, digits = PairingKey.create(0.0, lifetime=60.0)
    assert key.verify(digits, 60.0) is PairingResult.EXPIRED
    assert key.verify("", 59.0) is PairingResult.WRONG
    assert key.verify("\ud800" * 7, 59.0) is PairingResult.WRONG
    assert key.verify(digits, 59.999) is PairingResult.ACCEPTED


def test_the_digits_are_not_kept() -> None:
    key, digits = PairingKey.create(0.0)
    held = repr(vars(key)) + repr(key)
    assert digits not in held
    for bad in ("123456", "12345678", "123456x", "١٢٣٤٥٦٧"):
        with pytest.raises(LocalProtocolError):
            PairingKey(bad, expires=1.0)
    assert len({PairingKey.create(0.0)[1] for _ in range(50)}) > 45
