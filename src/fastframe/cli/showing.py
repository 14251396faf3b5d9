"""What `fastframe share` shows: the screen or a part of it as one display, or each monitor as a display of its own.

Each display has a source and a thread of its own, so none waits for another. A monitor that is unplugged is gone for
the viewer as well, until it is back.
"""

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self

from fastframe import capture
from fastframe.capture import CapturedFrame, Cursor, CursorShape, Event, LiveSource, Pacer, Tick
from fastframe.cli.screen import PATIENCE, REFRESH, MaskWarnings, Screen, parse_monitor
from fastframe.cli.session import news
from fastframe.errors import CaptureError, FastframeError, PermanentCaptureError, TransientCaptureError
from fastframe.geometry import Rect
from fastframe.stream import Display
from fastframe.stream.aio import SenderDriver, Worker
from fastframe.stream.messages import MAX_DISPLAYS, MAX_NAME

EVERY_MONITOR = "all"
MAX_POINTER = 256
# By what a monitor is known again: its name, or where that is none or not its alone, its number and place.
Key = str | tuple[int, Rect]


class Showing:
    """Shows what is shared while the customer agrees to that; an (async) context manager.

    On entry all that is there is opened, so that what is wrong is told before anybody connects: it raises what
    `open_source` does.

    Parameters
    ----------
    screen
        What is shared, the monitors aside.
    monitors
        The monitors that are displays of their own, by number or name, or `all`; none of them: it is all one display.
    driver
        Where pictures go.
    fps
        The most frames a second of each display.
    """

    def __init__(self, screen: Screen, monitors: list[str], driver: SenderDriver, fps: float) -> None:
        if EVERY_MONITOR in monitors and len(monitors) > 1:
            raise FastframeError("--monitor all goes with no other --monitor")
        if len(monitors) > MAX_DISPLAYS:
            raise FastframeError(f"at most {MAX_DISPLAYS} monitors can be shared", limit=MAX_DISPLAYS)
        self._screen, self._monitors = screen, monitors
        self.driver, self.fps = driver, fps
        self.warnings = MaskWarnings()
        self.is_agreed = asyncio.Event()
        self._displays: dict[int, _Shown] = {}
        self._tasks: dict[_Threaded, asyncio.Task[None]] = {}
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # The display that the pointer was last seen on.
        self._pointer_on: int | None = None

    async def __aenter__(self) -> Self:
        try:
            if EVERY_MONITOR in self._monitors:
                await self._begin(_EveryMonitor(self, self._screen), replace(self._screen, masks=()))
            elif self._monitors:
                for number, text in enumerate(self._monitors):
                    await self.add(number, self._screen, parse_monitor(text))
            else:
                await self.add(0, self._screen, None)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    async def run(self) -> None:
        """Goes on until it is cancelled; raises what makes capturing fail for good."""
        await self._over

    def agree(self, agrees: bool) -> None:
        """The customer agrees to be seen, or does not any more."""
        (self.is_agreed.set if agrees else self.is_agreed.clear)()
        self._pointer_on = None

    async def add(self, number: int, screen: Screen, monitor: int | str | None) -> None:
        """Shows a monitor, or all that is shared, as another display; raises what `open_source` does."""
        shown = _Shown(self, number, monitor)
        await self._begin(shown, screen if monitor is None else replace(screen, share=monitor))
        self._displays[number] = shown
        self.warnings.sources.append(shown.source)

    async def remove(self, number: int) -> None:
        """A display is not there any more."""
        shown = self._displays.pop(number)
        self.warnings.sources.remove(shown.source)
        await self._end(shown)
        self.driver.hide(number)

    def point(self, number: int, cursor: Cursor, shape: CursorShape | None) -> None:
        """Tells where the pointer is. Every display says whether it is there; the one where it is is believed.

        `shape` is what it looks like there, told before or now.
        """
        if self._pointer_on != number:
            if not cursor.visible:
                return
            self._pointer_on = number
        elif cursor.shape is None:
            shape = None
        if shape is not None and max(shape.pixels.shape) > MAX_POINTER:
            shape = None  # more than the stream carries; the viewer shows the one before
        told = (shape.pixels, shape.hotspot) if shape else None
        self.driver.point(number, cursor.x, cursor.y, visible=cursor.visible, shape=told)

    async def _begin(self, threaded: "_Threaded", screen: Screen) -> None:
        await threaded.open(screen)
        self._tasks[threaded] = task = asyncio.create_task(threaded.run())
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():
            self._over.set_exception(error)

    async def _end(self, threaded: "_Threaded") -> None:
        task = self._tasks.pop(threaded)
        task.cancel()
        try:
            await asyncio.gather(task, return_exceptions=True)
        finally:
            threaded.close()

    async def _close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for threaded in self._tasks:
            threaded.close()
        if not self._over.cancel() and not self._over.cancelled():
            self._over.exception()  # whoever waits for it has got it


