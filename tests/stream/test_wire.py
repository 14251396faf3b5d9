"""Fragments and framing: packets arrive whole however they are cut, and nothing makes the receiver hold too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastframe import LocalProtocolError, RemoteProtocolError
from fastframe.stream import MaxFragment, Message, MessageFramer, wire


def assembled(packet: bytes, max_message: int) -> bytes:
    assembler = wire.PacketAssembler(10**6)
    messages = wire.cut(7, packet, max_message)
    for message in messages:
        assert len(message) == len(bytes(message)) <= max_message
        fragment = wire.parse(memoryview(bytes(message)))
        assert fragment.display == wire.display_of(message) == 7
        whole = assembler.add(fragment)
        assert (whole is not None) == (message is messages[-1])
    assert whole is not None
    assert assembler.held == 0
    return bytes(whole)


@given(st.binary(min_size=1, max_size=3000), st.integers(12, 3100))
def test_packets_arrive_however_they_are_cut(packet: bytes, max_message: int) -> None:
    assert assembled(packet, max_message) == packet


PRESETS = [MaxFragment.DEFAULT, MaxFragment.LIVEKIT, MaxFragment.WEBRTC, MaxFragment.NATS]


@pytest.mark.parametrize("max_fragment", PRESETS)
def test_headers_take_less_than_a_thousandth(max_fragment: int) -> None:
    packet = bytes(2_000_000)
    messages = wire.cut(0, packet, max_fragment)
    assert sum(map(len, messages)) < 1.001 * len(packet)
    assert [len(each) for each in wire.cut(0, b"x" * 500, max_fragment)] == [503]


def test_pixels_are_not_copied() -> None:
    packet = bytes(range(200)) * 100
    for message in wire.cut(0, packet, 5000):
        assert message.payload.obj is packet
        assert b"".join(message.parts()) == bytes(message)
    (whole,) = wire.cut(0, packet, 10**6)
    data = bytes(whole)
    received = wire.PacketAssembler(10**6).add(wire.parse(memoryview(data)))
    assert received is not None
    assert received.obj is data


def parts(packet: bytes, size: int) -> list[wire.FrameFragment]:
    return [wire.parse(memoryview(bytes(message))) for message in wire.cut(0, packet, size)]


def test_repeated_parts_do_no_harm() -> None:
    assembler = wire.PacketAssembler(10**6)
    packet = bytes(range(100))
    fragments = parts(packet, 41)
    for fragment in fragments[:-1]:
        assert assembler.add(fragment) is None
        if fragment.offset:
            assert assembler.add(fragment) is None
    assert bytes(assembler.add(fragments[-1]) or b"") == packet


def test_a_gap_drops_the_packet_and_the_next_one_arrives() -> None:
    assembler = wire.PacketAssembler(10**6)
    first, _, third, *_ = parts(bytes(200), 61)
    assembler.add(first)
    with pytest.raises(wire.FragmentsLost) as caught:
        assembler.add(third)
    assert (caught.value.expected, caught.value.actual) == (50, 100)
    assert assembler.held == 0
    assert [assembler.add(fragment) for fragment in parts(b"x" * 60, 61)][-1] == b"x" * 60


def test_a_packet_beyond_the_limit_is_refused_at_its_first_part() -> None:
    assembler = wire.PacketAssembler(1000)
    with pytest.raises(RemoteProtocolError) as caught:
        assembler.add(parts(bytes(1001), 61)[0])
    assert (caught.value.limit, caught.value.actual) == (1000, 1001)
    assert assembler.held == 0


@given(st.binary(max_size=64))
def test_garbage_for_a_fragment(data: bytes) -> None:
    try:
        fragment = wire.parse(memoryview(bytes([wire.MARK]) + data))
    except RemoteProtocolError:
        return
    assert fragment.payload
    assert fragment.offset + len(fragment.payload) <= fragment.size


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=8), st.data())
def test_a_byte_stream_gives_the_same_messages_however_it_is_cut(messages: list[bytes], data: st.DataObject) -> None:
    writer, reader = MessageFramer(400), MessageFramer(400)
    stream = b"".join(b"".join(writer.pack(Message(message[:3], memoryview(message[3:])))) for message in messages)
    received = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        reader.feed(stream[:size])
        stream = stream[size:]
        while (message := reader.next_message()) is not None:
            received.append(message)
    assert received == messages


@pytest.mark.parametrize("stream", [b"\x00", b"\xe9\x07", b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\x01", b"\x80\x00"])
def test_a_length_that_is_not_allowed_ends_the_stream(stream: bytes) -> None:
    framer = MessageFramer(1000)
    framer.feed(stream)
    with pytest.raises(RemoteProtocolError) as first:
        framer.next_message()
    framer.feed(b"\x01x")
    with pytest.raises(RemoteProtocolError) as again:
        framer.next_message()
    assert again.value is first.value
    assert first.value.limit == 1000


def test_a_framer_of_no_length_is_no_framer() -> None:
    for wrong in (0, 2**28):
        with pytest.raises(LocalProtocolError):
            MessageFramer(wrong)
