"""Questions on the terminal while everything else goes on."""

import asyncio
import os
import sys

from fastframe import _threads


class Terminal:
    """Reads lines that are typed, in a thread of its own that lives as long as the process.

    (No system lets a read from a terminal be called off everywhere; `os.read` holds no lock that anybody else needs.)
    """

    def __init__(self) -> None:
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        _threads.start("fastframe-tty", self._read)

    @staticmethod
    def is_there() -> bool:
        """Whether somebody can be asked."""
        return sys.stdin is not None and sys.stdin.isatty()

    async def agrees(self, question: str) -> bool:
        """Asks until the answer is yes or no; Enter alone is no."""
        while not self._lines.empty():
            self._lines.get_nowait()  # what was typed before the question is no answer to it
        while True:
            print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
            answer = (await self._lines.get()).strip().lower()
            if answer in ("y", "yes"):
                return True
            if answer in ("", "n", "no"):
                return False

    def _read(self) -> None:
        pending = b""
        while True:
            try:
                data = os.read(sys.stdin.fileno(), 1024)
            except OSError:
                data = b""
            *lines, pending = (pending + data).split(b"\n")
            try:
                for line in lines:
                    self._loop.call_soon_threadsafe(self._lines.put_nowait, line.decode(errors="replace"))
                if not data:  # the terminal is gone: that is no
                    self._loop.call_soon_threadsafe(self._lines.put_nowait, "")
                    return
            except RuntimeError:  # the loop is closed
                return
