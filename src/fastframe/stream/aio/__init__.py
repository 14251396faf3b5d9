"""The stream with asyncio: endpoints over TCP, TLS and WebSocket, or over a transport of your own.

`SenderDriver` and `ReceiverDriver` carry the messages of a `Sender` or `Receiver` over anything that is a `Transport`;
`connect` and `serve` make such by addresses, `Host` decides which connection may carry the customer's session, and
`RelayDriver` runs a `Relay` between one customer and many viewers.

Threads: all of it is for one event loop. What takes long, encoding and decoding, goes through a `Worker`, which is one
thread that you start and end.
"""

from fastframe.stream.aio.address import Address, connect, serve
from fastframe.stream.aio.driver import Driver
from fastframe.stream.aio.host import Host
from fastframe.stream.aio.memory import MemoryTransport, joined
from fastframe.stream.aio.receiving import ReceiverDriver
from fastframe.stream.aio.relaying import RelayDriver
from fastframe.stream.aio.sending import SenderDriver
from fastframe.stream.aio.tcp import StreamTransport
from fastframe.stream.aio.transport import CLOSE_TIMEOUT, Transport
from fastframe.stream.aio.websocket import WebSocketTransport
from fastframe.stream.aio.worker import Worker

__all__ = [
    "CLOSE_TIMEOUT",
    "Address",
    "Driver",
    "Host",
    "MemoryTransport",
    "ReceiverDriver",
    "RelayDriver",
    "SenderDriver",
    "StreamTransport",
    "Transport",
    "WebSocketTransport",
    "Worker",
    "connect",
    "joined",
    "serve",
]
