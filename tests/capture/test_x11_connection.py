"""The connection to an X server itself: nothing that arrives is slept through, or waited for without end."""

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
from fastframe.capture.x11.xcb import Attempt, Connection

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
