"""The thread that does what takes long."""

import asyncio
import os
import subprocess
import sys
import threading
import time

import apart
import pytest
from connections import run

from fastframe import LocalProtocolError
from fastframe.stream.aio import Worker


def test_it_returns_and_raises_what_the_function_does() -> None:
    async def main() -> None:
        with Worker("test-worker") as worker:
            assert await worker.run(threading.get_ident) != threading.get_ident()
            with pytest.raises(ZeroDivisionError):
                await worker.run(lambda: 1 // 0)
            assert await worker.run(max, 3, 5) == 5

    run(main())


@pytest.mark.parametrize("name", ["test-worker", "worker of a long name", "Zeichnen-größer"])
def test_its_thread_has_its_name_as_far_as_the_system_keeps_it(name: str) -> None:
    async def main() -> None:
        with Worker(name) as worker:
            kept = (await worker.run(apart.thread_name)).encode(errors="surrogateescape")
            assert kept == name.encode()[:15]

    run(main())


@pytest.mark.parametrize("name", ["", "\0", "\udcff"])
def test_a_thread_that_the_system_cannot_name_does_its_work_as_well(name: str) -> None:
    async def main() -> None:
        with Worker(name) as worker:
            assert await worker.run(max, 3, 5) == 5

    run(main())


def test_a_name_is_text() -> None:
    with pytest.raises(LocalProtocolError, match="name must be"):
        Worker(5)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_leaves_the_context_without_its_thread() -> None:
    script = """
import os, warnings
from fastframe.stream.aio import Worker
warnings.simplefilter("ignore")
with Worker("test-worker"):
    child = os.fork()
if child == 0:
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_is_told_that_it_has_no_thread_instead_of_waiting_for_it() -> None:
    script = """
import asyncio, os, warnings
from fastframe import LocalProtocolError
from fastframe.stream.aio import Worker
warnings.simplefilter("ignore")
with Worker("test-worker") as worker:
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(worker.run(len, "abc"))
        except LocalProtocolError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert asyncio.run(worker.run(len, "abc")) == 3
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_there_is_no_thread_outside_of_the_context() -> None:
    worker = Worker("test-worker")
    with pytest.raises(LocalProtocolError, match="inside its context"):
        run(worker.run(len, "abc"))
    with worker:
        pass
    with pytest.raises(LocalProtocolError, match="inside its context"):
        run(worker.run(len, "abc"))


def test_the_event_loop_goes_on_meanwhile() -> None:
    async def main() -> None:
        gate = threading.Event()
        with Worker("test-worker") as worker:
            waiting = asyncio.create_task(worker.run(gate.wait, 20))
            await asyncio.sleep(0)
            gate.set()
            assert await waiting

    run(main())


def test_who_is_cancelled_waits_for_the_function_to_return() -> None:
    """What it uses is not free before."""
    returned: list[float] = []

    async def main() -> None:
        started = threading.Event()

        def work() -> None:
            started.set()
            time.sleep(0.1)
            returned.append(time.monotonic())

        with Worker("test-worker") as worker:
            task = asyncio.create_task(worker.run(work))
            while not started.is_set():
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert returned

    run(main())


def test_interrupts_at_any_moment_leave_no_thread_and_no_lock() -> None:
    """asyncio makes only the first Ctrl-C an end in order; a second one strikes wherever it comes."""
    code = """
        import threading
        from fastframe.stream.aio import Worker

        def work():
            for _ in range(3):
                with Worker("test-worker"):
                    pass

        left = threads_left_by_interrupts(work)
        other = threading.Thread(target=int, daemon=True)
        other.start()
        other.join(10)
        report([left, other.is_alive()])
    """
    assert apart.run(code) == [0, False]
