"""Messages over real connections: whole, in order, bounded, and with faults that have a name."""

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from certificates import Certificates
from connections import connected, ended, flood, run, tls_of, url
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import InvalidStatus

from fastframe.errors import LocalProtocolError, RemoteProtocolError, TransportError
from fastframe.stream import Message
from fastframe.stream.aio import Address, Transport, connect, serve, tcp, websocket
from fastframe.stream.aio.failures import broken

MOST = 256 * 1024


def test_messages_arrive_whole_and_in_order_both_ways(scheme: str, certificates: Certificates) -> None:
    sizes = [1, 2, 126, 127, 128, 16383, 16384, 65535, 65536, MOST, 3]
    messages = [bytes([index]) * size for index, size in enumerate(sizes)]

    async def main() -> None:
        async with connected(scheme, certificates) as ends:
            for here, there in (ends, reversed(ends)):

                async def send(transport: Transport = here) -> None:
                    for data in messages:
                        await transport.send(Message(data[:1], memoryview(data)[1:]))

                sending = asyncio.create_task(send())
                assert [await there.receive() for _ in messages] == messages
                await sending

    run(main())


def test_what_was_sent_before_the_end_still_arrives(scheme: str, certificates: Certificates) -> None:
    async def main() -> None:
        async with connected(scheme, certificates) as (client, server):
            await client.send(Message(bytes(MOST)))
            await client.send(Message(b"bye"))
            closing = asyncio.create_task(client.close())
            assert len(await server.receive() or b"") == MOST
            assert await server.receive() == b"bye"
            assert await server.receive() is None
            await server.close()
            await closing

    run(main())


def test_a_message_beyond_the_limit_is_the_fault_of_the_peer(scheme: str, certificates: Certificates) -> None:
    async def main() -> None:
        async with connected(scheme, certificates, max_message=20_000) as (client, server):
            await client.send(Message(bytes(20_001)))
            with pytest.raises(RemoteProtocolError):
                await server.receive()

    run(main())


def test_a_peer_that_takes_nothing_is_given_little(scheme: str, certificates: Certificates) -> None:
    """Otherwise old pictures would wait in buffers while newer ones are made."""

    async def main() -> int:
        sent = 0
        async with connected(scheme, certificates) as (client, _):
            try:
                async with asyncio.timeout(0.5):
                    while True:
                        await client.send(Message(bytes(65536)))
                        sent += 65536
            except TimeoutError:
                pass
        return sent

    # The kernel's two buffers of a local connection take most of it: they are the line here.
    assert run(main()) < 12 * 2**20


def test_closing_does_not_wait_long_for_a_peer_that_takes_nothing(
    scheme: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "CLOSE_TIMEOUT", 0.2)
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT", 0.2)

    async def main() -> None:
        async with connected(scheme, certificates) as (client, _):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(flood(client, MOST), 0.3)
            await client.close()
            with pytest.raises(TransportError):
                await flood(client, 10)

    run(main(), seconds=10)


def test_a_connection_that_breaks_is_an_error_or_the_end(scheme: str, certificates: Certificates) -> None:
    async def main() -> None:
        async with connected(scheme, certificates) as (client, server):
            server.abort()
            assert await ended(client)
            with pytest.raises(TransportError):
                await flood(client, 1000)

    run(main())


def test_the_end_of_the_server_ends_its_connections(scheme: str, certificates: Certificates) -> None:
    served: list[str] = []

    async def main() -> None:
        async def handler(transport: Transport) -> None:
            try:
                await transport.receive()
            finally:
                served.append(transport.peer)

        async with serve(handler, url(scheme), tls=tls_of(scheme, certificates, True)) as port:
            client = await connect(url(scheme, port), tls=tls_of(scheme, certificates, False))
            await client.send(Message(b"x"))
            other = await connect(url(scheme, port), tls=tls_of(scheme, certificates, False))
            await asyncio.sleep(0)
        assert await ended(other)
        client.abort()
        other.abort()

    run(main())
    assert len(served) >= 1


def test_nobody_listening_is_a_transport_error(scheme: str, certificates: Certificates) -> None:
    async def main() -> None:
        async def handler(transport: Transport) -> None:
            pass

        async with serve(handler, url(scheme), tls=tls_of(scheme, certificates, True)) as port:
            with pytest.raises(TransportError, match="listen"):
                async with serve(handler, url(scheme, port), tls=tls_of(scheme, certificates, True)):
                    pass
        with pytest.raises(TransportError, match="connection"):
            await connect(url(scheme, port), tls=tls_of(scheme, certificates, False))

    run(main())


