"""Control messages: everything that crosses the wire but pixels.

Each is a msgpack array whose first element names it, such as `["ack", 0, 1, 17]`: few bytes, and any msgpack library
reads it, one in a browser too. `msgspec` checks types, ranges and lengths while it decodes, so nothing malformed gets
further than `decode`. Frame fragments are not here: they begin with a byte that msgpack never uses, and their layout is
in `fragments`.

`Hello` alone may have more fields than this version knows, so that later versions can be negotiated at all.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

import msgspec

from fastframe.errors import LocalProtocolError, RemoteProtocolError
from fastframe.geometry import Rect
from fastframe.limits import Limits
from fastframe.stream.consent import ConsentState, Scope

# The versions of these messages that this library speaks; the highest one that both sides know is used.
VERSIONS = (1,)
# The smallest bound of a message that a peer may state. All but cursor shapes fit into it, whatever they say.
LEAST_MAX_MESSAGE = 12 * 1024
MAX_DISPLAYS = 16
MAX_TEXT = 2048
MAX_NAME = 64
MAX_CAPABILITIES = 16
MAX_FILE_DATA = 11 * 1024
MAX_CURSOR_BYTES = 128 * 1024
MAX_CURSOR_SIDE = 256

U8 = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]
U16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
I32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Side = Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
Size = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]  # what a browser's numbers hold
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
Token = Annotated[bytes, msgspec.Meta(max_length=32)]
Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=MAX_CAPABILITIES)]


class ByeReason(StrEnum):
    """Why a session ends."""

    FINISHED = "finished"
    STOPPED = "stopped"  # by the customer
    VERSION = "version"  # no version in common
    LIMITS = "limits"  # the viewer's limits leave no room for a picture
    PAIRING = "pairing"  # wrong, used or expired key
    UNKNOWN_SESSION = "unknown-session"  # the token is not, or no longer, known
    PROTOCOL_ERROR = "protocol-error"
    TIMEOUT = "timeout"
    CONSENT = "consent"  # refused or withdrawn
    INTERNAL = "internal"


class Party(StrEnum):
    """Who did something."""

    CUSTOMER = "customer"
    TECHNICIAN = "technician"


class _Part(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A part of a message."""


class _Message(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """A whole message."""


class WireLimits(_Part, frozen=True):
    """`fastframe.Limits` as the viewer states them; the sender's encoders keep to them."""

    max_width: Side
    max_height: Side
    max_pixels: Annotated[int, msgspec.Meta(ge=1, le=2**30)]
    max_packet_bytes: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    max_window_log: Annotated[int, msgspec.Meta(ge=10, le=23)]
    max_cache_slots: Annotated[int, msgspec.Meta(ge=0, le=4096)]

    @classmethod
    def of(cls, limits: Limits) -> "WireLimits":
        return cls(*(getattr(limits, name) for name in cls.__struct_fields__))

    def to_limits(self) -> Limits:
        return Limits(*msgspec.structs.astuple(self))


class Position(_Part, frozen=True):
    """How far a viewer is with a display: the packet that it wants next."""

    display: U8
    epoch: U32
    sequence: U32


class Display(_Part, frozen=True):
    """One monitor.

    Attributes
    ----------
    id
        Its number, 0 to 255: stays the same while the monitor is plugged in.
    x, y, width, height
        Place and size on the customer's desktop, in pixels.
    name
        For people, such as "DP-1".
    primary
        Whether it is the main one.
    """

    id: U8
    x: I32
    y: I32
    width: Side
    height: Side
    name: Name = ""
    primary: bool = False

    @property
    def rect(self) -> Rect:
        return Rect(self.x, self.y, self.width, self.height)


Displays = Annotated[tuple[Display, ...], msgspec.Meta(max_length=MAX_DISPLAYS)]


class Grant(_Part, frozen=True):
    """The state of one scope."""

    scope: Scope
    state: ConsentState


class Hello(msgspec.Struct, array_like=True, frozen=True, tag_field="type", tag="hello"):
    """The viewer's first message on every connection.

    `key` is the pairing key and `token` that of a session to continue; each may be empty. `positions` say how far the
    viewer is with the displays of that session.
    """

    versions: Annotated[tuple[U16, ...], msgspec.Meta(min_length=1, max_length=16)]
    packet_versions: Annotated[tuple[U8, ...], msgspec.Meta(min_length=1, max_length=16)]
    limits: WireLimits
    max_message: Annotated[int, msgspec.Meta(ge=LEAST_MAX_MESSAGE, le=2**31 - 1)]
    name: Name = ""
    capabilities: Names = ()
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(max_length=16)] = ()
    key: Annotated[str, msgspec.Meta(max_length=32)] = ""
    token: Token = b""
    positions: Annotated[tuple[Position, ...], msgspec.Meta(max_length=MAX_DISPLAYS)] = ()


