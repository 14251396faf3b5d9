"""A relay with asyncio: one connection to the customer's side, any number to viewers, in one event loop.

Each connection has a driver of its own, which takes the relay for its endpoint: `_Side` shows it the part that it has
to do with. Nothing is encoded or decoded here, so there is no thread, and turns of different drivers never overlap.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from fastframe.errors import LocalProtocolError, RemoteProtocolError
from fastframe.stream.aio.driver import Driver
from fastframe.stream.aio.receiving import ConnectingDriver
from fastframe.stream.aio.strangers import Door, RefusalHandler
from fastframe.stream.aio.transport import Open, Transport
from fastframe.stream.consent import Scope
from fastframe.stream.events import Event
from fastframe.stream.messages import Bye, ByeReason
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
    on_refusal
        Called with the address of each peer that was not let in, or has broken the protocol, and the reason.
    """

    def __init__(
        self,
        relay: Relay,
        on_event: Callable[[RelayEvent], None],
        *,
        pairing: Callable[[], PairingKey | None] = lambda: None,
        on_refusal: RefusalHandler | None = None,
    ) -> None:
        self.relay = relay
        self._on_event = on_event
        self._pairing = pairing
        self._door = Door(on_refusal)
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

    def let_in(self, viewer: int) -> None:
        """As `Relay.let_in`."""
        self.relay.let_in(viewer, self._upstream.now())
        self._drivers[viewer].wake()

    def dismiss(self, viewer: int) -> None:
        """As `Relay.dismiss`."""
        self.relay.dismiss(viewer, self._upstream.now())
        self._drivers[viewer].wake()

    async def handle(self, transport: Transport) -> None:
        """Serves one viewer's connection, to its end; what `serve` is to be given.

        Until a viewer has shown that it may come in, it has little time, and only a few can be there at once.
        """
        connection: asyncio.Task[None] | None = None
        try:
            with self._door.stranger(transport) as stranger:
                hello = await self._door.first_message(stranger)
                if hello is None:
                    return
                try:
                    number = await self._viewer_for(hello)
                except LocalProtocolError as error:
                    over = self.relay.state is State.CLOSED
                    reason = ByeReason.UNKNOWN_SESSION if over else ByeReason.CONSENT
                    await self._door.refuse(stranger, Bye(reason, str(error)))
                    return
                connection = self._connections[number] = asyncio.create_task(self._carry(number, transport, hello))
                let_in = asyncio.create_task(self._drivers[number].is_open.wait())
                try:
                    await asyncio.wait([connection, let_in], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    let_in.cancel()
            await asyncio.wait([connection])
        finally:
            if connection is not None and connection.cancel():  # the server ends
                await asyncio.wait([connection])

    async def _viewer_for(self, hello: bytes) -> int:
        """The number of the viewer who says this, who may have been there before."""
        number = self.relay.viewer_for(hello)
        if number is None:
            number = self.relay.add_viewer(self._upstream.now(), pairing=self._pairing())
            self._drivers[number] = Driver(_Side(self, number), _told_already, None)
        elif (before := self._connections.pop(number, None)) is not None:
            before.cancel()
            await asyncio.wait([before])
        return number

    async def _carry(self, number: int, transport: Transport, hello: bytes) -> None:
        """Drives a viewer, and waits for it to come back after its connection broke."""
        driver = self._drivers[number]
        try:
            await driver.run(transport, hello)
        except RemoteProtocolError as error:
            self._door.tell_refusal(transport, error)
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
