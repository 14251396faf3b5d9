"""`fastframe record` on a real screen: what the screen held is in the file."""

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sessions import readable

from fastframe.capture import ReplaySource, frames

if TYPE_CHECKING:
    from conftest import Run
    from xserver import XServer

Eventually = Callable[[Callable[[], bool]], None]
COLOR = "#2468ac"
PIXEL = (0xAC, 0x68, 0x24, 255)


def assert_shows(path: Path, size: tuple[int, int]) -> int:
    """Every frame has this size and the one colour; returns how many there are."""
    count = 0
    with ReplaySource(path) as source:
        for frame in frames(source):
            assert frame.pixels.shape[1::-1] == size
            assert (frame.pixels == np.array(PIXEL, np.uint8)).all()
            count += 1
    return count


@contextmanager
def recording(
    command: list[str], xserver: "XServer", folder: Path, eventually: Eventually
) -> Iterator["subprocess.Popen[str]"]:
    """A recorder without an end that has begun to write."""
    xserver.fill(COLOR)
    process = subprocess.Popen(
        [*command, "record", "out.mkv", "--display", xserver.display],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            eventually(lambda: any(folder.glob("out.mkv.*.part")))
            yield process
        finally:
            process.kill()  # where the test has failed


def test_records_for_so_many_seconds(run: "Run", tmp_path: Path, xserver: "XServer") -> None:
    xserver.fill(COLOR)
    result = run("record", "out.mkv", "--seconds", "1", "--fps", "10", DISPLAY=xserver.display)
    assert (result.returncode, result.stderr) == (0, "")
    match = re.fullmatch(r"out\.mkv: (\d+) frames of 800x600 in (?:0\.[89]|1\.\d) s, [\d.]+ k?B\n", result.stdout)
    assert match, result.stdout
    count = int(match[1])
    assert 2 <= count <= 12
    assert assert_shows(tmp_path / "out.mkv", (800, 600)) == count


@pytest.mark.parametrize("kind", ["mss", "auto"])
def test_what_is_masked_or_not_shared_is_not_in_the_video(
    run: "Run", tmp_path: Path, xserver: "XServer", kind: str
) -> None:
    xserver.fill(COLOR)
    options = ["--region", "100,100,200x150", "--mask", "0,0,150x120", "--mask", "290,0,1000x1000", "--source", kind]
    result = run("record", "out.mkv", "--seconds", "0.5", "--display", xserver.display, *options)
    assert (result.returncode, result.stderr) == (0, "")
    hidden = np.zeros((150, 200), bool)
    hidden[:20, :50] = hidden[:, 190:] = True
    with ReplaySource(tmp_path / "out.mkv") as source:
        for frame in frames(source):
            assert frame.size == (200, 150)
            assert (frame.pixels[hidden] == (0, 0, 0, 255)).all()
            assert (frame.pixels[~hidden] == PIXEL).all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_completes_the_video(
    command: list[str], tmp_path: Path, xserver: "XServer", eventually: Eventually, number: signal.Signals
) -> None:
    with recording(command, xserver, tmp_path, eventually) as process:
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (0, "")
    assert stdout.startswith("out.mkv: ")
    assert assert_shows(tmp_path / "out.mkv", (800, 600)) >= 1
    assert [file.name for file in tmp_path.iterdir()] == ["out.mkv"]


def test_who_is_killed_leaves_what_was_recorded_and_the_next_one_tells_of_it(
    command: list[str], run: "Run", tmp_path: Path, xserver: "XServer", eventually: Eventually
) -> None:
    with recording(command, xserver, tmp_path, eventually) as process:
        (part,) = tmp_path.iterdir()
        eventually(lambda: readable(part) >= 1)  # of a screen at rest, which brings no more frames
        process.kill()
    left = part.read_bytes()
    assert assert_shows(part, (800, 600)) >= 1

    result = run("record", "out.mkv", "--seconds", "0.2", "--display", xserver.display)
    assert result.returncode == 0
    assert re.fullmatch(
        rf"fastframe: warning: there is {part.name}, [\d.]+ k?B: a command that was killed left it, .*\n", result.stderr
    )
    assert part.read_bytes() == left
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "out.mkv", part])


def test_a_screen_that_changes_its_size_ends_the_video_and_says_so(
    command: list[str], tmp_path: Path, xserver: "XServer", eventually: Eventually
) -> None:
    with recording(command, xserver, tmp_path, eventually) as process:
        xserver.shrink(640, 480)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 2
    assert re.fullmatch(
        r"fastframe: the screen changed from 800x600 to 640x480; out\.mkv holds the [\d.]+ s before it\n",
        stderr,
    )
    assert assert_shows(tmp_path / "out.mkv", (800, 600)) >= 1


def test_a_server_that_dies_loses_nothing_that_was_recorded(
    command: list[str], tmp_path: Path, new_xserver: "Callable[..., XServer]", eventually: Eventually
) -> None:
    xserver = new_xserver()
    with recording(command, xserver, tmp_path, eventually) as process:
        xserver.kill()
        new_xserver()  # one that anybody may start meanwhile, which must not be taken for it
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 2
    assert re.fullmatch(
        rf"fastframe: cannot capture display {xserver.display}: .*; out\.mkv holds the [\d.]+ s before it\n",
        stderr,
    )
    assert assert_shows(tmp_path / "out.mkv", (800, 600)) >= 1


def test_existing_output_is_refused_without_force(run: "Run", tmp_path: Path, xserver: "XServer") -> None:
    (tmp_path / "out.mkv").write_bytes(b"earlier")
    arguments = ("record", "out.mkv", "--seconds", "0.2", "--display", xserver.display)
    refused = run(*arguments)
    assert (refused.returncode, refused.stderr) == (2, "fastframe: out.mkv exists; --force overwrites it\n")
    assert (tmp_path / "out.mkv").read_bytes() == b"earlier"
    assert run(*arguments, "--force").returncode == 0
    with ReplaySource(tmp_path / "out.mkv") as source:
        assert sum(1 for _ in frames(source)) >= 1
