"""`fastframe view`: the technician's end. Shows a customer's screen in a window, writes it to files, or measures it.

It is also the example of a technician's end: one receiver, and the handler of events below.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from fastframe.cli.options import ForceOption
from fastframe.cli.picture_files import PictureFiles
from fastframe.cli.screen import REFRESH
from fastframe.cli.session import client_tls, interrupts, news, plain, show_figures, show_last_figures, transport_news
from fastframe.cli.text import byte_count, ratio
from fastframe.cli.window import Window
from fastframe.errors import ConsentRequired, FastframeError, LocalProtocolError, RemoteProtocolError
from fastframe.stream import ByeReason, ConsentState, Display, Receiver, ReceiverConfig, Scope, State
from fastframe.stream.aio import CLOSE_TIMEOUT, Address, ReceiverDriver, Worker, connect
from fastframe.stream.events import (
    Closed,
    Connected,
    ConsentChanged,
    CursorMoved,
    CursorShapeChanged,
    Event,
    FrameReceived,
    LayoutChanged,
    PictureLost,
)

NO_CONSENT = (ConsentState.REFUSED, ConsentState.WITHDRAWN, ConsentState.EXPIRED)


def view(
    url: Annotated[str, typer.Argument(metavar="URL", help="What `fastframe share` prints: ws, wss, tcp or tls.")],
    key: Annotated[str, typer.Option(metavar="1234567", help="The key that the customer tells you.")] = "",
    name: Annotated[str, typer.Option(help="Your name; the customer sees it.")] = "",
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR|FILE.mkv", help="Write every picture of every display, with the consent to record."),
    ] = None,
    window: Annotated[
        bool | None, typer.Option("--window/--no-window", help="Show it or not. Default: where that is possible.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long to view. Default: to the end.")] = None,
    ca: Annotated[Path | None, typer.Option(help="TLS: trust the certificates in this PEM file as well.")] = None,
    force: ForceOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a second and nothing else.")] = False,
) -> None:
    """View the screen of somebody who runs `fastframe share`.

    Of several monitors the window shows one; tabs and the keys 1 to 9 choose. Without a window and without --out, it
    only measures. A session whose connection breaks is continued over a new one. Ctrl-C, or closing the window, ends
    the session.
    """
    address, tls = Address.parse(url), client_tls(ca)

    async def main() -> None:
        with ExitStack() as stack:
            files = stack.enter_context(PictureFiles(out, force=force)) if out is not None else None
            decoding = stack.enter_context(Worker("fastframe-decode"))
            writing = stack.enter_context(Worker("fastframe-write"))
            stack.enter_context(transport_news())
            viewing = Viewing(decoding, writing, files, name)
            if window or (window is None and files is None):
                stack.callback(viewing.open_window(must=bool(window)))
            try:
                await viewing.run(lambda: connect(address, tls=tls), key, seconds, as_json)
            except RemoteProtocolError as error:
                if viewing.has_begun:
                    raise
                raise FastframeError(f"{address} is no session that can be viewed: {error}; check the port") from error
            finally:
                if viewing.has_begun:
                    show_last_figures(viewing.figures(), viewing.table(), as_json=as_json)

    asyncio.run(main())


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """One that is to be written, if it may be kept (`pixels`), and acknowledged then, if it has just come (`event`)."""

    display: int
    pixels: Any
    timestamp: int
    event: FrameReceived | None


class Viewing:
    """One session of the technician's. Of several displays one is shown at a time; all of them are written."""

    def __init__(self, decoding: Worker, writing: Worker, files: PictureFiles | None, name: str) -> None:
        self._files, self._writing = files, writing
        self._window: Window | None = None
        # What is written is acknowledged when it is on the disk: a slow disk slows the customer's side down.
        config = ReceiverConfig(name=name, auto_acknowledge=files is None)
        self._receiver = Receiver(config)
        self._driver = ReceiverDriver(self._receiver, self._happened, decoding)
        self._pictures: asyncio.Queue[_Picture] = asyncio.Queue()
        # The displays that there are, and the one that the window shows.
        self._displays: dict[int, Display] = {}
        self._display: int | None = None
        self._is_chosen = False
        self._pointer: CursorMoved | None = None
        self._choosing: asyncio.Task[None] | None = None
        self._state = "connecting"
        self._began: float | None = None
        self._frames = self._keyframes = self._packet_bytes = self._frame_bytes = 0
        self._connections = self._lost_pictures = 0
        self._refusal = ""

    @property
    def has_begun(self) -> bool:
        """Whether the customer's side has ever let it in."""
        return self._began is not None

    def open_window(self, *, must: bool) -> Callable[[], None]:
        """Shows the session in a window as well, if that is possible (or `must` be); returns what closes it."""
        try:
            self._window = Window("fastframe", self._choose)
        except FastframeError as error:
            if must:
                raise
            news(f"figures only: {error}")
            return lambda: None
        return self._window.close

    async def run(self, open_transport: Callable[[], Any], key: str, seconds: float | None, as_json: bool) -> None:
        """Views until the session is over, for so many seconds, or until Ctrl-C."""
        scopes = (Scope.VIEW,) if self._files is None else (Scope.VIEW, Scope.RECORD)
        main = asyncio.create_task(self._driver.view(open_transport, key=key, scopes=scopes))
        helpers = [asyncio.create_task(show_figures(self.figures, self.table, as_json=as_json))]
        helpers.append(asyncio.create_task(self._write()))
        if self._window is not None:
            helpers.append(asyncio.create_task(self._show_window()))
        ending: list[asyncio.Task[None]] = []

        def end() -> None:
            ending.append(asyncio.create_task(self._close()))

        timer = asyncio.get_running_loop().call_later(seconds, end) if seconds is not None else None
        with interrupts(end):
            try:
                # Helpers that end by themselves have failed, but for a window that was closed and figures of no use.
                waiting = {main, *helpers}
                while not main.done() and not ending:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=REFRESH)
                    for task in done:
                        task.result()
            finally:
                if timer is not None:
                    timer.cancel()
                await self._close()
                await asyncio.wait([main], timeout=CLOSE_TIMEOUT)
                await asyncio.wait([asyncio.create_task(self._pictures.join())], timeout=CLOSE_TIMEOUT)
                for task in (main, *helpers, *ending):
                    task.cancel()
                await asyncio.gather(main, *helpers, *ending, return_exceptions=True)
        if self._refusal:
            raise FastframeError(self._refusal)

    async def _close(self) -> None:
        await self._driver.call(lambda now: self._receiver.close(now))

    def _happened(self, event: Event) -> None:
        """Each event of the stream; called in the event loop."""
        match event:
            case Connected(name, _, resumed):
                self._state = f"viewing {escape(plain(name))}".rstrip()
                self._connections += 1
                self._began = self._began or time.monotonic()
                news(f"connected {'again ' if resumed else ''}to {name or 'the customer'}")
            case ConsentChanged(scope, _, after):
                news(f"consent to {scope.value}: {after.value}")
                if after in NO_CONSENT and (scope is Scope.VIEW or (scope is Scope.RECORD and self._files)):
                    self._refusal = f"the customer's consent to {scope.value}: {after.value}"
                    self._receiver.close(self._driver.now(), ByeReason.CONSENT)
                elif self._files is not None and scope is Scope.RECORD and after is ConsentState.GRANTED:
                    self._keep_all()
            case LayoutChanged(displays):
                self._displays = {display.id: display for display in displays}
                if self._display not in self._displays or not self._is_chosen:
                    # The main one, if there is one, or else the first; others may have come before it.
                    order = sorted(displays, key=lambda each: (not each.primary, each.id))
                    self._switch(order[0].id if order else None)
                self._offer()
            case FrameReceived():
                self._show(event)
            case PictureLost(_, cause):
                self._lost_pictures += 1
                news(f"the picture was damaged, and is asked for again: {cause}")
            case CursorShapeChanged(_, hot_x, hot_y, pixels) if self._window is not None:
                self._window.show_pointer(pixels, (hot_x, hot_y))
            case CursorMoved() if self._window is not None:
                self._pointer = event
                self._draw_pointer()
            case Closed(reason, text, by_peer):
                self._state = "over"
                if by_peer and reason not in (ByeReason.FINISHED, ByeReason.STOPPED):
                    self._refusal = f"the session was ended: {plain(text) or reason.value}"
                elif by_peer:
                    news(f"the customer has ended the session{': ' if text else ''}{text}")

    def _choose(self, display: int) -> None:
        """The user wants to see another display."""

        def show(now: float) -> None:
            if display in self._displays:
                self._is_chosen = True
                self._switch(display)
                self._offer()

        self._choosing = asyncio.create_task(self._driver.call(show))

    def _switch(self, display: int | None) -> None:
        """Shows another display, or the one that is shown already."""
        if display != self._display:
            self._display = display
            self._redraw()

    def _offer(self) -> None:
        if self._window is not None and self._window.is_open:
            names = {number: plain(each.name) for number, each in sorted(self._displays.items())}
            self._window.offer(names, self._display)

    def _redraw(self) -> None:
        """Draws all of what the window is to show, while nothing is being decoded."""
        if self._window is None or not self._window.is_open:
            return
        self._window.clear()
        if self._display is not None:
            with contextlib.suppress(LocalProtocolError, ConsentRequired):  # there is no picture of it
                self._window.show(self._receiver.frame(self._display), ())
        self._draw_pointer()

    def _draw_pointer(self) -> None:
        if self._window is not None and self._window.is_open and self._pointer is not None:
            is_here = self._pointer.visible and self._pointer.display == self._display
            self._window.move_pointer(self._pointer.x, self._pointer.y, visible=is_here)

    def _show(self, event: FrameReceived) -> None:
        pixels = self._receiver.frame(event.display)
        self._frames += 1
        self._keyframes += event.update.keyframe
        self._packet_bytes += len(event.packet)
        self._frame_bytes += pixels.nbytes
        if self._window is not None and self._window.is_open and event.display == self._display:
            self._window.show(pixels, event.update.dirty)
        if self._files is not None:
            may_keep = self._receiver.consent(Scope.RECORD) is ConsentState.GRANTED
            self._keep(event.display, pixels if may_keep else None, event)

    def _keep(self, display: int, pixels: Any, event: FrameReceived | None) -> None:
        """Puts a picture among those that are to be written."""
        timestamp = round(1e6 * (time.monotonic() - (self._began or 0.0)))
        self._pictures.put_nowait(_Picture(display, None if pixels is None else pixels.copy(), timestamp, event))

    def _keep_all(self) -> None:
        """What is on the screen when the customer agrees to a recording is its beginning."""
        for display in self._displays:
            with contextlib.suppress(LocalProtocolError, ConsentRequired):  # there is no picture of it
                self._keep(display, self._receiver.frame(display), None)

    async def _write(self) -> None:
        """Writes pictures, and acknowledges each one then. No more are waiting than the line may hold."""
        while True:
            picture = await self._pictures.get()
            try:
                if picture.pixels is not None and self._files is not None:
                    await self._writing.run(self._files.write, picture.display, picture.pixels, picture.timestamp)
                if picture.event is not None:
                    await self._driver.call(partial(self._acknowledge, picture.event))
            finally:
                self._pictures.task_done()

    def _acknowledge(self, event: FrameReceived, now: float) -> None:
        if self._receiver.state is not State.OPEN:
            return
        with contextlib.suppress(LocalProtocolError):  # the display has gone meanwhile
            self._receiver.acknowledge(event.display, event.update.epoch, event.update.sequence, now)

    async def _show_window(self) -> None:
        assert self._window is not None
        await self._window.run()
        await self._close()

    def figures(self) -> dict[str, Any]:
        """The figures for JSON: no names, no addresses, no pixels."""
        return {
            "state": self._state.split()[0],
            "seconds": round(self._seconds, 3),
            "displays": len(self._displays),
            "frames": self._frames,
            "keyframes": self._keyframes,
            "fps": round(self._frames / self._seconds, 3) if self._seconds else 0.0,
            "bytes": self._packet_bytes,
            "mbit_per_second": round(self._packet_bytes * 8 / self._seconds / 1e6, 3) if self._seconds else 0.0,
            "ratio": round(self._frame_bytes / self._packet_bytes, 3) if self._packet_bytes else 0.0,
            "connections": self._connections,
            "pictures_lost": self._lost_pictures,
            "written": self._files.count if self._files else 0,
        }

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began if self._began is not None else 0.0

    def table(self) -> Table:
        """The figures for a person."""
        figures = self.figures()
        table = Table(title=self._state, show_header=False, title_justify="left", min_width=48)
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_row("frames", f"{self._frames}, {figures['fps']:.1f} a second, {self._keyframes} anew")
        table.add_row("received", f"{byte_count(self._packet_bytes)}, {figures['mbit_per_second']:.2f} Mbit/s")
        table.add_row("smaller than the pictures", ratio(figures["ratio"]))
        if len(self._displays) > 1:
            table.add_row("displays", str(len(self._displays)))
        if self._files is not None:
            table.add_row("written", str(self._files.count))
        return table
