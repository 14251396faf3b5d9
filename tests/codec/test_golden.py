"""Packets that were written once show the same frames for ever; see tests/golden/README.md."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from spec_decoder import SpecDecoder, SpecError

from fastframe import Decoder
from fastframe.codec import MODES
from fastframe.errors import RemoteProtocolError

GOLDEN = Path(__file__).parents[1] / "golden"
VECTORS = sorted(GOLDEN.glob("version-*/*.json"))


def load(path: Path) -> list[tuple[bytes, str | None]]:
    """The packets of a file, each with the SHA-256 of the frame after it, or `None` if it must be refused."""
    entries = json.loads(path.read_text(encoding="utf-8"))["packets"]
    return [(base64.b64decode(entry["packet"]), entry["frame"]) for entry in entries]


def sha256(frame: bytes) -> str:
    return hashlib.sha256(frame).hexdigest()


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_decoder_reproduces_the_vector(isa: str, path: Path) -> None:
    decoder = Decoder()
    last = None
    for packet, expected in load(path):
        if expected is None:
            with pytest.raises(RemoteProtocolError):
                decoder.decode(packet)
        else:
            decoder.decode(packet)
            last = expected
        if last is not None:
            assert sha256(decoder.frame.tobytes()) == last


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_specification_gives_the_vector(path: Path) -> None:
    decoder = SpecDecoder()
    last = None
    for packet, expected in load(path):
        if expected is None:
            with pytest.raises(SpecError):
                decoder.decode(packet)
        else:
            decoder.decode(packet)
            last = expected
        if last is not None:
            assert decoder.frame is not None
            assert sha256(decoder.frame.tobytes()) == last


def test_the_vectors_use_every_mode() -> None:
    used: set[str] = set()
    for path in VECTORS:
        decoder = Decoder()
        for packet, expected in load(path):
            if expected is not None:
                decoder.decode(packet)
                assert decoder.stats is not None
                used |= {mode for mode, tiles in decoder.stats.tiles.items() if tiles}
    assert used == set(MODES)
