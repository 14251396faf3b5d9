"""`fastframe share` and `fastframe view` as processes, and what is on screens and in files."""

import json
import os
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from xserver import XServer

from fastframe.capture import ReplaySource, Share, X11Source, frames
from fastframe.errors import RecordingError

ANY_PORT = "ws://127.0.0.1:0"


class Process:
    """A command that runs, with what it has written so far."""

    def __init__(self, command: list[str], terminal: int | None = None, **environment: str) -> None:
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.news = ""
        self._readers = [threading.Thread(target=self._read_lines), threading.Thread(target=self._read_news)]
        for reader in self._readers:
            reader.start()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)

    def _read_news(self) -> None:
        assert self._process.stderr is not None
        while text := self._process.stderr.read(1):
            self.news += text

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Waits for the end; the exit code."""
        code = self._process.wait(timeout=30)
        for reader in self._readers:
            reader.join()
        return code

    def close(self) -> None:
        self._process.kill()
        self.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def json(self) -> list[dict[str, Any]]:
        """The JSON objects that it has written."""
        return [json.loads(line) for line in self.lines]


def pixels_of(server: XServer, share: Share = None) -> npt.NDArray[np.uint8]:
    """What is on the screen of a server, or a part of it, with X as 255."""
    with X11Source(server.display, share=share) as source:
        pixels = source.capture().pixels.copy()
    pixels[..., 3] = 255
    return pixels


def open_a_window(server: XServer) -> None:
    server.start("xterm", "-bg", "#204060", "-geometry", "20x8+50+80", "-e", "sleep 60")


def shows_the_window(pixels: npt.NDArray[np.uint8]) -> bool:
    return pixels[150, 100].tolist() == [0x60, 0x40, 0x20, 255]


def picture(path: Path) -> npt.NDArray[np.uint8]:
    """A PNG file as (H, W, 4) BGRX."""
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgra").astype(np.uint8)


def readable(path: Path) -> int:
    """How many frames there are in a video that is being written, or of which the end was never written."""
    count = 0
    with suppress(RecordingError), ReplaySource(path) as source:
        for _ in frames(source):
            count += 1
    return count
