"""One screen shared with several viewers: each with a key of its own, and each only if the customer agrees."""

import os
import pty
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sessions import ANY_PORT, Process, open_a_window, picture, pixels_of, shows_the_window
from xserver import XServer

Eventually = Callable[[Callable[[], bool]], None]


def keys(customer: Process) -> list[str]:
    """The keys that the customer was told so far."""
    return [each["key"] for each in customer.json() if "key" in each]


def frames(viewer: Process) -> int:
    return int(viewer.json()[-1]["frames"]) if viewer.lines else 0


def test_every_viewer_has_a_key_of_its_own_and_sees_all_monitors(
    share: Any, start: Any, xserver: XServer, eventually: Eventually, tmp_path: Path
) -> None:
    xserver.split(400, 400)
    customer, (url, *_) = share("--viewers", "3", "--monitor", "all", "--consent", "view,record,extra_technician")
    folders, viewers = [], []
    for number, name in enumerate(["Ada", "Bob", "Eve"]):
        eventually(lambda number=number: len(keys(customer)) == number + 1)
        folders.append(tmp_path / name)
        viewers.append(start("view", url, "--key", keys(customer)[-1], "--name", name, "--out", str(folders[-1])))
        eventually(lambda: (folders[-1] / "display1" / "frame-000000.png").exists())
    assert len(set(keys(customer))) == 3  # there is room for no other
    open_a_window(xserver)

    def have_it() -> bool:
        left, right = pixels_of(xserver, "part-0"), pixels_of(xserver, "part-1")
        return shows_the_window(left) and all(
            np.array_equal(picture(max(folder.glob("*.png"))), left)
            and np.array_equal(picture(max((folder / "display1").glob("*.png"))), right)
            for folder in folders
        )

    eventually(have_it)
    viewers[1].signal(signal.SIGINT)
    assert viewers[1].wait() == 0
    eventually(lambda: "Bob has left" in customer.news and len(keys(customer)) == 4)
    customer.signal(signal.SIGINT)
    assert customer.wait() == 0, customer.news
    for viewer in (viewers[0], viewers[2]):
        assert viewer.wait() == 0, viewer.news
        assert "the customer has ended the session" in viewer.news
    assert [f"{name} has the right key" in customer.news for name in ("Ada", "Bob", "Eve")] == [True] * 3


def test_a_key_is_good_for_one_viewer(share: Any, start: Any, run: Any, eventually: Eventually) -> None:
    customer, (url, _, key) = share("--viewers", "2", "--consent", "view,extra_technician")
    first = start("view", url, "--key", key, "--json")
    eventually(lambda: frames(first) > 0)
    result = run("view", url, "--key", key, "--json")
    assert result.returncode == 2
    assert "pairing key is wrong" in result.stderr
    eventually(lambda: "wrong" in customer.news)
    first.signal(signal.SIGINT)  # the last one ends the session
    assert first.wait() == 0
    assert customer.wait() == 0, customer.news


def test_who_guesses_keys_keeps_others_out_but_does_not_get_in(
    share: Any, start: Any, run: Any, eventually: Eventually
) -> None:
    customer, (url, _, key) = share("--viewers", "2", "--consent", "view,extra_technician")
    first = start("view", url, "--key", key, "--json")
    eventually(lambda: frames(first) > 0)
    right = keys(customer)[-1]
    for attempt in range(1, 6):
        assert run("view", url, "--key", f"{(int(right) + attempt) % 10**7:07}", "--json").returncode == 2
    eventually(lambda: "nobody else is let in" in customer.news)
    result = run("view", url, "--key", right, "--json")
    assert result.returncode == 2
    assert "pairing key is spent" in result.stderr
    assert len(keys(customer)) == 2
    assert first.json()[-1]["state"] == "viewing"


def test_without_consent_another_viewer_sees_nothing(share: Any, start: Any, run: Any, eventually: Eventually) -> None:
    customer, (url, _, key) = share("--viewers", "2", "--consent", "view")
    first = start("view", url, "--key", key, "--json")
    eventually(lambda: frames(first) > 0)
    result = run("view", url, "--key", keys(customer)[-1], "--name", "Bob", "--json")
    assert result.returncode == 2
    assert "the customer does not agree" in result.stderr
    assert '"frames": 0' in result.stdout.splitlines()[-1]
    eventually(lambda: "Bob has left" in customer.news)
    assert customer.json()[-1].get("state", "connected") == "connected"


def test_the_customer_is_asked_about_each_viewer(start: Any, xserver: XServer, eventually: Eventually) -> None:
    ours, theirs = pty.openpty()
    options = ("--display", xserver.display, "--listen", ANY_PORT, "--viewers", "3")
    customer = start("share", *options, terminal=theirs)
    os.close(theirs)

    def come(number: int, name: str) -> Process:
        def commands() -> list[tuple[str, str]]:
            return re.findall(r"fastframe view (\S+) --key (\d{7})\n", "".join(customer.lines))

        eventually(lambda: len(commands()) == number)
        url, key = commands()[-1]
        return start("view", url, "--key", key, "--name", name, "--json")  # type: ignore[no-any-return]

    for number, (name, wish) in enumerate([("Ada", ""), ("Bob", " as well"), ("Eve", " as well")], 1):
        viewer = come(number, name)
        eventually(lambda name=name, wish=wish: f"May {name} see your screen{wish}? [y/N]" in customer.news)
        assert frames(viewer) == 0
        os.write(ours, b"n\n" if name == "Bob" else b"y\n")
        if name == "Bob":
            assert viewer.wait() == 2
            assert viewer.json()[-1]["frames"] == 0
        else:
            eventually(lambda viewer=viewer: frames(viewer) > 0)
    customer.signal(signal.SIGINT)
    assert customer.wait() == 0, customer.news
    os.close(ours)


def test_a_viewer_that_takes_nothing_does_not_delay_the_others(
    share: Any, start: Any, xserver: XServer, eventually: Eventually, tmp_path: Path
) -> None:
    customer, (url, _, key) = share("--viewers", "2", "--consent", "view,record,extra_technician")
    asleep = start("view", url, "--key", key, "--json")
    eventually(lambda: frames(asleep) > 0)
    out = tmp_path / "pictures"
    awake = start("view", url, "--key", keys(customer)[-1], "--out", str(out))
    eventually(lambda: (out / "frame-000000.png").exists())
    asleep.signal(signal.SIGSTOP)
    for colour in ("#112233", "#445566"):
        xserver.fill(colour)
        eventually(lambda: np.array_equal(picture(max(out.glob("*.png"))), pixels_of(xserver)))
    asleep.signal(signal.SIGCONT)
    customer.signal(signal.SIGINT)
    assert customer.wait() == 0, customer.news
    assert awake.wait() == asleep.wait() == 0
