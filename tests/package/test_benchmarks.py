"""The benchmarks' own parts: what they would get wrong without anybody seeing it in a table."""

import shutil
import sys
from argparse import ArgumentTypeError
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from capture_figures import capture_figures
from lineup import positive
from measure import Measurement, measure
from network import every_frame
from painter import place_of_character
from peers import EFFORTS, PEERS
from report import SceneResult, render
from rich.console import Console
from scene_figures import TIMED, measure_scene, size_figures, time_figures
from scenes import Scene, find_scenes, mark_videos, open_scene

from fastframe.stream.simulation import LineProfile

WIDTH, HEIGHT, FRAMES = 150, 70, 20


def write_scene(path: Path, rate: Fraction = Fraction(15)) -> Scene:
    """A lossless recording whose size is not one of whole tiles; every third frame repeats the one before."""
    path.parent.mkdir(exist_ok=True)
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=rate, options={"qp": "0"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "rgb24"
        for index in range(FRAMES):
            if index % 3:
                pixels[index : index + 30, 5 * index :] = random.integers(0, 256, 3)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return open_scene(path)


@pytest.mark.parametrize("name", ["xor-zstd", "box-zstd", "box-zstd-stream", "tiles-zstd-stream", "x264-medium"])
def test_a_peer_gives_every_frame_back(tmp_path: Path, name: str) -> None:
    (found,) = measure([PEERS[name]], write_scene(tmp_path / "scene.mkv"))
    assert found.frames == FRAMES
    assert found.first_difference is None
    assert 0 < found.bytes < FRAMES * WIDTH * HEIGHT * 4


def test_a_scene_of_few_pictures_a_minute_is_measured(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.mkv", Fraction(1, 4))
    (found,) = measure([PEERS["x264-ultrafast"]], scene)
    assert found.first_difference is None


def test_a_stream_of_boxes_takes_fewer_bytes_than_boxes_by_themselves(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.mkv")
    alone, stream = measure([PEERS["box-zstd"], PEERS["box-zstd-stream"]], scene)
    assert stream.bytes < alone.bytes


@pytest.mark.parametrize("text", ["0", "-3"])
def test_less_than_one_frame_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="at least 1"):
        positive(text)


def test_scenes_of_any_name_are_found_and_keep_to_their_column(tmp_path: Path) -> None:
    write_scene(tmp_path / "one | two.MKV")
    (scene,) = find_scenes([tmp_path])
    measured = measure([EFFORTS["fast"], PEERS["box-zstd"]], scene, limit=2)
    tables = [line for line in render([SceneResult(scene, measured)]).splitlines() if r"one \| two" in line]
    assert tables
    assert "one | two" not in render([SceneResult(scene, measured)])


def test_scenes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    places = ["a/term.mkv", "b/term.mkv", "b/term.mp4", "b/one.mkv", "two.mkv", "two.avi"]
    paths = [tmp_path / place for place in places]
    write_scene(paths[0].with_name("source.mkv"))
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "a" / "source.mkv", path)
    scenes = find_scenes([*paths, tmp_path / "b"])
    assert [scene.path for scene in scenes] == paths
    names = [scene.name for scene in scenes]
    assert names == ["a/term.mkv", "b/term.mkv", "term.mp4", "one", "two.mkv", "two.avi"]
    measured = measure([EFFORTS["fast"], PEERS["box-zstd"]], scenes[0], limit=1)
    report = render([SceneResult(scene, measured) for scene in scenes])
    assert all(f"| {name} |" in report for name in names)


def test_a_video_is_what_the_user_says(tmp_path: Path) -> None:
    scenes = [write_scene(tmp_path / name) for name in ("film.mkv", "video_conference_invitation.mkv")]
    measured = {scene: measure_scene(scene, ["xor-zstd"], limit=2, repeat=1) for scene in mark_videos(scenes, ["film"])}
    figures = [figure.name for figure in size_figures("fast", measured, ["xor-zstd"])]
    assert "bytes ÷ smallest peer, video: film" in figures
    assert "bytes ÷ smallest peer, worst scene without video: video_conference_invitation" in figures
    with pytest.raises(ValueError, match="no such scene: filn; there are film, video_conference_invitation"):
        mark_videos(scenes, ["film", "filn"])


@pytest.mark.parametrize(
    ("size", "detail"),
    [
        ((1920, 1080), "scene, its first frame"),
        ((3840, 2160), "scene, its first frame: 80.0 ms for 3840x2160, here in proportion to the pixels"),
        ((150, 70), None),
    ],
)
def test_a_new_screen_of_another_size_is_not_shown_as_one_of_1080p(size: tuple[int, int], detail: str | None) -> None:
    found = Measurement("", "", "", 1, 1, 80.0, 1.0, None, encode_each_ms=[80.0])
    results = {Scene(Path("scene.mkv"), *size, 15, "scene"): dict.fromkeys(TIMED, found)}
    figures = {figure.name: figure for figure in time_figures("balanced", results)}
    figure = figures.get("tight: encode of a new screen of 1920x1080, worst scene")
    assert (figure and figure.detail) == detail


@pytest.mark.parametrize("size", [(1920, 1080), (320, 200), (101, 67)])
def test_characters_are_typed_on_the_screen(size: tuple[int, int]) -> None:
    places = [place_of_character(index, size) for index in range(3000)]
    assert all(x + 10 <= size[0] and y + 20 <= size[1] for x, y in places)
    assert len(set(places)) == min(100, size[0] // 10) * min(30, size[1] // 20)


def test_capture_is_left_out_where_every_scene_is_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    console = Console(record=True)
    scenes = mark_videos([write_scene(tmp_path / "film.mkv")], ["film"])
    assert not list(capture_figures("fast", scenes, console))
    assert "without video" in console.export_text()


def test_queues_of_both_ways_to_send_are_looked_at_as_often() -> None:
    line = LineProfile(rate=1000.0)
    # 1000 bytes take the line a second of ten: nine of ten samples find it idle.
    found = every_frame([(2.0, bytes(1000))], 10.0, line)
    assert found.latencies == (1.0,)
    assert 0.4 < found.queue < 0.6
