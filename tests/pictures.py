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


def few_colours(width: int, height: int, seed: int = 0) -> Frame:
    """Noise of twenty colours."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (20, 4), np.uint8)[random.integers(0, 20, (height, width))]


def dithered(width: int, height: int, seed: int = 0) -> Frame:
    """A gradient in eight colours, each pixel's error spread over those around it (Floyd and Steinberg)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    grain = random.normal(0, 0.3, (height, width))
    # Mostly from 0 to 7, and a border for errors to leave.
    levels = np.pad(3.5 + 2 * np.sin(x / 90 + seed) + 2 * np.sin(y / 70) + grain, 1)
    for row in range(1, height + 1):
        for column in range(1, width + 1):
            error = levels[row, column] - round(levels[row, column])
            levels[row, column] -= error
            levels[row, column + 1] += error * 7 / 16
            levels[row + 1, column - 1 : column + 2] += error * np.array([3, 5, 1]) / 16
    colours = random.integers(0, 256, (8, 4), np.uint8)
    return colours[levels[1:-1, 1:-1].round().astype(int).clip(0, 7)]


def shown(frame: Frame) -> Frame:
    """What a viewer must show for a frame: the same colours, X = 255."""
    result = np.array(frame)
    result[..., 3] = 255
    return result


def assert_shows(decoder: Decoder, frame: Frame) -> None:
    """The viewer shows the frame, exactly."""
    np.testing.assert_array_equal(decoder.frame, shown(frame))
