"""Runs the command as users do, in a process of its own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sessions import ANY_PORT, Process
from xserver import XServer

from fastframe.capture import VideoWriter

COMMAND = [sys.executable, "-W", "error::ResourceWarning", "-m", "fastframe"]
Eventually = Callable[[Callable[[], bool]], None]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def without_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets the screen of whoever runs it, nor the width of their terminal."""
    for name in ("DISPLAY", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def signals_end_commands() -> Iterator[None]:
    """A shell that runs the tests in the background has them ignore Ctrl-C, nohup that their terminal is closed; and
    commands would inherit that.
    """
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hang_up)


@pytest.fixture
def command() -> list[str]:
    """What starts `fastframe`."""
    return COMMAND


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `fastframe` with arguments, in the test's folder, without a terminal."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session")
def pictures() -> list[npt.NDArray[np.uint8]]:
    """Six small pictures with text-like, flat and photo-like parts that move; read-only."""
    random = np.random.default_rng(3)
    photo = random.integers(0, 256, (60, 80, 4), np.uint8)
    frames = []
    for index in range(6):
        frame = np.full((150, 200, 4), (250, 240, 230, 255), np.uint8)
        frame[10 + index : 70 + index, 100:180] = photo
        frame[90:140:4, 8 : 100 + 10 * index : 3] = (20, 20, 20, 255)
        frame.flags.writeable = False
        frames.append(frame)
    return frames


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, pictures: list[npt.NDArray[np.uint8]]) -> Path:
    """A folder in which `video.mkv` and `recording.ffs` are made once, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    with VideoWriter(folder / "video.mkv", (200, 150), 10) as writer:
        for index, pixels in enumerate(pictures):
            writer.write(pixels, index * 100_000)
    subprocess.run([*COMMAND, "encode", "video.mkv", "recording.ffs"], cwd=folder, check=True, timeout=120)
    return folder


@pytest.fixture
def video(tmp_path: Path, made: Path) -> Path:
    """These pictures as a lossless video of ten frames a second."""
    return shutil.copy(made / "video.mkv", tmp_path / "video.mkv")


@pytest.fixture
def recording(tmp_path: Path, made: Path, video: Path) -> Path:
    """The same as a recording, which lies beside the video."""
    return shutil.copy(made / "recording.ffs", tmp_path / "recording.ffs")


@pytest.fixture
def start(command: list[str]) -> Iterator[Callable[..., Process]]:
    """Starts `fastframe` with arguments; at the end of the test it is ended."""
    with ExitStack() as stack:

        def start(*arguments: str, **options: Any) -> Process:
            process = Process([*command, *arguments], **options)
            stack.callback(process.close)
            return process

        yield start


@pytest.fixture
def share_screen(start: Callable[..., Process], eventually: Eventually) -> Callable[..., tuple[Process, list[str]]]:
    """Starts `fastframe share` of an X server; returns it and what a viewer's command line needs."""

    def share_screen(server: XServer, *arguments: str, listen: str = ANY_PORT) -> tuple[Process, list[str]]:
        process = start("share", "--display", server.display, "--listen", listen, "--json", *arguments)
        eventually(lambda: bool(process.lines))
        first = process.json()[0]
        return process, [first["url"], "--key", first["key"]]

    return share_screen


@pytest.fixture
def share(
    share_screen: Callable[..., tuple[Process, list[str]]], xserver: XServer
) -> Callable[..., tuple[Process, list[str]]]:
    """The same for `xserver`, which shows one colour."""
    xserver.fill("#336699")
    return partial(share_screen, xserver)
