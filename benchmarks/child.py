"""Processes of our own for what must not happen in the one that measures, and how they end."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection


def end_as_by_ctrl_c() -> None:
    """Let what else ends programs be an interrupt, too: a server that we have started would outlive us otherwise."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # not on Windows
            signal.signal(getattr(signal, name), signal.default_int_handler)


@contextmanager
def child(target: Callable[..., None], *arguments: object) -> Iterator[Connection]:
    """Our end of a pipe to a process that calls `target` with the other end; the process ends with the block.

    Ctrl-C, which a terminal sends to both, is left to this process.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    with here:
        process = context.Process(target=target, args=(there, *arguments), daemon=True)
        # Inherited from here, since it takes the child a moment until it could say so by itself.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process.start()
        finally:
            signal.signal(signal.SIGINT, before)
            there.close()
        try:
            yield here
        finally:
            process.terminate()
            process.join()
