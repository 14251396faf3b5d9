"""Carries an endpoint's messages over a transport: the loop that every connection runs.

Three things go on at the same time. One reads, and notes when each message came, since round trips are measured by it.
One writes what `poll` gave, a message at a time, as the line takes it. The third takes turns: everything that touches
the endpoint happens there, one thing after the other, so the endpoint needs no lock. It polls again only when the
writer has nothing left: what is not encoded yet cannot be out of date.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from fastframe.errors import LocalProtocolError, RemoteProtocolError, TransportError
from fastframe.stream.aio.transport import CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT, LOGGER, Transport
from fastframe.stream.aio.worker import Worker
from fastframe.stream.events import Connected, ConnectionBroken, ConnectionTimedOut, Event
from fastframe.stream.states import State
from fastframe.stream.wire import MARK, Message

# Bytes of messages that are read ahead; the rest waits in the kernel, and then at the peer.
READ_AHEAD = 1024 * 1024
# Seconds without a message from the peer after which a line that takes none of ours either counts as lost. (While it
# takes some, the endpoint's own pings tell.)
STALL_TIMEOUT = 30.0

_MARK = bytes([MARK])


class Endpoint(Protocol):
    """What `Sender` and `Receiver` have in common, as far as it matters here."""

    @property
    def state(self) -> State: ...
    def receive(self, data: bytes | memoryview, now: float) -> None: ...
    def next_event(self) -> Event | None: ...
    def poll(self, now: float) -> list[Message] | float: ...
    def connection_lost(self, now: float) -> None: ...


T = TypeVar("T")
E = TypeVar("E", bound=Endpoint)
EventHandler = Callable[[Event], None]


class Driver(Generic[E]):
    """Drives one endpoint; the base of `SenderDriver` and `ReceiverDriver`. For one event loop.

    Parameters
    ----------
    endpoint
        What is driven. Nobody else may touch it, but for handlers of events and through `call`.
    on_event
        Called with each event, in the event loop, between two messages. It may call the endpoint, and must not block.
        What it raises ends `run`.
    worker
        The thread for what takes long; `None` for an endpoint in which nothing does. Several drivers may share it.

    Attributes
    ----------
    endpoint
        As above.
    is_open
        Set from the peer's greeting on, until the next `run` begins.
    """

    def __init__(self, endpoint: E, on_event: EventHandler, worker: Worker | None) -> None:
        self.endpoint = endpoint
        self._on_event = on_event
        self._worker = worker
        self._time = time.monotonic()
        self._calls: deque[tuple[Callable[[float], object], asyncio.Future[Any]]] = deque()
        self._wake = asyncio.Event()
        self._running = False
        # In which it runs, or ran last.
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_open = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        """Forgets what the connection before has left behind."""
        self._inbox: deque[tuple[bytes, float]] = deque()
        self._inbox_bytes = 0
        self._inbox_has_room = asyncio.Event()
        self._outbox: deque[Message] = deque()
        self._outbox_filled = asyncio.Event()
        self._writing = False
        self.is_open.clear()
        self._began = self._heard_at = self.now()
        # Whether nothing can be done with the connection any more, not even a last word.
        self._is_dead = False
        # Whether nothing will come from the transport any more, and why if there was a fault.
        self._ended = False
        self._failure: Exception | None = None

    # -- for the product -----------------------------------------------------------------------------------

    def now(self) -> float:
        """The time, in seconds of the clock that the endpoint is told (`time.monotonic`)."""
        self._time = max(self._time, time.monotonic())
        return self._time

    async def call(self, action: Callable[[float], T]) -> T:
        """Does something with the endpoint, between two messages.

        Parameters
        ----------
        action
            Is told the time: `lambda now: sender.send_chat("hello", now)`. It is called in the event loop.

        Returns
        -------
        object
            What it returns. What it raises is raised here.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.append((action, future))
        self._wake.set()
        if not self._running:
            self._do_calls()
        return await future

    def wake(self) -> None:
        """Looks at the endpoint again: after something it depends on was changed from elsewhere, such as the gate."""
        self._wake.set()

    async def run(self, transport: Transport, first: bytes | None = None) -> None:
        """Carries messages until the connection or the session ends; `endpoint.state` tells which.

        The transport is closed then. Cancelled, it drops the connection; the session can be continued over another.

        Parameters
        ----------
        transport
            A new connection.
        first
            A message that was read from it already.

        Raises
        ------
        RemoteProtocolError
            The peer has broken the protocol; it has been told.
        """
        if self._running:
            raise LocalProtocolError("an endpoint has one connection at a time")
        self._running = True
        self._loop = asyncio.get_running_loop()
        self._begin()
        if first is not None:
            self._take_in(first)
        tasks = [asyncio.create_task(self._read(transport)), asyncio.create_task(self._write(transport))]
        orderly = False
        try:
            await self._take_turns()
            orderly = not self._is_dead
        except RemoteProtocolError:
            self._flush()
            orderly = True
            raise
        finally:
            try:
                await self._end(transport, tasks, orderly and self._failure is None)
            finally:
                self.endpoint.connection_lost(self.now())
                self._running = False
                self._do_calls()
                self._tell_events()

    async def rest(self, until: "asyncio.Future[Any]") -> None:
        """Keeps the endpoint's timers while it has no connection, until a future is done or the session is over."""
        while not until.done() and not self.is_over:
            self._wake.clear()
            answer = self.endpoint.poll(self.now())
            self._tell_events()
            if isinstance(answer, float):
                until.add_done_callback(self._set_wake)
                await self._sleep(answer)
                until.remove_done_callback(self._set_wake)

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self.endpoint.state is State.CLOSED

    # -- turns -----------------------------------------------------------------------------------------------

    async def _take_turns(self) -> None:
        while True:
            self._wake.clear()
            self._do_calls()
            while self._inbox:
                data, at = self._inbox.popleft()
                self._inbox_bytes -= len(data)
                self._inbox_has_room.set()
                await self._receive(data, at)
                self._tell_events()
                self._do_calls()
            await self._work()
            due = self._poll()
            if self.is_over:
                self._flush()
                return
            if self.endpoint.state is not State.OPEN:
                due = min(due, self._began + HANDSHAKE_TIMEOUT)
                self._is_dead = self._is_dead or self.now() >= self._began + HANDSHAKE_TIMEOUT
            if self._is_dead:
                return
            if self._inbox or self._calls:
                continue
            if self._ended:
                if self._failure is None:
                    return
                if not isinstance(self._failure, TransportError):
                    raise self._failure
                LOGGER.info("%s", self._failure)
                return
            await self._sleep(due)

    async def _receive(self, data: bytes, at: float) -> None:
        """Gives a message to the endpoint. What takes long is done in the thread."""
        # The clock must not go back, and something may have happened since the message came.
        self._time = max(self._time, at)
        if self._worker is not None and data.startswith(_MARK):
            await self._worker.run(self.endpoint.receive, data, self._time)
        else:
            self.endpoint.receive(data, self._time)

    async def _work(self) -> None:
        """Does what takes long."""

    def _poll(self) -> float:
        """Asks for messages if those before have left; returns when to ask again."""
        if not self._writing:
            answer = self.endpoint.poll(self.now())
            self._tell_events()
            if isinstance(answer, float):
                return answer
            self._send(answer)
        stalled_at = self._heard_at + STALL_TIMEOUT
        if self.now() >= stalled_at:
            self._is_dead = True
        return stalled_at  # the writer wakes us before

    def _flush(self) -> None:
        """Asks for the last messages."""
        if isinstance(answer := self.endpoint.poll(self.now()), list):
            self._send(answer)
        self._tell_events()

    def _send(self, messages: list[Message]) -> None:
        self._outbox.extend(messages)
        self._writing = True
        self._outbox_filled.set()

    def _tell_events(self) -> None:
        while (event := self.endpoint.next_event()) is not None:
            if isinstance(event, Connected):
                self.is_open.set()
            self._is_dead = self._is_dead or isinstance(event, ConnectionTimedOut | ConnectionBroken)
            self._handle(event)
            self._wake.set()  # the handler may have done something that makes work

    def _handle(self, event: Event) -> None:
        self._on_event(event)

    def _do_calls(self) -> None:
        while self._calls:
            action, future = self._calls.popleft()
            if future.done():
                continue  # who asked was cancelled
            try:
                future.set_result(action(self.now()))
            except Exception as error:
                future.set_exception(error)
            self._tell_events()

    async def _sleep(self, due: float) -> None:
        """Waits for news until a time. In any case others get their turn, however many messages there are."""
        if self._wake.is_set() or due <= self.now():
            await asyncio.sleep(0)
            return
        if due == math.inf:
            await self._wake.wait()
            return
        timer = asyncio.get_running_loop().call_later(due - self.now(), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    def _set_wake(self, _: object) -> None:
        self._wake.set()

    # -- the transport ---------------------------------------------------------------------------------------

    def _take_in(self, data: bytes) -> None:
        self._heard_at = time.monotonic()
        self._inbox.append((data, self._heard_at))
        self._inbox_bytes += len(data)
        self._wake.set()

    async def _read(self, transport: Transport) -> None:
        try:
            while (data := await transport.receive()) is not None:
                self._take_in(data)
                while self._inbox_bytes > READ_AHEAD:
                    self._inbox_has_room.clear()
                    await self._inbox_has_room.wait()
        except Exception as error:
            self._failure = self._failure or error
        self._ended = True
        self._wake.set()

    async def _write(self, transport: Transport) -> None:
        try:
            while True:
                while self._outbox:
                    message = self._outbox.popleft()
                    if self._may_leave(message):
                        await transport.send(message)
                self._writing = False
                self._outbox_filled.clear()
                self._wake.set()
                await self._outbox_filled.wait()
        except Exception as error:
            self._failure = self._failure or error
        self._ended = True
        self._wake.set()

    def _may_leave(self, message: Message) -> bool:
        """Asked about each message just before it leaves: pictures need not, once the session is over."""
        return not (message.payload and self.is_over)

    async def _end(self, transport: Transport, tasks: "list[asyncio.Task[None]]", orderly: bool) -> None:
        """Lets the last words out, if there are any, and the transport go."""
        try:
            if orderly:
                # A peer that takes nothing does not keep us.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_TIMEOUT):
                        while self._writing and not self._failure:
                            self._wake.clear()
                            await self._wake.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            try:
                if orderly and not self._writing:
                    await transport.close()
            finally:
                transport.abort()
