"""Threads that share the work on one frame.

The work is cut into tasks, and every thread, the caller's among them, takes one task after the other until none is
left. What a task makes possible it returns as further tasks. So a thread that is late, or cannot be started, costs
speed and nothing else.

The caller's thread may be interrupted (KeyboardInterrupt) at any moment, so it holds no lock that another one waits
for: what both sides touch are queues, and what Python does in one step (see `fastframe._threads`).
"""

import os
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Union

from fastframe import _threads

# Returns further tasks, in the order in which they are best begun.
Task = Callable[[], "Sequence[Task] | None"]
# Work to help with; and what tells the threads that the team is gone.
_Calls = SimpleQueue[Union["_Work", "weakref.ref[Team]"]]


def then(tasks: Sequence[Task], following: Task) -> Sequence[Task]:
    """The same tasks, of which none returns any; whoever ends the last of them does `following` as well."""
    undone = list(range(len(tasks)))

    def do(task: Task) -> Sequence[Task] | None:
        task()
        # One step of Python, so that 0 comes to one thread alone, the last one.
        return None if undone.pop() else following()

    return [partial(do, task) for task in tasks] or [following]


class _Work:
    """Tasks that are there for several threads: the caller's, and at most `helpers` that come when they are called."""

    def __init__(self, calls: _Calls, helpers: int) -> None:
        self._calls = calls
        self._helpers = helpers
        self._pending: deque[Task] = deque()
        self._closed = False
        # A mark for every time that another thread was called, that one has come, and that one has gone again.
        self._called: deque[None] = deque()
        self._come: deque[None] = deque()
        self._gone: deque[None] = deque()
        # What the caller's thread waits for, while it does.
        self._waits = False
        self._news: SimpleQueue[None] = SimpleQueue()
        self.failure: BaseException | None = None

    def add(self, tasks: Sequence[Task]) -> None:
        """Adds tasks before those that are there, since more hangs on them; one is for the thread that adds them."""
        self._pending.extendleft(reversed(tasks))
        others = len(self._pending) - 1
        if others > 0 and self._waits:
            self._news.put(None)
        for _ in range(min(others, self._helpers - len(self._called) + len(self._gone))):
            self._called.append(None)
            self._calls.put(self)

    def do(self) -> None:
        """Takes tasks until none is left. After a failure no thread takes another."""
        try:
            while self.failure is None and self._pending:
                try:
                    task = self._pending.popleft()
                except IndexError:  # another thread was faster
                    break
                if tasks := task():
                    self.add(tasks)
        except BaseException as error:
            self.failure = self.failure or error

    def help(self) -> None:
        """The same in another thread than the caller's, which was called."""
        while True:
            self._come.append(None)
            # Either this is seen by `close`, or the work is seen to be closed.
            if not self._closed:
                self.do()
            self._gone.append(None)
            self._news.put(None)
            if self._closed or self.failure is not None or not self._pending:
                return
            self._called.append(None)  # what was added meanwhile called nobody

    def finish(self) -> None:
        """Takes tasks until none is left, and none can come from another thread any more."""
        while self.failure is None:
            self.do()
            self._waits = True
            # Either a task is seen here, or the thread that adds it sees this one wait.
            if not self._pending:
                if len(self._gone) == len(self._come):
                    return
                self._news.get()
            self._waits = False

    def close(self) -> None:
        """Returns when no other thread is at work; those that come later find nothing to do."""
        self._closed = True
        while len(self._gone) < len(self._come):
            try:
                self._news.get()
            except BaseException as error:  # an interrupt: what a task writes to must not be left alone with it
                self.failure = self.failure or error


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
        self._threads = 0
        # A callback in Python could be interrupted. This puts the reference itself into the queue.
        self._end = weakref.ref(self, self._calls.put)

    def run(self, tasks: Sequence[Task]) -> None:
        """Does all tasks and those that they return, and returns when they are done.

        Raises what a task raised. Then, and when this thread is interrupted, tasks that were not begun are dropped.
        """
        work = self._prepare(len(tasks) - 1)
        try:
            work.add(tasks)
            work.finish()
        except BaseException as error:
            work.failure = work.failure or error
        work.close()
        if work.failure is not None:
            raise work.failure

    def _prepare(self, helpers: int) -> _Work:
        """Work for this thread and others, of which at most `helpers` are started if they are not here yet."""
        if self._process != os.getpid():
            self._begin()  # a fork has the queue, but not its threads
        while self._threads < min(self._most, helpers):
            try:
                _threads.start("fastframe-codec", _serve, self._calls, self._end)
            except RuntimeError:
                break  # no more threads, or the interpreter is ending: those that are here do the work
            self._threads += 1
        return _Work(self._calls, self._threads)
