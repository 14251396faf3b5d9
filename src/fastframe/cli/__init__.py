"""The command `fastframe`: tries, measures and inspects the codec without writing code.

Commands stand in modules of their own; `app` joins them. Whatever fails for a reason outside of the program
ends in one line on stderr and exit code 2. Exit code 1 means that a picture did not come back exactly.
"""

import sys

from fastframe.errors import FastframeError


def main() -> None:
    """Run the command line; does not return."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        _fail(f"the command line needs {error.name}: pip install 'fastframe[cli]'")
    from fastframe.cli.app import app

    try:
        app(prog_name="fastframe")
    except FastframeError as error:
        _fail(str(error))


def _fail(message: str) -> None:
    print(f"fastframe: {message}", file=sys.stderr)
    sys.exit(2)
