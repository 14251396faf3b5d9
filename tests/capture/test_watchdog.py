"""The thread that makes calls which may hang, and interrupts (Ctrl-C) while it starts."""

import apart


def test_interrupts_at_any_moment_are_what_they_are_and_leave_no_thread() -> None:
    code = """
        import gc, os, random, signal, time
        from fastframe.capture.watchdog import Watchdog

        def threads():
            gc.collect()
            return len(os.listdir("/proc/self/task"))

        def work():
            for number in range(3):
                assert Watchdog(int).call(lambda: number, 10) == number

        before = threads()
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        moments, struck = random.Random(1), 0
        while struck < 2000:
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 + 3e-4 * moments.random())
                try:
                    work()
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                struck += 1
        deadline = time.monotonic() + 10
        while threads() > before and time.monotonic() < deadline:
            time.sleep(0.05)
        report(threads() - before)
    """
    assert apart.run(code) == 0
