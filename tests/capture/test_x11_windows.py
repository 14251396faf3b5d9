"""Which windows are meant, however they are stacked, shaped, framed and numbered."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from x11_client import Client
from x11_pictures import LARGE, OPEN, OPEN_BGR, SECRET, after_a_while, leaks, only_blank, shows

from fastframe import Rect
from fastframe.capture import Event, WindowPattern
from fastframe.capture.x11 import X11Source
from fastframe.errors import TransientCaptureError

if TYPE_CHECKING:
    from xserver import XServer


Eventually = Callable[[Callable[[], bool]], None]
SCREEN = Rect(0, 0, 800, 600)


def _gone(client: Client, window: int) -> bool:
    """Whether the server has tidied up behind a program that has left."""
    return window not in client.children()


def test_the_title_of_a_window_counts_that_has_the_number_of_one_that_is_gone(
    xserver: "XServer", client: Client, eventually: Eventually
) -> None:
    first = Client(xserver.display)
    window = first.window(LARGE, OPEN, title="first")
    with X11Source(xserver.display, masks=[WindowPattern(title="*bank*")]) as source:
        source.capture()
        first.close()
        eventually(lambda: _gone(client, window))
        second = Client(xserver.display)
        assert second.window(LARGE, OPEN, title="News") == window
        assert only_blank(after_a_while(source))
        second.title(window, "my bank")
        assert Event.FRAME in source.wait(time.monotonic() + 10)
        second.fill(window, Rect(0, 0, 300, 200), SECRET)
        second.synchronize()
        assert only_blank(source.capture(), LARGE)
        second.close()


def test_what_is_seen_through_the_holes_of_a_shared_window_is_blank(
    xserver: "XServer", client: Client, other: Client
) -> None:
    client.window(SCREEN, SECRET)
    shared = other.window(Rect(100, 100, 200, 200), OPEN, title="editor")
    other.shape(shared, Rect(50, 0, 150, 200))
    with X11Source(xserver.display, share=WindowPattern(title="editor")) as source:
        assert only_blank(source.capture(), Rect(0, 0, 50, 200))
        other.shape(shared, Rect(0, 50, 200, 150))
        assert only_blank(source.capture(), Rect(0, 0, 200, 50), Rect(0, 0, 50, 200))
        assert only_blank(after_a_while(source), Rect(0, 0, 200, 50))
        # A menu of its own with holes, before another window.
        client.window(Rect(200, 200, 50, 50), SECRET)
        menu = other.window(Rect(200, 200, 50, 50), OPEN, override_redirect=True)
        other.shape(menu, Rect(0, 0, 50, 20))
        assert only_blank(after_a_while(source), Rect(0, 0, 200, 50), Rect(100, 120, 50, 30))


def test_a_window_without_a_title_that_fills_the_screen_is_no_overlay_of_a_compositor(
    xserver: "XServer", client: Client, other: Client
) -> None:
    base = client.window(SCREEN, OPEN, title="base")
    client.own("_NET_WM_CM_S0", base)
    locker = other.window(SCREEN, SECRET, override_redirect=True)
    with X11Source(xserver.display, masks=[WindowPattern(id=locker)]) as source:
        assert not leaks(source.capture())
        assert source.unmatched == ()
    with X11Source(xserver.display, share=WindowPattern(id=base)) as source:
        assert not leaks(source.capture())


def test_a_shared_window_behind_many_others_is_captured_and_shows_none_of_them(
    xserver: "XServer", client: Client, other: Client
) -> None:
    """As many rectangles as these once took minutes."""
    pick = random.Random(2)
    shared = client.window(SCREEN, OPEN, title="editor")
    places = [Rect(pick.randrange(500), pick.randrange(570), 20, 15) for _ in range(500)]
    for place in places:
        other.window(place, SECRET)
    with X11Source(xserver.display, share=WindowPattern(title="editor")) as source:
        began = time.monotonic()
        for step in range(3):
            for _ in range(250):
                client.fill(shared, Rect(pick.randrange(790), pick.randrange(590), 9, 9), OPEN)
            client.synchronize()
            frame = source.capture()
            assert not leaks(frame)
            assert shows(frame.pixels, OPEN_BGR)
            assert step == 0 or frame.damage
        assert time.monotonic() - began < 10


def test_a_masked_window_that_is_put_into_one_of_another_program_hides_that_one(
    xserver: "XServer", client: Client, other: Client
) -> None:
    pattern = WindowPattern(title="vault")
    secret = other.window(Rect(50, 50, 200, 200), SECRET, title="vault")
    host_area = Rect(300, 300, 300, 250)
    host = client.window(host_area, OPEN, title="host")
    inner = client.window(Rect(5, 5, 290, 240), OPEN, parent=host)
    client.manage(host)
    with X11Source(xserver.display, masks=[pattern]) as source:
        assert only_blank(after_a_while(source), Rect(50, 50, 200, 200))
        other.reparent(secret, inner, 10, 10)
        other.synchronize()
        assert not leaks(source.capture())
        assert source.unmatched == ()
        client.fill(client.children()[0], SCREEN, OPEN)
        client.synchronize()
        assert only_blank(after_a_while(source), host_area)
        # Wherever they go.
        client.place(host, host_area.moved(100, 0))
        client.place(inner, Rect(50, 0, 290, 240))
        client.synchronize()
        assert not leaks(source.capture())
        other.destroy(secret)
        other.synchronize()
        source.capture()
        assert not leaks(after_a_while(source))
        assert source.unmatched == (pattern,)


def test_a_program_that_starts_inside_another_one_is_masked(
    xserver: "XServer", client: Client, eventually: Eventually
) -> None:
    host = client.window(LARGE, OPEN, title="host")
    client.manage(host)
    with X11Source(xserver.display, masks=[WindowPattern(window_class="xterm")]) as source:
        assert only_blank(source.capture())
        xserver.start("xterm", "-bg", f"#{SECRET:06x}", "-into", str(host))

        def blank() -> bool:
            frame = source.capture()
            assert not leaks(frame)
            return only_blank(frame, LARGE)

        eventually(blank)


def test_a_shared_window_that_is_put_into_another_one_is_not_there(
    xserver: "XServer", client: Client, other: Client
) -> None:
    shared = other.window(LARGE, OPEN, title="editor")
    host = client.window(Rect(300, 300, 300, 250), SECRET, title="host")
    client.manage(host)
    with X11Source(xserver.display, share=WindowPattern(title="editor")) as source:
        source.capture()
        other.reparent(shared, host, 10, 10)
        other.synchronize()
        with pytest.raises(TransientCaptureError, match="no window of title editor is on the screen"):
            source.capture()


def test_a_title_that_a_window_inside_another_one_takes_on_late_is_seen(
    xserver: "XServer", client: Client, other: Client
) -> None:
    frame_area = Rect(300, 100, 200, 150)
    frame = client.window(frame_area, SECRET)
    with X11Source(xserver.display, masks=[WindowPattern(title="secret")]) as source:
        source.capture()
        while source.wait(time.monotonic() + 0.1):
            source.capture()
        inside = other.window(Rect(0, 0, 200, 150), SECRET, parent=frame)
        assert Event.FRAME in source.wait(time.monotonic() + 10)
        source.capture()
        other.title(inside, "secret")
        assert Event.FRAME in source.wait(time.monotonic() + 10)
        assert only_blank(source.capture(), frame_area)


def test_a_window_that_is_shared_by_number_is_never_followed_by_another_with_this_number(
    xserver: "XServer", client: Client, eventually: Eventually
) -> None:
    first = Client(xserver.display)
    window = first.window(LARGE, OPEN, title="shared")
    with X11Source(xserver.display, share=WindowPattern(id=window)) as source:
        assert only_blank(source.capture())
        first.close()
        eventually(lambda: _gone(client, window))
        second = Client(xserver.display)
        assert second.window(LARGE, SECRET) == window
        for _ in range(2):
            with pytest.raises(TransientCaptureError, match=f"the window of id {window:#x} was closed"):
                source.capture()
        second.close()


def test_a_window_that_is_shared_by_number_is_not_looked_for_on_a_server_that_was_restarted(
    xserver: "XServer", eventually: Eventually
) -> None:
    first = Client(xserver.display)
    window = first.window(LARGE, OPEN)
    with X11Source(xserver.display, share=WindowPattern(id=window)) as source:
        source.capture()
        xserver.restart()
        second = Client(xserver.display)
        assert second.window(LARGE, SECRET) == window

        def refused() -> bool:
            try:
                source.capture()
            except TransientCaptureError as error:
                return "was closed" in str(error)
            pytest.fail("this is another window")

        eventually(refused)
        second.close()
    first.close()
