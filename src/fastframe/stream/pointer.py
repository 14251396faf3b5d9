"""What a viewer is to be told of the customer's pointer: always the latest, never what was in between."""

import zlib
from collections.abc import Container
from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt

from fastframe.errors import LocalProtocolError
from fastframe.stream import messages as m


class PointerNews:
    """The pointer's latest shape and position, and which of them the viewer does not know yet."""

    def __init__(self) -> None:
        self._serial = 0
        self._shape: bytes | None = None
        self.position: m.CursorPosition | None = None
        self._shape_is_new = self._position_is_new = False

    @property
    def is_new(self) -> bool:
        """Whether there may be something to tell."""
        return self._shape_is_new or self._position_is_new

    def make_shape(self, pixels: Any, hotspot: tuple[int, int]) -> m.CursorShape:
        """The message that tells a shape, with the next number; see `Serving.send_cursor_shape`."""
        array, (x, y) = checked_shape(pixels, hotspot)
        height, width = array.shape[:2]
        return m.CursorShape(self._serial + 1 & 0xFFFFFFFF, width, height, x, y, zlib.compress(array.tobytes()))

    def set_shape(self, serial: int, message: bytes) -> None:
        """The shape is another one, which an encoded message tells."""
        self._serial, self._shape, self._shape_is_new = serial, message, True

    def set_position(self, position: m.CursorPosition) -> None:
        """The pointer is somewhere, perhaps where it was."""
        self._position_is_new = self._position_is_new or position != self.position
        self.position = position

    def forget(self) -> None:
        """What was to be told must not be told any more."""
        self._shape = self.position = None
        self.tell_nothing()

    def tell_nothing(self) -> None:
        """The viewer is away."""
        self._shape_is_new = self._position_is_new = False

    def tell_anew(self, max_message: int) -> None:
        """A viewer is here that knows nothing yet, and takes messages of so many bytes."""
        self._shape_is_new = self._shape is not None and len(self._shape) <= max_message
        self._position_is_new = self.position is not None

    def take(self, displays: Container[int]) -> tuple[bytes | None, m.CursorPosition | None]:
        """What there is to tell now, where the pointer is on one of the displays."""
        shape = self._shape if self._shape_is_new else None
        is_shown = self._position_is_new and self.position is not None and self.position.display in displays
        self.tell_nothing()
        return shape, self.position if is_shown else None


def checked_shape(pixels: Any, hotspot: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    """A shape and its hotspot, as `Serving.send_cursor_shape` takes them; nothing is copied that need not be.

    Raises
    ------
    LocalProtocolError
        They are none.
    """
    try:
        array = np.ascontiguousarray(pixels)
    except Exception as error:
        raise LocalProtocolError(f"a pointer must be a buffer (H, W, 4) of uint8: {error}") from error
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 4:
        raise LocalProtocolError(
            f"a pointer must be (H, W, 4) of uint8, not {array.shape} of {array.dtype}",
            expected="(H, W, 4) uint8",
            actual=f"{array.shape} {array.dtype}",
        )
    height, width = array.shape[:2]
    if max(width, height) > m.MAX_CURSOR_SIDE:
        raise LocalProtocolError(
            f"a pointer has at most {m.MAX_CURSOR_SIDE} x {m.MAX_CURSOR_SIDE} pixels, not {width} x {height}",
            limit=m.MAX_CURSOR_SIDE,
            actual=(width, height),
        )
    try:
        x, y = map(index, hotspot)
    except (TypeError, ValueError) as error:
        raise LocalProtocolError(f"a hotspot must be two integers, not {hotspot!r}", actual=hotspot) from error
    if not (0 <= x < width and 0 <= y < height):
        raise LocalProtocolError(f"hotspot {hotspot} is outside of {width} x {height}", actual=hotspot)
    return array, (x, y)
