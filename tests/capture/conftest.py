"""What the tests of the X11 capture share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from x11_client import Client
from x11_pictures import OPEN

from fastframe import Rect
from fastframe.capture import X11Source

if TYPE_CHECKING:
    from xserver import XServer


@pytest.fixture
def client(xserver: "XServer") -> Iterator[Client]:
    """A program that draws; the whole screen has one colour at first."""
    client = Client(xserver.display)
    client.window(Rect(0, 0, 800, 600), OPEN)
    yield client
    client.close()


@pytest.fixture
def other(xserver: "XServer") -> Iterator[Client]:
    """Another program."""
    client = Client(xserver.display)
    yield client
    client.close()


@pytest.fixture
def source(xserver: "XServer") -> Iterator[X11Source]:
    """The server's whole screen."""
    with X11Source(xserver.display) as source:
        yield source
