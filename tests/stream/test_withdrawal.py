"""Consent to see: not a pixel before it, not a byte of a frame after it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screens import HEIGHT, WIDTH, Pair

from fastframe import ConsentRequired
from fastframe.stream import ConsentGate, ConsentState, Display, Scope, Sender
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.wire import MARK


class Untouchable:
    """A frame that tells when somebody looks at it."""

    @property
    def __array_interface__(self) -> object:
        raise AssertionError("a pixel was read")

    def __array__(self, *arguments: object, **options: object) -> object:
        raise AssertionError("a pixel was read")

    def __len__(self) -> int:
        raise AssertionError("a pixel was read")


def untouched(sender: Sender, now: float, state: ConsentState) -> None:
    with pytest.raises(ConsentRequired) as caught:
        sender.send_frame(0, Untouchable(), None, now)
    assert caught.value.actual is state
    with pytest.raises(ConsentRequired):
        sender.send_cursor_shape(Untouchable(), (0, 0), now)


def test_no_pixel_is_read_before_the_customer_agrees() -> None:
    gate = ConsentGate()
    sender = Sender(gate)
    pair = Pair(sender, granted=())
    untouched(sender, 0.0, ConsentState.NONE)
    pair.connect()
    assert pair.seen(e.ConsentRequested, "sender") == [e.ConsentRequested(Scope.VIEW, "")]
    untouched(sender, 0.0, ConsentState.REQUESTED)
    gate.refuse(Scope.VIEW, 0.0)
    untouched(sender, 0.0, ConsentState.REFUSED)
    pair.pump()
    assert not pair.seen(e.FrameWanted, "sender")
    assert pair.receiver.consent(Scope.VIEW) is ConsentState.REFUSED
    with pytest.raises(ConsentRequired):
        pair.receiver.frame(0)

    pair.receiver.request_consent(Scope.VIEW, pair.now, text="please")
    pair.pump()
    assert pair.seen(e.ConsentRequested, "sender")[-1] == e.ConsentRequested(Scope.VIEW, "please")
    gate.grant(Scope.VIEW, pair.now)
    pair.pump(0.1)
    pair.assert_exact()


def frame_bytes(messages: object) -> list[bytes]:
    return [bytes(message) for message in messages if bytes(message)[0] == MARK] if isinstance(messages, list) else []


def test_what_is_queued_does_not_leave_after_the_withdrawal() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    pair.draw(1)
    pair.gate.withdraw(Scope.VIEW, pair.now, by="customer")
    messages = pair.sender.poll(pair.now)
    assert isinstance(messages, list)
    assert messages
    assert not frame_bytes(messages)
    for message in messages:
        pair.receiver.receive(bytes(message), pair.now)
    pair.pump()
    (change,) = [event for event in pair.seen(e.ConsentChanged, "sender") if event.after is ConsentState.WITHDRAWN]
    assert (change.scope, change.by) == (Scope.VIEW, "customer")
    assert pair.seen(e.ConsentChanged)[-1].after is ConsentState.WITHDRAWN
    # The viewer does not keep what it was shown either.
    with pytest.raises(ConsentRequired):
        pair.receiver.frame(0)
    untouched(pair.sender, pair.now, ConsentState.WITHDRAWN)


class OvertakenGate(ConsentGate):
    """Somebody else withdraws right after the next look at it, which still finds that all is granted."""

    is_overtaken = False

    def allows(self, scope: Scope, now: float) -> bool:
        allowed = super().allows(scope, now)
        if self.is_overtaken:
            self.is_overtaken = False
            self.withdraw(Scope.VIEW, now)
        return allowed


def test_a_withdrawal_during_a_look_at_the_gate_is_noticed_by_the_next_one() -> None:
    gate = OvertakenGate()
    pair = Pair(Sender(gate)).connect()
    pair.pump(0.1)
    gate.grant(Scope.CHAT, pair.now)
    gate.is_overtaken = True
    pair.sender.poll(pair.now)
    assert not gate.is_overtaken
    untouched(pair.sender, pair.now, ConsentState.WITHDRAWN)
    pair.pump(0.1)
    assert pair.receiver.consent(Scope.VIEW) is ConsentState.WITHDRAWN


class OvertakenSender(Sender):
    """While it does what time brings about, the customer stops everything in another thread."""

    is_overtaken = False

    def _advance(self) -> float:
        if self.is_overtaken:
            self.gate.withdraw_all(self._now)
        return super()._advance()


def test_the_gate_is_looked_at_once_more_before_pixels_leave() -> None:
    sender = OvertakenSender(ConsentGate())
    pair = Pair(sender).connect()
    pair.pump(0.1)
    pair.draw(1)
    sender.statistics(pair.now)  # whatever is called, `poll` looks at everything again
    sender.is_overtaken = True
    assert not frame_bytes(pair.sender.poll(pair.now))
    assert pair.gate.state(Scope.VIEW, pair.now) is ConsentState.WITHDRAWN


def kinds(answer: object) -> set[type]:
    """The kinds of control messages that `poll` gave."""
    assert not frame_bytes(answer)
    return {type(m.decode(bytes(message))) for message in answer} if isinstance(answer, list) else set()


def test_what_is_queued_besides_frames_does_not_leave_either() -> None:
    pair = Pair(granted=tuple(Scope)).connect()
    pair.pump(0.1)
    number = pair.sender.offer_file("a", 100, pair.now)
    pair.pump()
    pair.receiver.answer_file(number, True, pair.now)
    pair.pump()
    pair.sender.send_cursor_shape(np.zeros((8, 8, 4), np.uint8), (0, 0), pair.now)
    pair.sender.send_file_data(number, b"secret", pair.now)
    pair.sender.send_chat("secret", pair.now)
    pair.gate.withdraw_all(pair.now)
    assert kinds(pair.sender.poll(pair.now)) == {m.ConsentNotice}


def test_events_of_before_the_withdrawal_are_not_told_after_it() -> None:
    pair = Pair(granted=tuple(Scope)).connect()
    pair.pump(1.0)
    pair.receiver.send_key(65, True, pair.now)
    for message in pair.receiver.poll(pair.now):  # type: ignore[union-attr]
        pair.sender.receive(bytes(message), pair.now)
    pair.sender.receive(m.encode(m.KeyframeRequest(0)), pair.now)
    pair.sender.poll(pair.now)
    pair.gate.withdraw_all(pair.now)
    events = []
    while (event := pair.sender.next_event()) is not None:
        events.append(type(event))
    assert set(events) == {e.ConsentChanged}


def test_during_the_customers_pause_nothing_is_shown_and_nobody_moves_the_mouse() -> None:
    pair = Pair(granted=tuple(Scope)).connect()
    pair.pump(0.1)
    pair.sender.pause(pair.now)
    pair.pump()
    pair.sender.send_cursor_shape(np.zeros((8, 8, 4), np.uint8), (0, 0), pair.now)
    assert m.CursorShape not in kinds(pair.sender.poll(pair.now))
    pair.receiver.send_key(65, True, pair.now)
    pair.receiver.send_pointer(0, 5, 5, pair.now)
    pair.pump()
    assert not pair.seen(e.KeyInput, "sender") + pair.seen(e.PointerInput, "sender")
    assert len(pair.seen(e.Refused, "sender")) == 2
    pair.cut()
    pair.connect()
    assert pair.receiver.paused
    assert not pair.seen(e.CursorShapeChanged)
    pair.sender.resume(pair.now)
    pair.receiver.send_pointer(0, -1, 5, pair.now)
    pair.receiver.send_pointer(0, 5, 10**6, pair.now)
    pair.receiver.send_pointer(0, 5, 5, pair.now)
    pair.pump(0.1)
    assert len(pair.seen(e.CursorShapeChanged)) == 1
    assert pair.seen(e.PointerInput, "sender") == [e.PointerInput(0, 5, 5, 0, 0, 0)]


def test_names_and_sizes_of_displays_are_told_with_the_consent_and_not_before() -> None:
    secret = Display(0, 0, 0, WIDTH, HEIGHT, "window: my bank")
    pair = Pair(granted=(), displays=[secret]).connect()
    pair.sender.set_displays([secret, Display(3, 0, 0, 99, 98, "another")], pair.now)
    pair.pump(0.5)
    assert pair.receiver.displays == ()
    assert not any(b"bank" in message or b"another" in message for message in pair.down)
    pair.gate.grant(Scope.VIEW, pair.now)
    pair.pump(0.5)
    assert len(pair.receiver.displays) == 2
    pair.assert_exact()
    # What is new after the withdrawal is not told; who comes back meanwhile is told nothing.
    pair.gate.withdraw(Scope.VIEW, pair.now)
    pair.sender.set_displays([secret, Display(4, 0, 0, 50, 50, "a third")], pair.now)
    pair.pump(0.1)
    pair.cut()
    pair.connect()
    assert pair.receiver.displays == ()
    assert not any(b"third" in message for message in pair.down)
    pair.gate.grant(Scope.VIEW, pair.now)
    pair.pump(0.7)
    assert [display.id for display in pair.receiver.displays] == [0, 4]
    pair.assert_exact()


def test_what_was_queued_does_not_leave_under_a_later_consent_either() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    pair.draw(1)
    pair.gate.withdraw(Scope.VIEW, pair.now)
    pair.gate.grant(Scope.VIEW, pair.now)
    assert not frame_bytes(pair.sender.poll(pair.now))


def test_a_consent_that_runs_out_between_two_calls_stops_the_frames() -> None:
    pair = Pair(granted=())
    pair.gate.grant(Scope.VIEW, 0.0, until=10.0)
    pair.connect()
    pair.pump(0.1)
    pair.now = 9.999
    pair.draw(1)
    assert not frame_bytes(pair.sender.poll(10.0))
    pair.now = 10.0
    pair.pump()
    assert pair.seen(e.ConsentChanged, "sender")[-1].after is ConsentState.EXPIRED


def test_a_sender_that_waits_learns_that_the_consent_ends_sooner() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    due = pair.sender.poll(pair.now)
    assert isinstance(due, float)
    assert due > pair.now + 1.0
    pair.gate.grant(Scope.VIEW, pair.now, until=pair.now + 1.0)
    assert pair.sender.poll(pair.now) == pair.now + 1.0
    pair.pump(1.0)
    assert pair.receiver.consent(Scope.VIEW) is ConsentState.EXPIRED


def test_poll_wakes_up_when_a_consent_runs_out() -> None:
    pair = Pair(granted=())
    pair.gate.grant(Scope.VIEW, 0.0, until=5.0)
    pair.connect()
    pair.pump(0.1)
    while pair.now < 5.0:
        due = pair.sender.poll(pair.now)
        assert isinstance(due, float)
        assert due <= 5.0
        pair.now = due
        pair.pump()
    assert pair.receiver.consent(Scope.VIEW) is ConsentState.EXPIRED


def test_a_consent_that_runs_out_while_nobody_is_connected_is_told_at_once() -> None:
    pair = Pair(granted=())
    pair.gate.grant(Scope.VIEW, 0.0, until=5.0)
    pair.connect()
    pair.pump(0.1)
    pair.cut()
    assert pair.sender.poll(pair.now) == 5.0
    assert pair.sender.poll(5.0) > 5.0
    pair.drain()
    assert pair.seen(e.ConsentChanged, "sender")[-1].after is ConsentState.EXPIRED


def test_a_new_consent_begins_anew() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    first = pair.seen(e.FrameReceived)[-1].update.epoch
    pair.gate.withdraw(Scope.VIEW, pair.now)
    pair.pump(0.1)
    pair.frames[0][:] = 99
    pair.gate.grant(Scope.VIEW, pair.now)
    pair.pump(0.6)
    pair.assert_exact()
    again = next(event for event in reversed(pair.seen(e.FrameReceived)) if event.update.keyframe)
    assert again.update.epoch > first


def test_a_fragment_that_comes_after_the_notice_is_not_shown() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    pair.draw(1)
    late = frame_bytes(pair.sender.poll(pair.now))
    assert late
    pair.gate.withdraw(Scope.VIEW, pair.now)
    pair.pump()
    count = len(pair.seen(e.FrameReceived))
    for message in late:
        pair.receiver.receive(message, pair.now)
    pair.pump()
    assert len(pair.seen(e.FrameReceived)) == count


def test_an_extra_look_at_the_gate_by_somebody_else_changes_nothing() -> None:
    """Two senders and a recorder may share a gate; each gets all changes."""
    gate = ConsentGate()
    pairs = [Pair(Sender(gate), granted=()).connect() for _ in range(2)]
    gate.grant(Scope.VIEW, 0.0)
    gate.changes_since(0, 0.0)
    for pair in pairs:
        pair.pump(0.1)
        pair.assert_exact()
    gate.withdraw(Scope.VIEW, 0.2)
    for pair in pairs:
        pair.pump(0.1)
        assert pair.receiver.consent(Scope.VIEW) is ConsentState.WITHDRAWN


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["draw", "pump", "poll", "keyframe", "cut", "pause", "resume"]), max_size=12),
    st.lists(st.sampled_from(["poll", "receive", "cut", "resume", "layout", "keyframe"]), max_size=8),
)
def test_whatever_happens_no_frame_byte_leaves_after_the_withdrawal(before: list[str], after: list[str]) -> None:
    pair = Pair().connect()
    queued: list[bytes] = []

    def do(step: str, seed: int) -> None:
        if step == "draw":
            pair.draw(seed)
        elif step == "pump":
            pair.pump(0.05)
        elif step == "poll":
            answer = pair.sender.poll(pair.now)
            queued.extend(map(bytes, answer if isinstance(answer, list) else ()))
        elif step == "keyframe":
            pair.sender.receive(m.encode(m.KeyframeRequest(0)), pair.now)
        elif step == "cut":
            pair.cut()
            pair.connect()
        elif step == "pause":
            pair.sender.pause(pair.now)
        elif step == "resume":
            pair.sender.resume(pair.now)
        elif step == "layout":
            pair.sender.set_displays([Display(0, 0, 0, WIDTH, HEIGHT), Display(1, 0, 0, 64, 64)], pair.now)

    for seed, step in enumerate(before):
        do(step, seed)
    pair.gate.withdraw(Scope.VIEW, pair.now)
    sent = len(pair.down)
    for seed, step in enumerate(after):
        del queued[:]
        do(step, seed)
        pair.pump(0.7)
        assert not [message for message in queued if message[0] == MARK]
    assert not [message for message in pair.down[sent:] if message[0] == MARK]
    untouched(pair.sender, pair.now, ConsentState.WITHDRAWN)


@pytest.mark.parametrize("gone", ["withdrawn", "withdrawn for a moment", "unplugged"])
def test_whoever_is_told_of_a_picture_can_look_at_it(gone: str) -> None:
    """Also when a picture and what takes it away arrive together."""
    displays = [Display(0, 0, 0, WIDTH, HEIGHT), Display(1, WIDTH, 0, WIDTH, HEIGHT)]
    pair = Pair(displays=displays).connect()
    pair.pump(0.1)
    pair.sender.send_cursor_position(1, 5, 5, pair.now)
    pair.draw(1, display=1)
    arriving = pair.sender.poll(pair.now)
    assert isinstance(arriving, list)
    if gone == "unplugged":
        pair.sender.set_displays(displays[:1], pair.now)
    else:
        pair.gate.withdraw(Scope.VIEW, pair.now)
        if gone == "withdrawn for a moment":
            pair.gate.grant(Scope.VIEW, pair.now)
    notices = pair.sender.poll(pair.now)
    assert isinstance(notices, list)
    for message in [*arriving, *notices]:
        pair.receiver.receive(bytes(message), pair.now)
    told = []
    while (event := pair.receiver.next_event()) is not None:
        told.append(type(event))
        if isinstance(event, e.FrameReceived):
            pair.receiver.frame(event.display)
    assert set(told) == {e.LayoutChanged if gone == "unplugged" else e.ConsentChanged}


def test_pictures_of_other_displays_are_told_when_one_is_unplugged() -> None:
    displays = [Display(0, 0, 0, WIDTH, HEIGHT), Display(1, WIDTH, 0, WIDTH, HEIGHT)]
    pair = Pair(displays=displays).connect()
    pair.pump(0.1)
    pair.draw(1, display=0)
    for message in frame_bytes(pair.sender.poll(pair.now)):
        pair.receiver.receive(message, pair.now)
    pair.sender.set_displays(displays[:1], pair.now)
    for message in pair.sender.poll(pair.now):  # type: ignore[union-attr]
        pair.receiver.receive(bytes(message), pair.now)
    shown = pair.receiver.next_event()
    assert isinstance(shown, e.FrameReceived)
    assert shown.display == 0
    assert isinstance(pair.receiver.next_event(), e.LayoutChanged)
