"""Peers that flood, repeat themselves, vanish at the wrong moment or are strangers: the session outlives them."""

import contextlib
import struct
from collections.abc import Callable

import numpy as np
import pytest
from screens import HEIGHT, WIDTH, Pair

from fastframe import Limits, LocalProtocolError, RemoteProtocolError
from fastframe.stream import (
    ByeReason,
    ConsentGate,
    ConsentState,
    Display,
    MessageFramer,
    PairingKey,
    Receiver,
    ReceiverConfig,
    Scope,
    Sender,
    SenderConfig,
    State,
)
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.connection import MAX_WAITING
from fastframe.stream.consent import MAX_CHANGES
from fastframe.stream.wire import MARK, PART


def control(answer: object) -> list[m.ControlMessage]:
    """The control messages of what `poll` gave."""
    assert isinstance(answer, list)
    return [m.decode(bytes(message)) for message in answer if bytes(message)[0] != MARK]


def deliver(answer: object, to: Sender | Receiver, now: float) -> None:
    for message in answer if isinstance(answer, list) else ():
        to.receive(bytes(message), now)


def _repeat(action: Callable[[], None], times: int) -> None:
    for _ in range(times):
        action()


# -- floods ------------------------------------------------------------------------------------------------------


def test_a_full_queue_keeps_the_customer_from_nothing() -> None:
    """Chat of this side's own fills the queue while the transport is stuck; the pause and the withdrawal go out."""
    pair = Pair(granted=tuple(Scope)).connect()
    pair.pump(0.1)
    for _ in range(MAX_WAITING):
        pair.sender.send_chat("x", pair.now)
    with pytest.raises(LocalProtocolError) as caught:
        pair.sender.send_chat("x", pair.now)
    assert caught.value.limit == MAX_WAITING
    pair.sender.pause(pair.now)
    assert pair.sender.paused
    pair.gate.withdraw_all(pair.now, by="customer")
    deliver(pair.sender.poll(pair.now), pair.receiver, pair.now)
    pair.drain()
    withdrawn = {event.scope for event in pair.seen(e.ConsentChanged, "sender") if event.by == "customer"}  # type: ignore[attr-defined]
    assert withdrawn == set(Scope)
    assert {pair.receiver.consent(scope) for scope in Scope} == {ConsentState.WITHDRAWN}
    assert pair.receiver.paused


def test_what_is_due_does_not_keep_a_full_queue_from_leaving() -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.CHAT]).connect()
    pair.pump(0.1)
    for endpoint in (pair.sender, pair.receiver):
        for _ in range(MAX_WAITING):
            endpoint.send_chat("x", pair.now)
    pair.sender.send_cursor_position(0, 5, 5, pair.now)
    pair.sender.set_displays([Display(0, 0, 0, WIDTH, HEIGHT, "another name")], pair.now)
    pair.receiver.receive(struct.pack("<BBBII", MARK, PART, 0, 5, 100) + b"x", pair.now)
    pair.now += 11
    for endpoint in (pair.sender, pair.receiver):
        kinds = {type(message) for message in control(endpoint.poll(pair.now))}
        assert kinds > {m.Chat, m.Ping}
    assert pair.sender._control_bytes == pair.receiver._control_bytes == 0


@pytest.mark.parametrize("from_keyframes", [True, False])
def test_who_asks_for_pictures_and_does_not_read_gets_no_queue(from_keyframes: bool) -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    random = np.random.default_rng(0)
    pair.frames[0][...] = random.integers(0, 256, pair.frames[0].shape, np.uint8)
    pair.sender.send_frame(0, pair.frames[0], None, pair.now)
    last = pair.sender._outlets[0].delivery.last
    assert last is not None
    most = 0
    for _ in range(60):
        pair.now += 0.5
        if from_keyframes:
            pair.sender.receive(m.encode(m.KeyframeRequest(0)), pair.now)
            pair.sender.send_frame(0, pair.frames[0], None, pair.now)
        else:
            pair.sender.receive(m.encode(m.KeyframeRequest(0, *last)), pair.now)
        most = max(most, sum(map(len, (message for _, message in pair.sender._frames))))
    assert most < 2 * pair.frames[0].nbytes


