"""What both ends have in common: state, queues, the last error, pings, chat, files and pauses.

The transitions are in `states`; this is the only place that makes them. After a fault of the peer the connection stays
`FAILED`: every further message gets the same error, and nothing but a last word goes out.
"""

import math
import sys
from collections import deque
from typing import Any, NoReturn

from fastframe._arguments import checked_bool, checked_int
from fastframe.codec.packet import MAX_U32
from fastframe.errors import ConsentRequired, LocalProtocolError, RemoteProtocolError
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream import wire
from fastframe.stream.consent import Scope
from fastframe.stream.files import FileTransfers
from fastframe.stream.states import FOR_BOTH, TRANSITIONS, Action, Fragment, Role, State, Trigger, next_state
from fastframe.stream.wire import MARK, Message, parse

# Keepalives without an answer after which a connection counts as lost.
SILENT_KEEPALIVES = 3
# Messages and events that wait for the caller. Only who never asks for them gets there.
MAX_WAITING = 10_000
# Bytes of control messages that wait for the caller.
MAX_WAITING_BYTES = 4 * 2**20

_INFINITY = math.inf
# A time beyond it is none.
LATEST = sys.float_info.max
# The next one of the same makes up for them.
_DROPPABLE: frozenset[type] = frozenset({m.Ack, m.KeyframeRequest, m.CursorPosition, m.Ping, m.Pong})


class Rejected(RemoteProtocolError):
    """A viewer's hello was understood and is not accepted: `reason` tells why, and the viewer is told."""

    def __init__(self, reason: m.ByeReason, message: str, **numbers: Any) -> None:
        super().__init__(message, **numbers)
        self.reason = reason


