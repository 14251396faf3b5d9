"""The codec: frames to packets and back, without I/O."""

from fastframe._core import MODES, PLANES
from fastframe.codec.decoder import Decoder, FrameUpdate
from fastframe.codec.encoder import Encoder, EncoderConfig
from fastframe.codec.stats import FrameStats, TileMap

__all__ = [
    "MODES",
    "PLANES",
    "Decoder",
    "Encoder",
    "EncoderConfig",
    "FrameStats",
    "FrameUpdate",
    "TileMap",
]