class Welcome(_Message, frozen=True, tag="welcome"):
    """The sender's answer: the versions in use, the session's token, what there is and what is allowed."""

    version: U16
    packet_version: U8
    max_message: Annotated[int, msgspec.Meta(ge=LEAST_MAX_MESSAGE, le=2**31 - 1)]
    token: Token
    name: Name
    capabilities: Names
    displays: Displays
    grants: Annotated[tuple[Grant, ...], msgspec.Meta(max_length=16)]
    resumed: bool
    paused: bool = False


class Layout(_Message, frozen=True, tag="layout"):
    """All displays that there are now; those of before that are not named are gone."""

    displays: Displays


class CursorShape(_Message, frozen=True, tag="cursor-shape"):
    """What the pointer looks like: straight-alpha BGRA rows, compressed with zlib."""

    serial: U32
    width: Annotated[int, msgspec.Meta(ge=1, le=MAX_CURSOR_SIDE)]
    height: Annotated[int, msgspec.Meta(ge=1, le=MAX_CURSOR_SIDE)]
    hot_x: U8
    hot_y: U8
    pixels: Annotated[bytes, msgspec.Meta(max_length=MAX_CURSOR_BYTES)]


class CursorPosition(_Message, frozen=True, tag="cursor"):
    """Where the pointer's hotspot is, in pixels of the display."""

    display: U8
    x: I32
    y: I32
    visible: bool = True


class Ack(_Message, frozen=True, tag="ack"):
    """The viewer has this packet of the display, and all before it."""

    display: U8
    epoch: U32
    sequence: U32


class KeyframeRequest(_Message, frozen=True, tag="keyframe"):
    """The viewer lacks packets of a display.

    With `epoch` and `sequence` it can go on from that packet, if the sender still has it; without, it needs a keyframe.
    Of the packets from there on it lacks the first `count`, or, with 0, perhaps all.
    """

    display: U8
    epoch: U32 | None = None
    sequence: U32 = 0
    count: U32 = 0


class Pause(_Message, frozen=True, tag="pause"):
    """No frames, please, until `Resume`; from either side."""


class Resume(_Message, frozen=True, tag="resume"):
    """Frames again."""


class ConsentRequest(_Message, frozen=True, tag="consent-request"):
    """The technician asks for a scope."""

    scope: Scope
    text: Text = ""


class ConsentNotice(_Message, frozen=True, tag="consent"):
    """The customer's side tells that the state of a scope has changed."""

    scope: Scope
    state: ConsentState


class Chat(_Message, frozen=True, tag="chat"):
    """A line of chat."""

    text: Text
    author: Name = ""


class InputActivity(_Message, frozen=True, tag="input-activity"):
    """The customer's side tells who moves mouse and keyboard now."""

    party: Party
    name: Name = ""


class Pointer(_Message, frozen=True, tag="pointer"):
    """The technician's mouse: place on a display, pressed buttons as bits (1 left, 2 right, 4 middle), wheel steps."""

    display: U8
    x: I32
    y: I32
    buttons: U8 = 0
    wheel_x: I32 = 0
    wheel_y: I32 = 0


class Key(_Message, frozen=True, tag="key"):
    """The technician's keyboard: an X11 keysym, pressed or released."""

    keysym: U32
    pressed: bool


class FileOffer(_Message, frozen=True, tag="file-offer"):
    """A file that the peer may have. `id` is chosen by the side that offers."""

    id: U32
    name: Name
    size: Size


