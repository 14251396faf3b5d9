"""Connections that begin, are forked or end while something else goes on."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from xserver import XServer

from fastframe.capture.display_name import welcomed
from fastframe.capture.x11 import X11Source
from fastframe.errors import FastframeError, TransientCaptureError


@pytest.fixture
def resetting() -> Iterator[XServer]:
    """A server that begins anew when its last client leaves, and hangs up on whoever comes meanwhile."""
    with contextlib.closing(XServer("Xvfb", "-screen", "0", "320x200x24")) as server:
        yield server


def test_a_server_that_begins_anew_is_captured_each_time(resetting: XServer) -> None:
    for _ in range(25):  # one time of ten it is not there just then
        with X11Source(resetting.display) as source:
            assert source.capture().size == (320, 200)


def test_whoever_is_welcomed_keeps_the_server_as_it_is(resetting: XServer) -> None:
    with welcomed(resetting.display) as is_welcome:
        assert is_welcome
        resetting.fill("#336699")
        with X11Source(resetting.display) as source:
            assert (source.capture().pixels[0, 0, :3] == (0x99, 0x66, 0x33)).all()


def test_where_no_client_without_a_key_is_let_in_nobody_is_welcomed(guarded_xserver: XServer) -> None:
    for display in (guarded_xserver.display, ":99999", "127.0.0.1:9", "nonsense"):
        with welcomed(display) as is_welcome:
            assert not is_welcome


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of a process with threads
def test_a_process_forked_while_a_source_connects_connects_by_itself(xserver: XServer) -> None:
    with X11Source(xserver.display, timeout=0.3) as source:
        source.capture()
        xserver.stop()
        for _ in range(2):  # after the second one an attempt to connect goes on
            with pytest.raises(TransientCaptureError):
                source.cursor()
        child = os.fork()
        if child == 0:
            os._exit(0 if _captures_within(source, 20) else 1)
        xserver.go_on()
        assert _captures_within(source, 20)
        assert os.waitpid(child, 0)[1] == 0


def _captures_within(source: X11Source, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(FastframeError):
            source.capture()
            return True
        time.sleep(0.02)
    return False


# What is used after it was freed, and overwritten then (MALLOC_PERTURB_), ends the process.
CLOSED_MEANWHILE = """
import random, sys, threading
from fastframe.capture import X11Source
from fastframe.errors import CaptureError

moments = random.Random(1)
for _ in range(200):
    source = X11Source(sys.argv[1])
    closer = threading.Timer(0.003 * moments.random(), source.close)
    closer.start()
    try:
        while True:
            source.set_masks([(0, 0, 1, 1)])  # all is read anew
            source.capture()
            source.displays()
            source.cursor()
    except CaptureError:
        pass
    closer.join()
print("closed")
"""


def test_a_source_closed_by_another_thread_during_a_call_says_so(xserver: XServer) -> None:
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", CLOSED_MEANWHILE, xserver.display],
        env={**os.environ, "MALLOC_PERTURB_": "165"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stdout) == (0, "closed\n"), result.stderr[-2000:]
