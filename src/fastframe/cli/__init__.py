"""The command `fastframe`: tries, measures and inspects the codec without writing code.

Commands stand in modules of their own; `app` joins them. Whatever fails for a reason outside of the program
ends in one line on stderr and exit code 2. Exit code 1 means that a picture did not come back exactly, or that nobody
reads what is printed any more, and 130 that Ctrl-C ended what has no good end of its own for it; 129 and 143 say so of
a terminal that was closed and of SIGTERM.
"""

import os
import sys

from fastframe._files import reason
from fastframe.cli.signals import exit_in_order
from fastframe.errors import FastframeError


def main() -> None:
    """Run the command line; does not return."""
    exit_in_order()
    try:
        _run()
    except KeyboardInterrupt:  # while modules are loaded; commands have their own ways
        sys.exit(130)


def _run() -> None:
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        _fail(f"the command line needs {error.name}: pip install 'fastframe[cli]'")
    from fastframe.cli.app import app

    try:
        try:
            app(prog_name="fastframe")
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # not when the interpreter ends: here it can be told that it failed
    except FastframeError as error:
        _fail(str(error))
    except OSError as error:  # stdout is full, or nobody reads it, or a name is too long for any file
        if sys.stdout is not None:
            # So that the interpreter does not fail once more with what is left.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        _fail(reason(error))


def _fail(message: str) -> None:
    print(f"fastframe: {message}", file=sys.stderr)
    sys.exit(2)
