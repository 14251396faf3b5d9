"""Flow control: how much to hand to the line, and when.

The aim is a line that is always busy while there is something to send, and that never holds more than a few hundredths
of a second of it: what waits on the line is old by the time it is seen, and what waits in front of the encoder is still
the screen as it is now. TCP and the like hide their queues, so only acknowledged round trips tell how long they are.

Three things are measured for each packet that is acknowledged, in the manner of TCP Vegas (Brakmo, Peterson 1995) and
of BBR (Cardwell and others, 2016): its round trip; the delay, which is what exceeds the shortest round trip; and the
rate at which bytes arrived while it was on its way. From these follow

- the *bandwidth*, the highest of these rates of late,
- the *pace*: a packet may go out when the line, by that bandwidth, is nearly done with the packets before it. Now and
  then a round of a little more than the bandwidth probes for more, as long as the delay is below 25 ms; a delay above
  50 ms takes the bandwidth back to what arrives now,
- the *window*, which bounds what is not acknowledged: what the line holds by itself and a little more,
- the *budget* of a packet: no more than 40 ms of the line, so that what changes next need not wait long,
- the *pieces* of one that is larger all the same, since a tile is the least that a packet holds: each goes out when the
  line is nearly done with the one before it, so that the pointer and a line of chat need not wait for the whole.
"""

import math
from collections import deque

_INFINITY = math.inf

INITIAL_WINDOW = 16 * 1024
MAX_WINDOW = 4 * 2**20
# At 250 kbit/s 2 KiB are 65 ms of the line. (With 4 KiB it could not keep below 100 ms.)
MIN_WINDOW = 2 * 1024
MIN_BUDGET = 768

GROW_BELOW = 0.025
SHRINK_ABOVE = 0.050
PACKET_TIME = 0.040
# Of the line's time, what may still be on its way out when the next packet follows: so that it never runs dry.
SLACK = 0.010
# The headers of smaller pieces would take more than a hundredth of the line; where larger ones fit, so does a tile.
MIN_PIECE = 1200
MAX_PIECE = 16 * 1024

# Besides what the line itself holds at the highest rate of frames.
MAX_FRAMES = 3

# At first, fewer bytes in a round trip tell nothing of the rate: the picture of an empty screen has 23 of them, and at
# that rate what comes after it would take minutes.
LEAST_TELLING = 4096

# Nothing is measured to take less time, or to be slower.
LEAST_TIME = 1e-4
LEAST_BANDWIDTH = 1000.0

# Over a shorter time the spacing of acknowledgements is chance: of 4 ms more or less, that makes a twelfth at most.
FULL_RATE_TIME = 0.050
MAX_STEP = 4.0
# At the start such a rate is believed for the most part only: where a shaper lets a burst pass before it holds back, it
# is that of the burst.
START_RATE_SHARE = 0.7

# At first each round trip brings twice the rate; up to four times where packets come so early that the line must be
# faster than twice that.
STARTUP_GAIN = 2.0
MAX_STARTUP_GAIN = 4.0
# In turn: a round of more than the bandwidth, one in which its answers come, one of less so that its queue goes away.
PROBES = (1.0, 0.0, -1.0, 0.0, 0.0, 0.0)
# How much more: no more queue than this before the first answer can come. Each time that more got through, twice that.
PROBE_GAIN = 0.25
PROBE_QUEUE = 0.040
RESTART_GAIN = 4.0
DRAIN_GAIN = 0.5
BANDWIDTH_ROUNDS = 10
# While packets wait, the line is full, and a rate that was higher than what it carries goes on filling it.
DELAYED_ROUNDS = 2
# A rate that grows by less than this has reached the line's.
STILL_GROWING = 1.15

# A queue that never empties would pass for the line's own delay in time: every so often it is let run empty.
BASE_LIFETIME = 10.0
# A delay that lasts for so long and so many round trips, though less is sent, may be that of a line which has become
# longer.
DELAYED_BASE_LIFETIME = 0.5
DELAYED_ROUND_TRIPS = 2.0
# No acknowledgement for so long, or so many round trips: the line stood still, and what it was is no longer known.
STALL = 2.0
STALL_ROUND_TRIPS = 8.0


