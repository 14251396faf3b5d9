"""One customer, many viewers: every frame is encoded once.

A relay stands between a `Sender` and any number of viewers, in a server or a broker. Towards the sender it is a viewer
that decodes nothing; towards each viewer it is a sender with its own flow control. Between them lies one `EpochStore`
for each display, from which every viewer is served at its own pace:

- who joins gets the epoch from its keyframe on, or, when that would take longer, waits for a new one;
- who is slow falls behind in the store, and nobody else notices; who is so far behind that a new picture is nearer than
  the end of the old ones is skipped to the next keyframe;
- keyframes are asked for once for all who need one, and not more often than every few seconds, since all viewers pay.

Consents are the customer's: the relay follows them and decides nothing. The first viewer is the technician; all others
see nothing without `extra_technician`, and only the first may use mouse and keyboard. When the first has gone for good,
nobody takes its place: what the customer has agreed to was for that one. Files do not pass a relay, so whoever asks for
them is refused at once.
"""

import contextlib
import math
import sys
import zlib
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from statistics import median_low
from typing import NoReturn

from fastframe._arguments import checked, checked_bool, checked_choice, checked_int, checked_number
from fastframe.codec.packet import peek_header
from fastframe.errors import ConsentRequired, LocalProtocolError
from fastframe.stream import events as e
from fastframe.stream import messages as m
from fastframe.stream.config import ReceiverConfig, SenderConfig
from fastframe.stream.connection import MAX_WAITING
from fastframe.stream.consent import ConsentGate, ConsentState, Scope
from fastframe.stream.effort import EFFORTS
from fastframe.stream.epoch_store import EpochStore
from fastframe.stream.pairing import PairingKey
from fastframe.stream.receiver import Receiver
from fastframe.stream.relay_viewer import MAX_CHANGES_BY_REQUESTS, RelayViewer
from fastframe.stream.states import State
from fastframe.stream.wire import Message

