"""Memory that an X server writes pixels into, and a pool of it for frames.

The memory is an anonymous file (memfd), which no other process can open: its descriptor goes to the server and is
closed on our side.
"""

import mmap
import os
import weakref

import numpy as np
import numpy.typing as npt

from fastframe.geometry import Rect


class Segment:
    """Memory for pixels, zero at first. It lives for as long as anything refers to it or to a view of it.

    Parameters
    ----------
    size
        How many bytes.
    number
        What a server is to know it as; 0: no server writes into it.
    fd
        A file in memory that it is to be, of which it keeps a descriptor of its own.
    """

    def __init__(self, size: int, number: int = 0, fd: int = -1) -> None:
        self.number = number
        if fd >= 0:
            os.ftruncate(fd, size)
        self.memory = mmap.mmap(fd, size)


class Buffer:
    """A whole picture in shared memory, of which parts may be out of date.

    Parameters
    ----------
    segment
        Its memory, of at least 4 * width * height bytes.
    size
        Width and height of the picture.
    """

    def __init__(self, segment: Segment, size: tuple[int, int]) -> None:
        self.segment = segment
        self.size = size
        self.whole = Rect(0, 0, *size)
        """The picture, in its own pixels."""
        self.stale = [self.whole]
        """Where it may differ from the screen, in pixels of the picture."""
        self.hidden: list[Rect] = []
        """What has been blanked in it."""
        self._lease: weakref.ref[npt.NDArray[np.uint8]] | None = None

    def pixels(self) -> npt.NDArray[np.uint8]:
        """(height, width, 4) uint8, to be written to."""
        width, height = self.size
        return np.frombuffer(self.segment.memory, np.uint8, 4 * width * height).reshape(height, width, 4)

    def lend(self) -> npt.NDArray[np.uint8]:
        """The picture, read-only; until nothing refers to it any more `is_lent` is true."""
        width, height = self.size
        # Every view of a view refers to this array, since its own base is no array; so one weak reference sees them
        # all.
        flat = np.frombuffer(self.segment.memory, np.uint8, 4 * width * height)
        flat.flags.writeable = False
        self._lease = weakref.ref(flat)
        return flat.reshape(height, width, 4)

    @property
    def is_lent(self) -> bool:
        """Whether somebody still refers to what `lend` gave."""
        return self._lease is not None and self._lease() is not None
