"""The benchmarks' own parts: what they would get wrong without anybody seeing it in a table."""

import os
import re
import shutil
import signal
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import compare
import cut_fixture
import figures
import network
from capture_figures import capture_figures
from child import child
from codec import PeerMissing
from figure import Figure
from lineup import positive
from loopback import loopback_figures
from measure import Measurement, measure
from outputs import output_path
from painter import place_of_character
from peers import EFFORTS, PEERS
from report import SceneResult, render
from rich.console import Console
from scene_check import check_scenes
from scene_figures import TIMED, measure_scene, size_figures, time_figures
from scenes import Scene, find_scenes, mark_videos, open_scene

from fastframe.stream.simulation import LineProfile

WIDTH, HEIGHT, FRAMES = 150, 70, 20


def write_scene(
    path: Path,
    rate: Fraction = Fraction(15),
    *,
    codec: str = "libx264rgb",
    pixels_as: str = "rgb24",
    options: Mapping[str, str] = MappingProxyType({"qp": "0"}),
) -> Scene:
    """A recording, lossless by default, whose size is not one of whole tiles; every third frame repeats another."""
    path.parent.mkdir(exist_ok=True)
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    # So that an MP4 file can be opened when its end is missing.
    layout = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=layout) as container:
        stream = container.add_stream(codec, rate=rate, options=dict(options))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels_as
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


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_damaged_recording_is_measured_as_far_as_it_can_be_read_and_told(
    tmp_path: Path, suffix: str, damage: str
) -> None:
    whole = write_scene(tmp_path / f"whole.{suffix}")
    content = bytearray(whole.path.read_bytes())
    middle = len(content) * 7 // 10
    if damage == "cut":
        del content[middle:]
    else:
        content[middle : middle + 50] = bytes(50)
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(content)
    console = Console(record=True, width=200)
    (scene,) = check_scenes([open_scene(path)], None, console)
    told = re.search(r"damaged was cut off or is damaged: (\d+) of about 20 frames", console.export_text())
    assert told
    (found,) = measure([EFFORTS["fast"]], scene)
    assert 1 < int(told[1]) < FRAMES
    assert found.frames == len(scene.load()) == int(told[1])
    assert all(map(np.array_equal, scene.frames(), whole.frames()))


def test_of_a_whole_lossless_recording_nothing_is_said(tmp_path: Path) -> None:
    names = ("x264.mkv", "x264.mp4", "x264.avi", "x264.mov")
    scenes = [write_scene(tmp_path / name) for name in names]
    scenes.append(write_scene(tmp_path / "ffv1.mkv", codec="ffv1", pixels_as="bgr0", options={}))
    console = Console(record=True, width=200)
    for limit, frames in ((None, FRAMES), (3, 3)):
        assert [scene.length for scene in check_scenes(scenes, limit, console)] == [frames] * len(scenes)
    assert not console.export_text()


@pytest.mark.parametrize(
    ("codec", "pixels_as", "options", "told"),
    [
        ("libx264", "yuv420p", {"qp": "0"}, "h264 in yuv420p"),
        ("libx264rgb", "rgb24", {"crf": "20"}, "h264 with crf=20.0"),
        ("mpeg4", "yuv420p", {}, "mpeg4 in yuv420p"),
    ],
)
def test_a_lossy_recording_is_told(
    tmp_path: Path, codec: str, pixels_as: str, options: dict[str, str], told: str
) -> None:
    scene = write_scene(tmp_path / "scene.mkv", codec=codec, pixels_as=pixels_as, options=options)
    console = Console(record=True, width=200)
    (checked,) = check_scenes([scene], None, console)
    assert f"scene is a lossy recording, {told}: " in console.export_text()
    assert len(checked.load()) == FRAMES


def test_a_file_that_is_no_recording_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "text.mkv"
    path.write_text("no video\n" * 100)
    with pytest.raises(ValueError, match=r"text\.mkv cannot be read: Invalid data"):
        find_scenes([tmp_path])


