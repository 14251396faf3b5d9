"""The live screen through mss, on real X servers that come, go, stop and change."""

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import apart
import numpy as np
import numpy.typing as npt
import pytest

from fastframe.capture import Event, MssSource, WindowPattern
from fastframe.capture.mss_source import blank
from fastframe.errors import LocalProtocolError, PermanentCaptureError, TransientCaptureError
from fastframe.geometry import Rect

if TYPE_CHECKING:
    from xserver import XServer

Eventually = Callable[[Callable[[], bool]], None]
Pixels = npt.NDArray[np.uint8]

# For servers that are stopped: short, so that the tests are, and long for a server that runs.
TIMEOUT = 0.6
# What a call may take beyond it when the machine is busy.
SLACK = 2.0


def shows(pixels: Pixels, color: str) -> bool:
    """Whether every pixel has this colour, written as #rrggbb."""
    red, green, blue = bytes.fromhex(color[1:])
    return bool((pixels[..., :3] == (blue, green, red)).all())


def works(call: Callable[[], object]) -> bool:
    """Whether a call does not fail for now."""
    try:
        call()
    except TransientCaptureError:
        return False
    return True


def threads() -> int:
    """How many this process has, those that Python does not know of too."""
    return len(os.listdir("/proc/self/task"))


@pytest.fixture(autouse=True)
def no_thread_stays(eventually: Eventually) -> Iterator[None]:
    """Whatever a test does to the server, in the end no thread of a source is left."""
    before = threads()
    yield
    gc.collect()
    eventually(lambda: threads() <= before)


