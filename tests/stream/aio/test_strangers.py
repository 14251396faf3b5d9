"""Who gets a place at the door, and who loses it, when there are more strangers than places."""

import asyncio
import re
from contextlib import ExitStack

import pytest
from connections import ended, run, until, url
from desk import Customer, Technician, sharing, viewing

from fastframe.errors import FastframeError, RemoteProtocolError
from fastframe.stream import Message, Receiver
from fastframe.stream.aio import Transport, connect, serve, strangers
from fastframe.stream.aio.memory import MemoryTransport, joined
from fastframe.stream.aio.strangers import MAX_STRANGERS, Door, Stranger


def _hello() -> bytes:
    receiver = Receiver()
    receiver.connect(0.0)
    messages = receiver.poll(0.0)
    assert isinstance(messages, list)
    return bytes(messages[0])


HELLO = _hello()


class Crowd:
    """Strangers at a door, from addresses of their own."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.door = Door(lambda peer, error: self.refused.append(peer))
        self._stack = ExitStack()

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def come(self, peer: str, word: bytes = b"") -> Stranger:
        """One more, who says something if there is a word."""
        far, near = joined()
        assert isinstance(near, MemoryTransport)
        stranger = self._stack.enter_context(self.door.stranger(_Known(near, peer)))
        if word and not stranger.turned_away.done():
            await far.send(Message(word))
            await self.door.first_message(stranger)
        return stranger


class _Known:
    """A transport from a certain address."""

    def __init__(self, transport: Transport, peer: str) -> None:
        self.peer = peer
        self.send, self.receive = transport.send, transport.receive
        self.close, self.abort = transport.close, transport.abort


def test_a_newcomer_gets_the_place_of_who_has_been_silent_for_longest() -> None:
    async def main() -> None:
        with Crowd() as crowd:
            first = await crowd.come("192.0.2.1:1000", HELLO)
            silent = [await crowd.come(f"192.0.2.{number}:1000") for number in range(2, MAX_STRANGERS + 1)]
            newcomer = await crowd.come("192.0.2.99:1000")
            assert [each.turned_away.done() for each in (first, *silent[:2], newcomer)] == [False, True, False, False]
            assert await crowd.door.first_message(silent[0]) is None
            assert await silent[0].transport.receive() is None
            assert crowd.refused == ["192.0.2.2:1000"]

    run(main())


def test_one_address_pushes_out_only_its_own() -> None:
    async def main() -> None:
        for word in (b"", HELLO):
            with Crowd() as crowd:
                for port in range(MAX_STRANGERS):
                    await crowd.come(f"192.0.2.1:{port}", word)
                others = [await crowd.come("192.0.2.2:1"), await crowd.come("[2001:db8::1]:1")]
                for port in range(3 * MAX_STRANGERS):
                    await crowd.come(f"192.0.2.1:{port}", word)
                assert not any(each.turned_away.done() for each in others)
                assert {peer.partition(":")[0] for peer in crowd.refused} == {"192.0.2.1"}

    run(main())


def test_who_has_many_addresses_of_one_network_of_ipv6_is_one() -> None:
    async def main() -> None:
        with Crowd() as crowd:
            technician = await crowd.come("192.0.2.1:1")
            for number in range(3 * MAX_STRANGERS):
                await crowd.come(f"[2001:db8::{number:x}]:1")
            assert not technician.turned_away.done()
            mapped = [await crowd.come(f"[::ffff:192.0.2.{number}]:1") for number in range(2, 5)]
            assert len({each.origin for each in mapped}) == 3  # of IPv4, written as IPv6

    run(main())


def test_newcomers_do_not_push_out_who_has_spoken() -> None:
    async def main() -> None:
        with Crowd() as crowd:
            spoken = [await crowd.come(f"192.0.2.{number}:1", HELLO) for number in range(MAX_STRANGERS)]
            newcomer = await crowd.come("192.0.2.99:1")
            assert newcomer.turned_away.done()
            assert await crowd.door.first_message(newcomer) is None
            assert not any(each.turned_away.done() for each in spoken)

    run(main())


def test_a_crowd_that_says_nothing_and_comes_again_does_not_keep_the_viewer_out() -> None:
    async def main() -> None:
        async def come_again(port: int) -> None:
            while True:
                transport = await connect(url("tcp", port))
                try:
                    await ended(transport)
                finally:
                    transport.abort()
                await asyncio.sleep(0.05)

        with Customer() as customer, Technician() as technician:
            async with sharing(customer):
                crowd = [asyncio.create_task(come_again(customer.port)) for _ in range(2 * MAX_STRANGERS)]
                while len(customer.refusals) < MAX_STRANGERS:
                    await asyncio.sleep(0.01)
                async with viewing(customer, technician):
                    for each in crowd:
                        each.cancel()
                    await asyncio.wait(crowd)
            assert all(isinstance(error, FastframeError) for error in customer.refusals)

    run(main())


def test_a_viewer_that_is_turned_away_comes_again() -> None:
    async def main() -> None:
        turned_away = 0

        async def door(transport: Transport) -> None:
            nonlocal turned_away
            if turned_away < 2:
                turned_away += 1
                transport.abort()
                return
            line = await connect(url("tcp", customer.port))
            try:
                await asyncio.gather(_pass_on(transport, line), _pass_on(line, transport))
            finally:
                line.abort()

        with Customer() as customer, Technician() as technician:
            async with sharing(customer), serve(door, url("tcp")) as port, viewing(customer, technician, port):
                assert turned_away == 2

    run(main())


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"\xff\xff\xff\xff\x0f", RemoteProtocolError, "message of .* bytes on the stream"),
        (b"\0\0", RemoteProtocolError, "message of 0 bytes"),
        (b"\x03\1\2\3", RemoteProtocolError, "malformed message of 3 bytes"),
        (b"", FastframeError, "nothing was said for 0.2 s"),
    ],
)
def test_of_who_says_no_hello_is_told_at_once(
    data: bytes, error: type[FastframeError], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "HANDSHAKE_TIMEOUT", 0.2)

    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer):
                _, writer = await asyncio.open_connection("127.0.0.1", customer.port)
                writer.write(data)
                await until(lambda: customer.refusals)  # although it keeps the connection
                assert [type(each) for each in customer.refusals] == [error]
                assert re.match(reason, str(customer.refusals[0]))
                async with viewing(customer, technician):
                    writer.close()
            assert len(customer.refusals) == 1

    run(main())


async def _pass_on(source: Transport, sink: Transport) -> None:
    while (message := await source.receive()) is not None:
        await sink.send(Message(message))
    await sink.close()


def test_a_door_whose_refusals_nobody_can_take_has_no_ghosts() -> None:
    def fail(peer: str, error: FastframeError) -> None:
        raise RuntimeError(peer)

    async def main() -> None:
        with Crowd() as crowd:
            for number in range(MAX_STRANGERS):
                await crowd.come(f"192.0.2.{number}:1000")
            crowd.door._on_refusal = fail
            with pytest.raises(RuntimeError):
                await crowd.come("198.51.100.1:1000")
            assert len(crowd.door._strangers) == MAX_STRANGERS - 1  # neither who went nor who came

    run(main())


@pytest.mark.parametrize(
    "peer", ["[fe80::1%eth0]:7", "[2001:db8::1]:7", "[::ffff:192.0.2.1]:7", "a pipe", "", "host:7"]
)
def test_every_peer_has_an_origin(peer: str) -> None:
    async def main() -> None:
        with Crowd() as crowd:
            assert (await crowd.come(peer)).origin == (await crowd.come(peer)).origin

    run(main())
