"""The comparison with VNC: what its viewer makes of each kind of rectangle, and how a server that fails is told of."""

import io
import os
import re
import signal
import socket
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from test_benchmarks import FRAMES, write_scene
from xserver import need

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import display_server
import vnc
from rfb import ENCODINGS, RfbError, Tight, Viewer, Zrle
from scenes import Scene

RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)
GREYS = tuple((level, level, level) for level in range(10, 60, 10))
Rows = list[list[tuple[int, int, int]]]


def bgr(*colours: tuple[int, int, int]) -> bytes:
    return b"".join(map(bytes, colours))


def rgb(*colours: tuple[int, int, int]) -> bytes:
    return b"".join(bytes(colour[::-1]) for colour in colours)


def zrle(tiles: bytes) -> io.BytesIO:
    data = zlib.compress(tiles)
    return io.BytesIO(struct.pack(">I", len(data)) + data)


# Rows of packed pixels begin at a byte.
ZRLE_TILES: dict[str, tuple[bytes, Rows]] = {
    "plain": (b"\x00" + bgr(RED, GREEN, BLUE, RED), [[RED, GREEN], [BLUE, RED]]),
    "one colour": (b"\x01" + bgr(GREEN), [[GREEN] * 3] * 2),
    "1 bit a pixel": (
        b"\x02" + bgr(RED, BLUE) + b"\x80\x80\x01\x00",
        [[BLUE, *[RED] * 7, BLUE], [*[RED] * 7, BLUE, RED]],
    ),
    "2 bits a pixel": (
        b"\x03" + bgr(RED, GREEN, BLUE) + b"\x18\x40\x80\x00",
        [[RED, GREEN, BLUE, RED, GREEN], [BLUE, RED, RED, RED, RED]],
    ),
    "4 bits a pixel": (b"\x05" + bgr(*GREYS) + b"\x01\x20\x43\x00", [[*GREYS[:3]], [GREYS[4], GREYS[3], GREYS[0]]]),
    "runs": (b"\x80" + bgr(RED) + b"\x00" + bgr(BLUE) + b"\xff\x3f", [[RED, *[BLUE] * 63], *[[BLUE] * 64] * 4]),
    "runs from a palette": (b"\x82" + bgr(RED, BLUE) + b"\x00\x81\x05\x00", [[RED, *[BLUE] * 6, RED]]),
}


@pytest.mark.parametrize("name", ZRLE_TILES)
def test_a_tile_of_zrle(name: str) -> None:
    data, rows = ZRLE_TILES[name]
    pixels = Zrle().decode(zrle(data).read, len(rows[0]), len(rows))
    assert pixels.tolist() == np.array(rows).tolist()


def test_tiles_of_zrle_follow_each_other_and_share_a_stream() -> None:
    compressor = zlib.compressobj()
    decoder = Zrle()
    for colours in ([RED, GREEN, BLUE, GREYS[0]], [GREEN, RED, RED, BLUE]):
        data = compressor.compress(b"".join(b"\x01" + bgr(colour) for colour in colours))
        data += compressor.flush(zlib.Z_SYNC_FLUSH)
        pixels = decoder.decode(io.BytesIO(struct.pack(">I", len(data)) + data).read, 70, 66)
        assert [tuple(pixels[y, x]) for y in (63, 64) for x in (63, 64)] == colours


def compact(data: bytes) -> bytes:
    """Compressed, after its length, which is in seven bits, seven and eight."""
    packed = zlib.compress(data)
    size = len(packed)
    parts = [size & 127, size >> 7 & 127, size >> 14][: 1 if size < 128 else 2 if size < 16384 else 3]
    return bytes(part | 128 for part in parts[:-1]) + bytes(parts[-1:]) + packed


