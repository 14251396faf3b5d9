"""Frames to packets.

A frame passes three stages: the compiled core finds the changed tiles and writes them as planes, each plane goes
through its own zstd stream, and the packet is put together around them. All three move state that the decoder follows
(the reference, the colour tables, the pixel model, the streams), so a failure on the way cannot be undone: the encoder
then begins a new epoch with the next frame.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from operator import index
from time import perf_counter
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from fastframe._arguments import checked, checked_bool, checked_choice, checked_int, uninitialised
from fastframe._core import MAX_MODELLED_TILE_BYTES, MAX_TILE_BYTES, FrameEncoder
from fastframe._frames import checked_frame, clipped_damage
from fastframe.codec.packet import HEADER_ROOM, MAX_U32, Header, pack
from fastframe.codec.parts import FEW_TILES, WINDOW_TILES, Part, PlaneStream, Search, end_packet
from fastframe.codec.planes import (
    EFFORTS,
    MODELLED_PLANE,
    RECORD_PLANES,
    STREAMED_PLANES,
    PlaneCompressor,
    make_compressor,
)
from fastframe.codec.stats import FrameStats, PlaneSizes, frame_stats
from fastframe.codec.team import Team
from fastframe.errors import FastframeError, LocalProtocolError
from fastframe.limits import Limits

# A hash of the whole framebuffer costs about as much as comparing a frame, so it goes out with every keyframe and then
# with every 64th packet that changes something, 1 to 2 % of the time, and a fault shows within seconds. What takes long
# anyway should not take longer: it waits for a packet of few tiles, but not for more than as many packets again.
PACKETS_PER_HASH = 64

UNBOUNDED = 2**63
# What a packet takes besides its planes' bytes: the header, what the streams of small planes begin and end with, and
# the last bytes of the range coder.
PACKET_ROOM = HEADER_ROOM + 512

MAX_THREADS = 64
# Tiles of a window where there is a budget: what is analysed beyond it is of no use.
BUDGET_TILES = 8


def max_tile_bytes(effort: str) -> int:
    """More than one tile takes in all planes together."""
    return MAX_MODELLED_TILE_BYTES if EFFORTS[effort].modelled else MAX_TILE_BYTES


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Settings of an encoder.

    Parameters
    ----------
    effort
        "fast" (local networks: least time), "balanced", or "tight" (slow uplinks: least bytes). What "tight" codes
        takes the decoder as long as the encoder: an entirely new screen of 1920 x 1080 some 50 to 200 ms.
    limits
        What the peer is willing to hold: frames beyond it are refused, packets are kept below it (16 KiB at least, 56
        for "tight"), and what does not fit follows with the next frames, as with a budget.
    first_epoch
        Number of the first epoch, 0 to 2**32 - 1. A decoder accepts keyframes of later epochs only, so an encoder that
        continues for the decoder of an earlier one starts above its last epoch.
    threads
        How many threads share the work on a frame, 1 to 64: the caller's, and others that the encoder starts when a
        frame has much to do and that end with the encoder. Packets are the same bytes for every number. "tight" gains
        little, since every pixel of its model hangs on the one before.
    """

    effort: str = "balanced"
    limits: Limits = field(default_factory=Limits)
    first_epoch: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        checked_choice(self.effort, EFFORTS, "effort")
        checked(self.limits, Limits, "limits")
        least = PACKET_ROOM + max_tile_bytes(self.effort)
        if self.limits.max_packet_bytes < least:
            raise LocalProtocolError(
                f"an encoder needs room for one tile: limits.max_packet_bytes must be {least} or more, "
                f"not {self.limits.max_packet_bytes}",
                expected=least,
                actual=self.limits.max_packet_bytes,
            )
        object.__setattr__(self, "first_epoch", checked_int(self.first_epoch, "first_epoch", 0, MAX_U32))
        object.__setattr__(self, "threads", checked_int(self.threads, "threads", 1, MAX_THREADS))


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width > limits.max_width or height > limits.max_height or width * height > limits.max_pixels:
        raise LocalProtocolError(
            f"frame of {width} x {height} pixels, the limit is {limits.max_width} x {limits.max_height} "
            f"and {limits.max_pixels} in all",
            actual=(width, height),
            limit=(limits.max_width, limits.max_height, limits.max_pixels),
        )


