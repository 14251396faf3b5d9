"""A sender, a relay and its viewers, joined by function calls."""

import numpy as np
import pictures
from screens import HEIGHT, WIDTH

from fastframe.stream import (
    ConsentGate,
    Display,
    Receiver,
    ReceiverConfig,
    Relay,
    RelayConfig,
    Scope,
    Sender,
    SenderConfig,
)
from fastframe.stream import events as e

ALL = tuple(Scope)


class Meeting:
    """A sender, a relay and viewers, joined by function calls; a viewer may be cut off or slow."""

    def __init__(
        self,
        granted: tuple[Scope, ...] = ALL,
        size: tuple[int, int] = (WIDTH, HEIGHT),
        *,
        connected: bool = True,
        **settings: object,
    ) -> None:
        self.gate = ConsentGate()
        for scope in granted:
            self.gate.grant(scope, 0.0)
        self.sender = Sender(self.gate, SenderConfig(effort="fast", max_fps=1000))
        self.sender.set_displays([Display(0, 0, 0, *size)], 0.0)
        self.relay = Relay(RelayConfig(**settings))  # type: ignore[arg-type]
        self.screen = pictures.desktop(*size)
        self.viewers: dict[int, Receiver] = {}
        self.stalled: set[int] = set()
        # Bytes a second that a viewer's line carries, what waits for it, and how much of that it has carried.
        self.rates: dict[int, float] = {}
        self.waiting: dict[int, list[bytes]] = {}
        self.carried: dict[int, float] = {}
        self.now = 0.0
        self.relay_events: list[object] = []
        self.sender_events: list[e.Event] = []
        self.received: dict[int, list[e.Event]] = {}
        if connected:
            self.relay.connect(0.0)
        self.pump()

    def join(self, config: ReceiverConfig | None = None) -> int:
        number = self.relay.add_viewer(self.now)
        viewer = Receiver(config)
        viewer.connect(self.now)
        self.viewers[number] = viewer
        self.received[number] = []
        return number

    def draw(self, seed: int) -> None:
        random_ = np.random.default_rng(seed)
        height, width = self.screen.shape[:2]
        y, x = int(random_.integers(0, height - 16)), int(random_.integers(0, width - 30))
        self.screen[y : y + 16, x : x + 30] = random_.integers(0, 256, (16, 30, 4), np.uint8) & 0xE0
        if self.gate.allows(Scope.VIEW, self.now):
            self.sender.send_frame(0, self.screen, [(x, y, 30, 16)], self.now)

    def pump(self, seconds: float = 0.0, step: float = 0.02) -> None:
        until = self.now + seconds
        while True:
            while self._exchange():
                pass
            if self.now >= until:
                return
            before, self.now = self.now, min(self.now + step, until)
            for number, waiting in self.waiting.items():
                self.carried[number] = self.carried.get(number, 0) + (self.now - before) * self.rates[number]
                while waiting and self.carried[number] >= len(waiting[0]):
                    self.carried[number] -= len(waiting[0])
                    self.viewers[number].receive(waiting.pop(0), self.now)
                if not waiting:
                    self.carried[number] = 0

    def _exchange(self) -> bool:
        busy = False
        for message in messages(self.relay.poll(self.now)):
            self.sender.receive(message, self.now)
            busy = True
        for message in messages(self.sender.poll(self.now)):
            self.relay.receive(message, self.now)
            busy = True
        while (event := self.sender.next_event()) is not None:
            if isinstance(event, e.FrameWanted):
                busy = self.sender.send_frame(0, self.screen, [], self.now) or busy
            else:
                self.sender_events.append(event)
        for number, viewer in self.viewers.items():
            if number in self.stalled:
                continue
            for message in messages(viewer.poll(self.now)):
                self.relay.receive_from(number, message, self.now)
                busy = True
            for message in messages(self.relay.poll_viewer(number, self.now)):
                busy = True
                if number in self.rates:
                    self.waiting.setdefault(number, []).append(message)
                else:
                    viewer.receive(message, self.now)
            while (event := viewer.next_event()) is not None:
                self.received[number].append(event)
        while (relayed := self.relay.next_event()) is not None:
            self.relay_events.append(relayed)
        return busy

    def sees(self, number: int) -> bool:
        return np.array_equal(self.viewers[number].frame(0), pictures.shown(self.screen))

    def keyframes(self, number: int) -> int:
        return sum(event.update.keyframe for event in self.received[number] if isinstance(event, e.FrameReceived))


def messages(answer: object) -> list[bytes]:
    return [bytes(message) for message in answer] if isinstance(answer, list) else []
