"""The technician's end with asyncio: view a session, and come back to it when the line breaks."""

import math
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
# Seconds to try for where connections are ended before the session begins, as by a door with a crowd before it. It is
# much more often the wrong port, which should be told soon.
_DOOR_PATIENCE = 4.0


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
            The first connection could not be made, or was ended before the session began (a few more are tried then,
            since too many others may have been there), or there was none for the whole patience.
        RemoteProtocolError
            The peer has broken the protocol.
        """
        receiver = self.endpoint
        give_up_at = -math.inf
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
                    if give_up_at == -math.inf and not self._is_late():
                        give_up_at = time.monotonic() + min(_DOOR_PATIENCE, patience)
                    raise self._not_begun(transport)
                give_up_at, pause = time.monotonic() + patience, _FIRST_PAUSE
                LOGGER.info("the connection to %s was lost", transport.peer)
            except TransportError as error:
                if time.monotonic() + pause > give_up_at:
                    raise
                # What to do about it is told when it has come to that.
                LOGGER.info("%s; trying again in %.2g s", str(error).partition(";")[0], pause)
            self._wake.clear()
            await self._sleep(self.now() + pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _is_late(self) -> bool:
        return self.now() >= self._began + HANDSHAKE_TIMEOUT

    def _not_begun(self, transport: Transport) -> TransportError:
        what = "was ended before a session began"
        if self._is_late():
            what = f"brought no session within {HANDSHAKE_TIMEOUT:g} s"
        return TransportError(
            f"the connection to {transport.peer} is of no use: it {what}; check the port, and whether it takes "
            "ws, wss, tcp or tls; if they are right, too many others want to come in: try again later"
        )


class ReceiverDriver(ConnectingDriver[Receiver]):
    """Drives a `Receiver`.

    Packets are decoded in the worker's thread. While the handler of an event runs, nothing is decoded, so pictures
    do not change under its hands: `receiver.frame(display)` shows what `FrameReceived` has told, until it returns.

    Parameters are those of `Driver`.
    """
