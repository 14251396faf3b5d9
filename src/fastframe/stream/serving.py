"""The end that shows something: what a sender and a relay's side towards one viewer have in common.

It greets the viewer, tells it the displays, the consents and the pointer, keeps account of what is on the line, and
answers requests for what is missing. Where packets come from is left to subclasses: an `Outlet` for each display.

The gate is asked before every step (`_set_time`), so a consent that was withdrawn, or has run out, is noticed before
anything else happens: queues are emptied first, and then the viewer is told.
"""

import hmac
import math
import secrets
from collections import deque
from collections.abc import Iterable
from typing import Any

from fastframe._arguments import checked
from fastframe.codec.packet import VERSION as PACKET_VERSION
from fastframe.errors import LocalProtocolError, RemoteProtocolError
from fastframe.limits import Limits
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream import wire
from fastframe.stream.config import SenderConfig
from fastframe.stream.connection import Endpoint, Rejected, checked_display
from fastframe.stream.consent import ConsentGate, ConsentState, Scope
from fastframe.stream.displays import checked_displays
from fastframe.stream.flow import FlowControl
from fastframe.stream.outlet import RESEND_AFTER, Outlet
from fastframe.stream.pairing import PairingKey, PairingResult
from fastframe.stream.pointer import PointerNews
from fastframe.stream.states import Action, Role, State
from fastframe.stream.wire import PART_HEADER_BYTES, Message, cut

# A keyframe costs as much as seconds of changes, so who asks for them all the time does not get them all the time.
KEYFRAME_INTERVAL = 0.5
# Of the line's own round trip: what was asked for by somebody who has not got it went out at least so long ago.
SAME_AGAIN = 0.9

_INFINITY = math.inf


