"""fastframe: a lossless screen codec for remote support.

`Encoder` turns frames into packets that hold only what changed; `Decoder` turns packets back into exactly the same
pixels. Neither does any I/O: a product's own transport carries the packets.

The codec, with NumPy and the compiled core, is loaded when it is first asked for, so that `fastframe --help` need not
wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from fastframe._version import __version__
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

if TYPE_CHECKING:
    from fastframe.codec import Decoder, Encoder, EncoderConfig, FrameStats, FrameUpdate, TileMap

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

if not TYPE_CHECKING:  # with it, checkers would take every name

    def __getattr__(name: str) -> object:
        if name not in __all__ and name != "codec":
            raise AttributeError(f"module 'fastframe' has no attribute {name!r}")
        codec = import_module("fastframe.codec")
        for each in codec.__all__:
            if each in __all__:
                globals()[each] = getattr(codec, each)
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
