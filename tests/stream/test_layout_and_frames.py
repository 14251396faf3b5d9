"""Displays of a session come, go and change, and frames of them are checked."""

from typing import Any

import numpy as np
import pytest
from screens import HEIGHT, WIDTH, Pair

from fastframe import Encoder, FastframeError, Limits, LocalProtocolError, Rect, capture
from fastframe.stream import ConsentGate, Display, Sender, SenderConfig
from fastframe.stream import events as e
from fastframe.stream import messages as m

DISPLAY = Display(0, 0, 0, WIDTH, HEIGHT, "DP-1", True)


def test_displays_come_go_and_change_their_size() -> None:
    left, right = Display(0, 0, 0, WIDTH, HEIGHT), Display(5, WIDTH, 0, 200, 130)
    pair = Pair(displays=[left, right]).connect()
    pair.pump(0.1)
    pair.assert_exact()
    assert pair.receiver.displays == (left, right)

    del pair.frames[0]
    pair.sender.set_displays([right], pair.now)
    pair.pump(0.1)
    assert pair.seen(e.LayoutChanged)[-1] == e.LayoutChanged((right,), removed=(0,))
    with pytest.raises(LocalProtocolError):
        pair.receiver.frame(0)

    wide = Display(5, WIDTH, 0, 260, 130)
    pair.frames[5] = np.full((130, 260, 4), 90, np.uint8)
    pair.sender.set_displays([wide], pair.now)
    pair.sender.send_frame(5, pair.frames[5], None, pair.now)
    pair.pump(0.1)
    pair.assert_exact()
    assert pair.seen(e.LayoutChanged)[-1].changed == (5,)

    # The number comes back for another monitor, while acknowledgements of the old one may be on their way.
    pair.frames[0] = np.full((50, 70, 4), 3, np.uint8)
    pair.sender.set_displays([Display(0, 0, 0, 70, 50), wide], pair.now)
    pair.pump(0.1)
    pair.sender.receive(m.encode(m.Ack(0, 1, 0)), pair.now)
    pair.assert_exact()


def test_a_layout_is_checked() -> None:
    sender = Sender(ConsentGate())
    for wrong in ([DISPLAY, DISPLAY], [Display(n, 0, 0, 1, 1) for n in range(17)], [Display(0, 0, 0, 0, 1)]):
        with pytest.raises(LocalProtocolError):
            sender.set_displays(wrong, 0.0)
    with pytest.raises(LocalProtocolError):
        sender.send_frame(0, np.zeros((1, 1, 4), np.uint8), None, 0.0)


RIGHT = np.zeros((HEIGHT, WIDTH, 4), np.uint8)


@pytest.mark.parametrize(
    ("frame", "damage"),
    [
        (None, None),
        (RIGHT[..., 0], None),
        (RIGHT[..., :3], None),
        (RIGHT.astype(np.uint16), None),
        (RIGHT[:0], None),
        (RIGHT[:, ::-1], None),
        (np.zeros((HEIGHT, 2 * WIDTH, 4), np.uint8)[:, ::2], None),
        (RIGHT[:-1], None),
        (np.zeros((WIDTH, HEIGHT, 4), np.uint8), None),
        (RIGHT, [(1, 2)]),
        (RIGHT, [(0, 0, 1.5, 2)]),
        (RIGHT, [(0, 0, -1, 2)]),
        (RIGHT, (0, 0, 1, 2)),
        (RIGHT, 7),
    ],
)
def test_a_wrong_frame_is_refused_and_the_right_one_arrives(frame: object, damage: object) -> None:
    pair = Pair().connect()
    pair.draw(1)
    pair.frames[0][:9] = 7
    with pytest.raises(LocalProtocolError):
        pair.sender.send_frame(0, frame, damage, pair.now)  # type: ignore[arg-type]
    pair.sender.send_frame(0, pair.frames[0], [(0, 0, WIDTH, 9)], pair.now)
    pair.pump(0.2)
    pair.assert_exact()


