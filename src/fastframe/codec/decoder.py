"""Packets to frames.

A packet is checked in order of cost, and nothing that can be seen changes until it is known to be good: length, CRC and
header, then the chain (epoch, sequence number), then the sizes of the planes, then each plane through zstd, then every
operation. Only then is it drawn. After any fault the decoder is dead until the next keyframe: zstd's streams, the
colour tables and the pixel model cannot go on from a gap, and a wrong pixel is worse than an old one.
"""

from dataclasses import dataclass
from time import perf_counter
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from fastframe._arguments import checked, uninitialised
from fastframe._core import PLANES, TILE_SIZE, FrameDecoder, PlaneError, plane_capacities
from fastframe.codec.packet import MAX_U32, Header, parse_header, parse_planes
from fastframe.codec.planes import MODELLED_PLANE, PlaneDecompressor
from fastframe.codec.stats import FrameStats, PlaneSizes, TileMap, frame_stats
from fastframe.errors import FastframeError, LocalProtocolError, RemoteProtocolError
from fastframe.geometry import Rect
from fastframe.limits import Limits

Framebuffer = npt.NDArray[np.uint8]
BLACK = 0xFF000000


@dataclass(frozen=True, slots=True)
class FrameUpdate:
    """What one packet did to the frame.

    Attributes
    ----------
    epoch, sequence
        The packet's place in the stream.
    keyframe
        Whether the packet began an epoch; the frame may have another size now, and every pixel may have changed.
    dirty
        Rectangles in pixels that hold every change. They do not overlap. A keyframe has one, the whole frame.
    complete
        Whether the frame now equals the encoder's; false while a byte budget holds tiles back.
    """

    epoch: int
    sequence: int
    keyframe: bool
    dirty: tuple[Rect, ...]
    complete: bool = True


class _Epoch:
    """Everything that a keyframe begins anew."""

    def __init__(self, header: Header) -> None:
        self.number = header.epoch
        self.next_sequence = 0
        self.width, self.height = header.width, header.height
        self.core = FrameDecoder(header.width, header.height, header.cache_slots)
        self.streams: dict[int, PlaneDecompressor] = {}
        self.capacities = plane_capacities(header.width, header.height)
        black = np.full((header.height, header.width), BLACK, "<u4")
        self.frame = black.view(np.uint8).reshape(header.height, header.width, 4)
        # Where packets with a hash are drawn; then the two change places. Made when first needed.
        self.spare: Framebuffer | None = None


