"""The technician's end: messages in, pictures out.

Packets of a display form a chain. Each is looked at before it is decoded: one that was seen before is dropped, and
where one is missing, the sender is asked to go on from there, which costs no keyframe if it still has the packets. What
comes meanwhile waits for it. Only a packet that is damaged needs a keyframe.
"""

import contextlib
import math
import zlib
from collections import deque
from collections.abc import Container, Iterable

import numpy as np
import numpy.typing as npt

from fastframe._arguments import checked, checked_int, checked_member
from fastframe.codec import Decoder
from fastframe.codec.packet import MAX_U32, parse_header, peek_header
from fastframe.codec.packet import VERSION as PACKET_VERSION
from fastframe.errors import ConsentRequired, LocalProtocolError, RemoteProtocolError
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream import wire
from fastframe.stream.config import ReceiverConfig
from fastframe.stream.connection import Endpoint, Rejected, checked_display
from fastframe.stream.consent import MAX_CHANGES, ConsentState, Scope
from fastframe.stream.flow import MAX_WINDOW
from fastframe.stream.states import Action, Role, State

_INFINITY = math.inf

# What was asked for and has not come after so long is asked for again, each time after twice as long.
ASK_AGAIN_AFTER = 1.0
ASK_AGAIN_AT_MOST_AFTER = 8.0
# A packet that others have overtaken may only be late: for so long, or until so many have come, it is not asked for.
OVERTAKEN_FOR = 0.015
OVERTAKEN_BY = 3
# Packets of a display that wait for one that is missing: as much as flow control has on the line at most.
MAX_EARLY_PACKETS = 256
MAX_EARLY_BYTES = MAX_WINDOW

# Events of one display, which are stale when it is gone.
_OF_DISPLAY = (e.FrameReceived, e.PacketReceived, e.PictureLost, e.CursorMoved)


class _Screen:
    """What has come of one display."""

    def __init__(self, config: ReceiverConfig, before: "_Screen | None" = None) -> None:
        self.assembler = wire.PacketAssembler(config.limits.max_packet_bytes)
        self.decoder = Decoder(config.limits) if config.decode else None
        # The packet that comes next; None: only a keyframe does, of an epoch after the last one.
        self.next: tuple[int, int] | None = None
        self.last_epoch: int = -1 if before is None else before.last_epoch
        # The latest packet that has come, which may be acknowledged whatever has become of the picture since.
        self.arrived: tuple[int, int] | None = None if before is None else before.arrived
        # Packets of the same epoch, by their sequence numbers, that came before one that is missing.
        self.early: dict[int, memoryview] = {}
        self.early_bytes = 0
        self.early_since = 0.0
        # Packets are missing, and were asked for.
        self.asked_at: float | None = None
        self.patience = ASK_AGAIN_AFTER

    def keep_early(self, sequence: int, packet: memoryview, now: float) -> None:
        """A packet of this epoch has come before one that is missing."""
        if sequence not in self.early and len(self.early) < MAX_EARLY_PACKETS:
            if not self.early:
                self.early_since = now
            self.early[sequence] = packet
            self.early_bytes += len(packet)

    def may_be_late(self, now: float) -> bool:
        """Whether what is missing need not be lost: it has been overtaken by a few packets, a moment ago."""
        return 0 < len(self.early) < OVERTAKEN_BY and now < self.early_since + OVERTAKEN_FOR - 1e-9

    def missing(self) -> int:
        """How many packets are, from the one on that comes next; 0: nobody knows."""
        return min(self.early) - self.next[1] if self.early and self.next is not None else 0

    def take_early(self) -> memoryview | None:
        """The packet that comes next, if it has come already."""
        packet = None if self.next is None else self.early.pop(self.next[1], None)
        if packet is not None:
            self.early_bytes -= len(packet)
        return packet

    def clear_early(self) -> None:
        """Nothing waits any more."""
        self.early.clear()
        self.early_bytes = 0


