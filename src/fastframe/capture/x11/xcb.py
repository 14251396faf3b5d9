"""A connection to an X server through libxcb, on which nothing waits for ever.

libxcb brings what is hard about a connection: finding the server, authentication, the queues. Its own waiting functions
have no time limit, and one call that waits for a stopped server would take the whole program with it. So requests are
sent and replies are polled for, with `poll` on the socket in between. Requests are written out as bytes by the modules
that need them, which makes libxcb.so.1 the only library there is to load: not one for each extension.
"""

import contextlib
import os
import select
import struct
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

from fastframe import _threads
from fastframe._names import shown
from fastframe.capture.display_name import welcomed, why_unreachable
from fastframe.errors import PermanentCaptureError, TransientCaptureError

if TYPE_CHECKING:
    from fastframe._xcb import ChangesRequest, Descriptor, Link

# Opcodes of the core protocol.
_QUERY_EXTENSION = 98
_GET_INPUT_FOCUS = 43
# A server answers most requests sooner than a process falls asleep and wakes up again. Whoever is in a hurry asks again
# and again instead for so long, in seconds: a whole screen takes one to two milliseconds.
_SPIN = 2e-3
# Bytes of requests after which the server must have dealt with them before there are more. Of a stopped one the socket
# takes some ten thousand, and xcb waits for it to take the rest without a limit.
_MOST_UNANSWERED = 16384
# Seconds; `poll` takes no more than some weeks.
_LONGEST_SLEEP = 3600.0

T = TypeVar("T")
# A rectangle: x, y, width, height.
Area = tuple[int, int, int, int]
# An opcode, the second byte, and what follows the length.
Request = tuple[int, int, bytes]


class ConnectionLost(TransientCaptureError):
    """The server went away, or does not answer; this connection is of no more use."""


class RequestRefused(TransientCaptureError):
    """The server answered with an error; `actual` is its code."""


def _library() -> ModuleType:
    """The calls of libxcb, which is loaded.

    Raises
    ------
    PermanentCaptureError
        It is not there.
    """
    try:
        from fastframe import _xcb

        _xcb.load()
    except (OSError, ImportError) as error:
        raise PermanentCaptureError(f"libxcb is not installed, or too old: {error}") from error
    return _xcb


class Extension:
    """Where an extension has its requests, events and errors."""

    __slots__ = ("first_error", "first_event", "opcode")

    def __init__(self, opcode: int, first_event: int, first_error: int) -> None:
        self.opcode = opcode
        self.first_event = first_event
        self.first_error = first_error


class Pending(Generic[T]):
    """The answer to a request that has been sent; many can be on their way at once."""

    __slots__ = ("_connection", "_parse", "_sequence")

    def __init__(self, connection: "Connection", sequence: int, parse: Callable[[bytes], T]) -> None:
        self._connection = connection
        self._sequence = sequence
        self._parse = parse

    def get(self, *, hurry: bool = True) -> T:
        """Wait for the answer; without hurry asleep, which takes less of the processor and more time.

        Raises
        ------
        RequestRefused
            The server refuses the request.
        ConnectionLost
            It did not answer in time, or is gone.
        """
        try:
            reply = self._connection.reply(self._sequence, hurry=hurry)
        except RequestRefused:
            self._sequence = 0
            raise
        self._sequence = 0
        return self._parse(reply)

    def __del__(self) -> None:
        # Nobody can ask for it any more, and xcb would keep it.
        if getattr(self, "_sequence", 0):  # an interrupt may come before there is one
            self._connection.discard(self._sequence)


def _refusal(error: bytes) -> RequestRefused:
    """What an error of the server, 32 bytes, means."""
    code, _, minor, major = struct.unpack_from("<xBHxxxxHB", error)
    return RequestRefused(f"the display server refuses request {major}.{minor}: error {code}", actual=code)


