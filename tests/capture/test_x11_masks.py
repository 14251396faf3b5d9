"""What must stay private is never in a frame, whatever the windows do; and what is shared is all there is."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from x11_client import Client, colours
from x11_pictures import LARGE, OPEN, OPEN_BGR, SECRET, SECRET_BGR, after_a_while, blank, only_blank, shows
from xserver import need

from fastframe import Decoder, Encoder, Rect
from fastframe.capture import CapturedFrame, Event, WindowPattern
from fastframe.capture.x11 import X11Source
from fastframe.capture.x11.session import Session
from fastframe.capture.x11.windows import WindowList
from fastframe.capture.x11.xcb import RequestRefused
from fastframe.errors import PermanentCaptureError, TransientCaptureError

if TYPE_CHECKING:
    from xserver import XServer

Eventually = Callable[[Callable[[], bool]], None]


def test_a_masked_rectangle_is_blank_from_the_first_frame_on(xserver: "XServer", client: Client) -> None:
    client.fill(client.root, LARGE, SECRET)
    client.synchronize()
    with X11Source(xserver.display, masks=[LARGE]) as source:
        frame = source.capture()
        assert only_blank(frame, LARGE)
        assert (frame.pixels[150, 150] == (0, 0, 0, 255)).all()
        # What happens behind the mask is no news, and makes nothing visible.
        client.fill(client.root, Rect(200, 150, 20, 20), SECRET + 1)
        client.synchronize()
        frame = source.capture()
        assert frame.damage == ()
        assert only_blank(frame, LARGE)
        # Beside and behind: only what is beside is damage.
        client.fill(client.root, Rect(90, 150, 20, 20), OPEN)
        client.synchronize()
        frame = source.capture()
        assert frame.damage == (Rect(90, 150, 10, 20),)
        assert only_blank(frame, LARGE)


def test_masks_that_are_set_later_reach_the_viewer_at_once_and_go_again(xserver: "XServer", client: Client) -> None:
    with X11Source(xserver.display) as source:
        encoder, decoder = Encoder(), Decoder()

        def follow() -> CapturedFrame:
            frame = source.capture()
            decoder.decode(encoder.encode(frame.pixels, damage=frame.damage))
            assert (colours(decoder.frame) == colours(frame.pixels)).all()
            return frame

        assert only_blank(follow())
        source.set_masks([LARGE])
        assert source.wait(time.monotonic() + 5) == Event.FRAME
        frame = follow()
        assert frame.damage is not None
        assert only_blank(frame, LARGE)
        source.set_masks([Rect(0, 0, 50, 50), Rect(200, 150, 10, 10)])
        assert only_blank(follow(), Rect(0, 0, 50, 50), Rect(200, 150, 10, 10))
        source.set_masks([])
        assert only_blank(follow())
        assert source.capture().damage == ()


def test_a_mask_that_is_set_while_a_frame_is_captured_is_in_the_next_one(
    xserver: "XServer", client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another thread, say: that is not allowed, but must not leave the mask out for ever."""
    receive = Session._receive_picture

    def receive_and_set(session: Session, *arguments: Any) -> Any:
        pixels = receive(session, *arguments)
        source.set_masks([LARGE])
        return pixels

    with X11Source(xserver.display) as source:
        source.capture()
        with monkeypatch.context() as patch:
            patch.setattr(Session, "_receive_picture", receive_and_set)
            client.fill(client.root, Rect(500, 400, 20, 20), OPEN)
            client.synchronize()
            source.capture()
        client.fill(client.root, Rect(500, 400, 30, 30), OPEN)
        client.synchronize()
        assert only_blank(source.capture(), LARGE)


def test_where_a_window_was_long_before_it_was_masked_is_of_no_interest(xserver: "XServer", client: Client) -> None:
    window = client.window(Rect(0, 0, 50, 50), SECRET, title="secret")
    with X11Source(xserver.display) as source:
        source.capture()
        for step in range(20):
            client.place(window, Rect(20 * step, 10 * step, 50, 50))
            client.fill(client.root, Rect(700, 500, 20, 20), OPEN - step)
            client.synchronize()
            source.wait(time.monotonic() + 1)
            source.capture()
        client.fill(client.root, Rect(700, 500, 20, 20), OPEN)
        client.synchronize()
        source.capture()
        source.set_masks([WindowPattern(title="secret")])
        assert only_blank(source.capture(), Rect(380, 190, 50, 50))