@pytest.mark.parametrize("command", [compare.main, network.main])
@pytest.mark.parametrize(
    ("option", "place", "told"),
    [
        ("--plot", "plot.foo", r"a plot ends in \.pdf, \.png, \.svg, not as plot\.foo does"),
        ("--plot", "plot", "a plot ends in"),
        ("--out", "missing/table.md", "cannot write .*missing/table.md: No such file"),
        ("--out", "", "cannot write .*: Is a directory"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: Callable[[], object],
    option: str,
    place: str,
    told: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["command", option, str(tmp_path / place)])
    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == 2
    assert re.search(told, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_an_output_is_not_there_before_it_is_written(tmp_path: Path) -> None:
    old, new = tmp_path / "old.md", tmp_path / "new.md"
    old.write_text("old")
    assert [output_path(str(old)), output_path(str(new))] == [old, new]
    assert old.read_text() == "old"
    assert not new.exists()


def test_a_clip_is_cut_exactly_and_replaces_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, clip = write_scene(tmp_path / "source.mkv"), tmp_path / "clip.mkv"
    clip.write_text("an older clip")
    cut_fixture.main([str(source.path), str(clip), "--start", "4", "--frames", "5"])
    assert "clip.mkv: 5 frames exact, 3 change" in capsys.readouterr().out
    assert all(map(np.array_equal, open_scene(clip).load(), source.load()[4:9]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mkv", "source.mkv"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("missing.mkv clip.mkv", r"missing\.mkv cannot be read beyond 0 frames: No such file"),
        (". clip.mkv", "cannot be read beyond 0 frames: Is a directory"),
        ("text.mkv clip.mkv", "cannot be read beyond 0 frames: Invalid data"),
        ("source.mkv clip.mkv --start 15 --frames 8", r"source\.mkv ends 3 frames short of that range"),
        ("source.mkv clip.mkv --start -1", "--start: at least 0, not -1"),
        ("source.mkv clip.mkv --frames 0", "--frames: at least 1, not 0"),
        ("source.mkv clip.mkv --rate 0", "--rate: at least 1, not 0"),
        ("source.mkv clip.foo --frames 2", "output format"),
        ("source.mkv missing/clip.mkv", "cannot write missing/clip.mkv: No such file"),
        ("source.mkv source.mkv --frames 2", r"source\.mkv is the recording itself"),
    ],
)
def test_what_cannot_be_cut_is_told_and_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_scene(tmp_path / "source.mkv")
    (tmp_path / "text.mkv").write_text("no video\n" * 100)
    (tmp_path / "clip.mkv").write_text("an older clip")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(SystemExit) as ended:
        cut_fixture.main(arguments.split())
    assert ended.value.code == 2
    assert re.search(told, capsys.readouterr().err)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interrupted_comparison_keeps_the_scenes_that_were_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "later"):
        write_scene(tmp_path / f"{name}.mkv")

    def measure_first(scene: Scene, *_: object) -> list[Measurement]:
        if scene.name == "later":
            raise KeyboardInterrupt
        return measure([EFFORTS["fast"], PEERS["box-zstd"]], scene, limit=2)

    monkeypatch.setattr(compare, "measure_scene", measure_first)
    monkeypatch.setattr("sys.argv", ["compare", str(tmp_path), "--peers", "box-zstd"])
    assert compare.main() == 130
    told = capsys.readouterr()
    assert "interrupted: 1 of 2 scenes have been measured" in told.err
    assert "| first | 150x70 | 2 |" in told.out
    assert "| later |" not in told.out


def test_interrupted_figures_are_printed_as_far_as_they_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure_one(options: object) -> Iterator[Figure]:
        yield Figure("the first figure", 1.0, 2.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(figures, "measure_figures", measure_one)
    monkeypatch.setattr("sys.argv", ["figures", str(write_scene(tmp_path / "scene.mkv").path)])
    assert figures.main() == 130
    told = capsys.readouterr()
    assert "the first figure" in told.out
    assert "interrupted: 1 figures have been measured" in told.err


def tell_process_and_add(pipe: Connection, start: int) -> None:
    pipe.send(os.getpid())
    while True:
        pipe.send(start + pipe.recv())


def test_a_child_outlives_ctrl_c_but_not_what_it_is_for() -> None:
    with suppress(KeyboardInterrupt), child(tell_process_and_add, 40) as pipe:
        process = pipe.recv()
        os.kill(process, signal.SIGINT)
        pipe.send(2)
        assert pipe.recv() == 42
        raise KeyboardInterrupt
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_a_program_that_is_told_to_end_does_as_after_ctrl_c(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.mkv")
    command = [sys.executable, figures.__file__, str(scene.path), "--peers", "", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        assert program.stderr.readline() == "measuring scene\n"
        program.terminate()
        _, told = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "interrupted: " in told


def test_figures_say_that_they_need_x264(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise PeerMissing("this PyAV has no libx264rgb")

    monkeypatch.setattr("video_peers.Video.__init__", missing)
    monkeypatch.setattr("sys.argv", ["figures", str(write_scene(tmp_path / "scene.mkv").path)])
    with pytest.raises(SystemExit) as ended:
        figures.main()
    assert ended.value.code == 2
    assert "this PyAV has no libx264rgb" in capsys.readouterr().err


def test_a_scene_in_which_too_little_changes_is_not_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = replace(write_scene(tmp_path / "short.mkv"), length=15)
    assert not loopback_figures(scene, 60)
    assert "short is left out: nothing changes after its first 15 pictures" in capsys.readouterr().err


def test_a_video_is_what_the_user_says(tmp_path: Path) -> None:
    scenes = [write_scene(tmp_path / name) for name in ("film.mkv", "video_conference_invitation.mkv")]
    measured = {scene: measure_scene(scene, ["xor-zstd"], limit=2, repeat=1) for scene in mark_videos(scenes, ["film"])}
    found = [figure.name for figure in size_figures("fast", measured, ["xor-zstd"])]
    assert "bytes ÷ smallest peer, video: film" in found
    assert "bytes ÷ smallest peer, worst scene without video: video_conference_invitation" in found
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
    named = {figure.name: figure for figure in time_figures("balanced", results)}
    figure = named.get("tight: encode of a new screen of 1920x1080, worst scene")
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
    found = network.every_frame([(2.0, bytes(1000))], 10.0, line)
    assert found.latencies == (1.0,)
    assert 0.4 < found.queue < 0.6
