"""A network in virtual time: to test what is built upon the stream, and to measure it, without waiting.

`Line` carries messages one way, with a rate that changes, a delay, jitter, loss and stalls. `Session` joins a sender
and a receiver by two lines and plays both transports: it goes from one moment at which something happens to the next,
so that minutes take as long as the encoding in them. Everything is drawn from one seed, and every run gives the same.
"""

import heapq
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastframe.stream import events as e
from fastframe.stream.receiver import Receiver
from fastframe.stream.sender import Sender
from fastframe.stream.states import State
from fastframe.stream.wire import MARK


@dataclass(frozen=True, slots=True)
class LineProfile:
    """What a line is like.

    Parameters
    ----------
    rate
        Bytes a second.
    delay
        Seconds that a message takes besides its time on the line, one way.
    jitter
        Further seconds at most, evenly spread. A line that keeps the order lets later messages wait for earlier ones.
    loss
        Share of the messages that never arrive.
    ordered
        Whether messages arrive in the order in which they were sent.
    buffer
        Bytes that wait for the line at most; what comes beyond it is lost. The default never loses any ("bloat").
    rates
        Later rates: (from this time on, bytes a second); 0 stands still.
    burst
        Bytes that pass at the rate `peak` before the line's own holds them back, as a shaper's bucket of tokens allows;
        what is not used of the rate fills it again.
    peak
        Bytes a second of a burst.
    """

    rate: float
    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    ordered: bool = True
    buffer: float = math.inf
    rates: tuple[tuple[float, float], ...] = ()
    burst: float = 0.0
    peak: float = math.inf


class Line:
    """Carries messages one way."""

    def __init__(self, profile: LineProfile, seed: int = 0) -> None:
        self.profile = profile
        self._random = random.Random(seed)
        self._free_at = 0.0
        self._allowance = profile.burst
        self._arrivals: list[tuple[float, int, bytes]] = []
        self._count = 0
        self._last_arrival = 0.0
        self.sent_bytes = 0
        self.busy = 0.0

    def send(self, message: bytes, now: float) -> float:
        """Takes a message; returns the seconds that it waits before it is its turn."""
        waits = max(0.0, self._free_at - now)
        if waits * self._rate_at(now) + len(message) > self.profile.buffer:
            return waits
        started = max(self._free_at, now)
        at_once = self._at_once(len(message), started)
        self._free_at = self._done_at(started + at_once / self.profile.peak, len(message) - at_once)
        self.busy += self._free_at - started
        self.sent_bytes += len(message)
        if self._random.random() < self.profile.loss:
            return waits
        arrival = self._free_at + self.profile.delay + self._random.random() * self.profile.jitter
        if self.profile.ordered:
            arrival = max(arrival, self._last_arrival)
        self._last_arrival = arrival
        self._count += 1
        heapq.heappush(self._arrivals, (arrival, self._count, message))
        return waits

    def queue(self, now: float) -> float:
        """Seconds until the line has sent everything that it was given."""
        return max(0.0, self._free_at - now)

    @property
    def next_arrival(self) -> float:
        """When the next message arrives; `inf`: none is on its way."""
        return self._arrivals[0][0] if self._arrivals else math.inf

    def arrived(self, now: float) -> list[bytes]:
        """The messages that have arrived by now."""
        messages = []
        while self._arrivals and self._arrivals[0][0] <= now:
            messages.append(heapq.heappop(self._arrivals)[2])
        return messages

    def cut(self, now: float) -> None:
        """The connection is gone, and everything on it."""
        self._arrivals.clear()
        self._free_at = self._last_arrival = now

    def _rate_at(self, time: float) -> float:
        rate = self.profile.rate
        for begins, later in self.profile.rates:
            if begins <= time:
                rate = later
        return rate

    def _at_once(self, size: int, start: float) -> float:
        """How many bytes of a message pass as a burst."""
        if not self.profile.burst:
            return 0.0
        unused = (start - self._free_at) * self._rate_at(start)
        self._allowance = min(self._allowance + unused, self.profile.burst)
        at_once = min(self._allowance, size)
        self._allowance -= at_once
        return at_once

    def _done_at(self, start: float, size: float) -> float:
        for ends in [begins for begins, _ in self.profile.rates if begins > start]:
            rate = self._rate_at(start)
            if (ends - start) * rate >= size:
                break
            size -= (ends - start) * rate
            start = ends
        rate = self._rate_at(start)
        return start + size / rate if rate else math.inf


class Source(Protocol):
    """A screen that lives in virtual time."""

    def next_change(self, now: float) -> float:
        """When the screen changes next; `inf`: never again."""
        ...

    def change(self, now: float) -> Sequence[tuple[int, int, int, int]] | None:
        """The screen changes; returns the damage."""
        ...

    @property
    def frame(self) -> Any:
        """The screen as it is."""
        ...