def test_a_sender_that_repeats_itself_and_does_not_read_is_at_fault() -> None:
    pair = Pair().connect()
    pair.pump(1.0)
    (first,) = [message for message in pair.down if message[0] == MARK][:1]
    for _ in range(MAX_WAITING // 2):
        pair.receiver.receive(first, pair.now)
    with pytest.raises(RemoteProtocolError):
        pair.receiver.receive(first, pair.now)


def test_a_sender_that_changes_consents_without_end_is_at_fault() -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.CHAT]).connect()
    pair.drain()

    def change() -> None:
        for state in (ConsentState.WITHDRAWN, ConsentState.GRANTED):
            pair.receiver.receive(m.encode(m.ConsentNotice(Scope.CHAT, state)), pair.now)
        pair.drain()

    for _ in range(2 * MAX_CHANGES - 2):
        change()
    with pytest.raises(RemoteProtocolError) as caught:
        _repeat(change, 3)
    assert caught.value.limit == 4 * MAX_CHANGES


def test_a_framer_keeps_nothing_after_a_fault() -> None:
    framer = MessageFramer(100)
    framer.feed(b"\xff\xff\xff\xff\xff")
    with pytest.raises(RemoteProtocolError):
        framer.next_message()
    for _ in range(100):
        framer.feed(bytes(100_000))
    assert len(framer._buffer) < 1000
    with pytest.raises(RemoteProtocolError):
        framer.next_message()


# -- pings -------------------------------------------------------------------------------------------------------


def test_pongs_may_come_twice() -> None:
    pair = Pair()
    pair.on_up = lambda data: (data, data) if isinstance(m.decode(data), m.Pong) else (data,)
    pair.on_down = lambda data: (data, data) if data[0] != MARK and isinstance(m.decode(data), m.Pong) else (data,)
    pair.connect()
    pair.now += 11.0
    pair.pump(0.1)
    assert pair.sender.state is pair.receiver.state is State.OPEN


def test_a_quiet_line_is_asked_for_its_delay_before_the_next_picture() -> None:
    """A picture that goes out when the delay is old news would have the next one wait until it has arrived."""
    sender = Sender(ConsentGate(), SenderConfig(keepalive=60.0))
    pair = Pair(sender, Receiver(ReceiverConfig(keepalive=60.0))).connect()
    pair.pump(1.0)
    quiet_since = pair.now
    while isinstance(due := pair.sender.poll(pair.now), float):
        pair.now = due
    (message,) = due
    assert isinstance(m.decode(bytes(message)), m.Ping)
    assert pair.now - quiet_since < 11.0


def test_pings_that_are_lost_now_and_then_do_not_end_a_quiet_session() -> None:
    pair = Pair(Sender(ConsentGate(), SenderConfig(reliable=False))).connect()
    count = 0

    def lossy(data: bytes) -> tuple[bytes, ...]:
        nonlocal count
        if data[0] == MARK or not isinstance(m.decode(data), m.Ping | m.Pong):
            return (data,)
        count += 1
        return () if count % 5 == 0 else (data,)

    pair.pump(0.1)
    pair.on_up = pair.on_down = lossy
    for _ in range(1000):
        pair.now += 5.0
        pair.pump()
    assert count > 500
    assert pair.sender.state is pair.receiver.state is State.OPEN


# -- faults and strangers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_fault", ["receiver", "sender"])
def test_a_fault_costs_both_sides_the_connection_and_neither_the_session(at_fault: str) -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    pair.draw(1)
    pair.pump(0.1)
    other, broken = ("sender", pair.receiver) if at_fault == "receiver" else ("receiver", pair.sender)
    reader: Sender | Receiver = getattr(pair, other)
    with pytest.raises(RemoteProtocolError):
        reader.receive(b"\x00", pair.now)
    deliver(reader.poll(pair.now), broken, pair.now)
    pair.drain()
    assert (reader.state, broken.state) == (State.FAILED, State.LOST)
    assert len(pair.seen(e.ConnectionBroken, at_fault)) == 1
    pair.cut()
    pair.draw(2)
    pair.connect()
    pair.pump(0.5)
    pair.assert_exact()
    assert pair.seen(e.Connected)[-1].resumed  # type: ignore[attr-defined]


def test_nobody_ends_a_session_that_it_has_no_part_in() -> None:
    key, _ = PairingKey.create(0.0)
    goodbye = m.encode(m.Bye(ByeReason.FINISHED))
    sender = Sender(ConsentGate(), pairing=key)
    with pytest.raises(RemoteProtocolError):
        sender.receive(goodbye, 0.0)
    sender.connection_lost(0.0)
    assert sender.state is State.CONNECTING
    pair = Pair().connect()
    pair.cut()
    with pytest.raises(RemoteProtocolError):
        pair.sender.receive(goodbye, pair.now)
    pair.sender.connection_lost(pair.now)
    pair.connect()
    assert pair.sender.state is pair.receiver.state is State.OPEN


