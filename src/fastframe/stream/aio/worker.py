"""A thread for what would hold up the event loop: capturing, encoding and decoding.

Each `Worker` is one thread, which does one thing after the other. So what only its thread uses needs no lock, and there
is none: both sides share a queue that Python fills and empties in one step, so no interrupt can leave it locked (see
`fastframe._threads`).
"""

import asyncio
import contextlib
import os
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from fastframe import _threads
from fastframe._arguments import checked
from fastframe.errors import LocalProtocolError

P = ParamSpec("P")
T = TypeVar("T")

_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]
# What to do; and what tells the thread that no more will come.
_Jobs = SimpleQueue["_Job | weakref.ref[Worker] | None"]


class Worker:
    """One thread, from the entry of the context to its end. For one event loop.

    Parameters
    ----------
    name
        The thread's name, as the system shows it; Linux keeps 15 bytes of it.

    Raises
    ------
    LocalProtocolError
        The name is no text.
    """

    def __init__(self, name: str) -> None:
        self._name = checked(name, str, "name")
        self._jobs: _Jobs = SimpleQueue()
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._process: int | None = None  # in which the thread is, inside the context

    def __enter__(self) -> Self:
        # An interrupt may keep the context's end from coming: then the thread ends when nobody refers to this. A
        # callback in Python could be interrupted as well, so it is the queue's own.
        end: weakref.ref[Worker] = weakref.ref(self, self._jobs.put)
        _threads.start(self._name, _serve, self._jobs, self._ended, end)
        self._process = os.getpid()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        self._jobs.put(None)
        if process == os.getpid():  # a fork has no such thread
            self._ended.get()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function in the thread; returns or raises what it does.

        Who is cancelled while waiting is so only when the function has returned: what it uses is free then.

        Raises
        ------
        LocalProtocolError
            There is no thread: outside of the context, or in a fork of the process that entered it.
        """
        if self._process != os.getpid():
            raise LocalProtocolError(
                f"the worker {self._name!r} has its thread only inside its context, in the process that entered it"
            )
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((lambda: function(*args, **kwargs), future))
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            future.exception()  # so that nobody complains that it was never looked at
            raise cancelled
        return future.result()


def _serve(jobs: _Jobs, ended: "SimpleQueue[None]", _end: "weakref.ref[Worker]") -> None:
    """Does all that comes, until the end comes, which this thread keeps alive."""
    while isinstance(job := jobs.get(), tuple):
        function, future = job
        result = error = None
        try:
            result = function()
        except BaseException as caught:
            error = caught
        # The loop is closed if it was stopped by force; then nobody waits.
        with contextlib.suppress(RuntimeError):
            future.get_loop().call_soon_threadsafe(_answer, future, result, error)
        del job, function, future, result, error  # and with them the frames that they hold
    ended.put(None)


def _answer(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
