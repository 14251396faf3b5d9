"""The figures that a product shows: no identifiers, no pixels."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """How the line and the stream are doing. Times in seconds, bandwidth in bytes a second.

    Attributes
    ----------
    rtt, base_rtt
        Round trip of late, and the line's own without queues; `None` before the first acknowledgement.
    bandwidth
        What the line carries, as far as it was used; `None` before the first acknowledgement.
    queue_delay
        How long packets of late have waited on the line.
    window, in_flight
        Bytes that may be, and that are, without acknowledgement.
    frames_in_flight
        Packets without acknowledgement.
    frames, frames_held_back
        Frames encoded, and calls of `send_frame` that had to wait for the line.
    fps
        Frames encoded a second, over the last two seconds or so.
    packet_bytes, frame_bytes, wire_bytes
        Bytes of all packets, of the frames that they brought about in full (4 a pixel), and of all messages.
    keyframes
        How many of the frames were keyframes.
    """

    rtt: float | None
    base_rtt: float | None
    bandwidth: float | None
    queue_delay: float
    window: int
    in_flight: int
    frames_in_flight: int
    frames: int
    frames_held_back: int
    keyframes: int
    fps: float
    packet_bytes: int
    frame_bytes: int
    wire_bytes: int

    @property
    def ratio(self) -> float:
        """Bytes of frames for one byte of packets; 0 before the first."""
        return self.frame_bytes / self.packet_bytes if self.packet_bytes else 0.0