def test_masks_count_in_pixels_of_the_desktop_whatever_is_shared(xserver: "XServer", client: Client) -> None:
    client.fill(client.root, Rect(300, 300, 50, 50), SECRET)
    client.synchronize()
    with X11Source(xserver.display, share=Rect(250, 250, 200, 200), masks=[Rect(300, 300, 50, 50)]) as source:
        assert only_blank(source.capture(), Rect(50, 50, 50, 50))


@pytest.mark.parametrize("by", ["id", "class", "title", "all"])
def test_a_masked_window_is_blank_wherever_it_goes(xserver: "XServer", client: Client, by: str) -> None:
    secret = client.window(LARGE, SECRET, title="My Online Banking - Browser", window_class="Vault")
    pattern = {
        "id": WindowPattern(id=secret),
        "class": WindowPattern(window_class="VAULT"),
        "title": WindowPattern(title="*online banking*"),
        "all": WindowPattern(secret, "v*t", "my*"),
    }[by]
    with X11Source(xserver.display, masks=[pattern]) as source:
        assert only_blank(source.capture(), LARGE)
        elsewhere = Rect(450, 380, 120, 90)
        client.place(secret, elsewhere)
        client.synchronize()
        frame = source.capture()
        assert blank(frame, elsewhere)
        assert blank(frame, LARGE), "it may still be seen where it was"
        assert source.unmatched == ()
        assert only_blank(after_a_while(source), elsewhere)
        client.destroy(secret)
        client.synchronize()
        assert not shows(source.capture().pixels, SECRET_BGR)
        assert source.unmatched == (pattern,)


def test_not_one_pixel_leaks_while_a_masked_window_moves(xserver: "XServer", client: Client) -> None:
    moving = threading.Event()
    moving.set()
    steps = 0

    def move() -> None:
        nonlocal steps
        mover = Client(xserver.display)
        secret = mover.window(LARGE, SECRET, title="secret")
        random = np.random.default_rng(4)
        ready.set()
        while moving.is_set():
            # On the left half only: where it was stays blank for a while, and something must be left to see.
            x, y, width, height = (int(value) for value in random.integers((-50, -50, 20, 20), (200, 400, 200, 200)))
            mover.place(secret, Rect(x, y, width, height))
            mover.top(secret)
            mover.fill(mover.root, Rect(400 + y, x, 50, 50), OPEN - steps % 2)
            if steps % 50 == 0:
                mover.unmap(secret)
                mover.map(secret)
            mover.synchronize()
            steps += 1
        mover.close()

    ready = threading.Event()
    thread = threading.Thread(target=move)
    thread.start()
    assert ready.wait(20)
    encoder, decoder = Encoder(), Decoder()
    frames = changes = 0
    try:
        with X11Source(xserver.display, masks=[WindowPattern(title="secret")]) as source:
            end = time.monotonic() + 4
            while time.monotonic() < end:
                frame = source.capture()
                assert not shows(frame.pixels, SECRET_BGR), f"frame {frames}"
                decoder.decode(encoder.encode(frame.pixels, damage=frame.damage, keyframe=frames % 20 == 0))
                assert (colours(decoder.frame) == colours(frame.pixels)).all()
                frames += 1
                changes += frame.damage != ()
    finally:
        moving.clear()
        thread.join()
    assert steps > 100
    assert changes > 3


def test_a_window_that_takes_on_a_masked_title_is_blank_from_then_on(xserver: "XServer", client: Client) -> None:
    window = client.window(LARGE, OPEN, title="News")
    with X11Source(xserver.display, masks=[WindowPattern(title="*bank*")]) as source:
        assert only_blank(source.capture())
        assert source.unmatched == (WindowPattern(title="*bank*"),)
        while source.wait(time.monotonic() + 0.05):
            source.capture()
        client.title(window, "Bank")
        assert Event.FRAME in source.wait(time.monotonic() + 5)
        client.fill(window, Rect(0, 0, 300, 200), SECRET)
        client.synchronize()
        frame = source.capture()
        assert only_blank(frame, LARGE)
        assert frame.damage


