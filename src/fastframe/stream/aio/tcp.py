"""TCP, with or without TLS, by asyncio's streams: each message follows its length."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastframe.errors import TransportError
from fastframe.stream.aio.failures import broken, cannot_listen, no_connection
from fastframe.stream.aio.transport import (
    CLOSE_TIMEOUT,
    HANDSHAKE_TIMEOUT,
    WRITE_LIMIT,
    Connections,
    Handler,
    address_text,
    keep_little_unsent,
)
from fastframe.stream.config import MaxFragment
from fastframe.stream.framer import MessageFramer
from fastframe.stream.wire import Message

_READ_BYTES = 256 * 1024


class StreamTransport:
    """A `Transport` over a pair of asyncio's streams, which it owns.

    Parameters
    ----------
    reader, writer
        The streams, as `asyncio.open_connection` and `asyncio.start_server` make them.
    max_message
        Longest message that is accepted, in bytes: the `max_fragment` of this side's endpoint.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_message: int = MaxFragment.DEFAULT
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._framer = MessageFramer(max_message)
        self._peer = address_text(writer.get_extra_info("peername"))
        self._closed = False
        writer.transport.set_write_buffer_limits(WRITE_LIMIT)
        keep_little_unsent(writer.get_extra_info("socket"))

    @property
    def peer(self) -> str:
        """The address of the peer, for people."""
        return self._peer

    async def send(self, message: Message) -> None:
        """As `Transport.send`."""
        if self._closed or self._writer.transport.is_closing():  # TLS drops in silence what is written then
            raise TransportError(f"the connection to {self._peer} is closed")
        try:
            self._writer.writelines(self._framer.pack(message))
            await self._writer.drain()
            await asyncio.sleep(0)  # so that the end of the connection can be noticed, which TLS does not tell `drain`
        except OSError as error:
            raise broken(self._peer, error) from error

    async def receive(self) -> bytes | None:
        """As `Transport.receive`. A message that is cut off by the end of the connection is dropped."""
        while (message := self._framer.next_message()) is None:
            try:
                data = await self._reader.read(_READ_BYTES)
            except OSError as error:
                raise broken(self._peer, error) from error
            if not data:
                return None
            self._framer.feed(data)
        return message

    async def close(self) -> None:
        """As `Transport.close`. Waits for the peer to close as well, since what it sends meanwhile would make the
        kernel throw away what it has not read yet."""
        self._closed = True
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                if self._writer.can_write_eof():  # TLS cannot
                    self._writer.write_eof()
                    while await self._reader.read(_READ_BYTES):
                        pass
                self._writer.close()
                await self._writer.wait_closed()
                return
        self.abort()

    def abort(self) -> None:
        """As `Transport.abort`."""
        self._closed = True
        self._writer.transport.abort()


async def connect(
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    max_message: int = MaxFragment.DEFAULT,
) -> StreamTransport:
    """Connects by TCP.

    Parameters
    ----------
    host, port
        Where to.
    tls
        If given, TLS is spoken, and the certificate must be one for `host`.
    max_message
        As for `StreamTransport`.

    Raises
    ------
    TransportError
        It did not work, or not within `HANDSHAKE_TIMEOUT`.
    """
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=tls, ssl_shutdown_timeout=CLOSE_TIMEOUT if tls else None
            )
    except (OSError, UnicodeError) as error:
        raise no_connection(_url(host, port, tls), error) from error
    return StreamTransport(reader, writer, max_message)


@asynccontextmanager
async def serve(
    handler: Handler,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    max_message: int = MaxFragment.DEFAULT,
) -> AsyncIterator[int]:
    """Accepts connections by TCP while the context lasts; its value is the port. At its end all are ended.

    Parameters
    ----------
    handler
        Called with the transport of each connection, in a task of its own.
    host, port
        Where to listen; port 0 for any that is free.
    tls
        If given, TLS is spoken, with this certificate.
    max_message
        As for `StreamTransport`.

    Raises
    ------
    TransportError
        The address cannot be listened on.
    """
    connections = Connections(handler)
    server: asyncio.Server | None = None

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if server is None or not server.is_serving():  # its TLS handshake outlasted the server
            writer.transport.abort()
            return
        await connections.serve(StreamTransport(reader, writer, max_message))

    try:
        server = await asyncio.start_server(
            serve_one,
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if tls else None,
            ssl_shutdown_timeout=CLOSE_TIMEOUT if tls else None,
        )
    except (OSError, UnicodeError) as error:
        raise cannot_listen(_url(host, port, tls), error) from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await connections.end()


def _url(host: str, port: int, tls: ssl.SSLContext | None) -> str:
    return f"{'tls' if tls else 'tcp'}://{address_text((host, port))}"
