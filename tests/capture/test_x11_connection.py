"""The connection to an X server itself: nothing that arrives is slept through, or waited for without end."""

import ctypes
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from x11_client import Client

from fastframe import Rect
from fastframe.capture.x11.server import Server
from fastframe.capture.x11.xcb import Attempt, Connection, RequestRefused

if TYPE_CHECKING:
    from xserver import XServer


@pytest.fixture
def server(xserver: "XServer") -> Iterator[Server]:
    """A connection that asks to be told of damage."""
    server = Server(Connection(Attempt(xserver.display).wait(10), 2))
    yield server
    server.close()


def test_events_that_came_along_with_a_reply_are_not_slept_through(xserver: "XServer", server: Server) -> None:
    client = Client(xserver.display)
    server.ask_damage().get()
    server.read_events()
    client.fill(client.root, Rect(0, 0, 10, 10), 1)
    client.synchronize()
    # With this reply the event arrives, of which the socket says nothing from now on.
    server.connection.synchronize()
    began = time.monotonic()
    server.connection.sleep(30)
    assert time.monotonic() - began < 10
    assert server.read_events().damage
    client.close()


def test_replies_that_nobody_asks_for_take_no_memory(server: Server) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    image = struct.pack("<IhhHHI", server.root, 0, 0, 800, 600, 0xFFFFFFFF)
    server.connection.ask(73, 2, image, len).get()
    before = resident()
    for _ in range(100):
        server.connection.ask(73, 2, image, len)
        server.connection.synchronize()
    assert resident() - before < 50 << 20, "each of them is 2 MB"


class _Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`: ten numbers, of which the eighth tells the bytes in use."""

    _fields_ = [("numbers", ctypes.c_size_t * 10)]


def _allocated() -> int:
    """Bytes that C code of this process has allocated and not freed, large blocks aside."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Mallinfo
    return int(mallinfo().numbers[7])


ROUNDS = 500


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="only glibc tells what is allocated")
@pytest.mark.parametrize("what", ["reply", "error", "events", "changes", "refused changes"])
def test_what_the_server_says_is_freed(xserver: "XServer", server: Server, what: str) -> None:
    """Each of these is some 32 bytes: too little to be seen in what the process takes, and a leak for each frame."""
    connection, screen = server.connection, Rect(0, 0, 800, 600)
    client = Client(xserver.display)
    segment = server.share(4 * 800 * 700)
    server.ask_damage().get()
    server.read_events()
    assert server.has_shm

    def say() -> None:
        if what == "error":
            with pytest.raises(RequestRefused):
                connection.ask(14, 0, bytes(4), bytes).get()  # where a window lies that there is not
            return
        client.fill(client.root, Rect(10, 590, 20, 5), 0x123456)
        client.synchronize()
        if what == "reply":
            connection.synchronize()
        elif what == "events":
            assert server.read_events().damage
        elif what == "changes":
            assert server.ask_changes(screen, segment, (0, 0), 48)
            assert server.receive_changes()[0]
        else:
            assert server.ask_changes(Rect(0, 0, 800, 700), segment, (590, 650), 48)
            with pytest.raises(RequestRefused):
                server.receive_changes()
        server.ask_damage().get()
        server.read_events()

    for _ in range(50):
        say()
    before = _allocated()
    for _ in range(ROUNDS):
        say()
    assert _allocated() - before < 16 * ROUNDS
    client.close()
