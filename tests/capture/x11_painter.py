"""Programs that draw on a screen all the time, in processes of their own: `python x11_painter.py DISPLAY WHAT`.

What it is: `dots` in places left to chance, `noise` on the left alone, `wander` for a window that never stays where it
is, `swap` for two monitors that change places. A painter says `ready` once it has begun, and ends with its input.
"""

import contextlib
import random
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from x11_client import Client
from x11_pictures import OPEN, SECRET

from fastframe import Rect


@contextlib.contextmanager
def painter(display: str, what: str) -> Iterator[None]:
    """A painter that draws inside."""
    command = [sys.executable, str(Path(__file__)), display, what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield
            assert process.poll() is None, "the painter has ended too early"
        finally:
            process.stdin.close()
            process.wait(20)


def dots(client: Client, width: int = 790) -> Callable[[int], None]:
    """Eight small rectangles a step."""
    pick = random.Random(1)

    def step(_: int) -> None:
        for _ in range(8):
            area = Rect(pick.randrange(width), pick.randrange(590), 8, 8)
            client.fill(client.root, area, pick.getrandbits(24))
        client.synchronize()

    return step


def wander(client: Client) -> Callable[[int], None]:
    """A secret window that jumps about."""
    window = client.window(Rect(0, 0, 60, 60), SECRET, title="secret")

    def step(number: int) -> None:
        client.place(window, Rect(number * 23 % 700, number * 17 % 500, 60, 60))
        client.synchronize()

    return step


def swap(client: Client) -> Callable[[int], None]:
    """Two monitors that change places at one stroke, of which `a` is always open and `b` always secret."""
    ask, tell = client.connection.ask, client.connection.tell
    randr = client.connection.query_extension("RANDR")
    assert randr is not None
    ask(randr.opcode, 0, struct.pack("<II", 1, 5), bytes).get()
    resources = ask(randr.opcode, 25, struct.pack("<I", client.root), bytes).get()
    (output,) = struct.unpack_from("<I", resources, 32 + 4 * struct.unpack_from("<H", resources, 16)[0])
    names = [client.atom("a"), client.atom("b")]

    def step(number: int) -> None:
        tell(36, 0, b"")
        for name in names:
            tell(randr.opcode, 44, struct.pack("<II", client.root, name))
        for index, (name, colour) in enumerate(zip(names, (OPEN, SECRET), strict=True)):
            x = 400 * ((number + index) % 2)
            # One of them has the output, which only one may have.
            monitor = struct.pack("<IIBBHhhHHII", client.root, name, 0, 0, 1 - index, x, 0, 400, 600, 100, 150)
            tell(randr.opcode, 43, monitor + (b"" if index else struct.pack("<I", output)))
            client.fill(client.root, Rect(x, 0, 400, 600), colour)
        tell(37, 0, b"")
        client.synchronize()

    return step


def main(display: str, what: str) -> None:
    """Paint until the input ends."""
    client = Client(display)
    steps = {"dots": dots, "noise": lambda client: dots(client, 300), "wander": wander, "swap": swap}
    step = steps[what](client)
    number = 0
    step(number)
    print("ready", flush=True)
    # Some milliseconds between two steps, so that others get to see each.
    while not select.select([sys.stdin], [], [], 0 if what == "dots" else 0.004)[0]:
        number += 1
        step(number)
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
