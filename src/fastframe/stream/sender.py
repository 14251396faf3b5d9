"""The customer's end: frames in, messages out.

Frames are encoded late. While the line is full, `send_frame` only remembers where the screen has changed; when there is
room again, it asks for a frame (`FrameWanted`) and encodes what the screen shows then. What has been encoded is never
dropped, since the packets of an epoch form a chain.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import replace
from operator import attrgetter
from typing import Any

from fastframe._frames import checked_frame
from fastframe.codec import Encoder, EncoderConfig
from fastframe.codec.packet import Header
from fastframe.errors import LocalProtocolError
from fastframe.limits import Limits
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.config import SenderConfig
from fastframe.stream.connection import Rejected, checked_display, checked_state
from fastframe.stream.consent import ConsentGate
from fastframe.stream.damage import SMALL_TILES, DamageMap, Rectangle
from fastframe.stream.effort import effort_for
from fastframe.stream.flow import FlowControl
from fastframe.stream.outlet import Outlet
from fastframe.stream.pairing import PairingKey
from fastframe.stream.serving import KEYFRAME_INTERVAL, Serving
from fastframe.stream.statistics import StreamStatistics

# Of the tiles' mean bytes, the weight of the last packet.
TILE_BYTES_WEIGHT = 0.25
FPS_SECONDS = 2.0

_INFINITY = math.inf


class _DisplayOutlet(Outlet):
    """One display's encoder, and what of it is still to be sent."""

    def __init__(self, display: int, flow: FlowControl, last: tuple[int, int] | None) -> None:
        super().__init__(display, flow, last)
        self.encoder: Encoder | None = None
        self.effort = ""
        # The last packet's place on a grid of times of the most frames a second.
        self.paced_at = -_INFINITY
        self.next_epoch = 1 if last is None else last[0] + 1
        self.damage: DamageMap | None = None
        # The encoder holds tiles back that did not fit into the last packet.
        self.partial = False
        # Bytes that a tile given to the encoder came to, on average.
        self.tile_bytes = 400.0

    def has_work(self) -> bool:
        """Whether the viewer may lack something."""
        damage = self.damage
        return self.needs_keyframe or self.partial or (damage is not None and damage.any)

    def forget(self) -> None:
        Outlet.forget(self)
        self.encoder, self.damage, self.partial = None, None, False


