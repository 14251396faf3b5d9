"""A hostile peer: lies, floods, nonsense. It gets a typed error, and neither memory nor time."""

import contextlib
import random
import struct

import apart
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screens import Pair

from fastframe import Limits, LocalProtocolError, RemoteProtocolError
from fastframe.stream import Receiver, ReceiverConfig, Scope, State
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.connection import MAX_WAITING
from fastframe.stream.consent import MAX_CHANGES
from fastframe.stream.wire import MARK, PART


def part(offset: int, size: int, payload: bytes, display: int = 0) -> bytes:
    return struct.pack("<BBBII", MARK, PART, display, offset, size) + payload


# -- towards the sender ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [(0, 2, 0), (0, 1, 10**6), (7, 1, 0), (0, 2**32 - 1, 2**32 - 1)])
def test_acknowledging_what_was_never_sent(place: tuple[int, int, int]) -> None:
    pair = Pair().connect()
    pair.pump(0.2)
    with pytest.raises(RemoteProtocolError):
        pair.sender.receive(m.encode(m.Ack(*place)), pair.now)
    assert pair.sender.state is State.FAILED


def test_acknowledging_at_once_opens_no_flood() -> None:
    """A viewer that acknowledges everything before it can have it gets a window's worth at a time, and no more."""
    pair = Pair().connect()
    pair.pump(0.2)
    for seed in range(300):
        pair.draw(seed)
        pair.pump(0.001)
        statistics = pair.sender.statistics(pair.now)
        assert statistics.window <= 4 * 2**20
        assert statistics.in_flight <= statistics.window


def test_acknowledging_nothing_stops_the_frames() -> None:
    pair = Pair().connect()
    pair.pump(0.2)
    pair.on_up = lambda message: () if m.decode(message).__class__ is m.Ack else (message,)
    before = len(pair.down)
    for seed in range(2000):
        pair.draw(seed)
        pair.pump(0.01)
    frames = [message for message in pair.down[before:] if message[0] == MARK]
    assert len(frames) < 30
    assert sum(map(len, frames)) < 100_000
    assert pair.sender.statistics(pair.now).frames_held_back > 1900


def test_a_flood_of_requests_costs_two_keyframes_a_second() -> None:
    pair = Pair().connect()
    pair.pump(0.2)
    before = pair.sender.statistics(pair.now).keyframes
    request, resync = m.encode(m.KeyframeRequest(0)), m.encode(m.KeyframeRequest(0, 1, 0))
    for number in range(5000):
        pair.sender.receive(request if number % 2 else resync, pair.now)
        if number % 10 == 0:
            pair.pump(0.01)
    assert pair.sender.statistics(pair.now).keyframes - before <= 2 * 5 + 2
    pair.pump(1.0)
    pair.assert_exact()


@pytest.mark.parametrize("count", [0, 1, 2**32 - 1])
def test_asking_for_the_same_packets_again_and_again_gives_them_once_a_round_trip(count: int) -> None:
    pair = Pair().connect()
    pair.pump(0.2)
    pair.on_up = lambda message: ()
    pair.draw(1)
    pair.pump()
    epoch = pair.seen(e.FrameReceived)[-1].update.epoch
    sequence = pair.seen(e.FrameReceived)[-1].update.sequence
    before = len(pair.down)
    for _ in range(1000):
        pair.sender.receive(m.encode(m.KeyframeRequest(0, epoch, sequence, count)), pair.now)
    pair.pump()
    assert len(pair.down) - before <= 1


def test_consents_asked_for_without_end() -> None:
    pair = Pair(granted=()).connect()
    request = m.encode(m.ConsentRequest(Scope.VIEW))
    while pair.gate.revision < MAX_CHANGES:
        pair.sender.receive(request, pair.now)
        pair.gate.refuse(Scope.VIEW, pair.now)
        pair.pump()
    with pytest.raises(RemoteProtocolError):
        pair.sender.receive(request, pair.now)


