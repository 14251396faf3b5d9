"""Ctrl-C at any moment: the next frame is right, and nothing that was open stays open."""

import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xserver import XServer

# In a process of its own: pytest keeps every interrupt that strikes in a `__del__`, and all that it refers to.
SCRIPT = """
import gc, os, random, signal, sys, time
import numpy as np
from fastframe.capture import X11Source, open_source

display, kind = sys.argv[1:]

def open_now():
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}").partition(":")[0])
        except OSError:  # that of the list itself
            continue
    gc.collect()
    return sorted(found), len(os.listdir("/proc/self/task"))

def capture():
    frames = [source.capture() for _ in range(6)]  # more than are kept, so each time there is new memory

def open_and_close():
    with open_source(display) as other:
        other.capture()

before = open_now()
source = X11Source(display)
work, within = (capture, 0.004) if kind == "capture" else (open_and_close, 0.02)
moments, struck = random.Random(1), 0
signal.signal(signal.SIGALRM, signal.default_int_handler)
for _ in range(400):
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-6 + within * moments.random())
        try:
            work()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        struck += 1
assert struck > 20, struck
pixels = source.capture().pixels
assert (pixels[..., :3] == (0x99, 0x66, 0x33)).all()
del pixels
source.close()
deadline = time.monotonic() + 10
while (after := open_now()) != before:
    assert time.monotonic() < deadline, (before, after)
    time.sleep(0.05)
print("closed")
"""


@pytest.mark.parametrize("kind", ["open", "capture"])
def test_interrupts_leave_nothing_open_and_no_wrong_pixel(new_xserver: "Callable[..., XServer]", kind: str) -> None:
    # A server that begins anew when its last client goes is not there for a moment.
    server = new_xserver(320, 200, "-noreset")
    server.fill("#336699")
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, server.display, kind], capture_output=True, text=True, timeout=100
    )
    assert result.stdout == "closed\n", result.stderr[-2000:]
