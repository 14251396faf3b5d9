"""Packets that are lost, overtaken or damaged: the others wait for them, and only what is missing comes again."""

import random

import numpy as np
import pictures
import pytest
from screens import Film, Pair
from test_flow import MBIT, joined

from fastframe.codec.packet import Header, pack, peek_header
from fastframe.stream import Scope
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.receiver import MAX_EARLY_BYTES, MAX_EARLY_PACKETS
from fastframe.stream.simulation import LineProfile
from fastframe.stream.wire import MARK, cut


def sequence(message: bytes) -> int | None:
    """The packet that a message carries as a whole."""
    return peek_header(message[3:]).sequence if message[0] == MARK else None


def packets(pair: Pair, count: int) -> list[bytes]:
    """The next packets of a session, which the viewer does not get."""
    kept: list[bytes] = []

    def keep(message: bytes) -> tuple[bytes, ...]:
        if message[0] != MARK:
            return (message,)
        kept.append(message)
        return ()

    pair.on_down = keep
    for seed in range(count):
        pair.draw(seed)
        pair.pump()
        pair.now += 0.01
    pair.on_down = lambda message: (message,)
    assert len(kept) == count
    return kept


@pytest.mark.parametrize("loss", [(2,), (1, 3), (1, 2)])
def test_only_what_was_lost_comes_again(loss: tuple[int, ...]) -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    first = max(sequence(message) or 0 for message in pair.down) + 1
    lost = {first + each for each in loss}
    sent = len(pair.down)

    def lose_once(message: bytes) -> tuple[bytes, ...]:
        if (number := sequence(message)) in lost:
            lost.discard(number)
            return ()
        return (message,)

    pair.on_down = lose_once
    for seed in range(10):
        pair.draw(seed)
        pair.pump(0.01)
    pair.pump(0.5)
    pair.assert_exact()
    came = [sequence(message) for message in pair.down[sent:] if message[0] == MARK]
    assert sorted(set(came)) == list(range(first, max(came) + 1))  # type: ignore[type-var,operator]
    assert len(came) == len(set(came)) + len(loss)
    assert pair.sender.statistics(pair.now).keyframes == 1
    # Out they come in their order all the same.
    shown = [event.update.sequence for event in pair.seen(e.FrameReceived)]
    assert shown == list(range(len(shown)))


def test_what_was_only_overtaken_is_not_asked_for() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    one, two, three = packets(pair, 3)
    for message in (two, one, three):
        pair.receiver.receive(message, pair.now)
    pair.pump(0.5)
    pair.assert_exact()
    assert not pair.seen(e.PictureLost)
    assert not [data for data in pair.up if isinstance(m.decode(data), m.KeyframeRequest)]


def test_what_waits_is_bounded() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    place = pair.seen(e.FrameReceived)[-1].update
    noise = random.Random(0)
    for number in range(3 * MAX_EARLY_PACKETS):
        header = Header(place.epoch, place.sequence + 2 + number)
        packet = pack(header, {0: (50_000, 40_000)}, [noise.randbytes(40_000)])
        for message in cut(0, packet, 10**6):
            pair.receiver.receive(bytes(message), pair.now)
        pair.receiver.poll(pair.now)
    waiting = pair.receiver._screens[0]
    assert 0 < len(waiting.early) <= MAX_EARLY_PACKETS
    assert sum(map(len, waiting.early.values())) == waiting.early_bytes <= MAX_EARLY_BYTES


def test_a_damaged_packet_does_not_wait() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    _, two, _ = packets(pair, 3)
    pair.receiver.receive(two[:-1] + bytes([two[-1] ^ 1]), pair.now)
    pair.pump(2.0)
    pair.assert_exact()
    assert pair.sender.statistics(pair.now).keyframes == 1


def test_what_waits_is_forgotten_with_the_consent() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    _, two, three = packets(pair, 3)
    pair.receiver.receive(two, pair.now)
    pair.receiver.receive(three, pair.now)
    assert pair.receiver._screens[0].early
    pair.gate.withdraw(Scope.VIEW, pair.now)
    pair.pump()
    assert not pair.receiver._screens[0].early


@pytest.mark.parametrize("round_trip", [0.05, 0.3])
def test_one_message_in_a_hundred_lost_costs_little(round_trip: float) -> None:
    line = LineProfile(4 * MBIT, round_trip / 2)
    session = joined(Film(fps=60, end=14.0), line, reliable=False)
    session.run(0.9)
    session.down.profile = session.up.profile = LineProfile(4 * MBIT, round_trip / 2, loss=0.01)
    session.run(14.0)
    arrived = sum(size for time, size in session.measured.packets if time > 4.0)
    assert arrived > 0.8 * 10 * 4 * MBIT
    session.run(30.0)
    np.testing.assert_array_equal(session.receiver.frame(0), pictures.shown(session.sources[0].frame))
    assert session.sender.statistics(30.0).keyframes == 1
