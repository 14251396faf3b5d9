"""Threads that share the work on one frame.

The work is cut into tasks that do not need each other, and every thread, the caller's among them, takes one task after
the other until none is left. So a thread that is late (or never comes, as after a fork) costs speed and nothing else.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

Task = Callable[[], object]


class _Work:
    """Tasks that are there for several threads."""

    def __init__(self) -> None:
        self._pending: deque[Task | None] = deque()
        self.dropped = False

    def add(self, tasks: Sequence[Task]) -> None:
        """Adds tasks before the marks, in their order."""
        self._pending.extendleft(reversed(tasks))

    def expect_thread(self) -> None:
        """Adds the mark at which a thread ends: one for each, so that none finds the queue empty."""
        self._pending.append(None)

    def do(self) -> None:
        """Takes tasks until none is left. After a failure no thread takes another."""
        try:
            for task in iter(self._pending.popleft, None):
                if self.dropped:
                    return
                task()
        except BaseException:
            self.dropped = True
            raise


class Team:
    """The calling thread and `threads` - 1 others, which start when they are first needed and end with the team."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads - 1, thread_name_prefix="fastframe")

    def run(self, tasks: Sequence[Task], meanwhile: Callable[[], Sequence[Task]] | None = None) -> None:
        """Does all tasks, begun in their order, and returns when they are done.

        `meanwhile` is called in this thread while the others begin, and returns further tasks. Raises what a task
        raised. Then, and when this thread is interrupted, tasks that were not begun are dropped.
        """
        work = _Work()
        helpers: list[Future[None]] = []
        try:
            work.add(tasks)
            if meanwhile is not None:
                self._call(work, len(tasks), helpers)
                tasks = meanwhile()
                work.add(tasks)
            self._call(work, len(tasks) - 1, helpers)
            work.expect_thread()
            work.do()
            for helper in helpers:
                # One that has not begun would find nothing to do.
                if not helper.cancel():
                    helper.result()
        except BaseException:
            work.dropped = True
            wait([helper for helper in helpers if not helper.cancel()])
            raise

    def _call(self, work: _Work, number: int, helpers: list[Future[None]]) -> None:
        """Calls other threads to the work, at most `number`."""
        try:
            for _ in range(min(self._threads - 1, number)):
                work.expect_thread()
                helpers.append(self._executor.submit(work.do))
        except RuntimeError:
            pass  # no more threads, or the interpreter is ending: those that are here do the work
