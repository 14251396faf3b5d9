"""What the last frame cost: for logs, live tables and heat maps."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastframe._core import MODES, PLANES

# Of each plane in a packet, by number: its size as the packet states it, and bytes after compression.
PlaneSizes = dict[int, tuple[int, int]]
# What the stated sizes count, in bytes: all but one plane state bytes.
UNITS = {name: 3 if name == "modelled" else 1 for name in PLANES}


@dataclass(frozen=True, slots=True)
class FrameStats:
    """Figures of one frame.

    Attributes
    ----------
    packet_bytes
        Length of the packet.
    tiles
        Number of tiles by mode; the modes are those of `fastframe.codec.MODES`.
    plane_bytes, plane_raw_bytes
        Bytes of each plane in the packet, and before compression. Modelled pixels count as three bytes each.
    seconds
        Wall-clock seconds by stage.
    """

    packet_bytes: int
    tiles: dict[str, int]
    plane_bytes: dict[str, int]
    plane_raw_bytes: dict[str, int]
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class TileMap:
    """Where a packet spent its bytes.

    Attributes
    ----------
    tile_size
        Side of a tile in pixels; tiles at the right and lower edge may be smaller.
    modes
        uint8 (rows, columns): each tile's mode, an index into `fastframe.codec.MODES`.
    cost
        float32 (rows, columns): compressed bytes, an estimate: each plane's bytes are shared out by how much of it a
        tile takes, and by how restless that part is.
    """

    tile_size: int
    modes: npt.NDArray[np.uint8]
    cost: npt.NDArray[np.float32]


def frame_stats(packet_bytes: int, modes: bytes, sizes: PlaneSizes, seconds: dict[str, float]) -> FrameStats:
    """Figures from one mode byte a tile and the planes' sizes."""
    return FrameStats(
        packet_bytes=packet_bytes,
        tiles={name: modes.count(number) for number, name in enumerate(MODES)},
        plane_bytes={name: sizes.get(number, (0, 0))[1] for number, name in enumerate(PLANES)},
        plane_raw_bytes={name: sizes.get(number, (0, 0))[0] * UNITS[name] for number, name in enumerate(PLANES)},
        seconds=seconds,
    )
