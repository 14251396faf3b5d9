"""Types of the compiled checks of frames and damage; see cython_ext/_frames.pyx for the docstrings."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

def checked_frame(frame: Any, width: int = 0, height: int = 0) -> npt.NDArray[np.uint8]: ...
def clipped_damage(damage: Iterable[Any], width: int, height: int) -> list[tuple[int, int, int, int]]: ...
