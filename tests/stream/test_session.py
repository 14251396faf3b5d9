"""A sender and a receiver talk: the greeting, pauses and ends."""

import gc
import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from screens import HEIGHT, WIDTH, Pair

from fastframe import Decoder, Limits, LocalProtocolError, RemoteProtocolError
from fastframe.stream import (
    ByeReason,
    ConsentGate,
    Display,
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

DISPLAY = Display(0, 0, 0, WIDTH, HEIGHT, "DP-1", True)


def test_a_session_shows_the_screen() -> None:
    pair = Pair(
        Sender(ConsentGate(), SenderConfig(name="PC-7", capabilities=("files",))),
        Receiver(ReceiverConfig(name="Eva", capabilities=("input",))),
        displays=[DISPLAY],
    ).connect()
    assert pair.sender.state is pair.receiver.state is State.OPEN
    assert pair.seen(e.Connected) == [e.Connected("PC-7", ("files",), False)]
    assert pair.seen(e.Connected, "sender") == [e.Connected("Eva", ("input",), False)]
    assert pair.seen(e.LayoutChanged) == [e.LayoutChanged((DISPLAY,), added=(0,))]
    # The first packet is short, since nobody knows the line yet.
    assert [event.update.complete for event in pair.seen(e.FrameReceived)] == [False]
    pair.pump(0.1)
    pair.assert_exact()
    for seed in range(20):
        pair.draw(seed)
        pair.pump(0.02)
        pair.assert_exact()
    assert [event.update.keyframe for event in pair.seen(e.FrameReceived)].count(True) == 1


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, iter])
def test_scopes_may_come_in_any_kind_of_collection(kind: Callable[[list[Scope]], Iterable[Scope]]) -> None:
    pair = Pair(granted=()).connect(scopes=kind([Scope.VIEW]))
    assert pair.seen(e.ConsentRequested, "sender") == [e.ConsentRequested(Scope.VIEW, "")]


@pytest.mark.parametrize("scopes", [None, 1])
def test_scopes_that_are_no_collection_are_refused(scopes: Any) -> None:
    receiver = Receiver()
    with pytest.raises(LocalProtocolError, match=r"^scopes must be several of the type Scope"):
        receiver.connect(0.0, scopes=scopes)
    receiver.connect(0.0)


def test_ends_that_are_gone_can_be_told_from_those_that_are_not() -> None:
    pair = Pair().connect()
    watched = weakref.WeakSet([pair.sender, pair.receiver, pair.gate])
    del pair
    gc.collect()
    assert not watched


def test_nothing_is_sent_while_nothing_changes() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    count = len(pair.down)
    for _ in range(50):
        assert not pair.sender.send_frame(0, pair.frames[0], [], pair.now)
        pair.pump(0.02)
    assert len(pair.down) == count


def test_frames_a_second_are_as_many_as_wanted_with_one_half_an_interval_early() -> None:
    pair = Pair(Sender(ConsentGate(), SenderConfig(max_fps=10))).connect()
    pair.pump(2.0)
    pair.assert_exact()
    sent_at = []
    began = pair.now
    # Something changes every 10 ms for a second.
    for seed in range(100):
        before = len(pair.down)
        pair.draw(seed)
        pair.pump(0.01)
        if len(pair.down) > before:
            sent_at.append(pair.now - began)
    # At once, soon after, in case the first one showed a drawing half done, and then on a steady grid.
    assert sent_at == pytest.approx([0.01, *(0.06 + 0.1 * index for index in range(10))], abs=0.011)


def test_the_same_packets_come_out_for_a_recording() -> None:
    pair = Pair().connect()
    for seed in range(5):
        pair.draw(seed)
        pair.pump(0.02)
    decoder = Decoder()
    for event in pair.seen(e.FrameReceived):
        decoder.decode(event.packet)
    np.testing.assert_array_equal(decoder.frame, pair.receiver.frame(0))


# -- greeting ----------------------------------------------------------------------------------------------


def hello(**changes: object) -> bytes:
    fields = {"versions": (1,), "packet_versions": (1,), "limits": m.WireLimits.of(Limits()), "max_message": 20_000}
    return m.encode(m.Hello(**{**fields, **changes}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"versions": (2, 3)}, ByeReason.VERSION),
        ({"packet_versions": (9,)}, ByeReason.VERSION),
        ({"limits": m.WireLimits.of(Limits(max_packet_bytes=1000))}, ByeReason.LIMITS),
    ],
)
def test_a_viewer_that_cannot_be_served_is_told_why(changes: dict[str, object], reason: ByeReason) -> None:
    sender = Sender(ConsentGate())
    with pytest.raises(RemoteProtocolError):
        sender.receive(hello(**changes), 0.0)
    messages = sender.poll(0.0)
    assert isinstance(messages, list)
    (bye,) = [m.decode(bytes(message)) for message in messages]
    assert isinstance(bye, m.Bye)
    assert bye.reason is reason
    assert sender.state is State.FAILED
    # Whoever comes next is greeted.
    sender.connection_lost(1.0)
    sender.receive(hello(versions=(1, 2, 3)), 1.0)
    assert sender.state is State.OPEN