class Endpoint:
    """One end of a session; see `Sender` and `Receiver`, which add what is not implemented here."""

    def __init__(self, role: Role, state: State, max_fragment: int, keepalive: float) -> None:
        self._role = role
        self._state = state
        # Whether that is OPEN: asked many times a frame, and Python 3.11 takes as long for a member of an enum as for a
        # call of a function.
        self._is_open = False
        # What is legal in that state, and what follows.
        self._legal = TRANSITIONS[role][state]
        self._max_fragment = max_fragment
        self._keepalive = keepalive
        # The peer's bound once it is known; until then only hello and welcome are sent.
        self._max_message = max_fragment
        self._events: deque[e.Event] = deque()
        # Each with the scope without which it must not leave any more.
        self._control: list[tuple[Message, Scope | None]] = []
        self._control_bytes = 0
        # Parts of pictures, each with the time from which on it may leave, in order.
        self._frames: list[tuple[float, Message]] = []
        # Before this time `poll` finds nothing to do, unless something happens first.
        self._quiet_until = -math.inf
        self._wire_bytes = 0
        self._error: RemoteProtocolError | None = None
        self._now = -LATEST  # earlier than any time, and -inf is none
        self._heard_at: float | None = None
        self._ping_number = 0
        self._pings: dict[int, float] = {}
        self._pause_by_us = self._pause_by_peer = False
        self._files = FileTransfers(0 if role is Role.SENDER else 1)

    def __getstate__(self) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"a {name} cannot be copied or pickled: two would go on with one session")

    # -- what the caller sees -------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the connection is."""
        return self._state

    @property
    def paused(self) -> bool:
        """Whether frames rest, by either side's wish."""
        return self._pause_by_us or self._pause_by_peer

    @property
    def paused_by_peer(self) -> bool:
        """Whether frames rest by the peer's wish."""
        return self._pause_by_peer

    def next_event(self) -> e.Event | None:
        """The next event; `None` when there is none. Ask after each `receive` and each `poll`."""
        return self._events.popleft() if self._events else None

    def receive(self, data: bytes | memoryview, now: float) -> None:
        """Takes one message from the peer. Events may follow.

        Parameters
        ----------
        data
            The whole message; it must not be changed afterwards, since frames are not copied.
        now
            The time.

        Raises
        ------
        RemoteProtocolError
            The peer has broken the protocol. The connection is `FAILED`: this raises the same error from now on, and
            `poll` gives a last message.
        LocalProtocolError
            Nobody has asked for events for too long.
        """
        self._set_time(now)
        quiet_until, self._quiet_until = self._quiet_until, -_INFINITY
        if not self._is_open:
            if self._error is not None and self._state is State.FAILED:
                raise self._error
            if self._state in (State.CLOSED, State.IDLE) or (self._state is State.LOST and self._role is Role.RECEIVER):
                return  # what was on its way when this side closed, or the transport went
        if len(self._events) > MAX_WAITING:
            raise LocalProtocolError(f"more than {MAX_WAITING} events wait for next_event", limit=MAX_WAITING)
        if self._is_open or self._state is not State.LOST:
            self._heard_at = self._now
        try:
            message = data if type(data) is bytes else memoryview(data).cast("B")
        except (TypeError, ValueError) as error:
            raise LocalProtocolError(f"a message must be a contiguous bytes-like object: {error}") from error
        try:
            look_at = self._take(message)
        except RemoteProtocolError as error:
            self._fail(error)
            raise
        self._quiet_until = look_at if look_at < quiet_until else quiet_until

    def poll(self, now: float) -> list[Message] | float:
        """The messages to send now, in order; or, if there are none, the time at which to call again.

        That may be `inf`; after `receive` and every other call it may be earlier. Events may come up: ask for them.
        """
        self._set_time(now)
        due = self._quiet_until
        if due - 1e-9 <= self._now:
            due = self._advance()
        messages: list[Message] = []
        if self._control:
            messages += [message for message, _ in self._control]
            self._control.clear()
            self._control_bytes = 0
        if self._frames:
            messages += self._take_frames()
            if self._frames:
                leaves_at = self._frames[0][0]
                due = min(due, leaves_at)
        self._quiet_until = due
        if not messages:
            return due
        for message in messages:
            self._wire_bytes += len(message.header) + len(message.payload)
        return messages

    def close(self, now: float, reason: m.ByeReason = m.ByeReason.FINISHED, text: str = "") -> None:
        """Ends the session; all that is queued is dropped. `poll` gives the last message, if there is a connection."""
        self._tick(now)
        if self._state is State.CLOSED:
            return
        connected = self._state in (State.CONNECTING, State.OPEN)
        bye = m.encode(m.Bye(reason, text))
        self._move(Action.CLOSE)
        self._drop_queues()
        if connected:
            self._queue(bye)
        self._events.append(e.Closed(reason, text, by_peer=False))
        self._ended()

    def connection_lost(self, now: float) -> None:
        """The transport has gone. The session may be continued over a new one, unless it is closed."""
        self._tick(now)
        before = self._state
        self._move(Action.LOSE_CONNECTION)
        self._drop_queues()
        self._heard_at = None
        self._pings.clear()
        if self._state is not before:
            self._events += self._files.clear()

    def pause(self, now: float) -> None:
        """No frames until `resume`, from whichever side they come; those that are queued are dropped."""
        self._set_pause(now, True)

    def resume(self, now: float) -> None:
        """Frames again, unless the peer has paused as well."""
        self._set_pause(now, False)

    def send_chat(self, text: str, now: float, *, author: str = "") -> None:
        """Sends a line of chat, of at most 2048 characters; `ConsentRequired` without `chat`."""
        self._tick(now)
        self._require(Scope.CHAT)
        self._send(m.Chat(text, author), Scope.CHAT)

    def offer_file(self, name: str, size: int, now: float) -> int:
        """Offers a file of `size` bytes and returns its number; `ConsentRequired` without `files`."""
        self._tick(now)
        self._require(Scope.FILES)
        next_state(self._role, self._state, Action.SEND)
        offer = self._files.offer(name, size)
        self._send(offer, Scope.FILES)
        return offer.id

    def answer_file(self, number: int, accepted: bool, now: float) -> None:
        """Accepts a file of the peer's, or does not."""
        self._tick(now)
        number = checked_int(number, "number", 0, MAX_U32)
        accepted = checked_bool(accepted, "accepted")
        if accepted:
            self._require(Scope.FILES)
        next_state(self._role, self._state, Action.SEND)
        self._send(self._files.answer(number, accepted))

    @property
    def max_file_data(self) -> int:
        """Longest piece of a file in bytes that `send_file_data` takes."""
        return min(m.MAX_FILE_DATA, self._max_message - 64)

    def send_file_data(self, number: int, data: bytes | bytearray | memoryview, now: float) -> None:
        """Sends the next piece of an accepted file, when `FileAnswered` or `FileProgress` has come for the last one."""
        self._tick(now)
        number = checked_int(number, "number", 0, MAX_U32)
        self._require(Scope.FILES)
        next_state(self._role, self._state, Action.SEND)
        if not isinstance(data, bytes | bytearray | memoryview):
            raise LocalProtocolError(f"data must be bytes, not {data!r}", actual=data)
        try:
            data = data if isinstance(data, bytes) else bytes(memoryview(data).cast("B"))
        except TypeError as error:
            raise LocalProtocolError(f"data must be contiguous: {error}", actual=data) from error
        if len(data) > self.max_file_data:
            raise LocalProtocolError(
                f"a piece of {len(data)} bytes, the limit is {self.max_file_data}", limit=self.max_file_data
            )
        self._send(self._files.data(number, data), Scope.FILES)

    def end_file(self, number: int, now: float) -> None:
        """Ends a file: complete if all of it has been sent and acknowledged, otherwise given up."""
        self._tick(now)
        number = checked_int(number, "number", 0, MAX_U32)
        next_state(self._role, self._state, Action.SEND)
        self._send(self._files.end(number))

    # -- for the two ends ------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        """Something happens, whatever it is. `poll`, `receive` and `send_frame` tell by themselves what `poll` has to
        look at; every other call that is told the time begins with this.
        """
        self._quiet_until = -_INFINITY
        self._set_time(now)

    def _set_time(self, now: float) -> None:
        # Nearly every time where a receiver asks, several times a frame; a sender has a way of its own before this.
        if type(now) is float:
            time = now
            if self._now <= time < _INFINITY:
                self._now = time
                return
        if not isinstance(now, (int, float)) or not -LATEST <= now <= LATEST:
            raise LocalProtocolError(f"now must be a number of seconds, not {now!r}", actual=now)
        # A clock that steps back must not undo what has expired.
        if now > self._now:
            self._now = now

    def _move(self, trigger: Trigger) -> None:
        after = self._legal.get(trigger) or next_state(self._role, self._state, trigger)
        if after is not self._state:
            self._state, self._is_open = after, after is State.OPEN
            self._legal = TRANSITIONS[self._role][after]

    def _send(self, message: m.ControlMessage, scope: Scope | None = None, *, always: bool = False) -> None:
        if not self._is_open:
            next_state(self._role, self._state, Action.SEND)
        self._queue(m.encode(message), scope, droppable=type(message) in _DROPPABLE, always=always)

    def _answer(self, message: m.ControlMessage) -> None:
        """Sends what the peer has asked for; a peer that only asks and does not read must not fill the queue."""
        if len(self._control) >= MAX_WAITING // 2 or self._control_bytes >= MAX_WAITING_BYTES // 2:
            waiting = len(self._control)
            raise RemoteProtocolError(f"{waiting} messages wait for a peer that asks for more", limit=MAX_WAITING // 2)
        self._send(message)

    def _queue(self, data: bytes, scope: Scope | None = None, *, droppable: bool = False, always: bool = False) -> None:
        """Queues a message.

        `always`: however full the queue is. That is for what the customer decides, and for what `poll` itself comes up
        with, since it leaves at once.
        """
        if len(data) > self._max_message:
            raise LocalProtocolError(
                f"message of {len(data)} bytes, the limit is {self._max_message}",
                limit=self._max_message,
                actual=len(data),
            )
        full = len(self._control) >= MAX_WAITING or self._control_bytes + len(data) > MAX_WAITING_BYTES
        if full and not always:
            raise LocalProtocolError(f"{len(self._control)} messages wait for poll", limit=MAX_WAITING)
        self._control.append((Message(data, droppable=droppable), scope))
        self._control_bytes += len(data)

    def _drop_scope(self, scope: Scope) -> None:
        """What is queued and needs this consent does not leave."""
        self._control = [item for item in self._control if item[1] is not scope]
        self._control_bytes = sum(len(message) for message, _ in self._control)

    def _take(self, data: bytes | memoryview) -> float:
        """Takes a message; returns when `poll` has to look at what it changes."""
        if not data or len(data) > self._max_fragment:
            raise RemoteProtocolError(
                f"message of {len(data)} bytes, 1 to {self._max_fragment} are allowed",
                limit=self._max_fragment,
                actual=len(data),
            )
        if data[0] == MARK:
            self._move(Fragment)
            self._handle_fragment(parse(memoryview(data)))
            return -_INFINITY
        message = m.decode(data)
        kind = type(message)
        if kind not in FOR_BOTH:
            self._move(kind)
            return self._handle(message)
        if isinstance(message, m.Bye) and message.reason is m.ByeReason.PROTOCOL_ERROR:
            # The peer's connection is `FAILED`, its session is not: this side's waits as well.
            next_state(self._role, self._state, m.Bye)
            self.connection_lost(self._now)
            self._events.append(e.ConnectionBroken(message.text))
        else:
            self._move(kind)
            self._handle_common(message)
        return -_INFINITY

    def _handle_common(self, message: m.ControlMessage) -> None:
        match message:
            case m.Bye():
                self._drop_queues()
                self._events.append(e.Closed(message.reason, message.text, by_peer=True))
                self._ended()
            case m.Ping():
                self._answer(m.Pong(message.number))
            case m.Pong():
                sent_at = self._pings.pop(message.number, None)
                # Pings and pongs may be repeated on their way.
                if sent_at is not None:
                    self._heard_pong(self._now - sent_at)
            case m.Pause() | m.Resume():
                paused = isinstance(message, m.Pause)
                if paused is not self._pause_by_peer:
                    self._pause_by_peer = paused
                    self._events.append(e.PauseChanged(self._pause_by_us, self._pause_by_peer))
                    self._pause_changed()
            case m.Chat():
                if self._permits(Scope.CHAT):
                    self._events.append(e.ChatReceived(message.text, message.author))
                else:
                    self._events.append(e.Refused(Scope.CHAT, "chat"))
            case m.FileOffer() | m.FileAnswer() | m.FileData() | m.FileAck() | m.FileEnd():
                self._handle_file(message)
            case _:
                raise AssertionError(f"{message} is not for both ends")

    def _handle_file(self, message: m.FileOffer | m.FileAnswer | m.FileData | m.FileAck | m.FileEnd) -> None:
        if not self._permits(Scope.FILES):
            if isinstance(message, m.FileOffer):
                self._answer(m.FileAnswer(message.id, False))
            self._events.append(e.Refused(Scope.FILES, "file"))
            return
        event, answer = self._files.received(message)
        if answer is not None:
            self._answer(answer)
        if event is not None:
            self._events.append(event)

    def _ping(self) -> None:
        # More than a few can only be answered by a peer that came back from the dead; the others may be lost.
        if len(self._pings) >= 8:
            del self._pings[next(iter(self._pings))]
        self._ping_number = (self._ping_number + 1) & 0xFFFFFFFF
        self._send(m.Ping(self._ping_number), always=True)
        self._pings[self._ping_number] = self._now

    def _advance(self) -> float:
        """Does what time alone brings about; returns when to come back."""
        # To a sender a viewer may come at any time; how long a stranger may be silent is up to the server.
        if not self._is_open and (self._state is not State.CONNECTING or self._role is Role.SENDER):
            return math.inf
        if self._heard_at is None:
            self._heard_at = self._now
        silence = self._now - self._heard_at
        # The rounding of sums of times must not make a timer that is never quite due.
        if self._is_open and silence < self._keepalive - 1e-9:
            return self._heard_at + self._keepalive
        lost_at = self._heard_at + SILENT_KEEPALIVES * self._keepalive
        if silence >= SILENT_KEEPALIVES * self._keepalive - 1e-9:
            self.connection_lost(self._now)
            self._events.append(e.ConnectionTimedOut(silence))
            return math.inf
        if not self._is_open:
            return lost_at
        quiet_since = max(self._heard_at, *self._pings.values()) if self._pings else self._heard_at
        if self._now - quiet_since >= self._keepalive - 1e-9:
            self._ping()
            quiet_since = self._now
        return min(quiet_since + self._keepalive, lost_at)

    def _fail(self, error: RemoteProtocolError) -> None:
        self._error = error
        self._move(Action.FAIL)
        self._drop_queues()
        reason = error.reason if isinstance(error, Rejected) else m.ByeReason.PROTOCOL_ERROR
        self._queue(m.encode(m.Bye(reason, str(error)[:200])))

    def _drop_queues(self) -> None:
        self._control.clear()
        self._control_bytes = 0
        self._frames.clear()

    def _set_pause(self, now: float, paused: bool) -> None:
        self._tick(now)
        if paused is self._pause_by_us:
            return
        if self._is_open:
            self._send(m.Pause() if paused else m.Resume(), always=True)
        self._pause_by_us = paused
        self._events.append(e.PauseChanged(self._pause_by_us, self._pause_by_peer))
        self._pause_changed()

    # -- what the two ends do differently ----------------------------------------------------------------------

    def _handle(self, message: m.ControlMessage) -> float:
        """Takes a message that only one of the two ends gets; returns when `poll` has to look at what it changes."""
        raise NotImplementedError

    def _handle_fragment(self, fragment: wire.FrameFragment) -> None:
        """Takes a part of a picture."""
        raise NotImplementedError

    def _require(self, scope: Scope) -> None:
        """Raises `ConsentRequired` unless the scope is granted."""
        raise NotImplementedError

    def _permits(self, scope: Scope) -> bool:
        try:
            self._require(scope)
        except ConsentRequired:
            return False
        return True

    def _take_frames(self) -> list[Message]:
        """The parts of pictures that go out now."""
        frames: list[Message] = []
        latest = self._now + 1e-9
        for leaves_at, message in self._frames:
            if leaves_at > latest:
                break
            frames.append(message)
        del self._frames[: len(frames)]
        return frames

    def _pause_changed(self) -> None:
        """One of the two has paused or resumed."""
        raise NotImplementedError

    def _heard_pong(self, rtt: float) -> None:
        """A ping has been answered."""
        raise NotImplementedError

    def _ended(self) -> None:
        """The session is over."""
        raise NotImplementedError


def checked_display(displays: dict[int, Any], number: int) -> Any:
    """What belongs to a display; `LocalProtocolError` for one that there is not."""
    try:
        found = displays.get(number)
    except TypeError:  # not even hashable
        found = None
    if found is None:
        told = f"only {sorted(displays)}" if displays else "nor any other: Sender.set_displays comes first"
        raise LocalProtocolError(f"there is no display {number!r}, {told}", expected=sorted(displays), actual=number)
    return found


def checked_state(endpoint: Endpoint) -> None:
    """Raises `LocalProtocolError` where the customer's session is over."""
    if endpoint.state is State.CLOSED:
        next_state(Role.SENDER, State.CLOSED, Action.SEND)
