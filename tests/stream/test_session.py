"""A sender and a receiver talk: greeting, layout, pointer, chat, input, files, pauses, ends and new beginnings."""

import math
import zlib

import numpy as np
import pytest
from screens import HEIGHT, WIDTH, Pair

from fastframe import ConsentRequired, Decoder, Limits, LocalProtocolError, RemoteProtocolError
from fastframe.stream import (
    ByeReason,
    ConsentGate,
    ConsentState,
    Display,
    PairingKey,
    Party,
    Receiver,
    ReceiverConfig,
    Scope,
    Sender,
    SenderConfig,
    State,
)
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.states import TRANSITIONS, Action, Fragment, Role, next_state

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


def test_nothing_is_sent_while_nothing_changes() -> None:
    pair = Pair().connect()
    pair.pump(0.1)
    count = len(pair.down)
    for _ in range(50):
        assert not pair.sender.send_frame(0, pair.frames[0], [], pair.now)
        pair.pump(0.02)
    assert len(pair.down) == count


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


# -- displays ----------------------------------------------------------------------------------------------


def test_displays_come_go_and_change_their_size() -> None:
    left, right = Display(0, 0, 0, WIDTH, HEIGHT), Display(5, WIDTH, 0, 200, 130)
    pair = Pair(displays=[left, right]).connect()
    pair.pump(0.1)
    pair.assert_exact()
    assert pair.receiver.displays == (left, right)

    del pair.frames[0]
    pair.sender.set_displays([right], pair.now)
    pair.pump(0.1)
    assert pair.seen(e.LayoutChanged)[-1] == e.LayoutChanged((right,), removed=(0,))
    with pytest.raises(LocalProtocolError):
        pair.receiver.frame(0)

    wide = Display(5, WIDTH, 0, 260, 130)
    pair.frames[5] = np.full((130, 260, 4), 90, np.uint8)
    pair.sender.set_displays([wide], pair.now)
    pair.sender.send_frame(5, pair.frames[5], None, pair.now)
    pair.pump(0.1)
    pair.assert_exact()
    assert pair.seen(e.LayoutChanged)[-1].changed == (5,)

    # The number comes back for another monitor, while acknowledgements of the old one may be on their way.
    pair.frames[0] = np.full((50, 70, 4), 3, np.uint8)
    pair.sender.set_displays([Display(0, 0, 0, 70, 50), wide], pair.now)
    pair.pump(0.1)
    pair.sender.receive(m.encode(m.Ack(0, 1, 0)), pair.now)
    pair.assert_exact()


def test_a_layout_is_checked() -> None:
    sender = Sender(ConsentGate())
    for wrong in ([DISPLAY, DISPLAY], [Display(n, 0, 0, 1, 1) for n in range(17)], [Display(0, 0, 0, 0, 1)]):
        with pytest.raises(LocalProtocolError):
            sender.set_displays(wrong, 0.0)
    with pytest.raises(LocalProtocolError):
        sender.send_frame(0, np.zeros((1, 1, 4), np.uint8), None, 0.0)


@pytest.mark.parametrize(
    ("frame", "damage"),
    [
        (None, None),
        (np.zeros((5, 5), np.uint8), None),
        (np.zeros((5, 5, 4), np.uint16), None),
        (np.zeros((0, 5, 4), np.uint8), None),
        (np.zeros((5, 5, 4), np.uint8), [(1, 2)]),
        (np.zeros((5, 5, 4), np.uint8), [(0, 0, 1.5, 2)]),
        (np.zeros((5, 5, 4), np.uint8), [(0, 0, -1, 2)]),
        (np.zeros((5, 5, 4), np.uint8), 7),
    ],
)
def test_a_wrong_frame_is_refused_and_the_right_one_arrives(frame: object, damage: object) -> None:
    pair = Pair().connect()
    pair.draw(1)
    pair.frames[0][:9] = 7
    with pytest.raises(LocalProtocolError):
        pair.sender.send_frame(0, frame, damage, pair.now)  # type: ignore[arg-type]
    pair.sender.send_frame(0, pair.frames[0], [(0, 0, WIDTH, 9)], pair.now)
    pair.pump(0.2)
    pair.assert_exact()


def test_damage_is_not_forgotten_when_the_encoder_refuses_the_frame() -> None:
    pair = Pair().connect()
    pair.pump(0.2)
    pair.frames[0][:9] = 7
    with pytest.raises(LocalProtocolError):
        pair.sender.send_frame(0, np.zeros((HEIGHT, 2 * WIDTH, 4), np.uint8)[:, ::2], [(0, 0, WIDTH, 9)], pair.now)
    pair.pump(0.2)
    pair.assert_exact()


# -- pointer -----------------------------------------------------------------------------------------------


