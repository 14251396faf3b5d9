"""Many viewers of one sender: joins, slow ones, requests together, consents."""

import random

import numpy as np
import pytest
from meeting import Meeting, messages
from screens import HEIGHT, WIDTH

from fastframe import ConsentRequired, Limits, LocalProtocolError, RemoteProtocolError
from fastframe.stream import (
    ByeReason,
    ConsentState,
    Display,
    Receiver,
    ReceiverConfig,
    RelayConfig,
    Scope,
    State,
)
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.wire import MARK


def test_one_encode_serves_all() -> None:
    meeting = Meeting()
    numbers = [meeting.join() for _ in range(5)]
    for seed in range(10):
        meeting.draw(seed)
        meeting.pump(0.1)
    assert all(meeting.sees(number) for number in numbers)
    statistics = meeting.sender.statistics(meeting.now)
    assert statistics.keyframes == 1
    assert [event for event in meeting.relay_events if isinstance(event.event, e.Connected)]  # type: ignore[attr-defined]


def test_1000_random_late_joins_see_the_exact_picture_within_one_keyframe() -> None:
    """Most without any: from the store. The others wait for one keyframe, and for no more."""
    # Small caches, since each of the viewers has its own.
    config = ReceiverConfig(limits=Limits(max_cache_slots=8, max_window_log=14))
    meeting = Meeting(size=(96, 80), keyframe_interval=0.5, upstream=config)
    steady = meeting.join(config)
    choices = random.Random(1)
    meeting.pump(0.2)
    for seed in range(1000):
        for _ in range(choices.randrange(3)):
            meeting.draw(choices.randrange(2**32))
            meeting.pump(0.02)
        if choices.random() < 0.05:  # so that epochs are short, and the test with them
            meeting.viewers[steady].request_keyframe(0, meeting.now)
            meeting.pump(1.2, step=0.3)
        late = meeting.join(config)
        waited = 0
        meeting.pump()
        while not _shows(meeting, late):
            waited += 1
            meeting.pump(0.02)
            assert waited < 60, seed
        assert meeting.keyframes(late) == 1
        if choices.random() < 0.9:
            del meeting.viewers[late]
            meeting.relay.remove_viewer(late, meeting.now)
            del meeting.received[late][:]
        if len(meeting.viewers) > 3:
            gone = choices.choice([number for number in meeting.viewers if number != steady])
            del meeting.viewers[gone]
            meeting.relay.remove_viewer(gone, meeting.now)
    meeting.pump(0.5)
    assert meeting.sees(steady)
    assert meeting.sender.statistics(meeting.now).keyframes < 150


def _shows(meeting: Meeting, number: int) -> bool:
    try:
        return meeting.sees(number)
    except (LocalProtocolError, ConsentRequired):
        return False


def test_a_long_epoch_is_not_sent_to_who_joins_late() -> None:
    meeting = Meeting(size=(96, 80), keyframe_interval=0.5)
    meeting.join()
    meeting.pump(0.2)
    random_ = np.random.default_rng(0)
    while meeting.relay.held < 400_000:
        meeting.screen[...] = random_.integers(0, 256, meeting.screen.shape, np.uint8)
        meeting.sender.send_frame(0, meeting.screen, None, meeting.now)
        meeting.pump(0.05)
    late = meeting.join()
    meeting.pump(1.0)
    assert meeting.sees(late)
    assert sum(len(e_.packet) for e_ in meeting.received[late] if isinstance(e_, e.FrameReceived)) < 100_000
    assert meeting.sender.statistics(meeting.now).keyframes == 2


def test_the_store_is_bounded() -> None:
    meeting = Meeting(size=(96, 80), store_bytes=100_000, keyframe_interval=0.5)
    meeting.join()
    random_ = np.random.default_rng(0)
    for _ in range(60):
        meeting.screen[...] = random_.integers(0, 256, meeting.screen.shape, np.uint8)
        meeting.sender.send_frame(0, meeting.screen, None, meeting.now)
        meeting.pump(0.05)
        assert meeting.relay.held <= 100_000
    late = meeting.join()
    meeting.pump(1.0)
    assert meeting.sees(late)


