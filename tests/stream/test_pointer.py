"""The pointer that a viewer is shown."""

import zlib

import numpy as np
import pytest
from screens import Pair

from fastframe import LocalProtocolError, RemoteProtocolError
from fastframe.stream import events as e
from fastframe.stream import messages as m


def test_the_pointer_is_shown() -> None:
    pair = Pair().connect()
    shape = np.random.default_rng(0).integers(0, 256, (32, 24, 4), np.uint8)
    pair.sender.send_cursor_shape(shape, (3, 5), pair.now)
    for x in range(10):
        pair.sender.send_cursor_position(0, x, 50, pair.now)
    pair.pump()
    (seen,) = pair.seen(e.CursorShapeChanged)
    np.testing.assert_array_equal(seen.pixels, shape)
    assert (seen.hot_x, seen.hot_y) == (3, 5)
    # Of many positions only the last one is worth anything.
    assert pair.seen(e.CursorMoved) == [e.CursorMoved(0, 9, 50, True)]
    pair.sender.send_cursor_position(0, 9, 50, pair.now)
    pair.pump()
    assert len(pair.seen(e.CursorMoved)) == 1


def test_who_comes_back_sees_the_pointer_again() -> None:
    pair = Pair().connect()
    pair.sender.send_cursor_shape(np.zeros((8, 8, 4), np.uint8), (0, 0), pair.now)
    pair.sender.send_cursor_position(0, 4, 4, pair.now)
    pair.pump()
    pair.cut()
    pair.connect()
    assert len(pair.seen(e.CursorShapeChanged)) == len(pair.seen(e.CursorMoved)) == 2


@pytest.mark.parametrize(
    ("pixels", "hotspot"),
    [
        (np.zeros((4, 4), np.uint8), (0, 0)),
        (np.zeros((4, 4, 4), np.float32), (0, 0)),
        (np.zeros((4, 257, 4), np.uint8), (0, 0)),
        (np.zeros((4, 4, 4), np.uint8), (4, 0)),
        (np.random.default_rng(0).integers(0, 256, (256, 256, 4), np.uint8), (0, 0)),
    ],
)
def test_a_wrong_pointer_is_refused(pixels: object, hotspot: tuple[int, int]) -> None:
    pair = Pair().connect()
    with pytest.raises(LocalProtocolError):
        pair.sender.send_cursor_shape(pixels, hotspot, pair.now)
    pair.pump()
    assert not pair.seen(e.CursorShapeChanged)


def test_a_pointer_that_unpacks_to_more_than_it_says_is_refused() -> None:
    for pixels in (zlib.compress(bytes(10**7)), zlib.compress(bytes(63)), b"junk", zlib.compress(bytes(64))[:-1]):
        pair = Pair().connect()
        with pytest.raises(RemoteProtocolError):
            pair.receiver.receive(m.encode(m.CursorShape(1, 4, 4, 0, 0, pixels)), pair.now)


def test_a_pointer_whose_hotspot_is_outside_of_it_is_refused() -> None:
    pair = Pair().connect()
    pixels = zlib.compress(bytes(16))
    pair.receiver.receive(m.encode(m.CursorShape(1, 2, 2, 1, 1, pixels)), pair.now)
    with pytest.raises(RemoteProtocolError) as caught:
        pair.receiver.receive(m.encode(m.CursorShape(2, 2, 2, 2, 0, pixels)), pair.now)
    assert caught.value.limit == (2, 2)
