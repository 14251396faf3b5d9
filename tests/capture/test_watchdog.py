"""The thread that makes calls which may hang, and interrupts (Ctrl-C) while it starts."""

import apart


def test_interrupts_at_any_moment_are_what_they_are_and_leave_no_thread() -> None:
    code = """
        import gc, os, random, signal, time
        from fastframe.capture.watchdog import Watchdog

        armed = False

        def interrupt(number, frame):  # it may be another thread that the signal comes to, and late then
            if armed:
                raise KeyboardInterrupt

        def threads():
            gc.collect()
            return len(os.listdir("/proc/self/task"))

        def work():
            for number in range(3):
                assert Watchdog(int).call(lambda: number, 10) == number

        before = threads()
        signal.signal(signal.SIGALRM, interrupt)
        moments, struck = random.Random(1), 0
        while struck < 2000:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, 1e-6 + 3e-4 * moments.random())
                work()
                armed = False
            except KeyboardInterrupt:
                armed = False
                struck += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        deadline = time.monotonic() + 10
        while threads() > before and time.monotonic() < deadline:
            time.sleep(0.05)
        report(threads() - before)
    """
    assert apart.run(code) == 0