def test_a_caller_that_asks_for_no_events_is_told_and_not_filled() -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.CHAT]).connect()
    message = m.encode(m.Chat("x" * 2000))
    for _ in range(MAX_WAITING):
        pair.sender.receive(message, pair.now)
    with pytest.raises(LocalProtocolError) as caught:
        _repeat(pair, message)
    assert caught.value.limit == MAX_WAITING


def test_a_peer_that_asks_and_does_not_read_is_at_fault() -> None:
    pair = Pair().connect()
    for number in range(MAX_WAITING // 2):
        pair.sender.receive(m.encode(m.Ping(number)), pair.now)
    with pytest.raises(RemoteProtocolError):
        _repeat(pair, m.encode(m.Ping(1)))
    assert pair.sender.state is State.FAILED


def _repeat(pair: Pair, message: bytes) -> None:
    for _ in range(3):
        pair.sender.receive(message, pair.now)


# -- towards the viewer ----------------------------------------------------------------------------------------


def test_parts_without_end_take_no_more_than_the_limit() -> None:
    receiver = Receiver(ReceiverConfig(limits=Limits(max_packet_bytes=100_000)))
    pair = Pair(receiver=receiver).connect()
    with pytest.raises(RemoteProtocolError):
        receiver.receive(part(0, 100_001, bytes(1000)), pair.now)

    pair = Pair(receiver=Receiver(ReceiverConfig(limits=Limits(max_packet_bytes=100_000)))).connect()
    for number in range(1000):
        pair.receiver.receive(part(number % 90 * 1000, 100_000, bytes(1000)), pair.now)
        pair.receiver.receive(part(0, 100_000, bytes(1000)), pair.now)
    held = sum(screen.assembler.held for screen in pair.receiver._screens.values())
    assert held <= 100_000


def test_a_message_that_is_too_long_or_empty() -> None:
    for data in (b"", bytes(300_000), part(0, 10**6, bytes(300_000))):
        pair = Pair().connect()
        with pytest.raises(RemoteProtocolError) as caught:
            pair.receiver.receive(data, pair.now)
        assert caught.value.limit == 256 * 1024


def test_what_is_no_bytes_is_this_sides_mistake() -> None:
    pair = Pair().connect()
    with pytest.raises(LocalProtocolError):
        pair.receiver.receive("text", pair.now)  # type: ignore[arg-type]
    assert pair.receiver.state is State.OPEN


def test_packets_that_are_none_are_asked_for_once_and_not_shown() -> None:
    pair = Pair().connect()
    pair.pump(0.2)
    before = len(pair.seen(e.FrameReceived))
    for seed in range(1000):
        junk = bytes([MARK, 0, 0, 0xF1]) + random.Random(seed).randbytes(40)
        pair.receiver.receive(junk, pair.now)
    answer = pair.receiver.poll(pair.now)
    assert isinstance(answer, list)
    assert len(answer) <= 2
    for message in answer:
        pair.sender.receive(bytes(message), pair.now)
    pair.pump(2.0)
    assert len(pair.seen(e.FrameReceived)) - before < 5
    pair.assert_exact()


def test_lying_sizes_and_places_of_parts() -> None:
    pair = Pair().connect()
    pair.pump(0.2)
    for bad in (part(5, 4, b"x"), part(2**32 - 1, 2**32 - 1, b"xy"), bytes([MARK, 2, 0, 1]), bytes([MARK, 0, 0])):
        pair = Pair().connect()
        with pytest.raises(RemoteProtocolError):
            pair.receiver.receive(bad, pair.now)
        assert pair.receiver.state is State.FAILED


@settings(max_examples=150)
@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans())
def test_garbage_gives_a_typed_error_or_nothing(messages: list[bytes], to_sender: bool) -> None:
    pair = Pair().connect()
    endpoint = pair.sender if to_sender else pair.receiver
    for message in messages:
        with contextlib.suppress(RemoteProtocolError):
            endpoint.receive(message, pair.now)
    if endpoint.state is State.FAILED:
        with pytest.raises(RemoteProtocolError):
            endpoint.receive(b"", pair.now)
        (bye,) = endpoint.poll(pair.now)  # type: ignore[misc]
        assert isinstance(m.decode(bytes(bye)), m.Bye)
    else:
        assert endpoint.state in (State.OPEN, State.CLOSED)


