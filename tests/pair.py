"""An encoder and its decoder, joined without a transport, and what tests put into them."""

from typing import Any

from pictures import desktop

from fastframe import Decoder, Encoder, EncoderConfig, FrameStats, FrameUpdate

GOOD = desktop(80, 70)


class Pair:
    """An encoder and the decoder that gets its packets."""

    def __init__(self, config: EncoderConfig | None = None) -> None:
        self.encoder, self.decoder = Encoder(config), Decoder()

    def send(self, frame: Any, **arguments: Any) -> FrameUpdate:
        return self.decoder.decode(self.encoder.encode(frame, **arguments))

    @property
    def sent(self) -> FrameStats:
        """The encoder's figures of the last frame."""
        assert self.encoder.stats is not None
        return self.encoder.stats


class InterfaceOnly:
    """A frame that only has numpy's array interface, as mss's screenshots do."""

    def __init__(self, **interface: Any) -> None:
        self.__array_interface__ = {"version": 3, "typestr": "|u1", **interface}
