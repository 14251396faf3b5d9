"""Connections at the door: those that have not shown yet that they may come in.

Whoever can reach the port can connect, so a connection is a stranger's until it has shown who it is. Strangers have
little time and there are few of them: those who know the key do not find the machine busy with the others.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastframe.errors import FastframeError, RemoteProtocolError, TransportError
from fastframe.stream.aio.transport import HANDSHAKE_TIMEOUT, LOGGER, Transport
from fastframe.stream.messages import Bye, encode
from fastframe.stream.wire import Message

# Strangers at once.
MAX_STRANGERS = 16

RefusalHandler = Callable[[str, FastframeError], None]
"""Called with the address of a peer that was not let in, or has broken the protocol, and the reason."""


class Door:
    """Counts strangers, and waits for what they say first. For one event loop.

    Parameters
    ----------
    on_refusal
        Told about those that are not let in; `None`: nobody is.
    """

    def __init__(self, on_refusal: RefusalHandler | None) -> None:
        self._on_refusal = on_refusal
        self._strangers = 0

    @property
    def is_crowded(self) -> bool:
        """Whether there are as many as there may be."""
        return self._strangers >= MAX_STRANGERS

    @contextmanager
    def stranger(self) -> Iterator[None]:
        """While the context lasts there is one more."""
        self._strangers += 1
        try:
            yield
        finally:
            self._strangers -= 1

    async def first_message(self, transport: Transport) -> bytes | None:
        """What a stranger says first; `None`: nothing in time, and then the connection has been ended."""
        text = "nothing was said"
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                message = await transport.receive()
        except TimeoutError:
            message, text = None, f"nothing was said for {HANDSHAKE_TIMEOUT:g} s"
        except (TransportError, RemoteProtocolError) as error:
            message, text = None, str(error)
        if message is None:
            LOGGER.info("%s: %s", transport.peer, text)
            transport.abort()
        return message

    async def refuse(self, transport: Transport, refusal: Bye) -> None:
        """Tells a stranger why it is not let in, and ends the connection."""
        self.tell_refusal(transport, FastframeError(refusal.text))
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                await transport.send(Message(encode(refusal)))
            await transport.close()
        except (TimeoutError, TransportError):
            pass
        finally:
            transport.abort()

    def tell_refusal(self, transport: Transport, error: FastframeError) -> None:
        """Somebody was not let in, or has to go."""
        LOGGER.info("%s: %s", transport.peer, error)
        if self._on_refusal is not None:
            self._on_refusal(transport.peer, error)
