"""WebSocket, by the library `websockets` (extra `ws`): each message is one binary message."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from fastframe.errors import FastframeError, RemoteProtocolError, TransportError
from fastframe.stream.aio.failures import ENDED, broken, cannot_listen, no_connection
from fastframe.stream.aio.transport import (
    CLOSE_TIMEOUT,
    HANDSHAKE_TIMEOUT,
    LOGGER,
    WRITE_LIMIT,
    Connections,
    Handler,
    address_text,
    keep_little_unsent,
)
from fastframe.stream.config import MaxFragment
from fastframe.stream.wire import Message

if TYPE_CHECKING:
    from websockets.asyncio.connection import Connection
    from websockets.typing import Origin

# Messages that the library reads ahead; the rest waits in the kernel, and then at the peer.
_READ_AHEAD = 4


class WebSocketTransport:
    """A `Transport` over a connection of `websockets.asyncio`, of a client or a server, which it owns.

    Make the connection with `compression=None`, since packets are compressed, and `ping_interval=None`, since the
    stream has pings of its own that are answered while other messages wait; and bound `max_size`.
    """

    def __init__(self, connection: "Connection") -> None:
        from websockets.exceptions import ConnectionClosed

        self._closed: type[ConnectionClosed] = ConnectionClosed
        self._connection = connection
        self._peer = address_text(connection.remote_address)
        connection.transport.set_write_buffer_limits(WRITE_LIMIT)
        keep_little_unsent(connection.transport.get_extra_info("socket"))

    @property
    def peer(self) -> str:
        """The address of the peer, for people."""
        return self._peer

    async def send(self, message: Message) -> None:
        """As `Transport.send`."""
        try:
            await self._connection.send(bytes(message))
        except self._closed as error:
            raise TransportError(f"the connection to {self._peer} is closed") from error
        except OSError as error:
            raise broken(self._peer, error) from error

    async def receive(self) -> bytes | None:
        """As `Transport.receive`."""
        try:
            message = await self._connection.recv()
        except self._closed as error:
            if error.sent is not None and not error.rcvd_then_sent and error.sent.code != _NORMAL:
                raise RemoteProtocolError(
                    f"{self._peer} broke the WebSocket protocol: {error.sent.reason or error.sent.code}",
                    actual=error.sent.code,
                ) from error
            return None
        except OSError as error:
            raise broken(self._peer, error) from error
        if isinstance(message, str):
            raise RemoteProtocolError(f"a text message of {len(message)} characters; messages are binary")
        return message

    async def close(self) -> None:
        """As `Transport.close`."""
        # The library's own timeout does not count while a peer takes nothing.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._connection.close()
                return
        self.abort()

    def abort(self) -> None:
        """As `Transport.abort`."""
        self._connection.transport.abort()


_NORMAL = 1000


def _options(tls: ssl.SSLContext | None, max_message: int) -> dict[str, Any]:
    return {
        "ssl": tls,
        "compression": None,
        "ping_interval": None,
        "max_size": max_message,
        "max_queue": _READ_AHEAD,
        "write_limit": WRITE_LIMIT,
        "open_timeout": HANDSHAKE_TIMEOUT,
        "close_timeout": CLOSE_TIMEOUT,
        "logger": LOGGER,
    }


async def connect(
    url: str, *, tls: ssl.SSLContext | None = None, max_message: int = MaxFragment.DEFAULT
) -> WebSocketTransport:
    """Connects by WebSocket.

    Parameters
    ----------
    url
        Where to: `ws://...` or `wss://...`.
    tls
        For `wss` what to trust; if omitted, what the system trusts.
    max_message
        Longest message that is accepted, in bytes: the `max_fragment` of this side's endpoint.

    Raises
    ------
    TransportError
        It did not work, or not within `HANDSHAKE_TIMEOUT`.
    FastframeError
        The library is not installed.
    """
    _need_library()
    from websockets.asyncio.client import connect as open_connection
    from websockets.exceptions import WebSocketException

    options = _options(tls, max_message)
    if tls is None:
        del options["ssl"]  # so that the library makes a context for wss
    try:
        return WebSocketTransport(await open_connection(url, **options))
    except (OSError, EOFError, UnicodeError, WebSocketException) as error:
        raise no_connection(url, error, _why(error)) from error
    except ImportError as error:  # of the library's, for proxies of a kind
        raise FastframeError(f"no connection to {url}: {error}") from error


@asynccontextmanager
async def serve(
    handler: Handler,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    max_message: int = MaxFragment.DEFAULT,
    origins: Sequence[str | None] = (None,),
) -> AsyncIterator[int]:
    """Accepts connections by WebSocket while the context lasts; its value is the port. At its end all are ended.

    Parameters
    ----------
    handler
        Called with the transport of each connection, in a task of its own.
    host, port
        Where to listen; port 0 for any that is free.
    tls
        If given, TLS is spoken, with this certificate.
    max_message
        As for `connect`.
    origins
        Pages whose scripts may connect, such as "https://support.example"; `None` stands for programs that are no
        browsers. Without such a bound every page that the customer visits could try keys at his machine.

    Raises
    ------
    TransportError
        The address cannot be listened on.
    FastframeError
        The library is not installed.
    """
    _need_library()
    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as open_server

    connections = Connections(handler)

    async def serve_one(connection: ServerConnection) -> None:
        await connections.serve(WebSocketTransport(connection))

    try:
        server = await open_server(
            serve_one,
            host,
            port,
            origins=cast("Sequence[Origin | None]", origins),
            server_header=None,
            **_options(tls, max_message),
        )
    except (OSError, UnicodeError) as error:
        raise cannot_listen(f"{'wss' if tls else 'ws'}://{address_text((host, port))}", error) from error
    try:
        yield next(iter(server.sockets)).getsockname()[1]
    finally:
        await connections.end()
        server.close()
        await server.wait_closed()


def _why(error: Exception) -> str | None:
    """What the library's exceptions mean; `None` for others."""
    from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI, ProxyError

    match error:
        case InvalidProxy() | ProxyError():
            return f"the proxy that this machine is set to use does not help ({error}); check https_proxy"
        case InvalidStatus():
            return f"what listens there answers HTTP {error.response.status_code}; check the port, and the path"
        case InvalidURI():
            return f"what listens there sends on to {error.uri}, which is no WebSocket; check the port, and the path"
        case InvalidHandshake() if not isinstance(error.__cause__, EOFError):
            return "what listens there does not speak WebSocket; check the port, and whether it takes wss"
        case InvalidHandshake():
            return ENDED
    return None


def _need_library() -> None:
    try:
        import websockets  # noqa: F401
    except ImportError as error:
        raise FastframeError("WebSocket needs websockets: pip install 'fastframe[ws]'") from error
