"""Threads that share the work on one frame.

The work is cut into tasks that do not need each other, and every thread, the caller's among them, takes one task after
the other until none is left. So a thread that is late, or cannot be started, costs speed and nothing else.

The caller's thread may be interrupted (KeyboardInterrupt) at any moment, so it holds no lock that another one waits
for: what both sides touch are queues, and what Python does in one step.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue

Task = Callable[[], object]


class _Work:
    """Tasks that are there for several threads."""

    def __init__(self) -> None:
        self._pending: deque[Task] = deque()
        self._closed = False
        # A mark for every other thread that has come, and for every one that has gone again.
        self._come: deque[None] = deque()
        self._gone: deque[None] = deque()
        self._news: SimpleQueue[None] = SimpleQueue()
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
        self._come.append(None)
        # Either this is seen by `close`, or the work is seen to be closed.
        if not self._closed:
            self.do()
        self._gone.append(None)
        self._news.put(None)

    def close(self) -> None:
        """Returns when no other thread is at work; those that come later find nothing to do."""
        self._closed = True
        while len(self._gone) < len(self._come):
            try:
                self._news.get()
            except BaseException as error:  # an interrupt: what a task writes to must not be left alone with it
                self.failure = self.failure or error


# Work to help with; and what tells the threads that the team is gone.
_Calls = SimpleQueue["_Work | weakref.ref[Team]"]


def _serve(calls: _Calls, _end: "weakref.ref[Team]") -> None:
    """Helps with all work that comes, until the end comes, which this thread keeps alive."""
    while isinstance(work := calls.get(), _Work):
        work.help()
        del work  # and with it the frame that the tasks hold
    calls.put(work)  # for the next thread


class Team:
    """The calling thread and `threads` - 1 others, which start when they are first needed and end with the team."""

    def __init__(self, threads: int) -> None:
        self._most = threads - 1
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._calls: _Calls = SimpleQueue()
        self._threads: list[threading.Thread] = []
        # A callback in Python could be interrupted. This puts the reference itself into the queue.
        self._end = weakref.ref(self, self._calls.put)

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
            self._begin()  # a fork has the queue, but not its threads
        number = min(self._most, number)
        while len(self._threads) < number:
            # Daemons: one that was interrupted in its beginning must not keep the interpreter from ending.
            name = f"fastframe_{len(self._threads)}"
            thread = threading.Thread(target=_serve, args=(self._calls, self._end), name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                break  # no more threads, or the interpreter is ending: those that are here do the work
            self._threads.append(thread)
        if self._threads:
            for _ in range(number):
                self._calls.put(work)
