"""Which peers take part, and how much is measured: the choice of a user, and what this machine has of it."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence

from av1 import check_available
from codec import PeerMissing
from peers import PEERS
from rich.console import Console
from scenes import Scene

AV1 = "av1"
"""The peer that is measured by `measure_av1`, unlike those in `PEERS`."""

INTERRUPTED = 130
"""What a command returns after Ctrl-C, as shells do."""

PEER_NAMES = (*PEERS, AV1)

FIGURE_PEERS = tuple(name for name in PEER_NAMES if name not in ("box-zstd-stream", "tiles-zstd-stream"))
"""Those within the memory that the figures allow an encoder: not the two that keep 128 MiB of a scene at either end."""


def peer_names(text: str) -> Sequence[str]:
    """The value of an option `--peers A,B`; an empty one chooses none."""
    names = [name for name in text.split(",") if name]
    if unknown := sorted(set(names).difference(PEER_NAMES)):
        raise ArgumentTypeError(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEER_NAMES)}")
    return names


def positive(text: str) -> int:
    """The value of an option that counts something."""
    return _at_least(1, text)


def natural(text: str) -> int:
    """The value of an option that counts what may be missing."""
    return _at_least(0, text)


def _at_least(least: int, text: str) -> int:
    number = int(text)
    if number < least:
        raise ArgumentTypeError(f"at least {least}, not {number}")
    return number


def available_peers(names: Sequence[str], scene: Scene, console: Console) -> list[str]:
    """The peers that run here; says on the console what the others lack."""
    found = []
    for name in names:
        try:
            if name == AV1:
                check_available()
            else:
                PEERS[name](scene)
        except PeerMissing as missing:
            console.print(f"[yellow]{name} is left out: {missing}")
        else:
            found.append(name)
    return found