def test_requests_for_keyframes_are_one_and_not_too_many() -> None:
    meeting = Meeting(keyframe_interval=2.0)
    numbers = [meeting.join() for _ in range(10)]
    meeting.pump(0.5)
    asked = meeting.sender.statistics(meeting.now).keyframes
    for _ in range(100):
        for number in numbers:
            meeting.viewers[number].request_keyframe(0, meeting.now)
        meeting.pump(0.1)
    # Ten seconds, at most one each two seconds.
    assert meeting.sender.statistics(meeting.now).keyframes - asked <= 6
    meeting.pump(3.0)
    assert all(meeting.sees(number) for number in numbers)


def latencies(viewers: int, stalled: int) -> tuple[list[int], Meeting]:
    """For each change the exchanges until each healthy viewer has it: a measure without a clock."""
    meeting = Meeting(size=(96, 80))
    numbers = [meeting.join() for _ in range(viewers)]
    meeting.pump(0.2)
    meeting.stalled = set(numbers[1 : 1 + stalled])
    healthy = [number for number in numbers if number not in meeting.stalled]
    rounds = []
    for seed in range(30):
        meeting.draw(seed)
        counts = dict.fromkeys(healthy, 0)
        for count in range(1, 50):
            if not meeting._exchange():
                break
            for number in healthy:
                if not counts[number] and meeting.sees(number):
                    counts[number] = count
        assert all(counts.values())
        rounds += list(counts.values())
        meeting.pump(0.03)
    return rounds, meeting


def test_a_stalled_viewer_delays_nobody() -> None:
    without, _ = latencies(20, stalled=0)
    with_one, meeting = latencies(20, stalled=1)
    assert np.quantile(with_one, 0.99) == np.quantile(without, 0.99)
    # When it goes on, it is exact again.
    (stalled,) = meeting.stalled
    meeting.stalled = set()
    meeting.pump(3.0)
    assert meeting.sees(stalled)


def test_one_to_a_hundred_viewers_with_one_stalled() -> None:
    few, _ = latencies(2, stalled=1)
    many, meeting = latencies(100, stalled=1)
    assert np.quantile(many, 0.99) <= 1.1 * np.quantile(few, 0.99)
    assert meeting.sender.statistics(meeting.now).keyframes == 1


def test_a_slow_viewer_is_skipped_to_the_next_keyframe() -> None:
    """Others see every change; the slow one gets less, and never a queue of old pictures."""
    meeting = Meeting(size=(160, 128), keyframe_interval=1.0)
    fast, slow = meeting.join(), meeting.join()
    meeting.rates[slow] = 30_000  # bytes a second; a picture has some 60 KB
    random_ = np.random.default_rng(0)
    for _ in range(300):
        meeting.screen[...] = random_.integers(0, 256, meeting.screen.shape, np.uint8)
        meeting.sender.send_frame(0, meeting.screen, None, meeting.now)
        meeting.pump(0.04)
        assert sum(map(len, meeting.waiting[slow])) < 200_000
    assert meeting.sees(fast)
    assert meeting.keyframes(slow) > 1
    meeting.pump(20.0)
    assert meeting.sees(slow)
    assert len([event for event in meeting.received[fast] if isinstance(event, e.FrameReceived)]) > 290


def show_noise(meeting: Meeting) -> None:
    """Two seconds of what fills every line."""
    random_ = np.random.default_rng(0)
    for _ in range(20):
        meeting.screen[:64] = random_.integers(0, 256, (64, WIDTH, 4), np.uint8)
        meeting.sender.send_frame(0, meeting.screen, [(0, 0, WIDTH, 64)], meeting.now)
        meeting.pump(0.1)


