"""The customer's door: which connection may carry the session.

A connection is a stranger's until its first message has been read. A viewer whose line broke may be back before this
side has noticed, and then it takes its session along to the new connection; it is known by the session's token, which
nobody else has.
"""

import asyncio
from typing import Any

from fastframe.errors import FastframeError, RemoteProtocolError
from fastframe.stream.aio.sending import SenderDriver
from fastframe.stream.aio.strangers import Door, RefusalHandler, Stranger
from fastframe.stream.aio.transport import HANDSHAKE_TIMEOUT, LOGGER, Transport
from fastframe.stream.messages import Bye, ByeReason


class Host:
    """Lets one viewer in, and back in after its connection broke. For one event loop.

    Parameters
    ----------
    driver
        That of the session. Nobody else may call its `run`.
    on_refusal
        Called with the address of each peer that was not let in, or has broken the protocol, and the reason.
    """

    def __init__(self, driver: SenderDriver, on_refusal: RefusalHandler | None = None) -> None:
        self._driver = driver
        self._door = Door(on_refusal)
        # The connection that the sender has to do with, if there is one.
        self._connection: asyncio.Task[None] | None = None
        self._came: asyncio.Future[None] | None = None
        self._fault: Exception | None = None

    async def run(self) -> None:
        """Keeps the session until it is over, with a connection or without.

        Raises
        ------
        Exception
            What a handler of events has raised.
        """
        while self._fault is None:
            if self._is_connected():
                assert self._connection is not None
                await asyncio.wait([self._connection])
            elif self._driver.is_over:
                return
            else:
                self._came = asyncio.get_running_loop().create_future()
                await self._driver.rest(self._came)
        raise self._fault

    async def handle(self, transport: Transport) -> None:
        """Serves one connection, to its end; what `serve` is to be given."""
        with self._door.stranger(transport) as stranger:
            hello = await self._door.first_message(stranger)
            if hello is None:
                return
            try:
                async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                    refusal = await self._free(hello, stranger)
            except TimeoutError:
                self._door.tell_refusal(transport, FastframeError("others were before it for too long"))
                transport.abort()
                return
        if stranger.turned_away.done():
            return
        if refusal is not None:
            await self._door.refuse(stranger, refusal)
        else:
            await self._connect(transport, hello)

    def _is_connected(self) -> bool:
        return self._connection is not None and not self._connection.done()

    async def _free(self, hello: bytes, stranger: Stranger) -> Bye | None:
        """Makes the sender free for a stranger that is not turned away meanwhile; or tells why that must not be."""
        sender = self._driver.endpoint
        while self._is_connected() and not stranger.turned_away.done():
            assert self._connection is not None
            if not self._driver.is_open.is_set():
                # Another stranger is before this one.
                waiting = asyncio.create_task(self._driver.is_open.wait())
                try:
                    news: list[asyncio.Future[Any]] = [self._connection, waiting, stranger.turned_away]
                    await asyncio.wait(news, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
            elif sender.continues(hello):
                LOGGER.info("the viewer has come back over another connection")
                self._connection.cancel()
                await asyncio.wait([self._connection])
            else:
                return Bye(ByeReason.CONSENT, "there is a viewer already, and the customer has agreed to no other")
        return Bye(ByeReason.UNKNOWN_SESSION, "the session is over") if self._driver.is_over else None

    async def _connect(self, transport: Transport, hello: bytes) -> None:
        # Nothing is awaited since `_free` has found the sender free.
        self._connection = connection = asyncio.create_task(self._carry(transport, hello))
        if self._came is not None and not self._came.done():
            self._came.set_result(None)
        try:
            await asyncio.wait([connection])
        finally:
            if connection.cancel():  # the server ends
                await asyncio.wait([connection])

    async def _carry(self, transport: Transport, hello: bytes) -> None:
        try:
            await self._driver.run(transport, hello)
        except RemoteProtocolError as error:
            self._door.tell_refusal(transport, error)
        except Exception as error:
            self._fault = error
