"""The heat map: a picture of the screen on which every tile tells what it cost and how it was coded.

Over the darkened last frame each tile has the colour of the mode that took most of its bytes, the brighter
the more bytes, and the number of bytes. A legend below names the colours.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastframe.cli.font import GLYPH_HEIGHT, draw_text, text_width
from fastframe.cli.text import byte_count, share
from fastframe.codec import MODES, TileMap

Picture = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

# Blue, green, red; far apart for most kinds of colour blindness (Okabe and Ito, and white).
_COLORS: dict[str, Color] = {
    "unchanged": (90, 90, 90),
    "solid": (178, 114, 0),
    "palette": (115, 158, 0),
    "photo": (0, 94, 213),
    "xor": (167, 121, 204),
    "difference": (0, 159, 230),
    "copy": (233, 180, 86),
    "cached": (66, 228, 240),
    "patch": (235, 235, 235),
    "modelled": (113, 51, 136),
}
_WHITE: Color = (255, 255, 255)
_BLACK: Color = (0, 0, 0)
# The legend needs this much width. Smaller pictures are enlarged, as long as they do not become much higher than that.
_MIN_WIDTH = 960
_MAX_ENLARGED_HEIGHT = 4 * _MIN_WIDTH
_MARGIN = 16
_LINE = GLYPH_HEIGHT * 2 + 12


@dataclass(slots=True)
class TileCosts:
    """Bytes of each tile by mode, added up over packets of one picture size.

    Parameters
    ----------
    tile_size
        Side of a tile in pixels.
    packets
        How many were added.
    cost
        (modes, rows, columns), bytes.
    tiles
        How often each mode was used, any tile.
    """

    tile_size: int
    packets: int
    cost: npt.NDArray[np.float64]
    tiles: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, width: int, height: int, tile_size: int) -> "TileCosts":
        """No packets yet."""
        rows, columns = math.ceil(height / tile_size), math.ceil(width / tile_size)
        return cls(tile_size, 0, np.zeros((len(MODES), rows, columns)), np.zeros(len(MODES), np.int64))

    def add(self, packet: TileMap) -> None:
        """Add one packet."""
        self.packets += 1
        for mode in range(len(MODES)):
            here = packet.modes == mode
            self.cost[mode] += np.where(here, packet.cost, 0)
            self.tiles[mode] += int(here.sum())


def draw_heatmap(costs: TileCosts, frame: Picture, name: str) -> Picture:
    """Draw the heat map.

    Parameters
    ----------
    costs
        What the tiles cost.
    frame
        The last frame, BGRX; its size is the one that `costs` was made for.
    name
        What to call the recording.

    Returns
    -------
    (height, width, 4) uint8 BGRX.
    """
    height, width = frame.shape[:2]
    zoom = min(math.ceil(_MIN_WIDTH / width), max(1, _MAX_ENLARGED_HEIGHT // height))
    screen = _draw_tiles(costs, frame).repeat(zoom, 0).repeat(zoom, 1)
    _draw_numbers(costs, screen, costs.tile_size * zoom)
    margin = max(0, _MIN_WIDTH - screen.shape[1])
    screen = np.pad(screen, ((0, 0), (0, margin), (0, 0)))
    legend = _draw_legend(costs, frame, name, screen.shape[1])
    colors = np.concatenate([screen, legend])
    return np.concatenate([colors, np.full((*colors.shape[:2], 1), 255, np.uint8)], axis=2)


def _draw_tiles(costs: TileCosts, frame: Picture) -> Picture:
    total = costs.cost.sum(0)
    palette = np.array([_COLORS[mode] for mode in MODES], np.float64)
    color = palette[costs.cost.argmax(0)]
    # Costs spread over four orders of magnitude: the exponent keeps small ones visible and large ones apart.
    strength = (total / max(1.0, total.max())) ** 0.4
    # The least cost leaves a tint; the highest lets a little of the screen through.
    opacity = np.where(total > 0, 0.2 + 0.7 * strength, 0.0)[..., None]
    height, width = frame.shape[:2]

    def by_pixel(tiles: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        small = tiles.astype(np.float32)
        return small.repeat(costs.tile_size, 0)[:height].repeat(costs.tile_size, 1)[:, :width]

    gray = frame[..., :3].mean(2, dtype=np.float32, keepdims=True) * np.float32(0.3)
    mixed: npt.NDArray[np.float32] = gray + (by_pixel(color) - gray) * by_pixel(opacity)
    # A thin grid, since neighbours of like cost would run together.
    mixed[:: costs.tile_size] *= 0.6
    mixed[:, :: costs.tile_size] *= 0.6
    return mixed.round().astype(np.uint8)


def _draw_numbers(costs: TileCosts, screen: Picture, tile: int) -> None:
    """Write the bytes of each tile into it, where a tile has room for four characters."""
    scale = min(2, tile // text_width("9999", 1))
    if scale == 0:
        return
    for (row, column), cost in np.ndenumerate(costs.cost.sum(0)):
        if cost >= 0.5:
            text = _short(cost)
            y, x = row * tile + 4, column * tile + 4
            draw_text(screen, x + 1, y + 1, text, _BLACK, scale)
            draw_text(screen, x, y, text, _WHITE, scale)


def _short(cost: float) -> str:
    """A number of bytes in at most four characters."""
    for unit in ("", "K", "M"):
        if cost < 999.5:
            return f"{cost:.1f}{unit}" if unit and cost < 9.95 else f"{cost:.0f}{unit}"
        cost /= 1000
    return f"{cost:.0f}G"


def _draw_legend(costs: TileCosts, frame: Picture, name: str, width: int) -> Picture:
    used = [mode for mode in range(len(MODES)) if costs.tiles[mode]]
    legend = np.full((2 * _MARGIN + _LINE * (len(used) + 2), width, 3), 24, np.uint8)
    total = costs.cost.sum()
    y = _MARGIN
    title = f"{name}  {frame.shape[1]}x{frame.shape[0]}  {costs.packets} packets  {byte_count(total)} in tiles"
    draw_text(legend, _MARGIN, y, title, _WHITE, 2)
    for mode in used:
        y += _LINE
        legend[y : y + GLYPH_HEIGHT * 2, _MARGIN : _MARGIN + 40] = _COLORS[MODES[mode]]
        cost = costs.cost[mode].sum()
        text = f"{MODES[mode]:<10} {share(cost, total):>7} of bytes  {costs.tiles[mode]} tiles"
        draw_text(legend, _MARGIN + 56, y, text, _WHITE, 2)
    y += _LINE
    draw_text(legend, _MARGIN, y, "brighter: more bytes. Number: bytes of the tile in all packets", _WHITE, 2)
    return legend
