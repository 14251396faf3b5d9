"""The interface behind which fastframe and its peers are measured by one loop, and fastframe behind it.

Every codec is lossless for B, G and R, runs on one thread, and gets its pixels in the layout that it likes
best: converting them is not counted, in the peers' favour. No keyframe follows the first one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from scenes import Frame, Scene

import fastframe as ff
from fastframe import _core

OURS = "fastframe"
"""How the names of this project's codecs begin."""

HEADERS = "headers"
"""The part of this project's packets that is no plane."""

Packet: TypeAlias = Any
"""What an encoder returns: `bytes`, or PyAV's packet, which is a buffer too."""


class PeerMissing(Exception):
    """A peer cannot run on this machine; the message says what to install."""


class Codec(ABC):
    """An encoder and its decoder.

    For each frame the loop calls `prepare`, `encode` and `parts`, then `decode` and `picture`; in the end `finish`
    and `drain`, for what the two sides have held back. `prepare`, `parts` and `picture` are not timed.
    """

    name: str
    version: str
    settings: str

    def prepare(self, frame: Frame) -> Any:
        """The frame as the encoder takes it. `frame` stays intact until several more have been prepared."""
        return frame

    @abstractmethod
    def encode(self, prepared: Any) -> Sequence[Packet]: ...

    def parts(self) -> Mapping[str, int]:
        """Bytes of the frame just encoded by the parts of its packet; empty for a codec that does not tell."""
        return {}

    def finish(self) -> Sequence[Packet]:
        return ()

    @abstractmethod
    def decode(self, packet: Packet) -> Sequence[Any]: ...

    def drain(self) -> Sequence[Any]:
        return ()

    def picture(self, decoded: Any) -> Frame:
        """The decoded frame as BGRX; its X says nothing."""
        frame: Frame = decoded
        return frame


CodecFactory: TypeAlias = Callable[[Scene], Codec]


class Fastframe(Codec):
    """This project, at one of its efforts."""

    def __init__(self, effort: str) -> None:
        self.version = ff.__version__
        self.name = f"{OURS} {effort}"
        self.settings = f'EncoderConfig(effort="{effort}"), kernels: {_core.isa()}'
        self._encoder = ff.Encoder(ff.EncoderConfig(effort=effort))
        self._decoder = ff.Decoder()

    def encode(self, prepared: Frame) -> Sequence[bytes]:
        return (self._encoder.encode(prepared),)

    def parts(self) -> Mapping[str, int]:
        stats = self._encoder.stats
        assert stats is not None
        headers = stats.packet_bytes - sum(stats.plane_bytes.values())
        return {HEADERS: headers} | {name: stats.plane_bytes[name] for name in _core.PLANES}

    def decode(self, packet: bytes) -> Sequence[Frame]:
        self._decoder.decode(packet)
        return (self._decoder.frame,)