class Sender(Serving):
    """Sends the displays of one customer to one viewer (or to a `Relay`, for many).

    It does no I/O and has no clock. A transport does this, in any order and as often as it likes::

        sender.receive(data, now)                 # for each message that has come in
        answer = sender.poll(now)                 # list: send these messages; number: call again at that time
        while (event := sender.next_event()) is not None:
            ...                                   # FrameWanted: capture, then sender.send_frame(...), and poll again

    While the transport's own buffer is full, it does not poll. `now` is in seconds of a clock that does not go back,
    the same for all calls and for the gate. Not for use by two threads at once. Everything that is kept is bounded:
    packets by the flow control's window of at most 4 MiB, encoders by their own figures, all else by a number.

    Parameters
    ----------
    gate
        The customer's consents. Without `view` no pixel is read and none is sent.
    config
        Settings; `SenderConfig()` if omitted.
    pairing
        If given, the viewer must state this key on its first connection.
    """

    def __init__(
        self, gate: ConsentGate, config: SenderConfig | None = None, *, pairing: PairingKey | None = None
    ) -> None:
        super().__init__(gate, SenderConfig() if config is None else config, pairing)
        self._interval = 1 / self._config.max_fps
        self._sent_times: deque[float] = deque(maxlen=int(FPS_SECONDS * 1000))
        self._frame_count = self._held_back = self._keyframes = 0
        self._packet_bytes = self._frame_bytes = 0

    def send_frame(
        self, display: int, frame: Any, damage: Iterable[tuple[int, int, int, int]] | None, now: float
    ) -> bool:
        """Encodes a frame if there is room on the line; otherwise only remembers where it has changed.

        Parameters
        ----------
        display
            Its number, one of `set_displays`.
        frame
            As for `Encoder.encode`, and of the display's size; only read during the call.
        damage
            As for `Encoder.encode`: what has changed since the last call, whether that one encoded anything or not.
        now
            The time.

        Returns
        -------
        bool
            Whether a packet was made. If not, or if not everything fitted into it, `FrameWanted` comes when there is
            room; nothing has to be kept until then. A display that has grown beyond what the viewer holds ends the
            session (`Closed`).

        Raises
        ------
        ConsentRequired
            `view` is not granted. The frame has not been touched.
        LocalProtocolError
            A wrong argument, or the session is closed.
        FastframeError
            Memory ran out; the next frame begins anew.
        """
        self._set_time(now)
        quiet_until, self._quiet_until = self._quiet_until, -_INFINITY
        if not self._is_open:
            checked_state(self)
        outlet: _DisplayOutlet = checked_display(self._outlets, display)
        self._require_needs()
        frame = checked_frame(frame, outlet.width, outlet.height)
        damage_map = outlet.damage
        if damage_map is None or damage_map.width != outlet.width or damage_map.height != outlet.height:
            if not _holds(self.limits, outlet.width, outlet.height):
                self.close(now, m.ByeReason.LIMITS, f"display {display} has more pixels than the viewer holds")
                return False
            damage_map = DamageMap(outlet.width, outlet.height)
        damage_map.add(damage)
        outlet.damage = damage_map
        outlet.wanted = False
        if not outlet.has_work():
            return False
        if not self._may_send() or self._ready_at(outlet) > self._now + 1e-9:
            self._held_back += 1
            return False
        self._encode(outlet, damage_map, frame)
        look_at = self._look_at()
        self._quiet_until = look_at if look_at < quiet_until else quiet_until
        return True

    @property
    def effort(self) -> str:
        """That of the packets to come: `SenderConfig.effort`, which may be "auto", until it is set.

        Behind a `Relay` set it to `Relay.effort_after(sender.effort)` now and then.

        Raises
        ------
        LocalProtocolError
            Set to another word.
        """
        return self._config.effort

    @effort.setter
    def effort(self, effort: str) -> None:
        self._config = replace(self._config, effort=effort)

    def is_behind(self, display: int) -> bool:
        """Whether something that `send_frame` was told of has not been encoded yet.

        While it is, a packet that completes the encoder's frame (`FrameUpdate.complete`) does not complete the screen.
        """
        outlet: _DisplayOutlet = checked_display(self._outlets, display)
        return outlet.has_work()

    def statistics(self, now: float) -> StreamStatistics:
        """Figures of the line and the stream."""
        self._tick(now)
        flow = self._flow
        while self._sent_times and self._sent_times[0] < self._now - FPS_SECONDS:
            self._sent_times.popleft()
        return StreamStatistics(
            rtt=flow.rtt,
            base_rtt=flow.base_rtt,
            bandwidth=flow.bandwidth,
            queue_delay=flow.delay,
            window=flow.window,
            in_flight=flow.in_flight,
            frames_in_flight=flow.frames_in_flight,
            frames=self._frame_count,
            frames_held_back=self._held_back,
            keyframes=self._keyframes,
            fps=len(self._sent_times) / FPS_SECONDS,
            packet_bytes=self._packet_bytes,
            frame_bytes=self._frame_bytes,
            wire_bytes=self._wire_bytes,
        )

    def check_displays(self, displays: Iterable[m.Display]) -> tuple[m.Display, ...]:
        """The displays as `set_displays` takes them. Nothing changes; any thread may call this at any time.

        Raises
        ------
        LocalProtocolError
            They are no displays, more than 16, two of the same number, a field is out of its range, or one is beyond
            `SenderConfig.limits`.
        """
        checked = super().check_displays(displays)
        limits = self._config.limits
        for each in checked:
            if not _holds(limits, each.width, each.height):
                raise LocalProtocolError(
                    f"display {each.id} of {each.width} x {each.height} pixels, SenderConfig.limits are "
                    f"{limits.max_width} x {limits.max_height} and {limits.max_pixels} in all",
                    actual=(each.width, each.height),
                    limit=(limits.max_width, limits.max_height, limits.max_pixels),
                )
        return checked

    # -- how -------------------------------------------------------------------------------------------------

    def _new_outlet(self, display: int, last: tuple[int, int] | None) -> _DisplayOutlet:
        return _DisplayOutlet(display, self._flow, last)

    def _check_limits(self, limits: Limits) -> None:
        for each in self._displays:
            if not _holds(limits, each.width, each.height):
                # The viewer reads this, and may not know the size.
                raise Rejected(
                    m.ByeReason.LIMITS,
                    f"display {each.id} has more pixels than the viewer holds",
                    actual=(each.width, each.height),
                    limit=(limits.max_width, limits.max_height),
                )
        try:
            for effort in ("fast", "tight"):
                EncoderConfig(effort, limits)
        except LocalProtocolError as error:
            raise Rejected(m.ByeReason.LIMITS, f"the viewer's limits leave no room: {error}") from error

    def _look_at(self) -> float:
        if not self._config.reliable:
            return -_INFINITY  # to send again what is not acknowledged in time
        for outlet in self._outlets.values():
            if outlet.has_work():
                return -_INFINITY
        return self._flow.ping_at()

    def _serve(self) -> float:
        due = _INFINITY
        outlets: Collection[_DisplayOutlet] = self._outlets.values()
        if len(outlets) > 1:
            # Who has waited longest comes first, since the first that answers takes the room.
            outlets = sorted(outlets, key=attrgetter("sent_at"))
        for outlet in outlets:
            if outlet.wanted or not outlet.has_work():
                continue
            ready_at = self._ready_at(outlet)
            if ready_at <= self._now + 1e-9:
                outlet.wanted = True
                self._events.append(e.FrameWanted(outlet.display))
            else:
                due = min(due, ready_at)
        return due

    def _ready_at(self, outlet: _DisplayOutlet) -> float:
        """When a packet of this display may be made; `inf`: not before something has come from the viewer."""
        due = outlet.paced_at + self._interval
        if self._flow.frames_in_flight <= 1:
            # Half an interval before its time: a picture after a pause often shows a drawing half done.
            due -= self._interval / 2
        if outlet.needs_keyframe:
            due = max(due, outlet.keyframe_at + KEYFRAME_INTERVAL)
        if due > self._now + 1e-9:
            return due
        ready_at = self._flow.ready_at(self._now)
        return _INFINITY if ready_at is None else ready_at

    def _encode(self, outlet: _DisplayOutlet, damage_map: DamageMap, frame: Any) -> None:
        budget = self._flow.budget()
        encoder = outlet.encoder
        keyframe = outlet.needs_keyframe or encoder is None
        effort = self._effort(outlet)
        if encoder is None:
            config = EncoderConfig(effort, self.limits, first_epoch=outlet.next_epoch, threads=self._config.threads)
            encoder = outlet.encoder = Encoder(config)
        elif effort is not outlet.effort:
            encoder.effort = effort
        outlet.effort = effort
        damage, tiles = self._choose(outlet, damage_map, budget, keyframe)
        held_back = outlet.partial
        try:
            packet = encoder.encode(frame, damage=damage, keyframe=keyframe, budget=budget)
        except BaseException:
            damage_map.add(None)
            raise
        header = encoder.header
        assert header is not None
        self._sent_packet(outlet, packet, header, damage_map)
        if tiles and not held_back:
            # Of a packet that was cut short nobody knows how many tiles are in it: not all, so it is more for each.
            mean = len(packet) / tiles * (2 if outlet.partial else 1)
            outlet.tile_bytes += TILE_BYTES_WEIGHT * (mean - outlet.tile_bytes)

    def _choose(
        self, outlet: _DisplayOutlet, damage_map: DamageMap, budget: int, keyframe: bool
    ) -> tuple[list[Rectangle] | None, int]:
        """What of the damage the encoder gets now, and how many tiles that are.

        What does not fit into a packet stays in the encoder and is sent in turn, with no regard to urgency. So it gets
        little more than fits, and nothing but small changes while it has something left.
        """
        if not keyframe and outlet.partial and not damage_map.unknown:
            return damage_map.take(SMALL_TILES, self._pointer_on(outlet.display), small=True), 0
        if keyframe or damage_map.unknown:
            return damage_map.take_all(), 0
        tiles = damage_map.count()
        if tiles * outlet.tile_bytes <= 2 * budget:
            return damage_map.take_all(), tiles
        tiles = max(1, int(1.5 * budget / outlet.tile_bytes))
        return damage_map.take(tiles, self._pointer_on(outlet.display)), tiles

    def _sent_packet(self, outlet: _DisplayOutlet, packet: bytes, header: Header, damage_map: DamageMap) -> None:
        outlet.partial = header.partial
        if header.keyframe:
            outlet.needs_keyframe = False
            outlet.keyframe_at = self._now
            outlet.next_epoch = header.epoch + 1
            self._keyframes += 1
        outlet.paced_at = max(outlet.paced_at + self._interval, self._now)
        self._send_new(outlet, header.epoch, header.sequence, packet)
        self._frame_count += 1
        self._packet_bytes += len(packet)
        if not outlet.has_work():
            self._frame_bytes += damage_map.width * damage_map.height * 4
        self._sent_times.append(self._now)

    def _effort(self, outlet: _DisplayOutlet) -> str:
        if self._config.effort != "auto":
            return self._config.effort
        return effort_for(self._flow, "balanced" if outlet.encoder is None else outlet.effort)

    def _pointer_on(self, display: int) -> tuple[int, int] | None:
        position = self._pointer.position
        return (position.x, position.y) if position is not None and position.display == display else None


def _holds(limits: Limits, width: int, height: int) -> bool:
    return width <= limits.max_width and height <= limits.max_height and width * height <= limits.max_pixels
