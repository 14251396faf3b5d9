"""Displays of a session come, go and change, and frames of them are checked."""

import numpy as np
import pytest
from screens import HEIGHT, WIDTH, Pair

from fastframe import LocalProtocolError
from fastframe.stream import (
    ConsentGate,
    Display,
    Sender,
)
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


@pytest.mark.parametrize(
    ("frame", "damage"),
    [
        (None, None),
        (np.zeros((5, 5), np.uint8), None),
        (np.zeros((5, 5, 4), np.uint16), None),
        (np.zeros((0, 5, 4), np.uint8), None),
        (np.zeros((5, 5, 4), np.uint8), [(1, 2)]),
        (np.zeros((5, 5, 4), np.uint8), [(0, 0, 1.5, 2)]),
        (np.zeros((5, 5, 4), np.uint8), [(0, 0, -1, 2)]),
        (np.zeros((5, 5, 4), np.uint8), 7),
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


def test_damage_is_not_forgotten_when_the_encoder_refuses_the_frame() -> None:
    pair = Pair().connect()
    pair.pump(0.2)
    pair.frames[0][:9] = 7
    with pytest.raises(LocalProtocolError):
        pair.sender.send_frame(0, np.zeros((HEIGHT, 2 * WIDTH, 4), np.uint8)[:, ::2], [(0, 0, WIDTH, 9)], pair.now)
    pair.pump(0.2)
    pair.assert_exact()
