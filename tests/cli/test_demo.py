"""`fastframe demo` on clips and on a real screen."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from terminal import Terminal

from fastframe import fixtures
from fastframe.cli.meter import find_mismatch
from fastframe.codec import MODES

if TYPE_CHECKING:
    from conftest import Run
    from xserver import XServer


def test_without_a_display_it_replays_the_bundled_clip(run: "Run") -> None:
    result = run("demo", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    assert figures["source"] == fixtures.names()[0]
    assert (figures["exact"], figures["mismatch"]) == (True, None)
    assert figures["frames"] > 10
    assert (figures["width"], figures["height"], figures["effort"]) == (1920, 1080, "balanced")
    assert figures["raw_bytes"] == figures["frames"] * 1920 * 1080 * 3
    assert figures["ratio"] == pytest.approx(figures["raw_bytes"] / figures["bytes"], rel=1e-3)
    assert figures["bytes_per_frame"] == pytest.approx(figures["bytes"] / figures["frames"], abs=0.1)
    assert figures["fps"] == pytest.approx((figures["frames"] - 1) / figures["seconds"], rel=1e-3)
    bits = figures["bytes_per_frame"] * 8 * figures["fps"]
    assert figures["mbit_per_second"] == pytest.approx(bits / 1e6, rel=1e-3)
    assert 0 < figures["encode_ms"]["p50"] <= figures["encode_ms"]["p99"]
    assert 0 < figures["decode_ms"]["p50"] <= figures["decode_ms"]["p99"]
    assert list(figures["tiles"]) == list(MODES)
    assert sum(figures["tiles"].values()) == figures["frames"] * 30 * 17


@pytest.mark.parametrize("kind", ["video", "recording"])
@pytest.mark.parametrize("effort", ["fast", "tight"])
def test_it_takes_videos_and_recordings(run: "Run", request: pytest.FixtureRequest, kind: str, effort: str) -> None:
    path: Path = request.getfixturevalue(kind)
    result = run("demo", "--fixture", path.name, "--effort", effort, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    # A frame that is late on a busy machine is left out when the next one is due.
    assert 3 <= figures["frames"] <= 6
    assert (figures["keyframes"], figures["exact"]) == (1, True)
    assert (figures["source"], figures["capture"], figures["effort"]) == (path.name, None, effort)


def test_a_short_clip_begins_again_until_the_time_is_over(run: "Run", video: Path) -> None:
    figures = json.loads(run("demo", "--fixture", video.name, "--seconds", "1.5", "--json").stdout)
    assert figures["frames"] > 12
    assert figures["keyframes"] == 1
    assert figures["exact"]


def test_plain_output_has_the_figures_and_the_verdict(run: "Run", video: Path) -> None:
    result = run("demo", "--fixture", video.name)
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    for word in ("frames a second", "encode p50 / p99", "decode p50 / p99", "bit rate", *MODES):
        assert result.stdout.count(word) == 1
    assert re.match(r"exact: [3-6] frames in ", result.stdout.splitlines()[-1])


def test_a_display_that_cannot_be_opened_falls_back_to_the_clip(run: "Run") -> None:
    result = run("demo", "--seconds", "0.5", "--json", DISPLAY=":99999")
    assert result.returncode == 0
    assert json.loads(result.stdout)["source"] == fixtures.names()[0]
    assert "cannot capture display :99999" in result.stderr
    assert "replaying a bundled clip instead" in result.stderr


def test_of_a_damaged_recording_the_figures_before_are_shown(run: "Run", recording: Path) -> None:
    recording.write_bytes(recording.read_bytes()[:-3])
    result = run("demo", "--fixture", recording.name)
    assert result.returncode == 2
    assert re.search(r"exact: [2-5] frames", result.stdout)
    assert result.stderr.startswith(f"fastframe: {recording.name} is cut")


def test_on_a_screen_with_a_busy_client_every_frame_is_exact(run: "Run", xserver: "XServer") -> None:
    xserver.fill("#305070")
    xserver.start("xterm", "-e", "while :; do date +%N; ls -l /usr/lib; done")
    result = run("demo", "--display", xserver.display, "--seconds", "3", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    assert figures["source"] == f"screen {xserver.display}"
    assert set(figures["capture"]) == {"name", "reason"}
    assert figures["exact"]
    assert (figures["width"], figures["height"], figures["keyframes"]) == (800, 600, 1)
    assert figures["frames"] > 10
    assert figures["tiles"]["palette"] > 10
    assert figures["tiles"]["unchanged"] > 10


@pytest.mark.parametrize("kind", ["mss", "auto"])
def test_a_part_of_the_screen_with_a_mask_is_exact_as_well(run: "Run", xserver: "XServer", kind: str) -> None:
    xserver.start("xterm", "-e", "while :; do date +%N; ls -l /usr/lib; done")
    options = ["--region", "10,20,300x200", "--mask", "50,50,100x100", "--source", kind]
    result = run("demo", "--display", xserver.display, "--seconds", "1.5", *options, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    assert (figures["exact"], figures["width"], figures["height"]) == (True, 300, 200)
    assert figures["frames"] > 5


def test_a_screen_that_was_asked_for_is_never_replaced_by_a_clip(run: "Run") -> None:
    result = run("demo", "--mask", "0,0,10x10", DISPLAY=":99999")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("fastframe: cannot capture display :99999: ")


def test_the_display_of_the_environment_is_captured(run: "Run", xserver: "XServer") -> None:
    result = run("demo", "--seconds", "0.5", "--json", DISPLAY=xserver.display)
    assert json.loads(result.stdout)["source"] == f"screen {xserver.display}"


def test_a_screen_that_changes_its_size_stays_exact(command: list[str], xserver: "XServer") -> None:
    xserver.fill("#305070")
    arguments = ["demo", "--display", xserver.display, "--seconds", "4", "--json"]
    demo = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while demo.poll() is None:
        xserver.shrink(640, 480)
        xserver.fill("#305070")
        xserver.grow()
        xserver.fill("#a0b0c0")
    stdout, stderr = demo.communicate()
    assert (demo.returncode, stderr) == (0, "")
    figures = json.loads(stdout)
    assert figures["exact"]
    assert figures["keyframes"] > 2


def figure(shown: str, name: str) -> int:
    """The first number behind a name in a table."""
    match = re.search(rf"{name}\D*?(\d+) \(", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown))
    assert match, shown
    return int(match[1])


def test_on_a_terminal_the_table_is_live_and_ctrl_c_ends_with_the_summary(
    command: list[str], xserver: "XServer"
) -> None:
    xserver.start("xterm", "-e", "while :; do date +%N; sleep .05; done")
    terminal = Terminal([*command, "demo", "--display", xserver.display, "--seconds", "600"])
    terminal.read_until("bit rate")
    first = terminal.take()
    assert "exact" not in first
    later = first
    while figure(later, "frames") <= figure(first, "frames"):
        terminal.read_until("bit rate")
        later = terminal.take()
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.read_to_end() == 0
    assert "every pixel as it was" in terminal.output
    assert "Traceback" not in terminal.output


def test_a_server_that_dies_ends_with_the_summary_and_one_line(command: list[str], xserver: "XServer") -> None:
    terminal = Terminal([*command, "demo", "--display", xserver.display, "--seconds", "600"])
    terminal.read_until("bit rate")
    xserver.kill()
    assert terminal.read_to_end() == 2
    assert "every pixel as it was" in terminal.output
    assert f"fastframe: cannot capture display {xserver.display}: " in terminal.output.splitlines()[-1]
    assert "Traceback" not in terminal.output


def picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, (7, 9, 4), np.uint8)


def test_the_comparison_ignores_x_of_the_source_and_accepts_what_is_equal() -> None:
    source, decoded = picture(), picture()
    decoded[..., 3] = 255
    assert find_mismatch(0, source, decoded) is None


@pytest.mark.parametrize("channel", range(4))
def test_the_comparison_finds_a_single_wrong_byte(channel: int) -> None:
    source, decoded = picture(), picture()
    decoded[..., 3] = 255
    decoded[5, 2, channel] ^= 1
    decoded[6, 0, channel] ^= 1
    mismatch = find_mismatch(12, source, decoded)
    assert mismatch is not None
    assert (mismatch.frame, mismatch.x, mismatch.y, mismatch.pixels) == (12, 2, 5, 2)
    assert str(mismatch).startswith("frame 12: 2 wrong pixels, the first at (2, 5): BGRX (")


def test_the_comparison_refuses_another_size() -> None:
    mismatch = find_mismatch(3, picture(), picture()[:, :8])
    assert mismatch is not None
    assert "a picture of shape (7, 8, 4) in place of (7, 9, 4)" in str(mismatch)


WITH_A_WRONG_DECODER = """
import fastframe.cli.demo