def test_who_waits_at_the_door_has_no_say_in_the_effort() -> None:
    meeting = Meeting(ask_for_each=True)
    meeting.rates[meeting.join()] = 30_000
    for _ in range(2):
        meeting.join()
    show_noise(meeting)
    assert meeting.relay.effort_after("fast") == "tight"


def test_there_is_no_such_effort() -> None:
    with pytest.raises(LocalProtocolError, match="before must be one of tight, balanced, fast"):
        Meeting().relay.effort_after("most")


@pytest.mark.parametrize(
    ("rates", "effort"),
    [
        ([30_000], "tight"),
        ([30_000, None], "tight"),
        ([30_000, None, None], "fast"),
        ([30_000, 30_000, None], "tight"),
        ([30_000, 500_000, None], "balanced"),
    ],
)
def test_the_effort_follows_the_slower_half_of_the_viewers_lines(rates: list[float | None], effort: str) -> None:
    """One slow line among three does not make all of them decode for longer."""
    meeting = Meeting()
    assert meeting.relay.effort_after("balanced") == "balanced"
    for rate in rates:
        number = meeting.join()
        if rate is not None:
            meeting.rates[number] = rate
    show_noise(meeting)
    meeting.sender.effort = meeting.relay.effort_after("balanced")
    assert meeting.sender.effort == effort
    meeting.sender.effort = meeting.relay.effort_after("auto")
    assert meeting.sender.effort == effort
    # A viewer that is gone has no say.
    for number in list(meeting.viewers):
        meeting.relay.viewer_lost(number, meeting.now)
    assert meeting.relay.effort_after("balanced") == "balanced"


def test_a_viewer_that_comes_back_goes_on() -> None:
    meeting = Meeting()
    number = meeting.join()
    meeting.pump(0.3)
    meeting.draw(1)
    meeting.pump(0.1)
    meeting.relay.viewer_lost(number, meeting.now)
    meeting.viewers[number].connection_lost(meeting.now)
    for seed in range(5):
        meeting.draw(seed)
        meeting.pump(0.05, step=0.05)
    assert not meeting.sees(number)
    meeting.viewers[number].connect(meeting.now)
    meeting.pump(0.3)
    assert meeting.sees(number)
    assert meeting.keyframes(number) == 1


def test_the_sender_comes_back_and_viewers_go_on() -> None:
    meeting = Meeting()
    numbers = [meeting.join() for _ in range(3)]
    meeting.pump(0.3)
    meeting.sender.connection_lost(meeting.now)
    meeting.relay.connection_lost(meeting.now)
    meeting.draw(5)
    meeting.pump(1.0)
    meeting.relay.connect(meeting.now)
    meeting.pump(0.5)
    assert all(meeting.sees(number) for number in numbers)


def test_a_second_technician_sees_nothing_without_the_customers_consent() -> None:
    meeting = Meeting(granted=(Scope.VIEW,))
    first, second = meeting.join(), meeting.join()
    meeting.pump(0.3)
    assert meeting.sees(first)
    assert not [event for event in meeting.received[second] if isinstance(event, e.FrameReceived)]
    asked = [event for event in meeting.sender_events if isinstance(event, e.ConsentRequested)]
    assert [event.scope for event in asked] == [Scope.EXTRA_TECHNICIAN]
    meeting.gate.grant(Scope.EXTRA_TECHNICIAN, meeting.now)
    meeting.pump(0.3)
    assert meeting.sees(second)
    meeting.gate.withdraw(Scope.EXTRA_TECHNICIAN, meeting.now)
    meeting.pump(0.1)
    count = len(meeting.received[second])
    meeting.draw(3)
    meeting.pump(0.3)
    assert meeting.sees(first)
    assert not [event for event in meeting.received[second][count:] if isinstance(event, e.FrameReceived)]


