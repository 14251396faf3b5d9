"""Who comes back over another connection, and what was lost meanwhile."""

import numpy as np
import pytest
from screens import Pair

from fastframe import RemoteProtocolError
from fastframe.stream import (
    ByeReason,
    ConsentGate,
    Display,
    Receiver,
    Sender,
    SenderConfig,
    State,
)
from fastframe.stream import events as e
from fastframe.stream import messages as m


def keyframes(pair: Pair) -> int:
    return sum(event.update.keyframe for event in pair.seen(e.FrameReceived))


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_who_comes_back_goes_on_where_it_was(lost: int) -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    pair.on_down = lambda message: ()
    for seed in range(lost):
        pair.draw(seed)
        pair.pump()
    pair.cut()
    assert pair.sender.state is pair.receiver.state is State.LOST
    pair.now += 5.0
    pair.draw(99)
    pair.on_down = lambda message: (message,)
    pair.connect()
    pair.pump(0.1)
    assert pair.seen(e.Connected)[-1].resumed
    pair.assert_exact()
    assert keyframes(pair) == 1


def test_lost_acknowledgements_do_not_matter_to_who_comes_back() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    pair.on_up = lambda message: ()
    for seed in range(3):
        pair.draw(seed)
        pair.pump()
    pair.cut()
    pair.on_up = lambda message: (message,)
    pair.connect()
    pair.pump(0.1)
    pair.assert_exact()
    assert keyframes(pair) == 1


def test_who_comes_back_with_nothing_gets_a_keyframe() -> None:
    pair = Pair()
    pair.on_down = lambda message: () if message[0] == 0xC1 else (message,)
    pair.connect()
    pair.cut()
    pair.on_down = lambda message: (message,)
    pair.now += 1.0
    pair.connect()
    pair.pump(0.1)
    pair.assert_exact()


def test_a_session_does_not_wait_for_ever_and_not_for_others() -> None:
    pair = Pair().connect()
    pair.cut()
    stranger = Receiver()
    stranger.connect(pair.now)
    (message,) = stranger.poll(pair.now)  # type: ignore[misc]
    with pytest.raises(RemoteProtocolError):
        pair.sender.receive(bytes(message), pair.now)
    pair.sender.connection_lost(pair.now)
    due = pair.sender.poll(pair.now)
    assert due == pair.now + 60.0
    pair.sender.poll(due)
    pair.drain()
    assert pair.sender.state is State.CLOSED
    assert pair.seen(e.Closed, "sender") == [e.Closed(ByeReason.TIMEOUT, "the viewer did not come back", False)]


def test_a_session_whose_viewer_falls_silent_ends_by_itself() -> None:
    pair = Pair().connect()
    for _ in range(20):  # nobody tells of a lost connection, and `poll` alone says when to call it again
        due = pair.sender.poll(pair.now)
        pair.drain()
        if pair.sender.state is State.CLOSED:
            break
        if not isinstance(due, list):
            pair.now = due
    assert pair.seen(e.Closed, "sender") == [e.Closed(ByeReason.TIMEOUT, "the viewer did not come back", False)]


def test_a_message_that_comes_twice_does_no_harm() -> None:
    pair = Pair()
    pair.on_down = lambda message: (message, message) if message[0] == 0xC1 else (message,)
    pair.connect()
    for seed in range(5):
        pair.draw(seed)
        pair.pump(0.1)
    pair.assert_exact()
    assert not pair.seen(e.PictureLost)
    assert keyframes(pair) == 1


def test_who_lost_what_it_had_acknowledged_gets_a_keyframe() -> None:
    pair = Pair().connect()
    for seed in range(5):
        pair.draw(seed)
        pair.pump(0.2)
    epoch = pair.seen(e.FrameReceived)[-1].update.epoch
    pair.sender.receive(m.encode(m.KeyframeRequest(0, epoch, 1)), pair.now)
    pair.pump(0.6)
    pair.assert_exact()
    assert keyframes(pair) == 2


def test_a_new_size_gets_through_though_all_of_both_is_lost_at_first() -> None:
    pair = Pair(Sender(ConsentGate(), SenderConfig(reliable=False, max_fps=1000))).connect()
    pair.pump(0.2)
    pair.on_down = lambda message: () if message[0] == 0xC1 else (message,)
    pair.draw(1)
    pair.pump(0.05)
    pair.frames[0] = np.full((90, 70, 4), 50, np.uint8)
    pair.sender.set_displays([Display(0, 0, 0, 70, 90)], pair.now)
    pair.sender.send_frame(0, pair.frames[0], None, pair.now)
    pair.pump(0.05)
    pair.on_down = lambda message: (message,)
    pair.pump(3.0)
    pair.assert_exact()