# Events of one viewer that wait for the caller; there may be a thousand viewers.
MAX_WAITING_OF_VIEWER = 1000


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Settings of a `Relay`.

    Parameters
    ----------
    upstream
        How it presents itself to the customer's side. `decode` and `auto_acknowledge` do not matter. Viewers must hold
        at least its limits.
    viewers
        How it presents itself to viewers; `effort`, `threads`, `limits` and `max_fps` do not matter.
    store_bytes
        Bytes of packets that are kept for each display.
    keyframe_interval
        Seconds between two requests for a keyframe of one display, at least.
    max_viewers
        Viewers that are admitted at a time.
    ask_for_each
        Whether each viewer but the technician sees nothing before `let_in`, besides the consent to `extra_technician`:
        for a product that can ask the customer about every one of them.
    """

    upstream: ReceiverConfig = field(default_factory=ReceiverConfig)
    viewers: SenderConfig = field(default_factory=SenderConfig)
    store_bytes: int = 16 * 2**20
    keyframe_interval: float = 2.0
    max_viewers: int = 1000
    ask_for_each: bool = False

    def __post_init__(self) -> None:
        checked(self.upstream, ReceiverConfig, "upstream")
        checked(self.viewers, SenderConfig, "viewers")
        for name in ("store_bytes", "max_viewers"):
            object.__setattr__(self, name, checked_int(getattr(self, name), name, 1, sys.maxsize))
        interval = checked_number(self.keyframe_interval, "keyframe_interval")
        if not 0 <= interval < math.inf:
            raise LocalProtocolError(
                f"keyframe_interval must be a number of seconds from 0 on, not {interval!r}", actual=interval
            )
        object.__setattr__(self, "keyframe_interval", interval)
        object.__setattr__(self, "ask_for_each", checked_bool(self.ask_for_each, "ask_for_each"))


@dataclass(frozen=True, slots=True)
class RelayEvent:
    """An event of the connection to the sender (`viewer` is `None`) or to a viewer."""

    viewer: int | None
    event: e.Event


class Relay:
    """Feeds many viewers from one sender. It does no I/O and has no clock.

    The connection to the sender is driven by `connect`, `receive`, `poll` and `connection_lost`, and that to each
    viewer by the same with the viewer's number, both as those of `Receiver` and `Sender`. What has come from the sender
    makes something to send to viewers: poll them then, but none whose transport's buffer is full. Not for use by two
    threads at once.

    Parameters
    ----------
    config
        Settings; `RelayConfig()` if omitted.
    """

    def __init__(self, config: RelayConfig | None = None) -> None:
        self._config = RelayConfig() if config is None else checked(config, RelayConfig, "config")
        self._upstream = Receiver(replace(self._config.upstream, decode=False, auto_acknowledge=True))
        self._viewer_config = replace(self._config.viewers, limits=self._config.upstream.limits)
        self._gate = ConsentGate()
        self._stores: dict[int, EpochStore] = {}
        self._asked_at: dict[int, float] = {}
        self._viewers: dict[int, RelayViewer] = {}
        self._next_viewer = 0
        self._first: int | None = None
        self._had_session = False
        self._cursor_shape: m.CursorShape | None = None
        self._events: deque[RelayEvent] = deque()
        # How many of them are whose: who floods must not cost the others theirs.
        self._waiting: Counter[int | None] = Counter()

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Relay cannot be copied or pickled: two would go on with one session")

    @property
    def state(self) -> State:
        """Of the connection to the sender."""
        return self._upstream.state

    @property
    def displays(self) -> tuple[m.Display, ...]:
        """The customer's displays."""
        return self._upstream.displays

    @property
    def viewers(self) -> tuple[int, ...]:
        """The numbers of all viewers."""
        return tuple(self._viewers)

    @property
    def technician(self) -> int | None:
        """The number of the technician, who was the first viewer; `None`: nobody was there yet."""
        return self._first

    @property
    def held(self) -> int:
        """Bytes of packets in the stores."""
        return sum(store.held for store in self._stores.values())

    def effort_after(self, before: str) -> str:
        """The sender's effort from now on, by its effort before: what suits the slower half of the viewers' lines.

        A tighter one spares who has a slow line bytes, and costs all of them time to decode; so a single slow line
        decides for two viewers, and not for three. Lines of which nothing is known yet do not count. For
        `Sender.effort`; "auto" begins as "balanced".

        Raises
        ------
        LocalProtocolError
            There is no such effort.
        """
        if checked_choice(before, (*EFFORTS, "auto"), "before") == "auto":
            before = "balanced"
        wanted = [viewer.effort_after(before) for viewer in self._viewers.values() if viewer.has_measured_line]
        return EFFORTS[median_low(EFFORTS.index(effort) for effort in wanted)] if wanted else before

    def next_event(self) -> RelayEvent | None:
        """The next event; `None` when there is none. What viewers do has been passed on already."""
        if not self._events:
            return None
        told = self._events.popleft()
        self._waiting[told.viewer] -= 1
        if not self._waiting[told.viewer]:
            del self._waiting[told.viewer]
        return told

    def _tell(self, viewer: int | None, event: e.Event) -> None:
        self._events.append(RelayEvent(viewer, event))
        self._waiting[viewer] += 1

    def _check_waiting(self, viewer: int | None) -> None:
        limit = MAX_WAITING if viewer is None else MAX_WAITING_OF_VIEWER
        if self._waiting[viewer] > limit:
            raise LocalProtocolError(f"more than {limit} events wait for next_event", limit=limit)

    # -- the sender ----------------------------------------------------------------------------------------

    def connect(self, now: float, *, key: str = "", scopes: Iterable[Scope] = (Scope.VIEW,)) -> None:
        """Begins or continues the session with the sender; as `Receiver.connect`."""
        self._upstream.connect(now, key=key, scopes=scopes)

    def receive(self, data: bytes | memoryview, now: float) -> None:
        """Takes one message from the sender; as `Receiver.receive`."""
        self._check_waiting(None)
        try:
            self._upstream.receive(data, now)
        finally:
            self._take_upstream_events(now)

    def poll(self, now: float) -> list[Message] | float:
        """The messages for the sender, or the time at which to call again."""
        due = self._ask_for_keyframes(now)
        answer = self._upstream.poll(now)
        self._take_upstream_events(now)
        return answer if isinstance(answer, list) else min(answer, due)

    def connection_lost(self, now: float) -> None:
        """The transport to the sender has gone. Viewers keep their pictures."""
        self._upstream.connection_lost(now)
        self._take_upstream_events(now)

    def close(self, now: float, reason: m.ByeReason = m.ByeReason.FINISHED, text: str = "") -> None:
        """Ends the session, for the sender and for all viewers."""
        self._upstream.close(now, reason, text)
        self._take_upstream_events(now)

    # -- viewers -------------------------------------------------------------------------------------------

    def add_viewer(self, now: float, *, pairing: PairingKey | None = None) -> int:
        """Admits a viewer, whose transport is there; returns its number. The first that connects is the technician.

        Raises
        ------
        LocalProtocolError
            There are `RelayConfig.max_viewers` already, or the session is closed.
        """
        if len(self._viewers) >= self._config.max_viewers:
            raise LocalProtocolError(f"{len(self._viewers)} viewers are the most", limit=self._config.max_viewers)
        if self._upstream.state is State.CLOSED:
            raise LocalProtocolError("the session is closed")
        number = self._next_viewer
        self._next_viewer += 1
        viewer = RelayViewer(self._gate, self._viewer_config, pairing, (Scope.VIEW, Scope.EXTRA_TECHNICIAN))
        viewer.live = self._upstream.state is State.OPEN
        viewer.is_let_in = not self._config.ask_for_each
        if self._upstream.paused_by_peer:
            viewer.pause(now)
        viewer.show_displays(self._upstream.displays, self._stores, now)
        self._show_pointer(viewer, now)
        self._viewers[number] = viewer
        self._pause_together(now)
        return number

    def let_in(self, viewer: int, now: float) -> None:
        """The customer agrees to this viewer (`RelayConfig.ask_for_each`): poll it then."""
        endpoint = self._viewer(viewer)
        endpoint.let_in()
        self._show_pointer(endpoint, now)

    def dismiss(self, viewer: int, now: float, text: str = "the customer does not agree") -> None:
        """Ends the session for this viewer alone: poll it then."""
        endpoint = self._viewer(viewer)
        endpoint.close(now, m.ByeReason.CONSENT, text)
        self._take_viewer_events(viewer, endpoint, now)

    def viewer_for(self, hello: bytes | memoryview) -> int | None:
        """The viewer that a new connection's first message comes from, if it is one that was there before."""
        return next((number for number, viewer in self._viewers.items() if viewer.continues(hello)), None)

    def remove_viewer(self, viewer: int, now: float) -> None:
        """A viewer is gone for good, its events as well. Nobody takes the first one's place."""
        self._viewer(viewer)
        del self._viewers[viewer]
        self._pause_together(now)

    def receive_from(self, viewer: int, data: bytes | memoryview, now: float) -> None:
        """Takes one message from a viewer; as `Sender.receive`. A fault ends that viewer's connection only."""
        endpoint = self._viewer(viewer)
        self._check_waiting(viewer)
        try:
            endpoint.receive(data, now)
        finally:
            self._take_viewer_events(viewer, endpoint, now)

    def poll_viewer(self, viewer: int, now: float) -> list[Message] | float:
        """The messages for a viewer, or the time at which to call again, unless something comes from the sender."""
        endpoint = self._viewer(viewer)
        answer = endpoint.poll(now)
        self._take_viewer_events(viewer, endpoint, now)
        return answer

    def viewer_lost(self, viewer: int, now: float) -> None:
        """The transport to a viewer has gone; it may come back over another one, under the same number."""
        endpoint = self._viewer(viewer)
        endpoint.connection_lost(now)
        self._take_viewer_events(viewer, endpoint, now)

    def viewer_state(self, viewer: int) -> State:
        """Of the connection to a viewer."""
        return self._viewer(viewer).state

    def _viewer(self, number: int) -> RelayViewer:
        try:
            viewer = self._viewers.get(number)
        except TypeError:  # not even hashable
            viewer = None
        if viewer is None:
            raise LocalProtocolError(f"there is no viewer {number!r}", actual=number)
        return viewer

    # -- from the sender to the viewers ------------------------------------------------------------------------

    def _take_upstream_events(self, now: float) -> None:
        live = self._upstream.state is State.OPEN
        for viewer in self._viewers.values():
            viewer.live = live
        while (event := self._upstream.next_event()) is not None:
            match event:
                case e.Connected():
                    if not event.resumed:
                        self._begin_session(now)
                    # Whatever was asked for meanwhile, and whatever has changed: the customer's gate knows.
                    for scope in Scope:
                        if scope is not Scope.FILES:
                            self._gate.follow(scope, self._upstream.consent(scope), now)
                case e.Closed():
                    self._forget_pictures()
                case e.PacketReceived():
                    self._store(event)
                    continue
                case e.LayoutChanged():
                    self._change_layout(event, now)
                case e.ConsentChanged():
                    if event.scope is not Scope.FILES:
                        self._gate.follow(event.scope, event.after, now)
                    if event.scope is Scope.VIEW and event.after is not ConsentState.GRANTED:
                        self._forget_pictures()
                case e.CursorShapeChanged():
                    height, width = event.pixels.shape[:2]
                    pixels = zlib.compress(event.pixels.tobytes())
                    self._cursor_shape = m.CursorShape(event.serial, width, height, event.hot_x, event.hot_y, pixels)
                case _:
                    pass
            for number, viewer in list(self._viewers.items()):
                try:
                    self._pass_on(event, viewer, now)
                except LocalProtocolError:
                    # Nobody polls it, or its messages are too short for this one.
                    viewer.connection_lost(now)
                self._take_viewer_events(number, viewer, now)
            self._tell(None, event)

    def _forget_pictures(self) -> None:
        for store in self._stores.values():
            store.clear()
        self._cursor_shape = None

    def _begin_session(self, now: float) -> None:
        """Another session of the customer's, with consents of its own: who saw the one before has no part in it.

        The first viewer of a new session is its technician.
        """
        self._forget_pictures()
        if self._had_session:
            for number, viewer in self._viewers.items():
                viewer.close(now, m.ByeReason.UNKNOWN_SESSION, "the customer has begun another session")
                self._take_viewer_events(number, viewer, now)
            self._first = None
        self._had_session = True

    def _pass_on(self, event: e.Event, viewer: RelayViewer, now: float) -> None:
        match event:
            case e.LayoutChanged():
                viewer.show_displays(event.displays, self._stores, now)
            case e.CursorShapeChanged() | e.ConsentChanged(after=ConsentState.GRANTED):
                self._show_pointer(viewer, now)
            case e.CursorMoved():
                viewer.show_cursor(event, now)
            case e.PauseChanged():
                if event.by_peer:
                    viewer.pause(now)
                else:
                    viewer.resume(now)
            case e.InputActivityChanged() if viewer.state is State.OPEN and viewer.admitted(now):
                viewer.send_input_activity(event.party, now, name=event.name)
            case e.ChatReceived() if (
                viewer.state is State.OPEN and self._gate.allows(Scope.CHAT, now) and viewer.admitted(now)
            ):
                viewer.send_chat(event.text, now, author=event.author)
            case e.Closed():
                viewer.close(now, event.reason, event.text)
            case _:
                pass

    def _show_pointer(self, viewer: RelayViewer, now: float) -> None:
        """Tells a viewer what the pointer looks like, if it may see it."""
        if self._cursor_shape is not None:
            viewer.show_cursor_shape(self._cursor_shape, now)

    def _store(self, event: e.PacketReceived) -> None:
        header = peek_header(event.packet)
        self._stores[event.display].add(header, bytes(event.packet))

    def _change_layout(self, event: e.LayoutChanged, now: float) -> None:
        numbers = {display.id for display in event.displays}
        for number in [number for number in self._stores if number not in numbers]:
            del self._stores[number]
            self._asked_at.pop(number, None)
        for number in numbers - self._stores.keys():
            self._stores[number] = EpochStore(self._config.store_bytes)

    def _ask_for_keyframes(self, now: float) -> float:
        """Asks once for all viewers; returns when to ask again for those that have to wait."""
        due = math.inf
        if self._upstream.state is not State.OPEN:
            return due
        needed: set[int] = set()
        for viewer in self._viewers.values():
            needed.update(viewer.keyframes_needed(now))
        for number in sorted(needed & self._stores.keys()):
            may_ask_at = self._asked_at.get(number, -math.inf) + self._config.keyframe_interval
            if now >= may_ask_at - 1e-9:
                self._asked_at[number] = now
                with contextlib.suppress(LocalProtocolError):  # nobody polls for the sender; next time there is room
                    self._upstream.request_keyframe(number, now)
                may_ask_at = now + self._config.keyframe_interval
            due = min(due, may_ask_at)
        return due

    # -- from the viewers to the sender ------------------------------------------------------------------------

    def _take_viewer_events(self, number: int, viewer: RelayViewer, now: float) -> None:
        while (event := viewer.next_event()) is not None:
            if isinstance(event, e.Connected) and self._first is None:
                self._first = number
                viewer.become_first()
            elif isinstance(event, e.Connected) and number != self._first:
                # Who comes back has asked before, and may have been told no. After too many the customer is not asked
                # any more, but may still agree.
                if not event.resumed and self._gate.revision < MAX_CHANGES_BY_REQUESTS:
                    self._ask_customer(Scope.EXTRA_TECHNICIAN, f"{event.name} wants to see the screen as well", now)
            elif isinstance(event, e.ConsentRequested):
                self._ask_customer(event.scope, event.text, now)
            elif isinstance(event, e.ConsentChanged):
                continue  # the sender's connection tells it once for all
            elif isinstance(event, e.PauseChanged):
                self._pause_together(now)
            elif self._upstream.state is State.OPEN and viewer.admitted(now):
                self._pass_up(number, event, now)
            self._tell(number, event)

    def _pass_up(self, number: int, event: e.Event, now: float) -> None:
        try:
            match event:
                case e.ChatReceived():
                    self._upstream.send_chat(event.text, now, author=event.author)
                case e.PointerInput() if number == self._first:
                    wheel = event.wheel_x, event.wheel_y
                    self._upstream.send_pointer(
                        event.display, event.x, event.y, now, buttons=event.buttons, wheel=wheel
                    )
                case e.KeyInput() if number == self._first:
                    self._upstream.send_key(event.keysym, event.pressed, now)
                case _:
                    pass
        except (ConsentRequired, LocalProtocolError):
            pass  # it has been withdrawn a moment ago, and the viewer is being told; or nobody polls for the sender

    def _ask_customer(self, scope: Scope, text: str, now: float) -> None:
        if self._upstream.state is State.OPEN and self._upstream.consent(scope) is not ConsentState.GRANTED:
            with contextlib.suppress(LocalProtocolError):  # nobody polls for the sender; it can be asked for again
                self._upstream.request_consent(scope, now, text=text)

    def _pause_together(self, now: float) -> None:
        """The sender rests while no viewer wants frames."""
        if self._upstream.state is State.CLOSED:
            return
        if self._viewers and all(viewer.paused_by_peer for viewer in self._viewers.values()):
            self._upstream.pause(now)
        else:
            self._upstream.resume(now)
