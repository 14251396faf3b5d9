"""Small frames of flat areas, text, gradients and grain, as on screens; X is junk, as capture leaves it."""

import numpy as np
from numpy.typing import NDArray

from fastframe import Decoder

Frame = NDArray[np.uint8]


def noise(width: int, height: int, seed: int = 0) -> Frame:
    """What no codec can shrink."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)


def desktop(width: int, height: int, seed: int = 0) -> Frame:
    """A picture whose tiles take every way of being drawn."""
    random = np.random.default_rng(seed)
    frame = np.empty((height, width, 4), np.uint8)
    frame[...] = random.integers(0, 256, 4)
    y, x = np.mgrid[:height, :width]
    third = max(1, height // 3)
    # A gradient with a little grain, as photographs have.
    frame[:third, :, 0] = (x[:third] * 2 + y[:third]) % 256
    frame[:third, :, 1] = (x[:third] + y[:third] * 3 + random.integers(0, 3, (third, width))) % 256
    frame[:third, :, 2] = (x[:third] * 3 - y[:third]) % 256
    # Text: two colours and a few in between.
    text = frame[third : 2 * third]
    text[random.random(text.shape[:2]) < 0.2] = random.integers(0, 256, 4)
    frame[..., 3] = random.integers(0, 256, (height, width))
    return frame


def shown(frame: Frame) -> Frame:
    """What a viewer must show for a frame: the same colours, X = 255."""
    result = np.array(frame)
    result[..., 3] = 255
    return result


def assert_shows(decoder: Decoder, frame: Frame) -> None:
    """The viewer shows the frame, exactly."""
    np.testing.assert_array_equal(decoder.frame, shown(frame))
