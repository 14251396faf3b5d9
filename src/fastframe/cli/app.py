"""The commands, joined."""

from typing import Annotated

import typer

from fastframe._version import __version__
from fastframe.cli.capture import capture
from fastframe.cli.demo import demo
from fastframe.cli.displays import displays
from fastframe.cli.info import info
from fastframe.cli.record import record
from fastframe.cli.share import share
from fastframe.cli.transcode import decode, encode
from fastframe.cli.view import view

app = typer.Typer(
    help="Lossless screen codec: try it, share a screen by it, measure it, look into its recordings.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback is for us; users get one line (see `fastframe.cli.main`).
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fastframe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


for command in (demo, share, view, displays, capture, record, encode, decode, info):
    app.command()(command)
