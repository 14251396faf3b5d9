"""Settings of endpoints, and the largest messages that common transports carry."""

from dataclasses import dataclass, field
from typing import Final

from fastframe._arguments import checked, checked_bool, checked_choice, checked_int, checked_number, checked_text
from fastframe.codec import EncoderConfig
from fastframe.errors import LocalProtocolError
from fastframe.limits import Limits
from fastframe.stream.effort import EFFORTS
from fastframe.stream.messages import LEAST_MAX_MESSAGE, MAX_CAPABILITIES, MAX_NAME


class MaxFragment:
    """Largest messages in bytes, for `max_fragment`."""

    # No transport needs it: so that a cursor or a key need not wait long behind a part of a picture.
    DEFAULT: Final = 256 * 1024
    # LiveKit's data packets must be below 16 KiB with its own wrapping.
    LIVEKIT: Final = 15 * 1024
    # The largest that WebRTC data channels carry between all browsers (RFC 8831, 6.6).
    WEBRTC: Final = 16 * 1024
    # NATS takes 1 MiB unless its server is told otherwise; the rest is for its headers.
    NATS: Final = 900 * 1024


def _check_names(name: str, capabilities: tuple[str, ...]) -> None:
    if not isinstance(capabilities, tuple):
        raise LocalProtocolError(f"capabilities must be a tuple of names, not {capabilities!r}", actual=capabilities)
    checked_text(name, "name", MAX_NAME)
    for each in capabilities:
        checked_text(each, "a capability", MAX_NAME)
    if len(capabilities) > MAX_CAPABILITIES:
        raise LocalProtocolError(f"at most {MAX_CAPABILITIES} capabilities can be stated", limit=MAX_CAPABILITIES)


def _check_endpoint(config: "SenderConfig | ReceiverConfig", *times: str) -> None:
    max_fragment = checked_int(config.max_fragment, "max_fragment", LEAST_MAX_MESSAGE, 2**31 - 1)
    object.__setattr__(config, "max_fragment", max_fragment)
    for name in times:
        value = checked_number(getattr(config, name), name)
        if value <= 0:
            raise LocalProtocolError(f"{name} must be a positive number of seconds, not {value!r}", actual=value)
        object.__setattr__(config, name, value)


@dataclass(frozen=True, slots=True)
class SenderConfig:
    """Settings of a `Sender`.

    Parameters
    ----------
    name
        What the viewer is told, such as the machine's name.
    max_fragment
        Largest message in bytes that is sent or accepted; the viewer's own bound is kept to as well.
    effort
        As in `EncoderConfig`, or "auto": chosen by the measured bandwidth for each frame. Between "fast" and "balanced"
        it makes a difference from the next keyframe on (`Encoder.effort`).
    threads
        As in `EncoderConfig`.
    limits
        As in `EncoderConfig`; the viewer's own limits are kept to as well.
    max_fps
        Frames a second of one display that are encoded at most.
    reliable
        Whether the transport delivers every message in order (TCP, QUIC streams, WebSocket, ordered data channels,
        brokers). If it does so only with messages that are not `Message.droppable`, packets that are not acknowledged
        in time are sent again.
    keepalive
        Seconds without a message from the peer after which it is asked for one; after three times as long the
        connection counts as lost.
    resume_for
        Seconds that a session whose connection is lost waits for the viewer to come back.
    capabilities
        Names that products agree on.
    """

    name: str = ""
    max_fragment: int = MaxFragment.DEFAULT
    effort: str = "auto"
    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    max_fps: float = 60.0
    reliable: bool = True
    keepalive: float = 10.0
    resume_for: float = 60.0
    capabilities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_names(self.name, self.capabilities)
        _check_endpoint(self, "keepalive", "resume_for")
        object.__setattr__(self, "max_fps", checked_number(self.max_fps, "max_fps"))
        if not 0 < self.max_fps <= 1000:
            raise LocalProtocolError(
                f"max_fps must be above 0 and at most 1000, not {self.max_fps!r}", actual=self.max_fps
            )
        object.__setattr__(self, "reliable", checked_bool(self.reliable, "reliable"))
        checked_choice(self.effort, (*EFFORTS, "auto"), "effort")
        # Raises for what is wrong about these.
        EncoderConfig("balanced" if self.effort == "auto" else self.effort, self.limits, threads=self.threads)


@dataclass(frozen=True, slots=True)
class ReceiverConfig:
    """Settings of a `Receiver`.

    Parameters
    ----------
    name
        What the customer's side is told, such as the technician's name.
    max_fragment
        Largest message in bytes that is sent or accepted.
    limits
        What this side is willing to hold for each display.
    decode
        Whether packets are decoded here. Otherwise they come out as `PacketReceived`, for a relay or a recording.
    auto_acknowledge
        Whether each packet is acknowledged once it is decoded (or received, with `decode=False`). Otherwise
        `acknowledge` has to be called, for example when the picture is on the screen.
    keepalive, capabilities
        As in `SenderConfig`.
    """

    name: str = ""
    max_fragment: int = MaxFragment.DEFAULT
    limits: Limits = field(default_factory=Limits)
    decode: bool = True
    auto_acknowledge: bool = True
    keepalive: float = 10.0
    capabilities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_names(self.name, self.capabilities)
        _check_endpoint(self, "keepalive")
        checked(self.limits, Limits, "limits")
        for name in ("decode", "auto_acknowledge"):
            object.__setattr__(self, name, checked_bool(getattr(self, name), name))