class Serving(Endpoint):
    """The end of a session that has the displays."""

    def __init__(
        self,
        gate: ConsentGate,
        config: SenderConfig,
        pairing: PairingKey | None,
        needs: tuple[Scope, ...] = (Scope.VIEW,),
    ) -> None:
        checked(gate, ConsentGate, "gate")
        checked(config, SenderConfig, "config")
        if pairing is not None:
            checked(pairing, PairingKey, "pairing")
        super().__init__(Role.SENDER, State.CONNECTING, config.max_fragment, config.keepalive)
        # What the viewer may see nothing without.
        self._needs = needs
        self._gate = gate
        self._gate_revision = 0
        # Until that time the gate says what it said, as long as that is its version.
        self._gate_version = -1
        self._gate_expiry = -_INFINITY
        # Whether the viewer may see something, by the gate's state at that revision.
        self._may_view = False
        self._config = config
        self._pairing = pairing
        self._token = b""
        self._lost_at = _INFINITY
        self._displays: tuple[m.Display, ...] = ()
        # The displays that the viewer knows of.
        self._told: tuple[m.Display, ...] = ()
        self._outlets: dict[int, Any] = {}
        # Of displays that are gone, the last packet: acknowledgements may still come, and numbers may come back.
        self._gone: dict[int, tuple[int, int] | None] = {}
        self._flow = self._new_flow()
        self._pointer = PointerNews()
        # Whether the viewer has shown that it knows the token.
        self._confirmed = False
        self.limits = config.limits

    @property
    def gate(self) -> ConsentGate:
        """The customer's consents."""
        return self._gate

    def continues(self, hello: bytes | memoryview) -> bool:
        """Whether a connection's first message comes from the viewer of this session, who has its token.

        For whoever accepts connections: a viewer may be back before the loss of its old connection is noticed, and then
        that one has to be given up (`connection_lost`) for the new one. Nothing changes here; never raises.
        """
        message = m.decode_hello(hello)
        return message is not None and bool(self._token) and hmac.compare_digest(message.token, self._token)

    # -- what the caller does ------------------------------------------------------------------------------

    def set_displays(self, displays: Iterable[m.Display], now: float) -> None:
        """Tells which displays there are now: before the first frame, and when one comes, goes, moves or is resized.

        Parameters
        ----------
        displays
            All of them, at most 16. One that is not named any more is gone, and what was queued of it as well. Names
            and sizes tell something about the customer: the viewer learns them when `view` is granted, not before.
        now
            The time.

        Raises
        ------
        LocalProtocolError
            As `check_displays`.
        """
        self._tick(now)
        displays = self.check_displays(displays)
        numbers = {display.id for display in displays}
        self._displays = displays
        for number in list(self._outlets):
            if number not in numbers:
                outlet = self._outlets.pop(number)
                self._drop_outlet(outlet)
                self._gone[number] = outlet.delivery.last
        for number in sorted(numbers - self._outlets.keys()):
            self._outlets[number] = self._new_outlet(number, self._gone.pop(number, None))
        for each in displays:
            outlet = self._outlets[each.id]
            outlet.width, outlet.height = each.width, each.height

    def check_displays(self, displays: Iterable[m.Display]) -> tuple[m.Display, ...]:
        """The displays as `set_displays` takes them. Nothing changes; any thread may call this at any time.

        Raises
        ------
        LocalProtocolError
            They are no displays, more than 16, two of the same number, or a field is out of its range.
        """
        return checked_displays(displays)

    def send_cursor_shape(self, pixels: Any, hotspot: tuple[int, int], now: float) -> None:
        """Tells what the pointer looks like.

        Parameters
        ----------
        pixels
            (height, width, 4) uint8, straight-alpha BGRA, at most 256 x 256; only read during the call.
        hotspot
            (x, y), inside of it.
        now
            The time.

        Raises
        ------
        ConsentRequired
            `view` is not granted.
        LocalProtocolError
            A wrong argument, or compressed the shape is still longer than one message.
        """
        self._tick(now)
        self._require_needs()
        self._set_cursor_shape(self._pointer.make_shape(pixels, hotspot))

    def send_cursor_position(self, display: int, x: int, y: int, now: float, *, visible: bool = True) -> None:
        """Tells where the pointer's hotspot is, in pixels of the display; the latest position is what `poll` sends.

        Changes near the pointer are sent first when there is not room for all.
        """
        self._tick(now)
        self._require_needs()
        checked_display(self._outlets, display)
        position = m.CursorPosition(display, x, y, visible)
        m.encode(position)
        self._pointer.set_position(position)

    def send_input_activity(self, party: m.Party, now: float, *, name: str = "") -> None:
        """Tells who moves mouse and keyboard now."""
        self._tick(now)
        self._send(m.InputActivity(party, name))

    def _set_cursor_shape(self, message: m.CursorShape) -> None:
        shape = m.encode(message)
        if self._is_open and len(shape) > self._max_message:
            raise LocalProtocolError(
                f"pointer of {len(shape)} bytes, the limit is {self._max_message}",
                limit=self._max_message,
                actual=len(shape),
            )
        # The latest is what `poll` sends, if the consent is still there then.
        self._pointer.set_shape(message.serial, shape)

    # -- what the viewer does ------------------------------------------------------------------------------

    def receive(self, data: bytes | memoryview, now: float) -> None:
        """Takes one message from the viewer, as `Receiver.receive`; who greets a session that is over is told so."""
        welcomed = self._is_open
        Endpoint.receive(self, data, now)
        if welcomed:
            self._confirmed = True
        elif self._state is State.CLOSED and not self._control and m.decode_hello(data) is not None:
            self._queue(m.encode(m.Bye(m.ByeReason.UNKNOWN_SESSION, "the session is over")))

    def _handle(self, message: m.ControlMessage) -> float:
        match message:
            case m.Ack():
                outlet = self._outlets.get(message.display)
                if outlet is not None:
                    outlet.delivery.acknowledge(message.epoch, message.sequence, self._now)
                    outlet.resends = 0
                elif message.display not in self._gone:
                    raise RemoteProtocolError(f"acknowledges display {message.display}, which never was")
                return self._look_at()
            case m.Hello():
                self._greet(message)
            case m.KeyframeRequest():
                outlet = self._outlets.get(message.display)
                if outlet is not None:
                    self._resync(outlet, message)
            case m.ConsentRequest():
                self._ask_for(message.scope, message.text)
            case m.Pointer() | m.Key():
                self._handle_input(message)
            case _:
                raise AssertionError(f"{message} is in no row of the table")
        return -_INFINITY

    def _greet(self, hello: m.Hello) -> None:
        version = max(set(hello.versions) & set(m.VERSIONS), default=None)
        if version is None or PACKET_VERSION not in hello.packet_versions:
            raise Rejected(
                m.ByeReason.VERSION,
                f"the viewer speaks versions {hello.versions} and {hello.packet_versions} of packets",
                expected=(m.VERSIONS, (PACKET_VERSION,)),
                actual=(hello.versions, hello.packet_versions),
            )
        resumed = bool(self._token) and hmac.compare_digest(hello.token, self._token)
        if not resumed and self._token and self._confirmed:
            raise Rejected(m.ByeReason.UNKNOWN_SESSION, "the viewer's token is not that of the session")
        theirs = hello.limits.to_limits()
        limits = Limits(*(min(getattr(self._config.limits, n), getattr(theirs, n)) for n in Limits.__slots__))
        self._check_limits(limits)
        if not resumed and self._pairing is not None:
            if self._token:
                # The welcome never arrived, so the key has opened nothing yet.
                self._pairing.release()
                self._token = b""
            result = self._pairing.verify(hello.key, self._now)
            if result is not PairingResult.ACCEPTED:
                raise Rejected(m.ByeReason.PAIRING, f"the pairing key is {result.value}", actual=result)
        if limits != self.limits:
            self.limits = limits
            for outlet in self._outlets.values():
                outlet.forget()
        if not resumed:
            self._token, self._confirmed = secrets.token_bytes(16), False
        self._lost_at = _INFINITY
        self._max_message = min(self._max_fragment, hello.max_message)
        self._told = self._displays if self._may_view else ()
        grants = tuple(m.Grant(scope, self._gate.state(scope, self._now)) for scope in Scope)
        config = self._config
        self._send(
            m.Welcome(
                version,
                PACKET_VERSION,
                self._max_fragment,
                self._token,
                config.name,
                config.capabilities,
                self._told,
                grants,
                resumed,
                self._pause_by_us,
            )
        )
        self._events.append(e.Connected(hello.name, hello.capabilities, resumed))
        # Its round trip is that of the line alone: nothing else is on it yet.
        self._ping()
        self._pointer.tell_anew(self._max_message)
        self._resume_displays({position.display: position for position in hello.positions} if resumed else {})
        # Who comes back has asked before, and may have been told no.
        for scope in () if resumed else hello.scopes:
            self._ask_for(scope, "")

    def _resume_displays(self, positions: dict[int, m.Position]) -> None:
        for number, outlet in self._outlets.items():
            position = positions.get(number)
            outlet.wanted = False
            if position is None or outlet.needs_keyframe or not self._may_view:
                outlet.restart()
                continue
            packets = outlet.delivery.resume(position.epoch, position.sequence, self._now)
            if packets is None:
                outlet.restart()
            else:
                self._send_again(number, packets)

    def _ask_for(self, scope: Scope, text: str) -> None:
        try:
            asked = self._gate.request(scope, self._now)
        except LocalProtocolError as error:
            raise RemoteProtocolError(f"the viewer asks for {scope.value!r} too often: {error}") from error
        if asked:
            self._events.append(e.ConsentRequested(scope, text))
            self._sync_gate()

    def _handle_input(self, message: m.Pointer | m.Key) -> None:
        # Whoever has paused does not expect anybody at the mouse.
        if not self._gate.allows(Scope.CONTROL, self._now) or not self._may_view or self._pause_by_us:
            self._events.append(e.Refused(Scope.CONTROL, "input"))
        elif isinstance(message, m.Key):
            self._events.append(e.KeyInput(message.keysym, message.pressed))
        elif any(
            message.display == each.id and 0 <= message.x < each.width and 0 <= message.y < each.height
            for each in self._displays
        ):
            self._events.append(
                e.PointerInput(message.display, message.x, message.y, message.buttons, message.wheel_x, message.wheel_y)
            )

    def _handle_fragment(self, fragment: wire.FrameFragment) -> None:
        raise AssertionError(f"{fragment} is in no row of the table")

    def _resync(self, outlet: Outlet, request: m.KeyframeRequest) -> None:
        """The viewer lacks packets: send again what is still there, otherwise begin anew."""
        if outlet.needs_keyframe or not self._may_send():
            return
        if request.epoch is not None:
            if any(due <= self._now and wire.display_of(each) == outlet.display for due, each in self._frames):
                return  # nothing has gone out since the last request
            # The same once within a round trip: what went out a moment ago may only be late.
            base_rtt = self._flow.base_rtt
            pause = RESEND_AFTER if base_rtt is None else SAME_AGAIN * base_rtt
            packets = outlet.delivery.again(request.epoch, request.sequence, request.count, self._now, pause)
            if packets is not None:
                self._send_again(outlet.display, packets)
                return
        # What has not gone out yet is of no use any more.
        self._drop_outlet(outlet)
        outlet.restart()

    def _send_new(self, outlet: Outlet, epoch: int, sequence: int, packet: bytes) -> None:
        """Sends a packet for the first time; one that takes the line long goes out piece by piece."""
        outlet.sent_at = self._now
        flight = outlet.delivery.sent(epoch, sequence, packet, self._now)
        room = min(self._max_message, flight.piece + PART_HEADER_BYTES)
        offset = 0
        for message in cut(outlet.display, packet, room):
            self._frames.append((flight.due(offset), message))
            offset += len(message.payload)

    def _send_again(self, display: int, packets: Iterable[bytes]) -> None:
        for packet in packets:
            self._flow.sent_again(len(packet), self._now)
            self._frames += [(self._now, message) for message in cut(display, packet, self._max_message)]

    # -- what is decided everywhere --------------------------------------------------------------------------

    def _may_send(self) -> bool:
        return self._may_view and self._is_open and not (self._pause_by_us or self._pause_by_peer)

    def _all_granted(self) -> bool:
        return all(self._gate.allows(scope, self._now) for scope in self._needs)

    def _require(self, scope: Scope) -> None:
        self._gate.require(scope, self._now)

    def _require_needs(self) -> None:
        if not self._may_view:
            for scope in self._needs:
                self._gate.require(scope, self._now)

    def next_event(self) -> e.Event | None:
        """The next event, none that a consent does not allow any more; `None` when there is none."""
        if self._gate.revision != self._gate_revision:
            self._sync_gate()
        return Endpoint.next_event(self)

    def _set_time(self, now: float) -> None:
        # Nearly every time; this is asked several times a frame.
        if type(now) is float and self._gate.version == self._gate_version:
            time = now
            if self._now <= time < self._gate_expiry:
                self._now = time
                return
        Endpoint._set_time(self, now)
        gate = self._gate
        # Before anything is looked at: what changes meanwhile is looked at the next time.
        self._gate_version, self._gate_expiry = gate.version, gate.next_expiry
        if gate.revision != self._gate_revision or self._now >= gate.next_expiry:
            self._sync_gate()
        elif gate.next_expiry < self._quiet_until and self._state is not State.CLOSED:
            # A consent was given anew, until an earlier time.
            self._quiet_until = gate.next_expiry

    def _sync_gate(self) -> None:
        self._quiet_until = -_INFINITY
        changes = self._gate.changes_since(self._gate_revision, self._now)
        self._gate_revision += len(changes)
        self._may_view = self._all_granted()
        # A consent that was withdrawn and given again a moment later is another one.
        gone = {change.scope for change in changes if change.before is ConsentState.GRANTED}
        stale: tuple[type, ...] = ()
        if gone.intersection(self._needs):
            stale = (e.FrameWanted, e.PointerInput, e.KeyInput)
            self._frames.clear()
            self._pointer.forget()
            for outlet in self._outlets.values():
                outlet.forget()
        elif Scope.CONTROL in gone:
            stale = (e.PointerInput, e.KeyInput)
        if stale:
            self._events = deque(event for event in self._events if not isinstance(event, stale))
        for scope in gone:
            self._drop_scope(scope)
        for change in changes:
            self._events.append(e.ConsentChanged(change.scope, change.before, change.after, change.at, change.by))
            if self._is_open:
                self._send(m.ConsentNotice(change.scope, change.after), always=True)
            if change.scope is Scope.FILES and change.after is not ConsentState.GRANTED:
                self._events += self._files.clear()

    def _look_at(self) -> float:
        """When `poll` has to look at what has changed on the line, once a packet has gone out or arrived."""
        return -_INFINITY

    def _advance(self) -> float:
        if not self._is_open and self._state is State.LOST:
            due = self._lost_at + self._config.resume_for
            if self._now < due:
                return min(due, self._gate.next_expiry)
            self.close(self._now, m.ByeReason.TIMEOUT, "the viewer did not come back")
        due = Endpoint._advance(self)
        if not self._is_open:
            if self._state is State.LOST:  # just now: nothing was heard for too long
                return min(self._lost_at + self._config.resume_for, self._gate.next_expiry)
            return due if self._state is State.CLOSED else min(due, self._gate.next_expiry)
        if not self._may_view:
            return min(due, self._gate.next_expiry)
        if self._told is not self._displays:
            self._tell_displays()
        if not self._may_send():
            return min(due, self._gate.next_expiry)
        if self._pointer.is_new:
            self._tell_pointer()
        ping_at = self._flow.ping_at()
        if ping_at <= self._now:
            self._flow.forget_base(self._now)
            self._ping()
            ping_at = _INFINITY
        resend_at = _INFINITY if self._config.reliable else self._resend_late()
        return min(due, self._gate.next_expiry, ping_at, resend_at, self._serve())

    def _tell_displays(self) -> None:
        if self._told != self._displays:
            self._send(m.Layout(self._displays), always=True)
        self._told = self._displays

    def _tell_pointer(self) -> None:
        shape, position = self._pointer.take(self._outlets)
        if shape is not None:
            self._queue(shape, always=True)
        if position is not None:
            self._send(position, always=True)

    def _resend_late(self) -> float:
        """Sends again what has not been acknowledged for too long; returns when to look again."""
        due = _INFINITY
        for outlet in self._outlets.values():
            late, look_at = outlet.late(self._now, self._flow.rtt)
            self._send_again(outlet.display, late)
            due = min(due, look_at)
        return due

    def _take_frames(self) -> list[Message]:
        frames = Endpoint._take_frames(self)
        # Queues are emptied where pauses and consents change; this is one more look before pixels leave.
        unchanged = self._gate.version == self._gate_version and self._now < self._gate_expiry
        return frames if self._may_send() and (unchanged or self._all_granted()) else []

    def _drop_outlet(self, outlet: Outlet) -> None:
        """A display is gone: what is on the line of it is not waited for any more."""
        outlet.delivery.abandon()
        self._frames = [item for item in self._frames if wire.display_of(item[1]) != outlet.display]

    def _pause_changed(self) -> None:
        if self.paused:
            for number in {wire.display_of(message) for _, message in self._frames}:
                self._outlets[number].restart()
            self._frames.clear()

    def _heard_pong(self, rtt: float) -> None:
        self._flow.heard(rtt, self._now)

    def connection_lost(self, now: float) -> None:
        """The transport has gone. For `SenderConfig.resume_for` the viewer may come back over a new one."""
        before = self._state
        super().connection_lost(now)
        if self._state is before:
            return
        # Strangers that come and go meanwhile do not prolong the wait.
        self._lost_at = min(self._lost_at, self._now)
        self._flow = self._new_flow()
        if self._pause_by_peer:
            self._pause_by_peer = False
            self._events.append(e.PauseChanged(self._pause_by_us, False))
        self._pointer.tell_nothing()
        for outlet in self._outlets.values():
            outlet.delivery.connection_lost(self._flow)
        if self._state is State.LOST and not self._token:
            self._move(Action.WAIT)

    def _ended(self) -> None:
        for outlet in self._outlets.values():
            outlet.forget()

    # -- left to subclasses ----------------------------------------------------------------------------------

    def _new_outlet(self, display: int, last: tuple[int, int] | None) -> Outlet:
        """An outlet; `last`: of the display that had the number before, the latest packet that has gone out."""
        raise NotImplementedError

    def _new_flow(self) -> FlowControl:
        return FlowControl(self._config.max_fps)

    def _check_limits(self, limits: Limits) -> None:
        """Raises `Rejected` where the viewer's limits leave no room for a picture."""
        raise NotImplementedError

    def _serve(self) -> float:
        """Brings about what there is room for on the line; returns when to look again."""
        raise NotImplementedError
