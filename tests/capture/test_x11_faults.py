"""Wrong arguments, and servers that stop, die, refuse or are restarted: one clear error in time, and on again."""

import contextlib
import gc
import math
import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from x11_client import Client, colours

from fastframe import Rect
from fastframe.capture import Event
from fastframe.capture.x11 import X11Source
from fastframe.capture.x11.server import Server
from fastframe.capture.x11.xcb import RequestRefused
from fastframe.errors import LocalProtocolError, PermanentCaptureError, TransientCaptureError

if TYPE_CHECKING:
    from xserver import XServer

SIZE = (800, 600)


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
        threads = len(os.listdir("/proc/self/task"))
        xserver.stop()
        try:
            for call in (source.capture, source.capture, source.displays, source.cursor, lambda: source.wait(None)):
                began = time.monotonic()
                with pytest.raises(TransientCaptureError, match="answer"):
                    call()
                assert time.monotonic() - began < 5
            # The threads that wait for it do not pile up.
            assert len(os.listdir("/proc/self/task")) == threads + 1
        finally:
            xserver.go_on()
        client.fill(client.root, Rect(0, 0, 800, 600), 0x112233)
        client.synchronize()
        frame = _capture_within(source, 20)
        assert (colours(frame.pixels) == (0x33, 0x22, 0x11)).all()
        assert frame.damage is None
        assert frame.layout > first.layout


def test_a_picture_that_could_not_be_read_is_not_kept(
    xserver: "XServer", client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive, refusing = Server.receive_changes, False

    def refuse_once(server: Server) -> tuple[list[Rect], bool]:
        nonlocal refusing
        received = receive(server)
        if refusing:
            refusing = False
            raise RequestRefused("as when the screen shrinks")
        return received

    monkeypatch.setattr(Server, "receive_changes", refuse_once)
    gc.disable()  # what is part of a cycle would be kept for some time
    try:
        with X11Source(xserver.display) as source:
            source.capture()
            for number in range(8):
                client.fill(client.root, Rect(10, 10, 50, 50), 0x010101 * number)
                client.synchronize()
                refusing = True
                frame = source.capture()
                assert not refusing
                assert (colours(frame.pixels)[10:60, 10:60] == number).all()
                del frame
            assert _shared_buffers() == 1
    finally:
        gc.enable()


def test_a_server_that_goes_on_refusing_is_an_error_that_passes(
    xserver: "XServer", client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RequestRefused("as while the screen shrinks")

    with X11Source(xserver.display) as source:
        source.capture()
        client.fill(client.root, Rect(10, 10, 50, 50), 0x010101)
        client.synchronize()
        with monkeypatch.context() as patch:
            for each in ("receive_changes", "read_pixels"):  # which one is up to what is kept of earlier pictures
                patch.setattr(Server, each, refuse)
            with pytest.raises(TransientCaptureError, match="just now: as while the screen shrinks"):
                source.capture()
        assert (colours(source.capture().pixels)[10:60, 10:60] == 1).all()


@pytest.mark.parametrize("options", [(), ("-extension", "MIT-SHM")])
def test_when_no_thread_can_be_started_that_is_an_error_that_passes(
    new_xserver: "Callable[..., XServer]", options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To connect takes one, and so does each picture that comes through the socket."""

    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    server = new_xserver(320, 200, *options)
    with X11Source(server.display) as source:
        first = source.capture().pixels.copy()
        with monkeypatch.context() as patch:
            patch.setattr("_thread.start_new_thread", refuse)
            with pytest.raises(TransientCaptureError, match="can't start new thread"):
                X11Source(server.display)
            if options:
                server.fill("#336699")
                with pytest.raises(TransientCaptureError, match="just now: can't start new thread"):
                    source.capture()
        if options:
            assert (colours(source.capture().pixels) == (0x99, 0x66, 0x33)).all()
        else:
            np.testing.assert_array_equal(source.capture().pixels, first)


def _shared_buffers() -> int:
    return sum("memfd:fastframe" in line for line in Path("/proc/self/maps").read_text().splitlines())


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
    killer = threading.Timer(0.2, xserver.kill)
    killer.start()
    with pytest.raises(TransientCaptureError, match="gone"):
        _capture_for_ever(source)
    killer.join()
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
    for use in (
        lambda: source._session.server.connection.close(),  # as a program ends that does not know of the source
        lambda: source.capture(),  # on a connection of its own
    ):
        child = os.fork()
        if child == 0:
            try:
                use()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert source.capture().damage == ()


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


def test_a_server_that_asks_for_a_key_is_captured_with_it_and_says_so_without(
    guarded_xserver: "XServer", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "nothing"))
    with pytest.raises(PermanentCaptureError, match=r"no permission: the server refuses.*XAUTHORITY"):
        X11Source(guarded_xserver.display)
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "key"))
    with X11Source(guarded_xserver.display) as source:
        assert source.capture().size == SIZE
