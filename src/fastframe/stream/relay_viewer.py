"""A relay's side of the connection to one viewer: packets from the stores, at that viewer's pace."""

import math

from fastframe.errors import RemoteProtocolError
from fastframe.limits import Limits
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.config import SenderConfig
from fastframe.stream.connection import Rejected
from fastframe.stream.consent import MAX_CHANGES, ConsentGate, ConsentState, Scope
from fastframe.stream.effort import effort_for
from fastframe.stream.epoch_store import EpochStore
from fastframe.stream.flow import FlowControl
from fastframe.stream.outlet import Outlet
from fastframe.stream.pairing import PairingKey
from fastframe.stream.serving import Serving
from fastframe.stream.wire import Message

# An epoch of so many times the bytes of its first picture is not worth sending to who joins.
JOIN_PICTURES = 3
JOIN_BYTES = 256 * 1024
# Who is so many seconds behind, and by more than this many pictures, is skipped.
MAX_LAG = 3.0
SKIP_PICTURES = 2
# How often a viewer who is not the technician may ask for a scope, and how many changes of the gate all of them may use
# up, also by joining: once they come to `consent.MAX_CHANGES`, nobody can be granted anything any more.
MAX_REQUESTS = 20
MAX_CHANGES_BY_REQUESTS = MAX_CHANGES // 2
# Packets are there already, so only bytes bound what is on the line.
MAX_PACKETS_A_SECOND = 1000.0


class StoreOutlet(Outlet):
    """Where in the store of a display a viewer is."""

    def __init__(self, display: int, flow: FlowControl, last: tuple[int, int] | None, store: EpochStore) -> None:
        super().__init__(display, flow, last)
        self.store = store
        self.epoch: int | None = None
        self.next = 0
        # A viewer refuses keyframes of epochs that it has seen.
        self.least_epoch = 0 if last is None else last[0] + 1

    def restart(self) -> None:
        super().restart()
        self.epoch = None
        if self.delivery.last is not None:
            self.least_epoch = self.delivery.last[0] + 1

    @property
    def behind(self) -> int:
        """Bytes that are still to be sent."""
        return 0 if self.epoch != self.store.epoch else self.store.bytes_from(self.next)