@pytest.mark.parametrize("scheme", ["wss", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(scheme: str, certificates: Certificates) -> None:
    met: list[Transport] = []

    async def main() -> None:
        async def handler(transport: Transport) -> None:
            met.append(transport)

        async with serve(handler, url(scheme), tls=certificates.server) as port:
            with pytest.raises(TransportError, match="certificate"):
                await connect(url(scheme, port), tls=ssl.create_default_context())

    run(main())
    assert not met


def failure_to_connect(address: Address | str, **options: Any) -> TransportError:
    async def main() -> None:
        transport = await connect(address, **options)
        transport.abort()

    with pytest.raises(TransportError) as caught:
        run(main())
    assert isinstance(caught.value.__cause__, Exception)
    return caught.value


# What asyncio, the system, OpenSSL and websockets say of faults has no place in a sentence for people.
THEIR_WORDS = re.compile(r"Errno|Connect call|_ssl\.c|\[SSL|attempting to bind|HTTP response|exception", re.IGNORECASE)


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        ("127.0.0.1", "nothing listens there; check the port, .+"),
        (
            "no-such-host.invalid",
            "there is no host of that name; check the spelling|.+ looked up; check the network .+",
        ),
        ("255.255.255.255", "no network of this machine leads there; .+|Permission denied"),
        ("a" * 64 + ".example", "that is no name of a host; check the spelling"),
    ],
)
def test_why_there_is_no_connection_is_a_sentence(scheme: str, host: str, complaint: str) -> None:
    address = Address(scheme, host, 1)
    error = failure_to_connect(address)
    assert re.fullmatch(f"no connection to {re.escape(str(address))}: ({complaint})", str(error)), error
    assert not THEIR_WORDS.search(str(error))


def test_a_connection_that_breaks_without_a_number_was_ended_by_the_other_side() -> None:
    """As asyncio tells of one that breaks while it is written to."""
    assert str(broken("tcp://a:1", ConnectionResetError("Connection lost"))) == (
        "the connection to tcp://a:1 broke: the other side ended it"
    )


