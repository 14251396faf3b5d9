"""Objects that are context managers since they hold something: what every layer of the package has of them."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """A context manager that closes itself at its end."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what it holds; may be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Completing(Closing):
    """A context manager for what is there whole or not at all: closed at its end, but discarded after an exception.

    `close` completes it.
    """

    @abstractmethod
    def discard(self) -> None:
        """Undo what was done so far; of no effect once it is complete."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
