"""Runs the command as users do, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fastframe.capture import VideoWriter

COMMAND = [sys.executable, "-W", "error::ResourceWarning", "-m", "fastframe"]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def without_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets the screen of whoever runs it, nor the width of their terminal."""
    for name in ("DISPLAY", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


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


@pytest.fixture
def pictures() -> list[npt.NDArray[np.uint8]]:
    """Six small pictures with text-like, flat and photo-like parts that move."""
    random = np.random.default_rng(3)
    photo = random.integers(0, 256, (60, 80, 4), np.uint8)
    frames = []
    for index in range(6):
        frame = np.full((150, 200, 4), (250, 240, 230, 255), np.uint8)
        frame[10 + index : 70 + index, 100:180] = photo
        frame[90:140:4, 8 : 100 + 10 * index : 3] = (20, 20, 20, 255)
        frames.append(frame)
    return frames


@pytest.fixture
def video(tmp_path: Path, pictures: list[npt.NDArray[np.uint8]]) -> Path:
    """These pictures as a lossless video of ten frames a second."""
    path = tmp_path / "video.mkv"
    with VideoWriter(path, (200, 150), 10) as writer:
        for index, pixels in enumerate(pictures):
            writer.write(pixels, index * 100_000)
    return path


@pytest.fixture
def recording(tmp_path: Path, video: Path, run: Run) -> Path:
    """The same as a recording."""
    result = run("encode", video.name, "recording.ffs")
    assert result.returncode == 0, result.stderr
    return tmp_path / "recording.ffs"