def _checked_budget(budget: int | None) -> int | None:
    if budget is None:
        return None
    try:
        wanted = index(budget)
    except TypeError as error:
        raise LocalProtocolError(f"budget must be a number of bytes, not {budget!r}", actual=budget) from error
    if wanted < 1:
        raise LocalProtocolError(f"budget must be a positive number of bytes, not {budget!r}", actual=budget)
    return wanted


class Encoder:
    """Encodes the frames of one display, losslessly, each as what changed since the last one.

    Not for use by two threads at once: the second call raises `LocalProtocolError`. The GIL is released while pixels
    are compared, coded and compressed. No thread is started unless `EncoderConfig.threads` asks for more than one.

    Parameters
    ----------
    config
        Settings; `EncoderConfig()` if omitted.

    Raises
    ------
    LocalProtocolError
        For a wrong argument.
    FastframeError
        Memory ran out.
    """

    _config: EncoderConfig = uninitialised()
    _users: dict[object, None] = uninitialised()  # who is in, or tries to get in, in the order of coming

    def __init__(self, config: EncoderConfig | None = None) -> None:
        self._config = EncoderConfig() if config is None else checked(config, EncoderConfig, "config")
        # What the streams of the epoch are compressed with.
        self._compression = self._effort = EFFORTS[self._config.effort]
        self._users = {}
        self._team = Team(self._config.threads) if self._config.threads > 1 else None
        self._core: FrameEncoder | None = None
        self._compressors: dict[int, PlaneCompressor] = {}
        self._streams: dict[int, PlaneStream] = {}
        self._next_epoch = self._config.first_epoch
        self._epoch = 0
        self._sequence = 0
        self._left_over = 0
        self._packets_since_hash = 0
        # Compressed bits for each bit that the core's estimate says; only byte budgets use it.
        self._estimate_factor = 1.0
        self._last: tuple[int, bytes, PlaneSizes, dict[str, float]] | None = None
        self._header: Header | None = None
        self._prepare()

    def __getstate__(self) -> NoReturn:
        raise TypeError("an Encoder cannot be copied or pickled: two would go on from what one has sent")

    def _prepare(self) -> None:
        """Does now what does not depend on the first frame, which takes long enough."""
        try:
            self._compressors = self._make_compressors()
            for number in RECORD_PLANES if self._effort.modelled else STREAMED_PLANES:
                self._compressors[number].flush()  # gives nothing; zstd has its memory from then on
        except MemoryError as error:
            raise FastframeError(f"not enough memory for an encoder: {error}") from error

    def _make_compressors(self) -> dict[int, PlaneCompressor]:
        max_window_log = self._config.limits.max_window_log
        return {number: make_compressor(number, self._compression, max_window_log) for number in STREAMED_PLANES}

    @property
    def effort(self) -> str:
        """The effort of the frames to come, at first that of the configuration.

        May be set between two frames, as a line becomes slower or faster, and costs no bytes: whether the model draws
        ("tight") changes with the next frame. How hard zstd searches, all that "fast" and "balanced" differ in, changes
        with the next epoch. `LocalProtocolError` for what `EncoderConfig` refuses, and during a frame.
        """
        return self._config.effort

    @effort.setter
    def effort(self, effort: str) -> None:
        if not isinstance(effort, str) or effort != self._config.effort:
            if self._users:
                raise LocalProtocolError("the encoder is in use by another thread")
            self._config = replace(self._config, effort=effort)
            self._effort = EFFORTS[effort]

    @property
    def stats(self) -> FrameStats | None:
        """Figures of the last frame; `None` before the first. Stages: analysis, compression, packet.

        With several threads compression happens beside the analysis and counts as that.
        """
        return None if self._last is None else frame_stats(*self._last)

    @property
    def header(self) -> Header | None:
        """What the last packet says of itself, without reading it again; `None` before the first."""
        return self._header

    def encode(
        self,
        frame: Any,
        *,
        damage: Iterable[tuple[int, int, int, int]] | None = None,
        keyframe: bool = False,
        budget: int | None = None,
    ) -> bytes:
        """Encodes one frame.

        Parameters
        ----------
        frame
            Buffer of shape (H, W, 4), uint8, BGRX; rows may be any number of bytes apart, the pixels of a row must
            follow each other. X is ignored. The buffer is only read, and only during the call. If it is written to
            meanwhile, the decoder shows a mixture of both contents, and the next call finds the rest.
        damage
            Rectangles (x, y, width, height) in pixels that together hold every change since the last call, clipped to
            the frame. An empty iterable: nothing has changed. `None`: not known, look everywhere. Change outside of the
            damage is not seen until a later call covers it. A keyframe ignores the damage.
        keyframe
            Begin a new epoch, so that a decoder can start here. The first frame and a frame of another size do
            so by themselves.
        budget
            Bytes that the packet should not exceed by much. What does not fit stays for the next calls, in turn, so
            that no region starves; `FrameUpdate.complete` is false meanwhile. At least one tile goes out each time.

        Returns
        -------
        bytes
            One packet. All packets must reach the decoder in order; a frame without change gives one of about ten.

        Raises
        ------
        LocalProtocolError
            For a wrong argument; the encoder is as it was before.
        FastframeError
            Memory ran out; the next frame begins a new epoch.
        """
        me = object()
        try:
            # Whoever came first is in. (A lock would be left taken by an interrupt that strikes right after taking it.)
            self._users[me] = None
            first, *_ = self._users
            if first is not me:
                raise LocalProtocolError("the encoder is in use by another thread")
            array = checked_frame(frame)
            height, width = array.shape[:2]
            _check_size(width, height, self._config.limits)
            rectangles = None if damage is None else clipped_damage(damage, width, height)
            begins_epoch, bytes_wanted = checked_bool(keyframe, "keyframe"), _checked_budget(budget)
            try:
                return self._encode(array, rectangles, begins_epoch, bytes_wanted)
            except BaseException:
                # Also after KeyboardInterrupt: nobody knows how far it got, so the next frame begins a new epoch with
                # nothing of this one.
                self._core, self._compressors = None, {}
                raise
        except MemoryError as error:
            raise FastframeError(f"not enough memory to encode the frame: {error}") from error
        finally:
            self._users.pop(me, None)

    def _encode(
        self,
        frame: npt.NDArray[np.uint8],
        damage: list[tuple[int, int, int, int]] | None,
        keyframe: bool,
        budget: int | None,
    ) -> bytes:
        started = perf_counter()
        height, width = frame.shape[:2]
        core = self._core
        size_changed = core is None or (core.width, core.height) != (width, height)
        if core is None or size_changed or keyframe or self._sequence == MAX_U32:
            core = self._begin_epoch(width, height)
            keyframe, damage = True, None
        if core.modelled != self._effort.modelled:
            core.modelled = self._effort.modelled

        sizes: PlaneSizes = {}
        pieces: list[bytes] = []
        compressing = 0.0
        hashable_tiles = core.tiles if keyframe else self._hashable_tiles(core)
        if damage is None or damage or self._left_over:
            sizes, pieces, compressing = self._encode_tiles(core, frame, damage, budget, hashable_tiles)
        else:
            core.skip()
        analysed = perf_counter()

        self._sequence = 0 if keyframe else self._sequence + 1
        frame_hash = None
        if (keyframe or sizes) and core.coded <= hashable_tiles:
            frame_hash = core.hash()
            self._packets_since_hash = 0
        else:
            self._packets_since_hash += bool(sizes)
        begins = (width, height, self._config.limits.max_cache_slots)
        width, height, slots = begins if keyframe else (0, 0, 0)
        header = Header(self._epoch, self._sequence, keyframe, self._left_over > 0, width, height, slots, frame_hash)
        packet = pack(header, sizes, pieces)
        self._header = header
        seconds = {
            "analysis": analysed - started - compressing,
            "compression": compressing,
            "packet": perf_counter() - analysed,
        }
        self._last = len(packet), core.modes() if sizes else bytes(core.tiles), sizes, seconds
        return packet

    def _hashable_tiles(self, core: FrameEncoder) -> int:
        """Of how many tiles a packet that is no keyframe may be to go with a hash: none does of a negative number."""
        if self._packets_since_hash + 1 < PACKETS_PER_HASH:
            return -1
        return FEW_TILES - 1 if self._packets_since_hash + 1 < 2 * PACKETS_PER_HASH else core.tiles

    def _begin_epoch(self, width: int, height: int) -> FrameEncoder:
        core = self._core
        if core is None or (core.width, core.height) != (width, height):
            core = FrameEncoder(width, height, self._config.limits.max_cache_slots)
        else:
            core.reset()
        self._core = core
        if not self._compressors or self._compression is not self._effort:
            self._compression = self._effort
            self._compressors = self._make_compressors()
        for compressor in self._compressors.values():
            compressor.restart()
        self._streams = {
            number: PlaneStream(core, number, compressor) for number, compressor in self._compressors.items()
        }
        self._epoch = self._next_epoch
        self._next_epoch = (self._epoch + 1) & MAX_U32
        self._left_over = 0
        return core

    def _encode_tiles(
        self,
        core: FrameEncoder,
        frame: npt.NDArray[np.uint8],
        damage: list[tuple[int, int, int, int]] | None,
        budget: int | None,
        hashable_tiles: int,
    ) -> tuple[PlaneSizes, list[bytes], float]:
        """Codes changed tiles up to the budget. Returns the planes' sizes and bytes, and the seconds of compression."""
        search: Search | None = Search(core, frame, damage)
        window = WINDOW_TILES if budget is None else BUDGET_TILES
        # The core hands out its planes part by part, the modelled plane alone when the packet has ended.
        streams = self._streams
        written, seconds = PACKET_ROOM, 0.0
        while True:
            part = Part(core, streams, *self._room(budget, written), hashable_tiles)
            seconds += part.code(search) if self._team is None else part.share(self._team, window, search)
            search = None
            streamed = sum([stream.size for stream in streams.values()])
            before, written = written, PACKET_ROOM + streamed + core.modelled_bytes()
            if part.estimate:
                # An average over the last few parts, which one strange tile does not upset.
                factor = min(8.0, max(1 / 64, (written - before) * 8 / part.estimate))
                self._estimate_factor += 0.25 * (factor - self._estimate_factor)
            if part.ended:
                break
            used_up = budget is not None and (budget - written) * 8 < budget
            no_room = self._config.limits.max_packet_bytes - written < max_tile_bytes(self._config.effort)
            if used_up or no_room:
                break
        if not part.ended:
            end_packet(core, self._team, hashable_tiles)
        self._left_over = core.left
        sizes: PlaneSizes = {}
        pieces: list[bytes] = []
        for number, stream in streams.items():
            if stream.raw_size:
                sizes[number] = stream.raw_size, stream.size
                pieces += stream.take_pieces()
        if core.modelled_pixels:
            sizes[MODELLED_PLANE] = core.modelled_pixels, core.modelled_bytes()
            pieces.append(core.modelled_plane())
        return sizes, pieces, seconds

    def _room(self, budget: int | None, written: int) -> tuple[int, int]:
        """What the next tiles may take when `written` bytes are: bits by the estimate, and bytes before compression.

        What is within the peer's limit before compression stays within it, since nothing becomes larger than what it
        is, and its headers: one for each block that could not be compressed, which is as large as the window at most.
        """
        limits = self._config.limits
        byte_room = limits.max_packet_bytes - written
        byte_room -= 4 * (byte_room >> min(limits.max_window_log, 16))
        if budget is None:
            return UNBOUNDED, byte_room
        # Half of what is left each time: an estimate that is off by two still keeps to the budget. After a frame that
        # compressed by far better than estimated it may be off by more; four times the bytes is the most then. With the
        # model, whose bytes are known and not estimated, no such bound would hold, and nothing better than estimated is
        # hoped for.
        left = min(max(0, budget - written), byte_room)
        modelled = self._effort.modelled
        factor = max(1.0, self._estimate_factor) if modelled else self._estimate_factor
        bits = max(1, int(left * 8 * 0.5 / factor))
        return bits, byte_room if modelled else min(4 * left, byte_room)
