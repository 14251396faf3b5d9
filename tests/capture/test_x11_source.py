"""Frames of real X servers by damage: exact, never less damage than change, and alive whatever the server does."""

import contextlib
import math
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import mss
import numpy as np
import pytest
from numpy.typing import NDArray
from x11_client import Client, Scribbler, colours, xwd
from x11_painter import painter
from x11_pictures import leaks

from fastframe import Decoder, Encoder, Rect
from fastframe.capture import CapturedFrame, Event, WindowPattern
from fastframe.capture.x11 import X11Source
from fastframe.errors import LocalProtocolError, PermanentCaptureError, TransientCaptureError

if TYPE_CHECKING:
    from xserver import XServer

SIZE = (800, 600)


@pytest.fixture
def client(xserver: "XServer") -> Iterator[Client]:
    """A program that draws on the server's screen, of which it has no window."""
    client = Client(xserver.display)
    yield client
    client.close()


@pytest.fixture
def source(xserver: "XServer") -> Iterator[X11Source]:
    """The server's whole screen."""
    with X11Source(xserver.display) as source:
        yield source


class Viewer:
    """Keeps a picture up to date by what damage says, and nothing else."""

    def __init__(self) -> None:
        self.picture: NDArray[np.uint8] | None = None

    def follow(self, source: X11Source) -> NDArray[np.uint8]:
        """Capture a frame; the picture must be the frame then."""
        frame = source.capture()
        if frame.damage is None or self.picture is None:
            self.picture = colours(frame.pixels).copy()
        else:
            for x, y, width, height in frame.damage:
                self.picture[y : y + height, x : x + width] = colours(frame.pixels)[y : y + height, x : x + width]
        assert (self.picture == colours(frame.pixels)).all(), "a change outside of the damage"
        return self.picture


def test_equals_what_other_programs_see_after_each_of_1000_drawing_steps(
    xserver: "XServer", client: Client, source: X11Source
) -> None:
    scribbler, viewer = Scribbler(client, SIZE, seed=1), Viewer()
    held = []
    with mss.MSS(display=xserver.display) as other:
        for step in range(1000):
            scribbler.step()
            client.synchronize()
            picture = viewer.follow(source)
            if step % 20 == 0:
                assert (picture == colours(np.asarray(other.grab(other.monitors[0])))).all(), f"step {step}"
            if step % 100 == 0:
                assert (picture == xwd(xserver.display)).all(), f"step {step}"
                # Frames that are kept stay as they were, however many.
                frame = source.capture()
                held.append((frame, frame.pixels.copy()))
    assert len(held) == 10
    assert all((frame.pixels == copy).all() for frame, copy in held)


def test_is_exact_after_concurrent_drawing(xserver: "XServer", source: X11Source) -> None:
    drawing = threading.Event()
    drawing.set()

    def draw() -> None:
        own = Client(xserver.display)
        scribbler = Scribbler(own, SIZE, seed=2)
        while drawing.is_set():
            for _ in range(20):
                scribbler.step()
            own.synchronize()
        finished.wait(30)
        own.close()

    finished = threading.Event()
    painter = threading.Thread(target=draw)
    painter.start()
    viewer = Viewer()
    changes = 0
    try:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            before = None if viewer.picture is None else viewer.picture.copy()
            picture = viewer.follow(source)
            changes += before is None or bool((before != picture).any())
        drawing.clear()
        viewer.follow(source)
        # The painter may have been in the middle of a batch.
        while source.wait(time.monotonic() + 0.3):
            viewer.follow(source)
        assert (viewer.picture == xwd(xserver.display)).all()
        assert changes > 20
    finally:
        drawing.clear()
        finished.set()
        painter.join()


