"""A relay follows the customer: its consents, its pauses, its sessions; and viewers cannot disturb each other."""

import contextlib
import struct

import numpy as np
import pictures
import pytest
from meeting import Meeting, messages
from screens import HEIGHT, WIDTH

from fastframe import FastframeError, LocalProtocolError, RemoteProtocolError
from fastframe.codec import packet as packets
from fastframe.stream import (
    ByeReason,
    ConsentState,
    Display,
    MaxFragment,
    PairingKey,
    ReceiverConfig,
    RelayEvent,
    Scope,
    Sender,
    SenderConfig,
    State,
)
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.connection import MAX_WAITING
from fastframe.stream.consent import MAX_CHANGES
from fastframe.stream.relay import MAX_WAITING_OF_VIEWER
from fastframe.stream.wire import MARK


def frames(meeting: Meeting, number: int) -> list[e.Event]:
    return [event for event in meeting.received[number] if isinstance(event, e.FrameReceived)]


def asked(meeting: Meeting) -> list[Scope]:
    """What the customer was asked for, and has not been looked at yet."""
    scopes = [event.scope for event in meeting.sender_events if isinstance(event, e.ConsentRequested)]
    meeting.sender_events.clear()
    return scopes


def lose_sender(meeting: Meeting) -> None:
    meeting.sender.connection_lost(meeting.now)
    meeting.relay.connection_lost(meeting.now)


def leave(meeting: Meeting, number: int) -> None:
    meeting.relay.remove_viewer(number, meeting.now)
    del meeting.viewers[number]


def assert_can_be_given_control(meeting: Meeting, number: int) -> None:
    meeting.viewers[number].request_consent(Scope.CONTROL, meeting.now)
    meeting.pump()
    meeting.gate.grant(Scope.CONTROL, meeting.now)
    meeting.pump()
    assert meeting.viewers[number].consent(Scope.CONTROL) is ConsentState.GRANTED


# -- consents ----------------------------------------------------------------------------------------------------


def test_a_viewer_that_asks_without_end_does_not_use_up_what_the_customer_can_decide() -> None:
    meeting = Meeting(granted=(Scope.VIEW, Scope.EXTRA_TECHNICIAN))
    technician, other = meeting.join(), meeting.join()
    meeting.pump(0.1)

    def ask_without_end() -> None:
        for _ in range(MAX_CHANGES):
            meeting.viewers[other].request_consent(Scope.CONTROL, meeting.now)
            meeting.pump()
            meeting.gate.refuse(Scope.CONTROL, meeting.now)

    with pytest.raises(RemoteProtocolError):
        ask_without_end()
    leave(meeting, other)
    assert meeting.gate.revision < MAX_CHANGES // 10
    assert_can_be_given_control(meeting, technician)