class Connection:
    """A connection to an X server; closed by `close`, when it is lost, or when nobody refers to it any more.

    Parameters
    ----------
    link
        What `Attempt.wait` gave.
    timeout
        Seconds until a server that does not answer counts as lost.
    """

    def __init__(self, link: "Link", timeout: float) -> None:
        self._link = link
        self._is_open = True
        self._pid = os.getpid()
        self._xcb = _library()
        self._timeout = timeout
        self.screen = link.screen
        self._fd = self._xcb.file_descriptor(link)
        self._poller = select.poll()
        self._poller.register(self._fd, select.POLLIN)
        # Whether events may have come along with a reply, which the socket does not tell of any more.
        self._unread = True
        self._unanswered = 0

    @property
    def setup(self) -> bytes:
        """What the server said of itself when we connected: the reply of the core protocol's connection setup."""
        return bytes(self._xcb.setup(self._alive()))

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine for certain, so that it can share memory with us."""
        # A TCP connection to localhost may be a tunnel to another machine.
        self._alive()
        return self._link.is_local

    @property
    def is_inherited(self) -> bool:
        """Whether it is that of the process which this one was forked from, and all that may be done is to close it.

        It takes a system call, so whoever is called for many requests at a time asks once.
        """
        return self._pid != os.getpid()

    def new_id(self) -> int:
        """A number for a new resource of ours."""
        return int(self._xcb.new_id(self._alive()))

    def new_memory(self) -> "Descriptor":
        """Memory that can be sent to the server; its size is 0."""
        return self._xcb.Descriptor()  # type: ignore[no-any-return]

    def query_extension(self, name: str) -> Extension | None:
        """Where an extension has its requests; `None`: the server does not have it."""
        raw = name.encode()
        payload = struct.pack("<HH", len(raw), 0) + raw + bytes(-len(raw) % 4)

        def parse(reply: bytes) -> Extension | None:
            return Extension(*reply[9:12]) if reply[8] else None

        return self.ask(_QUERY_EXTENSION, 0, payload, parse).get()

    def ask(self, opcode: int, data: int, payload: bytes, parse: Callable[[bytes], T]) -> Pending[T]:
        """Send a request that has a reply.

        Parameters
        ----------
        opcode
            The major opcode.
        data
            The second byte: the minor opcode of an extension's request.
        payload
            What follows the length, a multiple of four bytes.
        parse
            Makes of the whole reply (32 bytes and more) what it means.
        """
        return Pending(self, self._send(opcode, data, payload, is_void=False), parse)

    def tell(self, opcode: int, data: int, payload: bytes) -> None:
        """Send a request that has no reply. Should it fail, nobody learns of it: see `tell_and_check`."""
        self._send(opcode, data, payload, is_void=True, checked=False)

    def tell_and_check(self, opcode: int, data: int, payload: bytes, descriptor: "Descriptor | None" = None) -> None:
        """Send a request that has no reply, and wait until the server has dealt with it.

        Parameters
        ----------
        opcode, data, payload
            As for `ask`.
        descriptor
            Goes along; it is closed in any case.

        Raises
        ------
        RequestRefused
            It failed.
        ConnectionLost
            The server did not answer in time, or is gone.
        """
        sequence = self._send(opcode, data, payload, is_void=True, descriptor=descriptor)
        self.synchronize()
        self.reply(sequence, is_void=True)

    def flush(self) -> None:
        """Have everything sent that was told or asked; waiting for an answer does so too."""
        self._xcb.flush(self._alive())

    def synchronize(self) -> None:
        """Wait until the server has dealt with all that was sent before."""
        self.ask(_GET_INPUT_FOCUS, 0, b"", bytes).get()

    def _send(
        self,
        opcode: int,
        data: int,
        payload: bytes,
        *,
        is_void: bool,
        checked: bool = True,
        descriptor: "Descriptor | None" = None,
    ) -> int:
        self._unanswered += 4 + len(payload)
        if self._unanswered > _MOST_UNANSWERED:
            self._unanswered = 0
            self.synchronize()
        sequence = self._xcb.send(self._alive(), opcode, data, payload, checked, is_void, descriptor)
        if sequence == 0:
            self._lost()
        return int(sequence)

    def reply(self, sequence: int, *, is_void: bool = False, hurry: bool = True) -> bytes:
        """Wait for the reply to a request; empty for one that has none. `hurry` is that of `Pending.get`."""
        self._unread = True
        reply: bytes | None = self._xcb.reply(self._alive(), sequence, _SPIN if hurry else 0.0)
        if reply is None:
            reply = self._awaited(lambda: self._xcb.reply(self._alive(), sequence, 0.0))
        if not reply:
            if not is_void:
                self._lost()
        elif reply[0] == 0:
            raise _refusal(reply)
        return reply

    def _awaited(self, look: Callable[[], T | None]) -> T:
        """What a look for answers gives as soon as it gives something; asleep until then."""
        deadline = time.monotonic() + self._timeout
        while (left := deadline - time.monotonic()) > 0:
            self._poller.poll(left * 1000)
            if (answer := look()) is not None:
                return answer
        self.close()
        raise ConnectionLost(f"the display server has not answered for {self._timeout:g} s", limit=self._timeout)

    def discard(self, sequence: int) -> None:
        """Let go of a reply that nobody waits for, whether it is here or not."""
        if self._is_open and not self.is_inherited:
            self._xcb.discard(self._link, sequence)

    def events(self, damage_kind: int, told: Area | None, leap: int) -> tuple[list[bytes], Area | None, bool]:
        """What has arrived by now; the failures of what `tell` sent are left out.

        Parameters
        ----------
        damage_kind, told, leap
            The code of events of damage, the last rectangle of which they told, if any, and how many rows are a leap.

        Returns
        -------
        Other events, 32 bytes each; the last rectangle of damage; whether one was a leap from the one before it.
        """
        others, told, leapt = self._xcb.events(self._alive(), damage_kind, told, leap)
        return self._arrived(others), told, leapt

    def changes_request(
        self, damage_kind: int, leap: int, take: Request, fetch: Request, image: Request
    ) -> "ChangesRequest":
        """What `ask_changes` sends: requests to take the damage, to tell it, and for pixels. And as for `events`."""
        request: ChangesRequest = self._xcb.ChangesRequest(damage_kind, leap, take, fetch, image)
        return request

    def ask_changes(
        self,
        request: "ChangesRequest",
        told: Area | None,
        area: Area,
        segment: int,
        wanted: tuple[int, int],
        gap: int,
    ) -> tuple[list[bytes], Area | None, bool, tuple[int, int] | None]:
        """As `events`; if there is damage in the picture and nothing else, it is asked for at once, pixels and all.

        All that is asked for was sent when this returns, and `receive_changes` must follow.

        Parameters
        ----------
        request
            What is sent.
        told
            As for `events`.
        area, segment
            The picture on the screen, and the memory that holds its rows.
        wanted
            The first row of the picture that is asked for in any case, and the end of these.
        gap
            How far from these the damage may not be.

        Returns
        -------
        As `events`, and if anything was asked for, the first of the rows that were and their end.
        """
        others, told, leapt, rows = request.ask(self._alive(), told, area, segment, *wanted, gap)
        return self._arrived(others), told, leapt, rows

    def receive_changes(self, request: "ChangesRequest") -> tuple[bytes, bool, list[bytes], Area | None, bool]:
        """Wait until all is here that `ask_changes` has asked for.

        Returns
        -------
        The changed rectangles in the picture, as X has rectangles; whether all lie in the rows that were read; and as
        `events`, what has happened until they were.

        Raises
        ------
        RequestRefused
            The server refuses to tell or to read.
        ConnectionLost
            It did not answer in time, or is gone.
        """
        self._unread = True
        received = request.receive(self._alive(), _SPIN)
        if received is None:
            received = self._awaited(lambda: request.receive(self._alive(), 0.0))
        refused, changed, inside, (others, told, leapt) = received
        if refused:
            raise _refusal(refused)
        return changed, inside, self._arrived(others), told, leapt

    def _arrived(self, events: list[bytes] | None) -> list[bytes]:
        self._unread = False
        if events is None:
            self._lost()
        return events

    def sleep(self, seconds: float | None) -> None:
        """Sleep until something arrives, or at most until the time is over; not at all while `events` may have some."""
        self._xcb.flush(self._alive())
        if self._unread:
            return
        self._poller.poll(None if seconds is None else min(max(0.0, seconds), _LONGEST_SLEEP) * 1000)

    @contextlib.contextmanager
    def limited(self) -> Iterator[None]:
        """Hang up when what is inside takes longer than `timeout`.

        Of a reply that has begun to arrive xcb waits for the rest without a limit, and the rest of a large one may
        never come. Small ones come in one piece.

        Raises
        ------
        TransientCaptureError
            The thread that waits meanwhile cannot be started.
        """
        link = self._alive()
        done: SimpleQueue[None] = SimpleQueue()
        try:  # from before the thread begins: an interrupt may come as soon as it has
            try:
                _threads.start("fastframe-limit", _break_off_after, self._timeout, done, link)
            except RuntimeError as error:
                raise TransientCaptureError(f"cannot capture the screen just now: {error}") from error
            yield
        finally:
            done.put(None)

    def _alive(self) -> "Link":
        if not self._is_open:
            raise ConnectionLost("the connection to the display server is closed")
        return self._link

    def _lost(self) -> NoReturn:
        self.close()
        raise ConnectionLost("the display server has gone away")

    def close(self) -> None:
        """Disconnect; may be called again."""
        self._is_open = False
        self._link.disconnect()


def _break_off_after(seconds: float, done: "SimpleQueue[None]", link: "Link") -> None:
    try:
        done.get(timeout=seconds)
    except Empty:
        link.break_off()


# What `has_error` tells.
_HUNG_UP = 1
_REASONS = {
    2: "it lacks an extension",
    3: "memory ran out",
    6: "it has no such screen",
}


class Attempt:
    """An attempt to connect, in a thread, since xcb waits for the server's first words without a limit.

    Parameters
    ----------
    display
        Such as `:0`.

    Raises
    ------
    PermanentCaptureError
        libxcb is missing.
    """

    def __init__(self, display: str) -> None:
        self._name = display
        try:
            self._encoded_name = os.fsencode(display)
        except UnicodeEncodeError as error:
            raise PermanentCaptureError(f"cannot capture display {display!r}: there is no such display") from error
        self._xcb = _library()
        # The connection. It belongs to whoever takes it.
        self._results: SimpleQueue[Link] = SimpleQueue()
        self._is_abandoned = False
        try:
            _threads.start("fastframe-x11", self._run)
        except RuntimeError as error:
            raise TransientCaptureError(f"cannot capture display {shown(display)}: {error}") from error

    def _run(self) -> None:
        link = self._xcb.Link(self._encoded_name)
        if self._xcb.has_error(link) == _HUNG_UP:
            with welcomed(self._name) as is_welcome:
                if is_welcome:
                    link = self._xcb.Link(self._encoded_name)
        self._results.put(link)
        if self._is_abandoned:
            self.abandon()

    def wait(self, seconds: float) -> "Link":
        """The connection.

        Raises
        ------
        TransientCaptureError
            The server has not answered yet.
        PermanentCaptureError
            There is no such server, or it refuses us.
        """
        try:
            link = self._results.get(timeout=seconds)
        except Empty:
            raise TransientCaptureError(
                f"cannot capture display {shown(self._name)}: it takes the connection and does not answer",
                limit=seconds,
            ) from None
        if code := self._xcb.has_error(link):
            reason = _REASONS.get(code) or why_unreachable(self._name) or "there is no such display"
            raise PermanentCaptureError(f"cannot capture display {shown(self._name)}: {reason}")
        return link

    def abandon(self) -> None:
        """Hang up, as soon as the server has answered; may be called again."""
        self._is_abandoned = True
        with contextlib.suppress(Empty):
            self._results.get_nowait().disconnect()
