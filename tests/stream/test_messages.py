"""Control messages: what is written is read, and nothing else is."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastframe import Limits, LocalProtocolError, RemoteProtocolError
from fastframe.stream import messages as m
from fastframe.stream import wire
from fastframe.stream.consent import ConsentState, Scope

LIMITS = m.WireLimits.of(Limits())
WIDE = "\U0001f5a5"  # four bytes of UTF-8, the most that a character has
NAME = WIDE * 64
DISPLAYS = tuple(m.Display(number, -(2**31), 2**31 - 1, 0xFFFF, 0xFFFF, NAME, True) for number in range(16))
GRANTS = tuple(m.Grant(scope, ConsentState.WITHDRAWN) for scope in Scope)

# One of each kind, as long as it gets.
LONGEST: list[m.ControlMessage] = [
    m.Hello(
        tuple(range(1000, 1016)),
        tuple(range(200, 216)),
        LIMITS,
        2**31 - 1,
        NAME,
        (NAME,) * 16,
        tuple(Scope),
        WIDE * 32,
        bytes(32),
        tuple(m.Position(number, 2**32 - 1, 2**32 - 1) for number in range(16)),
    ),
    m.Welcome(1, 1, 2**31 - 1, bytes(32), NAME, (NAME,) * 16, DISPLAYS, GRANTS, True),
    m.Layout(DISPLAYS),
    m.CursorPosition(255, -(2**31), 2**31 - 1, False),
    m.Ack(255, 2**32 - 1, 2**32 - 1),
    m.KeyframeRequest(255, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    m.KeyframeRequest(3),
    m.Pause(),
    m.Resume(),
    m.ConsentRequest(Scope.EXTRA_TECHNICIAN, WIDE * m.MAX_TEXT),
    m.ConsentNotice(Scope.EXTRA_TECHNICIAN, ConsentState.WITHDRAWN),
    m.Chat(WIDE * m.MAX_TEXT, NAME),
    m.InputActivity(m.Party.TECHNICIAN, NAME),
    m.Pointer(255, -(2**31), -(2**31), 255, -(2**31), -(2**31)),
    m.Key(2**32 - 1, True),
    m.FileOffer(2**32 - 1, NAME, 2**53 - 1),
    m.FileAnswer(2**32 - 1, True),
    m.FileData(2**32 - 1, 2**53 - 1, bytes(m.MAX_FILE_DATA)),
    m.FileAck(2**32 - 1, 2**53 - 1),
    m.FileEnd(2**32 - 1, True),
    m.Ping(2**32 - 1),
    m.Pong(2**32 - 1),
    m.Bye(m.ByeReason.UNKNOWN_SESSION, WIDE * m.MAX_TEXT),
]


def test_every_kind_is_here() -> None:
    kinds = set(m.ControlMessage.__args__) - {m.CursorShape}
    assert {type(message) for message in LONGEST} == kinds


@pytest.mark.parametrize("message", LONGEST, ids=lambda message: type(message).__name__)
def test_what_is_written_is_read_and_fits(message: m.ControlMessage) -> None:
    data = m.encode(message)
    assert m.decode(data) == message
    assert m.decode(memoryview(data)) == message
    assert len(data) <= m.LEAST_MAX_MESSAGE
    assert data[0] != wire.MARK


def test_messages_are_plain_msgpack() -> None:
    """So that a viewer in a browser can read them with any library."""
    assert msgspec.msgpack.decode(m.encode(m.Ack(0, 1, 17))) == ["ack", 0, 1, 17]
    assert msgspec.msgpack.decode(m.encode(m.ConsentNotice(Scope.VIEW, ConsentState.GRANTED))) == [
        "consent",
        "view",
        "granted",
    ]


@pytest.mark.parametrize("message", LONGEST, ids=lambda message: type(message).__name__)
def test_nothing_shorter_longer_or_else_is_read(message: m.ControlMessage) -> None:
    data = m.encode(message)
    for bad in (data[:-1], data + b"\0", data[:1] + b"\xa1?" + data[2:]):
        with pytest.raises(RemoteProtocolError):
            m.decode(bad)
    fields = msgspec.msgpack.decode(data)
    if not isinstance(message, m.Hello):
        with pytest.raises(RemoteProtocolError):
            m.decode(msgspec.msgpack.encode([*fields, 0]))


def test_a_later_version_may_say_more_in_its_hello() -> None:
    hello = LONGEST[0]
    fields = msgspec.msgpack.decode(m.encode(hello))
    assert m.decode(msgspec.msgpack.encode([*fields, {"new": 1}])) == hello


@pytest.mark.parametrize(
    "message",
    [
        m.Chat("x" * (m.MAX_TEXT + 1)),
        m.Chat("\ud800"),
        m.Pointer(256, 0, 0),
        m.Pointer(0, 2**31, 0),
        m.Key(-1, True),
        m.Layout(DISPLAYS + DISPLAYS[:1]),
        m.Layout((m.Display(0, 0, 0, 0, 5),)),
        m.FileData(0, 0, b""),
        m.FileData(0, 0, bytes(m.MAX_FILE_DATA + 1)),
        m.Pointer(0, 0.5, 0),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_what_the_peer_would_refuse_is_not_sent(message: m.ControlMessage) -> None:
    with pytest.raises(LocalProtocolError):
        m.encode(message)


@pytest.mark.parametrize(
    "value",
    [
        ["chat", "x" * (m.MAX_TEXT + 1), ""],
        ["ack", 0, -1, 0],
        ["ack", 0, 0, 2**32],
        ["ack", 0, 0, 0.0],
        ["ack", True, 0, 0],
        ["ack", None, 0, 0],
        ["nothing"],
        [],
        {"type": "ack"},
        "ack",
        7,
        ["consent", "everything", "granted"],
        ["layout", [[0, 0, 0, 0, 5]]],
        ["cursor-shape", 0, 257, 1, 0, 0, b""],
        ["cursor-shape", 0, 1, 1, 0, 0, bytes(m.MAX_CURSOR_BYTES + 1)],
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_out_of_range_is_refused(value: object) -> None:
    with pytest.raises(RemoteProtocolError):
        m.decode(msgspec.msgpack.encode(value))


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    try:
        message = m.decode(data)
    except RemoteProtocolError:
        return
    assert m.decode(m.encode(message)) == message


@given(st.sampled_from(LONGEST), st.data())
def test_damage_is_refused_or_reads_as_something_valid(message: m.ControlMessage, data: st.DataObject) -> None:
    changed = bytearray(m.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = m.decode(changed)
    except RemoteProtocolError:
        return
    assert m.decode(m.encode(read)) == read


@pytest.mark.parametrize("data", [b"\x91" * 10**5, b"\x81" * 10**5, b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"])
def test_deep_and_long_announcements_take_nothing(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        m.decode(data)