def test_withdrawal_empties_the_relay() -> None:
    meeting = Meeting()
    numbers = [meeting.join() for _ in range(3)]
    meeting.pump(0.3)
    meeting.draw(1)
    for message in messages(meeting.sender.poll(meeting.now)):
        meeting.relay.receive(message, meeting.now)
    assert meeting.relay.held
    meeting.gate.withdraw(Scope.VIEW, meeting.now)
    for message in messages(meeting.sender.poll(meeting.now)):
        meeting.relay.receive(message, meeting.now)
    assert meeting.relay.held == 0
    for number in numbers:
        notices = messages(meeting.relay.poll_viewer(number, meeting.now))
        assert notices
        for message in notices:
            assert message[0] != MARK
            meeting.viewers[number].receive(message, meeting.now)
    assert meeting.viewers[numbers[0]].consent(Scope.VIEW) is ConsentState.WITHDRAWN


def test_only_the_first_viewer_moves_the_mouse_and_all_may_chat() -> None:
    meeting = Meeting()
    first, second = meeting.join(ReceiverConfig(name="Eva")), meeting.join(ReceiverConfig(name="Tom"))
    meeting.pump(0.3)
    meeting.viewers[first].send_pointer(0, 1, 2, meeting.now)
    meeting.viewers[second].send_pointer(0, 9, 9, meeting.now)
    meeting.viewers[second].send_chat("hello", meeting.now, author="Tom")
    meeting.sender.send_chat("hi", meeting.now)
    meeting.pump()
    assert [event for event in meeting.sender_events if isinstance(event, e.PointerInput)] == [
        e.PointerInput(0, 1, 2, 0, 0, 0)
    ]
    assert e.ChatReceived("hello", "Tom") in meeting.sender_events
    for number in (first, second):
        assert e.ChatReceived("hi", "") in meeting.received[number]


def test_pointer_layout_pause_and_end_reach_everybody() -> None:
    meeting = Meeting()
    early = meeting.join()
    meeting.pump(0.2)
    meeting.sender.send_cursor_shape(np.full((4, 4, 4), 7, np.uint8), (1, 1), meeting.now)
    meeting.sender.send_cursor_position(0, 5, 6, meeting.now)
    meeting.pump()
    late = meeting.join()
    meeting.pump(0.2)
    for number in (early, late):
        (shape,) = [event for event in meeting.received[number] if isinstance(event, e.CursorShapeChanged)]
        assert (shape.pixels == 7).all()
    assert e.CursorMoved(0, 5, 6, True) in meeting.received[early]
    meeting.sender.set_displays([Display(0, 0, 0, WIDTH, HEIGHT), Display(1, 0, 0, 50, 50)], meeting.now)
    meeting.pump()
    assert len(meeting.viewers[late].displays) == 2
    meeting.sender.pause(meeting.now)
    meeting.pump()
    assert meeting.viewers[early].paused
    meeting.sender.resume(meeting.now)
    meeting.sender.set_displays([Display(0, 0, 0, WIDTH, HEIGHT)], meeting.now)
    meeting.draw(1)
    meeting.pump(0.2)
    assert meeting.sees(early)
    meeting.sender.close(meeting.now, ByeReason.STOPPED)
    meeting.pump()
    for number in (early, late):
        assert meeting.viewers[number].state is State.CLOSED
        assert meeting.received[number][-1] == e.Closed(ByeReason.STOPPED, "", by_peer=True)


def test_the_sender_rests_while_nobody_looks() -> None:
    meeting = Meeting()
    numbers = [meeting.join() for _ in range(2)]
    meeting.pump(0.2)
    for number in numbers:
        assert not meeting.sender.paused
        meeting.viewers[number].pause(meeting.now)
        meeting.pump()
    assert meeting.sender.paused
    meeting.viewers[numbers[1]].resume(meeting.now)
    meeting.draw(1)
    meeting.pump(0.3)
    assert not meeting.sender.paused
    assert meeting.sees(numbers[1])