def test_a_frame_of_another_size_is_refused_with_both_sizes() -> None:
    pair = Pair().connect()
    with pytest.raises(LocalProtocolError, match=f"{WIDTH} x {HEIGHT} pixels, not {WIDTH} x {HEIGHT - 1}") as caught:
        pair.sender.send_frame(0, RIGHT[:-1], None, pair.now)
    assert (caught.value.expected, caught.value.actual) == ((WIDTH, HEIGHT), (WIDTH, HEIGHT - 1))


def test_damage_is_not_forgotten_when_the_encoder_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair().connect()
    pair.pump(0.2)
    pair.frames[0][:9] = 7
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "encode", _no_memory)
        with pytest.raises(FastframeError, match="not enough memory"):
            pair.sender.send_frame(0, pair.frames[0], [(0, 0, WIDTH, 9)], pair.now)
    pair.pump(0.2)
    pair.assert_exact()


def _no_memory(*arguments: object, **options: object) -> bytes:
    raise FastframeError("not enough memory to encode the frame")


def test_a_display_beyond_the_settings_is_refused_where_it_is_told() -> None:
    """No viewer could be let in, each told that it holds too little."""
    sender = Sender(ConsentGate(), SenderConfig(limits=Limits(max_width=100)))
    with pytest.raises(
        LocalProtocolError, match=r"display 3 of 101 x 50 pixels, SenderConfig\.limits are 100 x"
    ) as caught:
        sender.set_displays([Display(3, 0, 0, 101, 50)], 0.0)
    assert caught.value.actual == (101, 50)
    sender.set_displays([Display(3, 0, 0, 100, 50)], 0.0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            [Display(0, 0, 0, 5, 5), Display(4, 0, 0, 0, 5)],
            "width of display 4 must be an integer from 1 to 65535, not 0",
        ),
        ([Display(4, 0, 0, 5, 5.0)], "height of display 4 must be an integer from 1 to 65535, not 5.0"),  # type: ignore[arg-type]
        ([Display(256, 0, 0, 5, 5)], "id of a display must be an integer from 0 to 255, not 256"),
        ([Display(4, 2**31, 0, 5, 5)], "x of display 4 must be an integer from -2147483648 to 2147483647"),
        ([Display(4, 0, 0, 5, 5, "n" * 65)], "name of display 4 has at most 64 characters, not 65: "),
        ([Display(4, 0, 0, 5, 5, b"n")], "name of display 4 must be of the type str, not b'n'"),  # type: ignore[arg-type]
        ([Display(4, 0, 0, 5, 5, "\udcff")], "name of display 4 must be text"),
        ([Display(4, 0, 0, 5, 5, "", 1)], "primary of display 4 must be True or False, not 1"),  # type: ignore[arg-type]
        ([Display(n, 0, 0, 5, 5) for n in range(17)], "a session has at most 16 displays, not 17"),
        ([Display(4, 0, 0, 5, 5)] * 2, r"two displays have the same number: \[4, 4\]"),
        (
            [capture.Display(0, "x", Rect(0, 0, 5, 5))],
            "must be a fastframe.stream.messages.Display, not a fastframe.cap",
        ),
        (Display(4, 0, 0, 5, 5), "displays must be several"),
    ],
)
def test_a_wrong_display_is_told_by_its_number_and_the_field(wrong: Any, told: str) -> None:
    pair = Pair().connect()
    before = pair.receiver.displays
    with pytest.raises(LocalProtocolError, match=told):
        pair.sender.set_displays(wrong, pair.now)
    pair.draw(1)
    pair.pump(0.1)
    pair.assert_exact()
    assert pair.receiver.displays == before


def test_integers_of_numpy_make_a_display() -> None:
    pair = Pair().connect()
    height, width = np.array([HEIGHT, WIDTH])
    pair.sender.set_displays([Display(np.uint8(0), np.int64(7), 0, width, height)], pair.now)  # type: ignore[arg-type]
    pair.draw(1)
    pair.pump(0.1)
    pair.assert_exact()
    assert pair.receiver.displays == (Display(0, 7, 0, WIDTH, HEIGHT),)