NOISE = np.random.default_rng(1).integers(0, 256, (100, 120, 3), np.uint8)
TIGHT_RECTANGLES: dict[str, tuple[bytes, Rows]] = {
    "one colour": (b"\x80" + rgb(GREEN), [[GREEN] * 3] * 2),
    "plain": (b"\x00" + compact(rgb(RED, GREEN, BLUE, RED)), [[RED, GREEN], [BLUE, RED]]),
    "plain, a length of two bytes": (b"\x10" + compact(NOISE[:9, :9, ::-1].tobytes()), NOISE[:9, :9].tolist()),
    "plain, a length of three bytes": (b"\x20" + compact(NOISE[..., ::-1].tobytes()), NOISE.tolist()),
    "too little to compress": (b"\x00" + rgb(RED, GREEN, BLUE), [[RED, GREEN, BLUE]]),
    "two colours": (
        b"\x50\x01\x01" + rgb(RED, BLUE) + b"\x80\x80\x01\x00",
        [[BLUE, *[RED] * 7, BLUE], [*[RED] * 7, BLUE, RED]],
    ),
    "a palette": (b"\x60\x01\x02" + rgb(RED, GREEN, BLUE) + compact(bytes([0, 1, 2] * 5)), [[RED, GREEN, BLUE]] * 5),
}


@pytest.mark.parametrize("name", TIGHT_RECTANGLES)
def test_a_rectangle_of_tight(name: str) -> None:
    data, rows = TIGHT_RECTANGLES[name]
    source = io.BytesIO(data)
    pixels = Tight().decode(source.read, len(rows[0]), len(rows))
    assert pixels.tolist() == np.array(rows).tolist()
    assert not source.read()


def test_a_stream_of_tight_begins_anew_when_it_is_told_to() -> None:
    decoder = Tight()
    plain = compact(rgb(RED, GREEN, BLUE, RED))
    for control in (b"\x00", b"\x01"):
        assert decoder.decode(io.BytesIO(control + plain).read, 4, 1)[0, 2].tolist() == list(BLUE)


@pytest.mark.parametrize("data", [b"\x90\x01\x00", b"\x40\x02\x00"], ids=["JPEG", "the gradient filter"])
def test_what_tigervnc_writes_to_nobody_who_wants_every_pixel_is_refused(data: bytes) -> None:
    with pytest.raises(RfbError, match="Tight"):
        Tight().decode(io.BytesIO(data).read, 4, 4)


