"""The technician's end with asyncio: view a session, and come back to it when the line breaks."""

import time
from typing import Protocol, TypeVar

from fastframe.errors import TransportError
from fastframe.stream.aio.driver import Driver, Endpoint
from fastframe.stream.aio.transport import HANDSHAKE_TIMEOUT, LOGGER, Open, Transport
from fastframe.stream.consent import Scope
from fastframe.stream.receiver import Receiver

# Seconds between two attempts to come back: the first, doubled each time, and the most.
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0


class Connecting(Endpoint, Protocol):
    """An endpoint that begins the session."""

    def connect(self, now: float, *, key: str = "", scopes: tuple[Scope, ...] = (Scope.VIEW,)) -> None: ...


C = TypeVar("C", bound=Connecting)


class ConnectingDriver(Driver[C]):
    """Drives the end that begins the session; the base of `ReceiverDriver`."""

    async def view(
        self, open_transport: Open, *, key: str = "", scopes: tuple[Scope, ...] = (Scope.VIEW,), patience: float = 60.0
    ) -> None:
        """Views until the session is over, over as many connections as that takes.

        Parameters
        ----------
        open_transport
            Makes a connection: `lambda: connect("wss://example.org:8765")`.
        key
            The pairing key, where the customer's side asks for one.
        scopes
            What the customer is to be asked for.
        patience
            Seconds for which a session whose connection broke is tried to be continued. The customer's side has a
            patience of its own (`SenderConfig.resume_for`).

        Raises
        ------
        TransportError
            The first connection could not be made or broke before the session began, or there was none for the whole
            patience.
        RemoteProtocolError
            The peer has broken the protocol.
        """
        receiver = self.endpoint
        lost_at: float | None = None
        pause = _FIRST_PAUSE
        while not self.is_over:
            try:
                transport = await open_transport()
                if self.is_over:
                    transport.abort()
                    return
                await self.call(lambda now: receiver.connect(now, key=key, scopes=scopes))
                await self.run(transport)
                if self.is_over:
                    return
                if not self.is_open.is_set():
                    raise self._not_begun(transport)
                lost_at, pause = time.monotonic(), _FIRST_PAUSE
                LOGGER.info("the connection to %s was lost", transport.peer)
            except TransportError as error:
                if lost_at is None or time.monotonic() - lost_at + pause > patience:
                    raise
                LOGGER.info("%s; trying again in %.2g s", error, pause)
            self._wake.clear()
            await self._sleep(self.now() + pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _not_begun(self, transport: Transport) -> TransportError:
        is_late = self.now() >= self._began + HANDSHAKE_TIMEOUT
        what = f"brought no session within {HANDSHAKE_TIMEOUT:g} s" if is_late else "was ended before a session began"
        return TransportError(
            f"the connection to {transport.peer} is of no use: it {what}; check the port, and whether it takes "
            "ws, wss, tcp or tls"
        )


class ReceiverDriver(ConnectingDriver[Receiver]):
    """Drives a `Receiver`.

    Packets are decoded in the worker's thread. While the handler of an event runs, nothing is decoded, so pictures
    do not change under its hands: `receiver.frame(display)` shows what `FrameReceived` has told, until it returns.

    Parameters are those of `Driver`.
    """
