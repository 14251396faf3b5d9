"""Which packets of one display are on their way, and which may be sent again."""

from collections import deque

from fastframe.errors import RemoteProtocolError
from fastframe.stream.flow import FlowControl, InFlight


class _Sent:
    def __init__(self, epoch: int, sequence: int, packet: bytes, flight: InFlight, at: float) -> None:
        self.epoch, self.sequence = epoch, sequence
        self.packet: bytes | None = packet  # None: of an epoch that is over, and of no use any more
        self.size = len(packet)
        self.flight: InFlight | None = flight  # None: the connection that it went out over has gone
        self.at = at


class Delivery:
    """The packets of one display that the viewer has not acknowledged, oldest first.

    Their number and bytes are what the flow control lets out, so they are kept: after a loss or over a new connection
    they go out again, and no keyframe is needed.
    """

    def __init__(self, flow: FlowControl, last: tuple[int, int] | None) -> None:
        self._flow = flow
        self._sent: deque[_Sent] = deque()
        # Epoch and sequence number of the latest packet that has gone out, over any connection.
        self.last = last

    @property
    def oldest_at(self) -> float | None:
        """When the oldest packet that the viewer still needs went out; `None` if there is none."""
        return next((sent.at for sent in self._sent if sent.packet is not None), None)

    def sent(self, epoch: int, sequence: int, packet: bytes, now: float) -> InFlight:
        """A packet goes out."""
        if self.last is not None and self.last[0] != epoch:
            for earlier in self._sent:
                earlier.packet = None
        self.last = epoch, sequence
        flight = self._flow.sent(len(packet), now)
        self._sent.append(_Sent(epoch, sequence, packet, flight, now))
        return flight

    def acknowledge(self, epoch: int, sequence: int, now: float) -> None:
        """The viewer has this packet and all before it; `RemoteProtocolError` for one that was never sent."""
        place = epoch, sequence
        if self.last is None or place > self.last:
            raise RemoteProtocolError(
                f"packet {sequence} of epoch {epoch} acknowledged, which was never sent",
                expected=self.last,
                actual=place,
            )
        while self._sent:
            oldest = self._sent[0]
            if oldest.epoch > epoch or (oldest.epoch == epoch and oldest.sequence > sequence):
                break
            self._sent.popleft()
            if oldest.flight is not None:
                self._flow.acknowledged(oldest.flight, now)

    def again(self, epoch: int, sequence: int, count: int, now: float, pause: float) -> list[bytes] | None:
        """Of so many packets from this one on (0: all) those that have not gone out for `pause` seconds, for once more.

        `None` if not all of them are there. Round trips of what is on its way tell nothing about the line any more:
        nobody knows which copy an acknowledgement is for, and what has arrived is acknowledged with what was missing.
        """
        wanted = self._from(epoch, sequence)
        if wanted is None:
            return None
        due = [sent for sent in wanted[: count or None] if now - sent.at >= pause]
        if due:
            for sent in self._sent:
                if sent.flight is not None:
                    sent.flight.counts = False
        for sent in due:
            sent.at = now
        return [sent.packet for sent in due if sent.packet is not None]

    def late(self, now: float, *, everything: bool) -> list[bytes]:
        """The oldest packet that the viewer still needs, or everything, to be sent once more."""
        first = next((sent for sent in self._sent if sent.packet is not None), None)
        if first is None:
            return []
        return self.again(first.epoch, first.sequence, 0 if everything else 1, now, 0.0) or []

    def connection_lost(self, flow: FlowControl) -> None:
        """Nothing is on the line any more, and what was may have arrived or not; the next line begins anew."""
        self._flow = flow
        for sent in self._sent:
            sent.flight = None

    def resume(self, epoch: int, sequence: int, now: float) -> list[bytes] | None:
        """The packets to send over a new connection to a viewer that wants to go on from this one; `None`: cannot."""
        wanted = self._from(epoch, sequence)
        self._sent = deque(wanted or ())
        for sent in self._sent:
            sent.flight, sent.at = self._flow.sent(sent.size, now), now
            sent.flight.counts = False
        return None if wanted is None else [sent.packet for sent in wanted if sent.packet is not None]

    def abandon(self) -> None:
        """Waits for nothing any more, and keeps nothing."""
        for sent in self._sent:
            if sent.flight is not None:
                self._flow.lost(sent.flight)
        self._sent.clear()

    def _from(self, epoch: int, sequence: int) -> list[_Sent] | None:
        if self.last is None or epoch != self.last[0] or sequence > self.last[1] + 1:
            return None
        # None is of a later epoch than the last one.
        wanted = [sent for sent in self._sent if (sent.epoch, sent.sequence) >= (epoch, sequence)]
        return wanted if len(wanted) == self.last[1] + 1 - sequence else None