class FileAnswer(_Message, frozen=True, tag="file-answer"):
    """Whether an offered file is wanted."""

    id: U32
    accepted: bool


class FileData(_Message, frozen=True, tag="file-data"):
    """A piece of a file; the next one follows when this one is acknowledged."""

    id: U32
    offset: Size
    data: Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_FILE_DATA)]


class FileAck(_Message, frozen=True, tag="file-ack"):
    """How many bytes of a file have arrived."""

    id: U32
    offset: Size


class FileEnd(_Message, frozen=True, tag="file-end"):
    """A file is complete, or will never be; from either side."""

    id: U32
    complete: bool


class Ping(_Message, frozen=True, tag="ping"):
    """Asks for a `Pong`, when nothing else has come for a while."""

    number: U32


class Pong(_Message, frozen=True, tag="pong"):
    """Answers a `Ping`."""

    number: U32


class Bye(_Message, frozen=True, tag="bye"):
    """The last message of a session."""

    reason: ByeReason
    text: Text = ""


ControlMessage: TypeAlias = (
    Hello
    | Welcome
    | Layout
    | CursorShape
    | CursorPosition
    | Ack
    | KeyframeRequest
    | Pause
    | Resume
    | ConsentRequest
    | ConsentNotice
    | Chat
    | InputActivity
    | Pointer
    | Key
    | FileOffer
    | FileAnswer
    | FileData
    | FileAck
    | FileEnd
    | Ping
    | Pong
    | Bye
)

# Of msgspec's errors: where in a message.
_PLACES = re.compile(r"\[(\d+)\]")

_encoder = msgspec.msgpack.Encoder()
_decoder: "msgspec.msgpack.Decoder[ControlMessage]" = msgspec.msgpack.Decoder(ControlMessage)


def encode(message: ControlMessage) -> bytes:
    """The bytes of a message.

    Raises
    ------
    LocalProtocolError
        A field is out of its range. (`msgspec` checks fields when it decodes, so this decodes what it wrote: a wrong
        call fails here, and not at the peer.)
    """
    try:
        data = _encoder.encode(message)
        # They differ where msgspec writes something else as text, such as a Decimal or a date.
        if type(message) not in _TRUSTED and _decoder.decode(data) != message:
            raise TypeError("a field is of another type")
    except (msgspec.MsgspecError, TypeError, OverflowError, UnicodeError) as error:
        name = type(message).__name__
        raise LocalProtocolError(f"{name} cannot be sent: {_told(error, message)}", actual=message) from error
    return data


def _told(error: Exception, message: ControlMessage) -> str:
    """What msgspec says, with the field that it is about by its name; it tells its place, such as `$[1][0][3]`.

    What stands in the field is not told: it may be a key.
    """
    text, found, place = str(error).partition(" - at `$")
    if not found:
        return text
    path = ""
    value: Any = message
    for index in map(int, _PLACES.findall(place)):
        if isinstance(value, msgspec.Struct):
            # The first element of a message is its type.
            field = value.__struct_fields__[index - (value.__struct_config__.tag is not None)]
            path, value = f"{path}.{field}" if path else field, getattr(value, field)
        else:
            path, value = f"{path}[{index}]", value[index]
    return f"{path}: {text}"


# Sent often, and built from numbers that were checked already.
_TRUSTED: frozenset[type] = frozenset({Ack})


def decode(data: Any) -> ControlMessage:
    """The message in a bytes-like object; `RemoteProtocolError` if there is none."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise RemoteProtocolError(f"malformed message of {len(data)} bytes: {error}", actual=len(data)) from error


def check_hello(data: bytes) -> None:
    """Raises `RemoteProtocolError` if there is no `hello` in it."""
    message = decode(data)
    if not isinstance(message, Hello):
        actual = type(message).__name__
        raise RemoteProtocolError("the first message must be a hello", expected=Hello.__name__, actual=actual)


def decode_hello(data: Any) -> Hello | None:
    """The `hello` in a bytes-like object; `None` if there is none."""
    try:
        message = decode(data)
    except (RemoteProtocolError, TypeError):
        return None
    return message if isinstance(message, Hello) else None
