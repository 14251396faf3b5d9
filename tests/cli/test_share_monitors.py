"""Several monitors of one customer in one session: each is a display of its own."""

import asyncio
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sessions import Process, picture, pixels_of
from xserver import XServer

from fastframe.cli.app import app
from fastframe.cli.picture_files import PictureFiles
from fastframe.cli.view import Viewing
from fastframe.errors import FastframeError
from fastframe.stream.aio import Worker, connect

Eventually = Callable[[Callable[[], bool]], None]


def paint(server: XServer, *places: str) -> None:
    """Opens a window full of text at each place, +X+Y."""
    for place in places:
        server.start("xterm", "-bg", "#204060", "-geometry", f"20x8{place}", "-e", "ls -l /; sleep 60")


def latest(folder: Path) -> Any:
    """The newest picture in a folder, or nothing."""
    paths = sorted(folder.glob("*.png"))
    return picture(paths[-1]) if paths else None


def is_exact(folder: Path, server: XServer, monitor: str) -> bool:
    seen, screen = latest(folder), pixels_of(server, monitor)
    return seen is not None and np.array_equal(seen, screen)


def displays(viewer: Process) -> int:
    """How many displays a viewer has, as far as it has said so."""
    return int(viewer.json()[-1]["displays"]) if viewer.lines else 0


def test_each_monitor_is_a_display_while_it_is_plugged_in(
    share_screen: Any, start: Any, monitors: XServer, eventually: Eventually, tmp_path: Path
) -> None:
    monitors.fill("#336699")
    monitors.plug(1, "800x600", "--right-of", "DUMMY0")
    customer, address = share_screen(monitors, "--monitor", "all", "--consent", "view,record")
    out = tmp_path / "pictures"
    viewer = start("view", *address, "--out", str(out), "--json")
    paint(monitors, "+50+80", "+1100+90")

    eventually(lambda: is_exact(out, monitors, "DUMMY0") and is_exact(out / "display1", monitors, "DUMMY1"))
    assert (latest(out) != latest(out)[0, 0]).any()
    eventually(lambda: displays(viewer) == 2)
    monitors.unplug(1)
    eventually(lambda: displays(viewer) == 1)
    paint(monitors, "+400+300")
    eventually(lambda: is_exact(out, monitors, "DUMMY0"))
    monitors.plug(1, "640x480", "--right-of", "DUMMY0")  # another size than before
    eventually(lambda: displays(viewer) == 2 and is_exact(out / "display1", monitors, "DUMMY1"))
    assert latest(out / "display1").shape == (480, 640, 4)
    monitors.plug(1, "800x600", "--right-of", "DUMMY0")  # a new size while it is shown
    eventually(lambda: is_exact(out / "display1", monitors, "DUMMY1"))
    assert latest(out / "display1").shape == (600, 800, 4)
    customer.signal(signal.SIGINT)
    assert customer.wait() == 0, customer.news
    assert viewer.wait() == 0, viewer.news


def test_only_the_named_monitors_are_shown_and_one_that_was_away_is_back(
    share_screen: Any, start: Any, xserver: XServer, eventually: Eventually, tmp_path: Path
) -> None:
    xserver.fill("#336699")
    xserver.split(300, 200, 300)
    customer, address = share_screen(
        xserver, "--monitor", "part-2", "--monitor", "1", "--mask", "510,0,20x20", "--consent", "view,record"
    )
    out = tmp_path / "pictures"
    viewer = start("view", *address, "--out", str(out), "--json")
    eventually(lambda: latest(out) is not None and (latest(out)[20:, :, :3] == (0x99, 0x66, 0x33)).all())
    eventually(lambda: is_exact(out / "display1", xserver, "part-0"))
    assert latest(out).shape == (600, 300, 4)
    assert not latest(out)[:20, 10:30, :3].any()
    assert "hides nothing" not in customer.news
    xserver.run("xrandr", "--delmonitor", "part-2")
    eventually(lambda: displays(viewer) == 1)
    xserver.fill("#204060")
    eventually(lambda: is_exact(out / "display1", xserver, "part-0"))
    xserver.run("xrandr", "--setmonitor", "part-2", "200/200x600/150+600+0", "none")
    eventually(lambda: latest(out).shape == (600, 200, 4) and (latest(out)[..., :3] == (0x60, 0x40, 0x20)).all())
    assert not (out / "display2").exists()
    customer.signal(signal.SIGINT)
    assert customer.wait() == 0, customer.news
    assert viewer.wait() == 0, viewer.news


