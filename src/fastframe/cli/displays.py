"""`fastframe displays`: the monitors that can be captured."""

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fastframe._names import shown
from fastframe.capture import Display
from fastframe.cli.options import JsonOption
from fastframe.cli.screen import DisplayOption, Kind, KindOption, Screen


def displays(display: DisplayOption = None, kind: KindOption = Kind.auto, as_json: JsonOption = False) -> None:
    """List the monitors: what --monitor of the other commands takes, and where they lie on the desktop."""
    with Screen(display, None, (), kind).open() as source:
        monitors = source.displays()
        name, reason = source.name, source.reason
    if as_json:
        listed = [asdict(each) | {"area": each.area._asdict()} for each in monitors]
        print(json.dumps({"source": name, "reason": reason, "displays": listed}))
        return
    console = Console()
    console.print(_table(monitors))
    typer.echo(f"{name}: {reason}")


def _table(monitors: tuple[Display, ...]) -> Table:
    table = Table()
    for title in ("number", "name", "size", "at"):
        table.add_column(title, justify="right" if title in ("number", "size", "at") else "left")
    table.add_column("")
    for each in monitors:
        x, y, width, height = each.area
        primary = "primary" if each.primary else ""
        table.add_row(str(each.number), escape(shown(each.name)), f"{width}x{height}", f"{x},{y}", primary)
    return table
