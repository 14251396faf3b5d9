"""Connections at the door: those that have not shown yet that they may come in.

Whoever can reach the port can connect, so a connection is a stranger's until it has shown who it is. Strangers have
little time, and there are few of them at once. Each newcomer finds a place all the same: when there is none, a stranger
of the address that has most of them goes, the one that has waited longest without a word. One that has said something
goes only for a newcomer from an address that has fewer.

What holds: from one address, or from any number below that of the places, nobody takes the place of somebody who comes
from another, whether they say something or not. From more addresses, or from the same one (behind one router, or where
a proxy hands on connections as its own), newcomers push out who has not spoken yet, but nobody who has: who comes in is
whose first message is here before as many newcomers as there are places. The handshakes of TLS and WebSocket come
before the door, so their round trips do not count. A viewer that is turned away tries again a few times
(`ConnectingDriver.view`).

What does not hold: those who say a proper hello and then nothing, from as many addresses as there are places or from
the viewer's own, fill the door for `HANDSHAKE_TIMEOUT` at a time; and at a `Host`, which serves one after the other, a
single one keeps the next waiting. Somebody who has spoken goes for a newcomer where others of his own address crowd the
door. Connections that never end the handshakes of TLS or WebSocket are bounded in time, not in number. Against all
those only what stands before the port helps.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastframe.errors import FastframeError, RemoteProtocolError, TransportError
from fastframe.stream.aio.transport import HANDSHAKE_TIMEOUT, LOGGER, Transport
from fastframe.stream.messages import Bye, ByeReason, check_hello, encode
from fastframe.stream.wire import Message

# Strangers at once.
MAX_STRANGERS = 16

RefusalHandler = Callable[[str, FastframeError], None]
"""Called with the address of a peer that was not let in, or has broken the protocol, and the reason; not for those who
end the connection themselves before they have said anything. Whose hello is refused is told of once its connection has
ended."""


class Stranger:
    """One connection at the door.

    Attributes
    ----------
    transport
        The connection.
    origin
        Where it comes from: of those with the same nobody knows whether they are one or several.
    has_spoken
        Whether its first message has come.
    turned_away
        Done once it has lost its place; the connection has been ended.
    is_refused
        Whether somebody was told that it is not let in.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.origin = _origin(transport.peer)
        self.has_spoken = False
        self.is_refused = False
        self.turned_away: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Door:
    """Has places for strangers, and waits for what they say first. For one event loop.

    Parameters
    ----------
    on_refusal
        Told about those that are not let in; `None`: nobody is.
    """

    def __init__(self, on_refusal: RefusalHandler | None) -> None:
        self._on_refusal = on_refusal
        self._strangers: list[Stranger] = []  # as they came

    @contextmanager
    def stranger(self, transport: Transport) -> Iterator[Stranger]:
        """While the context lasts there is one more, unless it is turned away meanwhile, or at once."""
        stranger = Stranger(transport)
        self._strangers.append(stranger)
        try:
            if len(self._strangers) > MAX_STRANGERS:
                self._turn_away(self._first_to_go(stranger))
            yield stranger
        finally:
            if stranger in self._strangers:
                self._strangers.remove(stranger)

    def _first_to_go(self, newcomer: Stranger) -> Stranger:
        """Who makes room for a newcomer, or the newcomer, if there is to be none."""
        counts = Counter(stranger.origin for stranger in self._strangers)
        most = max(counts.values())
        crowd = [stranger for stranger in self._strangers if counts[stranger.origin] == most]
        for stranger in crowd:
            if not stranger.has_spoken and stranger is not newcomer:
                return stranger
        return newcomer if counts[newcomer.origin] == most else crowd[0]

    def _turn_away(self, stranger: Stranger) -> None:
        self._strangers.remove(stranger)
        stranger.turned_away.set_result(None)
        stranger.transport.abort()
        if not stranger.is_refused:
            self.tell_refusal(
                stranger.transport, FastframeError("too many others want to come in", limit=MAX_STRANGERS)
            )

    async def first_message(self, stranger: Stranger) -> bytes | None:
        """The hello that a stranger says first; `None`: it did not, and the connection has been ended."""
        transport, message = stranger.transport, None
        if stranger.turned_away.done():
            return None
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                message = await transport.receive()
            if message is not None:
                check_hello(message)
                stranger.has_spoken = not stranger.turned_away.done()
                return message if stranger.has_spoken else None
            LOGGER.info("%s: nothing was said", transport.peer)
        except TransportError as error:
            LOGGER.info("%s", error)
        except (RemoteProtocolError, TimeoutError) as error:
            if not stranger.turned_away.done():
                stranger.is_refused = True
                self.tell_refusal(transport, _fault(error))
                if message is not None:
                    await self._say(transport, Bye(ByeReason.PROTOCOL_ERROR, str(error)[:200]))
        transport.abort()
        return None

    async def refuse(self, stranger: Stranger, refusal: Bye) -> None:
        """Tells a stranger why it is not let in, and ends the connection."""
        stranger.is_refused = True
        self.tell_refusal(stranger.transport, FastframeError(refusal.text))
        await self._say(stranger.transport, refusal)

    async def _say(self, transport: Transport, bye: Bye) -> None:
        """Says a last word, and ends the connection."""
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                await transport.send(Message(encode(bye)))
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


def _fault(error: RemoteProtocolError | TimeoutError) -> FastframeError:
    if isinstance(error, RemoteProtocolError):
        return error
    return FastframeError(f"nothing was said for {HANDSHAKE_TIMEOUT:g} s", limit=HANDSHAKE_TIMEOUT)


def _origin(peer: str) -> str:
    """The address without the port; of IPv6 the half that one customer of a provider has to himself."""
    host, _, port = peer.rpartition(":")
    if not port.isdecimal():
        return peer
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or f"{int(address) >> 64:016x}")
