"""What part of an X11 desktop is captured, while monitors come, go, move and change their size."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from x11_client import Client, colours
from x11_painter import painter
from x11_pictures import leaks

from fastframe import Rect
from fastframe.capture import Event, WindowPattern
from fastframe.capture.x11 import X11Source
from fastframe.errors import PermanentCaptureError, TransientCaptureError

if TYPE_CHECKING:
    from xserver import XServer

SIZE = (800, 600)


def test_follows_the_size_of_the_screen_down_and_up(xserver: "XServer", source: X11Source) -> None:
    first = source.capture()
    xserver.shrink(640, 480)
    assert Event.LAYOUT in source.wait(time.monotonic() + 10)
    small = source.capture()
    assert small.size == (640, 480)
    assert small.damage is None
    assert small.layout > first.layout
    assert source.capture().layout == small.layout
    xserver.grow()
    xserver.fill("#102030")
    grown = source.capture()
    assert grown.size == SIZE
    assert (colours(grown.pixels) == (0x30, 0x20, 0x10)).all()
    assert grown.layout > small.layout


def test_a_screen_that_shrinks_while_it_is_captured_gives_frames_all_the_same(
    xserver: "XServer", source: X11Source
) -> None:
    sizes = [SIZE]
    stop = threading.Event()

    def resize() -> None:
        while not stop.is_set():
            xserver.shrink(640, 480)
            xserver.grow()

    thread = threading.Thread(target=resize)
    thread.start()
    try:
        end = time.monotonic() + 20
        while len(sizes) < 5 and time.monotonic() < end:
            size = source.capture().size
            if size != sizes[-1]:
                sizes.append(size)
    finally:
        stop.set()
        thread.join()
    assert sizes == [SIZE, (640, 480), SIZE, (640, 480), SIZE]


def test_shows_one_monitor_by_number_and_by_name_and_waits_for_it_when_it_is_unplugged(
    xserver: "XServer", client: Client, source: X11Source
) -> None:
    client.fill(client.root, Rect(0, 0, 400, 600), 0x0000AA)
    client.fill(client.root, Rect(400, 0, 400, 600), 0x00BB00)
    client.synchronize()
    source.capture()
    source.wait(time.monotonic() + 0.1)
    xserver.run("xrandr", "--setmonitor", "left", "400/100x600/150+0+0", "screen")
    xserver.run("xrandr", "--setmonitor", "right", "400/100x600/150+400+0", "none")
    assert Event.LAYOUT in source.wait(time.monotonic() + 10)
    assert [(each.name, each.area) for each in source.displays()] == [
        ("left", Rect(0, 0, 400, 600)),
        ("right", Rect(400, 0, 400, 600)),
    ]
    with X11Source(xserver.display, share=1) as left, X11Source(xserver.display, share="right") as right:
        assert (colours(left.capture().pixels) == (0xAA, 0, 0)).all()
        frame = right.capture()
        assert frame.size == (400, 600)
        assert (colours(frame.pixels) == (0, 0xBB, 0)).all()
        # What happens on one monitor is no news for the other.
        client.fill(client.root, Rect(10, 20, 30, 40), 0x00BB00)
        client.synchronize()
        assert Event.FRAME in left.wait(time.monotonic() + 5)
        assert left.capture().damage == (Rect(10, 20, 30, 40),)
        assert Event.FRAME not in right.wait(time.monotonic() + 0.1)
        xserver.run("xrandr", "--delmonitor", "right")
        with pytest.raises(TransientCaptureError, match="monitor right is not plugged in just now"):
            right.capture()
        xserver.run("xrandr", "--setmonitor", "right", "200/100x600/150+600+0", "none")
        again = right.capture()
        assert again.size == (200, 600)
        assert again.layout > frame.layout


def _waits(source: X11Source, seconds: float) -> list[Event]:
    """What waiting says in so many seconds, to who captures each time that there is a frame."""
    events = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        events.append(source.wait(end))
        if Event.FRAME in events[-1]:
            with contextlib.suppress(TransientCaptureError):
                source.capture()
    return events


@pytest.mark.parametrize("options", [(), ("-extension", "DAMAGE")])
def test_while_the_shared_monitor_is_unplugged_waiting_sleeps(
    new_xserver: Callable[..., "XServer"], options: tuple[str, ...]
) -> None:
    server = new_xserver(800, 600, *options)
    server.split(400, 400)
    masks = [WindowPattern(title="secret")]
    with (
        contextlib.closing(Client(server.display)) as client,
        X11Source(server.display, share="part-1", masks=masks) as source,
    ):
        source.capture()
        _waits(source, 0.1)
        server.run("xrandr", "--delmonitor", "part-1")
        events = _waits(source, 0.5)
        assert sum(Event.LAYOUT in event for event in events) == 1
        assert sum(Event.FRAME in event for event in events) <= 3
        # What happens elsewhere is no reason to look for it.
        client.fill(client.root, Rect(0, 0, 50, 50), 5)
        client.window(Rect(0, 0, 50, 50), 5)
        assert _waits(source, 0.3) == [Event.NONE]
        server.run("xrandr", "--setmonitor", "part-1", "400/400x600/600+400+0", "none")
        assert source.wait(time.monotonic() + 10) == Event.LAYOUT | Event.FRAME
        assert source.capture().size == (400, 600)


def test_a_new_layout_is_told_once_even_to_who_does_not_capture(xserver: "XServer", source: X11Source) -> None:
    source.capture()
    _waits(source, 0.1)
    xserver.split(400, 400)
    events = [source.wait(time.monotonic() + 10)]
    while Event.LAYOUT in events[-1] and len(events) < 6:
        # xrandr makes two changes.
        events.append(source.wait(time.monotonic() + 0.1))
    assert len(events) <= 3
    assert events[-1] == Event.FRAME, "there is a frame still"


def test_a_monitor_that_changes_places_with_another_never_shows_the_other(xserver: "XServer") -> None:
    frames = 0
    with painter(xserver.display, "swap"), X11Source(xserver.display, share="a") as source:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            with contextlib.suppress(TransientCaptureError):
                frame = source.capture()
                assert not leaks(frame), f"frame {frames}"
                assert frame.size == (400, 600)
                frames += 1
    assert frames > 10


def test_a_region_is_cut_to_the_screen(xserver: "XServer", client: Client) -> None:
    client.fill(client.root, Rect(700, 500, 100, 100), 0x123456)
    client.synchronize()
    with X11Source(xserver.display, share=Rect(700, 500, 500, 500)) as source:
        frame = source.capture()
        assert frame.size == (100, 100)
        assert (colours(frame.pixels) == (0x56, 0x34, 0x12)).all()
        client.fill(client.root, Rect(690, 510, 20, 5), 0)
        client.synchronize()
        assert source.capture().damage == (Rect(0, 10, 10, 5),)


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (2, "^there is no monitor 2; there is 1 \\(screen\\)$"),
        (0, "^there is no monitor 0; there is 1 \\(screen\\)$"),
        ("HDMI-9", "^there is no monitor HDMI-9; there is 1 \\(screen\\)$"),
        (Rect(900, 0, 10, 10), "lies outside of the screen of 800x600$"),
    ],
)
def test_what_cannot_be_shared_is_said(xserver: "XServer", share: "int | str | Rect", message: str) -> None:
    with pytest.raises(PermanentCaptureError, match=message):
        X11Source(xserver.display, share=share)


def test_follows_monitors_that_are_plugged_in_and_out(monitors: "XServer") -> None:
    with X11Source(monitors.display) as whole, X11Source(monitors.display, share="DUMMY0") as first:
        assert [each.name for each in whole.displays()] == ["DUMMY0"]
        assert whole.capture().size == first.capture().size == (1024, 768)
        monitors.plug(1, "800x600", "--right-of", "DUMMY0")
        assert Event.LAYOUT in whole.wait(time.monotonic() + 10)
        assert [each.name for each in whole.displays()] == ["DUMMY0", "DUMMY1"]
        assert whole.capture().size == (1024 + 800, 768)
        assert first.capture().size == (1024, 768)
        with X11Source(monitors.display, share="DUMMY1") as second:
            assert second.capture().size == (800, 600)
            monitors.unplug(1)
            with pytest.raises(TransientCaptureError, match="monitor DUMMY1 is not plugged in just now"):
                second.capture()
            assert whole.capture().size == (1024, 768)
            monitors.plug(1, "800x600", "--right-of", "DUMMY0")
            assert second.capture().size == (800, 600)
