"""What every source of frames has in common."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class CapturedFrame:
    """One picture of the screen.

    Parameters
    ----------
    pixels
        (height, width, 4) uint8, blue, green, red and a byte without meaning. Valid until the next frame is
        asked for.
    timestamp
        Microseconds on the monotonic clock of the source; only differences mean something.
    """

    pixels: npt.NDArray[np.uint8]
    timestamp: int


class FrameSource(Protocol):
    """A context manager that yields frames until it has no more, or until it is closed.

    Frames may change their size from one to the next. Not for use by two threads at once.
    """

    def __iter__(self) -> Iterator[CapturedFrame]: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Pacer:
    """Sleeps so that timestamps pass at the speed of a clock on the wall; the first one is due at once.

    Who falls behind is not made to catch up by leaving frames out: the following ones come without a pause.
    """

    def __init__(self) -> None:
        self._origin: float | None = None

    def wait_for(self, timestamp: int) -> None:
        """Sleep until `timestamp` (microseconds) is due."""
        due = timestamp / 1e6
        if self._origin is None:
            self._origin = time.monotonic() - due
        time.sleep(max(0.0, self._origin + due - time.monotonic()))
