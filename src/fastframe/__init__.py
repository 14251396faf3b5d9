"""fastframe: a lossless screen codec for remote support.

`Encoder` turns frames into packets that hold only what changed; `Decoder` turns packets back into exactly the same
pixels. Neither does any I/O: a product's own transport carries the packets.
"""

from fastframe._version import __version__
from fastframe.codec import Decoder, Encoder, EncoderConfig, FrameStats, FrameUpdate, TileMap
from fastframe.errors import (
    CaptureError,
    ConsentRequired,
    FastframeError,
    LocalProtocolError,
    PermanentCaptureError,
    ProtocolError,
    RecordingError,
    RemoteProtocolError,
    TransientCaptureError,
)
from fastframe.geometry import Rect
from fastframe.limits import Limits

__all__ = [
    "CaptureError",
    "ConsentRequired",
    "Decoder",
    "Encoder",
    "EncoderConfig",
    "FastframeError",
    "FrameStats",
    "FrameUpdate",
    "Limits",
    "LocalProtocolError",
    "PermanentCaptureError",
    "ProtocolError",
    "RecordingError",
    "Rect",
    "RemoteProtocolError",
    "TileMap",
    "TransientCaptureError",
    "__version__",
]