def test_the_pointer_is_shown() -> None:
    pair = Pair().connect()
    shape = np.random.default_rng(0).integers(0, 256, (32, 24, 4), np.uint8)
    pair.sender.send_cursor_shape(shape, (3, 5), pair.now)
    for x in range(10):
        pair.sender.send_cursor_position(0, x, 50, pair.now)
    pair.pump()
    (seen,) = pair.seen(e.CursorShapeChanged)
    np.testing.assert_array_equal(seen.pixels, shape)
    assert (seen.hot_x, seen.hot_y) == (3, 5)
    # Of many positions only the last one is worth anything.
    assert pair.seen(e.CursorMoved) == [e.CursorMoved(0, 9, 50, True)]
    pair.sender.send_cursor_position(0, 9, 50, pair.now)
    pair.pump()
    assert len(pair.seen(e.CursorMoved)) == 1


def test_who_comes_back_sees_the_pointer_again() -> None:
    pair = Pair().connect()
    pair.sender.send_cursor_shape(np.zeros((8, 8, 4), np.uint8), (0, 0), pair.now)
    pair.sender.send_cursor_position(0, 4, 4, pair.now)
    pair.pump()
    pair.cut()
    pair.connect()
    assert len(pair.seen(e.CursorShapeChanged)) == len(pair.seen(e.CursorMoved)) == 2


@pytest.mark.parametrize(
    ("pixels", "hotspot"),
    [
        (np.zeros((4, 4), np.uint8), (0, 0)),
        (np.zeros((4, 4, 4), np.float32), (0, 0)),
        (np.zeros((4, 257, 4), np.uint8), (0, 0)),
        (np.zeros((4, 4, 4), np.uint8), (4, 0)),
        (np.random.default_rng(0).integers(0, 256, (256, 256, 4), np.uint8), (0, 0)),
    ],
)
def test_a_wrong_pointer_is_refused(pixels: object, hotspot: tuple[int, int]) -> None:
    pair = Pair().connect()
    with pytest.raises(LocalProtocolError):
        pair.sender.send_cursor_shape(pixels, hotspot, pair.now)
    pair.pump()
    assert not pair.seen(e.CursorShapeChanged)


def test_a_pointer_that_unpacks_to_more_than_it_says_is_refused() -> None:
    for pixels in (zlib.compress(bytes(10**7)), zlib.compress(bytes(63)), b"junk", zlib.compress(bytes(64))[:-1]):
        pair = Pair().connect()
        with pytest.raises(RemoteProtocolError):
            pair.receiver.receive(m.encode(m.CursorShape(1, 4, 4, 0, 0, pixels)), pair.now)


# -- chat, input, files -------------------------------------------------------------------------------------


def test_a_pointer_whose_hotspot_is_outside_of_it_is_refused() -> None:
    pair = Pair().connect()
    pixels = zlib.compress(bytes(16))
    pair.receiver.receive(m.encode(m.CursorShape(1, 2, 2, 1, 1, pixels)), pair.now)
    with pytest.raises(RemoteProtocolError) as caught:
        pair.receiver.receive(m.encode(m.CursorShape(2, 2, 2, 2, 0, pixels)), pair.now)
    assert caught.value.limit == (2, 2)


def test_chat_goes_both_ways_with_consent() -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.CHAT]).connect()
    pair.sender.send_chat("hello", pair.now, author="customer")
    pair.receiver.send_chat("good morning", pair.now, author="Eva")
    pair.pump()
    assert pair.seen(e.ChatReceived) == [e.ChatReceived("hello", "customer")]
    assert pair.seen(e.ChatReceived, "sender") == [e.ChatReceived("good morning", "Eva")]


def test_without_consent_nothing_is_done_at_either_end() -> None:
    pair = Pair().connect()
    receiver = pair.receiver
    for attempt in (
        lambda: receiver.send_chat("x", pair.now),
        lambda: receiver.send_pointer(0, 1, 1, pair.now),
        lambda: receiver.send_key(65, True, pair.now),
        lambda: receiver.offer_file("a", 1, pair.now),
        lambda: pair.sender.send_chat("x", pair.now),
    ):
        with pytest.raises(ConsentRequired) as caught:
            attempt()
        assert caught.value.actual is ConsentState.NONE
    # A viewer that tries nevertheless.
    for message in (m.Chat("x"), m.Pointer(0, 1, 1), m.Key(65, True), m.FileOffer(1, "a", 1)):
        pair.sender.receive(m.encode(message), pair.now)
    pair.pump()
    refused = pair.seen(e.Refused, "sender")
    assert [event.scope for event in refused] == [Scope.CHAT, Scope.CONTROL, Scope.CONTROL, Scope.FILES]
    assert not pair.seen(e.PointerInput, "sender")
    assert pair.sender.state is State.OPEN


