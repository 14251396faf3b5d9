"""The signals that end a command: Ctrl-C, the system's wish, and a terminal that is closed."""

import contextlib
import signal
import sys
from types import FrameType


def endings() -> list[signal.Signals]:
    """Ctrl-C, and of the others those that are not ignored, as a terminal's end is under `nohup`."""
    others = [signal.SIGTERM]
    if sys.platform != "win32":
        others.append(signal.SIGHUP)
    return [signal.SIGINT, *(each for each in others if signal.getsignal(each) is not signal.SIG_IGN)]


def exit_in_order() -> None:
    """From now on what is open is closed first, and what is half written deleted, as after Ctrl-C."""
    with contextlib.suppress(ValueError):  # in a thread of a product, whose matter it is then
        for number in endings():
            if number is not signal.SIGINT:  # which is an exception already
                signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