class _Threaded(ABC):
    """A source, and the thread that alone uses it."""

    def __init__(self, showing: Showing) -> None:
        self._showing = showing
        self._stack = contextlib.ExitStack()
        self._worker = Worker("fastframe-capture")
        self.source: LiveSource

    async def open(self, screen: Screen) -> None:
        """Opens the source; raises what `open_source` does."""
        with contextlib.ExitStack() as stack:
            # First the thread ends, then the source.
            sources = stack.enter_context(contextlib.ExitStack())
            stack.enter_context(self._worker)
            self.source = sources.enter_context(await self._worker.run(screen.open))
            await self._begin()
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Ends the thread, when it has done what it is doing, and closes the source."""
        self._stack.close()

    @abstractmethod
    async def _begin(self) -> None:
        """What comes before `run`, and may fail as opening does."""

    @abstractmethod
    async def run(self) -> None:
        """What is done with the source, until that is cancelled."""


class _Shown(_Threaded):
    """One source that is shown as one display."""

    def __init__(self, showing: Showing, number: int, monitor: int | str | None) -> None:
        super().__init__(showing)
        self._number, self._monitor = number, monitor
        # Of which layout the monitor's place below is.
        self._layout: int | None = None
        self._place = capture.Display(0, "", Rect(0, 0, 0, 0))
        self._shape: CursorShape | None = None

    async def _begin(self) -> None:
        if isinstance(self._monitor, int):
            # Numbers change when monitors come and go.
            displays = await self._worker.run(self.source.displays)
            self._monitor = next((each.name for each in displays if each.number == self._monitor), "")

    async def run(self) -> None:
        """Shows the source whenever the customer agrees."""
        agreed = self._showing.is_agreed
        while True:
            await agreed.wait()
            await self._show_whole()
            pacer = Pacer(self.source, fps=self._showing.fps, patience=PATIENCE)
            while agreed.is_set():
                try:
                    tick = await self._worker.run(self._next, pacer)
                except TransientCaptureError:
                    if not await self._is_unplugged():
                        raise
                    continue
                if not agreed.is_set():
                    break
                self._showing.warnings.update()
                if tick.frame is not None:
                    self._show(tick.frame, tick.frame.damage)
                elif Event.LAYOUT in tick.event:
                    await self._show_whole()  # or find out that it is not there any more
                if tick.cursor is not None:
                    self._shape = tick.cursor.shape or self._shape
                    self._showing.point(self._number, tick.cursor, self._shape)

    def _next(self, pacer: Pacer) -> Tick:
        tick = pacer.next(time.monotonic() + REFRESH)
        if tick.frame is not None:
            self._find(tick.frame)
        return tick

    def _capture(self) -> CapturedFrame:
        frame = self.source.capture()
        self._find(frame)
        return frame

    def _find(self, frame: CapturedFrame) -> None:
        """Learns where the monitor is on the desktop, if that may have changed."""
        if not self._monitor or frame.layout == self._layout:
            return
        with contextlib.suppress(TransientCaptureError):  # the frame must not get lost; the next one asks again
            found = [each for each in self.source.displays() if each.name == self._monitor]
            self._place = found[0] if len(found) == 1 else replace(self._place, name=str(self._monitor))
            self._layout = frame.layout

    async def _show_whole(self) -> None:
        """The display as it is, whether it has changed lately or not."""
        try:
            frame = await self._worker.run(self._capture)
        except TransientCaptureError:
            if self._monitor is not None:
                self._showing.driver.hide(self._number)
            return  # the pacer tries again
        if self._showing.is_agreed.is_set():
            self._show(frame, None)

    async def _is_unplugged(self) -> bool:
        """Whether nothing but the monitor is missing; raises what makes the whole desktop missing."""
        if self._monitor is None:
            return False
        await self._worker.run(self.source.displays)
        return True

    def _show(self, frame: CapturedFrame, damage: Iterable[Rect] | None) -> None:
        place = self._place
        display = Display(self._number, place.area.x, place.area.y, *frame.size, place.name[:MAX_NAME], place.primary)
        self._showing.driver.show(display, frame.pixels, damage)


class _EveryMonitor(_Threaded):
    """Sees to it that each monitor is a display while it is plugged in."""

    def __init__(self, showing: Showing, screen: Screen) -> None:
        super().__init__(showing)
        self._screen = screen
        self._numbers: dict[Key, int] = {}
        # Those that could not be shown, of which the customer was told.
        self._failed: set[Key] = set()

    async def _begin(self) -> None:
        for key, share in (await self._monitors()).items():
            await self._add(key, share)

    async def run(self) -> None:
        """Looks every now and then which ones there are: the sources tell that only to who captures."""
        lost_at: float | None = None
        while True:
            await asyncio.sleep(REFRESH)
            try:
                await self._follow(await self._monitors())
                lost_at = None
            except TransientCaptureError:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() > lost_at + PATIENCE:
                    raise

    async def _monitors(self) -> dict[Key, int | str]:
        """All that there are, and how a source is told to show them."""
        displays = await self._worker.run(self.source.displays)
        count = Counter(each.name for each in displays)
        return {
            (each.name if named else (each.number, each.area)): (each.name if named else each.number)
            for each in displays
            for named in [bool(each.name) and count[each.name] == 1]
        }

    async def _follow(self, monitors: dict[Key, int | str]) -> None:
        for key in self._numbers.keys() - monitors.keys():
            await self._showing.remove(self._numbers.pop(key))
        self._failed &= monitors.keys()
        for key in [each for each in monitors if each not in self._numbers]:
            try:
                await self._add(key, monitors[key])
                self._failed.discard(key)
            except CaptureError as error:  # it may be gone again; the next look tells
                if key not in self._failed:
                    self._failed.add(key)
                    news(f"monitor {monitors[key]} is not shown: {error}")

    async def _add(self, key: Key, share: int | str) -> None:
        number = next((each for each in range(MAX_DISPLAYS) if each not in self._numbers.values()), None)
        if number is None:
            raise PermanentCaptureError(f"at most {MAX_DISPLAYS} monitors can be shown", limit=MAX_DISPLAYS)
        await self._showing.add(number, self._screen, share)
        self._numbers[key] = number
