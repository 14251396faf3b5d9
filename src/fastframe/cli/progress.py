"""What long commands have in common: a sign of life, and good work that is kept when they end early."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Generic, Self, TypeVar

from rich.console import Console

from fastframe.cli.signals import endings
from fastframe.errors import CaptureError, RecordingError

Item = TypeVar("Item")


@contextmanager
def progress(what: str) -> Iterator[Callable[[int], None]]:
    """Show on stderr, if that is a terminal, how many frames are done; yields what takes the number."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda frames: None
        return
    with console.status(what) as status:
        yield lambda frames: status.update(f"{what}: frame {frames}")


class Salvage(Generic[Item]):
    """Iterates over a source up to its first fault, which ends the loop quietly and waits in `failure`."""

    def __init__(self, source: Iterable[Item]) -> None:
        self._source = source
        self.failure: CaptureError | RecordingError | None = None

    def __iter__(self) -> Iterator[Item]:
        try:
            yield from self._source
        except (CaptureError, RecordingError) as error:
            self.failure = error

    def raise_failure(self, kept: str) -> None:
        """Report the fault, if there was one, and what was kept in spite of it."""
        if self.failure is not None:
            raise type(self.failure)(f"{self.failure}; {kept}") from self.failure


class StopOnSignal:
    """Turns the first signal that ends a command into `wanted`, so that a file can be completed; the next stops."""

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[signal.Signals, Any] = {}

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.wanted = True
        self._restore()

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def __enter__(self) -> Self:
        for number in endings():
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()
