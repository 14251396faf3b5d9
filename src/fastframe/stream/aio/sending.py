"""The customer's end with asyncio: the newest picture of each display, encoded when there is room on the line."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastframe._arguments import checked_bool, checked_int
from fastframe._frames import checked_frame, clipped_damage
from fastframe.errors import ConsentRequired, LocalProtocolError
from fastframe.stream.aio.driver import Driver, EventHandler
from fastframe.stream.aio.transport import LOGGER
from fastframe.stream.aio.worker import Worker
from fastframe.stream.consent import ConsentState, Scope
from fastframe.stream.events import ConsentChanged, Event, FrameWanted
from fastframe.stream.messages import ByeReason, Display
from fastframe.stream.pointer import checked_shape
from fastframe.stream.sender import Sender
from fastframe.stream.states import State
from fastframe.stream.wire import Message

Damage = tuple[tuple[int, int, int, int], ...]

# Rectangles that are kept apart while pictures wait; with more of them the encoder looks for itself.
MAX_DAMAGE = 256


@dataclass(slots=True)
class _Picture:
    """The newest picture of a display, and what of it the sender has not been told."""

    pixels: Any
    damage: Damage | None
    is_due: bool = True


class SenderDriver(Driver[Sender]):
    """Drives a `Sender`.

    Pictures are encoded in the worker's thread, one after the other. Between a picture and its encoding lies no queue:
    what comes while the line or the thread is busy takes the place of what waits, and their damage is united.

    When `view` is not granted any more, pictures are dropped. So `FrameWanted` is an event only for displays of which
    there is none: after a new consent, for those that were shown before. Capture and `show` them then, whether they
    have changed or not; it is told once until that.

    Parameters are those of `Driver`.
    """

    def __init__(self, endpoint: Sender, on_event: EventHandler, worker: Worker) -> None:
        super().__init__(endpoint, on_event, worker)
        self._encoding = worker
        self._pictures: dict[int, _Picture] = {}
        self._displays: dict[int, Display] = {}
        self._displays_changed = False
        self._pointer: tuple[int, int, int, bool] | None = None
        self._pointer_shape: tuple[Any, tuple[int, int]] | None = None
        self._stopped = False

    def show(self, display: Display, pixels: Any, damage: Iterable[tuple[int, int, int, int]] | None) -> None:
        """Shows a new picture of a display. To be called in the event loop's thread, only while `view` is granted.

        Parameters
        ----------
        display
            Which one; if it is new, or looks another way, the viewer is told first.
        pixels
            (height, width, 4) uint8 BGRX, in the display's size. It must not change until the next picture of this
            display is shown, nor is it copied.
        damage
            What is different from the display's picture before; `None`: not known.

        Raises
        ------
        LocalProtocolError
            A wrong argument, or called outside of the event loop. What was shown before goes on being shown.
        """
        self._check_loop()
        is_known = False
        with contextlib.suppress(ValueError):  # of an array as a field, say, which is refused below
            is_known = display in self._displays.values()
        if not is_known:
            (display,) = self.endpoint.check_displays((display,))
        frame = checked_frame(pixels, display.width, display.height)
        new = None if damage is None else tuple(clipped_damage(damage, display.width, display.height))
        if not is_known:
            displays = {**self._displays, display.id: display}
            self.endpoint.check_displays(displays.values())
            self._displays, self._displays_changed, new = displays, True, None
        before = self._pictures.get(display.id)
        waiting = before.damage if before else None
        united = None if waiting is None or new is None or len(waiting) + len(new) > MAX_DAMAGE else waiting + new
        self._pictures[display.id] = _Picture(frame, united)
        self._wake.set()

    def hide(self, number: int) -> None:
        """A display is gone. To be called as `show` is."""
        self._check_loop()
        number = checked_int(number, "id of a display", 0, 0xFF)
        self._pictures.pop(number, None)
        self._displays_changed |= self._displays.pop(number, None) is not None
        self._wake.set()

    def point(
        self, number: int, x: int, y: int, *, visible: bool = True, shape: tuple[Any, tuple[int, int]] | None = None
    ) -> None:
        """The pointer has moved, or looks different. To be called as `show` is, after it.

        Parameters
        ----------
        number
            The display that it is on.
        x, y
            Where its hotspot is, in pixels of the display.
        visible
            Whether it is to be drawn.
        shape
            If it looks different: pixels and hotspot, as for `Sender.send_cursor_shape`. One that is longer than the
            viewer takes in a message is not told.

        Raises
        ------
        LocalProtocolError
            A wrong argument, or called outside of the event loop. Nothing has changed.
        """
        self._check_loop()
        position = (
            checked_int(number, "id of a display", 0, 0xFF),
            checked_int(x, "x of the pointer", -(2**31), 2**31 - 1),
            checked_int(y, "y of the pointer", -(2**31), 2**31 - 1),
            checked_bool(visible, "visible"),
        )
        if shape is not None:
            try:
                pixels, hotspot = shape
            except (TypeError, ValueError) as error:
                raise LocalProtocolError("a shape must be pixels and a hotspot", actual=shape) from error
            self._pointer_shape = checked_shape(pixels, hotspot)
        self._pointer = position
        self._wake.set()

    async def stop(self, reason: ByeReason = ByeReason.STOPPED, text: str = "", *, by: str = "") -> None:
        """The customer ends the session: from now on no part of a picture leaves, and all consents are withdrawn."""
        self._stopped = True
        self._forget()

        def withdraw(now: float) -> None:
            self.endpoint.gate.withdraw_all(now, by=by)
            self.endpoint.close(now, reason, text)

        await self.call(withdraw)

    def _handle(self, event: Event) -> None:
        match event:
            case FrameWanted(display) if display in self._pictures:
                self._pictures[display].is_due = True
                return
            case ConsentChanged(Scope.VIEW, _, after) if after is not ConsentState.GRANTED:
                self._forget()
        super()._handle(event)

    def _check_loop(self) -> None:
        """What is shown wakes the loop, which another thread could not do."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None or loop is not (self._loop or loop):
            raise LocalProtocolError("call this in the event loop (loop.call_soon_threadsafe from a thread)")

    def _forget(self) -> None:
        self._pictures.clear()
        self._pointer = self._pointer_shape = None

    async def _work(self) -> None:
        if self.endpoint.state is not State.OPEN or self._stopped:
            return
        if self._displays_changed:
            self._displays_changed = False
            self.endpoint.set_displays(self._displays.values(), self.now())
        try:
            self._tell_pointer()
            for number, picture in list(self._pictures.items()):
                if picture.is_due:
                    damage, picture.damage, picture.is_due = picture.damage, (), False
                    sent = await self._encoding.run(
                        self.endpoint.send_frame, number, picture.pixels, damage, self.now()
                    )
                    if sent and number in self._pictures:
                        # Who got the room on the line is the last to get it next time.
                        self._pictures[number] = self._pictures.pop(number)
        except ConsentRequired:
            self._forget()
        self._tell_events()

    def _tell_pointer(self) -> None:
        if self._pointer_shape is not None:
            pixels, hotspot = self._pointer_shape
            self._pointer_shape = None
            try:
                self.endpoint.send_cursor_shape(pixels, hotspot, self.now())
            except LocalProtocolError as error:
                LOGGER.info("%s", error)
        if self._pointer is not None:
            number, x, y, visible = self._pointer
            self._pointer = None
            if number in self._displays:
                self.endpoint.send_cursor_position(number, x, y, self.now(), visible=visible)

    def _may_leave(self, message: Message) -> bool:
        # What was polled before a consent ended is not sent after it.
        if message.payload and (self._stopped or not self.endpoint.gate.allows(Scope.VIEW, self.now())):
            return False
        return super()._may_leave(message)
