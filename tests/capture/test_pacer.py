"""When frames are asked for: the schedule by numbers, the pacer with a source that plays a part in a time of its own,
and with real screens and replays."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import pytest
from x11_client import Client

from fastframe.capture import (
    CapturedFrame,
    Cursor,
    Display,
    Event,
    MssSource,
    Pacer,
    ReplaySource,
    Tick,
    VideoWriter,
)
from fastframe.capture.pacer import Schedule
from fastframe.capture.x11 import X11Source
from fastframe.errors import LocalProtocolError, PermanentCaptureError, TransientCaptureError
from fastframe.geometry import Rect

if TYPE_CHECKING:
    from xserver import XServer


class TestSchedule:
    def test_a_steady_stream_is_on_a_steady_grid(self) -> None:
        schedule = Schedule(10, 1.0)
        schedule.used(5.0)
        times = []
        for late in (0.0, 0.01, 0.04, 0.0, 0.02):
            times.append(schedule.next)
            schedule.used(schedule.next + late)
        # The second one half an interval early. Who is late by less than that does not shift the rest.
        assert times == pytest.approx([5.05, 5.15, 5.25, 5.35, 5.45])

    def test_a_pause_begins_a_new_grid_without_catching_up(self) -> None:
        schedule = Schedule(10, 1.0)
        schedule.used(5.0)
        schedule.used(5.17)
        assert schedule.next == pytest.approx(5.22)
        schedule.used(60.0)
        assert schedule.next == pytest.approx(60.05)

    @pytest.mark.parametrize("pause", [0.0, 0.12, 0.15, 0.17])
    def test_there_are_never_more_than_the_rate_in_the_long_run(self, pause: float) -> None:
        schedule, now, times = Schedule(10, 1.0), 0.0, 0
        while now < 30:
            # After some frames each, something pauses.
            now = max(now, schedule.next) if times % 2 else max(now + pause, schedule.next)
            schedule.used(now)
            times += 1
        assert times <= 10 * now + 2

    def test_the_first_time_is_now(self) -> None:
        assert Schedule(10, 1.0).next <= 0

    @pytest.mark.parametrize("load", [0.25, 0.5, 1.0])
    def test_costly_frames_come_so_seldom_that_they_take_their_share_alone(self, load: float) -> None:
        schedule = Schedule(60, load)
        now, spent = 0.0, 0.0
        for _ in range(300):
            now = max(now, schedule.next)
            schedule.used(now)
            schedule.worked(0.04)
            now, spent = now + 0.04, spent + 0.04
        assert spent / now == pytest.approx(load, rel=0.05)

    def test_one_costly_frame_hardly_slows_those_after_it(self) -> None:
        schedule = Schedule(30, 0.5)
        for _ in range(100):
            schedule.worked(0.005)
        schedule.worked(0.1)
        assert schedule.interval < 2 / 30

    def test_a_machine_that_stood_still_is_soon_forgotten(self) -> None:
        schedule = Schedule(30, 0.5)
        schedule.worked(3600)
        for _ in range(30):
            schedule.worked(0.001)
        assert schedule.interval == pytest.approx(1 / 30)


@dataclass
class Clock:
    """Stands in for the module `time`: nothing takes time but what the test says, so every moment is exact."""

    now: float = 1000.0
    used: float = 0.0
    late: float = 0.0
    """How much too late every sleeper wakes, in seconds."""

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.used

    def sleep(self, seconds: float) -> None:
        assert 0 <= seconds < math.inf
        self.now += seconds + (self.late if seconds else 0.0)

    def work(self, seconds: float) -> None:
        """Keep the processor busy."""
        self.now += seconds
        self.used += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that the pacer knows."""
    clock = Clock()
    monkeypatch.setattr("fastframe.capture.pacer.time", clock)
    return clock