def test_sleeps_while_nothing_changes_and_wakes_at_once(client: Client, source: X11Source) -> None:
    source.capture()
    while source.wait(time.monotonic() + 0.2):
        source.capture()
    used = time.process_time()
    assert source.wait(time.monotonic() + 1.0) == Event.NONE
    assert time.process_time() - used < 0.2
    began = time.monotonic()
    timer = threading.Timer(0.2, lambda: (client.fill(client.root, Rect(5, 6, 7, 8), 0xFF), client.synchronize()))
    timer.start()
    assert Event.FRAME in source.wait(began + 20)
    assert time.monotonic() - began < 10
    timer.join()
    assert source.capture().damage == (Rect(5, 6, 7, 8),)
    assert source.capture().damage == ()


def test_change_between_two_calls_is_not_missed(client: Client, source: X11Source) -> None:
    source.capture()
    client.fill(client.root, Rect(100, 100, 10, 10), 0x123456)
    client.fill(client.root, Rect(300, 200, 10, 10), 0x123456)
    client.synchronize()
    assert Event.FRAME in source.wait(None)
    frame = source.capture()
    assert frame.damage is not None
    assert set(frame.damage) == {Rect(100, 100, 10, 10), Rect(300, 200, 10, 10)}
    assert (colours(frame.pixels)[205, 305] == (0x56, 0x34, 0x12)).all()


def test_frames_are_read_only_and_outlive_the_source(client: Client, xserver: "XServer") -> None:
    client.fill(client.root, Rect(0, 0, 800, 600), 0x102030)
    client.synchronize()
    with X11Source(xserver.display) as source:
        frame = source.capture()
    assert frame.size == SIZE
    assert frame.stride == 4 * 800
    assert (colours(frame.pixels) == (0x30, 0x20, 0x10)).all()
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[0, 0] = 1


def test_memory_is_used_again_once_frames_are_dropped(client: Client, source: X11Source) -> None:
    places = set()
    for colour in range(30):
        client.fill(client.root, Rect(0, 0, 800, 600), colour)
        client.synchronize()
        frame = source.capture()
        assert (frame.pixels[..., 0] == colour).all()
        places.add(frame.pixels.__array_interface__["data"][0])
        del frame
    assert len(places) == 1
    # A view of a view still counts.
    kept = [source.capture().pixels[10:20][2:4] for _ in range(3)]
    client.fill(client.root, Rect(0, 0, 800, 600), 0xABCDEF)
    client.synchronize()
    assert (source.capture().pixels[..., 0] == 0xEF).all()
    assert all((view[..., 0] == 29).all() for view in kept)


def test_the_encoder_takes_the_damage_as_it_is(client: Client, source: X11Source) -> None:
    encoder = Encoder()
    client.fill(client.root, Rect(0, 0, 800, 600), 0x405060)
    client.synchronize()
    first = source.capture()
    assert len(encoder.encode(first.pixels, damage=first.damage)) > 20
    second = source.capture()
    assert second.damage == ()
    assert len(encoder.encode(second.pixels, damage=second.damage)) < 20


def test_each_frame_differs_from_the_one_before_only_where_damage_says_so(
    xserver: "XServer", source: X11Source
) -> None:
    """While others draw, without a moment of rest."""
    encoder, decoder, viewer = Encoder(), Decoder(), Viewer()
    with painter(xserver.display, "dots"):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            before = None if viewer.picture is None else viewer.picture.copy()
            frame = source.capture()
            decoder.decode(encoder.encode(frame.pixels, damage=frame.damage))
            assert (colours(decoder.frame) == colours(frame.pixels)).all()
            if before is not None and frame.damage is not None:
                different = (before != colours(frame.pixels)).any(axis=2)
                for x, y, width, height in frame.damage:
                    different[y : y + height, x : x + width] = False
                assert not different.any()
            viewer.picture = colours(frame.pixels).copy()
    assert "XDamage reports" in source.reason