class TestPicture:
    def test_is_exactly_what_is_on_the_screen(self, xserver: "XServer") -> None:
        xserver.fill("#123456")
        with MssSource(xserver.display) as screen:
            frame = screen.capture()
            assert (frame.size, frame.stride, frame.damage) == ((800, 600), 3200, None)
            assert (frame.pixels.shape, frame.pixels.dtype) == ((600, 800, 4), np.uint8)
            assert shows(frame.pixels, "#123456")
            with pytest.raises(ValueError, match="read-only"):
                frame.pixels[0, 0] = 0
            xserver.fill("#ffff01")
            assert shows(screen.capture().pixels, "#ffff01")
            # A frame is its owner's: neither the next one nor the end of the source touches it.
            assert shows(frame.pixels, "#123456")
        assert shows(frame.pixels, "#123456")

    def test_comes_from_the_display_of_the_environment(
        self, xserver: "XServer", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        xserver.fill("#abcdef")
        monkeypatch.setenv("DISPLAY", xserver.display)
        with MssSource() as screen:
            assert shows(screen.capture().pixels, "#abcdef")

    def test_has_what_a_client_draws(self, xserver: "XServer", eventually: Eventually) -> None:
        xserver.fill("#000000")
        with MssSource(xserver.display) as screen:
            assert shows(screen.capture().pixels, "#000000")
            xserver.start("xterm", "-bg", "#204060", "-geometry", "40x10+0+0")
            drawn = (0x60, 0x40, 0x20)
            eventually(lambda: bool((screen.capture().pixels[..., :3] == drawn).all(axis=2).sum() > 10_000))

    def test_follows_the_size_of_the_screen(self, xserver: "XServer", eventually: Eventually) -> None:
        with MssSource(xserver.display) as screen:
            first = screen.capture()
            xserver.shrink(640, 480)
            smaller = screen.capture()
            assert (smaller.size, smaller.layout > first.layout) == ((640, 480), True)
            assert Event.LAYOUT in screen.wait(None)
            assert screen.wait(None) == Event.FRAME
            xserver.grow()
            xserver.fill("#102030")
            eventually(lambda: screen.capture().size == (800, 600))
            larger = screen.capture()
            assert larger.layout > smaller.layout
            assert shows(larger.pixels, "#102030")

    def test_has_a_time(self, xserver: "XServer") -> None:
        with MssSource(xserver.display) as screen:
            before = time.monotonic_ns() // 1000
            times = [screen.capture().timestamp for _ in range(3)]
        assert before <= times[0] <= times[1] <= times[2] <= time.monotonic_ns() // 1000

    def test_changes_untold(self, xserver: "XServer") -> None:
        with MssSource(xserver.display) as screen:
            assert screen.wait(None) == Event.FRAME
            deadline = time.monotonic() + 0.1
            assert screen.wait(deadline) == Event.FRAME
            assert time.monotonic() >= deadline
            assert screen.cursor() is None

    def test_looking_at_the_layout_leaves_nothing_open(self, xserver: "XServer") -> None:
        with MssSource(xserver.display, share=1) as screen:
            screen.capture()
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(20):
                screen.capture()
                screen.displays()
            assert len(os.listdir("/proc/self/fd")) == before


class TestHungServer:
    def test_is_an_error_in_time_and_over_when_it_goes_on(self, xserver: "XServer", eventually: Eventually) -> None:
        xserver.fill("#123456")
        with MssSource(xserver.display, timeout=TIMEOUT) as screen:
            screen.capture()
            xserver.stop()
            for call in (screen.capture, screen.displays):
                began = time.monotonic()
                with pytest.raises(TransientCaptureError, match=r"has not answered for 0\.6 s") as failure:
                    call()
                assert failure.value.limit == TIMEOUT
                assert time.monotonic() - began < TIMEOUT + SLACK
            # While the first call hangs nobody waits for the same again.
            began = time.monotonic()
            for _ in range(3):
                assert not works(screen.capture)
            assert time.monotonic() - began < 3 * TIMEOUT
            xserver.go_on()
            eventually(lambda: works(screen.capture))
            assert shows(screen.capture().pixels, "#123456")
            assert len(screen.displays()) == 1

    def test_cannot_be_opened(self, xserver: "XServer") -> None:
        xserver.stop()
        began = time.monotonic()
        with pytest.raises(PermanentCaptureError, match=f"^cannot capture display {xserver.display}: .*not answered"):
            MssSource(xserver.display, timeout=TIMEOUT)
        assert time.monotonic() - began < 2 * TIMEOUT + SLACK
        xserver.go_on()

    def test_does_not_keep_us_from_closing(self, xserver: "XServer") -> None:
        screen = MssSource(xserver.display, timeout=TIMEOUT)
        xserver.stop()
        assert not works(screen.capture)
        began = time.monotonic()
        screen.close()
        assert time.monotonic() - began < TIMEOUT + SLACK
        xserver.go_on()

    def test_may_be_restarted(self, xserver: "XServer", eventually: Eventually) -> None:
        with MssSource(xserver.display, timeout=TIMEOUT) as screen:
            before = screen.capture()
            xserver.stop()
            assert not works(screen.capture)
            xserver.restart()
            xserver.fill("#445566")
            eventually(lambda: works(screen.capture))
            after = screen.capture()
        assert shows(after.pixels, "#445566")
        assert after.layout > before.layout

    def test_can_be_waited_for_no_longer_by_an_interrupt(self, xserver: "XServer", eventually: Eventually) -> None:
        def interrupt(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        with MssSource(xserver.display, timeout=30) as screen:
            screen.capture()
            xserver.stop()
            before = signal.signal(signal.SIGALRM, interrupt)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                began = time.monotonic()
                with pytest.raises(KeyboardInterrupt):
                    screen.capture()
                assert time.monotonic() - began < 15
            finally:
                signal.signal(signal.SIGALRM, before)
            xserver.go_on()
            assert screen.capture().size == (800, 600)


class TestLostServer:
    def test_is_taken_up_again(self, xserver: "XServer") -> None:
        with MssSource(xserver.display) as screen:
            before = screen.capture()
            xserver.kill()
            for call in (screen.capture, screen.displays, screen.capture):
                with pytest.raises(TransientCaptureError, match=f"^cannot capture display {xserver.display}: .+$"):
                    call()
            xserver.restart()
            xserver.fill("#010203")
            after = screen.capture()
            assert shows(after.pixels, "#010203")
            assert after.layout > before.layout
            assert Event.LAYOUT in screen.wait(None)


class TestMonitors:
    def test_are_listed_as_they_are_now(self, monitors: "XServer") -> None:
        with MssSource(monitors.display) as screen:
            (only,) = screen.displays()
            assert (only.number, only.name, only.area, only.primary) == (1, "DUMMY0", Rect(0, 0, 1024, 768), True)
            monitors.plug(1, "800x600", "--right-of", "DUMMY0")
            first, second = screen.displays()
            assert (first.number, first.name) == (1, "DUMMY0")
            assert (second.number, second.name, second.area) == (2, "DUMMY1", Rect(1024, 0, 800, 600))
            assert Event.LAYOUT in screen.wait(None)
            assert screen.capture().size == (1824, 768)

    @pytest.mark.parametrize("share", [2, "DUMMY1"])
    def test_one_alone_is_followed_wherever_it_goes(self, monitors: "XServer", share: int | str) -> None:
        monitors.plug(1, "800x600", "--right-of", "DUMMY0")
        with MssSource(monitors.display, share=share) as screen:
            frames = [screen.capture()]
            monitors.plug(0, "640x480")
            monitors.plug(1, "800x600", "--right-of", "DUMMY0")
            frames.append(screen.capture())
            # It is the first one now, and at the origin.
            monitors.unplug(0)
            frames.append(screen.capture())
            assert [frame.size for frame in frames] == [(800, 600)] * 3
            assert frames[0].layout < frames[1].layout < frames[2].layout
            monitors.plug(0, "640x480", "--left-of", "DUMMY1")
            monitors.unplug(1)
            for _ in range(2):
                with pytest.raises(TransientCaptureError, match=f"monitor {share} of .* is not there just now"):
                    screen.capture()
            monitors.plug(1, "800x600", "--right-of", "DUMMY0")
            assert screen.capture().size == (800, 600)

    def test_another_than_the_one_shared_is_never_shown(self, monitors: "XServer") -> None:
        # The two have different sizes, and change places all the time.
        monitors.plug(1, "800x600", "--right-of", "DUMMY0")
        done = threading.Event()

        def rearrange() -> None:
            for _ in range(6):
                monitors.unplug(0)
                monitors.plug(0, "640x480", "--left-of", "DUMMY1")
                monitors.unplug(1)
                monitors.plug(1, "800x600", "--left-of", "DUMMY0")
            done.set()

        sizes = set()
        with MssSource(monitors.display, share="DUMMY1") as screen:
            thread = threading.Thread(target=rearrange)
            thread.start()
            while not done.is_set():
                if works(lambda: sizes.add(screen.capture().size)):
                    continue
            thread.join()
            sizes.add(screen.capture().size)
        assert sizes == {(800, 600)}

    def test_without_a_name_is_known_by_its_place(self, xserver: "XServer") -> None:
        xserver.split(300, 500)
        with MssSource(xserver.display, share=2) as screen:
            assert [(each.name, each.area) for each in screen.displays()] == [
                ("screen", Rect(0, 0, 300, 600)),
                ("", Rect(300, 0, 500, 600)),
            ]
            assert screen.capture().size == (500, 600)
            xserver.run("xrandr", "--delmonitor", "part-1")
            assert not works(screen.capture)
            xserver.split(300, 500)
            assert screen.capture().size == (500, 600)

    @pytest.mark.parametrize("share", [2, 0, -1, "HDMI-7"])
    def test_that_are_not_there_are_refused_with_those_that_are(self, xserver: "XServer", share: int | str) -> None:
        with pytest.raises(PermanentCaptureError, match=rf"^there is no monitor {share}; there is 1 \(screen\)$"):
            MssSource(xserver.display, share=share)


class TestRegion:
    def test_alone_is_shown(self, xserver: "XServer", eventually: Eventually) -> None:
        xserver.fill("#000000")
        xserver.start("xterm", "-bg", "#204060", "-geometry", "40x10+0+0")
        with MssSource(xserver.display) as whole, MssSource(xserver.display, share=Rect(50, 40, 200, 30)) as part:
            eventually(lambda: bool(whole.capture().pixels[45, 60, :3].any()))
            np.testing.assert_array_equal(part.capture().pixels, whole.capture().pixels[40:70, 50:250])

    def test_is_shown_as_far_as_it_lies_on_the_desktop(self, xserver: "XServer") -> None:
        with MssSource(xserver.display, share=Rect(700, -50, 500, 100)) as screen:
            assert screen.capture().size == (100, 50)
            xserver.shrink(640, 480)
            with pytest.raises(TransientCaptureError, match=r"lies outside of the desktop 0,0,640x480"):
                screen.capture()
            xserver.grow()
            assert screen.capture().size == (100, 50)

    def test_outside_is_refused(self, xserver: "XServer") -> None:
        with pytest.raises(PermanentCaptureError, match=r"900,0,10x10 lies outside of the desktop 0,0,800x600$"):
            MssSource(xserver.display, share=Rect(900, 0, 10, 10))


class TestMasks:
    def test_are_black_and_the_rest_is_as_it_was(self, xserver: "XServer") -> None:
        xserver.fill("#ffffff")
        masks = [Rect(10, 20, 30, 40), Rect(790, 590, 100, 100), Rect(-5, -5, 6, 6)]
        hidden = np.zeros((600, 800), bool)
        hidden[20:60, 10:40] = hidden[590:, 790:] = hidden[0, 0] = True
        with MssSource(xserver.display, masks=masks) as screen:
            pixels = screen.capture().pixels
            assert (pixels[hidden] == (0, 0, 0, 255)).all()
            assert (pixels[~hidden][:, :3] == 255).all()
            assert screen.unmatched == ()

    def test_count_from_the_desktop_whatever_is_shared(self, xserver: "XServer") -> None:
        xserver.fill("#ffffff")
        with MssSource(xserver.display, share=Rect(100, 100, 50, 50), masks=[Rect(0, 0, 110, 120)]) as screen:
            pixels = screen.capture().pixels
        assert not pixels[:20, :10, :3].any()
        assert pixels[20:, :, :3].all()
        assert pixels[:, 10:, :3].all()

    def test_can_be_changed_at_any_time(self, xserver: "XServer") -> None:
        xserver.fill("#ffffff")
        with MssSource(xserver.display) as screen:
            assert screen.capture().pixels[..., :3].all()
            screen.set_masks([Rect(0, 0, 800, 600)])
            assert not screen.capture().pixels[..., :3].any()
            with pytest.raises(PermanentCaptureError):
                screen.set_masks([WindowPattern(title="*")])
            assert not screen.capture().pixels[..., :3].any()
            screen.set_masks([])
            assert screen.capture().pixels[..., :3].all()

    def test_that_cover_nothing_are_told(self, xserver: "XServer") -> None:
        inside, outside = Rect(700, 500, 50, 50), Rect(800, 0, 10, 10)
        with MssSource(xserver.display, masks=[inside, outside]) as screen:
            assert screen.unmatched == (outside,)
            xserver.shrink(640, 480)
            screen.capture()
            assert screen.unmatched == (inside, outside)

    @pytest.mark.parametrize("name", ["share", "masks"])
    def test_of_windows_are_refused_and_nothing_is_opened(self, xserver: "XServer", name: str) -> None:
        pattern = WindowPattern(title="*bank*")
        with pytest.raises(PermanentCaptureError, match=r"a window of title \*bank\* takes the X11 source"):
            MssSource(xserver.display, **{name: pattern if name == "share" else [pattern]})  # type: ignore[arg-type]

    @pytest.mark.parametrize("scale", [1, 1.5, 2])
    def test_cover_whole_pixels_of_a_finer_picture(self, scale: float) -> None:
        # macOS counts in points, and a picture may have more pixels than that.
        picture = np.full((int(100 * scale), int(200 * scale), 4), 255, np.uint8)
        blank(picture, Rect(1000, 500, 200, 100), [Rect(1011, 503, 5, 7)])
        rows, columns = np.nonzero(picture[..., 0] == 0)
        assert (rows.min(), columns.min()) == (int(3 * scale), int(11 * scale))
        assert (rows.max(), columns.max()) == (int(np.ceil(10 * scale)) - 1, int(np.ceil(16 * scale)) - 1)


class TestRefusal:
    @pytest.fixture(autouse=True)
    def nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)

    def test_without_a_display(self) -> None:
        with pytest.raises(PermanentCaptureError, match=r"^no display to capture: .*DISPLAY is not set$"):
            MssSource()

    def test_on_wayland_without_xwayland_names_the_ways_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
        with pytest.raises(PermanentCaptureError, match=r"Wayland session without XWayland.*log in to an X11 session"):
            MssSource()

    @pytest.mark.parametrize(
        ("display", "why"),
        [
            (":99999", "there is no such display"),
            ("nonsense", "displays have names such as :0"),
            ("no.such.host.invalid:0", ".+"),
        ],
    )
    def test_of_an_unknown_display_is_one_clear_line(self, display: str, why: str) -> None:
        with pytest.raises(PermanentCaptureError, match=f"^cannot capture display {display}: ({why}).*$"):
            MssSource(display)

    def test_of_an_unknown_display_names_those_that_run(self, xserver: "XServer") -> None:
        with pytest.raises(PermanentCaptureError, match=rf"there is .*{xserver.display}\b"):
            MssSource(":99999")

    def test_of_a_screen_that_a_server_lacks(self, xserver: "XServer") -> None:
        with pytest.raises(PermanentCaptureError, match="does not have a screen matching"):
            MssSource(f"{xserver.display}.7")

    def test_without_permission_names_the_key(
        self, guarded_xserver: "XServer", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(PermanentCaptureError, match=r"no permission: .*XAUTHORITY must name the file with its key"):
            MssSource(guarded_xserver.display)
        monkeypatch.setenv("XAUTHORITY", str(tmp_path / "key"))
        with MssSource(guarded_xserver.display) as screen:
            assert screen.capture().size == (800, 600)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"timeout": 0},
            {"timeout": float("nan")},
            {"share": True},
            {"share": 1.5},
            {"share": Rect(0, 0, 0, 10)},
            {"share": (1, 2, 3)},
            {"masks": [Rect(0, 0, 10, -1)]},
            {"masks": ["all"]},
            {"masks": [None]},
        ],
    )
    def test_of_wrong_arguments_comes_before_anything_is_opened(self, arguments: dict[str, object]) -> None:
        with pytest.raises(LocalProtocolError, match=r"must be|cannot be"):
            MssSource(":99999", **arguments)  # type: ignore[arg-type]

    def test_after_closing(self, xserver: "XServer") -> None:
        screen = MssSource(xserver.display)
        screen.close()
        screen.close()
        for call in (screen.capture, screen.displays, screen.cursor, lambda: screen.wait(None)):
            with pytest.raises(PermanentCaptureError, match="the screen source is closed"):
                call()