class RelayViewer(Serving):
    """The relay's side of the connection to one viewer."""

    def __init__(
        self, gate: ConsentGate, config: SenderConfig, pairing: PairingKey | None, needs: tuple[Scope, ...]
    ) -> None:
        super().__init__(gate, config, pairing, needs)
        self.stores: dict[int, EpochStore] = {}
        # Whether the customer's side can be heard: otherwise nobody knows what it has withdrawn meanwhile.
        self.live = False
        # Whether this viewer may come in, as far as that is asked about each one.
        self.is_let_in = True
        self._is_first = False
        self._requests = 0

    @property
    def has_measured_line(self) -> bool:
        """Whether something is known of its line."""
        return self._is_open and self._flow.bandwidth is not None

    def effort_after(self, before: str) -> str:
        """The effort that suits its line, by the one before."""
        return effort_for(self._flow, before)

    def show_displays(self, displays: tuple[m.Display, ...], stores: dict[int, EpochStore], now: float) -> None:
        self.stores = stores
        self.set_displays(displays, now)

    def become_first(self) -> None:
        """This is the technician."""
        self._is_first = True
        self._needs = (Scope.VIEW,)
        self.let_in()

    def let_in(self) -> None:
        """The customer agrees to this viewer, as far as that is asked about each one."""
        self.is_let_in = True
        self._may_view = self._all_granted()

    def admitted(self, now: float) -> bool:
        """Whether the customer lets this viewer take part, in whatever it may see."""
        return self.is_let_in and all(self._gate.allows(each, now) for each in self._needs if each is not Scope.VIEW)

    def _all_granted(self) -> bool:
        return self.is_let_in and super()._all_granted()

    def poll(self, now: float) -> list[Message] | float:
        # What there is in the stores changes behind its back.
        self._quiet_until = -math.inf
        return super().poll(now)

    def _may_send(self) -> bool:
        return self.live and super()._may_send()

    def _ask_for(self, scope: Scope, text: str) -> None:
        self._requests += 1
        changes_something = self._gate.state(scope, self._now) not in (ConsentState.REQUESTED, ConsentState.GRANTED)
        used_up = changes_something and self._gate.revision >= MAX_CHANGES_BY_REQUESTS
        if (self._requests > MAX_REQUESTS or used_up) and not self._is_first:
            raise RemoteProtocolError(f"the viewer asks for {scope.value!r} too often", limit=MAX_REQUESTS)
        if scope is Scope.FILES:
            self._answer(m.ConsentNotice(scope, ConsentState.REFUSED))
        else:
            super()._ask_for(scope, text)

    def show_cursor_shape(self, shape: m.CursorShape, now: float) -> None:
        self._tick(now)
        if self._may_view and len(shape.pixels) + 64 <= self._max_message:
            self._set_cursor_shape(shape)

    def show_cursor(self, event: e.CursorMoved, now: float) -> None:
        self._tick(now)
        if self._may_view and event.display in self._outlets:
            self.send_cursor_position(event.display, event.x, event.y, now, visible=event.visible)

    def keyframes_needed(self, now: float) -> list[int]:
        """The displays of which this viewer cannot see anything before the next keyframe."""
        self._tick(now)
        if not self._may_send():
            return []
        return [number for number, outlet in self._outlets.items() if outlet.needs_keyframe and not self._join(outlet)]

    def _new_outlet(self, display: int, last: tuple[int, int] | None) -> StoreOutlet:
        return StoreOutlet(display, self._flow, last, self.stores[display])

    def _new_flow(self) -> FlowControl:
        return FlowControl(MAX_PACKETS_A_SECOND)

    def _check_limits(self, limits: Limits) -> None:
        if limits != self._config.limits:
            raise Rejected(
                m.ByeReason.LIMITS,
                "the viewer's limits are below those that the customer's side was told",
                expected=self._config.limits,
                actual=limits,
            )

    def _join(self, outlet: StoreOutlet) -> bool:
        """Begins at the store's keyframe, if there is one that the viewer can use and that is worth it."""
        store = outlet.store
        if not store.whole or store.epoch is None or store.epoch < outlet.least_epoch:
            return False
        if store.picture_bytes is not None:
            worth = max(JOIN_BYTES, JOIN_PICTURES * store.picture_bytes)
            if store.bytes_from(0) > worth:
                return False
        outlet.needs_keyframe = False
        outlet.epoch, outlet.next = store.epoch, 0
        return True

    def _serve(self) -> float:
        due = math.inf
        for outlet in sorted(self._outlets.values(), key=lambda each: each.sent_at):
            due = min(due, self._serve_outlet(outlet))
        return due

    def _serve_outlet(self, outlet: StoreOutlet) -> float:
        store = outlet.store
        if not outlet.needs_keyframe and outlet.epoch != store.epoch:
            # A new epoch replaces all that was before it.
            outlet.needs_keyframe = True
        if outlet.needs_keyframe and not self._join(outlet):
            return math.inf
        if self._too_slow(outlet):
            outlet.needs_keyframe = True
            outlet.least_epoch = (outlet.epoch or 0) + 1
            return math.inf
        while outlet.next < store.end:
            packet = store.packet(outlet.next)
            if self._flow.frames_in_flight and self._flow.in_flight + len(packet) > self._flow.window:
                return math.inf
            ready_at = self._flow.ready_at(self._now)
            if ready_at is None:
                return math.inf
            if ready_at > self._now + 1e-9:
                return ready_at
            self._send_new(outlet, store.epoch or 0, outlet.next, packet)
            outlet.next += 1
        return math.inf

    def _too_slow(self, outlet: StoreOutlet) -> bool:
        store = outlet.store
        if not store.has(outlet.next):
            return True
        picture, bandwidth = store.picture_bytes, self._flow.bandwidth
        if picture is None or bandwidth is None or outlet.behind <= SKIP_PICTURES * picture + JOIN_BYTES:
            return False
        return outlet.behind > MAX_LAG * bandwidth
