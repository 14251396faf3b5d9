"""The programs in docs/embedding.md do what the page says, against a real X server."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from xserver import XServer

PAGE = Path(__file__).parents[3] / "docs" / "embedding.md"
EXAMPLES = dict(re.findall(r"<!-- example: (\S+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, xserver: XServer) -> Iterator[Start]:
    """Starts an example with arguments; at the end of the test it is ended."""
    with ExitStack() as stack:

        def start(name: str, *arguments: str) -> "subprocess.Popen[str]":
            (tmp_path / name).write_text(EXAMPLES[name])
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-W", "error", name, *arguments],
                    cwd=tmp_path,
                    env={**os.environ, "DISPLAY": xserver.display},
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


def test_every_example_is_tried() -> None:
    source = Path(__file__).read_text()
    assert EXAMPLES
    assert all(f'"{name}"' in source for name in EXAMPLES)
