"""Damage and pixels asked for in one go: only where that is all there is to ask, and exactly what has changed."""

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from x11_client import Client, colours, xwd

from fastframe import Rect
from fastframe.capture import X11Source
from fastframe.capture.x11.server import Server
from fastframe.capture.x11.shm import Segment
from fastframe.capture.x11.xcb import Attempt, Connection, RequestRefused

if TYPE_CHECKING:
    from xserver import XServer

SCREEN = Rect(0, 0, 800, 600)
PICTURE = Rect(100, 50, 600, 400)
GAP = 48


@pytest.fixture
def server(xserver: "XServer", client: Client) -> Iterator[Server]:
    """A connection to which nothing is news."""
    server = Server(Connection(Attempt(xserver.display).wait(10), 2))
    server.read_layout()
    server.ask_damage().get()
    news = server.read_events()
    news.damage, news.windows = None, False
    yield server
    server.close()


@pytest.fixture
def segment(server: Server) -> Segment:
    """Memory for the picture, zero."""
    return server.share(4 * PICTURE.width * PICTURE.height)


def picture(segment: Segment) -> NDArray[np.uint8]:
    return np.frombuffer(segment.memory, np.uint8).reshape(PICTURE.height, PICTURE.width, 4)


@pytest.mark.parametrize(
    ("drawn", "wanted", "rows"),
    [
        (Rect(300, 200, 10, 20), (0, 0), (150, 170)),
        (Rect(300, 200, 10, 20), (100, 120), (100, 170)),  # near enough
        (Rect(300, 200, 10, 20), (210, 230), (150, 230)),
        (Rect(300, 200, 10, 20), (155, 160), (150, 170)),
        (Rect(90, 40, 700, 500), (0, 0), (0, 400)),  # beyond the picture on all sides
        (Rect(699, 449, 50, 50), (0, 0), (399, 400)),  # a single pixel of it
    ],
)
def test_rows_that_changed_and_those_wanted_as_well_are_read_at_once(
    server: Server, segment: Segment, client: Client, drawn: Rect, wanted: tuple[int, int], rows: tuple[int, int]
) -> None:
    client.fill(client.root, drawn, 0x123456)
    client.synchronize()
    assert server.ask_changes(PICTURE, segment, wanted, GAP) == rows
    assert server.news.damage is None
    part = drawn.moved(-PICTURE.x, -PICTURE.y).intersect(Rect(0, 0, PICTURE.width, PICTURE.height))
    assert part is not None
    assert server.receive_changes() == ([part], True)
    assert server.news.damage is None
    shown = picture(segment)
    inside = np.zeros(shown.shape[:2], bool)
    inside[part.y : part.bottom, part.x : part.right] = True
    assert (shown[inside][:, :3] == (0x56, 0x34, 0x12)).all()
    assert not shown[: rows[0]].any()
    assert shown[rows[0] : rows[1]].any(axis=2).all()
    assert not shown[rows[1] :].any()


@pytest.mark.parametrize(
    ("drawn", "wanted"),
    [
        ([], (0, 0)),
        ([Rect(50, 200, 50, 10)], (0, 0)),  # left of the picture
        ([Rect(700, 200, 50, 10)], (0, 0)),
        ([Rect(200, 40, 50, 10)], (0, 0)),
        ([Rect(200, 450, 50, 10)], (0, 0)),
        ([Rect(200, 100, 50, 10)], (108, 120)),  # as far from what is wanted as is read by itself
        ([Rect(200, 300, 50, 10)], (190, 202)),
        ([Rect(200, 60, 50, 10), Rect(200, 400, 50, 10)], (0, 0)),  # far from each other
    ],
)
def test_nothing_is_asked_where_it_is_not_clear_what(
    server: Server, segment: Segment, client: Client, drawn: list[Rect], wanted: tuple[int, int]
) -> None:
    for area in drawn:
        client.fill(client.root, area, 0x123456)
    client.synchronize()
    assert server.ask_changes(PICTURE, segment, wanted, GAP) is None
    assert not picture(segment).any()
    assert bool(server.news.damage) == bool(drawn)
    assert server.news.sparse == (len(drawn) > 1)
    assert server.ask_damage().get() == drawn


def test_nothing_is_asked_before_other_news_are_dealt_with(
    server: Server, segment: Segment, client: Client, other: Client
) -> None:
    client.fill(client.root, Rect(300, 200, 10, 20), 0x123456)
    client.synchronize()
    window = other.window(Rect(300, 200, 10, 20))
    other.synchronize()
    assert server.ask_changes(PICTURE, segment, (0, 0), GAP) is None
    assert server.news.windows
    assert server.news.damage
    # Now that this is known it is asked with the damage that was told of before.
    assert server.ask_changes(PICTURE, segment, (0, 0), GAP) == (150, 170)
    assert server.receive_changes() == ([Rect(200, 150, 10, 20)], True)
    other.destroy(window)


def test_what_is_drawn_after_asking_is_told_with_the_answer_or_as_news(
    server: Server, segment: Segment, client: Client
) -> None:
    client.fill(client.root, Rect(300, 200, 10, 20), 0x123456)
    client.hold()  # so that what is asked comes after what follows
    client.synchronize()
    assert server.ask_changes(PICTURE, segment, (0, 0), GAP) == (150, 170)
    client.fill(client.root, Rect(0, 0, 10, 10), 0x123456)  # beside the picture
    client.fill(client.root, Rect(400, 400, 10, 20), 0x123456)
    client.release()
    changed, inside = server.receive_changes()
    assert changed == [Rect(200, 150, 10, 20), Rect(300, 350, 10, 20)]
    assert not inside, "what was drawn meanwhile is not in the rows that were read"
    assert not picture(segment)[170:].any()
    # Events told of that before it was asked for, so perhaps there is more; there is not.
    assert server.news.damage
    assert server.news.sparse, "the two are far from each other"
    assert server.ask_damage().get() == []
    client.fill(client.root, Rect(300, 300, 5, 5), 0x123456)
    client.synchronize()
    assert server.ask_changes(PICTURE, segment, (0, 0), GAP) == (250, 255)
    assert server.receive_changes() == ([Rect(200, 250, 5, 5)], True)


