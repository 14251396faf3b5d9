"""Threads that share the work on one frame.

The work is cut into tasks that do not need each other, and every thread, the caller's among them, takes one task after
the other until none is left. So a thread that is late, or cannot be started, costs speed and nothing else.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition

Task = Callable[[], object]


class _Work:
    """Tasks that are there for several threads."""

    def __init__(self) -> None:
        self._pending: deque[Task] = deque()
        self._changed = Condition()
        self._helpers = 0
        self._closed = False
        self.failure: BaseException | None = None

    def add(self, tasks: Iterable[Task]) -> None:
        self._pending.extend(tasks)

    def do(self) -> None:
        """Takes tasks until none is left. After a failure no thread takes another."""
        try:
            while self.failure is None and self._pending:
                try:
                    task = self._pending.popleft()
                except IndexError:  # another thread was faster
                    break
                task()
        except BaseException as error:
            self.failure = self.failure or error

    def help(self) -> None:
        """The same in another thread than the caller's."""
        with self._changed:
            if self._closed:
                return
            self._helpers += 1
        self.do()
        with self._changed:
            self._helpers -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Returns when no other thread is at work; those that come later find nothing to do."""
        while True:
            try:
                with self._changed:
                    self._closed = True
                    while self._helpers:
                        self._changed.wait()
                return
            except BaseException as error:  # an interrupt: what a task writes to must not be left alone with it
                self.failure = self.failure or error


class Team:
    """The calling thread and `threads` - 1 others, which start when they are first needed and end with the team."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._executor = ThreadPoolExecutor(self._threads - 1, thread_name_prefix="fastframe")

    def run(self, tasks: Sequence[Task], meanwhile: Callable[[], Sequence[Task]] | None = None) -> None:
        """Does all tasks, begun in their order, and returns when they are done.

        `meanwhile` is called in this thread while the others begin, and returns further tasks. Raises what a task
        raised. Then, and when this thread is interrupted, tasks that were not begun are dropped.
        """
        work = _Work()
        try:
            work.add(tasks)
            if meanwhile is not None:
                self._call(work, len(tasks))
                tasks = meanwhile()
                work.add(tasks)
            self._call(work, len(tasks) - 1)
            work.do()
        except BaseException as error:
            work.failure = work.failure or error
        work.close()
        if work.failure is not None:
            raise work.failure

    def _call(self, work: _Work, number: int) -> None:
        """Calls other threads to the work, at most `number`."""
        if self._process != os.getpid():
            self._begin()  # a fork has the executor, but not its threads
        try:
            for _ in range(min(self._threads - 1, number)):
                self._executor.submit(work.help)
        except RuntimeError:
            pass  # no more threads, or the interpreter is ending: those that are here do the work