class Decoder:
    """Decodes the packets of one encoder into a framebuffer.

    Not for use by two threads at once: the second call raises `LocalProtocolError`. The GIL is released while planes
    are decompressed, checked and drawn.

    Parameters
    ----------
    limits
        Bounds that packets are held to before memory is allocated; `Limits()` if omitted.
    """

    _users: dict[object, None] = uninitialised()  # who is in, or tries to get in, in the order of coming
    _frame: Framebuffer | None = uninitialised()

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = Limits() if limits is None else checked(limits, Limits, "limits")
        self._users = {}
        # None: no keyframe yet, or dead until the next one.
        self._epoch: _Epoch | None = None
        self._last_epoch_number: int | None = None
        self._frame = None
        # Of the last good packet: length, modes, weights of the coded tiles, sizes of the planes, seconds by stage.
        self._last: tuple[int, bytes, bytes, PlaneSizes, dict[str, float]] | None = None

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Decoder cannot be copied or pickled: two would draw into one frame")

    @property
    def frame(self) -> Framebuffer:
        """The last good frame: a read-only view (H, W, 4), uint8, BGRX with X = 255.

        It shows every packet that was decoded, without a copy, so its contents change with the next `decode`. After a
        keyframe or a packet with a hash it is another buffer: fetch it after each `decode`, and copy what has to stay.

        Raises
        ------
        LocalProtocolError
            Before the first keyframe.
        """
        if self._frame is None:
            raise LocalProtocolError("there is no frame yet: no keyframe has been decoded")
        # Not a view with a flag, which could be set again: what were written there would be in all later frames.
        return np.asarray(self._frame.data.toreadonly())

    @property
    def stats(self) -> FrameStats | None:
        """Figures of the last good packet; `None` before the first. Stages: parsing, decompression, drawing."""
        if self._last is None:
            return None
        packet_bytes, modes, _, sizes, seconds = self._last
        return frame_stats(packet_bytes, modes, sizes, seconds)

    def tile_map(self) -> TileMap:
        """Mode and cost of each tile in the last good packet.

        Raises
        ------
        LocalProtocolError
            Before the first keyframe.
        """
        if self._last is None:
            raise LocalProtocolError("there is no tile map yet: no keyframe has been decoded")
        _, modes, weight_bytes, sizes, _ = self._last
        height, width = self.frame.shape[:2]
        shape = (-(-height // TILE_SIZE), -(-width // TILE_SIZE))
        coded = np.frombuffer(weight_bytes, np.uint32).reshape(-1, 1 + len(PLANES))
        tiles, weights = coded[:, 0], coded[:, 1:]
        cost = np.zeros(shape, np.float32)
        for number, (_, size) in sizes.items():
            plane = weights[:, number]
            cost.reshape(-1)[tiles] += plane * np.float32(size / plane.sum())
        return TileMap(TILE_SIZE, np.frombuffer(modes, np.uint8).reshape(shape), cost)

    def decode(self, packet: bytes | bytearray | memoryview) -> FrameUpdate:
        """Decodes one packet.

        Parameters
        ----------
        packet
            Bytes-like object; read only during the call.

        Raises
        ------
        RemoteProtocolError
            The packet is damaged, hostile, out of order or beyond the limits. `frame` keeps the last good frame, and
            every further packet is refused until a keyframe of a later epoch comes.
        LocalProtocolError
            The argument is no bytes-like object, or another thread is decoding.
        FastframeError
            Memory ran out; the decoder waits for a keyframe as well.
        """
        try:
            data = memoryview(packet).cast("B")
        except (TypeError, ValueError) as error:
            raise LocalProtocolError(f"a packet must be a contiguous bytes-like object: {error}") from error
        me = object()
        try:
            self._users[me] = None  # as in `Encoder.encode`
            first, *_ = self._users
            if first is not me:
                raise LocalProtocolError("the decoder is in use by another thread")
            try:
                return self._decode(data)
            except BaseException as error:
                # Also after KeyboardInterrupt: zstd's streams, the colour tables and the model may have moved on.
                self._epoch = None
                if isinstance(error, MemoryError):
                    raise FastframeError(f"not enough memory to decode the packet: {error}") from error
                raise
        finally:
            self._users.pop(me, None)

    def _decode(self, data: memoryview) -> FrameUpdate:
        started = perf_counter()
        header, mask, rest = parse_header(data, self._limits)
        if header.keyframe:
            self._check_keyframe(header)
            planes = parse_planes(rest, mask, plane_capacities(header.width, header.height))
            epoch = _Epoch(header)
        else:
            epoch = self._continued_epoch(header)
            planes = parse_planes(rest, mask, epoch.capacities)
        parsed = perf_counter()

        raw: list[Any] = [b""] * len(PLANES)
        modelled_pixels = 0
        for number, plane in planes.items():
            if number == MODELLED_PLANE:
                raw[number], modelled_pixels = plane.data, plane.raw_size
            else:
                raw[number] = self._stream(epoch, number).decompress(plane.data, plane.raw_size)
        decompressed = perf_counter()

        frame = epoch.frame
        if header.frame_hash is not None and not header.keyframe:
            # Only the result tells whether it is right, so the good frame stays as it is. (A keyframe's is new anyway.)
            if epoch.spare is None:
                epoch.spare = np.empty_like(frame)
            frame, epoch.spare = epoch.spare, frame
            np.copyto(frame, epoch.spare)
        try:
            dirty = epoch.core.decode(raw, modelled_pixels, frame)
        except PlaneError as error:
            raise RemoteProtocolError(str(error)) from error
        if header.frame_hash is not None:
            actual = epoch.core.hash(frame)
            if actual != header.frame_hash:
                raise RemoteProtocolError(
                    f"the frame differs from the encoder's: its hash is {actual:016x}, not {header.frame_hash:016x}",
                    expected=header.frame_hash,
                    actual=actual,
                )

        sizes = {number: (plane.raw_size, len(plane.data)) for number, plane in planes.items()}
        seconds = {
            "parsing": parsed - started,
            "decompression": decompressed - parsed,
            "drawing": perf_counter() - decompressed,
        }
        last = len(data), epoch.core.modes(), epoch.core.weights(), sizes, seconds
        if header.keyframe:
            rectangles: tuple[Rect, ...] = (Rect(0, 0, epoch.width, epoch.height),)
        else:
            rectangles = tuple(map(Rect._make, dirty))
        update = FrameUpdate(header.epoch, header.sequence, header.keyframe, rectangles, not header.partial)

        epoch.frame = self._frame = frame
        epoch.next_sequence = header.sequence + 1
        self._epoch, self._last_epoch_number, self._last = epoch, header.epoch, last
        return update

    def _check_keyframe(self, header: Header) -> None:
        """Refuses a keyframe that was replayed or whose frame is beyond the limits."""
        last = self._last_epoch_number
        # Serial number arithmetic (RFC 1982): epochs may wrap around.
        if last is not None and not 0 < (header.epoch - last) & MAX_U32 < 2**31:
            raise RemoteProtocolError(
                f"keyframe of epoch {header.epoch} after epoch {last}: replayed or out of order",
                expected=(last + 1) & MAX_U32,
                actual=header.epoch,
            )
        if header.sequence != 0:
            raise RemoteProtocolError(
                f"keyframe with sequence number {header.sequence}, it must be 0",
                expected=0,
                actual=header.sequence,
            )
        width, height, limits = header.width, header.height, self._limits
        if width == 0 or height == 0:
            raise RemoteProtocolError(f"keyframe without pixels: {width} x {height}", actual=(width, height))
        if header.cache_slots > limits.max_cache_slots:
            raise RemoteProtocolError(
                f"keyframe asks for {header.cache_slots} cache slots, the limit is {limits.max_cache_slots}",
                actual=header.cache_slots,
                limit=limits.max_cache_slots,
            )
        if width > limits.max_width or height > limits.max_height or width * height > limits.max_pixels:
            raise RemoteProtocolError(
                f"keyframe of {width} x {height} pixels, the limit is {limits.max_width} x {limits.max_height} "
                f"and {limits.max_pixels} in all",
                actual=(width, height),
                limit=(limits.max_width, limits.max_height, limits.max_pixels),
            )

    def _continued_epoch(self, header: Header) -> _Epoch:
        """The epoch that a packet continues; refuses packets that do not come next."""
        epoch = self._epoch
        if epoch is None:
            raise RemoteProtocolError(
                f"packet {header.sequence} of epoch {header.epoch} while waiting for a keyframe",
                actual=(header.epoch, header.sequence),
            )
        if (header.epoch, header.sequence) != (epoch.number, epoch.next_sequence):
            raise RemoteProtocolError(
                f"packet {header.sequence} of epoch {header.epoch} instead of packet {epoch.next_sequence} "
                f"of epoch {epoch.number}: lost, replayed or out of order",
                expected=(epoch.number, epoch.next_sequence),
                actual=(header.epoch, header.sequence),
            )
        return epoch

    def _stream(self, epoch: _Epoch, number: int) -> PlaneDecompressor:
        stream = epoch.streams.get(number)
        if stream is None:
            stream = epoch.streams[number] = PlaneDecompressor(number, self._limits.max_window_log)
        return stream