class WrongDecoder(fastframe.cli.demo.Decoder):
    def decode(self, packet):
        update = super().decode(packet)
        self.wrong = update.sequence >= 3
        return update

    @property
    def frame(self):
        picture = super().frame.copy()
        picture[140:142, 150, 1] ^= 4 * self.wrong
        return picture

fastframe.cli.demo.Decoder = WrongDecoder
fastframe.cli.main()
"""


@pytest.mark.parametrize("as_json", [False, True])
def test_a_mismatch_ends_with_exit_code_1_naming_frame_pixel_and_count(video: Path, as_json: bool) -> None:
    # The codec makes no such mistake, so one is planted behind it.
    command = [sys.executable, "-c", WITH_A_WRONG_DECODER, "demo", "--fixture", str(video)]
    result = subprocess.run([*command, "--json"][: None if as_json else -1], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (1, "")
    if as_json:
        figures = json.loads(result.stdout)
        assert not figures["exact"]
        found = {key: figures["mismatch"][key] for key in ("frame", "x", "y", "pixels")}
        assert found == {"frame": 3, "x": 150, "y": 140, "pixels": 2}
    else:
        verdict = " ".join(result.stdout.split("NOT EXACT")[1].split())
        assert verdict.startswith(": frame 3: 2 wrong pixels, the first at (150, 140): BGRX (250, 244, 230, 255)")