@contextmanager
def server_that_says(path: Path, *words: bytes) -> Iterator[None]:
    """A server that tells everybody the same, whatever is asked."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"".join(words))
                while connection.recv(4096):
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join()


VERSION, NO_PASSWORD, WELCOME = b"RFB 003.008\n", b"\x01\x01", bytes(4)
SCREEN = struct.pack(">HH16xI", 4, 2, 4) + b"name"


def rectangle(x: int, y: int, width: int, height: int, encoding: int) -> bytes:
    return struct.pack(">HHHHi", x, y, width, height, encoding)


def test_an_update_may_copy_what_is_there_and_bring_the_pointer(tmp_path: Path) -> None:
    update = [
        b"\x00\x00\xff\xff",
        rectangle(0, 0, 9, 2, -239) + bytes(4 * 9 * 2 + 2 * 2),
        rectangle(0, 0, 2, 1, 0) + bytes([*RED, 0, *BLUE, 0]),
        rectangle(1, 0, 2, 1, 1) + struct.pack(">HH", 0, 0),
        rectangle(3, 1, 1, 1, 7) + b"\x80" + rgb(GREEN),
        rectangle(0, 0, 0, 0, -224),
    ]
    with (
        server_that_says(tmp_path / "rfb", VERSION, NO_PASSWORD, WELCOME, SCREEN, *update),
        closing(Viewer(tmp_path / "rfb", Tight(), 6, 10)) as viewer,
    ):
        assert viewer.update(incremental=False) == len(b"".join(update))
        black = (0, 0, 0)
        assert viewer.picture[..., :3].tolist() == np.array([[RED, RED, BLUE, black], [black] * 3 + [GREEN]]).tolist()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([b"RFB 003.003\n"], "instead of RFB 3.8"),
        ([VERSION, b"\x01\x02"], "asks for a password"),
        ([VERSION, NO_PASSWORD, b"\x00\x00\x00\x01"], "refuses"),
    ],
)
def test_a_server_that_cannot_be_looked_at_is_told_of(tmp_path: Path, words: list[bytes], told: str) -> None:
    with server_that_says(tmp_path / "rfb", *words), pytest.raises(RfbError, match=told):
        Viewer(tmp_path / "rfb", Tight(), 6, 10)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    need("Xtigervnc")
    return write_scene(tmp_path / "scene.mkv")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_server_sends_each_change_once(scene: Scene, encoding: str) -> None:
    played = vnc.play(vnc.find_program(), scene, None, (encoding, 6))
    assert played.frames == FRAMES
    # Every third frame repeats the one before; the shape of the pointer comes by itself.
    assert played.changes == FRAMES - FRAMES // 3
    assert played.updates <= played.changes + 1
    # Noise at first, which nothing makes smaller, and then rectangles of one colour.
    assert scene.width * scene.height * 3 < played.bytes < 2 * scene.width * scene.height * 3
    assert played.seconds > 0


def test_the_table_is_written_to_a_file(scene: Scene, tmp_path: Path) -> None:
    out = tmp_path / "vnc.md"
    assert vnc.main([str(scene.path), "--frames", "4", "--settings", "Tight:9,ZRLE:1", "--out", str(out)]) == 0
    rows = [line.split("|")[1].strip() for line in out.read_text().splitlines() if line.startswith("| TigerVNC")]
    assert rows[:2] == ["TigerVNC Tight, level 9", "TigerVNC ZRLE, level 1"]


def test_a_machine_without_the_server_is_told_what_to_install(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert vnc.main([str(scene.path)]) == 1
    assert "apt-get install tigervnc-standalone-server" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["Tight", "Tight:10", "Hextile:6", "Tight:6,"])
def test_settings_that_there_are_not_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        vnc.main(["--settings", text])
    assert "such as Tight:6" in capsys.readouterr().err


def kill(viewer: Viewer, process: int) -> None:
    os.kill(process, signal.SIGKILL)


def stop(viewer: Viewer, process: int) -> None:
    os.kill(process, signal.SIGSTOP)


def spoil(viewer: Viewer, process: int) -> None:
    viewer.picture[0, 0, 0] ^= 1


def interrupt(viewer: Viewer, process: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("harm", "status", "told"),
    [
        (kill, 1, "gone|closed"),
        (stop, 1, "frame 1 of scene has not arrived: the VNC server sent nothing for 0.5 seconds"),
        (spoil, 1, "frame 1 of scene has not arrived"),
        (interrupt, 130, "interrupted"),
    ],
)
def test_a_run_that_cannot_go_on_says_so_and_leaves_nothing(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    harm: Callable[[Viewer, int], None],
    status: int,
    told: str,
) -> None:
    processes: list[int] = []
    sockets: list[Path] = []

    def cpu_seconds(process: int) -> float:
        processes.append(process)
        return 0.0

    class Harmed(Viewer):
        def __init__(self, path: Path, *arguments: object) -> None:
            sockets.append(path)
            super().__init__(path, *arguments)  # type: ignore[arg-type]
            self._updates = 0

        def update(self, *, incremental: bool) -> int:
            if self._updates == 2:  # The pointer's shape and the first frame have come.
                harm(self, processes[-1])
            self._updates += 1
            return super().update(incremental=incremental)

    monkeypatch.setattr(vnc, "cpu_seconds", cpu_seconds)
    monkeypatch.setattr(vnc, "Viewer", Harmed)
    monkeypatch.setattr(vnc, "TIMEOUT", 0.5)
    monkeypatch.setattr(display_server, "SECONDS_TO_END", 0.5)
    assert vnc.main([str(scene.path)]) == status
    assert re.search(told, capsys.readouterr().err)
    assert processes
    assert not any(Path(f"/proc/{process}").exists() for process in processes)
    assert not any(path.parent.exists() for path in sockets)


def test_a_server_that_does_not_start_says_why() -> None:
    need("Xvfb")
    with (
        pytest.raises(display_server.ServerFailed, match="no-such-option"),
        display_server.x_server("Xvfb", "-no-such-option"),
    ):
        pass
    with (
        pytest.raises(display_server.ServerFailed, match="no-such-program"),
        display_server.x_server("no-such-program"),
    ):
        pass