def test_a_host_that_refuses_at_all_its_addresses_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio has one text of all failures then, and no number."""

    async def addresses(*arguments: Any, **options: Any) -> list[Any]:
        kind = socket.SOCK_STREAM, socket.IPPROTO_TCP, ""
        there, unreachable = (socket.AF_INET, *kind, ("127.0.0.1", 1)), (socket.AF_INET, *kind, ("255.255.255.255", 1))
        return [unreachable, there]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", addresses)
    assert "tcp://localhost:1: nothing listens there" in str(failure_to_connect("tcp://localhost:1"))


@pytest.mark.parametrize(
    ("answer", "ws", "tls"),
    [
        (b"", "it was ended before it was made", "it was ended before it was made"),
        (b"SSH-2.0-x\r\n", "what listens there does not speak WebSocket", "what listens there does not speak TLS"),
        (b"HTTP/1.1 404 No\r\n\r\n", "what listens there answers HTTP 404", "what listens there does not speak TLS"),
        (
            b"HTTP/1.1 301 No\r\nLocation: http://127.0.0.1/\r\n\r\n",
            "what listens there sends on to http://127.0.0.1/, which is no WebSocket",
            "what listens there does not speak TLS",
        ),
    ],
)
def test_a_server_that_speaks_something_else_is_told_from_one_that_is_not_there(
    answer: bytes, ws: str, tls: str
) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(answer)
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            for scheme, complaint in {"ws": ws, "wss": tls, "tls": tls}.items():
                with pytest.raises(TransportError) as caught:
                    await connect(url(scheme, port))
                assert str(caught.value).startswith(f"no connection to {url(scheme, port)}: {complaint}; check")
                assert not THEIR_WORDS.search(str(caught.value))

    run(main())


@pytest.mark.parametrize("scheme", ["wss", "tls"])
@pytest.mark.parametrize(
    ("host", "trusted", "complaint"),
    [
        ("127.0.0.1", False, "its certificate is not trusted"),
        ("127.0.0.2", True, "its certificate is for another host"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said(
    scheme: str, host: str, trusted: bool, complaint: str, certificates: Certificates
) -> None:
    async def main() -> None:
        async def handler(transport: Transport) -> None:
            raise AssertionError("nobody may get here")

        async with serve(handler, Address(scheme, "0.0.0.0", 0), tls=certificates.server) as port:
            with pytest.raises(TransportError) as caught:
                await connect(Address(scheme, host, port), tls=certificates.client if trusted else None)
        assert f": {complaint}" in str(caught.value)
        assert not THEIR_WORDS.search(str(caught.value))
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)

    run(main())


@pytest.mark.parametrize(
    ("host", "number", "complaint"),
    [
        ("127.0.0.1", None, "something listens there already; .+"),
        ("203.0.113.7", None, "this machine has no such address; .+"),
        ("no-such-host.invalid", None, "there is no host of that name; .+|.+ looked up; .+"),
        ("127.0.0.1", errno.EACCES, "this user may not listen on that port; .+"),
    ],
)
def test_why_an_address_cannot_be_listened_on_is_a_sentence(
    scheme: str,
    host: str,
    number: int | None,
    complaint: str,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def handler(transport: Transport) -> None:
        raise AssertionError("nobody may get here")

    def refuse(*_: Any) -> None:
        raise OSError(number, "as to a user who is not root")

    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            if number is not None:
                monkeypatch.setattr(socket.socket, "bind", refuse)
            with pytest.raises(TransportError) as caught:
                async with serve(handler, Address(scheme, host, port), tls=tls_of(scheme, certificates, True)):
                    pass
        assert re.fullmatch(f"cannot listen on {scheme}://{host}:{port}: ({complaint})", str(caught.value)), (
            caught.value
        )
        assert not THEIR_WORDS.search(str(caught.value))

    run(main())


@pytest.mark.parametrize("scheme", ["wss", "tls"])
def test_nothing_is_spoken_in_the_clear_where_tls_is_asked_for(scheme: str, certificates: Certificates) -> None:
    async def main() -> None:
        async def handler(transport: Transport) -> None:
            raise AssertionError("nobody may get here")

        plain = {"wss": "ws", "tls": "tcp"}[scheme]
        async with serve(handler, url(scheme), tls=certificates.server) as port:
            if plain == "ws":
                with pytest.raises(TransportError):
                    await connect(url(plain, port))
            else:
                client = await connect(url(plain, port))
                await client.send(Message(b"hello"))
                assert await ended(client)
                client.abort()
        with pytest.raises(LocalProtocolError, match="certificate"):
            serve(handler, url(scheme))

    run(main())


@pytest.mark.parametrize("scheme", ["ws", "tcp"])
def test_who_wants_tls_is_not_connected_in_the_clear(scheme: str) -> None:
    async def main() -> None:
        came = []

        async def handler(transport: Transport) -> None:
            came.append(transport.peer)

        async with serve(handler, url(scheme)) as port:
            with pytest.raises(LocalProtocolError, match="without TLS"):
                await connect(url(scheme, port), tls=ssl.create_default_context())
        assert not came

    run(main())


def test_a_web_page_cannot_connect() -> None:
    """Any page that the customer visits could try keys at his machine otherwise."""

    async def main() -> None:
        async def handler(transport: Transport) -> None:
            raise AssertionError("nobody may get here")

        async with serve(handler, url("ws")) as port:
            with pytest.raises(InvalidStatus, match="403"):
                await connect_websocket(url("ws", port), origin="https://evil.example")  # type: ignore[arg-type]

    run(main())


def test_text_is_no_message() -> None:
    async def main() -> None:
        async def handler(transport: Transport) -> None:
            with pytest.raises(RemoteProtocolError, match="text"):
                await transport.receive()
            await transport.send(Message(b"noticed"))

        async with serve(handler, url("ws")) as port, connect_websocket(url("ws", port)) as client:
            await client.send("text")
            assert await client.recv() == b"noticed"

    run(main())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", Address("ws", "127.0.0.1", 80)),
        ("wss://desk.example:8765/session?x=1", Address("wss", "desk.example", 8765, "/session?x=1")),
        ("tcp://[::1]:0", Address("tcp", "::1", 0)),
    ],
)
def test_addresses_are_understood_and_written_alike(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "http://localhost:80",
        "ws://localhost:99999",
        "tcp://a:1/path",
        "ws://:5",
        "ws://u@a:1",
        "ws://a..b:1",
    ],
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        Address.parse(text)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("address", lambda: asyncio.run(connect(None))),  # type: ignore[arg-type]
        ("address", lambda: serve(lambda transport: None, 8765)),  # type: ignore[arg-type, return-value]
        ("tls", lambda: asyncio.run(connect("wss://127.0.0.1:1", tls=True))),  # type: ignore[arg-type]
        ("max_message", lambda: asyncio.run(connect("ws://127.0.0.1:1", max_message=None))),  # type: ignore[arg-type]
        ("max_message", lambda: serve(lambda transport: None, "ws://127.0.0.1:0", max_message=0)),  # type: ignore
        ("port 0", lambda: asyncio.run(connect("ws://127.0.0.1:0"))),
        ("text", lambda: Address.parse(8765)),  # type: ignore[arg-type]
        ("scheme", lambda: Address("http", "localhost", 80)),
        ("host", lambda: Address("ws", None, 80)),  # type: ignore[arg-type]
        ("port", lambda: Address("ws", "localhost", 65536)),
        ("path", lambda: Address("ws", "localhost", 80, None)),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_named(name: str, call: Callable[[], object]) -> None:
    with pytest.raises(LocalProtocolError, match=name):
        call()