def test_strangers_do_not_prolong_the_wait_for_the_viewer() -> None:
    pair = Pair().connect()
    pair.cut()
    began = pair.now
    while pair.sender.state is not State.CLOSED:
        pair.now += 20
        with contextlib.suppress(RemoteProtocolError):
            pair.sender.receive(b"x", pair.now)
        pair.sender.poll(pair.now)
        pair.sender.connection_lost(pair.now)
        pair.sender.poll(pair.now)
        assert pair.now - began <= 80
    assert pair.now - began >= 60


def test_what_arrives_after_the_transport_has_gone_is_no_fault() -> None:
    pair = Pair().connect()
    pair.cut()
    pair.receiver.receive(m.encode(m.Ping(1)), pair.now)
    assert pair.receiver.state is State.LOST
    pair.connect()
    assert pair.receiver.state is State.OPEN


def test_who_comes_back_to_a_closed_session_is_told() -> None:
    pair = Pair().connect()
    pair.cut()
    pair.now += 61
    pair.sender.poll(pair.now)
    assert pair.sender.state is State.CLOSED
    pair.sender.receive(b"nonsense", pair.now)
    assert not isinstance(pair.sender.poll(pair.now), list)
    pair.receiver.connect(pair.now)
    pair.pump()
    (closed,) = pair.seen(e.Closed)
    assert closed.reason is ByeReason.UNKNOWN_SESSION  # type: ignore[attr-defined]


def test_waiting_for_a_first_viewer_is_no_silence() -> None:
    pair = Pair()
    for _ in range(100):
        pair.now += 10
        pair.sender.poll(pair.now)
    pair.drain()
    assert not pair.seen(e.ConnectionTimedOut, "sender")
    pair.connect()
    assert pair.receiver.state is State.OPEN


# -- greetings -----------------------------------------------------------------------------------------------------


def test_a_welcome_that_is_lost_can_be_had_again_with_the_key() -> None:
    key, digits = PairingKey.create(0.0)
    sender, receiver = Sender(ConsentGate(), pairing=key), Receiver()
    receiver.connect(0.0, key=digits)
    deliver(receiver.poll(0.0), sender, 0.0)
    assert sender.state is State.OPEN
    sender.connection_lost(0.1)
    receiver.connection_lost(0.1)

    thief = Receiver()
    thief.connect(0.2, key=f"{(int(digits) + 1) % 10**7:07}")
    with pytest.raises(RemoteProtocolError):
        deliver(thief.poll(0.2), sender, 0.2)
    sender.connection_lost(0.2)

    receiver.connect(0.3, key=digits)
    for _ in range(3):
        deliver(receiver.poll(0.3), sender, 0.3)
        deliver(sender.poll(0.3), receiver, 0.3)
    assert sender.state is receiver.state is State.OPEN
    # From the viewer's first message on, the key is worth nothing any more.
    sender.connection_lost(0.4)
    thief = Receiver()
    thief.connect(0.5, key=digits)
    with pytest.raises(RemoteProtocolError):
        deliver(thief.poll(0.5), sender, 0.5)


def test_a_hello_that_is_refused_for_its_limits_does_not_spend_the_key() -> None:
    key, digits = PairingKey.create(0.0)
    sender = Sender(ConsentGate(), pairing=key)
    receiver = Receiver(ReceiverConfig(limits=Limits(max_packet_bytes=100)))
    receiver.connect(0.0, key=digits)
    with pytest.raises(RemoteProtocolError):
        deliver(receiver.poll(0.0), sender, 0.0)
    assert key.attempts_left > 0
    assert Limits() == sender.limits


def test_a_viewer_that_holds_less_than_the_screen_is_refused() -> None:
    pair = Pair(receiver=Receiver(ReceiverConfig(limits=Limits(max_width=64, max_height=64))))
    with pytest.raises(RemoteProtocolError) as caught:
        pair.connect()
    assert caught.value.limit == (64, 64)
    deliver(pair.sender.poll(pair.now), pair.receiver, pair.now)
    pair.drain()
    (closed,) = pair.seen(e.Closed)
    assert closed.reason is ByeReason.LIMITS  # type: ignore[attr-defined]


