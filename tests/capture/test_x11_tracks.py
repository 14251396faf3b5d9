"""What is secret does not show where it has been meanwhile: between two frames, or in what others repaint late."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from x11_client import Client
from x11_painter import painter
from x11_pictures import LARGE, OPEN, OPEN_BGR, SECRET, after_a_while, leaks, only_blank, shows
from xserver import need

from fastframe import Rect
from fastframe.capture import Event, WindowPattern
from fastframe.capture.x11 import X11Source
from fastframe.errors import TransientCaptureError

if TYPE_CHECKING:
    from xserver import XServer

SCREEN = Rect(0, 0, 800, 600)
MASKS = (WindowPattern(title="secret*"),)
EDITOR = WindowPattern(title="editor")


class Late(Client):
    """A program that draws the whole screen in one colour, again only when it is told to."""

    def __init__(self, display: str) -> None:
        super().__init__(display)
        self._screen = self.window(SCREEN, background=False)
        self.repaint()

    def repaint(self) -> None:
        """Draw what others have left on the screen over."""
        self.fill(self._screen, SCREEN, OPEN)
        self.synchronize()


@pytest.fixture
def late(xserver: "XServer") -> Iterator[Late]:
    """A program that repaints late."""
    late = Late(xserver.display)
    yield late
    late.close()


@pytest.mark.parametrize("moves", [2, 40])
def test_every_place_of_a_masked_window_since_the_last_frame_is_blank(
    xserver: "XServer", late: Late, other: Client, moves: int
) -> None:
    secret = other.window(Rect(0, 0, 100, 100), SECRET, title="secret")
    with X11Source(xserver.display, masks=MASKS) as source:
        assert only_blank(source.capture(), Rect(0, 0, 100, 100))
        for move in range(moves):
            other.place(secret, Rect(600 * (move + 1) // moves, 10 * move, 100, 100))
        other.synchronize()
        assert not leaks(source.capture())
        late.repaint()
        assert only_blank(after_a_while(source), Rect(600, 10 * (moves - 1), 100, 100))


def test_where_windows_have_been_that_are_too_many_to_tell_everything_is_blank_for_a_moment(
    xserver: "XServer", late: Late, other: Client
) -> None:
    other.window(Rect(0, 0, 100, 100), SECRET, title="secret")
    with X11Source(xserver.display, masks=MASKS) as source:
        source.capture()
        for number in range(1100):
            popup = other.window(Rect(300 + number % 7, 300, 80, 80), SECRET, override_redirect=True)
            other.destroy(popup)
        other.synchronize()
        assert only_blank(source.capture(), SCREEN)
        late.repaint()
        assert only_blank(after_a_while(source), Rect(0, 0, 100, 100))


def test_a_popup_of_a_masked_program_that_comes_and_goes_between_two_frames_is_blank(
    xserver: "XServer", late: Late, other: Client
) -> None:
    other.window(Rect(0, 0, 100, 100), SECRET, title="secret")
    with X11Source(xserver.display, masks=MASKS) as source:
        source.capture()
        popup = other.window(Rect(50, 300, 80, 80), SECRET, override_redirect=True)
        other.destroy(popup)
        other.synchronize()
        assert only_blank(source.capture(), Rect(0, 0, 100, 100), Rect(50, 300, 80, 80))


def test_dialogs_and_menus_stay_blank_while_the_masked_window_itself_is_not_shown(
    xserver: "XServer", client: Client, other: Client
) -> None:
    program = Client(xserver.display)
    secret = program.window(LARGE, SECRET, title="secret")
    menu, dialog = Rect(450, 100, 50, 50), Rect(550, 300, 100, 100)
    program.window(menu, SECRET, override_redirect=True)
    other.window(dialog, SECRET, title="entry", transient_for=secret)
    with X11Source(xserver.display, masks=MASKS) as source:
        assert only_blank(source.capture(), LARGE, menu, dialog)
        program.unmap(secret)
        program.synchronize()
        assert not leaks(source.capture())
        assert only_blank(after_a_while(source), menu, dialog)
        program.destroy(secret)
        program.synchronize()
        source.capture()
        assert shows(after_a_while(source).pixels, (0xBE, 0xAD, 0xDE)), "of a program without a secret window"
    program.close()


def test_a_window_with_another_title_stays_blank_until_it_had_time_to_repaint(
    xserver: "XServer", client: Client, other: Client
) -> None:
    secret = other.window(LARGE, SECRET, title="secret")
    with X11Source(xserver.display, masks=MASKS) as source:
        source.capture()
        other.title(secret, "harmless")
        other.place(secret, LARGE.moved(250, 50))
        other.synchronize()
        assert not leaks(source.capture())
        other.fill(secret, Rect(0, 0, 300, 200), OPEN)
        other.synchronize()
        assert only_blank(after_a_while(source))


def test_a_shared_window_that_comes_back_shows_nothing_of_others_until_it_is_repainted(
    xserver: "XServer", other: Client
) -> None:
    hidden = Client(xserver.display)
    behind = hidden.window(SCREEN, SECRET)
    shared = other.window(LARGE, title="editor", background=False)
    other.fill(shared, Rect(0, 0, 300, 200), OPEN)
    other.synchronize()
    with X11Source(xserver.display, share=EDITOR) as source:
        assert only_blank(source.capture())
        other.unmap(shared)
        other.synchronize()
        with pytest.raises(TransientCaptureError, match="no window of title editor is on the screen"):
            source.capture()
        hidden.fill(behind, SCREEN, SECRET)
        hidden.synchronize()
        other.map(shared)
        other.synchronize()
        assert only_blank(source.capture(), Rect(0, 0, 300, 200))
        other.fill(shared, Rect(0, 0, 300, 200), OPEN)
        other.synchronize()
        assert only_blank(after_a_while(source))
        # Another one that fits, before which nobody has seen this one.
        other.window(Rect(450, 300, 200, 200), title="editor", background=False)
        assert only_blank(source.capture(), Rect(0, 0, 200, 200))
    hidden.close()


def test_while_the_shared_window_is_not_shown_waiting_sleeps_until_something_happens_to_windows(
    xserver: "XServer", client: Client, other: Client
) -> None:
    shared = client.window(LARGE, OPEN, title="editor")
    before = other.window(Rect(150, 150, 50, 50), SECRET)
    with X11Source(xserver.display, share=EDITOR) as source:
        source.capture()
        other.destroy(before)
        other.synchronize()
        source.capture()
        client.unmap(shared)
        client.synchronize()
        events = []
        # Longer than anything lingers.
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            events.append(source.wait(end))
            if Event.FRAME in events[-1]:
                with pytest.raises(TransientCaptureError, match="no window of title editor"):
                    source.capture()
        assert len(events) <= 3
        client.map(shared)
        client.synchronize()
        assert source.wait(time.monotonic() + 10) == Event.FRAME
        assert source.capture().size == (300, 200)


def test_what_came_and_went_before_a_shared_window_is_blank_until_it_is_repainted(
    xserver: "XServer", client: Client, other: Client
) -> None:
    shared = other.window(LARGE, title="editor", background=False)
    other.fill(shared, Rect(0, 0, 300, 200), OPEN)
    other.synchronize()
    with X11Source(xserver.display, share=EDITOR) as source:
        assert only_blank(source.capture())
        toast = client.window(Rect(150, 150, 50, 50), SECRET, override_redirect=True)
        client.destroy(toast)
        client.synchronize()
        assert only_blank(source.capture(), Rect(50, 50, 50, 50))


def test_a_masked_window_that_a_compositor_paints_late_never_shows(xserver: "XServer", client: Client) -> None:
    need("picom")
    compositor = xserver.start_by_environment("picom", "--backend", "xrender", "--config", "/dev/null")
    frames = 0
    with painter(xserver.display, "wander"), X11Source(xserver.display, masks=MASKS) as source:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            frame = source.capture()
            assert not leaks(frame), f"frame {frames}"
            frames += shows(frame.pixels, OPEN_BGR)
            source.wait(time.monotonic() + 0.01)
    assert frames > 10
    assert compositor.poll() is None
