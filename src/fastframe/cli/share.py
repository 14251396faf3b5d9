"""`fastframe share`: the customer's end. Shows the screen to one technician who knows the key, once that was agreed to.

It is also the example of a customer's end: one source, one sender, one host, and the handler of events below.
"""

import asyncio
import dataclasses
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from fastframe.cli.screen import (
    DisplayOption,
    Kind,
    KindOption,
    MaskOption,
    MaskWindowOption,
    MonitorsOption,
    RegionOption,
    Screen,
    WindowOption,
)
from fastframe.cli.session import DEFAULT_ADDRESS, interrupts, news, plain, server_tls, show_figures, show_last_figures
from fastframe.cli.showing import Showing
from fastframe.cli.terminal import Terminal
from fastframe.cli.text import byte_count, ratio
from fastframe.errors import FastframeError
from fastframe.stream import ByeReason, ConsentGate, ConsentState, PairingKey, Scope, Sender, SenderConfig
from fastframe.stream.aio import CLOSE_TIMEOUT, Address, Host, SenderDriver, Worker, serve
from fastframe.stream.events import (
    Closed,
    Connected,
    ConnectionBroken,
    ConnectionTimedOut,
    ConsentChanged,
    ConsentRequested,
    Event,
)
from fastframe.stream.pairing import LIFETIME

# What a viewer may be allowed here: this command moves no mouse and takes no files.
ON_OFFER = (Scope.VIEW, Scope.RECORD)
# How the questions are put.
WISHES = {Scope.VIEW: "see your screen", Scope.RECORD: "record what is seen"}
ENCRYPTED = {"ws": "wss", "tcp": "tls"}
MAX_POINTER = 256


