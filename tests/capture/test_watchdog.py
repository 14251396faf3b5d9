"""The thread that makes calls which may hang, and interrupts (Ctrl-C) while it starts."""

import apart

from fastframe.capture.watchdog import Watchdog


def test_interrupts_at_any_moment_are_what_they_are_and_leave_no_thread() -> None:
    code = """
        from fastframe.capture.watchdog import Watchdog

        def work():
            for number in range(3):
                assert Watchdog(int).call(lambda: number, 10) == number

        report(threads_left_by_interrupts(work))
    """
    assert apart.run(code) == 0


def test_its_thread_has_a_name() -> None:
    assert Watchdog(int).call(apart.thread_name, 10) == "fastframe-watch"
