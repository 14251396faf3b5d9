"""What goes between customer and technician beside pictures: chat, input and files."""

import numpy as np
import pytest
from screens import Pair

from fastframe import ConsentRequired, LocalProtocolError, RemoteProtocolError
from fastframe.stream import (
    ConsentState,
    Party,
    Scope,
    State,
)
from fastframe.stream import events as e
from fastframe.stream import messages as m


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


@pytest.mark.parametrize("form", ["b", "B", "c", "h"])
def test_a_piece_of_a_file_is_counted_in_bytes_whatever_the_view_of_it(form: str) -> None:
    pair = Pair(granted=[Scope.VIEW, Scope.FILES]).connect()
    data = bytes(range(0x70, 0x90))
    number = pair.sender.offer_file("log.txt", len(data), pair.now)
    pair.pump()
    pair.receiver.answer_file(number, True, pair.now)
    pair.pump()
    pair.sender.send_file_data(number, memoryview(data).cast(form), pair.now)
    pair.pump()
    assert [event.data for event in pair.seen(e.FileDataReceived, "receiver")] == [data]
    with pytest.raises(LocalProtocolError, match=r"^data must be contiguous"):
        pair.sender.send_file_data(number, memoryview(data)[::2], pair.now)


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