def share(
    listen: Annotated[
        str, typer.Option(metavar="[SCHEME://]HOST:PORT", help="Where to wait for the viewer: ws or tcp.")
    ] = DEFAULT_ADDRESS,
    cert: Annotated[Path | None, typer.Option(help="TLS: the certificate, in a PEM file.")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS: its private key, in a PEM file.")] = None,
    consent: Annotated[
        str | None, typer.Option(metavar="SCOPE,...", help="Agree to view, or view,record; ask for nothing.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the viewer is told about this machine.")] = "",
    fps: Annotated[float, typer.Option(min=1.0, max=240.0, help="The most frames a second.")] = 60.0,
    display: DisplayOption = None,
    monitor: MonitorsOption = None,
    region: RegionOption = None,
    window: WindowOption = None,
    mask: MaskOption = None,
    mask_window: MaskWindowOption = None,
    kind: KindOption = Kind.auto,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a second and nothing else.")] = False,
) -> None:
    """Show your screen to one viewer.

    Prints a key of seven digits to tell the viewer, who connects with `fastframe view URL --key KEY`. Nothing is seen
    before you agree, on the terminal or by --consent. Ctrl-C takes all consents back and ends the session at once.
    """
    agreed = parse_consent(consent)
    if agreed is None and not Terminal.is_there():
        raise FastframeError("there is no terminal to ask for your consent: give it with --consent view")
    address, tls = Address.parse(listen), server_tls(cert, key)
    if tls is not None and not address.is_encrypted:
        address = dataclasses.replace(address, scheme=ENCRYPTED[address.scheme])
    if monitor and (region or window):
        raise FastframeError("choose one of --monitor, --region and --window")
    screen = Screen.parse(display, None, region, window, mask, mask_window, kind)

    async def main() -> None:
        with Worker("fastframe-encode") as encoding:
            sharing = Sharing(screen, monitor or [], encoding, agreed, name, fps)
            host = Host(sharing.driver, sharing.refused)
            async with sharing.showing:
                try:
                    async with serve(host.handle, address, tls=tls) as port:
                        sharing.introduce(dataclasses.replace(address, port=port), as_json)
                        await sharing.run(host, as_json)
                finally:
                    show_last_figures(sharing.figures(), sharing.table(), as_json=as_json)

    asyncio.run(main())


def parse_consent(text: str | None) -> frozenset[Scope] | None:
    """The scopes in view,record; `FastframeError` for others."""
    if text is None:
        return None
    try:
        scopes = frozenset(Scope(word.strip()) for word in text.split(","))
    except ValueError:
        scopes = frozenset()
    if not scopes or not scopes <= set(ON_OFFER):
        raise FastframeError(f"--consent takes {','.join(ON_OFFER)} or a part of it, not {text!r}", actual=text)
    return scopes


class Sharing:
    """One session of the customer's."""

    def __init__(
        self,
        screen: Screen,
        monitors: list[str],
        encoding: Worker,
        agreed: frozenset[Scope] | None,
        name: str,
        fps: float,
    ) -> None:
        self._agreed = agreed
        self._gate = ConsentGate()
        self._pairing, self._digits = PairingKey.create(time.monotonic())
        sender = Sender(self._gate, SenderConfig(name=name, max_fps=fps), pairing=self._pairing)
        self.driver = SenderDriver(sender, self._happened, encoding)
        self.showing = Showing(screen, monitors, self.driver, fps)
        self._questions: asyncio.Queue[Scope] = asyncio.Queue()
        self._viewer = ""
        self._state = "waiting for a viewer"
        self._failure: FastframeError | None = None

    def introduce(self, address: Address, as_json: bool) -> None:
        """Tells where and with which key to connect."""
        if as_json:
            print(f'{{"url": "{address}", "key": "{self._digits}"}}', flush=True)
        else:
            typer.echo(f"The viewer runs: fastframe view {address} --key {self._digits}")
            typer.echo(
                f"Your key: {self._digits[:3]} {self._digits[3:5]} {self._digits[5:]}   (Ctrl-C ends the session)"
            )
        if not address.is_encrypted and address.host not in ("127.0.0.1", "::1", "localhost"):
            news(f"warning: {address.scheme} is not encrypted; others on the way can read along. Use --cert and --key")

    async def run(self, host: Host, as_json: bool) -> None:
        """Keeps the session until it is over, or Ctrl-C."""
        tasks = [asyncio.create_task(self.showing.run()), asyncio.create_task(self._ask())]
        tasks.append(asyncio.create_task(show_figures(self.figures, self.table, as_json=as_json)))
        ending: list[asyncio.Task[None]] = []
        with interrupts(lambda: ending.append(asyncio.create_task(self.driver.stop(by="customer")))):
            expiry = asyncio.get_running_loop().call_later(LIFETIME, self._expired)
            hosting = asyncio.create_task(host.run())
            try:
                # Whichever of them ends by itself has failed, but for the host, and figures that nobody looks at.
                waiting = {hosting, *tasks}
                while not hosting.done():
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            finally:
                expiry.cancel()
                await self.driver.stop(ByeReason.INTERNAL)
                await asyncio.wait([hosting], timeout=CLOSE_TIMEOUT)
                for task in (*tasks, hosting):
                    task.cancel()
                await asyncio.gather(*tasks, hosting, *ending, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def _happened(self, event: Event) -> None:
        """Each event of the stream; called in the event loop."""
        match event:
            case Connected(name, _, resumed):
                self._viewer = plain(name) or "a viewer without a name"
                self._state = "connected"
                news(f"{self._viewer} {'is back' if resumed else 'has the right key'}")
            case ConsentRequested(scope):
                self._questions.put_nowait(scope)
            case ConsentChanged(scope, _, after):
                if scope is Scope.VIEW:
                    self.showing.agree(after is ConsentState.GRANTED)
                if after is not ConsentState.REQUESTED:
                    news(f"consent to {scope.value}: {after.value}")
            case ConnectionTimedOut() | ConnectionBroken():
                self._state = "connection lost, waiting for the viewer to come back"
            case Closed(reason, text, by_peer):
                self._state = "over"
                news(f"the session is over: {text or reason.value}{', by the viewer' if by_peer else ''}")

    def refused(self, peer: str, error: FastframeError) -> None:
        """Somebody was not let in."""
        news(f"{peer} was refused: {error}")
        if not self._viewer and not self._pairing.attempts_left:
            self._give_up("the key was guessed at too often; begin again with a new one")

    def _expired(self) -> None:
        if not self._viewer:
            self._give_up(f"nobody came within {LIFETIME / 60:.0f} minutes; begin again with a new key")

    def _give_up(self, reason: str) -> None:
        self._failure = FastframeError(reason)
        self.driver.endpoint.close(self.driver.now(), ByeReason.PAIRING)
        self.driver.wake()

    async def _ask(self) -> None:
        """Answers what the viewer asks for, with the customer's help."""
        terminal = Terminal() if self._agreed is None else None
        refused: set[Scope] = set()
        while True:
            scope = await self._questions.get()
            if scope not in ON_OFFER or scope in refused:
                agrees = False  # who was told no is not asked again and again
            elif terminal is not None:
                agrees = await terminal.agrees(f"May {self._viewer} {WISHES[scope]}?")
            else:
                agrees = scope in (self._agreed or ())
            if not agrees:
                refused.add(scope)
            await self.driver.call(partial(self._answer, scope, agrees))

    def _answer(self, scope: Scope, agrees: bool, now: float) -> None:
        (self._gate.grant if agrees else self._gate.refuse)(scope, now, by="customer")

    def figures(self) -> dict[str, Any]:
        """The figures for JSON: no names, no addresses, no pixels."""
        statistics = self.driver.endpoint.statistics(self.driver.now())
        return {"state": self._state, **dataclasses.asdict(statistics), "ratio": round(statistics.ratio, 3)}

    def table(self) -> Table:
        """The figures for a person."""
        statistics = self.driver.endpoint.statistics(self.driver.now())
        table = Table(title=self._state, show_header=False, title_justify="left", min_width=48)
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_row("round trip", _milliseconds(statistics.rtt))
        table.add_row("of it in queues", _milliseconds(statistics.queue_delay))
        bandwidth = statistics.bandwidth
        table.add_row("line, as far as used", "-" if bandwidth is None else f"{bandwidth * 8 / 1e6:.2f} Mbit/s")
        table.add_row("frames", f"{statistics.frames}, {statistics.fps:.1f} a second, {statistics.keyframes} anew")
        table.add_row("sent", byte_count(statistics.wire_bytes))
        table.add_row("smaller than the pictures", ratio(statistics.ratio))
        return table


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1e3 * seconds:.1f} ms"
