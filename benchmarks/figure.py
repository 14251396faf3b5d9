"""One of the figures that the project holds itself to: a measured value and its bound."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured, and what it must not exceed, or, with `at_least`, not fall short of."""

    name: str
    value: float
    bound: float
    unit: str = ""
    detail: str = ""
    at_least: bool = False

    @property
    def held(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound
