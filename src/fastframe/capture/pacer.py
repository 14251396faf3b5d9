"""How often a source is asked for a frame.

Too often takes the processor away from the very programs that are watched, and fills the queue of a slow line with
pictures of the past. So a `Pacer` asks on a grid of times that is never finer than the frame rate, coarser where frames
are costly, and leaves times out while the consumer has enough to send. What it never does is to drop a frame that was
captured: sources add up what changes meanwhile, and the next frame holds all of it.

`Schedule` decides, by numbers that it is given; `Pacer` has the clock and the source.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fastframe._arguments import checked_number
from fastframe.capture.checks import checked_deadline
from fastframe.capture.source import CapturedFrame, Cursor, Event, FrameSource
from fastframe.errors import LocalProtocolError, TransientCaptureError

# The weight of the newest frame in the mean cost of one. One costly frame (a window that opens) hardly slows those
# after it; eight of them do.
_WEIGHT = 1 / 8
# No frame counts for more than this many seconds, so that one that met a machine standing still is soon forgotten.
_MOST_COST = 1.0
# Seconds after which a consumer with too much backlog is asked again, in case it has drained faster than he thought.
_LONGEST_HOLD = 1.0
# The longest pause between two tries after errors, in seconds.
_LONGEST_PAUSE = 1.0


class Schedule:
    """The grid of times at which there may be a frame. All times are seconds of one clock.

    Parameters
    ----------
    fps
        The most frames a second.
    load
        The share of the time that frames may cost, above 0 and at most 1.
    """

    def __init__(self, fps: float, load: float) -> None:
        self._shortest = 1 / fps
        self._load = load
        self._last = float("-inf")
        self.cost = 0.0
        """What a frame costs on average, in seconds."""

    @property
    def interval(self) -> float:
        """From one time of the grid to the next."""
        return max(self._shortest, self.cost / self._load)

    @property
    def next(self) -> float:
        """From when on there may be a frame: half an interval before its time.

        So the first frame after a pause, which often catches a drawing half done, is followed by a second one soon;
        who goes on is half an interval ahead, and there are no more frames in the long run.
        """
        return self._last + self.interval / 2

    def used(self, now: float) -> None:
        """Go on from a time that was made use of, at `now`."""
        # Whoever wakes a little late stays on the grid, or the rate would sink. A longer gap begins a new one.
        self._last = max(self._last + self.interval, now)

    def worked(self, seconds: float) -> None:
        """Take in what a frame has cost."""
        self.cost += _WEIGHT * (min(seconds, _MOST_COST) - self.cost)


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """What `Pacer.next` brings.

    Parameters
    ----------
    event
        What happened: `FRAME` and `CURSOR` go with the two below, `LAYOUT` and `END` are the source's. `NONE`: the
        deadline came, or the consumer should tell its backlog anew.
    frame
        A picture that is not the one before.
    cursor
        The pointer, where it has moved or changed its shape, and in the first tick.
    """

    event: Event
    frame: CapturedFrame | None = None
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class PacerStats:
    """What a pacer has done so far.

    Parameters
    ----------
    frames
        Frames given out.
    unchanged
        Frames that were captured, and not given out since nothing had changed.
    held
        Times of the grid at which there was something new, and the consumer's backlog too large.
    failures
        Calls of the source that failed and were tried again.
    interval
        Seconds between two times of the grid, as of now.
    cost
        Seconds that a frame costs on average, as of now: to capture and to consume.
    capture
        Seconds that the last capture took.
    """

    frames: int
    unchanged: int
    held: int
    failures: int
    interval: float
    cost: float
    capture: float


class Pacer:
    """Asks a source for frames, at the pace that the consumer and the machine can bear.

    The first change after a pause comes at once, a steady stream on a steady grid. While nothing changes the pacer
    sleeps in `source.wait`, and costs what that does. For one thread at a time; the source remains the caller's, who
    closes it.

    Parameters
    ----------
    source
        Where frames come from. Nobody else should ask it for frames meanwhile.
    fps
        The most frames a second.
    load
        The share of one processor core that frames may take on average, above 0 and at most 1. Counted are the time
        that `source.capture` takes, and the processor time that this process uses between a frame and the next call of
        `next`, at most the time that passes (so a consumer that waits for a socket costs nothing).
    patience
        Seconds for which transient errors of the source are tried again, with growing pauses up to a second; then the
        last one is raised. After that the pacer can be used on.

    Raises
    ------
    LocalProtocolError
        A number outside of its range.
    """

    def __init__(self, source: FrameSource, *, fps: float = 30.0, load: float = 0.5, patience: float = 10.0) -> None:
        fps, load = checked_number(fps, "fps"), checked_number(load, "load")
        patience = checked_number(patience, "patience")
        if not 0 < fps <= 1000:
            raise LocalProtocolError(f"fps must be more than 0, and at most 1000, not {fps}", actual=fps, limit=1000)
        if not 0 < load <= 1:
            raise LocalProtocolError(f"load must be more than 0, and at most 1, not {load}", actual=load, limit=1)
        if patience < 0:
            raise LocalProtocolError(f"patience must be 0 seconds or more, not {patience}", actual=patience)
        self._source = source
        self._schedule = Schedule(fps, load)
        self._patience = patience
        self._first_pause = 1 / fps
        # What the source has told and no tick has passed on yet.
        self._pending = Event.CURSOR
        # Whether damage may have been lost, with a frame that nobody got; at first all of it is new.
        self._unsure = True
        # When the last frame was given out, by the clock and by the processor time of the process.
        self._given: tuple[float, float] | None = None
        self._failing_since: float | None = None
        self._pause = self._first_pause
        self._retry = float("-inf")
        self._frames = self._unchanged = self._held = self._failures = 0
        self._capture_seconds = 0.0

    @property
    def stats(self) -> PacerStats:
        """What has happened so far."""
        return PacerStats(
            self._frames,
            self._unchanged,
            self._held,
            self._failures,
            self._schedule.interval,
            self._schedule.cost,
            self._capture_seconds,
        )

    def next(self, deadline: float | None = None, *, backlog: float = 0.0) -> Tick:
        """Sleep until there is something new, and it is time for it.

        Parameters
        ----------
        deadline
            When to give up, in seconds of `time.monotonic()`; `None`: never.
        backlog
            How many seconds the consumer needs for what it has not sent yet. As long as that is more than the time
            between two frames, none is captured; the pointer is still told. Then, and at the latest after a second, it
            must be told anew.

        Raises
        ------
        CaptureError
            From the source: a permanent error, or a transient one that has lasted for the whole patience.
        RecordingError
            From a replay: it is damaged.
        """
        deadline, backlog = checked_deadline(deadline), checked_number(backlog, "backlog")
        now = time.monotonic()
        self._account(now)
        hold = now + backlog - self._schedule.interval
        if hold > now + _LONGEST_HOLD:
            deadline = min(now + _LONGEST_HOLD, float("inf") if deadline is None else deadline)
        while True:
            if not _sleep(max(self._schedule.next, self._retry), deadline):
                return Tick(Event.NONE)
            try:
                event = self._wait(deadline)
                if event is Event.NONE:
                    return Tick(event)
                tick = self._tick(event, hold)
            except TransientCaptureError as error:
                self._failed(error)
                if self._pending & Event.LAYOUT:
                    # It may be the reason of the failure, and last.
                    self._pending &= ~Event.LAYOUT
                    return Tick(Event.LAYOUT)
                continue
            if tick.event:
                return tick

    def __iter__(self) -> Iterator[CapturedFrame]:
        """The frames alone, to the end of the source; errors are those of `next`."""
        while Event.END not in (tick := self.next()).event:
            if tick.frame is not None:
                yield tick.frame

    def _account(self, now: float) -> None:
        """Count what the consumer did with the last frame."""
        if self._given is not None:
            clock, processor = self._given
            self._given = None
            self._schedule.worked(self._capture_seconds + min(now - clock, time.process_time() - processor))

    def _wait(self, deadline: float | None) -> Event:
        """What the source has for us, now or later."""
        # A source that cannot tell what changes always has something now. If nothing is there, the source can tell.
        event = self._source.wait(time.monotonic())
        if self._unsure and Event.END not in event:
            # Nobody has got the picture yet that the source may count as seen.
            event |= Event.FRAME
        if event is Event.NONE and (deadline is None or deadline > time.monotonic()):
            self._succeeded()
            event = self._source.wait(deadline)
        return event

    def _tick(self, event: Event, hold: float) -> Tick:
        """Answer what the source has told; the tick may turn out to hold nothing."""
        self._pending |= event & (Event.LAYOUT | Event.CURSOR)
        now = time.monotonic()
        self._schedule.used(now)
        frame = None
        if Event.FRAME in event:
            if now < hold:
                self._held += 1
            else:
                frame = self._capture()
        cursor = self._source.cursor() if Event.CURSOR in self._pending else None
        told = event & Event.END | self._pending & Event.LAYOUT
        if cursor is not None:
            told |= Event.CURSOR
        self._pending = Event.NONE
        if frame is not None:
            told |= Event.FRAME
            self._frames += 1
            self._unsure = False
            self._given = time.monotonic(), time.process_time()
        return Tick(told, frame, cursor)

    def _capture(self) -> CapturedFrame | None:
        """One picture; `None`: it is the one before."""
        known, self._unsure = not self._unsure, True
        began = time.monotonic()
        frame = self._source.capture()
        self._capture_seconds = time.monotonic() - began
        self._succeeded()
        if known and frame.damage == ():
            self._unsure = False
            self._unchanged += 1
            self._schedule.worked(self._capture_seconds)
            return None
        return frame if known else replace(frame, damage=None)

    def _succeeded(self) -> None:
        self._failing_since = None
        self._pause = self._first_pause

    def _failed(self, error: TransientCaptureError) -> None:
        """Plan the next try, or give up."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._patience:
            self._succeeded()
            raise error
        self._failures += 1
        self._retry = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


def _sleep(until: float, deadline: float | None) -> bool:
    """Sleep until a time; False: the deadline came first."""
    if deadline is not None and deadline < until:
        time.sleep(max(0.0, deadline - time.monotonic()))
        return False
    time.sleep(max(0.0, until - time.monotonic()))
    return True
