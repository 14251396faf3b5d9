"""Types of the compiled handling of damage; see cython_ext/_damage.pyx for the docstrings."""

from collections.abc import Iterable
from typing import Any

def clipped_damage(damage: Iterable[Any], width: int, height: int) -> list[tuple[int, int, int, int]]: ...
