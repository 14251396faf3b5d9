"""The thread that does what takes long."""

import asyncio
import threading
import time

import pytest
from connections import run

from fastframe.stream.aio import Worker


def test_it_returns_and_raises_what_the_function_does() -> None:
    async def main() -> None:
        with Worker("test-worker") as worker:
            assert await worker.run(lambda: threading.current_thread().name) == "test-worker"
            with pytest.raises(ZeroDivisionError):
                await worker.run(lambda: 1 // 0)
            assert await worker.run(max, 3, 5) == 5

    run(main())


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
