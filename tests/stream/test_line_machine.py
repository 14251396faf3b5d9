"""A sender, a bad line and a viewer, in any order of events.

The invariant: whatever happens to messages that may be dropped, and whatever damage is done to the others, either there
is a typed error, after which a new connection helps, or the picture becomes exact again by itself, within one keyframe.
No frame leaves after the customer has withdrawn the consent.
"""

import numpy as np
import pictures
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fastframe import FastframeError, RemoteProtocolError
from fastframe.stream import ConsentGate, Display, Receiver, ReceiverConfig, Scope, Sender, SenderConfig, State
from fastframe.stream import events as e
from fastframe.stream.messages import KeyframeRequest, decode, encode
from fastframe.stream.wire import MARK

WIDTH, HEIGHT = 150, 100
SEEDS = st.integers(0, 2**32 - 1)


class Wire:
    """Messages on their way, and whether each may be dropped."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bool]] = []


def says_something(message: bytearray) -> bool:
    try:
        decode(message)
    except RemoteProtocolError:
        return False
    return True


class Line(RuleBasedStateMachine):
    @initialize(max_fragment=st.sampled_from([12 * 1024, 256 * 1024]), seed=SEEDS)
    def begin(self, max_fragment: int, seed: int) -> None:
        self.gate = ConsentGate()
        self.gate.grant(Scope.VIEW, 0.0)
        config = SenderConfig(max_fragment=max_fragment, reliable=False, effort="fast", max_fps=1000, resume_for=1e9)
        self.sender, self.receiver = Sender(self.gate, config), Receiver(ReceiverConfig(max_fragment=max_fragment))
        self.sender.set_displays([Display(0, 0, 0, WIDTH, HEIGHT)], 0.0)
        self.screen = pictures.desktop(WIDTH, HEIGHT, seed)
        self.now = 0.0
        self.down, self.up = Wire(), Wire()
        self.broken = False
        self.keyframes = 0
        self.shown: tuple[int, int] | None = None  # epoch and sequence of the last packet that arrived
        self.receiver.connect(0.0)
        self.settle()

    # -- the two transports ------------------------------------------------------------------------------

    def collect(self) -> bool:
        """What the ends have to say goes onto the line."""
        busy = False
        for endpoint, wire in ((self.sender, self.down), (self.receiver, self.up)):
            answer = endpoint.poll(self.now)
            if isinstance(answer, list):
                wire.messages += [(bytes(message), message.droppable) for message in answer]
                busy = True
        while (event := self.sender.next_event()) is not None:
            if isinstance(event, e.FrameWanted):
                busy = self.sender.send_frame(0, self.screen, [], self.now) or busy
        while (event := self.receiver.next_event()) is not None:
            if isinstance(event, e.FrameReceived):
                self.keyframes += event.update.keyframe
                self.shown = event.update.epoch, event.update.sequence
        return busy

    def deliver(self, wire: Wire, count: int) -> None:
        endpoint = self.receiver if wire is self.down else self.sender
        for _ in range(count):
            if not wire.messages or self.broken:
                return
            try:
                endpoint.receive(wire.messages.pop(0)[0], self.now)
            except RemoteProtocolError:
                self.broken = True
            assert self.broken == (endpoint.state is State.FAILED)

    def settle(self) -> None:
        """The line is good from now on, time passes, and a broken connection is replaced."""
        for _ in range(600):
            if self.broken or State.LOST in (self.sender.state, self.receiver.state):
                self.reconnect()
            busy = self.collect()
            busy = bool(self.down.messages or self.up.messages) or busy
            self.deliver(self.down, 10**6)
            self.deliver(self.up, 10**6)
            if not busy and not self.broken and self.is_exact():
                return
            self.now += 0.0 if busy else 0.25
        raise AssertionError("the picture never became exact")

    def reconnect(self) -> None:
        self.down.messages.clear()
        self.up.messages.clear()
        self.sender.connection_lost(self.now)
        self.receiver.connection_lost(self.now)
        self.collect()
        self.broken = False
        self.receiver.connect(self.now)

    def is_exact(self) -> bool:
        if not self.gate.allows(Scope.VIEW, self.now):
            return True
        try:
            return np.array_equal(self.receiver.frame(0), pictures.shown(self.screen))
        except FastframeError:
            return False

    # -- what happens ------------------------------------------------------------------------------------

    @rule(seed=SEEDS, told=st.booleans())
    def draw(self, seed: int, told: bool) -> None:
        random = np.random.default_rng(seed)
        width, height = int(random.integers(1, 60)), int(random.integers(1, 60))
        x, y = int(random.integers(0, WIDTH - width)), int(random.integers(0, HEIGHT - height))
        self.screen = self.screen.copy()
        self.screen[y : y + height, x : x + width] = random.integers(0, 256, (height, width, 4), np.uint8)
        if self.gate.allows(Scope.VIEW, self.now):
            self.sender.send_frame(0, self.screen, [(x, y, width, height)] if told else None, self.now)

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.6, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.collect()

    @rule(count=st.integers(1, 5), up=st.booleans())
    def arrive(self, count: int, up: bool) -> None:
        self.collect()
        self.deliver(self.up if up else self.down, count)

    def somewhere(self, number: int, any_kind: bool = False) -> tuple[Wire, int] | None:
        """A message; one that may be dropped, unless `any_kind`."""
        places = [
            (wire, index)
            for wire in (self.down, self.up)
            for index, (_, droppable) in enumerate(wire.messages)
            if droppable or any_kind
        ]
        return places[number % len(places)] if places else None

    @rule(number=SEEDS)
    def lose(self, number: int) -> None:
        self.collect()
        if (place := self.somewhere(number)) is not None:
            del place[0].messages[place[1]]

    @rule(number=SEEDS)
    def duplicate(self, number: int) -> None:
        self.collect()
        if (place := self.somewhere(number)) is not None:
            place[0].messages.insert(place[1], place[0].messages[place[1]])

    @rule(number=SEEDS)
    def overtake(self, number: int) -> None:
        self.collect()
        if (place := self.somewhere(number)) is not None:
            place[0].messages.append(place[0].messages.pop(place[1]))

    @rule(number=SEEDS, size=st.integers(0, 40))
    def truncate(self, number: int, size: int) -> None:
        self.collect()
        if (place := self.somewhere(number, any_kind=True)) is not None:
            wire, index = place
            message, droppable = wire.messages[index]
            wire.messages[index] = message[: -1 - size], droppable

    @rule(number=SEEDS, bit=SEEDS)
    def flip(self, number: int, bit: int) -> None:
        self.collect()
        if (place := self.somewhere(number, any_kind=True)) is not None:
            wire, index = place
            message, droppable = wire.messages[index]
            changed = bytearray(message)
            if not changed:
                return
            changed[bit // 8 % len(changed)] ^= 1 << bit % 8
            # A control message that says something else and valid is for the transport's checksum to find.
            if changed[0] == MARK or message[0] == MARK or not says_something(changed):
                wire.messages[index] = bytes(changed), droppable

    @rule()
    def new_connection(self) -> None:
        self.collect()
        self.reconnect()

    @rule()
    def ask_for_a_keyframe(self) -> None:
        if self.receiver.state is State.OPEN and self.receiver.displays:
            self.receiver.request_keyframe(0, self.now)

    @rule(ahead=st.integers(-3, 3), count=st.sampled_from([0, 1, 2, 5, 2**32 - 1]))
    def ask_for_packets_again(self, ahead: int, count: int) -> None:
        """Of those that the viewer has, lacks, or that never were; more of them than there are, too."""
        self.collect()
        if self.receiver.state is State.OPEN and self.shown is not None:
            epoch, sequence = self.shown
            request = encode(KeyframeRequest(0, epoch, max(sequence + ahead, 0), count))
            self.up.messages.insert(0, (request, True))
            self.deliver(self.up, 1)

    @rule(who=st.booleans(), pause=st.booleans())
    def pause(self, who: bool, pause: bool) -> None:
        endpoint = self.sender if who else self.receiver
        if pause:
            endpoint.pause(self.now)
        else:
            endpoint.resume(self.now)

    @rule()
    def withdraw(self) -> None:
        """From that moment no frame leaves the customer's machine."""
        self.gate.withdraw(Scope.VIEW, self.now)
        answer = self.sender.poll(self.now)
        messages = answer if isinstance(answer, list) else []
        assert not [message for message in messages if message.header[0] == MARK]
        self.down.messages += [(bytes(message), message.droppable) for message in messages]

    @precondition(lambda self: not self.gate.allows(Scope.VIEW, self.now))
    @rule()
    def grant(self) -> None:
        self.gate.grant(Scope.VIEW, self.now)

    @rule()
    def calm(self) -> None:
        """A good line: the picture becomes exact, with one keyframe at most for each time that it was broken."""
        self.sender.resume(self.now)
        self.receiver.resume(self.now)
        before = self.keyframes
        self.settle()
        assert self.keyframes <= before + 3

    @invariant()
    def nothing_grows(self) -> None:
        statistics = self.sender.statistics(self.now)
        assert statistics.in_flight <= 4 * 2**20
        assert len(self.sender._events) < 1000
        assert len(self.receiver._events) < 1000


TestLine = Line.TestCase
TestLine.settings = settings(stateful_step_count=30, max_examples=min(settings().max_examples, 200))
