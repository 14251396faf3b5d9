"""`fastframe capture` on a real screen."""

import json
import re
import signal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from terminal import Terminal

if TYPE_CHECKING:
    from conftest import Run
    from xserver import XServer


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("kind", ["mss", "auto"])
def test_prints_what_happened_so_far_every_second(run: "Run", xserver: "XServer", kind: str) -> None:
    xserver.start("xterm", "-e", "while :; do date +%N; ls -l /usr/lib; done")
    options = ["--seconds", "2.5", "--fps", "20", "--json", "--source", kind]
    result = run("capture", "--display", xserver.display, *options)
    assert (result.returncode, result.stderr) == (0, "")
    printed = lines(result.stdout)
    assert 2 <= len(printed) <= 3
    for earlier, later in pairwise(printed):
        assert later["seconds"] > earlier["seconds"]
        assert later["frames"] >= earlier["frames"]
        assert later["bytes"] >= earlier["bytes"]
    last = printed[-1]
    assert kind == "auto" or last["source"] == "mss"
    assert (last["width"], last["height"], last["layout"], last["failures"]) == (800, 600, 1, 0)
    assert 10 < last["frames"] <= 20 * last["seconds"] + 1
    assert last["fps"] == pytest.approx(last["frames"] / last["seconds"], rel=0.01)
    assert last["bytes"] > 10_000
    for stage in ("capture_ms", "encode_ms"):
        assert 0 < last[stage]["p50"] <= last[stage]["p99"]
    if last["source"] == "mss":
        assert (last["damage_share"], last["cursor"]) == (None, None)
    else:
        assert 0 < last["damage_share"] < 1
        assert last["cursor"]["width"] > 0


def test_a_mask_that_hides_nothing_is_told_once(run: "Run", xserver: "XServer") -> None:
    masks = ["--mask", "5000,0,10x10", "--mask", "0,0,10x10"]
    result = run("capture", "--seconds", "1.2", "--json", *masks, DISPLAY=xserver.display)
    assert result.returncode == 0
    assert result.stderr == "fastframe: warning: the mask 5000,0,10x10 hides nothing\n"
    assert {tuple(line["unmatched_masks"]) for line in lines(result.stdout)} == {("5000,0,10x10",)}


def test_one_monitor_alone_is_captured_by_number_or_name(run: "Run", monitors: "XServer") -> None:
    monitors.plug(1, "800x600", "--right-of", "DUMMY0")
    for monitor, size in (("1", (1024, 768)), ("DUMMY1", (800, 600))):
        result = run("capture", "--seconds", "0.3", "--json", "--monitor", monitor, DISPLAY=monitors.display)
        last = lines(result.stdout)[-1]
        assert (last["width"], last["height"]) == size
    refused = run("capture", "--seconds", "0.3", "--monitor", "3", "--source", "mss", DISPLAY=monitors.display)
    assert refused.returncode == 2
    assert refused.stderr == "fastframe: there is no monitor 3; there is 1 (DUMMY0), 2 (DUMMY1)\n"


def test_without_a_terminal_the_table_comes_at_the_end(run: "Run", xserver: "XServer") -> None:
    result = run("capture", "--seconds", "0.5", "--source", "mss", DISPLAY=xserver.display)
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    for word in ("picture", "frames", "damage", "capture p50 / p99", "encode p50 / p99", "bit rate", "pointer"):
        assert result.stdout.count(word) == 1
    assert result.stdout.startswith("mss: ")


def test_on_a_terminal_the_table_is_live_and_ctrl_c_ends_with_the_summary(
    command: list[str], xserver: "XServer"
) -> None:
    terminal = Terminal([*command, "capture", "--display", xserver.display, "--source", "mss"])
    frames = []
    for _ in range(2):
        terminal.read_until("bit rate")
        frames.append(int(re.findall(r"(\d+) in \d", terminal.take())[-1]))
    assert frames[1] > frames[0]
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.read_to_end() == 0
    assert "bit rate" in terminal.output
    assert "Traceback" not in terminal.output


def test_a_server_that_dies_ends_with_the_summary_and_one_line(command: list[str], xserver: "XServer") -> None:
    terminal = Terminal([*command, "capture", "--display", xserver.display, "--source", "mss"])
    terminal.read_until("bit rate")
    xserver.kill()
    assert terminal.read_to_end() == 2
    assert "bit rate" in terminal.output
    assert f"fastframe: cannot capture display {xserver.display}: " in terminal.output.splitlines()[-1]
    assert "Traceback" not in terminal.output