def test_input_reaches_the_customer_with_consent_and_is_attributed() -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.CONTROL]).connect()
    pair.receiver.send_pointer(0, 10, 20, pair.now, buttons=1, wheel=(0, -1))
    pair.receiver.send_key(0xFF0D, True, pair.now)
    pair.sender.send_input_activity(Party.TECHNICIAN, pair.now, name="Eva")
    pair.pump()
    assert pair.seen(e.PointerInput, "sender") == [e.PointerInput(0, 10, 20, 1, 0, -1)]
    assert pair.seen(e.KeyInput, "sender") == [e.KeyInput(0xFF0D, True)]
    assert pair.seen(e.InputActivityChanged) == [e.InputActivityChanged(Party.TECHNICIAN, "Eva")]
    pair.gate.withdraw(Scope.CONTROL, pair.now)
    pair.receiver.send_key(65, True, pair.now)  # it does not know yet
    pair.pump()
    assert len(pair.seen(e.KeyInput, "sender")) == 1
    with pytest.raises(ConsentRequired):
        pair.receiver.send_key(65, True, pair.now)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_file_arrives_piece_by_piece(direction: str) -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.FILES]).connect()
    ours, theirs = (pair.receiver, pair.sender) if direction == "up" else (pair.sender, pair.receiver)
    at = "receiver" if direction == "up" else "sender"
    other = "sender" if direction == "up" else "receiver"
    data = np.random.default_rng(0).bytes(30_000)
    number = ours.offer_file("log.txt", len(data), pair.now)
    pair.pump()
    assert pair.seen(e.FileOffered, other) == [e.FileOffered(number, "log.txt", len(data))]
    with pytest.raises(LocalProtocolError):
        ours.send_file_data(number, b"x", pair.now)
    theirs.answer_file(number, True, pair.now)
    pair.pump()
    sent = 0
    while sent < len(data):
        piece = data[sent : sent + ours.max_file_data]
        ours.send_file_data(number, piece, pair.now)
        with pytest.raises(LocalProtocolError):
            ours.send_file_data(number, b"x", pair.now)
        sent += len(piece)
        pair.pump()
        assert pair.seen(e.FileProgress, at)[-1] == e.FileProgress(number, sent)
    ours.end_file(number, pair.now)
    pair.pump()
    assert b"".join(event.data for event in pair.seen(e.FileDataReceived, other)) == data
    assert pair.seen(e.FileEnded, other) == [e.FileEnded(number, True)]


def test_a_file_is_refused_given_up_or_loses_its_consent() -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.FILES]).connect()
    refused = pair.receiver.offer_file("a", 10, pair.now)
    given_up = pair.receiver.offer_file("b", 10, pair.now)
    pair.pump()
    pair.sender.answer_file(refused, False, pair.now)
    pair.sender.answer_file(given_up, True, pair.now)
    pair.pump()
    pair.receiver.send_file_data(given_up, b"12345", pair.now)
    pair.pump()
    pair.receiver.end_file(given_up, pair.now)
    stopped = pair.sender.offer_file("c", 10, pair.now)
    pair.pump()
    pair.gate.withdraw(Scope.FILES, pair.now)
    pair.pump()
    assert pair.seen(e.FileAnswered)[0] == e.FileAnswered(refused, False)
    assert pair.seen(e.FileEnded, "sender") == [e.FileEnded(given_up, False), e.FileEnded(stopped, False)]
    assert pair.seen(e.FileEnded) == [e.FileEnded(stopped, False)]


@pytest.mark.parametrize(
    "messages",
    [
        [m.FileOffer(2, "even numbers are the sender's", 5)],
        [m.FileOffer(1, "a", 5), m.FileOffer(1, "a", 5)],
        [m.FileOffer(1, "a", 5), m.FileData(1, 0, b"not accepted yet")],
        [m.FileOffer(2 * n + 1, "a", 5) for n in range(17)],
    ],
)
def test_files_out_of_turn_are_a_fault(messages: list[m.ControlMessage]) -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.FILES]).connect()
    for message in messages[:-1]:
        pair.sender.receive(m.encode(message), pair.now)
    with pytest.raises(RemoteProtocolError):
        pair.sender.receive(m.encode(messages[-1]), pair.now)


# -- pauses and ends -------------------------------------------------------------------------------------------


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


# -- coming back -----------------------------------------------------------------------------------------------


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
    pair.sender.send_frame(0, pair.frames[0], None, pair.now)
    pair.pump(0.05)
    pair.on_down = lambda message: (message,)
    pair.pump(3.0)
    pair.assert_exact()


# -- faults ----------------------------------------------------------------------------------------------------


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