def test_menus_tooltips_and_dialogs_are_masked_with_their_window(
    xserver: "XServer", client: Client, other: Client
) -> None:
    window = client.window(Rect(10, 10, 50, 50), SECRET, title="secret")
    client.window(Rect(60, 60, 50, 50), SECRET, override_redirect=True)
    other.window(Rect(110, 110, 50, 50), SECRET, transient_for=window)
    other.window(Rect(160, 160, 50, 50), OPEN, override_redirect=True)
    client.window(Rect(210, 210, 50, 50), OPEN, title="harmless window of the same program")
    with X11Source(xserver.display, masks=[WindowPattern(title="secret")]) as source:
        assert only_blank(source.capture(), Rect(10, 10, 50, 50), Rect(60, 60, 50, 50), Rect(110, 110, 50, 50))


def test_where_windows_cannot_be_told_nothing_is_shown(
    xserver: "XServer", client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.window(LARGE, SECRET, title="secret")
    with X11Source(xserver.display, masks=[WindowPattern(title="secret")]) as source:
        assert only_blank(source.capture(), LARGE)

        def refuse(_: WindowList) -> None:
            raise RequestRefused("as if a window had gone away while it was looked at")

        with monkeypatch.context() as patch:
            patch.setattr(WindowList, "read", refuse)
            frame = source.capture()
            assert only_blank(frame, Rect(0, 0, 800, 600))
            assert frame.damage
        assert only_blank(source.capture(), LARGE)


def test_shares_one_window_and_nothing_else(xserver: "XServer", client: Client, other: Client) -> None:
    window = client.window(LARGE, OPEN, title="Editor")
    other.window(Rect(0, 0, 150, 150), SECRET, title="in front of it")
    other.window(Rect(600, 400, 150, 150), SECRET, title="beside it")
    with X11Source(xserver.display, share=WindowPattern(title="editor")) as source:
        frame = source.capture()
        assert frame.size == (300, 200)
        assert only_blank(frame, Rect(0, 0, 50, 50))
        # Its own menu belongs to it.
        client.window(Rect(120, 120, 40, 20), OPEN, override_redirect=True)
        assert only_blank(after_a_while(source), Rect(0, 0, 50, 20), Rect(0, 20, 20, 20), Rect(0, 40, 50, 10))
        client.place(window, Rect(300, 350, 200, 100))
        client.synchronize()
        moved = source.capture()
        assert moved.size == (200, 100)
        assert moved.damage is None
        assert moved.layout > frame.layout
        assert only_blank(moved, Rect(0, 0, 50, 20), Rect(0, 20, 20, 20), Rect(0, 40, 50, 10)), "not repainted yet"
        assert only_blank(after_a_while(source))
        # Partly beyond the screen: what can be seen.
        client.place(window, Rect(-50, 350, 200, 100))
        client.synchronize()
        assert source.capture().size == (150, 100)
        client.unmap(window)
        client.synchronize()
        with pytest.raises(TransientCaptureError, match="no window of title editor is on the screen"):
            source.capture()
        client.map(window)
        client.synchronize()
        assert source.capture().size == (150, 100)


def test_what_comes_into_view_of_a_shared_window_shows_no_other_until_it_is_repainted(
    xserver: "XServer", client: Client, other: Client
) -> None:
    """A window without a background keeps the pixels of others until its program draws."""
    shared = client.window(LARGE, title="editor", background=False)
    client.fill(shared, Rect(0, 0, 300, 200), OPEN)
    secret = other.window(Rect(150, 150, 100, 50), SECRET)
    with X11Source(xserver.display, share=WindowPattern(title="editor")) as source:
        assert only_blank(source.capture(), Rect(50, 50, 100, 50))
        other.place(secret, Rect(0, 500, 100, 50))
        other.synchronize()
        assert only_blank(source.capture(), Rect(50, 50, 100, 50)), "the secret is still on the screen there"
        client.fill(shared, Rect(0, 0, 300, 200), OPEN)
        client.synchronize()
        assert only_blank(after_a_while(source))
        # What is uncovered because the shared window itself moves.
        client.place(shared, Rect(450, 380, 300, 200))
        client.synchronize()
        other.place(secret, Rect(440, 370, 100, 50))
        other.synchronize()
        assert only_blank(source.capture(), Rect(0, 0, 90, 40))
        client.place(shared, Rect(300, 300, 300, 200))
        client.synchronize()
        assert not shows(source.capture().pixels, SECRET_BGR)


def test_a_window_that_is_not_there_cannot_be_shared(xserver: "XServer") -> None:
    with pytest.raises(PermanentCaptureError, match=r"^no window of class nobody is on the screen$"):
        X11Source(xserver.display, share=WindowPattern(window_class="nobody"))


def test_what_happens_behind_a_mask_is_no_damage_even_when_the_mask_changes(xserver: "XServer", client: Client) -> None:
    pattern = WindowPattern(title="secret")
    secret = client.window(LARGE, SECRET, title="secret")
    with X11Source(xserver.display, masks=[pattern]) as source:
        after_a_while(source)
        client.fill(secret, Rect(50, 60, 7, 9), 1)
        client.place(secret, LARGE.moved(1, 0))
        client.synchronize()
        assert source.capture().damage == (Rect(LARGE.right, LARGE.y, 1, LARGE.height),)
        after_a_while(source)
        client.fill(secret, Rect(150, 160, 7, 9), 1)
        client.synchronize()
        source.set_masks([pattern, Rect(0, 0, 5, 5)])
        assert source.capture().damage == (Rect(0, 0, 5, 5),)


def test_the_pointer_is_not_shown_over_what_is_masked(xserver: "XServer") -> None:
    with X11Source(xserver.display, masks=[Rect(390, 290, 20, 20)]) as source:
        source.capture()
        cursor = source.cursor()
        assert (cursor.x, cursor.y, cursor.visible) == (400, 300, False)
        source.set_masks([])
        source.capture()
        assert source.cursor().visible


def test_the_heat_map_tells_nothing_of_what_happens_behind_a_mask(xserver: "XServer", client: Client) -> None:
    with X11Source(xserver.display, masks=[LARGE]) as source:
        encoder = Encoder()
        encoder.encode(source.capture().pixels)
        client.fill(client.root, Rect(150, 150, 100, 100), SECRET)
        client.synchronize()
        encoder.encode(source.capture().pixels)
        assert encoder.stats is not None
        assert encoder.stats.tiles["unchanged"] == sum(encoder.stats.tiles.values())


def test_windows_that_a_window_manager_has_framed_are_found(xserver: "XServer", eventually: Eventually) -> None:
    need("openbox")
    manager = xserver.start_by_environment("openbox", "--sm-disable")
    client = Client(xserver.display)
    eventually(lambda: "window id" in xserver.run("xprop", "-root", "_NET_CLIENT_LIST"))
    window = client.window(Rect(200, 200, 200, 150), SECRET, title="secret", window_class="Vault")
    with X11Source(xserver.display, masks=[WindowPattern(window_class="vault")]) as source:

        def is_masked() -> bool:
            client.map(window)  # Again, since a window manager that is starting may miss it.
            client.synchronize()
            source.capture()
            return source.unmatched == ()

        eventually(is_masked)
        frame = source.capture()
        # The frame around it is hidden too: it has the title in it.
        assert not shows(frame.pixels, SECRET_BGR)
        for step in range(20):
            client.place(window, Rect(20 * step, 15 * step, 200, 150))
            client.synchronize()
            assert not shows(source.capture().pixels, SECRET_BGR)
    client.close()
    assert manager.poll() is None


def test_the_overlay_of_a_compositor_hides_nothing(xserver: "XServer", eventually: Eventually) -> None:
    need("picom")
    compositor = xserver.start_by_environment("picom", "--backend", "xrender", "--config", "/dev/null")
    client = Client(xserver.display)
    window = client.window(LARGE, OPEN, title="shared")
    secret = client.window(Rect(50, 50, 100, 100), SECRET, title="secret")
    masks = [WindowPattern(title="secret")]
    with X11Source(xserver.display, share=WindowPattern(title="shared"), masks=masks) as source:
        eventually(lambda: shows(source.capture().pixels, OPEN_BGR))
        for step in range(30):
            client.place(secret, Rect(10 * step, 8 * step, 100, 100))
            client.synchronize()
            assert not shows(source.capture().pixels, SECRET_BGR)
    assert compositor.poll() is None
    del window
    client.close()
