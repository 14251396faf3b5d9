"""Files that commands write: whether they can be written is known before minutes of measuring, not after."""

from __future__ import annotations

from argparse import ArgumentTypeError
from importlib.util import find_spec
from pathlib import Path

PLOT_SUFFIXES = (".pdf", ".png", ".svg")


def output_path(text: str) -> Path:
    """The value of an option that names a file to write."""
    path = Path(text)
    is_new = not path.exists()
    try:
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise ArgumentTypeError(f"cannot write {path}: {error.strerror}") from None
    return path


def plot_path(text: str) -> Path:
    """The value of an option that names a plot to draw."""
    path = Path(text)
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise ArgumentTypeError(f"a plot ends in {', '.join(PLOT_SUFFIXES)}, not as {path.name} does")
    if find_spec("matplotlib") is None:
        raise ArgumentTypeError("plots need matplotlib: pip install matplotlib")
    return output_path(text)
