"""The programs in docs/embedding.md do what the page says, against a real X server."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from connections import run, until, url
from xserver import XServer

from fastframe.stream import ConsentState, Receiver
from fastframe.stream.aio import ReceiverDriver, Worker, connect
from fastframe.stream.events import ConsentChanged, Event, FrameReceived

PAGE = Path(__file__).parents[3] / "docs" / "embedding.md"
EXAMPLES = dict(re.findall(r"<!-- example: (\S+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
Start = Callable[..., "subprocess.Popen[str]"]
# A customer who changes his mind with each line on stdin, and tells how many frames were captured until then.
CHANGES_OF_MIND = """
            captured = []
            capture_one = source.capture
            source.capture = lambda: captured.append(1) or capture_one()

            async def change_mind() -> None:
                while line := await asyncio.to_thread(sys.stdin.readline):
                    await driver.call(lambda now: getattr(gate, line.strip())(Scope.VIEW, now))
                    print(len(captured), flush=True)

            changing = asyncio.create_task(change_mind())
"""


@pytest.fixture
def start(tmp_path: Path, xserver: XServer) -> Iterator[Start]:
    """Starts an example with arguments; at the end of the test it is ended."""
    with ExitStack() as stack:

        def start(name: str, *arguments: str, examples: dict[str, str] = EXAMPLES) -> "subprocess.Popen[str]":
            (tmp_path / name).write_text(examples[name])
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-W", "error", name, *arguments],
                    cwd=tmp_path,
                    env={**os.environ, "DISPLAY": xserver.display},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


@pytest.mark.parametrize(
    ("customer", "technician", "url"),
    [
        ("sockets_customer.py", "sockets_technician.py", "{}"),
        ("asyncio_customer.py", "asyncio_technician.py", "tcp://127.0.0.1:{}"),
        ("sockets_customer.py", "asyncio_technician.py", "tcp://127.0.0.1:{}"),
        ("websocket_customer.py", "asyncio_technician.py", "ws://127.0.0.1:{}/session"),
    ],
)
def test_the_examples_work(start: Start, xserver: XServer, customer: str, technician: str, url: str) -> None:
    xserver.fill("#336699")
    sharing = start(customer)
    assert sharing.stdout is not None
    port, key = sharing.stdout.readline().split()
    viewing = start(technician, url.format(port), key)
    seen, _ = viewing.communicate(timeout=30)
    assert seen == "800x600 336699\n"
    assert viewing.returncode == 0
    rest, _ = sharing.communicate(timeout=30)
    assert rest == "over\n"
    assert sharing.returncode == 0


def test_without_consent_nothing_is_captured_and_a_new_one_brings_a_screen_at_rest(
    start: Start, xserver: XServer
) -> None:
    xserver.fill("#336699")
    before, begins = EXAMPLES["asyncio_customer.py"].split("            print(port, digits, flush=True)\n")
    fickle = "import sys\n" + before + CHANGES_OF_MIND + "            print(port, digits, flush=True)\n" + begins
    sharing = start("asyncio_customer.py", examples={"asyncio_customer.py": fickle})
    assert sharing.stdin is not None
    assert sharing.stdout is not None
    stdin, stdout = sharing.stdin, sharing.stdout
    port, key = stdout.readline().split()
    receiver = Receiver()
    seen: list[str] = []
    consents: list[ConsentState] = []

    def happened(event: Event) -> None:
        if isinstance(event, FrameReceived) and event.update.complete:
            seen.append(bytes(receiver.frame(event.display)[10, 10, 2::-1]).hex())
        elif isinstance(event, ConsentChanged):
            consents.append(event.after)

    async def change_mind(how: str) -> int:
        stdin.write(f"{how}\n")
        stdin.flush()
        return int(await asyncio.to_thread(stdout.readline))

    async def view() -> None:
        with Worker("decode") as decoding:
            driver = ReceiverDriver(receiver, happened, decoding)
            viewing = asyncio.create_task(driver.view(lambda: connect(url("tcp", int(port))), key=key))
            await until(lambda: seen[-1:] == ["336699"])
            captured = await change_mind("withdraw")
            await until(lambda: consents[-1] is ConsentState.WITHDRAWN)
            for color in ("#ffffff", "#000000", "#ffffff", "#112233"):
                xserver.fill(color)
                await asyncio.sleep(0.3)
            # What the pacer was waiting for when the consent ended may come, once.
            assert await change_mind("grant") <= captured + 1
            await until(lambda: seen[-1] == "112233")
            assert set(seen) == {"336699", "112233"}
            await change_mind("withdraw")
            await until(lambda: consents[-1] is ConsentState.WITHDRAWN)
            seen.clear()
            await change_mind("grant")
            await until(lambda: seen)
            assert set(seen) == {"112233"}
            await driver.call(receiver.close)
            await viewing

    run(view())
    stdin.close()
    assert stdout.read() == "over\n"
    assert sharing.wait(30) == 0


def test_every_example_is_tried() -> None:
    source = Path(__file__).read_text()
    assert EXAMPLES
    assert all(f'"{name}"' in source for name in EXAMPLES)
