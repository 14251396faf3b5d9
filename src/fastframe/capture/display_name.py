"""Names of X11 displays, and why one cannot be reached: `xcb_connect` only says that it did not work."""

import contextlib
import errno
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from fastframe._arguments import checked
from fastframe._names import shown
from fastframe.errors import PermanentCaptureError

IS_X11 = sys.platform not in ("win32", "darwin")
"""Whether the desktop of this system is that of an X server."""

_SOCKETS = Path("/tmp/.X11-unix")
_NAME = re.compile(r"(?P<host>.*):(?P<number>\d{1,9})(?:\.\d+)?", re.DOTALL)
# A local server that runs takes a connection at once, even when it is stopped.
_PATIENCE = 0.5

# The connection setup of version 11 of the protocol, least byte first, without a key.
_GREETING = b"l\0\x0b" + bytes(9)
# How often, and how many seconds apart, a server is greeted that hangs up.
_GREETINGS, _PAUSE = 5, 0.02


def chosen_display(display: str | None) -> str | None:
    """The name of the display to capture; `None` where displays have no names.

    Parameters
    ----------
    display
        What the user asks for; `None`: whatever there is.

    Raises
    ------
    PermanentCaptureError
        There is nothing to capture, the name is none, or one was given where displays have none.
    LocalProtocolError
        `display` is no text.
    """
    if display is not None:
        checked(display, str, "display")
    if not IS_X11:
        if display is not None:
            raise PermanentCaptureError(
                "only X11 has displays with names; leave it out to capture the desktop", actual=display
            )
        return None
    if display := display or os.environ.get("DISPLAY"):
        if _NAME.fullmatch(display) is None:
            raise PermanentCaptureError(
                f"cannot capture display {shown(display)}: displays have names such as :0 or host:0", actual=display
            )
        return display
    if os.environ.get("WAYLAND_DISPLAY"):
        raise PermanentCaptureError(
            "this is a Wayland session without XWayland, whose screen only its compositor can read (WAYLAND_DISPLAY is "
            "set, DISPLAY is not): log in to an X11 session to share the whole screen, or start XWayland to share the "
            "X11 programs in it"
        )
    raise PermanentCaptureError("no display to capture: the environment variable DISPLAY is not set")


def why_unreachable(display: str) -> str | None:
    """Why no connection could be made to an X11 display, with the way out; `None`: it cannot be told.

    Looks at the sockets of local servers, for half a second at most.
    """
    name = _NAME.fullmatch(display)
    if name is None or name["host"] not in ("", "unix"):
        return None
    try:
        _connect(_SOCKETS / f"X{name['number']}")
    except PermissionError:
        return "no permission to connect to the server; run as the user who is logged in to it"
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
            return None
        there = ", ".join(_running())
        return f"there is no such display; there is {there}" if there else "there is no such display, nor another here"
    key = shown(os.environ.get("XAUTHORITY") or "~/.Xauthority")
    return (
        f"no permission: the server refuses the connection; XAUTHORITY must name the file with its key "
        f"({key} does not have it), or run as the user who is logged in to it"
    )


@contextlib.contextmanager
def welcomed(display: str) -> Iterator[bool]:
    """Be a client without a key while the block lasts; gives whether a local server lets such clients in.

    A server begins anew when its last client leaves, and hangs up on whoever comes meanwhile; it does not while this
    is its client.
    """
    name = _NAME.fullmatch(display)
    path = _SOCKETS / f"X{name['number']}" if name and name["host"] in ("", "unix") else None
    with contextlib.ExitStack() as stack:
        answer = b""
        for _ in range(_GREETINGS if path else 0):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(_PATIENCE)
            try:
                client.connect(str(path))
                client.sendall(_GREETING)
                answer = client.recv(1)
            except (ConnectionResetError, BrokenPipeError):
                answer = b""
            except OSError:
                break
            if answer:
                break
            time.sleep(_PAUSE)
        yield answer == b"\1"


def _connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_PATIENCE)
        client.connect(str(path))


def _running() -> list[str]:
    """The names of the local displays whose servers run."""
    names = []
    for path in sorted(_SOCKETS.glob("X[0-9]*")):
        try:
            _connect(path)
        except OSError:
            continue
        names.append(f":{path.name[1:]}")
    return names