@dataclass
class Actor:
    """A source that does what a test says; like the screen of an X server it can tell what has changed."""

    clock: Clock
    plot: list[tuple[float, Event]]
    """When (seconds from the beginning) something happens, and what."""
    damage: tuple[Rect, ...] | None = (Rect(0, 0, 1, 1),)
    cost: float = 0.0
    """Seconds that it takes to capture."""
    failures: int = 0
    """How many calls of `capture` fail before one works."""
    captured: list[float] = field(default_factory=list)
    waits: int = 0
    moves: int = 0
    began: float = field(init=False)
    _pending: Event = Event.NONE

    def __post_init__(self) -> None:
        self.began = self.clock.now

    @property
    def seconds(self) -> float:
        return self.clock.now - self.began

    def _happen(self) -> None:
        while self.plot and self.seconds >= self.plot[0][0] - 1e-9:
            self._pending |= self.plot.pop(0)[1]

    def displays(self) -> tuple[Display, ...]:
        return ()

    def wait(self, deadline: float | None) -> Event:
        self.waits += 1
        self._happen()
        if not self._pending:
            upcoming = self.began + self.plot[0][0] if self.plot else math.inf
            until = min(upcoming, math.inf if deadline is None else deadline)
            assert until < math.inf, "this would sleep for ever"
            self.clock.sleep(max(0.0, until - self.clock.now))
            self._happen()
        event = self._pending
        # Damage stays until it is captured, and the position of the pointer until it is asked for.
        self._pending &= Event.FRAME | Event.CURSOR | Event.END
        return event

    def capture(self) -> CapturedFrame:
        self.clock.work(self.cost)
        if self.failures:
            self.failures -= 1
            raise TransientCaptureError("not now")
        self._happen()
        self._pending &= ~Event.FRAME
        self.captured.append(self.seconds)
        return CapturedFrame(np.zeros((4, 4, 4), np.uint8), len(self.captured), self.damage)

    def cursor(self) -> Cursor | None:
        self._pending &= ~Event.CURSOR
        self.moves += 1
        return Cursor(self.moves, 0, True)

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class RealClock(Clock):
    """The time of day."""

    def monotonic(self) -> float:
        return time.monotonic()


REAL = RealClock()


def play(pacer: Pacer, clock: Clock, seconds: float, backlog: float = 0.0) -> Iterator[Tick]:
    """The ticks of so many seconds."""
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        yield pacer.next(end, backlog=backlog)


def drawing(seconds: float) -> list[tuple[float, Event]]:
    """Something new every 5 ms."""
    return [(0.005 * index, Event.FRAME) for index in range(int(seconds / 0.005))]