def test_messages_that_announce_much_are_refused() -> None:
    for data in (
        b"\x92\xa4chat" + b"\xdb\xff\xff\xff\xff" + b"x" * 200_000,
        b"\x95\xa5hello" + b"\xdd\x00\x01\x00\x00" + b"\x01" * 200_000,
        b"\x91" * 250_000,
        b"\x82" * 250_000,
        m.encode(m.CursorShape(1, 256, 256, 0, 0, bytes(100_000))),
    ):
        pair = Pair().connect()
        with pytest.raises(RemoteProtocolError):
            pair.receiver.receive(data, pair.now)


# -- memory ----------------------------------------------------------------------------------------------------

PRELUDE = """
sys.path.insert(0, sys.argv[1] + "/stream")
from screens import Pair
from fastframe.stream import *
from fastframe.stream import messages as m, events as e
limits = ff.Limits(max_window_log=12, max_cache_slots=4)
"""


@apart.measures_memory
def test_100_000_messages_do_not_grow() -> None:
    samples = apart.run(
        PRELUDE
        + """
pair = Pair(Sender(ConsentGate(), SenderConfig(effort="fast", limits=limits, max_fps=1e3)),
            Receiver(ReceiverConfig(limits=limits)), granted=tuple(Scope),
            displays=[Display(0, 0, 0, 96, 64)]).connect()
samples, count = [], 0
while count < 100_000:
    pair.draw(count % 50)
    pair.sender.send_cursor_position(0, count % 90, 9, pair.now)
    if count % 7 == 0:
        pair.receiver.send_pointer(0, count % 90, 3, pair.now)
        pair.sender.send_chat("hello", pair.now)
    if count % 5000 < 6:
        pair.receiver.request_keyframe(0, pair.now)
    pair.pump(0.01)
    count += len(pair.down) + len(pair.up)
    pair.down.clear(); pair.up.clear(); pair.sender_events.clear(); pair.receiver_events.clear()
    if count // 5000 > len(samples):
        samples.append(memory())
pair.pump(0.7)
pair.assert_exact()
report(samples)
"""
    )
    assert len(samples) >= 19
    # By then zstd has filled the windows that it keeps.
    assert max(samples[10:]) - samples[9] < 2**20


@apart.measures_memory
def test_connections_that_come_fail_and_go_do_not_grow() -> None:
    samples = apart.run(
        PRELUDE
        + """
samples = []
pair = Pair(Sender(ConsentGate(), SenderConfig(effort="fast", limits=limits, max_fps=1e3)),
            Receiver(ReceiverConfig(limits=limits)), displays=[Display(0, 0, 0, 96, 64)]).connect()
for round in range(1500):
    pair.draw(round % 50)
    if round % 3 == 0:
        try:
            pair.sender.receive(b"\\x91\\xa1x" * (round % 5 + 1), pair.now)
            raise SystemExit("accepted")
        except ff.RemoteProtocolError:
            pair.sender.poll(pair.now)
    elif round % 3 == 1:
        try:
            pair.receiver.receive(b"\\xc1\\x01\\x00" + bytes(8) + b"x", pair.now)
            raise SystemExit("accepted")
        except ff.RemoteProtocolError:
            pair.receiver.poll(pair.now)
    pair.cut()
    pair.now += 0.6
    pair.connect()
    pair.pump(0.02)
    pair.down.clear(); pair.up.clear(); pair.sender_events.clear(); pair.receiver_events.clear()
    if round % 75 == 74:
        samples.append(memory())
pair.pump(0.7)
pair.assert_exact()
report(samples)
"""
    )
    assert max(samples[10:]) - samples[9] < 2**20
