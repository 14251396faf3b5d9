"""Several viewers of one screen: a relay in this process, between the customer's sender and all of them."""

import asyncio
from collections.abc import Callable

from fastframe.cli.session import news, plain
from fastframe.stream import PairingKey, Relay, RelayConfig, RelayEvent
from fastframe.stream.aio import CLOSE_TIMEOUT, RelayDriver, SenderDriver, Transport, joined
from fastframe.stream.aio.strangers import MAX_STRANGERS, RefusalHandler
from fastframe.stream.consent import Scope
from fastframe.stream.events import Closed, Connected, ConsentRequested

NAMELESS = "a viewer without a name"
# How often the sender's effort is chosen anew, in seconds.
FOLLOW_INTERVAL = 1.0


class Gathering:
    """Lets viewers in, one for each key, and tells who comes and goes. It stands where else a `Host` does.

    Parameters
    ----------
    driver
        That of the session. Nobody else may call its `run`.
    most
        Viewers that there may be at a time.
    pairing
        The key that whoever comes next must state.
    on_viewer
        Called with the number and the name of each viewer that has come in.
    on_leave
        Called when one has gone for good.
    on_refusal
        As for `Host`.
    """

    def __init__(
        self,
        driver: SenderDriver,
        most: int,
        pairing: Callable[[], PairingKey],
        on_viewer: Callable[[int, str], None],
        on_leave: Callable[[], None],
        on_refusal: RefusalHandler,
    ) -> None:
        self._driver, self._on_viewer, self._on_leave = driver, on_viewer, on_leave
        # Who has not stated a key yet counts as well.
        self._relay = Relay(RelayConfig(max_viewers=most + MAX_STRANGERS, ask_for_each=True))
        self._relaying = RelayDriver(self._relay, self._happened, pairing=pairing, on_refusal=on_refusal)
        self.names: dict[int, str] = {}
        """Who is there, by number."""
        self.asking: dict[Scope, str] = {}
        """Who was the last to ask for a scope."""
        self._carrying: asyncio.Task[None] | None = None
        self._fault: Exception | None = None
        self.handle = self._relaying.handle

    async def run(self) -> None:
        """Keeps the session until it is over.

        Raises
        ------
        Exception
            What a handler of events has raised.
        """
        following = asyncio.create_task(self._follow_lines())
        try:
            await self._relaying.run(self._open, scopes=())
            async with asyncio.timeout(CLOSE_TIMEOUT):
                while self._relay.viewers:  # are told that it is over
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pass
        finally:
            ending = [following] if self._carrying is None else [following, self._carrying]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
        if self._fault is not None:
            raise self._fault

    def is_technician(self, viewer: int) -> bool:
        """Whether a viewer was the first one."""
        return viewer == self._relay.technician

    def answer(self, viewer: int, agrees: bool) -> None:
        """The customer's answer to one more viewer, who is still there."""
        (self._relaying.let_in if agrees else self._relaying.dismiss)(viewer)

    async def _follow_lines(self) -> None:
        """The sender's own line ends in this process, so its effort follows those of the viewers."""
        sender = self._driver.endpoint

        def follow(now: float) -> None:
            sender.effort = self._relay.effort_after(sender.effort)

        try:
            while True:
                await self._driver.call(follow)
                await asyncio.sleep(FOLLOW_INTERVAL)
        except Exception as error:
            self._end(error)

    async def _open(self) -> Transport:
        ours, theirs = joined()
        self._carrying = asyncio.create_task(self._carry(theirs))
        return ours

    async def _carry(self, transport: Transport) -> None:
        try:
            await self._driver.run(transport)
        except Exception as error:
            self._end(error)

    def _end(self, fault: Exception) -> None:
        self._fault = fault
        self._relaying.close()

    def _happened(self, told: RelayEvent) -> None:
        if told.viewer is None:
            return  # the sender's side tells the same
        match told.event:
            case Connected(name, _, resumed):
                if resumed:
                    news(f"{self.names[told.viewer]} is back")
                    return
                self.names[told.viewer] = plain(name) or NAMELESS
                self._on_viewer(told.viewer, self.names[told.viewer])
            case ConsentRequested(scope) if told.viewer in self.names:
                self.asking[scope] = self.names[told.viewer]
            case Closed() if told.viewer in self.names:
                name = self.names.pop(told.viewer)
                if not self._driver.is_over:
                    news(f"{name} has left")
                    self._on_leave() if self.names else self._relaying.close()
