"""What one side is willing to hold in memory for the other."""

from dataclasses import dataclass, fields

from fastframe._arguments import checked_int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that are checked before anything is allocated.

    A decoder refuses packets beyond its limits with `RemoteProtocolError`; an encoder refuses frames beyond the
    limits in its configuration with `LocalProtocolError`.

    Parameters
    ----------
    max_width, max_height
        Largest side of a frame in pixels, at most 65535 (the wire format holds 16 bits).
    max_pixels
        Largest area of a frame. The default admits 7680 x 4320 (8K), whose framebuffer takes 127 MiB. It bounds time as
        well: whatever a packet says, a pixel takes a decoder a quarter of a microsecond at most, 8 s for an 8K frame.
    max_packet_bytes
        Longest packet. A worst-case keyframe (noise) is a little longer than 3 bytes a pixel.
    max_window_log
        Base-2 logarithm of the largest zstd window a decoder allocates for each plane; 10 to 23.
    max_cache_slots
        Tiles kept to be shown again, at 16 KiB each; 0 turns the tile cache off, 4096 is the most.
    """

    max_width: int = 16384
    max_height: int = 16384
    max_pixels: int = 7680 * 4320
    max_packet_bytes: int = 128 * 2**20
    max_window_log: int = 23
    max_cache_slots: int = 512

    def __post_init__(self) -> None:
        for field in fields(self):
            lowest, highest = _RANGES[field.name]
            value = checked_int(getattr(self, field.name), field.name, lowest, highest)
            object.__setattr__(self, field.name, value)


# What the wire format can say, or less where more would be of no use.
_RANGES = {
    "max_width": (1, 65535),
    "max_height": (1, 65535),
    "max_pixels": (1, 2**30),
    "max_packet_bytes": (1, 2**31 - 1),
    "max_window_log": (10, 23),
    "max_cache_slots": (0, 4096),
}