class TestPace:
    @pytest.mark.parametrize("late", [0.0, 0.004])
    def test_a_busy_screen_gives_as_many_frames_as_are_wanted_and_no_bursts(self, clock: Clock, late: float) -> None:
        source = Actor(clock, drawing(1.0), cost=0.002)
        clock.late = late
        list(play(Pacer(source, fps=20), clock, 0.99))
        # The second one half an interval early, and so all others.
        assert len(source.captured) == 21
        assert np.diff(source.captured) == pytest.approx(np.array([0.025, *[0.05] * 19]), abs=0.0061)

    def test_the_first_change_after_a_pause_comes_at_once(self, clock: Clock) -> None:
        plot = [(0.0, Event.FRAME), (0.4, Event.FRAME), (0.41, Event.FRAME), (0.55, Event.FRAME)]
        source = Actor(clock, plot)
        pacer = Pacer(source, fps=4)
        for _ in range(4):
            assert pacer.next().frame is not None
        # The first one may have shown a drawing half done, so what follows comes after half of an interval; what comes
        # then waits for its time, a quarter of a second later.
        assert source.captured == pytest.approx([0.0, 0.4, 0.525, 0.775])

    def test_while_nothing_happens_it_sleeps_in_the_source(self, clock: Clock) -> None:
        source = Actor(clock, [(0.0, Event.FRAME), (3600.0, Event.FRAME)])
        pacer = Pacer(source, fps=60)
        for _ in range(2):
            pacer.next()
        assert source.captured == pytest.approx([0.0, 3600.0])
        assert source.waits <= 4

    @pytest.mark.parametrize("load", [0.25, 0.5, 1.0])
    def test_costly_frames_take_their_share_of_the_processor_and_no_more(self, clock: Clock, load: float) -> None:
        source = Actor(clock, drawing(60.0), cost=0.01)
        pacer = Pacer(source, fps=60, load=load)
        for tick in play(pacer, clock, 60.0):
            if tick.frame is not None:
                clock.work(0.03)
        assert clock.used / 60 == pytest.approx(load, rel=0.03)
        assert pacer.stats.cost == pytest.approx(0.04)
        assert pacer.stats.interval == pytest.approx(0.04 / load)
        # On a steady grid, too.
        assert np.ptp(np.diff(source.captured)[-100:]) < 0.001

    def test_a_consumer_that_waits_for_others_costs_nothing(self, clock: Clock) -> None:
        source = Actor(clock, drawing(10.0))
        pacer = Pacer(source, fps=20, load=0.1)
        for tick in play(pacer, clock, 9.99):
            if tick.frame is not None:
                clock.work(0.001)
                clock.sleep(0.04)
        assert len(source.captured) == 201

    def test_a_consumer_that_stalls_and_comes_back_is_not_flooded(self, clock: Clock) -> None:
        source = Actor(clock, drawing(20.0))
        pacer = Pacer(source, fps=20)
        assert pacer.next().frame is not None
        clock.sleep(5.0)
        list(play(pacer, clock, 0.29))
        # One at once, of now, another one soon, then one every 50 ms.
        assert source.captured == pytest.approx([0.0, 5.0, 5.025, 5.075, 5.125, 5.175, 5.225, 5.275])

    def test_backlog_holds_frames_back_but_not_the_pointer(self, clock: Clock) -> None:
        moving = [(0.02 * index, Event.CURSOR) for index in range(40)]
        source = Actor(clock, sorted(drawing(1.0) + moving, key=lambda it: it[0]))
        pacer = Pacer(source, fps=20)
        assert pacer.next().frame is not None
        held = list(play(pacer, clock, 0.39, backlog=5.0))
        assert [tick.frame for tick in held] == [None] * len(held)
        assert sum(tick.cursor is not None for tick in held) == pacer.stats.held == 8
        # It is as good as drained: less than a frame's time is left.
        assert pacer.next(backlog=0.01).frame is not None

    def test_backlog_is_waited_for_as_long_as_it_takes_to_drain(self, clock: Clock) -> None:
        source = Actor(clock, drawing(2.0))
        pacer = Pacer(source, fps=20)
        for backlog in (0.0, 0.33, 0.0):
            assert pacer.next(backlog=backlog).frame is not None
        # All but one interval of it, on the grid.
        assert source.captured == pytest.approx([0.0, 0.325, 0.375])

    def test_who_has_more_backlog_than_a_second_is_asked_again(self, clock: Clock) -> None:
        source = Actor(clock, drawing(3.0))
        pacer = Pacer(source, fps=20)
        pacer.next()
        tick = pacer.next(backlog=60.0)
        assert (tick.event, tick.frame) == (Event.NONE, None)
        assert source.seconds == pytest.approx(1.0)


