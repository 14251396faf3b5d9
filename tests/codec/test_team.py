"""A team does every task once, and what a task returns as well."""

import threading
from collections import Counter
from collections.abc import Sequence
from functools import partial

import apart
import pytest

from fastframe.codec.team import Task, Team, then


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_what_tasks_return_is_done_once(threads: int) -> None:
    done: list[int] = []

    def branch(number: int) -> Sequence[Task]:
        done.append(number)
        return [partial(branch, 3 * number + i) for i in range(3) if number < 300]

    team = Team(threads)
    for _ in range(5):
        done.clear()
        team.run([partial(branch, number) for number in (1, 2)])
        assert Counter(done) == Counter(range(1, max(done) + 1))


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_what_follows_on_tasks_is_done_once_after_all_of_them(threads: int, count: int) -> None:
    done: list[int] = []

    def follow() -> Sequence[Task]:
        done.append(-1)
        return [partial(done.append, -2)]

    Team(threads).run(then([partial(done.append, number) for number in range(count)], follow))
    assert sorted(done[:count]) == list(range(count))
    assert done[count:] == [-1, -2]


def test_a_thread_that_had_nothing_to_do_takes_what_comes_later() -> None:
    both, caller, caller_ended = threading.Barrier(2, timeout=30), threading.current_thread(), threading.Event()

    def meet() -> None:
        both.wait()  # ends when two threads are there

    def meet_and_add() -> Sequence[Task] | None:
        meet()
        if threading.current_thread() is caller:
            caller_ended.set()
            return None
        assert caller_ended.wait(30)
        return [meet, meet]

    Team(2).run([lambda: [meet, meet], lambda: None])
    Team(2).run([meet_and_add, meet_and_add])


def test_what_a_later_task_raises_is_raised() -> None:
    def fail() -> None:
        raise MemoryError("later")

    begun: list[int] = []
    team = Team(2)
    for _ in range(20):
        with pytest.raises(MemoryError, match="later"):
            team.run([lambda: [fail, partial(begun.append, 1)]])
    team.run([partial(begun.append, 2)])
    assert begun[-1] == 2


def test_its_threads_have_a_name() -> None:
    names: set[str] = set()
    both = threading.Barrier(2, timeout=30)

    def meet() -> None:
        both.wait()  # ends when two threads are there
        names.add(apart.thread_name())

    Team(2).run([meet, meet])
    assert names == {apart.thread_name(), "fastframe-codec"}


def test_where_no_thread_can_be_started_the_caller_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    done: list[int] = []
    team = Team(4)
    with monkeypatch.context() as patch:
        patch.setattr("_thread.start_new_thread", refuse)
        team.run([partial(done.append, number) for number in range(5)])
    assert sorted(done) == list(range(5))
    # Later it may be possible again.
    names: set[str] = set()
    both = threading.Barrier(2, timeout=30)
    team.run([lambda: names.add(str(both.wait())), lambda: names.add(str(both.wait()))])
    assert names == {"0", "1"}
