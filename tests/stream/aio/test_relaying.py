"""A relay between one customer and several technicians, over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from connections import Proxy, ended, run, until, url
from desk import HEIGHT, WIDTH, Customer, Technician, noise, sharing, viewing

from fastframe.errors import FastframeError
from fastframe.stream import ByeReason, PairingKey, Relay, RelayEvent, Scope
from fastframe.stream.aio import RelayDriver, connect, serve, strangers
from fastframe.stream.events import Closed, Connected


class Middle:
    """A relay that serves viewers on a port."""

    def __init__(self, pairing: Callable[[], PairingKey | None] = lambda: None) -> None:
        self.events: list[RelayEvent] = []
        self.refusals: list[FastframeError] = []
        self.driver = RelayDriver(
            Relay(), self.events.append, pairing=pairing, on_refusal=lambda peer, error: self.refusals.append(error)
        )
        self.port = 0

    async def _run(self, customer: Customer) -> None:
        async with serve(self.driver.handle, url("tcp")) as self.port:
            await self.driver.run(
                lambda: connect(url("tcp", customer.port)),
                key=customer.digits,
                scopes=(Scope.VIEW, Scope.EXTRA_TECHNICIAN),
            )
            await until(lambda: not self.driver.relay.viewers)

    @asynccontextmanager
    async def relaying(self, customer: Customer) -> AsyncIterator[asyncio.TaskGroup]:
        """Relays beside the test; at its end the customer stops, unless the session is over. For viewers: a group."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run(customer))
            await until(lambda: self.port)
            yield group
            if not customer.driver.is_over:
                await customer.driver.stop()


def test_another_technician_sees_the_picture_only_with_consent() -> None:
    async def main() -> None:
        middle = Middle()
        with Customer() as customer, Technician() as first, Technician() as second:
            async with sharing(customer), middle.relaying(customer) as group:
                group.create_task(first.view(middle.port))
                await first.sees(noise(0))
                group.create_task(second.view(middle.port))
                await until(lambda: second.of(Connected))
                customer.show(noise(1))
                await first.sees(noise(1))
                assert second.picture is None
                await customer.driver.call(lambda now: customer.gate.grant(Scope.EXTRA_TECHNICIAN, now))
                await second.sees(noise(1))
                customer.show(noise(2))
                await first.sees(noise(2))
                await second.sees(noise(2))
                # Each of the three was encoded once, in however many packets the line made of them.
                sent = customer.sender.statistics(customer.driver.now()).packet_bytes
                assert sent < 4 * 3 * WIDTH * HEIGHT
                await customer.driver.call(lambda now: customer.gate.withdraw(Scope.EXTRA_TECHNICIAN, now))
                customer.show(noise(3))
                await first.sees(noise(3))
                assert second.picture is not None
                assert (second.picture == noise(2)).all()
            assert [each.of(Closed)[0].reason for each in (first, second)] == [ByeReason.STOPPED] * 2

    run(main())


def test_strangers_at_a_relays_door_are_few_and_have_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "HANDSHAKE_TIMEOUT", 0.5)

    async def main() -> None:
        middle = Middle(pairing=lambda: key)
        key, digits = PairingKey.create(time.monotonic())
        with Customer() as customer, Technician() as technician, Technician() as other:
            async with sharing(customer), middle.relaying(customer) as group:
                silent = [await connect(url("tcp", middle.port)) for _ in range(strangers.MAX_STRANGERS)]
                began = time.monotonic()
                one_more = await connect(url("tcp", middle.port))
                assert await ended(silent[0])  # for who came last
                assert time.monotonic() < began + 0.4
                for transport in (*silent, one_more):  # their time is up
                    assert await ended(transport)
                    transport.abort()
                await technician.view(middle.port, f"{(int(digits) + 1) % 10**7:07}")
                assert technician.of(Closed)[0].reason is ByeReason.PAIRING
                await until(lambda: not middle.driver.relay.viewers)
                assert [str(error) for error in middle.refusals] == [
                    "too many others want to come in",
                    *["nothing was said for 0.5 s"] * strangers.MAX_STRANGERS,
                    "the pairing key is wrong",
                ]
                group.create_task(other.view(middle.port, digits))
                await other.sees(noise(0))

    run(main())


def test_a_viewer_of_a_relay_comes_back_after_its_line_broke() -> None:
    async def main() -> None:
        middle = Middle()
        with Customer() as customer, Technician() as technician:
            async with (
                sharing(customer),
                middle.relaying(customer),
                Proxy(middle.port).running() as proxy,
                viewing(customer, technician, proxy.port),
            ):
                proxy.cut_at = proxy.down_bytes + 30_000
                customer.show(noise(1))
                await technician.sees(noise(1))
                assert [event.resumed for event in technician.of(Connected)] == [False, True]
                assert len(middle.driver.relay.viewers) == 1

    run(main())
