"""Calls that may never return, made where nobody waits for them longer than he wants.

A display server that is stopped, or whose machine is gone, leaves a request of a library without an answer for good,
and no library that we use can be told to give up. So one other thread makes the calls, and the caller waits for its
answer. An answer that comes too late is dropped.

The caller may be interrupted (KeyboardInterrupt) at any moment, so it holds no lock: the two sides share nothing but
queues (see `fastframe._threads`).
"""

import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from fastframe import _threads

Result = TypeVar("Result")

# How long a call waits for one before it that was too late already: long enough that who asks again and again does not
# keep a core busy, short enough to be no delay.
IMPATIENCE = 0.1


class NoAnswer(Exception):
    """A call has not returned in time. It may still do so, and nobody will know what came of it."""


class _Call(Generic[Result]):
    """A function to call, and where its outcome goes."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._outcome: SimpleQueue[tuple[Result, None] | tuple[None, BaseException]] = SimpleQueue()

    def make(self) -> None:
        try:
            self._outcome.put((self._function(), None))
        except BaseException as error:
            self._outcome.put((None, error))

    def result(self, timeout: float) -> Result:
        """What the function returned, or raised."""
        try:
            result, error = self._outcome.get(timeout=timeout)
        except Empty:
            raise NoAnswer from None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def has_ended(self, timeout: float) -> bool:
        """Whether the call has returned within this time; what it returned is dropped."""
        try:
            self._outcome.get(timeout=timeout)
        except Empty:
            return False
        return True


# Calls to make; and what tells the thread that no more will come.
_Calls = SimpleQueue["_Call[Any] | weakref.ref[Watchdog] | None"]


def _serve(calls: _Calls, last: "_Call[object]", _end: "weakref.ref[Watchdog]") -> None:
    """Makes all calls that come, until the end comes, which this thread keeps alive; then the last one."""
    while isinstance(call := calls.get(), _Call):
        call.make()
        del call  # and with it what the function holds
    last.make()


class Watchdog:
    """Makes calls in a thread of its own, which starts at once and ends with `end`, or when nobody refers to this.

    For one caller at a time.

    Parameters
    ----------
    last
        What it calls when it ends. It must not refer to the watchdog.

    Raises
    ------
    RuntimeError
        The thread could not be started.
    """

    def __init__(self, last: Callable[[], object]) -> None:
        self._calls: _Calls = SimpleQueue()
        self._last = _Call(last)
        self._late: _Call[Any] | None = None
        # A callback in Python could be interrupted. This puts the reference itself into the queue.
        end = weakref.ref(self, self._calls.put)
        # The interpreter does not wait for it at its end, as nothing ends a call that hangs.
        _threads.start("fastframe-watch", _serve, self._calls, self._last, end)

    def call(self, function: Callable[[], Result], timeout: float) -> Result:
        """Call the function in the other thread, and return or raise what it does.

        Parameters
        ----------
        function
            Calls are made one after the other.
        timeout
            Seconds to wait for it. While a call that was too late has not returned, others are not even tried.

        Raises
        ------
        NoAnswer
            It has not returned in time.
        """
        if self._late is not None:
            if not self._late.has_ended(min(timeout, IMPATIENCE)):
                raise NoAnswer
            self._late = None
        call = _Call(function)
        self._calls.put(call)
        try:
            return call.result(timeout)
        except NoAnswer:
            self._late = call
            raise

    def end(self, timeout: float) -> None:
        """Let the thread make the last call and end, and wait for it so many seconds; later it does so by itself."""
        self._calls.put(None)
        if self._late is None or self._late.has_ended(0):
            self._last.has_ended(timeout)
