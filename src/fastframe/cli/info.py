"""`fastframe info`: what is in a recording, and where its bytes went."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fastframe._files import PendingFile
from fastframe._names import shown
from fastframe.capture import png_bytes
from fastframe.cli.heatmap import TileCosts, draw_heatmap
from fastframe.cli.inputs import open_packets
from fastframe.cli.meter import RAW_BYTES_PER_PIXEL
from fastframe.cli.options import ForceOption, JsonOption, may_write
from fastframe.cli.progress import Salvage, progress
from fastframe.cli.text import byte_count, ratio, share
from fastframe.codec import MODES, Decoder
from fastframe.errors import RecordingError, RemoteProtocolError
from fastframe.recording import PacketReader, TimedPacket


def info(
    source: Annotated[str, typer.Argument(metavar="FILE.ffs", help="The recording to look into; - is stdin.")],
    heatmap: Annotated[
        Path | None,
        typer.Option(metavar="OUT.png", help="Draw where the bytes went: mode and cost of every tile."),
    ] = None,
    as_json: JsonOption = False,
    force: ForceOption = False,
) -> None:
    """Show what is in a recording: its packets, and its bytes by plane and by mode.

    Of a damaged recording you get the figures up to the damage. The heat map adds up the packets of the last
    picture size. If OUT.png exists you are asked whether to overwrite it; without a terminal, or a yes, it is
    refused unless --force is given.
    """
    with open_packets(source) as reader, progress("reading") as show:
        summary = _Summary(reader.name)
        if heatmap is not None:
            may_write(heatmap, force=force)
        packets = Salvage(summary.read(reader))
        for count in packets:
            show(count)
    summary.complete = packets.failure is None
    if as_json:
        print(json.dumps(summary.as_dict()))
    else:
        console = Console()
        for table in summary.tables():
            console.print(table)
    if heatmap is not None and summary.costs is not None:
        picture = png_bytes(draw_heatmap(summary.costs, summary.decoder.frame, summary.name))
        with PendingFile(heatmap) as file:
            file.write(picture)
    packets.raise_failure(f"these are the {summary.packets} packets before it")


@dataclass(slots=True)
class _Summary:
    """What is known of a recording, added up packet by packet."""

    name: str
    packets: int = 0
    keyframes: int = 0
    packet_bytes: int = 0
    raw_bytes: int = 0
    first_time: int = 0
    last_time: int = 0
    complete: bool = True
    sizes: list[tuple[int, int]] = field(default_factory=list)
    tiles: Counter[str] = field(default_factory=Counter)
    plane_bytes: Counter[str] = field(default_factory=Counter)
    plane_raw_bytes: Counter[str] = field(default_factory=Counter)
    mode_bytes: Counter[str] = field(default_factory=Counter)
    costs: TileCosts | None = None
    decoder: Decoder = field(default_factory=Decoder)

    def read(self, reader: PacketReader) -> Iterator[int]:
        """Take in every packet; yields how many there were so far."""
        for record in reader:
            try:
                update = self.decoder.decode(record.packet)
            except RemoteProtocolError as error:
                raise RecordingError(
                    f"{shown(self.name)} is damaged: packet {self.packets} at offset {record.offset}: {error}"
                ) from error
            self._add(record, keyframe=update.keyframe)
            yield self.packets

    def _add(self, record: TimedPacket, *, keyframe: bool) -> None:
        height, width = self.decoder.frame.shape[:2]
        if self.packets == 0:
            self.first_time = record.timestamp
        self.last_time = record.timestamp
        self.packets += 1
        self.keyframes += keyframe
        self.packet_bytes += len(record.packet)
        self.raw_bytes += width * height * RAW_BYTES_PER_PIXEL
        stats, tiles = self.decoder.stats, self.decoder.tile_map()
        assert stats is not None
        self.tiles.update(stats.tiles)
        self.plane_bytes.update(stats.plane_bytes)
        self.plane_raw_bytes.update(stats.plane_raw_bytes)
        costs = np.bincount(tiles.modes.ravel(), tiles.cost.ravel(), len(MODES))
        self.mode_bytes.update({mode: float(cost) for mode, cost in zip(MODES, costs, strict=True)})
        if not self.sizes or self.sizes[-1] != (width, height):
            self.sizes.append((width, height))
            self.costs = TileCosts.empty(width, height, tiles.tile_size)
        assert self.costs is not None
        self.costs.add(tiles)

    @property
    def seconds(self) -> float:
        """From the first packet to the last."""
        return (self.last_time - self.first_time) / 1e6

    @property
    def overhead(self) -> int:
        """Bytes of packets that belong to no plane: headers and checksums."""
        return self.packet_bytes - sum(self.plane_bytes.values())

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON."""
        return {
            "file": self.name,
            "complete": self.complete,
            "packets": self.packets,
            "keyframes": self.keyframes,
            "sizes": self.sizes,
            "seconds": self.seconds,
            "bytes": self.packet_bytes,
            "raw_bytes": self.raw_bytes,
            "planes": {
                name: {"bytes": size, "raw_bytes": self.plane_raw_bytes[name]}
                for name, size in self.plane_bytes.items()
            },
            "overhead_bytes": self.overhead,
            "modes": {
                name: {"tiles": count, "bytes": round(self.mode_bytes[name])} for name, count in self.tiles.items()
            },
        }

    def tables(self) -> Iterator[Table]:
        """The figures for a person."""
        table = Table(title=escape(shown(self.name)), title_justify="left", show_header=False)
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_row("packets", f"{self.packets} ({self.keyframes} key)")
        table.add_row("picture", ", then ".join(f"{width}x{height}" for width, height in self.sizes) or "-")
        table.add_row("duration", f"{self.seconds:.2f} s")
        table.add_row("bytes", byte_count(self.packet_bytes))
        table.add_row("bytes a packet", byte_count(self.packet_bytes / max(1, self.packets)))
        table.add_row("to raw (3 bytes a pixel)", ratio(self.raw_bytes / max(1, self.packet_bytes)))
        yield table

        table = _columns("plane", "bytes", "share", "uncompressed", "ratio")
        for name, size in self.plane_bytes.items():
            raw = self.plane_raw_bytes[name]
            smaller = ratio(raw / size) if size else "-"
            table.add_row(name, byte_count(size), share(size, self.packet_bytes), byte_count(raw), smaller)
        table.add_row("headers", byte_count(self.overhead), share(self.overhead, self.packet_bytes), "", "")
        yield table

        table = _columns("mode", "tiles", "share", "bytes", "share", "a tile")
        all_tiles, all_bytes = sum(self.tiles.values()), sum(self.mode_bytes.values())
        for name, count in self.tiles.items():
            cost = self.mode_bytes[name]
            each = byte_count(cost / count) if count else "-"
            table.add_row(name, str(count), share(count, all_tiles), byte_count(cost), share(cost, all_bytes), each)
        yield table


def _columns(first: str, *others: str) -> Table:
    table = Table()
    table.add_column(first, style="bold")
    for name in others:
        table.add_column(name, justify="right")
    return table