@dataclass(slots=True)
class Measured:
    """What a run was like. Times in seconds.

    Attributes
    ----------
    waits
        (time, wait) of each message on the line before its turn.
    queues
        (time, queue) every 10 ms: how much the line had still to send.
    packets
        (time, bytes) of each packet that has arrived and was decoded.
    frames
        (time, latency) of each change of a screen: until the viewer shows all of it, or of a later one.
    """

    waits: list[tuple[float, float]] = field(default_factory=list)
    queues: list[tuple[float, float]] = field(default_factory=list)
    packets: list[tuple[float, int]] = field(default_factory=list)
    frames: list[tuple[float, float]] = field(default_factory=list)


class Session:
    """A sender and a receiver, joined by two lines, and a screen for each display."""

    def __init__(
        self,
        sender: Sender,
        receiver: Receiver,
        sources: dict[int, Source],
        down: LineProfile,
        up: LineProfile | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self.sender, self.receiver, self.sources = sender, receiver, sources
        self.down = Line(down, seed)
        # What goes up is small; by default it has the same way and its own tenth of the rate.
        self.up = Line(LineProfile(down.rate, down.delay) if up is None else up, seed + 1)
        self.now = 0.0
        self.measured = Measured()
        self.sender_events: list[e.Event] = []
        self.receiver_events: list[e.Event] = []
        self.on_event: Callable[[e.Event], None] = lambda event: None
        self._next_sample = 0.0
        # When each display has changed since its last packet that left nothing behind; and the same for each packet
        # on the line.
        self._changed_at: dict[int, list[float]] = {number: [] for number in sources}
        self._on_line: dict[int, list[list[float]]] = {number: [] for number in sources}

    def run(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Goes on until that time, or until `stop` says so."""
        while not stop():
            due = self._step()
            if due > until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, due)

    def _step(self) -> float:
        """Does all there is to do now; returns when there is more."""
        while True:
            for message in self.down.arrived(self.now):
                if self.receiver.state is not State.LOST:
                    self.receiver.receive(message, self.now)
                self._drain_receiver()
            for message in self.up.arrived(self.now):
                if self.sender.state is not State.LOST:
                    self.sender.receive(message, self.now)
                self._drain_sender()
            for number, source in self.sources.items():
                if source.next_change(self.now) <= self.now:
                    damage = source.change(self.now)
                    self._changed_at[number].append(self.now)
                    if self.sender.state is not State.CLOSED:
                        self._show(number, source, damage)
            sender_due = self._poll_sender()
            receiver_due = self._poll_receiver()
            arrival = min(self.down.next_arrival, self.up.next_arrival)
            change = min((source.next_change(self.now) for source in self.sources.values()), default=math.inf)
            due = min(sender_due, receiver_due, arrival, change)
            if self.now >= self._next_sample:
                self.measured.queues.append((self.now, self.down.queue(self.now)))
                self._next_sample = self.now + 0.01
            if due > self.now:
                return min(due, self._next_sample)

    def _poll_sender(self) -> float:
        while True:
            answer = self.sender.poll(self.now)
            wanted = self._drain_sender()
            if isinstance(answer, list):
                for message in answer:
                    wait = self.down.send(bytes(message), self.now)
                    if message.header[0] == MARK:
                        self.measured.waits.append((self.now, wait))
            elif not wanted:
                return answer

    def _poll_receiver(self) -> float:
        while True:
            answer = self.receiver.poll(self.now)
            self._drain_receiver()
            if not isinstance(answer, list):
                return answer
            for message in answer:
                self.up.send(bytes(message), self.now)

    def _drain_sender(self) -> bool:
        wanted = False
        while (event := self.sender.next_event()) is not None:
            if isinstance(event, e.FrameWanted):
                wanted = True
                self._show(event.display, self.sources[event.display], ())
            else:
                self.sender_events.append(event)
                self.on_event(event)
        return wanted

    def _show(self, number: int, source: Source, damage: Iterable[tuple[int, int, int, int]] | None) -> None:
        if not self.sender.send_frame(number, source.frame, damage, self.now):
            return
        if self.sender.is_behind(number):
            self._on_line[number].append([])
        else:
            self._on_line[number].append(self._changed_at[number])
            self._changed_at[number] = []

    def _drain_receiver(self) -> None:
        while (event := self.receiver.next_event()) is not None:
            if isinstance(event, e.FrameReceived):
                self.measured.packets.append((self.now, len(event.packet)))
                on_line = self._on_line[event.display]
                for changed_at in on_line.pop(0) if on_line else ():
                    self.measured.frames.append((self.now, self.now - changed_at))
            else:
                self.receiver_events.append(event)
                self.on_event(event)
