"""`fastframe share` and `fastframe view` as two processes, over a real X server."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import Certificates
from sessions import ANY_PORT, open_a_window, picture, pixels_of, readable, shows_the_window
from xserver import XServer

from fastframe.capture import ReplaySource, frames
from fastframe.cli.app import app
from fastframe.errors import FastframeError
from fastframe.geometry import Rect

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.mark.parametrize("scheme", ["ws", "wss", "tls"])
def test_the_viewer_gets_the_screen_exactly_and_what_changes_on_it(
    share: Any, start: Any, xserver: XServer, eventually: Eventually, tmp_path: Path, scheme: str
) -> None:
    options: list[str] = []
    trust: list[str] = []
    if scheme != "ws":
        certificates = Certificates.make(tmp_path)
        options = ["--cert", str(certificates.certificate), "--key", str(certificates.key)]
        trust = ["--ca", str(certificates.authority)]
    listen = {"wss": "ws", "tls": "tcp"}.get(scheme, scheme) + "://127.0.0.1:0"
    customer, address = share("--consent", "view,record", *options, listen=listen)
    assert address[0].startswith(f"{scheme}://")
    out = tmp_path / "pictures"
    viewer = start("view", *address, *trust, "--out", str(out), "--name", "Ada")
    eventually(lambda: (out / "frame-000000.png").exists())
    open_a_window(xserver)

    def has_it() -> bool:
        screen = pixels_of(xserver)
        return shows_the_window(screen) and np.array_equal(picture(max(out.glob("*.png"))), screen)

    eventually(has_it)
    customer.signal(signal.SIGINT)
    assert customer.wait() == 0
    assert viewer.wait() == 0, viewer.news
    assert "Ada has the right key" in customer.news
    assert "the customer has ended the session" in viewer.news
    figures = customer.json()[-1]
    assert figures["state"] == "over"
    assert figures["frames"] >= 2
    assert figures["ratio"] > 10


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"", r"the connection to 127.0.0.1:\d+ is of no use: it was ended before a session began; check the port, .+"),
        (b"\1\7", r"tcp://127.0.0.1:\d+ is no session that can be viewed: malformed message .+; check the port"),
    ],
)
def test_what_is_no_session_is_said(run: Run, answer: bytes, complaint: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the end of the test
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(1000)
                        connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        result = run("view", f"tcp://127.0.0.1:{server.getsockname()[1]}", "--no-window")
        server.shutdown(socket.SHUT_RDWR)
        serving.join()
    assert (result.returncode, result.stdout) == (2, "")
    *tries, last = result.stderr.splitlines()
    again = re.compile(r"fastframe: .+ ended before a session began; trying again in \S+ s")
    assert all(again.fullmatch(each) for each in tries), result.stderr
    assert re.fullmatch(f"fastframe: {complaint}", last), result.stderr


def test_a_wrong_key_does_not_open_the_session(share: Any, run: Run) -> None:
    customer, (url, _, key) = share("--consent", "view")
    wrong = f"{(int(key) + 1) % 10**7:07}"
    result = run("view", url, "--key", wrong, "--json")
    assert result.returncode == 2
    assert "pairing key is wrong" in result.stderr
    assert "wrong" in customer.news
    result = run("view", url, "--key", f"{key[:3]} {key[3:]}", "--seconds", "0.5", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["frames"] >= 1


def test_refusals_do_not_push_the_key_out_of_sight(share: Any, eventually: Eventually) -> None:
    customer, (url, *_) = share("--consent", "view", listen="tcp://127.0.0.1:0")
    port = int(url.rpartition(":")[2])
    for said in (b"\1\7", b"\2\7\7"):
        for _ in range(30):
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(said)
                while stranger.recv(1000):
                    pass
    eventually(lambda: "of 2 bytes" in customer.news)
    told = [line for line in customer.news.splitlines() if "was refused" in line]
    assert len(told) == 2, told  # one for each address and reason


def test_what_was_not_agreed_to_is_not_written(share: Any, run: Run, tmp_path: Path) -> None:
    _, address = share("--consent", "view")
    result = run("view", *address, "--out", "film.mkv")
    assert result.returncode == 2
    assert "consent to record: refused" in result.stderr
    assert not (tmp_path / "film.mkv").exists()


def test_a_viewer_that_is_killed_leaves_what_it_recorded_and_the_next_one_tells_of_it(
    share: Any, start: Any, run: Run, xserver: XServer, eventually: Eventually, tmp_path: Path
) -> None:
    _, address = share("--consent", "view,record")
    film = tmp_path / "film.mkv"
    viewer = start("view", *address, "--out", str(film))
    eventually(lambda: any(tmp_path.iterdir()))
    (part,) = tmp_path.iterdir()
    open_a_window(xserver)
    eventually(lambda: readable(part) >= 1)
    viewer.signal(signal.SIGKILL)
    assert viewer.wait() == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == [part]
    with ReplaySource(part) as source:
        assert next(frames(source)).size == (800, 600)
    result = run("view", "ws://127.0.0.1:1", "--out", str(film))
    assert f"there is {part}, " in result.stderr


def test_masks_hold_for_viewers(share: Any, run: Run, tmp_path: Path) -> None:
    _, address = share("--consent", "view,record", "--mask", "100,100,50x60")
    result = run("view", *address, "--out", "pictures", "--seconds", "0.5")
    assert result.returncode == 0, result.stderr
    seen = picture(tmp_path / "pictures" / "frame-000000.png")
    assert not seen[100:160, 100:150, :3].any()
    assert (seen[:100, :, :3] == (0x99, 0x66, 0x33)).all()


@pytest.mark.parametrize(("answer", "agreed"), [("y\n", True), ("\n", False)])
def test_the_customer_is_asked_on_the_terminal(
    start: Any, xserver: XServer, eventually: Eventually, answer: str, agreed: bool
) -> None:
    ours, theirs = pty.openpty()
    customer = start("share", "--display", xserver.display, "--listen", ANY_PORT, terminal=theirs)
    os.close(theirs)
    eventually(lambda: bool(re.search(r"--key \d{7}\n", "".join(customer.lines))))
    match = re.search(r"fastframe view (\S+) --key (\d{7})", "".join(customer.lines))
    assert match is not None
    viewer = start("view", match[1], "--key", match[2], "--name", "Ada", "--json")
    eventually(lambda: "May Ada see your screen? [y/N]" in customer.news)
    assert "granted" not in viewer.news
    os.write(ours, answer.encode())
    if agreed:
        eventually(lambda: any(each.get("frames", 0) > 0 for each in viewer.json()))
        viewer.signal(signal.SIGINT)
        assert viewer.wait() == 0
    else:
        assert viewer.wait() == 2
        assert "consent to view: refused" in viewer.news
        assert viewer.json()[-1]["frames"] == 0
    assert customer.wait() == 0
    os.close(ours)


def test_the_death_of_either_side_is_noticed_and_nobody_hangs(
    share: Any, start: Any, run: Run, xserver: XServer, eventually: Eventually
) -> None:
    customer, address = share("--consent", "view")
    viewer = start("view", *address, "--json")
    eventually(lambda: any(each.get("frames", 0) > 0 for each in viewer.json()))
    viewer.signal(signal.SIGKILL)
    viewer.wait()
    # The key is spent; who has not the session's token is not let in.
    result = run("view", *address, "--json")
    assert result.returncode == 2
    assert customer.json()[-1]["state"] != "over"
    customer.signal(signal.SIGHUP)  # its terminal is closed
    assert customer.wait() == 0

    customer, address = share("--consent", "view")
    viewer = start("view", *address, "--json")
    eventually(lambda: any(each.get("frames", 0) > 0 for each in viewer.json()))
    customer.signal(signal.SIGKILL)
    eventually(lambda: "trying again" in viewer.news)
    viewer.signal(signal.SIGINT)
    assert viewer.wait() == 0


def test_the_window_shows_the_screen(
    share: Any, start: Any, xserver: XServer, new_xserver: Callable[..., XServer], eventually: Eventually
) -> None:
    pytest.importorskip("tkinter")
    theirs = new_xserver(1000, 700)
    _, address = share("--consent", "view")
    viewer = start("view", *address, DISPLAY=theirs.display)

    def is_there() -> bool:
        shown, screen = pixels_of(theirs)[:600, :800], pixels_of(xserver)
        # The pointer rests in the middle, where the window draws it and the screen does not.
        shown[280:320, 380:420] = screen[280:320, 380:420]
        return shows_the_window(screen) and np.array_equal(shown, screen)

    open_a_window(xserver)
    eventually(is_there)
    viewer.signal(signal.SIGINT)
    assert viewer.wait() == 0


def test_what_is_wrong_with_the_command_line_is_said(xserver: XServer) -> None:
    share = ["share", "--display", xserver.display]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, message in [
            (share, "--consent"),
            ([*share, "--consent", "control"], "--consent takes view,record"),
            ([*share, "--consent", "view", "--listen", "somewhere"], "no address"),
            ([*share, "--consent", "view", "--listen", f"tcp://127.0.0.1:{port}"], "cannot listen"),
            ([*share, "--consent", "view", "--key", "key.pem"], "--key needs --cert"),
            ([*share, "--consent", "view", "--cert", "nothing.pem"], "cannot read nothing.pem"),
            ([*share, "--consent", "view", "--monitor", "7"], "monitor"),
            (["view", "ftp://127.0.0.1:1"], "no address"),
            (["view", "ws://127.0.0.1:1"], "no connection"),
            (["view", "ws://127.0.0.1:1", "--out", "nowhere/film.mkv"], "there is no folder"),
            (["view", "ws://127.0.0.1:1", "--window"], "no window"),
        ]:
            with pytest.raises(FastframeError, match=message):
                app(arguments, standalone_mode=False)


def test_one_monitor_region_is_shared_and_nothing_else(share: Any, run: Run, tmp_path: Path) -> None:
    area = Rect(100, 50, 320, 200)
    _, address = share("--consent", "view,record", "--region", "100,50,320x200")
    result = run("view", *address, "--out", "pictures", "--seconds", "0.5")
    assert result.returncode == 0, result.stderr
    assert picture(tmp_path / "pictures" / "frame-000000.png").shape == (area.height, area.width, 4)


def test_a_viewer_cannot_write_over_the_customers_terminal(share: Any, run: Run, eventually: Eventually) -> None:
    customer, address = share("--consent", "view")
    result = run("view", *address, "--name", "\x1b[2JYou agreed\n[bold]", "--seconds", "0.3", "--json")
    assert result.returncode == 0, result.stderr
    eventually(lambda: "has the right key" in customer.news)
    assert "fastframe: ?[2JYou agreed?[bold] has the right key\n" in customer.news
