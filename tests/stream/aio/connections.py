"""Connections of tests: both ends of a real one, and a proxy in the middle that listens, delays and cuts."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from certificates import Certificates

from fastframe.errors import TransportError
from fastframe.stream import Message, MessageFramer
from fastframe.stream.aio import Transport, connect, serve

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], seconds: float = 30.0) -> T:
    """Runs a test's coroutine, and sees that it leaves neither threads nor tasks behind."""

    async def limited() -> T:
        async with asyncio.timeout(seconds):
            result = await main
        async with asyncio.timeout(5):
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.005)
        return result

    before = set(threading.enumerate())
    result = asyncio.run(limited())
    assert set(threading.enumerate()) <= before
    return result


async def until(condition: Callable[[], object]) -> None:
    """Waits until something is true; `run` bounds the time."""
    while not condition():
        await asyncio.sleep(0.005)


def url(scheme: str, port: int = 0) -> str:
    return f"{scheme}://127.0.0.1:{port}"


def tls_of(scheme: str, certificates: Certificates | None, server: bool) -> Any:
    if scheme in ("ws", "tcp"):
        return None
    assert certificates is not None
    return certificates.server if server else certificates.client


@asynccontextmanager
async def connected(
    scheme: str, certificates: Certificates, max_message: int = 256 * 1024
) -> AsyncIterator[tuple[Transport, Transport]]:
    """The client's and the server's end of a connection."""
    came: asyncio.Future[Transport] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def handler(transport: Transport) -> None:
        came.set_result(transport)
        await over.wait()

    async with serve(handler, url(scheme), tls=tls_of(scheme, certificates, True), max_message=max_message) as port:
        client = await connect(url(scheme, port), tls=tls_of(scheme, certificates, False), max_message=max_message)
        try:
            yield client, await came
        finally:
            client.abort()
            over.set()


class Proxy:
    """Passes TCP connections on, message by message of `tcp:` streams, and keeps a list of them."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self.connections = 0
        # Messages from the server (the customer's side) to clients, and back.
        self.down: list[bytes] = []
        self.up: list[bytes] = []
        # Bytes that went down.
        self.down_bytes = 0
        # Bytes a second from the server to the client; None: as fast as it goes.
        self.rate: float | None = None
        self.going = asyncio.Event()
        self.going.set()
        # Cuts the connection when so many bytes have gone down.
        self.cut_at: int | None = None

    def cut(self) -> None:
        """Ends all connections at once."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def freeze(self) -> None:
        """From now on nothing passes any more, and nobody is told."""
        self.going.clear()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        tasks: set[asyncio.Task[None]] = set()

        async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            self.connections += 1
            # Those that were there before are frozen for good; new ones are not.
            going, self.going = self.going, self.going if self.going.is_set() else asyncio.Event()
            self.going.set()
            there, to_there = await asyncio.open_connection("127.0.0.1", self._target, limit=16 * 1024)
            self._writers += [writer, to_there]
            del going
            try:
                await asyncio.gather(
                    self._pass(there, writer, self.down, self.going), self._pass(reader, to_there, self.up, self.going)
                )
            except (OSError, asyncio.CancelledError):
                pass
            finally:
                writer.transport.abort()
                to_there.transport.abort()
                tasks.discard(task)

        server = await asyncio.start_server(serve_one, "127.0.0.1", 0, limit=16 * 1024)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, log: list[bytes], going: asyncio.Event
    ) -> None:
        framer = MessageFramer(2**24)
        while data := await source.read(4096):
            await going.wait()
            if log is self.down:
                if self.rate is not None:
                    await asyncio.sleep(len(data) / self.rate)
                if self.cut_at is not None and self.down_bytes + len(data) > self.cut_at:
                    sink.write(data[: self.cut_at - self.down_bytes])
                    await sink.drain()
                    self.cut_at = None
                    self.cut()
                    return
                self.down_bytes += len(data)
            framer.feed(data)
            while (message := framer.next_message()) is not None:
                log.append(message)
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


async def flood(transport: Transport, size: int) -> None:
    """Sends messages of so many bytes without end."""
    while True:
        await transport.send(Message(bytes(size)))


async def ended(transport: Transport) -> bool:
    """Waits for the end of a connection, in good order or not; there must not be a message before it."""
    try:
        return await transport.receive() is None
    except TransportError:
        return True