class Receiver(Endpoint):
    """Shows the displays of one customer.

    It does no I/O and has no clock; it is driven as `Sender` is, after `connect`. Not for use by two threads at once.
    What it holds is bounded by `ReceiverConfig.limits` for each display.

    Parameters
    ----------
    config
        Settings; `ReceiverConfig()` if omitted.
    """

    def __init__(self, config: ReceiverConfig | None = None) -> None:
        self._config = ReceiverConfig() if config is None else checked(config, ReceiverConfig, "config")
        super().__init__(Role.RECEIVER, State.IDLE, self._config.max_fragment, self._config.keepalive)
        self._token = b""
        self._displays: tuple[m.Display, ...] = ()
        self._screens: dict[int, _Screen] = {}
        self._consents = dict.fromkeys(Scope, ConsentState.NONE)
        self._consent_changes = 0

    @property
    def displays(self) -> tuple[m.Display, ...]:
        """The customer's displays, as last told."""
        return self._displays

    def consent(self, scope: Scope) -> ConsentState:
        """The state of a scope, as last told."""
        return self._consents[checked_member(scope, Scope, "scope")]

    # -- what the caller does ------------------------------------------------------------------------------

    def connect(self, now: float, *, key: str = "", scopes: Iterable[Scope] = (Scope.VIEW,)) -> None:
        """Begins the session over a new transport, or continues the one whose transport was lost.

        Parameters
        ----------
        now
            The time.
        key
            The pairing key, where the customer's side asks for one.
        scopes
            What the customer is to be asked for when the session begins.

        Raises
        ------
        LocalProtocolError
            There is a connection already, the session is closed, or an argument is of a wrong type.
        """
        self._tick(now)
        try:
            scopes = tuple(scopes)
        except TypeError as error:
            raise LocalProtocolError(f"scopes must be several of the type Scope: {error}", actual=scopes) from error
        positions = tuple(
            m.Position(number, *screen.next)
            for number, screen in self._screens.items()
            if screen.next is not None and self._token
        )
        hello = m.encode(
            m.Hello(
                versions=m.VERSIONS,
                packet_versions=(PACKET_VERSION,),
                limits=m.WireLimits.of(self._config.limits),
                max_message=self._config.max_fragment,
                name=self._config.name,
                capabilities=self._config.capabilities,
                scopes=scopes,
                key=key,
                token=self._token,
                positions=positions,
            )
        )
        self._move(Action.CONNECT)
        self._error = None
        self._heard_at = None
        for screen in self._screens.values():
            screen.assembler.clear()
            screen.clear_early()
            screen.asked_at = None
        self._queue(hello)

    def frame(self, display: int) -> npt.NDArray[np.uint8]:
        """The picture of a display, (H, W, 4) uint8 BGRX, X = 255: a read-only view, as `Decoder.frame`.

        Who keeps it beyond a withdrawal keeps its pixels: they are not blanked.

        Raises
        ------
        ConsentRequired
            `view` is not granted, or not any more.
        LocalProtocolError
            There is no such display, or nothing of it has come yet.
        """
        self._require(Scope.VIEW)
        screen: _Screen = checked_display(self._screens, display)
        if screen.decoder is None:
            raise LocalProtocolError("this receiver does not decode")
        return screen.decoder.frame

    def acknowledge(self, display: int, epoch: int, sequence: int, now: float) -> None:
        """Tells that a packet, and all before it, have been shown; for `ReceiverConfig.auto_acknowledge=False`."""
        self._tick(now)
        screen: _Screen = checked_display(self._screens, display)
        epoch = checked_int(epoch, "epoch", 0, MAX_U32)
        sequence = checked_int(sequence, "sequence", 0, MAX_U32)
        if screen.arrived is None or (epoch, sequence) > screen.arrived:
            raise LocalProtocolError(
                f"packet {sequence} of epoch {epoch} has not come", expected=screen.arrived, actual=(epoch, sequence)
            )
        self._send(m.Ack(checked_int(display, "display", 0, MAX_U32), epoch, sequence))

    def request_keyframe(self, display: int, now: float) -> None:
        """Asks for a picture that hangs on nothing before it. The sender merges requests."""
        self._tick(now)
        checked_display(self._screens, display)
        self._send(m.KeyframeRequest(display))

    def request_consent(self, scope: Scope, now: float, *, text: str = "") -> None:
        """Asks the customer for a scope, with a line that says what for."""
        self._tick(now)
        self._send(m.ConsentRequest(scope, text))

    def send_pointer(
        self, display: int, x: int, y: int, now: float, *, buttons: int = 0, wheel: tuple[int, int] = (0, 0)
    ) -> None:
        """Moves the customer's pointer; `ConsentRequired` without `control`.

        Place in pixels of the display; buttons as bits (1 left, 2 right, 4 middle); wheel steps (x, y).
        """
        self._tick(now)
        self._require(Scope.CONTROL)
        try:
            wheel_x, wheel_y = wheel
        except (TypeError, ValueError) as error:
            raise LocalProtocolError(f"wheel must be steps (x, y), not {wheel!r}", actual=wheel) from error
        self._send(m.Pointer(display, x, y, buttons, wheel_x, wheel_y))

    def send_key(self, keysym: int, pressed: bool, now: float) -> None:
        """Presses or releases one of the customer's keys, an X11 keysym; `ConsentRequired` without `control`."""
        self._tick(now)
        self._require(Scope.CONTROL)
        self._send(m.Key(keysym, pressed))

    # -- what the sender does ------------------------------------------------------------------------------

    def _handle(self, message: m.ControlMessage) -> float:
        match message:
            case m.Welcome():
                self._welcomed(message)
            case m.Layout():
                self._set_displays(message.displays)
            case m.ConsentNotice():
                self._set_consent(message.scope, message.state)
            case m.CursorShape():
                self._events.append(_cursor_shape(message))
            case m.CursorPosition():
                self._events.append(e.CursorMoved(message.display, message.x, message.y, message.visible))
            case m.InputActivity():
                self._events.append(e.InputActivityChanged(message.party, message.name))
            case _:
                raise AssertionError(f"{message} is in no row of the table")
        return -_INFINITY

    def _welcomed(self, welcome: m.Welcome) -> None:
        if welcome.version not in m.VERSIONS or welcome.packet_version != PACKET_VERSION:
            raise Rejected(
                m.ByeReason.VERSION,
                f"the sender speaks version {welcome.version} and {welcome.packet_version} of packets",
                expected=(m.VERSIONS, PACKET_VERSION),
                actual=(welcome.version, welcome.packet_version),
            )
        if len(welcome.token) < 16:
            raise RemoteProtocolError(f"session token of {len(welcome.token)} bytes", expected=16)
        self._max_message = min(self._max_fragment, welcome.max_message)
        if not welcome.resumed:
            self._drop_events(self._screens)
            self._screens.clear()
            self._displays = ()
        self._token = welcome.token
        self._events.append(e.Connected(welcome.name, welcome.capabilities, welcome.resumed))
        for grant in welcome.grants:
            self._set_consent(grant.scope, grant.state)
        self._set_displays(welcome.displays)
        if welcome.paused is not self._pause_by_peer:
            self._pause_by_peer = welcome.paused
            self._events.append(e.PauseChanged(self._pause_by_us, self._pause_by_peer))
        if self._pause_by_us:
            self._send(m.Pause())

    def _set_displays(self, displays: tuple[m.Display, ...]) -> None:
        before = {display.id: display for display in self._displays}
        after = {display.id: display for display in displays}
        if len(after) != len(displays):
            raise RemoteProtocolError("two displays have the same number", actual=[each.id for each in displays])
        added = tuple(number for number in after if number not in before)
        removed = tuple(number for number in before if number not in after)
        changed = tuple(number for number in after if number in before and before[number] != after[number])
        self._displays = displays
        if removed:
            self._drop_events(removed)
        for number in removed:
            del self._screens[number]
        for number in added:
            self._screens[number] = _Screen(self._config)
        self._events.append(e.LayoutChanged(displays, added, removed, changed))

    def _set_consent(self, scope: Scope, state: ConsentState) -> None:
        before = self._consents[scope]
        if state is before:
            return
        # Requests and answers are bounded by the gate; this is far more.
        self._consent_changes += 1
        if self._consent_changes > 4 * MAX_CHANGES:
            raise RemoteProtocolError("consents change without end", limit=4 * MAX_CHANGES)
        self._consents[scope] = state
        if before is ConsentState.GRANTED and scope is Scope.VIEW:
            # What the customer does not want to be seen any more is not kept either.
            self._drop_events(self._screens)
            for number, screen in self._screens.items():
                self._screens[number] = _Screen(self._config, screen)
        if before is ConsentState.GRANTED and scope is Scope.FILES:
            self._events += self._files.clear()
        self._events.append(e.ConsentChanged(scope, before, state, self._now))

    def _drop_events(self, displays: Container[int]) -> None:
        """Displays, or their pictures, are gone: nothing of them is told afterwards."""
        self._events = deque(
            event for event in self._events if not (isinstance(event, _OF_DISPLAY) and event.display in displays)
        )

    def _handle_fragment(self, fragment: wire.FrameFragment) -> None:
        screen = self._screens.get(fragment.display)
        if screen is None or self._consents[Scope.VIEW] is not ConsentState.GRANTED:
            return  # it was on its way when the display or the consent went
        try:
            packet = screen.assembler.add(fragment)
        except wire.FragmentsLost as lost:
            self._lost(fragment.display, screen, str(lost), screen.missing() or 1)
            return
        if packet is None:
            self._check_held()
        else:
            self._take_packet(fragment.display, screen, packet)

    def _check_held(self) -> None:
        # Each display is within the limit by itself; together they may not be a multiple of it.
        held = sum(screen.assembler.held for screen in self._screens.values())
        limit = 2 * self._config.limits.max_packet_bytes
        if held > limit:
            raise RemoteProtocolError(f"{held} bytes of packets in parts, the limit is {limit}", limit=limit)

    def _take_packet(self, display: int, screen: _Screen, packet: memoryview) -> None:
        try:
            header = peek_header(packet)
        except RemoteProtocolError as error:
            self._lost(display, screen, str(error))
            return
        place = header.epoch, header.sequence
        if header.keyframe:
            if header.sequence:
                self._lost(display, screen, f"keyframe with sequence number {header.sequence}")
                return
            if header.epoch <= screen.last_epoch:
                self._repeated(display, screen, place)
                return
            screen.clear_early()
        elif screen.next is None or place != screen.next:
            if screen.next is not None and place < screen.next:
                self._repeated(display, screen, place)
            else:
                self._keep_early(screen, place, packet)
                if not screen.may_be_late(self._now):
                    cause = f"packet {place[1]} of epoch {place[0]} instead of {screen.next}"
                    self._lost(display, screen, cause, screen.missing())
            return
        shown: memoryview | None = packet
        while shown is not None:
            if not self._show(display, screen, place, shown):
                return
            place, shown = screen.next or place, screen.take_early() if screen.early else None
        if self._config.auto_acknowledge:
            self._answer(m.Ack(display, *(screen.arrived or place)))
        screen.early_since = self._now

    def _keep_early(self, screen: _Screen, place: tuple[int, int], packet: memoryview) -> None:
        if screen.next is None or place[0] != screen.next[0]:
            return
        if sum(each.early_bytes for each in self._screens.values()) + len(packet) > MAX_EARLY_BYTES:
            return
        # One that is damaged must not take the place of its repetition.
        with contextlib.suppress(RemoteProtocolError):
            parse_header(packet, self._config.limits)
            screen.keep_early(place[1], packet, self._now)

    def _show(self, display: int, screen: _Screen, place: tuple[int, int], packet: memoryview) -> bool:
        """Takes the packet that comes next; whether it was as it should be."""
        try:
            if screen.decoder is None:
                parse_header(packet, self._config.limits)
                event: e.Event = e.PacketReceived(display, packet)
            else:
                event = e.FrameReceived(display, screen.decoder.decode(packet), packet)
        except RemoteProtocolError as error:
            # A decoder that was refused something is of no use before the next keyframe.
            screen.next = None
            screen.clear_early()
            self._lost(display, screen, str(error))
            return False
        screen.next, screen.last_epoch = (place[0], place[1] + 1), place[0]
        screen.arrived = place
        screen.asked_at, screen.patience = None, ASK_AGAIN_AFTER
        self._events.append(event)
        return True

    def _repeated(self, display: int, screen: _Screen, place: tuple[int, int]) -> None:
        """A packet that was there before: the acknowledgement may have been lost."""
        if self._config.auto_acknowledge and screen.next is not None and place < screen.next:
            self._answer(m.Ack(display, screen.next[0], screen.next[1] - 1))

    def _lost(self, display: int, screen: _Screen, cause: str, count: int = 0) -> None:
        if screen.asked_at is None:
            self._events.append(e.PictureLost(display, cause))
            self._ask(display, screen, count)

    def _ask(self, display: int, screen: _Screen, count: int) -> None:
        screen.asked_at = self._now
        request = m.KeyframeRequest(display, *screen.next, count) if screen.next else m.KeyframeRequest(display)
        self._send(request, always=True)

    # -- what time brings about --------------------------------------------------------------------------------

    def _advance(self) -> float:
        due = Endpoint._advance(self)
        if not self._is_open:
            return due
        for display, screen in self._screens.items():
            if screen.asked_at is None and screen.early:
                if screen.may_be_late(self._now):
                    due = min(due, screen.early_since + OVERTAKEN_FOR)
                else:
                    cause = f"{len(screen.early)} packets have overtaken {screen.next}"
                    self._lost(display, screen, cause, screen.missing())
            if screen.asked_at is None:
                continue
            if self._now >= screen.asked_at + screen.patience - 1e-9:
                screen.patience = min(2 * screen.patience, ASK_AGAIN_AT_MOST_AFTER)
                self._ask(display, screen, 0)
            due = min(due, screen.asked_at + screen.patience)
        return due

    def _require(self, scope: Scope) -> None:
        state = self._consents[scope]
        if state is not ConsentState.GRANTED:
            raise ConsentRequired(
                f"the customer's consent to {scope.value!r} is needed; it is {state.value!r}",
                expected=ConsentState.GRANTED,
                actual=state,
            )

    def _pause_changed(self) -> None:
        """What is on its way is shown all the same."""

    def _heard_pong(self, rtt: float) -> None:
        """Only who sends pictures needs to know the line."""

    def _ended(self) -> None:
        for screen in self._screens.values():
            screen.assembler.clear()
            screen.clear_early()


def _cursor_shape(message: m.CursorShape) -> e.CursorShapeChanged:
    """The pointer's pixels; what unpacks to anything but their exact size is refused before it takes memory."""
    if message.hot_x >= message.width or message.hot_y >= message.height:
        raise RemoteProtocolError(
            f"hotspot ({message.hot_x}, {message.hot_y}) is outside of {message.width} x {message.height}",
            limit=(message.width, message.height),
            actual=(message.hot_x, message.hot_y),
        )
    size = message.width * message.height * 4
    unpacker = zlib.decompressobj()
    try:
        pixels = unpacker.decompress(message.pixels, size + 1)
    except zlib.error as error:
        raise RemoteProtocolError(f"the pointer's pixels cannot be unpacked: {error}") from error
    if len(pixels) != size or not unpacker.eof:
        raise RemoteProtocolError(
            f"pointer of {message.width} x {message.height} pixels in {len(pixels)} bytes",
            expected=size,
            actual=len(pixels),
        )
    array = np.frombuffer(pixels, np.uint8).reshape(message.height, message.width, 4)
    return e.CursorShapeChanged(message.serial, message.hot_x, message.hot_y, array)