class TestTicks:
    def test_a_deadline_brings_a_tick_with_nothing(self, clock: Clock) -> None:
        source = Actor(clock, [(0.0, Event.FRAME), (5.0, Event.FRAME)])
        pacer = Pacer(source, fps=20)
        pacer.next()
        for seconds in (0.01, 0.1, 0.2):  # before and after there might be a frame
            tick = pacer.next(source.began + seconds)
            assert (tick.event, tick.frame, tick.cursor) == (Event.NONE, None, None)
            assert source.seconds == pytest.approx(seconds)

    def test_the_pointer_comes_once_a_tick_and_at_first(self, clock: Clock) -> None:
        source = Actor(clock, [(0.0, Event.FRAME), *((0.1 + 0.005 * index, Event.CURSOR) for index in range(60))])
        pacer = Pacer(source, fps=20)
        first = pacer.next()
        assert first.event == Event.FRAME | Event.CURSOR
        assert first.frame is not None
        assert first.cursor is not None
        ticks = list(play(pacer, clock, 0.5))
        assert all(tick.frame is None for tick in ticks)
        # 0.3 s of motion: at once, after 25 ms, then in 50 ms each.
        positions = [tick.cursor.x for tick in ticks if tick.cursor is not None]
        assert positions == [2, 3, 4, 5, 6, 7, 8, 9]
        assert len(source.captured) == 1

    def test_a_new_layout_is_told_with_the_frame(self, clock: Clock) -> None:
        tick = Pacer(Actor(clock, [(0.0, Event.FRAME | Event.LAYOUT)]), fps=60).next()
        assert Event.LAYOUT in tick.event
        assert tick.frame is not None

    def test_a_new_layout_is_told_once_and_at_once_while_capture_fails(self, clock: Clock) -> None:
        pacer = Pacer(Actor(clock, [(0.0, Event.FRAME | Event.LAYOUT)], failures=2), fps=60)
        tick = pacer.next()
        assert (tick.event, tick.frame) == (Event.LAYOUT, None)
        tick = pacer.next()
        assert Event.LAYOUT not in tick.event
        assert tick.frame is not None

    def test_a_frame_without_damage_is_not_given_out(self, clock: Clock) -> None:
        source = Actor(clock, [(0.1 * index, Event.FRAME) for index in range(10)], damage=())
        pacer = Pacer(source, fps=100)
        ticks = list(play(pacer, clock, 2.0))
        # But for the first one, since nobody has seen what was there before.
        assert [tick.frame is not None for tick in ticks].count(True) == pacer.stats.frames == 1
        assert pacer.stats.unchanged == 9

    def test_the_first_frame_is_all_new_whatever_the_source_says(self, clock: Clock) -> None:
        pacer = Pacer(Actor(clock, [(0.0, Event.FRAME), (0.1, Event.FRAME)]))
        first, second = pacer.next().frame, pacer.next().frame
        assert first is not None
        assert second is not None
        assert (first.damage, second.damage) == (None, (Rect(0, 0, 1, 1),))

    def test_frames_alone_come_by_iteration_to_the_end(self, clock: Clock) -> None:
        plot = [(0.0, Event.FRAME), (0.05, Event.CURSOR), (0.1, Event.FRAME), (0.2, Event.END)]
        assert len(list(Pacer(Actor(clock, plot), fps=100))) == 2


class TestFailures:
    def test_that_pass_are_tried_again_and_what_was_lost_counts_as_changed(self, clock: Clock) -> None:
        source = Actor(clock, [(0.0, Event.FRAME), (0.1, Event.FRAME)])
        pacer = Pacer(source, fps=50)
        assert pacer.next().frame is not None
        source.failures = 3
        frame = pacer.next().frame
        assert frame is not None
        assert frame.damage is None
        assert pacer.stats.failures == 3
        # With pauses of 20, 40 and 80 ms.
        assert source.captured[1] == pytest.approx(0.24)

    def test_that_last_are_raised_when_the_patience_is_over(self, clock: Clock) -> None:
        source = Actor(clock, [(0.0, Event.FRAME)], failures=1_000_000)
        pacer = Pacer(source, fps=50, patience=10)
        for times in (1, 2):
            with pytest.raises(TransientCaptureError, match="not now"):
                pacer.next()
            assert 10 * times <= source.seconds < 12 * times
        # Pauses grow, to a second.
        assert 1_000_000 - source.failures < 40
        source.failures = 0
        assert pacer.next().frame is not None

    def test_that_are_far_apart_are_not_added_up(self, clock: Clock) -> None:
        source = Actor(clock, [(20.0 * index, Event.FRAME) for index in range(3)])
        pacer = Pacer(source, fps=50, patience=10)
        for _ in range(3):
            source.failures = 4
            assert pacer.next().frame is not None

    def test_do_not_outlast_a_deadline(self, clock: Clock) -> None:
        source = Actor(clock, [(0.0, Event.FRAME)], failures=1_000_000)
        assert Pacer(source, fps=50).next(clock.now + 0.2).event == Event.NONE
        assert source.seconds == pytest.approx(0.2)

    @pytest.mark.parametrize(
        "arguments",
        [{"fps": 0}, {"fps": -1}, {"fps": 1e9}, {"fps": math.nan}, {"load": 0}, {"load": 1.5}, {"patience": -1}],
    )
    def test_of_arguments_are_refused(self, clock: Clock, arguments: dict[str, float]) -> None:
        with pytest.raises(LocalProtocolError, match="must be"):
            Pacer(Actor(clock, []), **arguments)


