"""What an asyncio transport is to the endpoints: something that carries whole messages in order.

Sockets and TLS must hold little back. Whatever waits in a buffer of ours or of the kernel was encoded already and
delays everything that is newer, so a transport takes a message only when the one before has nearly left.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from fastframe.stream.wire import Message

# For what happens to single connections of a server; silent unless the product wants to see it.
LOGGER = logging.getLogger("fastframe.stream.aio")
LOGGER.addHandler(logging.NullHandler())

# Seconds for a connection, TLS and WebSocket handshake, and the same again for the first message of the stream.
HANDSHAKE_TIMEOUT = 10.0
# Seconds for the peer to take what is still on its way when a connection is closed in good order.
CLOSE_TIMEOUT = 2.0
# Bytes of ours that asyncio may hold before `send` waits. Not 0, which asyncio's TLS takes for "always too many".
WRITE_LIMIT = 1
# Bytes that the kernel may hold without having sent them. A smaller send buffer would bound what is under way as well,
# and with it the speed of a long line; a smaller value than this costs local connections too many wake-ups.
UNSENT_LIMIT = 128 * 1024


class Transport(Protocol):
    """One connection to one peer. For one event loop; `send` and `receive` may run at the same time."""

    @property
    def peer(self) -> str:
        """The address of the peer, for people."""
        ...

    async def send(self, message: Message) -> None:
        """Sends a message; returns when there is room for another.

        Raises
        ------
        TransportError
            The connection is broken.
        """
        ...

    async def receive(self) -> bytes | None:
        """The next message; `None` when the peer has closed the connection.

        Raises
        ------
        TransportError
            The connection is broken.
        RemoteProtocolError
            What came is no message, or one that is too long.
        """
        ...

    async def close(self) -> None:
        """Ends the connection when all has been sent, or at the latest after `CLOSE_TIMEOUT`; never raises."""
        ...

    def abort(self) -> None:
        """Ends the connection at once."""
        ...


Open = Callable[[], Awaitable[Transport]]
"""Makes a new connection; raises `TransportError` if it cannot."""

Handler = Callable[[Transport], Awaitable[None]]
"""Serves one connection. When it returns, the connection is closed."""


class Connections:
    """The connections that a server serves, each in a task of its own, so that they can end with it.

    Parameters
    ----------
    handler
        Serves each.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, transport: Transport) -> None:
        """Serves a connection in the current task, to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._handler(transport)
            await transport.close()
        except asyncio.CancelledError:
            # The server ends; asyncio would report a task of its own that is cancelled.
            pass
        except Exception:
            LOGGER.exception("the connection from %s failed", transport.peer)
        finally:
            self._tasks.discard(task)
            transport.abort()

    async def end(self) -> None:
        """Ends all of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def keep_little_unsent(connection: socket.socket | None) -> None:
    """Keeps the kernel's queue of a TCP connection short, where the system can."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if connection is not None and option is not None:
        with contextlib.suppress(OSError):  # not TCP
            connection.setsockopt(socket.IPPROTO_TCP, option, UNSENT_LIMIT)


def address_text(address: object) -> str:
    """A socket's address for people."""
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return str(address) if address else "unknown"