def test_a_region_of_very_many_rectangles_is_told_coarsely(server: Server, segment: Segment, client: Client) -> None:
    drawn = [Rect(100 + 4 * column, 50 + 4 * row, 2, 2) for row in range(20) for column in range(40)]
    for area in drawn:
        client.fill(client.root, area, 0x123456)
    client.synchronize()
    assert server.ask_changes(PICTURE, segment, (0, 0), GAP) == (0, 78)
    changed, inside = server.receive_changes()
    assert inside
    assert len(changed) <= 256
    covered = np.zeros((PICTURE.height, PICTURE.width), bool)
    for x, y, width, height in changed:
        covered[y : y + height, x : x + width] = True
    for x, y, width, height in drawn:
        assert covered[y - 50 : y - 50 + height, x - 100 : x - 100 + width].all()


def test_a_refusal_leaves_the_connection_in_order_and_loses_no_news(
    server: Server, segment: Segment, client: Client, other: Client
) -> None:
    client.fill(client.root, Rect(790, 590, 10, 10), 0x123456)
    client.synchronize()
    beyond = Rect(300, 300, 600, 400)
    assert server.ask_changes(beyond, segment, (0, 0), GAP) == (290, 300)
    window = other.window(Rect(300, 200, 10, 20))
    other.synchronize()
    with pytest.raises(RequestRefused):
        server.receive_changes()
    assert server.read_events().windows
    other.destroy(window)
    other.synchronize()
    server.ask_damage().get()
    server.read_events()
    client.fill(client.root, Rect(300, 200, 10, 20), 0x654321)
    client.synchronize()
    assert server.ask_changes(PICTURE, segment, (0, 0), GAP) == (150, 170)
    assert server.receive_changes() == ([Rect(200, 150, 10, 20)], True)


def test_a_refusal_to_tell_the_damage_alone_is_one_as_well(server: Server, segment: Segment, client: Client) -> None:
    extension = server.connection.query_extension("XFIXES")
    assert extension is not None
    no_region = struct.pack("<I", server.connection.new_id())
    server._fetch = extension.opcode, server._fetch[1], no_region
    image = server._shm.opcode, 4, server._pixels_request(Rect(0, 0, 0, 0), 0, 0)
    server._changes_request = server.connection.changes_request(
        server._damage_kind, 100, server._take, server._fetch, image
    )
    client.fill(client.root, Rect(300, 200, 10, 20), 0x123456)
    client.synchronize()
    assert server.ask_changes(PICTURE, segment, (0, 0), GAP) == (150, 170)
    with pytest.raises(RequestRefused):
        server.receive_changes()
    assert (picture(segment)[150:170, 200:210, :3] == (0x56, 0x34, 0x12)).all(), "the pixels came all the same"
    server.connection.synchronize()


def test_frames_are_exact_for_a_consumer_that_always_keeps_one(xserver: "XServer", client: Client) -> None:
    """So that two buffers take turns, each of which lacks what was drawn for the other."""
    with X11Source(xserver.display, masks=[Rect(0, 590, 800, 10)]) as source:
        kept = source.capture()
        for number in range(60):
            area = Rect(13 * number % 780, 10 * number % 580, 20, 10 + number % 7)
            client.fill(client.root, area, 0x010203 * (number + 1))
            client.synchronize()
            before, kept = kept, source.capture()
            expected = xwd(xserver.display).copy()
            expected[590:] = 0
            assert (colours(kept.pixels) == expected).all(), f"step {number}"
            assert kept.damage is not None
            changed = (colours(before.pixels) != colours(kept.pixels)).any(axis=2)
            for x, y, width, height in kept.damage:
                changed[y : y + height, x : x + width] = False
            assert not changed.any(), f"step {number}"


def test_a_change_of_masks_layout_or_monitors_between_frames_is_seen_in_the_next(
    xserver: "XServer", client: Client, source: X11Source
) -> None:
    def draw(colour: int) -> None:
        client.fill(client.root, SCREEN, colour)
        client.synchronize()

    draw(0x111111)
    source.capture()
    source.set_masks([Rect(10, 10, 50, 50)])
    draw(0x222222)
    frame = source.capture()
    assert not colours(frame.pixels)[10:60, 10:60].any()
    assert (colours(frame.pixels)[60:, 60:] == 0x22).all()
    del frame
    draw(0x333333)
    frame = source.capture()
    assert not colours(frame.pixels)[10:60, 10:60].any(), "the mask of the frame before counts for this one"
    assert (colours(frame.pixels)[60:, 60:] == 0x33).all()
    del frame
    source.set_masks([])
    draw(0x444444)
    assert (colours(source.capture().pixels) == 0x44).all()


def test_what_happens_to_windows_while_the_screen_is_read_is_news(
    server: Server, segment: Segment, client: Client
) -> None:
    client.fill(client.root, Rect(300, 200, 10, 20), 0x123456)
    client.hold()
    client.synchronize()
    assert server.ask_changes(PICTURE, segment, (0, 0), GAP) == (150, 170)
    window = client.window(Rect(300, 200, 10, 20))
    client.release()
    server.receive_changes()
    assert server.news.windows
    client.destroy(window)
