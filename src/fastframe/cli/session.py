"""What `fastframe share` and `fastframe view` have in common: Ctrl-C, certificates, what the terminal tells."""

import asyncio
import json
import logging
import signal
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from fastframe._files import reason
from fastframe._names import shown
from fastframe.cli.screen import REFRESH
from fastframe.cli.signals import endings
from fastframe.errors import FastframeError

# Seconds between two lines of --json.
LINE = 1.0
DEFAULT_ADDRESS = "ws://127.0.0.1:8765"


def news(text: str) -> None:
    """Tells the user what has happened, on stderr."""
    print(f"fastframe: {plain(text)}", file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """What a peer says, without anything that could move the cursor and pretend to be ours."""
    return "".join(character if character.isprintable() else "?" for character in text)


@contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` in the event loop at a signal that ends a command, in place of an exception anywhere."""
    loop = asyncio.get_running_loop()
    numbers = endings()
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        # `loop.add_signal_handler` is not there on Windows.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])


@contextmanager
def transport_news() -> Iterator[None]:
    """Tells what happens to connections."""
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: news(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("fastframe.stream.aio")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def server_tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """TLS with a certificate of ours; `None` if none is named.

    Raises
    ------
    FastframeError
        The files are not what they should be.
    """
    if certificate is None:
        if key is not None:
            raise FastframeError("--key needs --cert")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        _check_readable(error, certificate, key or certificate)
        files = shown(certificate) + (f" with the key {shown(key)}" if key else "")
        raise FastframeError(f"{files} is of no use as a certificate: {error}") from error
    return context


def _check_readable(error: Exception, *paths: Path) -> None:
    """Raises a `FastframeError` with the name of the file that OpenSSL could not read, which it does not tell.

    What it has read is only looked for, not opened: of a pipe nothing is left.
    """
    for path in paths:
        try:
            if isinstance(error, ssl.SSLError):
                path.stat()
            else:
                path.open("rb").close()
        except (OSError, ValueError) as fault:
            raise FastframeError(f"cannot read {shown(path)}: {reason(fault)}") from fault


def client_tls(authority: Path | None) -> ssl.SSLContext | None:
    """TLS that trusts one authority more than the system does; `None` if none is named.

    Raises
    ------
    FastframeError
        The file is not what it should be.
    """
    if authority is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(authority)
    except (OSError, ValueError) as error:
        _check_readable(error, authority)
        raise FastframeError(f"{shown(authority)} holds no certificate: {error}") from error
    return context


async def show_figures(figures: Callable[[], dict[str, Any]], table: Callable[[], Table], *, as_json: bool) -> None:
    """Shows figures until it is cancelled: a line of JSON a second, or a table on a terminal."""
    console = Console()
    if as_json:
        while True:
            await asyncio.sleep(LINE)
            print(json.dumps(figures()), flush=True)
    if not console.is_terminal:
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(table(), refresh=True)
            await asyncio.sleep(REFRESH)


def show_last_figures(figures: dict[str, Any], table: Table, *, as_json: bool) -> None:
    """Shows the figures of the whole session."""
    if as_json:
        print(json.dumps(figures), flush=True)
    else:
        Console().print(table)