def test_many_viewers_that_ask_do_not_use_it_up_either() -> None:
    meeting = Meeting(granted=(Scope.VIEW, Scope.EXTRA_TECHNICIAN))
    technician = meeting.join()

    def ask_one_after_the_other() -> None:
        for _ in range(MAX_CHANGES // 20):
            other = meeting.join()
            meeting.pump(0.05)
            for _ in range(15):
                meeting.viewers[other].request_consent(Scope.CONTROL, meeting.now)
                meeting.pump()
                meeting.gate.refuse(Scope.CONTROL, meeting.now)
            leave(meeting, other)

    with pytest.raises(RemoteProtocolError):
        ask_one_after_the_other()
    leave(meeting, max(meeting.viewers))
    assert_can_be_given_control(meeting, technician)


def test_many_viewers_that_want_to_be_let_in_do_not_use_it_up_either() -> None:
    meeting = Meeting(granted=(Scope.VIEW,))
    technician = meeting.join()
    meeting.pump()
    for _ in range(MAX_CHANGES):
        other = meeting.join()
        meeting.pump()
        if meeting.gate.state(Scope.EXTRA_TECHNICIAN, meeting.now) is ConsentState.REQUESTED:
            meeting.gate.refuse(Scope.EXTRA_TECHNICIAN, meeting.now)
        leave(meeting, other)
    assert MAX_CHANGES // 10 < asked(meeting).count(Scope.EXTRA_TECHNICIAN) < MAX_CHANGES // 2
    assert_can_be_given_control(meeting, technician)
    other = meeting.join()  # nobody asks for it, and the customer may let it in all the same
    meeting.pump()
    meeting.gate.grant(Scope.EXTRA_TECHNICIAN, meeting.now)
    meeting.pump(0.1)
    assert meeting.sees(other)


def test_nothing_is_shown_while_the_customer_cannot_be_heard() -> None:
    """It may have withdrawn its consent, and nobody knows."""
    meeting = Meeting()
    steady = meeting.join()
    meeting.pump(0.5)
    lose_sender(meeting)
    meeting.gate.withdraw(Scope.VIEW, meeting.now)
    meeting.now += 10
    late = meeting.join()
    meeting.pump(1.0)
    assert frames(meeting, late) == []
    meeting.relay.connect(meeting.now)
    meeting.pump(0.5)
    assert meeting.viewers[steady].consent(Scope.VIEW) is ConsentState.WITHDRAWN
    assert meeting.relay.held == 0
    assert frames(meeting, late) == []


def test_an_ended_session_leaves_no_picture_behind() -> None:
    meeting = Meeting()
    meeting.join()
    meeting.pump(0.5)
    assert meeting.relay.held
    meeting.sender.close(meeting.now)
    meeting.pump(0.1)
    assert meeting.relay.held == 0


def test_who_is_not_admitted_takes_no_part_and_learns_nothing() -> None:
    meeting = Meeting(granted=(Scope.VIEW, Scope.CHAT, Scope.CONTROL))
    first, second = meeting.join(), meeting.join()
    meeting.pump(0.5)
    meeting.sender.send_chat("my password is x", meeting.now)
    meeting.sender.send_input_activity(m.Party.CUSTOMER, meeting.now, name="Ann")
    meeting.viewers[second].send_chat("I am the technician", meeting.now)
    meeting.viewers[second].send_key(65, True, meeting.now)
    meeting.pump(0.1)
    assert e.ChatReceived("my password is x", "") in meeting.received[first]
    assert not [
        event for event in meeting.received[second] if isinstance(event, e.ChatReceived | e.InputActivityChanged)
    ]
    assert not [event for event in meeting.sender_events if isinstance(event, e.ChatReceived | e.KeyInput)]
    assert meeting.viewers[second].displays == ()
    meeting.gate.grant(Scope.EXTRA_TECHNICIAN, meeting.now)
    meeting.pump(0.5)
    assert meeting.viewers[second].displays == meeting.relay.displays
    assert meeting.sees(second)


def test_nobody_inherits_the_first_viewers_consents() -> None:
    meeting = Meeting(granted=(Scope.VIEW, Scope.CONTROL))
    first = meeting.join()
    meeting.pump(0.5)
    # Over another transport it is the same one.
    meeting.relay.viewer_lost(first, meeting.now)
    meeting.viewers[first].connection_lost(meeting.now)
    meeting.viewers[first].connect(meeting.now)
    meeting.draw(1)
    meeting.pump(0.5)
    assert meeting.sees(first)
    assert asked(meeting) == []
    leave(meeting, first)
    newcomer = meeting.join()
    meeting.pump(0.5)
    assert frames(meeting, newcomer) == []
    assert asked(meeting) == [Scope.EXTRA_TECHNICIAN]
    meeting.gate.grant(Scope.EXTRA_TECHNICIAN, meeting.now)
    meeting.pump(0.5)
    assert meeting.sees(newcomer)
    meeting.viewers[newcomer].send_key(65, True, meeting.now)
    meeting.pump()
    assert not [event for event in meeting.sender_events if isinstance(event, e.KeyInput)]


def test_a_stranger_is_not_the_first() -> None:
    meeting = Meeting(granted=(Scope.VIEW,))
    key, _ = PairingKey.create(0.0)
    stranger = meeting.relay.add_viewer(meeting.now, pairing=key)
    with pytest.raises(RemoteProtocolError):
        meeting.relay.receive_from(stranger, b"junk", meeting.now)
    meeting.relay.viewer_lost(stranger, meeting.now)
    technician = meeting.join()
    meeting.pump(0.5)
    assert meeting.sees(technician)


def test_who_is_there_before_the_customer_is_the_first_all_the_same() -> None:
    meeting = Meeting(granted=(Scope.VIEW,), connected=False)
    first = meeting.join()
    meeting.pump(0.1)
    meeting.relay.connect(meeting.now)
    meeting.pump(0.5)
    second = meeting.join()
    meeting.pump(0.5)
    assert meeting.sees(first)
    assert frames(meeting, second) == []


def test_what_was_asked_while_the_customer_was_away_can_be_asked_again() -> None:
    meeting = Meeting(granted=(Scope.VIEW,))
    number = meeting.join()
    meeting.pump(0.5)
    lose_sender(meeting)
    meeting.viewers[number].request_consent(Scope.CONTROL, meeting.now)
    meeting.pump(0.1)
    meeting.relay.connect(meeting.now)
    meeting.pump(0.5)
    assert meeting.viewers[number].consent(Scope.CONTROL) is ConsentState.NONE
    meeting.viewers[number].request_consent(Scope.CONTROL, meeting.now)
    meeting.pump(0.1)
    assert asked(meeting) == [Scope.CONTROL]
    assert meeting.viewers[number].consent(Scope.CONTROL) is ConsentState.REQUESTED


def test_files_over_a_relay_are_refused_at_once() -> None:
    meeting = Meeting(granted=(Scope.VIEW,))
    number = meeting.join()
    meeting.pump(0.2)
    meeting.viewers[number].request_consent(Scope.FILES, meeting.now)
    meeting.pump(0.1)
    assert meeting.viewers[number].consent(Scope.FILES) is ConsentState.REFUSED
    assert asked(meeting) == []
    meeting.gate.grant(Scope.FILES, meeting.now)
    meeting.pump(0.1)
    assert meeting.viewers[number].consent(Scope.FILES) is ConsentState.REFUSED


def test_who_was_refused_does_not_ask_again_by_coming_back() -> None:
    meeting = Meeting(granted=(Scope.VIEW,))
    meeting.join()
    second = meeting.join()
    meeting.pump(0.5)
    assert asked(meeting) == [Scope.EXTRA_TECHNICIAN]
    meeting.gate.refuse(Scope.EXTRA_TECHNICIAN, meeting.now)
    meeting.pump(0.1)
    meeting.relay.viewer_lost(second, meeting.now)
    meeting.viewers[second].connection_lost(meeting.now)
    meeting.viewers[second].connect(meeting.now)
    meeting.pump(0.2)
    assert asked(meeting) == []


# -- pauses --------------------------------------------------------------------------------------------------------


def test_who_joins_during_the_customers_pause_sees_nothing_until_it_is_over() -> None:
    meeting = Meeting()
    meeting.join()
    meeting.pump(0.5)
    meeting.sender.pause(meeting.now)
    meeting.pump(0.2)
    late = meeting.join()
    meeting.pump(1.0)
    assert meeting.viewers[late].paused
    assert frames(meeting, late) == []
    meeting.sender.resume(meeting.now)
    meeting.pump(0.5)
    assert meeting.sees(late)


@pytest.mark.parametrize("stays", [True, False])
def test_a_viewers_pause_is_its_own(stays: bool) -> None:
    meeting = Meeting()
    pausing = meeting.join()
    meeting.pump(0.5)
    meeting.viewers[pausing].pause(meeting.now)
    meeting.pump(0.2)
    assert meeting.sender.paused
    if not stays:
        leave(meeting, pausing)
    other = meeting.join()
    meeting.draw(1)
    meeting.pump(3.0)
    assert not meeting.sender.paused
    assert meeting.sees(other)


def test_a_pause_that_ended_while_the_relay_was_cut_off_is_over_for_viewers() -> None:
    meeting = Meeting()
    number = meeting.join()
    meeting.pump(0.5)
    meeting.sender.pause(meeting.now)
    meeting.pump(0.1)
    lose_sender(meeting)
    meeting.sender.resume(meeting.now)
    meeting.relay.connect(meeting.now)
    meeting.pump(0.5)
    meeting.draw(3)
    meeting.pump(1.0)
    assert not meeting.viewers[number].paused
    assert meeting.sees(number)


# -- sessions --------------------------------------------------------------------------------------------------------


def test_another_session_of_the_customers_ends_those_of_the_viewers() -> None:
    meeting = Meeting()
    number = meeting.join()
    meeting.pump(0.5)
    meeting.relay.connection_lost(meeting.now)
    meeting.sender = Sender(meeting.gate, SenderConfig(effort="fast", max_fps=1000))
    meeting.sender.set_displays([Display(0, 0, 0, WIDTH, HEIGHT)], meeting.now)
    meeting.relay.connect(meeting.now)
    meeting.screen[...] = 7
    meeting.pump(1.0)
    assert meeting.viewers[number].state is State.CLOSED
    assert meeting.received[number][-1].reason is ByeReason.UNKNOWN_SESSION  # type: ignore[attr-defined]
    again = meeting.join()
    meeting.pump(1.0)
    assert meeting.sees(again)


# -- disturbances ----------------------------------------------------------------------------------------------------


def test_a_viewer_that_floods_takes_nothing_from_the_others() -> None:
    meeting = Meeting()
    good, bad = meeting.join(), meeting.join()
    meeting.pump(0.5)
    chat = m.encode(m.Chat("x"))
    for _ in range(MAX_WAITING + 1):  # while the transport to the sender is full
        with contextlib.suppress(LocalProtocolError):
            meeting.relay.receive_from(bad, chat, meeting.now)
        while meeting.relay.next_event() is not None:
            pass
    meeting.relay.receive_from(good, m.encode(m.Key(65, True)), meeting.now)
    meeting.draw(1)
    meeting.pump(0.5)
    assert meeting.sees(good)
    assert meeting.relay.state is State.OPEN


def test_a_viewer_that_floods_while_nobody_asks_for_events_does_not_cost_the_others_theirs() -> None:
    meeting = Meeting()
    good, bad = meeting.join(), meeting.join()
    meeting.pump(0.5)
    pointer = m.encode(m.Pointer(0, 1, 1))
    for _ in range(MAX_WAITING_OF_VIEWER + 1):
        meeting.relay.receive_from(bad, pointer, meeting.now)
    with pytest.raises(LocalProtocolError):
        meeting.relay.receive_from(bad, pointer, meeting.now)
    meeting.relay.receive_from(good, m.encode(m.Key(65, True)), meeting.now)
    meeting.draw(1)
    meeting.pump(0.5)
    assert RelayEvent(good, e.KeyInput(65, True)) in meeting.relay_events
    assert meeting.sees(good)
    meeting.relay.receive_from(bad, pointer, meeting.now)  # somebody has asked


def test_who_asks_for_no_events_of_the_relay_is_told_and_not_filled() -> None:
    meeting = Meeting()
    number = meeting.join()
    meeting.pump(0.5)
    pointer = m.encode(m.Pointer(0, 1, 1))

    def move() -> None:
        for _ in range(100):
            meeting.relay.receive_from(number, pointer, meeting.now)
        meeting.relay.poll(meeting.now)

    for _ in range(MAX_WAITING_OF_VIEWER // 100):
        move()
    with pytest.raises(LocalProtocolError) as caught:
        move()
    assert caught.value.limit == MAX_WAITING_OF_VIEWER


def test_a_pointer_that_is_too_long_for_a_viewer_is_not_shown_to_it() -> None:
    meeting = Meeting()
    small, large = meeting.join(ReceiverConfig(max_fragment=MaxFragment.LIVEKIT)), meeting.join()
    meeting.pump(0.5)
    meeting.sender.send_cursor_shape(pictures.noise(96, 96), (0, 0), meeting.now)
    meeting.draw(1)
    meeting.pump(0.5)
    shown = [
        sum(isinstance(event, e.CursorShapeChanged) for event in meeting.received[number]) for number in (small, large)
    ]
    assert shown == [0, 1]
    assert meeting.sees(small)
    assert meeting.sees(large)


def test_numbers_of_packets_that_end_are_no_trap() -> None:
    """A keyframe is the first of its epoch; one that says it is the last is damaged, for relays as for viewers."""
    meeting = Meeting()
    number = meeting.join()
    meeting.pump(0.5)
    last = 2**32 - 1
    packet = packets.pack(packets.Header(last, last, True, False, 64, 64, 0), {})
    meeting.relay.receive(bytes([MARK, 0, 0]) + packet, meeting.now)
    lose_sender(meeting)
    meeting.relay.connect(meeting.now)
    meeting.draw(1)
    meeting.pump(2.5)
    assert meeting.sees(number)


def test_tiny_packets_count_with_what_they_take_in_memory() -> None:
    meeting = Meeting(store_bytes=100_000)
    meeting.pump(0.2)

    def send(header: packets.Header) -> None:
        meeting.relay.receive(bytes([MARK, 0, 0]) + packets.pack(header, {}), meeting.now)

    send(packets.Header(900, 0, True, False, 64, 64, 0))
    for number in range(1, 3000):
        send(packets.Header(900, number))
        if number % 500 == 0:
            meeting.relay.poll(meeting.now)
    assert len(meeting.relay._stores[0]._packets) < 1000


def test_whatever_a_hostile_sender_says_the_relay_raises_typed_errors() -> None:
    meeting = Meeting()
    meeting.join()
    meeting.pump(0.2)
    random = np.random.default_rng(0)
    for _ in range(200):
        junk = bytes([MARK, *random.integers(0, 3, 2)]) + struct.pack("<II", *random.integers(0, 200, 2)) + b"x" * 20
        try:
            meeting.relay.receive(junk, meeting.now)
        except FastframeError:
            messages(meeting.relay.poll(meeting.now))
            lose_sender(meeting)
            meeting.relay.connect(meeting.now)
            meeting.pump()
    meeting.pump(3.0)
    assert meeting.relay.state is State.OPEN
