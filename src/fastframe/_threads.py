"""Threads that nobody waits for: of a caller who may be interrupted (KeyboardInterrupt) at any moment, and who finds
them by their names when he asks the system what goes on.

`threading` starts and joins its threads with locks of its own, which an interrupt leaves as they should not be, and
then no thread can be started any more. These are started in one step, and share queues and nothing else with who
started them.
"""

import _thread
import contextlib
import sys
from collections.abc import Callable
from typing import TypeVarTuple, Unpack

Arguments = TypeVarTuple("Arguments")

# With the NUL at its end, more is refused.
_LONGEST_NAME = 16


def start(name: str, function: Callable[[Unpack[Arguments]], object], *arguments: *Arguments) -> None:
    """Starts a thread that calls the function. The interpreter does not wait for it at its end.

    Parameters
    ----------
    name
        What the system calls it, for gdb, perf and `top -H`; the first 15 bytes of it on Linux. (`threading` does not
        know these threads, nor does `logging` show the name.)

    Raises
    ------
    RuntimeError
        The thread cannot be started.
    """
    _thread.start_new_thread(_run, (name, function, arguments))


def _run(name: str, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    with contextlib.suppress(Exception):  # without a name it does its work as well
        _set_name(name)
    function(*arguments)


def _set_name_on_linux(name: str) -> None:
    import ctypes  # which not every Python has

    set_name = ctypes.CDLL(None).pthread_setname_np
    set_name.argtypes = ctypes.c_ulong, ctypes.c_char_p
    set_name(_thread.get_ident(), name.encode(errors="replace")[: _LONGEST_NAME - 1])


def _set_no_name(name: str) -> None:
    pass


# Python can do it from 3.14 on.
_set_name: Callable[[str], None] = getattr(
    _thread, "set_name", _set_name_on_linux if sys.platform == "linux" else _set_no_name
)
