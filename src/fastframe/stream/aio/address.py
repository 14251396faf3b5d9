"""Addresses of transports: `ws://HOST:PORT`, `wss:`, `tcp:` and `tls:`, the two in the middle with a path as well."""

import ssl
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastframe._arguments import checked, checked_choice, checked_int
from fastframe.errors import LocalProtocolError
from fastframe.stream.aio import tcp, websocket
from fastframe.stream.aio.transport import Handler, Transport
from fastframe.stream.config import MaxFragment
from fastframe.stream.framer import checked_max_message

# Each with TLS or without.
SCHEMES: Final = {"ws": False, "wss": True, "tcp": False, "tls": True}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a transport goes to, or listens.

    Attributes
    ----------
    scheme
        "ws", "wss", "tcp" or "tls".
    host, port
        Name or number of the host, IPv6 without brackets; a TCP port.
    path
        Of WebSocket, with the query if there is one; otherwise empty.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    def __post_init__(self) -> None:
        checked_choice(self.scheme, SCHEMES, "scheme")
        checked(self.host, str, "host")
        object.__setattr__(self, "port", checked_int(self.port, "port", 0, 65535))
        checked(self.path, str, "path")

    @classmethod
    def parse(cls, text: str, *, scheme: str = "ws") -> "Address":
        """The address that is written as [SCHEME://]HOST:PORT[/PATH].

        Raises
        ------
        LocalProtocolError
            It is not.
        """
        checked(text, str, "text")
        url = text if "://" in text else f"{scheme}://{text}"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            (host or "").encode("idna")
        except ValueError:
            host = port = None
        if host is None or port is None or parts.scheme not in SCHEMES or parts.username is not None:
            raise LocalProtocolError(
                f"{text!r} is no address: [SCHEME://]HOST:PORT is, SCHEME one of {', '.join(SCHEMES)}, "
                "PORT at most 65535",
                expected=tuple(SCHEMES),
                actual=text,
            )
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if path.strip("/") and not parts.scheme.startswith("ws"):
            raise LocalProtocolError(f"{text!r}: {parts.scheme} has no paths", actual=path)
        return cls(parts.scheme, host, port, path if parts.scheme.startswith("ws") else "")

    @property
    def is_encrypted(self) -> bool:
        """Whether it is spoken to by TLS."""
        return SCHEMES[self.scheme]

    @property
    def is_websocket(self) -> bool:
        """Whether it is spoken to by WebSocket."""
        return self.scheme in ("ws", "wss")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


async def connect(
    address: Address | str, *, tls: ssl.SSLContext | None = None, max_message: int = MaxFragment.DEFAULT
) -> Transport:
    """Connects to an address.

    Parameters
    ----------
    address
        Where to.
    tls
        For addresses with TLS, and only for these: what to trust. If omitted, what the system trusts.
    max_message
        Longest message that is accepted, in bytes: the `max_fragment` of this side's endpoint.

    Raises
    ------
    TransportError
        It did not work.
    LocalProtocolError
        The address is none, or does not go with `tls`.
    FastframeError
        A library is missing.
    """
    address, max_message = _checked(address, tls, max_message)
    if address.port == 0:  # which WebSocket takes for none, and that for 80
        raise LocalProtocolError(f"{address}: port 0 is for listening only; name the one that is listened on", actual=0)
    if address.is_encrypted:
        tls = tls or ssl.create_default_context()
    elif tls is not None:  # rather than in the clear what was to be encrypted
        raise LocalProtocolError(f"{address} is without TLS, so nothing is to be trusted; use wss or tls", actual=tls)
    if address.is_websocket:
        return await websocket.connect(str(address), tls=tls, max_message=max_message)
    return await tcp.connect(address.host, address.port, tls=tls, max_message=max_message)


def serve(
    handler: Handler,
    address: Address | str,
    *,
    tls: ssl.SSLContext | None = None,
    max_message: int = MaxFragment.DEFAULT,
) -> AbstractAsyncContextManager[int]:
    """Accepts connections on an address while the (async) context lasts; its value is the port.

    Parameters
    ----------
    handler
        Called with the transport of each connection, in a task of its own; when it returns, the connection is closed.
    address
        Where to listen. With port 0 any that is free is taken. Paths do not matter.
    tls
        For addresses with TLS, and only for these: the certificate, for example by `load_cert_chain`.
    max_message
        As for `connect`.

    Raises
    ------
    TransportError
        On entry: the address cannot be listened on.
    LocalProtocolError
        The address is none, or does not go with `tls`.
    FastframeError
        On entry: a library is missing.
    """
    address, max_message = _checked(address, tls, max_message)
    if address.is_encrypted != (tls is not None):
        raise LocalProtocolError(f"{address} wants {'a' if address.is_encrypted else 'no'} certificate", actual=tls)
    if address.is_websocket:
        return websocket.serve(handler, address.host, address.port, tls=tls, max_message=max_message)
    return tcp.serve(handler, address.host, address.port, tls=tls, max_message=max_message)


def _checked(address: Address | str, tls: ssl.SSLContext | None, max_message: int) -> tuple[Address, int]:
    """What both ends are told, as it is needed."""
    if tls is not None:
        checked(tls, ssl.SSLContext, "tls")
    address = Address.parse(address) if isinstance(address, str) else checked(address, Address, "address")
    return address, checked_max_message(max_message)