class TestSources:
    def test_a_screen_that_cannot_tell_is_asked_at_the_frame_rate(self, xserver: "XServer") -> None:
        with MssSource(xserver.display) as screen:
            pacer = Pacer(screen, fps=20, load=1.0)
            times = [tick.frame.timestamp for tick in play(pacer, REAL, 1.0) if tick.frame]
        assert 1 < len(times) <= 21
        assert pacer.stats.failures == 0

    def test_the_pointer_is_told_while_nothing_else_happens(self, xserver: "XServer") -> None:
        client = Client(xserver.display)
        with X11Source(xserver.display) as source:
            # Frames that others have got count for nothing: the first tick has one.
            while source.wait(time.monotonic() + 0.1):
                source.capture()
                source.cursor()
            pacer = Pacer(source)
            first = pacer.next(time.monotonic() + 10)
            assert first.event == Event.FRAME | Event.CURSOR
            while pacer.next(time.monotonic() + 0.2).event:
                pass
            places = [(100 + 10 * step, 50) for step in range(5)]
            for place in places:
                client.move_pointer(*place)
                tick = pacer.next(time.monotonic() + 10)
                assert tick.event == Event.CURSOR
                assert tick.cursor is not None
                assert (tick.cursor.x, tick.cursor.y) == place
        client.close()

    def test_a_screen_whose_server_is_restarted_goes_on(self, xserver: "XServer") -> None:
        with MssSource(xserver.display, timeout=0.5) as screen:
            pacer = Pacer(screen, fps=20)
            first = pacer.next().frame
            assert first is not None
            xserver.restart()
            ticks = list(play(pacer, REAL, 1.5))
        last = next(tick.frame for tick in reversed(ticks) if tick.frame is not None)
        assert last.layout > first.layout
        assert any(Event.LAYOUT in tick.event for tick in ticks)

    def test_a_screen_whose_server_is_gone_is_an_error_in_the_end(self, xserver: "XServer") -> None:
        with MssSource(xserver.display) as screen:
            pacer = Pacer(screen, fps=20, patience=0.3)
            pacer.next()
            xserver.kill()
            with pytest.raises(TransientCaptureError, match=f"cannot capture display {xserver.display}"):
                pacer.next()

    def test_a_closed_screen_is_an_error_at_once(self, xserver: "XServer") -> None:
        screen = MssSource(xserver.display)
        screen.close()
        with pytest.raises(PermanentCaptureError, match="closed"):
            Pacer(screen).next()

    @pytest.mark.parametrize("realtime", [False, True])
    def test_a_replay_comes_whole_where_the_rate_is_high_enough(self, tmp_path: Path, realtime: bool) -> None:
        with VideoWriter(tmp_path / "video.mkv", (8, 8), 20) as writer:
            for index in range(8):
                writer.write(np.full((8, 8, 4), index, np.uint8), index * 50_000)
        with ReplaySource(tmp_path / "video.mkv", realtime=realtime) as source:
            began = time.monotonic()
            seen = [int(frame.pixels[0, 0, 0]) for frame in Pacer(source, fps=100, load=1.0)]
        if realtime:
            assert time.monotonic() - began >= 0.35
            assert (seen[-1], seen) == (7, sorted(set(seen)))
        else:
            assert seen == [0, 1, 2, 3, 4, 5, 6, 7]
