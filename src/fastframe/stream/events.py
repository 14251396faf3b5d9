"""What has happened, for the product and for the recording: what `next_event` returns.

All are frozen values. Consents come out as events at both ends, whoever changed them, so that either side can record
them; what this side itself has sent (chat, input, files) does not come back as an event.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fastframe.codec import FrameUpdate
from fastframe.stream.consent import ConsentState, Scope
from fastframe.stream.messages import ByeReason, Display, Party


@dataclass(frozen=True, slots=True)
class Connected:
    """The session is open.

    Attributes
    ----------
    name
        What the peer calls itself; not verified.
    capabilities
        What the peer can do, in names that products agree on.
    resumed
        Whether an earlier session goes on.
    """

    name: str
    capabilities: tuple[str, ...]
    resumed: bool


@dataclass(frozen=True, slots=True)
class ConnectionTimedOut:
    """Nothing has come from the peer for too long, pings included. Close the transport; the session may be resumed."""

    silence: float


@dataclass(frozen=True, slots=True)
class ConnectionBroken:
    """The peer could not read what it got, and says why. Close the transport; the session may be resumed."""

    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over.

    Attributes
    ----------
    reason, text
        As this side or the peer said.
    by_peer
        Whether the peer ended it.
    """

    reason: ByeReason
    text: str
    by_peer: bool


@dataclass(frozen=True, slots=True)
class FrameWanted:
    """Sender: there is room on the line and something to show. Capture this display and call `send_frame`.

    It is told once: again only after `send_frame` for this display, a new connection or a new consent.
    """

    display: int


@dataclass(frozen=True, slots=True)
class LayoutChanged:
    """Receiver: the displays are others now, or have another size or place. Comes after `Connected` as well."""

    displays: tuple[Display, ...]
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """Receiver: a packet has been decoded; `Receiver.frame(display)` shows it.

    When the display or the consent to `view` goes, this and other events of the display that wait for `next_event` are
    dropped. So `frame` has a picture for every one that is told, until the next `receive`.

    Attributes
    ----------
    display
        Which one.
    update
        What has changed. `complete` is about what the encoder was given, which on a slow line is a part of what has
        changed on the screen; only the sender knows whether there is more (`Sender.is_behind`).
    packet
        The packet itself, for a recording; a view of memory that nobody changes any more.
    """

    display: int
    update: FrameUpdate
    packet: memoryview = field(repr=False)


@dataclass(frozen=True, slots=True)
class PacketReceived:
    """Receiver that does not decode: a whole packet has come."""

    display: int
    packet: memoryview = field(repr=False)


@dataclass(frozen=True, slots=True)
class PictureLost:
    """Receiver: packets are missing or damaged. The last good frame stays; what is missing was asked for."""

    display: int
    cause: str


@dataclass(frozen=True, slots=True, eq=False)
class CursorShapeChanged:
    """Receiver: the pointer looks different. `pixels`: (height, width, 4) uint8, straight-alpha BGRA, read-only."""

    serial: int
    hot_x: int
    hot_y: int
    pixels: npt.NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CursorMoved:
    """Receiver: where the pointer's hotspot is, in pixels of the display."""

    display: int
    x: int
    y: int
    visible: bool


@dataclass(frozen=True, slots=True)
class PauseChanged:
    """Frames rest while `by_us` or `by_peer` is true."""

    by_us: bool
    by_peer: bool


@dataclass(frozen=True, slots=True)
class ConsentRequested:
    """Sender: the technician asks for a scope. Ask the customer, then tell the gate."""

    scope: Scope
    text: str


@dataclass(frozen=True, slots=True)
class ConsentChanged:
    """The state of a scope is another one. `by` is known at the customer's side only."""

    scope: Scope
    before: ConsentState
    after: ConsentState
    at: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class ChatReceived:
    """A line of chat from the peer."""

    text: str
    author: str


@dataclass(frozen=True, slots=True)
class InputActivityChanged:
    """Receiver: who moves mouse and keyboard now."""

    party: Party
    name: str


@dataclass(frozen=True, slots=True)
class PointerInput:
    """Sender: the technician's mouse, with the customer's consent to `control`. Fields as in `messages.Pointer`."""

    display: int
    x: int
    y: int
    buttons: int
    wheel_x: int
    wheel_y: int


@dataclass(frozen=True, slots=True)
class KeyInput:
    """Sender: the technician's keyboard, with the customer's consent to `control`. `keysym` is X11's."""

    keysym: int
    pressed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Something came without the consent that it needs, and was dropped. No fault: consents change meanwhile."""

    scope: Scope
    what: str


@dataclass(frozen=True, slots=True)
class FileOffered:
    """The peer offers a file. Answer with `answer_file`. The name is the peer's: no path to write to as it is."""

    id: int
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class FileAnswered:
    """The peer wants the file or not; if so, `send_file_data` may begin."""

    id: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class FileDataReceived:
    """The next piece of a file that was accepted; pieces come in order and without gaps."""

    id: int
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileProgress:
    """The peer has this many bytes of a file; the next piece may be sent."""

    id: int
    offset: int


@dataclass(frozen=True, slots=True)
class FileEnded:
    """A file is complete, or will never be."""

    id: int
    complete: bool


Event: TypeAlias = (
    Connected
    | ConnectionTimedOut
    | ConnectionBroken
    | Closed
    | FrameWanted
    | LayoutChanged
    | FrameReceived
    | PacketReceived
    | PictureLost
    | CursorShapeChanged
    | CursorMoved
    | PauseChanged
    | ConsentRequested
    | ConsentChanged
    | ChatReceived
    | InputActivityChanged
    | PointerInput
    | KeyInput
    | Refused
    | FileOffered
    | FileAnswered
    | FileDataReceived
    | FileProgress
    | FileEnded
)
