"""A customer's desk and a technician's for tests: drivers with threads of their own, a log of events, a picture."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
from certificates import Certificates
from connections import tls_of, until, url

from fastframe.errors import FastframeError
from fastframe.stream import (
    ConsentGate,
    ConsentState,
    Display,
    PairingKey,
    Receiver,
    ReceiverConfig,
    Scope,
    Sender,
    SenderConfig,
)
from fastframe.stream.aio import Host, ReceiverDriver, SenderDriver, Worker, connect, serve
from fastframe.stream.events import ConsentChanged, ConsentRequested, Event, FrameReceived

E = TypeVar("E", bound=Event)
Picture = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 320, 240
SCREEN = Display(0, 0, 0, WIDTH, HEIGHT)


def noise(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """A picture that cannot be made small."""
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    picture[..., 3] = 255
    return picture


class _Desk:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self._stack = ExitStack()
        self.worker = Worker(f"test-{type(self).__name__}")

    def __enter__(self) -> Self:
        self._stack.enter_context(self.worker)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def of(self, kind: type[E]) -> list[E]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Customer(_Desk):
    """Shares a picture, and agrees to what is in `agrees`; `consent=None`: says nothing at first."""

    def __init__(self, agrees: tuple[Scope, ...] | None = (Scope.VIEW,), **config: Any) -> None:
        super().__init__()
        self.gate = ConsentGate()
        self.driver: SenderDriver
        self.refusals: list[FastframeError] = []
        self.picture = noise(0)
        self._agrees = agrees
        self._config = SenderConfig(name="desk", **config)
        self.port = 0
        self.on_event: Callable[[Event], None] = lambda event: None

    async def share(self, scheme: str = "tcp", certificates: Certificates | None = None) -> None:
        """Serves until the session is over."""
        pairing, self.digits = PairingKey.create(asyncio.get_running_loop().time())
        self.pairing = pairing
        self.sender = Sender(self.gate, self._config, pairing=pairing)
        self.driver = SenderDriver(self.sender, self._happened, self.worker)
        host = Host(self.driver, lambda peer, error: self.refusals.append(error))
        async with serve(host.handle, url(scheme), tls=tls_of(scheme, certificates, True)) as self.port:
            await host.run()

    def show(self, picture: Picture, damage: list[tuple[int, int, int, int]] | None = None) -> None:
        self.picture = picture
        height, width = picture.shape[:2]
        self.driver.show(Display(0, 0, 0, width, height), picture, damage)

    def _happened(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)
        now = self.driver.now()
        match event:
            case ConsentRequested(scope) if self._agrees is not None:
                (self.gate.grant if scope in self._agrees else self.gate.refuse)(scope, now, by="customer")
            case ConsentChanged(Scope.VIEW, _, ConsentState.GRANTED):
                self.show(self.picture)


class Technician(_Desk):
    """Views, and keeps the latest picture."""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.receiver = Receiver(ReceiverConfig(name="Ada", **config))
        self.picture: Picture | None = None
        self.driver = ReceiverDriver(self.receiver, self._happened, self.worker)

    async def view(
        self,
        port: int,
        key: str = "",
        scheme: str = "tcp",
        certificates: Certificates | None = None,
        scopes: tuple[Scope, ...] = (Scope.VIEW,),
        patience: float = 10.0,
    ) -> None:
        """Views until the session is over."""
        tls = tls_of(scheme, certificates, False)
        await self.driver.view(lambda: connect(url(scheme, port), tls=tls), key=key, scopes=scopes, patience=patience)

    async def sees(self, picture: Picture) -> None:
        """Waits until that is the picture."""
        await until(lambda: self.picture is not None and np.array_equal(self.picture, picture))

    def _happened(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, FrameReceived):
            self.picture = self.receiver.frame(event.display).copy()


@asynccontextmanager
async def sharing(customer: Customer, **how: Any) -> AsyncIterator[asyncio.Task[None]]:
    """The customer shares beside the test, as `Customer.share` is told; one can connect already.

    A session that is over by the end of the test has to end the sharing by itself. Its faults are the test's.
    """
    async with asyncio.TaskGroup() as group:
        task = group.create_task(customer.share(**how))
        await until(lambda: customer.port)
        yield task
        if not customer.driver.is_over:
            task.cancel()


@asynccontextmanager
async def viewing(
    customer: Customer, technician: Technician, port: int | None = None, **how: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """The technician views beside the test, as `Technician.view` is told, and sees the customer's picture already.

    At the end the customer stops the session, unless it is over; that must end the viewing. Its faults are the test's.
    """
    async with asyncio.TaskGroup() as group:
        task = group.create_task(technician.view(port or customer.port, customer.digits, **how))
        await technician.sees(customer.picture)
        yield task
        if not customer.driver.is_over:
            await customer.driver.stop()