class InFlight:
    """A packet that is not acknowledged yet, and what was known when it went out."""

    def __init__(self, size: int, now: float, delivered: int, delivered_at: float, first_sent_at: float) -> None:
        self.size = size
        self.sent_at = now
        self.delivered = delivered
        self.delivered_at = delivered_at
        self.first_sent_at = first_sent_at
        # It goes out in pieces of so many bytes, one every so many seconds from a time on.
        self.piece = size
        self.interval = 0.0
        self.begins_at = now
        self.counts = True  # whether its round trip tells something about the line
        self.tells_rate = True  # whether what was acknowledged since then has arrived since then

    def due(self, offset: int) -> float:
        """When the piece goes out that begins at a byte of the packet."""
        return self.begins_at + self.interval * (offset // self.piece)

    def ends_at(self) -> float:
        """When its last piece goes out."""
        return self.begins_at + self.interval * ((self.size - 1) // self.piece)


class _Arrival:
    """An acknowledgement: when it came, and all the bytes that had arrived by then."""

    def __init__(self, at: float, delivered: int) -> None:
        self.at = at
        self.delivered = delivered


class FlowControl:
    """Decides for one connection; all its displays share it. Sizes in bytes, times in seconds.

    Parameters
    ----------
    max_fps
        Packets a second at most.
    """

    def __init__(self, max_fps: float) -> None:
        self._max_fps = max_fps
        self.window = INITIAL_WINDOW
        self.in_flight = 0
        self.frames_in_flight = 0
        # 0.0: not known yet.
        self._bandwidth = self._rtt = self._base_rtt = 0.0
        self.delay = 0.0
        self._base_at = 0.0
        self._base_before = 0.0
        # Since when packets have been late, and the bandwidth before.
        self._delayed_since = _INFINITY
        self._undelayed = 0.0
        self._delays: deque[float] = deque(maxlen=3)
        self._rates: deque[tuple[int, float]] = deque()
        # The last few, if packets have waited for each other on the line; and at the start whatever it did.
        self._queued: deque[_Arrival] = deque(maxlen=5)
        self._arrived: deque[_Arrival] = deque(maxlen=5)
        self._delivered = 0
        self._delivered_at = 0.0
        self._first_sent_at = 0.0
        self._blocked_until = 0
        self._round = 0
        self._round_ends_at = 0
        self._round_began_at = 0.0
        self._round_rate = 0.0
        self._last_round_rate = 0.0
        self._flat_rounds = 0
        self._startup = True
        self._startup_gain = STARTUP_GAIN
        # At the start, while nothing is known but a few packets.
        self._least_window = INITIAL_WINDOW
        self._draining = False
        self._probing = 0
        self._probe_gain = PROBE_GAIN
        self._probed = 0.0
        # So many seconds more than the bandwidth may still be sent in this round.
        self._probe_left = 0.0
        self._line_free_at = 0.0
        # By how much the last packet exceeded what a packet should have. That does not fill the window, since it is not
        # all on the line.
        self._excess = 0
        self._repairing = False
        self._packets: deque[InFlight] = deque()

    @property
    def bandwidth(self) -> float | None:
        """What the line carries; `None` while that is not known."""
        return self._bandwidth or None

    @property
    def rtt(self) -> float | None:
        """The round trip of late, smoothed."""
        return self._rtt or None

    @property
    def base_rtt(self) -> float | None:
        """The shortest round trip: that of the line alone."""
        return self._base_rtt or None

    # -- what may be sent -------------------------------------------------------------------------------

    def ready_at(self, now: float) -> float | None:
        """The time from which on a packet may go out; `None` while only an acknowledgement can tell.

        To be asked when there is a packet to send: if it has to wait, what is on the line is all that it carries.
        """
        free_at = self._line_free_at - SLACK
        full = self.frames_in_flight > 0 and self._is_full(now)
        if not full and free_at <= now:
            return now
        self._blocked_until = self._delivered + self.in_flight
        return None if full else free_at

    def _is_full(self, now: float) -> bool:
        return (
            now >= self._base_ends_at()  # nothing goes out until the line is empty, and then a ping
            or self.frames_in_flight >= self._allowed(MAX_FRAMES + int(self._base_rtt * self._max_fps))
            or self.in_flight + MIN_BUDGET > self._allowed(self.window) + self._excess
        )

    def _allowed(self, usual: int) -> int:
        """What may be on its way. Nothing is acknowledged for a round trip while a lost packet comes again."""
        return min(2 * usual, MAX_WINDOW) if self._repairing else usual

    def budget(self) -> int:
        """How many bytes the next packet should have at most, when one may go out."""
        room = self._allowed(self.window) - self.in_flight
        if self._bandwidth:
            # While nothing is known but a few packets, the line may be much faster than what they tell.
            gain = self._startup_gain if self._startup else 1.0
            fits = int(self._bandwidth * PACKET_TIME * gain)
            if fits < room:
                room = fits
        return room if room > MIN_BUDGET else MIN_BUDGET

    @property
    def known(self) -> bool:
        """Whether the bandwidth is that of the line, and not only that of what was sent so far."""
        return bool(self._bandwidth) and not self._startup

    # -- what happens -----------------------------------------------------------------------------------

    def sent(self, size: int, now: float) -> InFlight:
        """A packet goes out."""
        if not self.in_flight:
            self._delivered_at = self._first_sent_at = now
        packet = InFlight(size, now, self._delivered, self._delivered_at, self._first_sent_at)
        self._packets.append(packet)
        self.in_flight += size
        self.frames_in_flight += 1
        if self._bandwidth:
            self._pace(packet, now)
        return packet

    def sent_again(self, size: int, now: float) -> None:
        """A packet that is on its way, or was lost there, goes out once more."""
        self._repairing = True
        if self._bandwidth:
            self._line_free_at = max(self._line_free_at, now) + size / self._bandwidth

    def _pace(self, packet: InFlight, now: float) -> None:
        bandwidth = self._bandwidth
        fits = int(bandwidth * PACKET_TIME)
        begins_at = self._line_free_at if self._line_free_at > now else now
        gain = self._gain()
        takes = packet.size / (bandwidth * gain)
        if gain > 1.0 and not self._startup:
            # A packet of a single tile may take the line much longer than the round that the gain was chosen for.
            ahead = min(takes * (gain - 1.0), self._probe_left)
            self._probe_left -= ahead
            takes = packet.size / bandwidth - ahead
        self._line_free_at = begins_at + takes
        self._excess = 0
        if fits < MAX_PIECE and packet.size > max(1.5 * fits, MIN_PIECE):
            self._excess = packet.size - fits
            packet.piece = max(MIN_PIECE, fits)
            packet.interval = takes * packet.piece / packet.size
            packet.begins_at = max(now, begins_at - SLACK)

    def acknowledged(self, packet: InFlight, now: float) -> None:
        """A packet has arrived; each is named once."""
        self._remove(packet)
        self._delivered += packet.size
        silence = now - packet.sent_at
        if silence > STALL:
            silence = min(silence, now - self._delivered_at)
        if silence > STALL and silence > STALL_ROUND_TRIPS * self._rtt:
            self._after_stall()
        if packet.counts:
            self._measure(packet, now)
        else:
            # What has waited for a packet that was lost is acknowledged all at once.
            self._repairing = False
            self._queued.clear()
            for other in self._packets:
                other.tells_rate = False
        self._delivered_at, self._first_sent_at = now, packet.ends_at()

    def lost(self, packet: InFlight) -> None:
        """A packet is no longer waited for."""
        self._repairing = False
        self._remove(packet)

    def ping_at(self) -> float:
        """From when on a ping should go out before anything else: the line is empty, and what its own delay is will be
        old news. `inf`: not by itself.
        """
        return _INFINITY if self.in_flight else self._base_ends_at()

    def forget_base(self, now: float) -> None:
        """That time has come, and the ping goes out: its round trip is the line's own."""
        self._base_before, self._delayed_since = self._base_rtt, _INFINITY
        self._base_rtt, self._base_at = 0.0, now

    def heard(self, rtt: float, now: float) -> None:
        """The round trip of a ping, which is hardly longer than nothing."""
        if self._base_before and rtt > self._base_before + SHRINK_ABOVE:
            # The line has become longer, and that was taken for a queue: what it carries is no longer known.
            self._startup, self._draining, self._flat_rounds = True, False, 0
            self._delays.clear()
            self.delay = 0.0
            self._rates = deque([(self._round, max(self._bandwidth, self._undelayed / 2))])
        self._base_before = 0.0
        self._update_base(max(rtt, LEAST_TIME), now)

    # -- how ----------------------------------------------------------------------------------------------

    def _remove(self, packet: InFlight) -> None:
        self._packets.remove(packet)
        self.in_flight -= packet.size
        self.frames_in_flight -= 1

    def _base_ends_at(self) -> float:
        if not self._base_rtt:
            return _INFINITY
        if self._delayed_since == _INFINITY:
            return self._base_at + BASE_LIFETIME
        patience = max(DELAYED_BASE_LIFETIME, DELAYED_ROUND_TRIPS * self._rtt)
        return min(self._base_at + BASE_LIFETIME, self._delayed_since + patience)

    def _update_base(self, rtt: float, now: float) -> None:
        # A round trip as short as the shortest shows that the line is empty at times.
        if not self._base_rtt or rtt <= self._base_rtt + 0.002:
            self._base_at = now
        if not self._base_rtt or rtt < self._base_rtt:
            self._base_rtt = rtt

    def _after_stall(self) -> None:
        self._startup, self._draining, self._flat_rounds = True, False, 0
        self._delays.clear()
        self._queued.clear()
        self.delay = 0.0
        if self._bandwidth:
            self._bandwidth /= 4
            self._rates = deque([(self._round, self._bandwidth)])
        for packet in self._packets:
            packet.counts = False
        self._set_window()

    def _measure(self, packet: InFlight, now: float) -> None:
        last_piece = (packet.size - 1) // packet.piece * packet.piece
        last_size = packet.size - last_piece
        rtt = now - packet.due(last_piece)
        if rtt < LEAST_TIME:
            rtt = LEAST_TIME
        self._update_base(rtt, now)
        base = self._base_rtt or rtt
        self._rtt = rtt if not self._rtt else self._rtt + 0.25 * (rtt - self._rtt)
        if not self._bandwidth and self._delivered - packet.delivered < LEAST_TELLING:
            return
        if packet.tells_rate:
            interval = max(now - packet.delivered_at, packet.ends_at() - packet.first_sent_at, LEAST_TIME)
            rate = (self._delivered - packet.delivered) / interval
        else:
            rate = self._bandwidth

        # A packet's own time on the line is no delay. The least of three: one late packet is jitter.
        delay = rtt - base - (last_size / self._bandwidth if self._bandwidth else 0.0)
        self._delays.append(delay if delay > 0.0 else 0.0)
        self.delay = min(self._delays)
        delayed = len(self._delays) == self._delays.maxlen
        arrival = _Arrival(now, self._delivered)
        full_rate = self._full_rate(packet, arrival, base)
        if self._startup and packet.tells_rate:
            rate = max(rate, self._arriving(arrival))
        # Whether more had been sent while it was on its way, had the line let it.
        busy = self._blocked_until > packet.delivered
        if packet.delivered >= self._round_ends_at:
            self._begin_round(now, busy)
        if rate > self._round_rate:
            self._round_rate = rate

        if not self._bandwidth and self.delay > SHRINK_ABOVE:
            # The first packet alone took so long that its time on the line was nearly all of it.
            self._startup = False
            self._rates = deque([(self._round, packet.size / self.delay)])
        elif delayed and self.delay > SHRINK_ABOVE:
            # The line is full, so what arrives now is what it carries.
            if self._delayed_since == _INFINITY:
                self._delayed_since, self._undelayed = now, self._bandwidth
            self._startup, self._draining = False, True
            if full_rate:
                self._rates.clear()
                rate = full_rate
            else:
                # With gaps between packets that may be no more than what was sent, on a line that has become longer.
                rate = max(rate, self._undelayed / MAX_STEP)
            self._note(rate)
        elif full_rate or busy or not self._bandwidth or rate > self._bandwidth:
            self._note(max(rate, full_rate))
        if self.delay > GROW_BELOW:
            if delayed and full_rate:
                self._startup = False
        else:
            self._draining, self._delayed_since = False, _INFINITY
        rounds = BANDWIDTH_ROUNDS if self.delay <= GROW_BELOW else DELAYED_ROUNDS
        while len(self._rates) > 1 and self._rates[0][0] <= self._round - rounds:
            self._rates.popleft()
        if self._rates:
            highest = self._rates[0][1]
            self._bandwidth = highest if highest > LEAST_BANDWIDTH else LEAST_BANDWIDTH
            # The last piece went over the line at this rate at least. Half of it, since a millisecond more or less says
            # little.
            waited = rtt - base
            gain = last_size / (waited if waited > 0.001 else 0.001) / self._bandwidth / 2
            self._startup_gain = STARTUP_GAIN if gain < STARTUP_GAIN else min(gain, MAX_STARTUP_GAIN)
        self._set_window()

    def _note(self, rate: float) -> None:
        """Keeps a rate, and of those before it the higher ones."""
        while self._rates and self._rates[-1][1] <= rate:
            self._rates.pop()
        self._rates.append((self._round, rate))

    def _full_rate(self, packet: InFlight, arrival: _Arrival, base: float) -> float:
        """The rate of the last few acknowledgements, if packets have waited for each other on the line all the while;
        otherwise 0.0.

        It is what the line carries, then, and is known long before the rate over whole round trips.
        """
        if packet.sent_at + base > self._delivered_at or packet.piece < packet.size:
            # On a free line it would not have come before its predecessor: the line may have been free, or was so
            # between pieces.
            self._queued.clear()
        self._queued.append(arrival)
        first = self._queued[0]
        takes = arrival.at - first.at
        if takes < FULL_RATE_TIME:
            return 0.0
        rate = (arrival.delivered - first.delivered) / takes
        # Acknowledgements that were held up somewhere come all at once.
        return min(rate, MAX_STEP * self._bandwidth) if self._bandwidth else rate

    def _arriving(self, arrival: _Arrival) -> float:
        """The rate of the last acknowledgements, whatever the line did meanwhile: it carries so much at least.

        At the start, when each round trip brings more, the rate over a whole one is that of the round before.
        """
        self._arrived.append(arrival)
        for earlier in reversed(self._arrived):
            takes = arrival.at - earlier.at
            if takes >= FULL_RATE_TIME:
                rate = START_RATE_SHARE * (arrival.delivered - earlier.delivered) / takes
                return min(rate, MAX_STEP * self._bandwidth)
        return 0.0

    def _begin_round(self, now: float, busy: bool) -> None:
        """A round ends when what was sent at its beginning has arrived."""
        growing = self._round_rate > self._last_round_rate * STILL_GROWING
        # A probe lasts as long as a round, which a packet of a single tile may make longer than a round trip.
        least_gain = min(PROBE_GAIN, PROBE_QUEUE / max(now - self._round_began_at, self._base_rtt, 1e-3))
        self._round_began_at = now
        # What was known of the line does not get old while nothing tries it.
        self._round += busy
        self._round_ends_at = self._delivered
        if self._startup and busy:
            self._flat_rounds = 0 if growing else self._flat_rounds + 1
            if self._flat_rounds >= 3:
                self._startup = False
        self._probing = (self._probing + 1) % len(PROBES)
        if self._probing == 2:
            if self.delay < GROW_BELOW and self._bandwidth > self._probed * (1 + 0.6 * self._probe_gain):
                self._probing, self._probe_gain = 0, 2 * self._probe_gain
                # The line has become much faster.
                if self._probe_gain >= max(RESTART_GAIN * least_gain, 2 * PROBE_GAIN):
                    self._startup, self._flat_rounds, self._least_window = True, 0, MIN_WINDOW
        elif self._probing == 3 or self.delay > GROW_BELOW:
            self._probe_gain = least_gain
        if self._probing == 0:
            self._probed = self._bandwidth
            self._probe_left = PROBE_QUEUE * self._probe_gain / least_gain
        self._last_round_rate, self._round_rate = self._round_rate, 0.0

    def _gain(self) -> float:
        if self._draining:
            return DRAIN_GAIN
        if self._startup:
            return self._startup_gain
        probe = PROBES[self._probing]
        if probe == 0.0 or (probe > 0.0 and self.delay > GROW_BELOW):
            return 1.0
        return max(DRAIN_GAIN, 1.0 + self._probe_gain * probe)

    def _set_window(self) -> None:
        if not self._bandwidth:
            return
        held = self._bandwidth * (self._base_rtt + SHRINK_ABOVE + SLACK)
        gain, least = self._gain(), MIN_WINDOW
        if self._startup:
            gain, least = self._startup_gain, self._least_window
        elif gain < 1.0:
            gain = 1.0
        held *= gain
        self.window = least if held < least else MAX_WINDOW if held > MAX_WINDOW else int(held)
