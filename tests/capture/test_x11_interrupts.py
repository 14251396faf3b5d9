"""Ctrl-C at any moment: the next frame is right, and nothing that was open stays open."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xserver import XServer

# In a process of its own: pytest keeps every interrupt that strikes in a `__del__`, and all that it refers to.
SCRIPT = """
import gc, os, random, signal, sys, time, traceback
import numpy as np
from fastframe import Rect
from fastframe.capture import X11Source, open_source

display, kind, tests = sys.argv[1:]
sys.path[:0] = [tests]
from x11_client import Client

def open_now():
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}").partition(":")[0])
        except OSError:  # that of the list itself
            continue
    gc.collect()
    return sorted(found), len(os.listdir("/proc/self/task"))

drawer = Client(display)
screen = np.full((200, 320), 0x336699)
moments, struck, struck_on_the_way = random.Random(1), 0, 0

def draw():
    # Something small, of which the events are there before the next frame is asked for.
    for _ in range(2):  # so that both pictures that are kept are up to date, and lines are all there is to read
        source.capture()
    top, colour = moments.randrange(190), moments.getrandbits(24)
    screen[top : top + 10, 10:60] = colour
    drawer.fill(drawer.root, Rect(10, top, 50, 10), colour)
    drawer.synchronize()

def capture():
    frames = [source.capture() for _ in range(6)]  # more than are kept, so each time there is new memory

def open_and_close():
    with open_source(display) as other:
        other.capture()

before = open_now()
source = X11Source(display, timeout=60.0)  # so long would stay what waits for that
work, within = {"open": (open_and_close, 0.02), "capture": (capture, 0.004), "line": (source.capture, 0.0009)}[kind]
signal.signal(signal.SIGALRM, signal.default_int_handler)
for number in range(4000):
    # How often it strikes on the way is up to chance, and to how fast the machine is.
    if number >= 400 and (kind != "line" or struck_on_the_way > 20):
        break
    if kind == "line":
        draw()
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-6 + within * moments.random())
        try:
            work()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt as interrupt:
        struck += 1
        called = {frame.f_code.co_name for frame, _ in traceback.walk_tb(interrupt.__traceback__)}
        struck_on_the_way += bool(called & {"ask_changes", "receive_changes"})
assert struck > 20, struck
assert kind != "line" or struck_on_the_way > 20, struck_on_the_way
assert (source.capture().pixels.view(np.uint32)[..., 0] & 0xFFFFFF == screen).all()
source.close()
deadline = time.monotonic() + 10
while (after := open_now()) != before:
    assert time.monotonic() < deadline, (before, after)
    time.sleep(0.05)
print("closed")
"""


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("open", ()),
        ("capture", ()),
        ("capture", ("-extension", "MIT-SHM")),  # a thread sees to it that reading through the socket has an end
        ("line", ()),  # what is asked for and received in one call
    ],
)
def test_interrupts_leave_nothing_open_and_no_wrong_pixel(
    new_xserver: "Callable[..., XServer]", kind: str, options: tuple[str, ...]
) -> None:
    # A server that begins anew when its last client goes is not there for a moment.
    server = new_xserver(320, 200, "-noreset", *options)
    server.fill("#336699")
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, server.display, kind, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert result.stdout == "closed\n", result.stderr[-2000:]
