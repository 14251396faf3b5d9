"""The signals that end a command: Ctrl-C, the system's wish, and a terminal that is closed."""

import signal
import sys
from types import FrameType


def endings() -> list[signal.Signals]:
    """Those that there are here, but for a terminal's end where nobody minds it (`nohup`)."""
    found = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


def exit_in_order() -> None:
    """From now on what is open is closed first, and what is half written deleted, as after Ctrl-C."""
    for number in endings():
        if number is not signal.SIGINT:  # which is an exception already
            signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
