"""Which source captures the screen, and what is said about it."""

from typing import TYPE_CHECKING

import pytest

from fastframe.capture import Event, MssSource, WindowPattern, X11Source, open_source
from fastframe.capture.x11 import xcb
from fastframe.errors import LocalProtocolError, PermanentCaptureError
from fastframe.geometry import Rect

if TYPE_CHECKING:
    from xserver import XServer


def test_the_source_that_is_wanted_is_taken(xserver: "XServer") -> None:
    with open_source(xserver.display, prefer="mss", share=Rect(0, 0, 50, 40), masks=[Rect(900, 0, 9, 9)]) as source:
        assert (source.name, source.reason) == ("mss", "reads everything for every frame, since it was asked for")
        assert source.unmatched == (Rect(900, 0, 9, 9),)
        assert Event.FRAME in source.wait(None)
        assert source.capture().size == (50, 40)


def test_the_one_that_knows_what_changes_is_preferred(xserver: "XServer") -> None:
    with open_source(xserver.display) as source:
        assert isinstance(source, X11Source)
        assert "XDamage" in source.reason


@pytest.fixture
def without_libxcb(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise PermanentCaptureError("libxcb is not installed")

    monkeypatch.setattr(xcb, "_library", missing)


@pytest.mark.usefixtures("without_libxcb")
class TestWithoutX11Source:
    def test_mss_is_taken_and_says_why(self, xserver: "XServer") -> None:
        with open_source(xserver.display) as source:
            assert isinstance(source, MssSource)
            assert "since libxcb is not installed" in source.reason
            assert source.capture().size == (800, 600)

    @pytest.mark.parametrize("name", ["share", "masks"])
    def test_windows_are_an_error_and_not_captured_unmasked(self, xserver: "XServer", name: str) -> None:
        pattern = WindowPattern(window_class="xterm")
        with pytest.raises(PermanentCaptureError, match="libxcb is not installed"):
            open_source(xserver.display, **{name: pattern if name == "share" else [pattern]})  # type: ignore[arg-type]

    def test_so_is_to_want_no_other(self, xserver: "XServer") -> None:
        with pytest.raises(PermanentCaptureError, match="libxcb is not installed"):
            open_source(xserver.display, prefer="x11")


def test_where_none_works_it_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentCaptureError, match=r"^cannot capture display :99999: there is no such display"):
        open_source(":99999")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(PermanentCaptureError, match="DISPLAY is not set"):
        open_source()


def test_a_source_that_nobody_knows_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match=r"prefer must be one of x11, mss, not 'magic'"):
        open_source(prefer="magic")