def test_a_source_that_is_forgotten_takes_its_thread_and_connection_with_it(
    xserver: "XServer", eventually: Eventually
) -> None:
    def held() -> tuple[int, int]:
        return threads(), len(os.listdir("/proc/self/fd"))

    before = held()
    screen = MssSource(xserver.display)
    screen.capture()
    assert held() > before
    del screen
    gc.collect()
    eventually(lambda: held() == before)


def test_interrupts_at_any_moment_leave_a_source_that_works(xserver: "XServer") -> None:
    code = """
        import random, signal, time
        from fastframe.capture import MssSource
        from fastframe.errors import TransientCaptureError

        armed = False

        def interrupt(number, frame):
            if armed:
                raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, interrupt)
        source = MssSource(sys.argv[2], share=1)
        began = time.monotonic()
        for _ in range(5):
            source.capture()
        # Some captures are completed, however busy the machine is.
        longest = 0.006 + (time.monotonic() - began) / 2
        interrupts = captures = 0
        random.seed(1)
        while interrupts < 150:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, longest))
                while True:
                    captures += source.capture().size == (800, 600)
            except KeyboardInterrupt:
                armed = False
                interrupts += 1
        source.capture()
        source.close()
        report(captures)
    """
    assert apart.run(code, xserver.display) > 0
