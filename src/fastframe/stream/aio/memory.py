"""Transports without a wire: both ends of a connection in one process, such as a sender and a relay beside it."""

import asyncio
from collections import deque

from fastframe.errors import TransportError
from fastframe.stream.aio.transport import Transport
from fastframe.stream.wire import Message


class _Line:
    """Messages in one direction: one is on its way at a time."""

    def __init__(self) -> None:
        self.messages: deque[bytes] = deque()
        self.has_ended = False
        self.changed = asyncio.Event()

    def end(self) -> None:
        self.has_ended = True
        self.changed.set()

    async def change(self) -> None:
        self.changed.clear()
        await self.changed.wait()


class MemoryTransport:
    """A `Transport` to another end in the same event loop; `joined` makes both."""

    def __init__(self, incoming: _Line, outgoing: _Line) -> None:
        self._incoming, self._outgoing = incoming, outgoing

    @property
    def peer(self) -> str:
        """What people are told of the other end."""
        return "this process"

    async def send(self, message: Message) -> None:
        """As `Transport.send`."""
        line = self._outgoing
        while line.messages and not line.has_ended:
            await line.change()
        if line.has_ended:
            raise TransportError("the other end has closed the connection")
        line.messages.append(bytes(message))
        line.changed.set()

    async def receive(self) -> bytes | None:
        """As `Transport.receive`."""
        line = self._incoming
        while not line.messages:
            if line.has_ended:
                return None
            await line.change()
        line.changed.set()
        return line.messages.popleft()

    async def close(self) -> None:
        """As `Transport.close`; what has been sent can still be received."""
        self._outgoing.end()
        self._incoming.end()

    def abort(self) -> None:
        """As `Transport.abort`."""
        self._outgoing.end()
        self._incoming.end()


def joined() -> tuple[Transport, Transport]:
    """Both ends of a new connection."""
    one, other = _Line(), _Line()
    return MemoryTransport(one, other), MemoryTransport(other, one)