def test_the_window_shows_one_display_and_the_user_chooses_which(
    share_screen: Any,
    xserver: XServer,
    new_xserver: Callable[..., XServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tkinter = pytest.importorskip("tkinter")
    theirs = new_xserver(1000, 700)
    monkeypatch.setenv("DISPLAY", theirs.display)
    xserver.fill("#336699")
    xserver.split(300, 500)
    _, (url, _, key) = share_screen(xserver, "--monitor", "all", "--consent", "view")
    paint(xserver, "+20+50", "+320+90")

    async def main() -> None:
        with Worker("decode") as decoding, Worker("write") as writing:
            viewing = Viewing(decoding, writing, None, "Ada")
            close = viewing.open_window(must=True)
            root = tkinter._get_default_root()
            canvas = next(each for each in root.winfo_children() if isinstance(each, tkinter.Canvas))
            session = asyncio.create_task(viewing.run(lambda: connect(url), key, None, True))

            def is_shown(monitor: str, left: int, top: int) -> bool:
                screen = pixels_of(xserver, monitor)
                height, width = screen.shape[:2]
                shown = pixels_of(theirs)[top : top + height, left : left + width]
                if monitor == "part-1":  # in its middle rests the pointer, which is drawn here alone
                    shown[280:320, 80:120] = screen[280:320, 80:120]
                return np.array_equal(shown, screen)

            async def until_shown(monitor: str) -> None:
                async with asyncio.timeout(30):
                    while not await asyncio.to_thread(is_shown, monitor, canvas.winfo_rootx(), canvas.winfo_rooty()):
                        await asyncio.sleep(0.05)

            await until_shown("part-0")
            root.focus_force()
            root.event_generate("<Key-2>")
            await until_shown("part-1")
            tabs = next(each for each in root.winfo_children() if isinstance(each, tkinter.Frame))
            tabs.winfo_children()[0].invoke()
            await until_shown("part-0")
            close()
            await session

    asyncio.run(main())


def test_what_is_wrong_with_monitors_is_said(xserver: XServer) -> None:
    share = ["share", "--display", xserver.display, "--consent", "view"]
    for arguments, message in [
        (["--monitor", "all", "--monitor", "1"], "goes with no other"),
        (["--monitor", "1", "--region", "0,0,9x9"], "choose one of"),
        (["--monitor", "1", "--monitor", "HDMI-7"], "no monitor HDMI-7"),
        (["--monitor", "1"] * 17, "at most 16 monitors"),
    ]:
        with pytest.raises(FastframeError, match=re.escape(message)):
            app([*share, *arguments], standalone_mode=False)


def size_and_count(path: Path) -> tuple[int, int, int]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return frames[0].width, frames[0].height, len(frames)


def test_each_display_and_each_size_is_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "film.mkv"
    with PictureFiles(str(path), force=False) as files:
        for index, (display, width) in enumerate([(0, 40), (3, 30), (0, 40), (0, 20), (3, 30)]):
            files.write(display, np.zeros((20, width, 4), np.uint8), index * 100_000)
        assert files.count == 5
    assert {each.name: size_and_count(each) for each in tmp_path.iterdir()} == {
        "film.mkv": (40, 20, 2),
        "film-part2.mkv": (20, 20, 1),
        "film-display3.mkv": (30, 20, 2),
    }
    path.unlink()
    (tmp_path / "film-display2.mkv.0123abcd.part").write_bytes(b"of a viewer that was killed")
    with pytest.raises(FastframeError, match="film-display3"):
        PictureFiles(str(path), force=False)
    assert "film-display2.mkv.0123abcd.part, 27 B" in capsys.readouterr().err
    (tmp_path / "film-display2.mkv").write_bytes(b"of another session")
    PictureFiles(str(path), force=True)
    assert capsys.readouterr().err.count("film-display2.mkv.0123abcd.part") == 1