def test_a_screen_that_outgrows_the_viewer_ends_the_session_and_is_no_mistake_of_the_customers() -> None:
    pair = Pair(receiver=Receiver(ReceiverConfig(limits=Limits(max_width=400))), displays=[Display(0, 0, 0, 320, 240)])
    pair.connect().pump(0.1)
    pair.sender.set_displays([Display(0, 0, 0, 401, 240)], pair.now)
    assert not pair.sender.send_frame(0, np.zeros((240, 401, 4), np.uint8), None, pair.now)
    pair.pump()
    assert pair.sender.state is pair.receiver.state is State.CLOSED
    (closed,) = pair.seen(e.Closed)
    assert closed.reason is ByeReason.LIMITS  # type: ignore[attr-defined]


def test_who_comes_back_with_smaller_limits_gets_what_fits_them() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    pair.cut()
    smaller = Receiver(ReceiverConfig(limits=Limits(max_window_log=10, max_cache_slots=0)))
    smaller._token = pair.receiver._token
    pair.receiver = smaller
    pair.connect()
    pair.pump(1.0)
    pair.assert_exact()
    assert not pair.seen(e.PictureLost)


def test_a_pause_that_ended_while_the_line_was_down_is_over() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    pair.sender.pause(pair.now)
    pair.pump()
    pair.cut()
    pair.sender.resume(pair.now)
    pair.connect()
    pair.draw(1)
    pair.pump(0.2)
    assert not pair.receiver.paused
    assert [event.by_peer for event in pair.seen(e.PauseChanged)] == [True, False]  # type: ignore[attr-defined]
    pair.assert_exact()


# -- this side's mistakes --------------------------------------------------------------------------------------------


def test_only_packets_that_have_come_are_acknowledged() -> None:
    pair = Pair(receiver=Receiver(ReceiverConfig(auto_acknowledge=False))).connect()
    pair.pump(0.1)
    (frame,) = pair.seen(e.FrameReceived)
    epoch = frame.update.epoch  # type: ignore[attr-defined]
    for place in ((epoch, 1), (epoch + 1, 0), (-1, 0), (epoch, 2**40)):
        with pytest.raises(LocalProtocolError):
            pair.receiver.acknowledge(0, *place, pair.now)
    # One that has come may be acknowledged late: after a damaged one, and after the consent has gone and come back.
    pair.receiver.acknowledge(0, epoch, 0, pair.now)
    pair.on_down = lambda data: (data[:-1] + b"?",) if data[0] == MARK else (data,)
    pair.pump(0.1)
    assert pair.seen(e.PictureLost)
    pair.on_down = lambda data: (data,)
    pair.receiver.acknowledge(0, epoch, 0, pair.now)
    pair.gate.withdraw(Scope.VIEW, pair.now)
    pair.gate.grant(Scope.VIEW, pair.now)
    pair.pump()
    pair.receiver.acknowledge(0, epoch, 0, pair.now)
    pair.pump(0.6)
    assert pair.sender.state is State.OPEN
    assert pair.seen(e.FrameReceived)[-1].update.epoch > epoch  # type: ignore[attr-defined]


@pytest.mark.parametrize("now", [float("nan"), float("inf"), float("-inf"), "1", None])
def test_time_is_a_finite_number(now: float) -> None:
    with pytest.raises(LocalProtocolError):
        Sender(ConsentGate()).poll(now)
    pair = Pair().connect()
    with pytest.raises(LocalProtocolError):
        pair.sender.poll(now)
    pair.pump(0.1)
    pair.assert_exact()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x" * 65},
        {"name": "caf\udce9"},
        {"capabilities": "files"},
        {"capabilities": ("x" * 65,)},
        {"capabilities": ("x",) * 17},
    ],
)
def test_names_that_cannot_be_sent_are_refused_at_once(wrong: dict[str, object]) -> None:
    for kind in (SenderConfig, ReceiverConfig):
        with pytest.raises(LocalProtocolError):
            kind(**wrong)  # type: ignore[arg-type]


def test_the_last_acknowledgement_brings_the_next_look_at_an_empty_line_forward() -> None:
    """While something is on its way, no ping to measure the line alone is due; then one is, before the keepalive."""
    pair = Pair(Sender(ConsentGate(), SenderConfig(max_fps=1000, keepalive=60.0))).connect()
    pair.pump(0.1)
    held: list[bytes] = []

    def hold(message: bytes) -> tuple[bytes, ...]:
        held.append(message)
        return ()

    pair.on_up = hold
    pair.draw(1)
    pair.sender.send_cursor_position(0, 1, 1, pair.now)  # so that all is looked at while the packet is on its way
    pair.pump()
    assert pair.sender.poll(pair.now) > pair.now + 50.0  # type: ignore[operator]
    for message in held:
        pair.sender.receive(message, pair.now)
    assert pair.sender.poll(pair.now) < pair.now + 11.0  # type: ignore[operator]
