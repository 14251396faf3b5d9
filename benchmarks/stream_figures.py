"""Figures of the stream by itself: the time that its ends take for a frame beyond the codec's, with no transport."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from itertools import cycle, islice
from time import perf_counter

from figure import Figure
from scenes import Frame

import fastframe as ff
from fastframe.stream import ConsentGate, Display, Receiver, Scope, Sender, SenderConfig
from fastframe.stream.events import Event, FrameReceived

FRAMES = 1500
WARM_UP = 100
# Seconds between two frames.
TICK = 1 / 60
# A typed character at each of these places in turn.
CHARACTERS = [ff.Rect(100 + 10 * column, 100 + 20 * row, 9, 18) for row in range(5) for column in range(60)]


def stream_figures(effort: str, picture: Frame) -> Iterable[Figure]:
    """Time of a sender and a receiver for a frame in which a character was typed, medians, less that of the codec."""
    pair = _Pair(effort, picture)
    for area in islice(cycle(CHARACTERS), FRAMES):
        pair.type_character(area)
    for name, end, codec in (
        ("stream: a sender's time for a frame beyond encoding it", pair.sending, pair.encoding),
        ("stream: a receiver's time for a frame beyond decoding it", pair.receiving, pair.decoding),
    ):
        of_end, of_codec = (statistics.median(seconds[WARM_UP:]) * 1e6 for seconds in (end, codec))
        yield Figure(name, of_end - of_codec, 30, "µs", f"{of_end:.0f} µs less {of_codec:.0f} µs, {FRAMES} frames")


class _Pair:
    """A sender and a receiver, joined by function calls in virtual time; and the codec, which does the same alone."""

    def __init__(self, effort: str, picture: Frame) -> None:
        self._screen = picture.copy()
        height, width = picture.shape[:2]
        self._now = 0.0
        gate = ConsentGate()
        gate.grant(Scope.VIEW, self._now)
        self._sender = Sender(gate, SenderConfig(effort=effort, max_fps=1000.0))
        self._sender.set_displays([Display(0, 0, 0, width, height)], self._now)
        self._receiver = Receiver()
        self._receiver.connect(self._now)
        self._encoder, self._decoder = ff.Encoder(ff.EncoderConfig(effort=effort)), ff.Decoder()
        self.sending: list[float] = []
        self.receiving: list[float] = []
        self.encoding: list[float] = []
        self.decoding: list[float] = []
        while self._exchange():  # they greet each other
            pass
        self._sender.send_frame(0, self._screen, None, self._now)
        self._decoder.decode(self._encoder.encode(self._screen))
        while self._exchange():
            pass

    def type_character(self, area: ff.Rect) -> None:
        """Times one frame: the ends and the codec alone, in turns first, since who comes second finds the codec's code
        and the changed pixels in the caches.
        """
        self._now += TICK
        self._screen[area.y : area.bottom, area.x : area.right, :3] ^= 0xFF
        codec_first = len(self.sending) % 2
        if codec_first:
            self._code(area)
        self._carry(area)
        if not codec_first:
            self._code(area)

    def _carry(self, area: ff.Rect) -> None:
        """Times the sender until its packet is acknowledged, and the receiver from its message to that."""
        start = perf_counter()
        self._sender.send_frame(0, self._screen, [area], self._now)
        messages = self._poll(self._sender)
        sent = perf_counter()
        for message in messages:
            self._receiver.receive(message, self._now)
        received = _frames(self._receiver)
        answers = self._poll(self._receiver)
        answered = perf_counter()
        for answer in answers:
            self._sender.receive(answer, self._now)
        rest = self._poll(self._sender)
        _frames(self._sender)
        acknowledged = perf_counter()
        if received != 1 or rest:
            raise RuntimeError(f"{received} frames have arrived instead of one, and {len(rest)} messages were left")
        self.sending.append(sent - start + acknowledged - answered)
        self.receiving.append(answered - sent)

    def _code(self, area: ff.Rect) -> None:
        """Times the codec alone."""
        start = perf_counter()
        packet = self._encoder.encode(self._screen, damage=[area])
        encoded = perf_counter()
        self._decoder.decode(packet)
        self.encoding.append(encoded - start)
        self.decoding.append(perf_counter() - encoded)

    def _poll(self, end: Sender | Receiver) -> list[bytes]:
        """What an end has to say now, asked until that is nothing, as a transport does."""
        said: list[bytes] = []
        while isinstance(answer := end.poll(self._now), list):
            said += map(bytes, answer)
        return said

    def _exchange(self) -> bool:
        """Carries what both have to say; returns whether there was anything."""
        to_receiver, to_sender = self._poll(self._sender), self._poll(self._receiver)
        for message in to_receiver:
            self._receiver.receive(message, self._now)
        for message in to_sender:
            self._sender.receive(message, self._now)
        _frames(self._sender)
        _frames(self._receiver)
        return bool(to_receiver or to_sender)


def _frames(end: Sender | Receiver) -> int:
    """Takes all events; returns how many frames are among them."""
    count = 0
    event: Event | None
    while (event := end.next_event()) is not None:
        count += isinstance(event, FrameReceived)
    return count
