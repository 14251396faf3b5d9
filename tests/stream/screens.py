"""Screens that live in virtual time, and a sender and a receiver joined by nothing but function calls."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pictures
from numpy.typing import NDArray

from fastframe.stream import ConsentGate, Display, Receiver, ReceiverConfig, Scope, Sender, SenderConfig
from fastframe.stream import events as e

WIDTH, HEIGHT = 320, 240
Damage = Sequence[tuple[int, int, int, int]] | None


class Film:
    """All of the screen changes, at `fps`, until `end`; `bits` (1 to 8) of each channel are noise."""

    def __init__(self, fps: float, end: float, bits: int = 8, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        self.frame = pictures.desktop(*size)
        self._random = np.random.default_rng(0)
        self._fps, self._end, self._mask, self._count = fps, end, (1 << bits) - 1, 0

    def next_change(self, now: float) -> float:
        at = self._count / self._fps
        return at if at < self._end else math.inf

    def change(self, now: float) -> Damage:
        self._count += 1
        self.frame = self._random.integers(0, 256, self.frame.shape, np.uint8) & np.uint8(self._mask)
        return None


class Typing:
    """A character now and then."""

    def __init__(self, fps: float, end: float) -> None:
        self.frame = pictures.desktop(WIDTH, HEIGHT)
        self._random = np.random.default_rng(0)
        self._fps, self._end, self._count = fps, end, 0

    def next_change(self, now: float) -> float:
        at = self._count / self._fps
        return at if at < self._end else math.inf

    def change(self, now: float) -> Damage:
        x, y = self._count * 9 % (WIDTH - 8), self._count // 30 * 14 % (HEIGHT - 12)
        self._count += 1
        self.frame[y : y + 12, x : x + 8] = np.where(self._random.random((12, 8, 1)) < 0.3, 20, 240)
        return [(x, y, 8, 12)]


class Tiles:
    """Now a tile of noise, of some 4 KB, and now a place of 8 x 8 pixels, 15 times a second."""

    def __init__(self, end: float, share: float, seed: int) -> None:
        self.frame = pictures.desktop(WIDTH, HEIGHT)
        self._random = np.random.default_rng(seed)
        self._end, self._share, self._count = end, share, 0

    def next_change(self, now: float) -> float:
        at = self._count / 15
        return at if at < self._end else math.inf

    def change(self, now: float) -> Damage:
        self._count += 1
        x, y = 64 * int(self._random.integers(WIDTH // 64)), 64 * int(self._random.integers(HEIGHT // 64))
        size = 64 if self._random.random() < self._share else 8
        self.frame[y : y + size, x : x + size] = self._random.integers(0, 16, (size, size, 4), np.uint8)
        return [(x, y, size, size)]


class Unveiling:
    """A white screen with some noise, `side` pixels high and wide, and at the time `at` noise on all of it."""

    def __init__(self, side: int, at: float) -> None:
        self.frame = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
        self._random = np.random.default_rng(0)
        self.frame[:side, :side] = self._random.integers(0, 256, (min(side, HEIGHT), min(side, WIDTH), 4), np.uint8)
        self._times = [0.0, at]

    def next_change(self, now: float) -> float:
        return self._times[0] if self._times else math.inf

    def change(self, now: float) -> Damage:
        if self._times.pop(0) > 0.0:
            self.frame = self._random.integers(0, 256, self.frame.shape, np.uint8)
        return None


class Pair:
    """A sender and a receiver whose messages arrive at once."""

    def __init__(
        self,
        sender: Sender | None = None,
        receiver: Receiver | None = None,
        *,
        granted: Sequence[Scope] = (Scope.VIEW,),
        displays: Sequence[Display] = (Display(0, 0, 0, WIDTH, HEIGHT),),
    ) -> None:
        self.gate = ConsentGate() if sender is None else sender.gate
        for scope in granted:
            self.gate.grant(scope, 0.0)
        self.sender = Sender(self.gate, SenderConfig(max_fps=1000)) if sender is None else sender
        self.receiver = Receiver(ReceiverConfig()) if receiver is None else receiver
        self.frames: dict[int, NDArray[np.uint8]] = {
            display.id: pictures.desktop(display.width, display.height, display.id) for display in displays
        }
        self.sender.set_displays(displays, 0.0)
        self.now = 0.0
        self.sender_events: list[e.Event] = []
        self.receiver_events: list[e.Event] = []
        self.down: list[bytes] = []
        self.up: list[bytes] = []
        # What happens to messages on their way.
        self.on_down: Callable[[bytes], Sequence[bytes]] = lambda message: (message,)
        self.on_up: Callable[[bytes], Sequence[bytes]] = lambda message: (message,)

    def connect(self, **arguments: object) -> "Pair":
        self.receiver.connect(self.now, **arguments)  # type: ignore[arg-type]
        self.pump()
        return self

    def pump(self, seconds: float = 0.0) -> None:
        """Exchanges messages until there are no more; `seconds`: goes on in steps of a hundredth of a second."""
        until = self.now + seconds
        while True:
            while self._exchange():
                pass
            if self.now >= until:
                return
            self.now = min(self.now + 0.01, until)

    def _exchange(self) -> bool:
        busy = False
        answer = self.receiver.poll(self.now)
        self.drain()
        for message in answer if isinstance(answer, list) else ():
            busy = True
            self.up.append(bytes(message))
            for arriving in self.on_up(bytes(message)):
                self.sender.receive(arriving, self.now)
        answer = self.sender.poll(self.now)
        for message in answer if isinstance(answer, list) else ():
            busy = True
            self.down.append(bytes(message))
            for arriving in self.on_down(bytes(message)):
                self.receiver.receive(arriving, self.now)
        return self.drain() or busy

    def drain(self) -> bool:
        wanted = False
        while (event := self.receiver.next_event()) is not None:
            self.receiver_events.append(event)
        while (event := self.sender.next_event()) is not None:
            if isinstance(event, e.FrameWanted) and event.display in self.frames:
                wanted = self.sender.send_frame(event.display, self.frames[event.display], [], self.now) or wanted
            else:
                self.sender_events.append(event)
        return wanted

    def draw(self, seed: int, display: int = 0) -> None:
        """Something changes on a display, and the sender is shown it."""
        random = np.random.default_rng(seed)
        frame = self.frames[display]
        y, x = int(random.integers(0, frame.shape[0] - 20)), int(random.integers(0, frame.shape[1] - 40))
        frame[y : y + 20, x : x + 40] = random.integers(0, 256, (20, 40, 4), np.uint8) & 0xC0
        self.sender.send_frame(display, frame, [(x, y, 40, 20)], self.now)

    def cut(self) -> None:
        """The transport goes."""
        self.sender.connection_lost(self.now)
        self.receiver.connection_lost(self.now)
        self.drain()

    def assert_exact(self) -> None:
        for display, frame in self.frames.items():
            np.testing.assert_array_equal(self.receiver.frame(display), pictures.shown(frame))

    def seen(self, kind: type, at: str = "receiver") -> list[e.Event]:
        """The events of a kind at one end."""
        return [event for event in getattr(self, f"{at}_events") if isinstance(event, kind)]
