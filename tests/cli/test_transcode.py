"""`fastframe encode` and `fastframe decode`: whatever goes in comes out."""

import json
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from sessions import readable

import fastframe
from fastframe import fixtures
from fastframe.capture import ReplaySource
from fastframe.capture import frames as frames_of
from fastframe.errors import RecordingError
from fastframe.recording import PacketReader, PacketWriter

if TYPE_CHECKING:
    from conftest import Eventually, Run

Pixels = npt.NDArray[np.uint8]


def frames(path: Path) -> list[tuple[int, Pixels]]:
    with ReplaySource(path) as source:
        return [(frame.timestamp, frame.pixels) for frame in frames_of(source)]


def packets(path: Path) -> list[tuple[int, bytes]]:
    with PacketReader(path) as reader:
        return [(record.timestamp, record.packet) for record in reader]


def packets_in(path: Path) -> int:
    """How many whole packets there are in a recording that is being written."""
    count = 0
    with suppress(RecordingError), PacketReader(path) as reader:
        for _ in reader:
            count += 1
    return count


def assert_pictures(actual: list[Pixels], expected: list[Pixels]) -> None:
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one[..., :3], other[..., :3])


@pytest.mark.parametrize("effort", ["fast", "balanced", "tight"])
def test_a_video_comes_back_exactly_as_a_video(
    run: "Run", tmp_path: Path, video: Path, pictures: list[Pixels], effort: str
) -> None:
    encoded = run("encode", video.name, "out.ffs", "--effort", effort)
    assert (encoded.returncode, encoded.stderr) == (0, "")
    assert re.fullmatch(r"out\.ffs: 6 frames, [\d.]+ k?B, 1 : [\d.]+ to raw\n", encoded.stdout)
    decoded = run("decode", "out.ffs", "out.mkv")
    assert (decoded.returncode, decoded.stdout, decoded.stderr) == (0, "out.mkv: 6 frames\n", "")
    replayed = frames(tmp_path / "out.mkv")
    assert [timestamp for timestamp, _ in replayed] == [0, 100_000, 200_000, 300_000, 400_000, 500_000]
    assert_pictures([pixels for _, pixels in replayed], pictures)


@pytest.mark.parametrize("folder", ["out/", "out", "made.before"])
def test_a_recording_comes_out_exactly_as_pictures(
    run: "Run", tmp_path: Path, recording: Path, pictures: list[Pixels], folder: str
) -> None:
    (tmp_path / "made.before").mkdir()
    result = run("decode", recording.name, folder)
    assert (result.returncode, result.stderr) == (0, "")
    files = sorted((tmp_path / folder).iterdir())
    assert [file.name for file in files] == [f"frame-{index:06d}.png" for index in range(6)]
    assert_pictures([frames(file)[0][1] for file in files], pictures)


def test_a_bundled_clip_goes_in_by_its_name(run: "Run", tmp_path: Path) -> None:
    (name, *_) = fixtures.names()
    assert run("encode", name, "clip.ffs", "--effort", "fast").returncode == 0
    decoder = fastframe.Decoder()
    original = frames(fixtures.path(name))
    for (timestamp, packet), (expected_timestamp, expected) in zip(
        packets(tmp_path / "clip.ffs"), original, strict=True
    ):
        decoder.decode(packet)
        assert timestamp == expected_timestamp - original[0][0]
        np.testing.assert_array_equal(decoder.frame, expected)


def test_a_recording_can_be_encoded_again(run: "Run", tmp_path: Path, recording: Path) -> None:
    assert run("encode", recording.name, "again.ffs").returncode == 0
    assert packets(tmp_path / "again.ffs") == packets(recording)


def test_existing_output_is_refused_without_force_and_replaced_with_it(
    run: "Run", tmp_path: Path, video: Path, recording: Path
) -> None:
    expected = recording.read_bytes()
    for out, arguments in {
        "old.ffs": ("encode", video.name, "old.ffs"),
        "old.mkv": ("decode", recording.name, "old.mkv"),
    }.items():
        (tmp_path / out).write_bytes(b"earlier")
        refused = run(*arguments)
        assert refused.returncode == 2
        assert refused.stderr == f"fastframe: {out} exists; --force overwrites it\n"
        assert (tmp_path / out).read_bytes() == b"earlier"
        assert run(*arguments, "--force").returncode == 0
    assert (tmp_path / "old.ffs").read_bytes() == expected
    assert len(frames(tmp_path / "old.mkv")) == 6


