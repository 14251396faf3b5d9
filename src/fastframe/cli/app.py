"""The commands, joined. Each is loaded when it is called: all of them together take longer than most calls."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fastframe._version import __version__

# Module and first sentence of each, in the order of the overview. Functions have the names of their commands.
COMMANDS = {
    "demo": ("demo", "Capture or replay, encode, decode, and compare every frame bit for bit."),
    "share": ("share", "Show your screen to one viewer, or to several."),
    "view": ("view", "View the screen of somebody who runs `fastframe share`."),
    "displays": (
        "displays",
        "List the monitors: what --monitor of the other commands takes, and where they lie on the desktop.",
    ),
    "capture": ("capture", "Capture and encode the live screen, throw the packets away, and show what it costs."),
    "record": ("record", "Record the live screen without loss."),
    "encode": ("transcode", "Encode a video into a recording."),
    "decode": (
        "transcode",
        "Decode a recording into a lossless video or into pictures frame-000000.png, frame-000001.png and so on.",
    ),
    "info": ("info", "Show what is in a recording: its packets, and its bytes by plane and by mode."),
}


class _Commands(TyperGroup):
    """Lists commands by what is known of them here, and loads the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else load(name), rest


def load(name: str) -> Any:
    """The command of this name with its arguments and options."""
    module = import_module(f"fastframe.cli.{COMMANDS[name][0]}")
    alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    alone.command(name)(getattr(module, name))
    return typer.main.get_command(alone)


app = typer.Typer(
    cls=_Commands,
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


def _stand_in() -> None:
    """For a command that has not been called."""


for _name, (_, _summary) in COMMANDS.items():
    app.command(_name, help=_summary)(_stand_in)