def test_the_viewers_limits_are_kept_to() -> None:
    receiver = Receiver(ReceiverConfig(limits=Limits(max_cache_slots=3, max_window_log=15), max_fragment=13_000))
    pair = Pair(receiver=receiver)
    pair.frames[0][:] = np.random.default_rng(0).integers(0, 256, pair.frames[0].shape, np.uint8)
    pair.connect()
    pair.pump(1.0)
    pair.assert_exact()
    assert max(map(len, pair.down)) <= 13_000
    assert len([message for message in pair.down if len(message) == 13_000]) > 5


def test_only_who_knows_the_key_gets_in_and_only_once() -> None:
    key, digits = PairingKey.create(0.0)
    wrong = f"{(int(digits) + 1) % 10**7:07}"
    gate = ConsentGate()
    sender = Sender(gate, pairing=key)
    stranger = Receiver()
    stranger.connect(0.0, key=wrong)
    (message,) = stranger.poll(0.0)  # type: ignore[misc]
    with pytest.raises(RemoteProtocolError):
        sender.receive(bytes(message), 0.0)
    (bye,) = sender.poll(0.0)  # type: ignore[misc]
    stranger.receive(bytes(bye), 0.0)
    assert stranger.state is State.CLOSED
    assert stranger.next_event() == e.Closed(ByeReason.PAIRING, "the pairing key is wrong", by_peer=True)
    sender.connection_lost(1.0)
    pair = Pair(sender).connect(key=digits)
    assert pair.receiver.state is State.OPEN
    pair.cut()
    with pytest.raises(RemoteProtocolError):
        sender.receive(hello(key=digits), 2.0)
    assert sender.state is State.FAILED


# -- pauses and ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_no_frame_during_a_pause_and_the_picture_afterwards(who: str) -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    getattr(pair, who).pause(pair.now)
    pair.pump()
    count = len(pair.seen(e.FrameReceived))
    for seed in range(5):
        pair.draw(seed)
        pair.pump(0.1)
    assert len(pair.seen(e.FrameReceived)) == count
    assert pair.sender.paused
    assert pair.receiver.paused
    getattr(pair, who).resume(pair.now)
    pair.pump(0.1)
    pair.assert_exact()
    assert not [event for event in pair.seen(e.FrameReceived)[count:] if event.update.keyframe]


def test_what_was_queued_when_the_pause_began_is_not_sent() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    pair.draw(3)
    pair.sender.pause(pair.now)
    messages = pair.sender.poll(pair.now)
    assert isinstance(messages, list)
    assert [m.decode(bytes(message)) for message in messages] == [m.Pause()]
    pair.receiver.receive(bytes(messages[0]), pair.now)
    pair.sender.resume(pair.now)
    pair.pump(0.6)
    pair.assert_exact()


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_either_side_ends_the_session(who: str) -> None:
    pair = Pair().connect()
    endpoint, other = getattr(pair, who), "receiver" if who == "sender" else "sender"
    endpoint.close(pair.now, ByeReason.STOPPED, "enough")
    pair.pump()
    assert pair.sender.state is pair.receiver.state is State.CLOSED
    assert pair.seen(e.Closed, who) == [e.Closed(ByeReason.STOPPED, "enough", by_peer=False)]
    assert pair.seen(e.Closed, other) == [e.Closed(ByeReason.STOPPED, "enough", by_peer=True)]
    assert pair.sender.poll(pair.now) == pair.receiver.poll(pair.now) == math.inf
    with pytest.raises(LocalProtocolError):
        pair.receiver.connect(pair.now)
    with pytest.raises(LocalProtocolError):
        pair.sender.send_frame(0, pair.frames[0], None, pair.now)
    pair.cut()
    assert pair.sender.state is State.CLOSED


def test_silence_is_noticed_and_a_quiet_session_stays() -> None:
    pair = Pair().connect()
    for _ in range(20):
        pair.now += 10.0
        pair.pump()
    assert pair.sender.state is pair.receiver.state is State.OPEN
    pair.on_up = lambda message: ()
    for _ in range(400):
        pair.now += 0.1
        pair.pump()
    (event,) = pair.seen(e.ConnectionTimedOut, "sender")
    assert event.silence == pytest.approx(30.0, abs=0.5)
    assert pair.sender.state is State.LOST


def test_timers_that_are_due_bring_something_about() -> None:
    """Calling again at the time that poll names never gives the same time again."""
    pair = Pair().connect()
    pair.on_up = lambda message: ()
    for _ in range(200):
        times = [answer for answer in (pair.sender.poll(pair.now), pair.receiver.poll(pair.now)) if answer != []]
        due = min(time for time in times if isinstance(time, float)) if times else pair.now
        pair.drain()
        if due == math.inf:
            break
        assert due > pair.now
        pair.now = due
        pair.pump()
    assert pair.sender.state in (State.LOST, State.CLOSED)