def test_a_folder_with_files_is_refused_without_force(run: "Run", tmp_path: Path, recording: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    refused = run("decode", recording.name, "out/")
    assert (refused.returncode, refused.stderr) == (2, "fastframe: out is not empty; --force overwrites it\n")
    assert run("decode", recording.name, "out/", "-y").returncode == 0
    assert len(list((tmp_path / "out").iterdir())) == 7


def test_of_a_cut_recording_the_whole_frames_are_kept(
    run: "Run", tmp_path: Path, recording: Path, pictures: list[Pixels]
) -> None:
    recording.write_bytes(recording.read_bytes()[:-3])
    result = run("decode", recording.name, "out.mkv")
    assert result.returncode == 2
    assert re.fullmatch(
        r"fastframe: recording\.ffs is cut: the record at offset \d+ has \d+ of \d+ bytes; "
        r"out\.mkv holds the 5 frames before it\n",
        result.stderr,
    )
    assert_pictures([pixels for _, pixels in frames(tmp_path / "out.mkv")], pictures[:5])


def test_of_a_damaged_recording_the_frames_before_are_kept(
    run: "Run", tmp_path: Path, recording: Path, pictures: list[Pixels]
) -> None:
    data = bytearray(recording.read_bytes())
    data[-20] ^= 1
    recording.write_bytes(data)
    result = run("decode", recording.name, "out/")
    assert result.returncode == 2
    assert re.fullmatch(
        r"fastframe: recording\.ffs is damaged: packet 5 at offset \d+: .+; "
        r"out holds the 5 frames before it\n",
        result.stderr,
    )
    assert_pictures([frames(file)[0][1] for file in sorted((tmp_path / "out").iterdir())], pictures[:5])


def test_a_change_of_size_fits_into_pictures_but_not_into_a_video(run: "Run", tmp_path: Path) -> None:
    encoder = fastframe.Encoder()
    with PacketWriter(tmp_path / "resized.ffs") as writer:
        for index, (width, height) in enumerate([(40, 30), (40, 30), (60, 50)]):
            writer.write(index * 1000, encoder.encode(np.full((height, width, 4), 80 * index, np.uint8)))
    refused = run("decode", "resized.ffs", "out.mkv")
    assert refused.returncode == 2
    assert refused.stderr == (
        "fastframe: a frame of 60x50 pixels does not fit into out.mkv, a video of 40x30: "
        "begin a new video, or write pictures\n"
    )
    assert not (tmp_path / "out.mkv").exists()
    assert run("decode", "resized.ffs", "out/").returncode == 0
    shapes = [frames(file)[0][1].shape for file in sorted((tmp_path / "out").iterdir())]
    assert shapes == [(30, 40, 4), (30, 40, 4), (50, 60, 4)]


def test_a_recording_without_frames_decodes_to_nothing(run: "Run", tmp_path: Path) -> None:
    with PacketWriter(tmp_path / "empty.ffs"):
        pass
    result = run("decode", "empty.ffs", "out.mkv")
    assert result.returncode == 2
    assert result.stderr == "fastframe: empty.ffs holds no frames; nothing was written\n"
    assert not (tmp_path / "out.mkv").exists()


# -- pipes -------------------------------------------------------------------------------------------------------


def in_shell(command: list[str], folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line for a shell, in which `$f` stands for `fastframe`."""
    quoted = " ".join(map(shlex.quote, command))
    return subprocess.run(
        ["bash", "-c", line.replace("$f", quoted)], cwd=folder, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    "line",
    [
        "cat recording.ffs | $f decode - out.mkv",
        "cat recording.ffs | $f decode /dev/stdin out.mkv",
        "$f decode - out.mkv < recording.ffs",
        "$f decode <(cat recording.ffs) out.mkv",
        "mkfifo pipe.ffs; { cat recording.ffs > pipe.ffs & }; $f decode pipe.ffs out.mkv",
        "cat recording.ffs | $f encode - out.ffs",
        "$f encode <(cat recording.ffs) out.ffs",
    ],
)
def test_a_recording_comes_through_a_pipe(
    command: list[str], recording: Path, pictures: list[Pixels], line: str
) -> None:
    result = in_shell(command, recording.parent, line)
    assert (result.returncode, result.stderr) == (0, "")
    if "out.ffs" in line:
        assert packets(recording.parent / "out.ffs") == packets(recording)
    else:
        replayed = frames(recording.parent / "out.mkv")
        assert [timestamp for timestamp, _ in replayed] == [0, 100_000, 200_000, 300_000, 400_000, 500_000]
        assert_pictures([pixels for _, pixels in replayed], pictures)


def test_a_pipe_plays_once_however_long_the_demo(command: list[str], recording: Path) -> None:
    result = in_shell(command, recording.parent, f"cat {recording.name} | $f demo --fixture - --seconds 60 --json")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["frames"] <= 6


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("cat video.mkv | $f decode - out.mkv", "<stdin> is no fastframe recording"),
        (
            "cat video.mkv | $f encode - out.ffs",
            "<stdin> is no fastframe recording; a video cannot come through a pipe, only from a file",
        ),
        ("head -c 900 recording.ffs | $f info -", r"<stdin> is cut: the record at offset \d+ has .+"),
        ("$f info - <&-", "cannot read standard input: it is closed"),
    ],
)
def test_what_a_pipe_cannot_bring_is_one_line(command: list[str], recording: Path, line: str, complaint: str) -> None:
    result = in_shell(command, recording.parent, line)
    assert result.returncode == 2
    assert re.fullmatch(f"fastframe: {complaint}\n", result.stderr)
    assert not list(recording.parent.glob("out*"))


@pytest.fixture
def half_decoded(
    command: list[str], tmp_path: Path, pictures: list[Pixels], eventually: "Eventually"
) -> "Iterator[Callable[..., tuple[subprocess.Popen[bytes], bytes]]]":
    """Starts a `decode`, or an `encode`, that has begun to write; with it comes the end of what it waits to read."""
    with ExitStack() as stack:

        def start(*before: str, output: str = "out.mkv") -> tuple[subprocess.Popen[bytes], bytes]:
            encoder = fastframe.Encoder()
            with PacketWriter(tmp_path / "in.ffs") as writer:
                for number, picture in enumerate(pictures):
                    writer.write(number, encoder.encode(picture))
            data = (tmp_path / "in.ffs").read_bytes()
            process = subprocess.Popen(
                [*before, *command, "encode" if output.endswith(".ffs") else "decode", "-", output, "--force"],
                cwd=tmp_path,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            stack.enter_context(process)
            stack.callback(process.kill)  # where the test has failed
            assert process.stdin is not None
            process.stdin.write(data[:-1])
            process.stdin.flush()
            eventually(lambda: any(tmp_path.glob("*.part")))
            time.sleep(0.2)  # Python complains about a file that an interrupt keeps from the variable it is for
            return process, data[-1:]

        yield start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_is_told_to_end_leaves_nothing_half_written(
    half_decoded: "Callable[..., tuple[subprocess.Popen[bytes], bytes]]", tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "out.mkv").write_bytes(b"earlier")
    process, _ = half_decoded()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert b"Traceback" not in stderr
    assert (tmp_path / "out.mkv").read_bytes() == b"earlier"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("output", ["out.mkv", "out.ffs"])
def test_who_is_killed_leaves_what_was_written_where_it_is_seen(
    half_decoded: "Callable[..., tuple[subprocess.Popen[bytes], bytes]]",
    run: "Run",
    tmp_path: Path,
    pictures: list[Pixels],
    output: str,
    eventually: "Eventually",
) -> None:
    (tmp_path / output).write_bytes(b"earlier")
    process, _ = half_decoded(output=output)
    (part,) = tmp_path.glob("*.part")
    # The end of the last picture was never read; and a video has a frame when the next one has come.
    written = len(pictures) - (1 if output.endswith(".ffs") else 2)
    eventually(lambda: packets_in(part) == written if output.endswith(".ffs") else readable(part) == written)
    process.kill()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / output).read_bytes() == b"earlier"
    kept = part.rename(tmp_path / f"kept{part.with_suffix('').with_suffix('').suffix}")
    if output.endswith(".ffs"):
        assert run("decode", kept.name, "kept.mkv").returncode == 0
    assert_pictures([pixels for _, pixels in frames(tmp_path / "kept.mkv")], pictures[:written])


def test_of_what_a_killed_command_left_the_next_one_tells(run: "Run", tmp_path: Path, recording: Path) -> None:
    part, other = tmp_path / "out.mkv.0123abcd.part", tmp_path / "my.out.mkv.0123abcd.part"
    part.write_bytes(bytes(2000))
    other.write_bytes(b"of another video")
    note = "a command that was killed left it, or one is still writing it"
    for _ in range(2):
        result = run("decode", recording.name, "out.mkv", "--force")
        assert (result.returncode, result.stdout) == (0, "out.mkv: 6 frames\n")
        assert result.stderr == f"fastframe: warning: there is out.mkv.0123abcd.part, 2.0 kB: {note}\n"
    assert part.read_bytes() == bytes(2000)
    (tmp_path / "pictures").mkdir()
    part.rename(tmp_path / "pictures" / "frame-000000.png.0123abcd.part")
    result = run("decode", recording.name, "pictures", "--force")
    assert (result.returncode, result.stdout) == (0, "pictures: 6 frames\n")
    assert result.stderr == f"fastframe: warning: there is pictures/frame-000000.png.0123abcd.part, 2.0 kB: {note}\n"


def test_under_nohup_a_closed_terminal_ends_nothing(
    half_decoded: "Callable[..., tuple[subprocess.Popen[bytes], bytes]]", tmp_path: Path, pictures: list[Pixels]
) -> None:
    process, rest = half_decoded("nohup")
    process.send_signal(signal.SIGHUP)
    process.communicate(rest, timeout=30)
    assert process.returncode == 0
    assert len(frames(tmp_path / "out.mkv")) == len(pictures)
    assert not list(tmp_path.glob("*.part"))
