"""`fastframe info`: the figures add up, and the heat map shows the screen and its costs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import fastframe
from fastframe.capture import ReplaySource, frames
from fastframe.codec import MODES, PLANES
from fastframe.recording import PacketReader, PacketWriter

if TYPE_CHECKING:
    from conftest import Run


def test_json_adds_up(run: "Run", recording: Path) -> None:
    result = run("info", recording.name, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    info = json.loads(result.stdout)
    with PacketReader(recording) as reader:
        size = sum(len(record.packet) for record in reader)
    assert (info["file"], info["complete"]) == (recording.name, True)
    assert (info["packets"], info["keyframes"], info["sizes"]) == (6, 1, [[200, 150]])
    assert info["seconds"] == 0.5
    assert info["bytes"] == size
    assert info["raw_bytes"] == 6 * 200 * 150 * 3
    assert list(info["planes"]) == list(PLANES)
    assert sum(plane["bytes"] for plane in info["planes"].values()) + info["overhead_bytes"] == size
    assert list(info["modes"]) == list(MODES)
    assert sum(mode["tiles"] for mode in info["modes"].values()) == 6 * 4 * 3
    assert sum(mode["bytes"] for mode in info["modes"].values()) <= size
    assert info["modes"]["photo"]["bytes"] > info["modes"]["solid"]["bytes"]


def test_tables_name_every_plane_and_mode(run: "Run", recording: Path) -> None:
    result = run("info", recording.name)
    assert (result.returncode, result.stderr) == (0, "")
    for word in ("6 (1 key)", "200x150", "0.50 s", *PLANES, *MODES):
        assert word in result.stdout
    assert "\x1b" not in result.stdout


def test_a_new_size_is_listed(run: "Run", tmp_path: Path) -> None:
    encoder = fastframe.Encoder()
    with PacketWriter(tmp_path / "resized.ffs") as writer:
        for index, (width, height) in enumerate([(40, 30), (60, 50), (60, 50)]):
            writer.write(index, encoder.encode(np.zeros((height, width, 4), np.uint8)))
    info = json.loads(run("info", "resized.ffs", "--json").stdout)
    assert (info["keyframes"], info["sizes"]) == (2, [[40, 30], [60, 50]])


@pytest.mark.parametrize("cut", [0, 3])
def test_the_heat_map_is_a_picture_whose_tiles_shine_where_bytes_went(
    run: "Run", tmp_path: Path, recording: Path, cut: int
) -> None:
    recording.write_bytes(recording.read_bytes()[: -cut or None])
    result = run("info", recording.name, "--heatmap", "heat.png")
    assert result.returncode == (2 if cut else 0)
    with ReplaySource(tmp_path / "heat.png") as source:
        (frame,) = frames(source)
    heat = frame.pixels[..., :3].astype(int)
    zoom = heat.shape[1] // 200
    assert heat.shape[1] == 200 * zoom >= 960
    assert heat.shape[0] > 150 * zoom  # Below the screen there is the legend.
    tile = 64 * zoom
    photo, flat = heat[2 : tile - 2, 2 * tile + 2 : 3 * tile - 2], heat[2 : tile - 2, 2 : tile - 2]
    # The photo's tile is orange, so red stands out; the flat one has hardly any colour of its own.
    assert (photo[..., 2] - photo[..., 0]).mean() > 100
    assert abs((flat[..., 2] - flat[..., 0]).mean()) < 80


def test_of_a_narrow_and_high_picture_the_heat_map_has_a_size_that_can_be_shown(run: "Run", tmp_path: Path) -> None:
    with PacketWriter(tmp_path / "high.ffs") as writer:
        writer.write(0, fastframe.Encoder().encode(np.full((16000, 3, 4), 200, np.uint8)))
    result = run("info", "high.ffs", "--heatmap", "heat.png")
    assert (result.returncode, result.stderr) == (0, "")
    with ReplaySource(tmp_path / "heat.png") as source:
        (frame,) = frames(source)
    assert frame.pixels.shape[1] == 960
    assert 16000 < frame.pixels.shape[0] < 17000
    assert frame.pixels[8000, 1, :3].any()


def test_a_heat_map_is_not_overwritten_without_force(run: "Run", tmp_path: Path, recording: Path) -> None:
    (tmp_path / "heat.png").write_bytes(b"earlier")
    result = run("info", recording.name, "--heatmap", "heat.png")
    assert (result.returncode, result.stderr) == (2, "fastframe: heat.png exists; --force overwrites it\n")
    assert (tmp_path / "heat.png").read_bytes() == b"earlier"


def test_of_a_cut_recording_the_figures_up_to_the_cut_are_shown(run: "Run", recording: Path) -> None:
    recording.write_bytes(recording.read_bytes()[:-3])
    result = run("info", recording.name, "--json")
    assert result.returncode == 2
    info = json.loads(result.stdout)
    assert (info["packets"], info["complete"]) == (5, False)
    assert result.stderr.startswith(f"fastframe: {recording.name} is cut: the record at offset ")
    assert result.stderr.endswith("; these are the 5 packets before it\n")