def test_who_keeps_more_frames_than_there_are_buffers_is_told_of_damage_still(
    xserver: "XServer", source: X11Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A part of the screen is looked at aside after each frame.
    monkeypatch.setattr("fastframe.capture.x11.session._SLICE_INTERVAL", 0.0)
    kept: list[CapturedFrame] = []
    with painter(xserver.display, "dots"):
        for _ in range(100):
            kept = [*kept[-5:], source.capture()]
    assert "XDamage reports" in source.reason
    assert all(frame.damage is not None for frame in kept)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 1.5}, "what is shared cannot be"),
        ({"share": True}, "what is shared cannot be"),
        ({"share": Rect(0, 0, 0, 5)}, "what is shared cannot be"),
        ({"share": (1, 2)}, "what is shared cannot be"),
        ({"masks": [3]}, "a mask cannot be"),
        ({"masks": [Rect(0, 0, -1, 5)]}, "a mask cannot be"),
        ({"masks": [(0.5, 0, 1, 5)]}, "a mask cannot be"),
        ({"timeout": 0}, "timeout must be"),
        ({"timeout": math.inf}, "timeout must be"),
    ],
)
def test_wrong_arguments_are_said_before_anything_is_opened(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        X11Source(":99999", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("display", [":99999", "nonsense", "127.0.0.1:9"])
def test_an_unknown_display_is_one_clear_line(display: str) -> None:
    with pytest.raises(PermanentCaptureError, match=f"^cannot capture display {display}: .+$"):
        X11Source(display)


def test_no_display_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(PermanentCaptureError, match=r"no display to capture: .*DISPLAY is not set"):
        X11Source()


def test_a_server_that_stops_is_an_error_in_time_and_works_again_when_it_goes_on(
    xserver: "XServer", client: Client
) -> None:
    with X11Source(xserver.display, timeout=0.5) as source:
        first = source.capture()
        xserver.stop()
        try:
            for call in (source.capture, source.capture, source.displays, source.cursor, lambda: source.wait(None)):
                began = time.monotonic()
                with pytest.raises(TransientCaptureError, match="answer"):
                    call()
                assert time.monotonic() - began < 5
            # The threads that wait for it do not pile up.
            assert sum(thread.name.startswith("connect to") for thread in threading.enumerate()) == 1
        finally:
            xserver.go_on()
        client.fill(client.root, Rect(0, 0, 800, 600), 0x112233)
        client.synchronize()
        frame = _capture_within(source, 20)
        assert (colours(frame.pixels) == (0x33, 0x22, 0x11)).all()
        assert frame.damage is None
        assert frame.layout > first.layout


def _capture_within(source: X11Source, seconds: float):  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while True:
        try:
            return source.capture()
        except TransientCaptureError:
            if time.monotonic() > end:
                raise


def test_a_server_that_stops_in_the_middle_of_a_picture_is_an_error_in_time(
    new_xserver: Callable[..., "XServer"],
) -> None:
    """Through the socket a picture comes in pieces, and xcb waits for the rest of one that has begun."""
    server = new_xserver(1920, 1080, "-extension", "MIT-SHM")
    with X11Source(server.display, timeout=0.2) as source:
        for attempt in range(6):
            _capture_within(source, 20)
            timer = threading.Timer(0.05 + 0.003 * attempt, server.stop)
            timer.start()
            with pytest.raises(TransientCaptureError):
                _capture_all_for_ever(source)
            stopped = time.monotonic()
            timer.join()
            assert time.monotonic() - stopped < 5
            server.go_on()


def _capture_all_for_ever(source: X11Source) -> None:
    """Have all of the screen read each time."""
    while True:
        source.set_masks([Rect(0, 0, 1920, 1080)])
        source.capture()
        source.set_masks([])
        source.capture()


def test_a_stopped_server_does_not_hold_up_a_new_source(xserver: "XServer") -> None:
    xserver.stop()
    try:
        began = time.monotonic()
        with pytest.raises(TransientCaptureError, match="does not answer"):
            X11Source(xserver.display, timeout=0.3)
        assert time.monotonic() - began < 5
    finally:
        xserver.go_on()


def test_a_server_that_is_killed_in_mid_grab_is_an_error_and_its_successor_is_captured(
    xserver: "XServer", source: X11Source
) -> None:
    source.capture()
    threading.Timer(0.2, lambda: os.kill(xserver.process.pid, signal.SIGKILL)).start()
    with pytest.raises(TransientCaptureError, match="gone"):
        _capture_for_ever(source)
    xserver.process.wait()
    with pytest.raises(TransientCaptureError, match=f"cannot capture display {xserver.display}"):
        source.capture()
    xserver.restart()
    xserver.fill("#0a0b0c")
    assert (colours(_capture_within(source, 20).pixels) == (0x0C, 0x0B, 0x0A)).all()


def _capture_for_ever(source: X11Source) -> None:
    while True:
        source.capture()


def test_a_closed_source_says_so(source: X11Source) -> None:
    source.close()
    source.close()
    for call in (source.capture, source.displays, source.cursor, lambda: source.wait(0)):
        with pytest.raises(PermanentCaptureError, match="closed"):
            call()


def test_changes_without_damage_are_found_and_then_damage_is_not_believed_any_more(
    new_xserver: Callable[..., "XServer"], tmp_path: Path
) -> None:
    """The screen of this server is a file; who writes to it draws behind the server's back."""
    server = new_xserver(800, 600, "-fbdir", str(tmp_path))
    path = tmp_path / "Xvfb_screen0"
    with X11Source(server.display) as source:
        source.capture()
        screen = np.memmap(path, np.uint8, "r+")  # type: ignore[call-overload]
        viewer = Viewer()
        for change in range(3):
            viewer.follow(source)
            assert "XDamage reports" in source.reason
            screen[-4 * 800 * (100 + 150 * change) :][:400] = 0x40 + change
            assert Event.FRAME in source.wait(time.monotonic() + 20)
            viewer.follow(source)
            assert (viewer.picture == xwd(server.display)).all()
        assert "XDamage missed 3 changes" in source.reason
        # From now on each tick looks itself.
        assert source.wait(time.monotonic() + 0.05) == Event.FRAME
        screen[-4 * 800 * 300 :][:400] = 0x77
        frame = source.capture()
        assert frame.damage is None
        assert (colours(frame.pixels) == xwd(server.display)).all()


def test_gives_the_pointer_as_a_channel_of_its_own(xserver: "XServer", client: Client, source: X11Source) -> None:
    cursor = source.cursor()
    assert cursor is not None
    assert cursor.shape is not None
    assert (cursor.x, cursor.y, cursor.visible) == (400, 300, True)
    again = source.cursor()
    assert again is not None
    assert again.shape is None, "the shape comes only when it changes"
    # Half transparent orange, the colours multiplied by alpha as X wants them, and fully transparent at one corner.
    shape = np.full((20, 30, 4), (10, 50, 100, 128), np.uint8)
    shape[0, 0] = 0
    client.pointer(shape, (3, 4))
    assert Event.CURSOR in source.wait(time.monotonic() + 10)
    other = source.cursor()
    assert other is not None
    assert other.shape is not None
    assert other.shape.serial != cursor.shape.serial
    assert other.shape.hotspot == (3, 4)
    assert other.shape.pixels.shape == (20, 30, 4)
    assert other.shape.pixels[0, 0].tolist() == [0, 0, 0, 0]
    assert other.shape.pixels[5, 5].tolist() == [20, 100, 199, 128]
    assert Event.CURSOR not in source.wait(time.monotonic() + 0.1)


def test_shapes_of_the_pointer_have_other_serials_on_a_server_that_was_restarted(
    xserver: "XServer", source: X11Source
) -> None:
    source.capture()
    serials = [source.cursor().shape.serial]
    xserver.restart()
    with contextlib.closing(Client(xserver.display)) as client:
        _capture_within(source, 20)
        assert Event.CURSOR in source.wait(time.monotonic() + 10)
        serials.append(source.cursor().shape.serial)
        for size in (8, 9, 10):
            client.pointer(np.full((size, size, 4), 255, np.uint8), (0, 0))
            serials.append(source.cursor().shape.serial)
    assert len(set(serials)) == 5


def test_a_process_that_was_forked_leaves_the_connection_alone(source: X11Source) -> None:
    source.capture()
    child = os.fork()
    if child == 0:
        # As a program ends that does not know of the source.
        try:
            source._session.server.connection.close()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert source.capture().size == SIZE


def test_running_out_of_file_descriptors_passes(xserver: "XServer", source: X11Source) -> None:
    frame = source.capture()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    files = []
    try:
        with contextlib.suppress(OSError):
            while True:
                files.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(TransientCaptureError, match="Too many open files"):
            source.capture()
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert frame.size == SIZE
    assert source.capture().size == SIZE


def test_waits_for_any_time_but_none_that_is_not_a_number(client: Client, source: X11Source) -> None:
    source.capture()
    timer = threading.Timer(0.2, lambda: (client.fill(client.root, Rect(0, 0, 9, 9), 7), client.synchronize()))
    timer.start()
    assert Event.FRAME in source.wait(math.inf)
    timer.join()
    source.capture()
    assert Event.FRAME not in source.wait(-math.inf)
    with pytest.raises(LocalProtocolError, match="must be a number"):
        source.wait(math.nan)


def test_tells_when_the_pointer_moves(client: Client, source: X11Source) -> None:
    source.capture()
    assert source.cursor().shape is not None
    while source.wait(time.monotonic() + 0.1):
        source.capture()
    client.move_pointer(33, 44)
    assert source.wait(time.monotonic() + 20) == Event.CURSOR
    cursor = source.cursor()
    assert (cursor.x, cursor.y, cursor.visible, cursor.shape) == (33, 44, True, None)
    assert source.wait(time.monotonic() + 0.1) == Event.NONE
    client.place_pointer(55, 66)
    assert source.wait(time.monotonic() + 0.1) == Event.CURSOR
    cursor = source.cursor()
    assert (cursor.x, cursor.y) == (55, 66)
    assert source.wait(time.monotonic() + 0.1) == Event.NONE


def test_a_pointer_that_the_server_refuses_to_show_is_where_it_is(xserver: "XServer", source: X11Source) -> None:
    xserver.run("xsetroot", "-cursor_name", "gumby")  # It ends at once, and only its cursor stays.
    cursor = source.cursor()
    assert (cursor.x, cursor.y, cursor.visible, cursor.shape) == (400, 300, True, None)


def test_without_damage_or_shared_memory_it_reads_everything_through_the_socket(
    new_xserver: Callable[..., "XServer"],
) -> None:
    server = new_xserver(800, 600, "-extension", "DAMAGE", "-extension", "MIT-SHM")
    with contextlib.closing(Client(server.display)) as client, X11Source(server.display) as source:
        assert "reads everything through the socket" in source.reason
        scribbler = Scribbler(client, SIZE, seed=3)
        for _ in range(5):
            for _ in range(20):
                scribbler.step()
            client.synchronize()
            assert source.wait(time.monotonic() + 0.01) & Event.FRAME
            frame = source.capture()
            assert frame.damage is None
            assert (colours(frame.pixels) == xwd(server.display)).all()


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


def test_a_server_that_asks_for_a_key_is_captured_with_it_and_says_so_without(
    guarded_xserver: "XServer", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "nothing"))
    with pytest.raises(PermanentCaptureError, match=r"no permission: the server refuses.*XAUTHORITY"):
        X11Source(guarded_xserver.display)
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "key"))
    with X11Source(guarded_xserver.display) as source:
        assert source.capture().size == SIZE


def test_importing_loads_no_x11_library() -> None:
    code = "import fastframe.capture.x11; assert 'libxcb' not in open('/proc/self/maps').read()"
    subprocess.run([sys.executable, "-c", code], check=True)
