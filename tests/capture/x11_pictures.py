"""What the tests of privacy look for in pictures: a secret colour that must not be there, and an open one that may."""

import time

import numpy as np
from numpy.typing import NDArray
from x11_client import colours

from fastframe import Rect
from fastframe.capture import CapturedFrame, Event
from fastframe.capture.x11 import X11Source

SECRET, OPEN = 0xDEADBE, 0x3060A0
SECRET_BGR, OPEN_BGR = (0xBE, 0xAD, 0xDE), (0xA0, 0x60, 0x30)
LARGE = Rect(100, 100, 300, 200)


def shows(pixels: NDArray[np.uint8], bgr: tuple[int, int, int]) -> bool:
    """Whether a colour is anywhere in a picture."""
    return bool((colours(pixels) == bgr).all(axis=2).any())


def leaks(frame: CapturedFrame) -> bool:
    """Whether the secret colour is anywhere in a frame."""
    return shows(frame.pixels, SECRET_BGR)


def blank(frame: CapturedFrame, area: Rect) -> bool:
    """Whether an area is black."""
    return not colours(frame.pixels)[area.y : area.bottom, area.x : area.right].any()


def only_blank(frame: CapturedFrame, *areas: Rect) -> bool:
    """Whether these areas are black and all else is as the screen is: of the open colour."""
    expected = np.empty((*frame.pixels.shape[:2], 3), np.uint8)
    expected[:] = OPEN_BGR
    for area in areas:
        expected[area.y : area.bottom, area.x : area.right] = 0
    return bool((colours(frame.pixels) == expected).all())


def after_a_while(source: X11Source) -> CapturedFrame:
    """The picture once nothing is hidden any more for the sake of those that repaint late."""
    frame = source.capture()
    while source.wait(time.monotonic() + 0.7) & Event.FRAME:
        frame = source.capture()
    return frame
