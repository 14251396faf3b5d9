"""A relay with asyncio: one connection to the customer's side, any number to viewers, in one event loop.

Each connection has a driver of its own, which takes the relay for its endpoint: `_Side` shows it the part that it has
to do with. Nothing is encoded or decoded here, so there is no thread, and turns of different drivers never overlap.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from fastframe.errors import FastframeError, RemoteProtocolError, TransportError
from fastframe.stream.aio.driver import Driver
from fastframe.stream.aio.receiving import ConnectingDriver
from fastframe.stream.aio.transport import HANDSHAKE_TIMEOUT, LOGGER, Open, Transport
from fastframe.stream.consent import Scope
from fastframe.stream.events import Event
from fastframe.stream.messages import ByeReason
from fastframe.stream.pairing import PairingKey
from fastframe.stream.relay import Relay, RelayEvent
from fastframe.stream.states import State
from fastframe.stream.wire import Message


class RelayDriver:
    """Drives a `Relay`.

    Parameters
    ----------
    relay
        What is driven. Nobody else may touch it, but for handlers of events.
    on_event
        Called with each event, in the event loop; it may call the relay, and must not block.
    pairing
        Called for each viewer that is new: the key that it must state, or `None`. If omitted, none is needed: whoever
        reaches the port is let in, and sees what the customer's consents allow.
    """

    def __init__(
        self,
        relay: Relay,
        on_event: Callable[[RelayEvent], None],
        *,
        pairing: Callable[[], PairingKey | None] = lambda: None,
    ) -> None:
        self.relay = relay
        self._on_event = on_event
        self._pairing = pairing
        self._drivers: dict[int | None, Driver[_Side]] = {}
        self._connections: dict[int, asyncio.Task[None]] = {}
        self._upstream = ConnectingDriver(_Side(self, None), _told_already, None)
        self._drivers[None] = self._upstream

    async def run(
        self, open_transport: Open, *, key: str = "", scopes: tuple[Scope, ...] = (Scope.VIEW,), patience: float = 60.0
    ) -> None:
        """Keeps the connection to the customer's side until the session is over; as `ReceiverDriver.view`."""
        await self._upstream.view(open_transport, key=key, scopes=scopes, patience=patience)

    def close(self, reason: ByeReason = ByeReason.FINISHED, text: str = "") -> None:
        """Ends the session for all."""
        self.relay.close(self._upstream.now(), reason, text)
        for driver in self._drivers.values():
            driver.wake()

    async def handle(self, transport: Transport) -> None:
        """Serves one viewer's connection, to its end; what `serve` is to be given.

        How many connections there may be is up to the server in front of it; each has `HANDSHAKE_TIMEOUT` seconds for
        its first message, and `RelayConfig.max_viewers` bounds those that have sent one.
        """
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                hello = await transport.receive()
        except (TimeoutError, TransportError, RemoteProtocolError) as error:
            LOGGER.info("%s has not introduced itself: %s", transport.peer, error)
            hello = None
        if hello is None:
            transport.abort()
            return
        number = self.relay.viewer_for(hello)
        if number is not None and (before := self._connections.pop(number, None)) is not None:
            before.cancel()
            await asyncio.wait([before])
        try:
            if number is None:
                number = self.relay.add_viewer(self._upstream.now(), pairing=self._pairing())
                self._drivers[number] = Driver(_Side(self, number), _told_already, None)
        except FastframeError as error:
            LOGGER.info("%s was refused: %s", transport.peer, error)
            transport.abort()
            return
        connection = asyncio.create_task(self._carry(number, transport, hello))
        self._connections[number] = connection
        try:
            await asyncio.wait([connection])
        finally:
            if connection.cancel():  # the server ends
                await asyncio.wait([connection])

    async def _carry(self, number: int, transport: Transport, hello: bytes) -> None:
        """Drives a viewer, and waits for it to come back after its connection broke."""
        driver = self._drivers[number]
        try:
            await driver.run(transport, hello)
        except RemoteProtocolError as error:
            LOGGER.info("%s: %s", transport.peer, error)
        if self.relay.viewer_state(number) is State.LOST:
            await driver.rest(asyncio.get_running_loop().create_future())
        # It was never let in, or its session is over.
        del self._drivers[number]
        self._connections.pop(number, None)
        self.relay.remove_viewer(number, driver.now())

    def distribute(self) -> None:
        """Hands events to their sides, which may be asleep."""
        while (told := self.relay.next_event()) is not None:
            self._on_event(told)
            if (driver := self._drivers.get(told.viewer)) is not None:
                driver.endpoint.events.append(told.event)

    def stir(self, side: "_Side") -> None:
        """Something has come from one side: the others may have something to send."""
        for driver in self._drivers.values() if side.viewer is None else (self._upstream,):
            driver.wake()


def _told_already(event: Event) -> None:
    """`distribute` has told the product."""


class _Side:
    """The relay as the endpoint of one connection: to the customer's side (`viewer` is `None`) or to a viewer."""

    def __init__(self, driver: RelayDriver, viewer: int | None) -> None:
        self._driver = driver
        self._relay = driver.relay
        self.viewer = viewer
        self.events: deque[Event] = deque()

    @property
    def state(self) -> State:
        return self._relay.state if self.viewer is None else self._relay.viewer_state(self.viewer)

    def connect(self, now: float, *, key: str = "", scopes: tuple[Scope, ...] = (Scope.VIEW,)) -> None:
        self._relay.connect(now, key=key, scopes=scopes)

    def receive(self, data: bytes | memoryview, now: float) -> None:
        try:
            if self.viewer is None:
                self._relay.receive(data, now)
            else:
                self._relay.receive_from(self.viewer, data, now)
        finally:
            self._driver.stir(self)

    def next_event(self) -> Event | None:
        self._driver.distribute()
        return self.events.popleft() if self.events else None

    def poll(self, now: float) -> list[Message] | float:
        return self._relay.poll(now) if self.viewer is None else self._relay.poll_viewer(self.viewer, now)

    def connection_lost(self, now: float) -> None:
        if self.viewer is None:
            self._relay.connection_lost(now)
        else:
            self._relay.viewer_lost(self.viewer, now)
        self._driver.stir(self)
