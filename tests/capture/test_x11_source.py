"""Frames of real X servers by damage: exact, never less damage than change, and the pointer beside them."""

import contextlib
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mss
import numpy as np
import pytest
from numpy.typing import NDArray
from x11_client import Client, Scribbler, colours, xwd
from x11_painter import painter

from fastframe import Decoder, Encoder, Rect
from fastframe.capture import CapturedFrame, Event
from fastframe.capture.x11 import X11Source
from fastframe.errors import LocalProtocolError

if TYPE_CHECKING:
    from xserver import XServer

SIZE = (800, 600)


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
        end = time.monotonic() + 30
        while changes <= 50 and time.monotonic() < end:
            before = None if viewer.picture is None else viewer.picture.copy()
            picture = viewer.follow(source)
            changes += before is None or bool((before != picture).any())
        drawing.clear()
        viewer.follow(source)
        # The painter may have been in the middle of a batch.
        while source.wait(time.monotonic() + 0.3):
            viewer.follow(source)
        assert (viewer.picture == xwd(xserver.display)).all()
        assert changes > 50
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


def test_changes_around_what_is_shared_are_no_news(xserver: "XServer", client: Client) -> None:
    with X11Source(xserver.display, share=Rect(200, 200, 100, 100)) as source:
        source.capture()
        client.fill(client.root, Rect(10, 250, 10, 10), 0x123456)
        client.fill(client.root, Rect(700, 210, 10, 50), 0x123456)
        client.synchronize()
        assert Event.FRAME not in source.wait(time.monotonic() + 0.1)
        client.fill(client.root, Rect(190, 190, 20, 20), 0x123456)
        client.fill(client.root, Rect(700, 500, 10, 50), 0x123456)
        client.synchronize()
        assert Event.FRAME in source.wait(time.monotonic() + 5)
        frame = source.capture()
        assert frame.damage == (Rect(0, 0, 10, 10),)
        assert (colours(frame.pixels)[:10, :10] == (0x56, 0x34, 0x12)).all()


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


def test_importing_loads_no_x11_library() -> None:
    code = "import fastframe.capture.x11; assert 'libxcb' not in open('/proc/self/maps').read()"
    subprocess.run([sys.executable, "-c", code], check=True)
