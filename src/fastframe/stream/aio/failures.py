"""Why there is no connection, in one sentence: what asyncio, the system and OpenSSL say in their words and numbers is
told in ours, with what can be done about it. What they said stays the cause of the error.
"""

import errno
import os
import re
import socket
import ssl
from typing import Final

from fastframe._names import shown
from fastframe.errors import TransportError
from fastframe.stream.aio.transport import HANDSHAKE_TIMEOUT

_CONNECTING: Final = {
    errno.ECONNREFUSED: "nothing listens there; check the port, and that the other side has begun",
    errno.ENETUNREACH: "no network of this machine leads there; check the address, and the network",
    errno.EHOSTUNREACH: "the host cannot be reached; check the address, and the network",
    errno.ETIMEDOUT: "the host does not answer; check the address, and that no firewall is in between",
}
_LISTENING: Final = {
    errno.EADDRINUSE: "something listens there already; choose another port, or 0 for any that is free",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose one of its own, or 0.0.0.0 for all of them",
    errno.EACCES: "this user may not listen on that port; choose one above 1023",
}
ENDED: Final = "it was ended before it was made; check the port, and whether it takes TLS (wss, tls) or not (ws, tcp)"
ENDED_LATER: Final = "the other side ended it"
_NO_NAME: Final = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
# Certificates, by the numbers of X509_verify_cert_error_string(3).
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_NUMBER = 9, 10, 62, 64


def no_connection(address: str, error: Exception, why: str | None = None) -> TransportError:
    """What to raise when no connection could be made to an address; `why` if that is known better than by the error."""
    if isinstance(error, TimeoutError) and error.errno is None:
        why = f"no answer within {HANDSHAKE_TIMEOUT:g} s; check the address, and that no firewall is in between"
        return TransportError(f"no connection to {shown(address)}: {why}", limit=HANDSHAKE_TIMEOUT)
    return TransportError(f"no connection to {shown(address)}: {why or _why(error, _CONNECTING)}")


def cannot_listen(address: str, error: Exception) -> TransportError:
    """What to raise when an address cannot be listened on."""
    return TransportError(f"cannot listen on {shown(address)}: {_why(error, _LISTENING)}")


def broken(peer: str, error: OSError) -> TransportError:
    """What to raise when a connection breaks."""
    return TransportError(f"the connection to {peer} broke: {_why(error, {}, ENDED_LATER)}")


def _why(error: Exception, sentences: dict[int, str], ended: str = ENDED) -> str:
    if isinstance(error, UnicodeError):
        return "that is no name of a host; check the spelling"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return "what listens there does not speak TLS; check the port, and whether it takes ws or tcp"
        return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, socket.gaierror):
        if error.errno in _NO_NAME:
            return "there is no host of that name; check the spelling"
        return f"the name of the host cannot be looked up; check the network ({error.strerror})"
    number = _number(error)
    if number in sentences:
        return sentences[number]
    if number is not None:
        return os.strerror(number)
    return ended if isinstance(error, (ConnectionError, EOFError)) else str(error) or type(error).__name__


def _number(error: Exception) -> int | None:
    """The system's number of an error. Of a host with several addresses asyncio gives only the text of all of them, and
    one that refuses is one that was reached."""
    number = getattr(error, "errno", None)
    if number is not None:
        return int(number)
    numbers = [int(digits) for digits in re.findall(r"\[Errno (\d+)\]", str(error))]
    return errno.ECONNREFUSED if errno.ECONNREFUSED in numbers else next(iter(numbers), None)


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (_OTHER_NAME, _OTHER_NUMBER):
        return "its certificate is for another host; use a name that it was made for"
    if error.verify_code == _EXPIRED:
        return "its certificate has expired; it needs a new one, unless the clock of this machine is wrong"
    if error.verify_code == _NOT_YET_VALID:
        return "its certificate is not valid yet; check the clock of this machine"
    return (
        f"its certificate is not trusted ({error.verify_message}); if it is the right one, trust the authority that "
        "has issued it, as `fastframe view` does with --ca FILE"
    )