def test_a_fault_of_one_viewer_ends_that_viewers_connection_only() -> None:
    meeting = Meeting()
    good, bad = meeting.join(), meeting.join()
    meeting.pump(0.2)
    with pytest.raises(RemoteProtocolError):
        meeting.relay.receive_from(bad, m.encode(m.Ack(0, 99, 0)), meeting.now)
    assert meeting.relay.viewer_state(bad) is State.FAILED
    for message in messages(meeting.relay.poll_viewer(bad, meeting.now)):
        assert isinstance(m.decode(message), m.Bye)
    del meeting.viewers[bad]
    meeting.relay.remove_viewer(bad, meeting.now)
    meeting.draw(1)
    meeting.pump(0.2)
    assert meeting.sees(good)


def test_viewers_are_limited_and_must_hold_what_the_relay_does() -> None:
    meeting = Meeting(max_viewers=2)
    meeting.join()
    meeting.join()
    with pytest.raises(LocalProtocolError) as caught:
        meeting.join()
    assert caught.value.limit == 2
    with pytest.raises(LocalProtocolError):
        meeting.relay.poll_viewer(77, 0.0)
    other = Meeting()
    small = other.relay.add_viewer(0.0)
    viewer = Receiver(ReceiverConfig(limits=Limits(max_cache_slots=1)))
    viewer.connect(0.0)
    (hello,) = messages(viewer.poll(0.0))
    with pytest.raises(RemoteProtocolError):
        other.relay.receive_from(small, hello, 0.0)
    with pytest.raises(LocalProtocolError):
        RelayConfig(store_bytes=0)


def test_where_each_viewer_is_asked_about_none_sees_anything_before_the_answer() -> None:
    meeting = Meeting(ask_for_each=True)
    technician, second, third = (meeting.join() for _ in range(3))
    meeting.pump(0.5)
    assert meeting.sees(technician)
    assert meeting.relay.technician == technician
    meeting.sender.send_cursor_shape(np.zeros((8, 8, 4), np.uint8), (0, 0), meeting.now)
    meeting.draw(1)
    meeting.pump(3.0)
    for number in (second, third):
        assert not meeting.viewers[number].displays
        assert not any(isinstance(event, e.FrameReceived) for event in meeting.received[number])
    meeting.relay.let_in(second, meeting.now)
    meeting.relay.dismiss(third, meeting.now)
    meeting.pump(3.0)
    assert meeting.sees(second)
    assert sum(isinstance(event, e.CursorShapeChanged) for event in meeting.received[second]) == 1
    assert meeting.viewers[third].state is State.CLOSED
    assert meeting.received[third][-1] == e.Closed(ByeReason.CONSENT, "the customer does not agree", by_peer=True)
    # Who is let in needs the customer's consent all the same.
    meeting.gate.withdraw(Scope.EXTRA_TECHNICIAN, meeting.now)
    meeting.pump(0.1)
    meeting.draw(2)
    meeting.pump(0.5)
    assert meeting.sees(technician)
    assert not meeting.sees(second)


def test_who_may_see_the_screen_later_is_told_what_the_pointer_looks_like() -> None:
    meeting = Meeting(granted=(Scope.VIEW,))
    meeting.join()
    meeting.pump(0.5)
    meeting.sender.send_cursor_shape(np.zeros((8, 8, 4), np.uint8), (0, 0), meeting.now)
    meeting.pump(0.1)
    second = meeting.join()
    meeting.pump(0.5)
    assert not any(isinstance(event, e.CursorShapeChanged) for event in meeting.received[second])
    meeting.gate.grant(Scope.EXTRA_TECHNICIAN, meeting.now)
    meeting.pump(0.5)
    assert sum(isinstance(event, e.CursorShapeChanged) for event in meeting.received[second]) == 1
