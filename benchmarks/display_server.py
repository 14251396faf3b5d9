"""X servers for the benchmarks: each on a display number that it chose itself, and ended with the block it is for."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SECONDS_TO_END = 10
"""How long a server that is told to end may tidy up."""


class ServerFailed(Exception):
    """An X server is not installed, or did not start; the message says why, as far as the server told."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs: the name of its display, such as `:1`, and its process."""

    display: str
    pid: int


@contextmanager
def x_server(program: str, *arguments: str) -> Iterator[Server]:
    """A server of our own.

    Raises
    ------
    ServerFailed
        There is none.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        reading, writing = os.pipe()
        with os.fdopen(reading) as answer:
            try:
                command = [program, "-displayfd", str(writing), *arguments]
                process = subprocess.Popen(command, pass_fds=[writing], stdout=log, stderr=log)
            except OSError as error:
                raise ServerFailed(f"{program} cannot be started: {error.strerror}") from error
            finally:
                os.close(writing)
            try:
                number = answer.readline().strip()
                if not number:
                    log.seek(0)
                    raise ServerFailed(f"{program} did not start: {_complaints(log.read())}")
                yield Server(f":{number}", process.pid)
            finally:
                process.terminate()
                try:
                    process.wait(SECONDS_TO_END)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _complaints(log: str) -> str:
    """What a server's log has as errors, as one line."""
    lines = [line.removeprefix("(EE)").strip() for line in log.splitlines() if line.startswith("(EE)")]
    return " ".join(filter(None, lines)) or "it told no reason"


@contextmanager
def virtual_screen(width: int, height: int) -> Iterator[str]:
    """The name of a display of that size, on an Xvfb of its own."""
    # Without -noreset the server forgets what is on the screen when its last client leaves.
    with x_server("Xvfb", "-screen", "0", f"{width}x{height}x24", "-noreset") as server:
        yield server.display
