"""`fastframe share`: the customer's end. Shows the screen to technicians who know a key, once that was agreed to.

It is also the example of a customer's end: one sender, one host, and the handler of events below. What is captured is
in `showing`, and how several viewers get in is in `gathering`.
"""

import asyncio
import dataclasses
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from fastframe.cli.gathering import NAMELESS, Gathering
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

# What a viewer may be allowed here, and how the questions are put: this command moves no mouse and takes no files.
WISHES = {
    Scope.VIEW: "see your screen",
    Scope.RECORD: "record what is seen",
    Scope.EXTRA_TECHNICIAN: "see your screen as well",
}
ENCRYPTED = {"ws": "wss", "tcp": "tls"}
# So many addresses and reasons are told in a session.
MOST_REFUSALS = 50


def share(
    listen: Annotated[
        str, typer.Option(metavar="[SCHEME://]HOST:PORT", help="Where to wait for the viewer: ws or tcp.")
    ] = DEFAULT_ADDRESS,
    cert: Annotated[Path | None, typer.Option(help="TLS: the certificate, in a PEM file.")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS: its private key, in a PEM file.")] = None,
    consent: Annotated[
        str | None,
        typer.Option(metavar="SCOPE,...", help="What you agree to without being asked: view,record,extra_technician."),
    ] = None,
    name: Annotated[str, typer.Option(help="What the viewer is told about this machine.")] = "",
    viewers: Annotated[
        int, typer.Option(min=1, max=100, help="How many may view at a time, each with a key of its own.")
    ] = 1,
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
    """Show your screen to one viewer, or to several.

    Prints a key of seven digits to tell the viewer, who connects with `fastframe view URL --key KEY`. Nothing is seen
    before you agree, on the terminal or by --consent; with --viewers you are asked about each further viewer as well
    (extra_technician). Ctrl-C takes all consents back and ends the session at once.
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
            sharing = Sharing(screen, monitor or [], encoding, agreed, name, fps, viewers)
            async with sharing.showing, serve(sharing.door.handle, address, tls=tls) as port:
                try:
                    await sharing.run(dataclasses.replace(address, port=port), as_json)
                finally:
                    show_last_figures(sharing.figures(), sharing.table(), as_json=as_json)

    asyncio.run(main())


def parse_consent(text: str | None) -> frozenset[Scope] | None:
    """The scopes in view,record,extra_technician; `FastframeError` for others."""
    if text is None:
        return None
    try:
        scopes = frozenset(Scope(word.strip()) for word in text.split(","))
    except ValueError:
        scopes = frozenset()
    if not scopes or not scopes <= WISHES.keys():
        raise FastframeError(f"--consent takes {','.join(WISHES)} or a part of it, not {text!r}", actual=text)
    return scopes


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants; `viewer`: the number of one more who wants to see the screen."""

    scope: Scope
    name: str
    viewer: int | None = None

    @property
    def is_to_be_asked(self) -> bool:
        """Whether it is up to the customer. Further viewers are asked about one by one, not by their scope alone."""
        return self.scope in WISHES and (self.scope is not Scope.EXTRA_TECHNICIAN or self.viewer is not None)


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
        viewers: int,
    ) -> None:
        self._agreed, self._most = agreed, viewers
        self._gate = ConsentGate()
        self._pairing, self._digits = PairingKey.create(time.monotonic())
        # Whether somebody may come in with that key, and until when.
        self._has_key_out = False
        self._expiry: asyncio.TimerHandle | None = None
        # With several it follows the lines of the viewers, as far as they are known.
        config = SenderConfig(name=name, max_fps=fps, effort="auto" if viewers == 1 else "balanced")
        sender = Sender(self._gate, config, pairing=self._pairing if viewers == 1 else None)
        self.driver = SenderDriver(sender, self._happened, encoding)
        self._gathering: Gathering | None = None
        if viewers > 1:
            self._gathering = Gathering(
                self.driver, viewers, lambda: self._pairing, self._came, self._offer_key, self._refused
            )
        self.door = self._gathering or Host(self.driver, self._refused)
        self.showing = Showing(screen, monitors, self.driver, fps)
        self._questions: asyncio.Queue[Question] = asyncio.Queue()
        self._viewer = ""
        self._state = "waiting for a viewer"
        self._failure: FastframeError | None = None
        self._told_refusals: set[tuple[str, str]] = set()
        self._address: Address
        self._as_json = False

    async def run(self, address: Address, as_json: bool) -> None:
        """Keeps the session until it is over, or Ctrl-C."""
        self._address, self._as_json = address, as_json
        self._tell_key("The viewer runs")
        if not address.is_encrypted and address.host not in ("127.0.0.1", "::1", "localhost"):
            news(f"warning: {address.scheme} is not encrypted; others on the way can read along. Use --cert and --key")
        tasks = [asyncio.create_task(self.showing.run()), asyncio.create_task(self._ask())]
        tasks.append(asyncio.create_task(show_figures(self.figures, self.table, as_json=as_json)))
        ending: list[asyncio.Task[None]] = []
        with interrupts(lambda: ending.append(asyncio.create_task(self.driver.stop(by="customer")))):
            hosting = asyncio.create_task(self.door.run())
            try:
                # Whichever of them ends by itself has failed, but for the host, and figures that nobody looks at.
                waiting = {hosting, *tasks}
                while not hosting.done():
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            finally:
                self._take_key_back()
                await self.driver.stop(ByeReason.INTERNAL)
                await asyncio.wait([hosting], timeout=CLOSE_TIMEOUT)
                for task in (*tasks, hosting):
                    task.cancel()
                await asyncio.gather(*tasks, hosting, *ending, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    # -- keys --------------------------------------------------------------------------------------------------

    def _tell_key(self, who: str) -> None:
        """Tells where and with which key to connect, for as long as the key is good."""
        if self._as_json:
            print(f'{{"url": "{self._address}", "key": "{self._digits}"}}', flush=True)
        else:
            digits = self._digits
            typer.echo(f"{who}: fastframe view {self._address} --key {digits}")
            typer.echo(f"Your key: {digits[:3]} {digits[3:5]} {digits[5:]}   (Ctrl-C ends the session)")
        self._has_key_out = True
        self._expiry = asyncio.get_running_loop().call_later(LIFETIME, self._expired)

    def _offer_key(self) -> None:
        """Makes a key for one more viewer, if there is room for one and no other key is out."""
        if self._gathering is not None and not self._has_key_out and len(self._gathering.names) < self._most:
            self._pairing, self._digits = PairingKey.create(time.monotonic())
            self._tell_key("One more viewer runs")

    def _take_key_back(self) -> None:
        self._has_key_out = False
        if self._expiry is not None:
            self._expiry.cancel()

    def _expired(self) -> None:
        if not self._viewer:
            self._give_up(f"nobody came within {LIFETIME / 60:.0f} minutes; begin again with a new key")
        elif self._pairing.attempts_left:
            self._take_key_back()
            self._offer_key()

    def _give_up(self, reason: str) -> None:
        self._failure = FastframeError(reason)
        self.driver.endpoint.close(self.driver.now(), ByeReason.PAIRING)
        self.driver.wake()

    # -- who comes ---------------------------------------------------------------------------------------------

    def _happened(self, event: Event) -> None:
        """Each event of the stream; called in the event loop."""
        match event:
            case Connected(name, _, resumed) if self._gathering is None:
                self._viewer = plain(name) or NAMELESS
                self._state = "connected"
                self._take_key_back()
                news(f"{self._viewer} {'is back' if resumed else 'has the right key'}")
            case ConsentRequested(scope):
                name = self._viewer if self._gathering is None else self._gathering.asking.get(scope, "")
                self._questions.put_nowait(Question(scope, name))
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

    def _came(self, viewer: int, name: str) -> None:
        """One of several viewers has come in."""
        assert self._gathering is not None
        self._viewer, self._state = name, "connected"
        news(f"{name} has the right key")
        if not self._gathering.is_technician(viewer):
            self._questions.put_nowait(Question(Scope.EXTRA_TECHNICIAN, name, viewer))
        self._take_key_back()
        self._offer_key()

    def _refused(self, peer: str, error: FastframeError) -> None:
        """Somebody was not let in."""
        # Whoever reaches the port can be refused as often as he likes: the key and the questions are to stay in sight.
        what = peer.rpartition(":")[0], str(error)
        if what not in self._told_refusals and len(self._told_refusals) < MOST_REFUSALS:
            self._told_refusals.add(what)
            last = len(self._told_refusals) == MOST_REFUSALS
            news(f"{peer} was refused: {error}{'; more of them are not told' if last else ''}")
        if self._has_key_out and not self._pairing.attempts_left:
            # It stays out, and of no use: another one would give whoever guesses five more attempts.
            if self._viewer:
                news("the key was guessed at too often: nobody else is let in")
            else:
                self._give_up("the key was guessed at too often; begin again with a new one")

    # -- what is asked -----------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """Answers what viewers ask for, with the customer's help."""
        terminal = Terminal() if self._agreed is None else None
        # Who was told no does not ask again and again.
        refused: set[Scope | int] = set()
        while True:
            question = await self._questions.get()
            if question.viewer is not None and not self._is_there(question.viewer):
                continue
            key = question.scope if question.viewer is None else question.viewer
            if not question.is_to_be_asked or key in refused:
                agrees = False
            elif terminal is not None:
                agrees = await terminal.agrees(f"May {question.name} {WISHES[question.scope]}?")
            else:
                agrees = question.scope in (self._agreed or ())
            if not agrees:
                refused.add(key)
            await self.driver.call(partial(self._answer, question, agrees))

    def _answer(self, question: Question, agrees: bool, now: float) -> None:
        scope, viewer = question.scope, question.viewer
        if viewer is not None and not self._is_there(viewer):
            return
        if agrees:
            self._gate.grant(scope, now, by="customer")
        elif self._gate.state(scope, now) is ConsentState.REQUESTED:
            self._gate.refuse(scope, now, by="customer")
        if viewer is not None and self._gathering is not None:
            self._gathering.answer(viewer, agrees)

    def _is_there(self, viewer: int) -> bool:
        return self._gathering is not None and viewer in self._gathering.names

    def figures(self) -> dict[str, Any]:
        """The figures for JSON: no names, no addresses, no pixels."""
        statistics = self.driver.endpoint.statistics(self.driver.now())
        viewers = len(self._gathering.names) if self._gathering is not None else int(self._state == "connected")
        return {
            "state": self._state,
            "viewers": viewers,
            **dataclasses.asdict(statistics),
            "ratio": round(statistics.ratio, 3),
        }

    def table(self) -> Table:
        """The figures for a person."""
        statistics = self.driver.endpoint.statistics(self.driver.now())
        table = Table(title=self._state, show_header=False, title_justify="left", min_width=48)
        table.add_column(style="bold")
        table.add_column(justify="right")
        if self._gathering is not None:
            table.add_row("viewers", str(len(self._gathering.names)))
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
