"""Both ends of a connection in one process."""

import asyncio

import pytest
from connections import ended, run
from desk import Customer, Technician, noise

from fastframe.errors import TransportError
from fastframe.stream import Message, Sender
from fastframe.stream.aio import SenderDriver, joined
from fastframe.stream.events import Closed


def test_messages_arrive_in_order_and_one_is_on_its_way_at_a_time() -> None:
    async def main() -> None:
        one, other = joined()
        sending = asyncio.create_task(one.send(Message(b"0")))
        await sending
        sending = asyncio.create_task(one.send(Message(b"1")))
        await asyncio.sleep(0.01)
        assert not sending.done()
        await other.send(Message(b"up"))
        assert [await other.receive(), await other.receive()] == [b"0", b"1"]
        await sending
        assert await one.receive() == b"up"

    run(main())


@pytest.mark.parametrize("orderly", [True, False])
def test_the_end_of_one_side_is_the_end_of_the_other(orderly: bool) -> None:
    async def main() -> None:
        one, other = joined()
        await one.send(Message(b"last"))
        waiting = asyncio.create_task(one.send(Message(b"too late")))
        await asyncio.sleep(0.01)
        if orderly:
            await one.close()
        else:
            one.abort()
        with pytest.raises(TransportError):
            await waiting
        with pytest.raises(TransportError):
            await other.send(Message(b"nobody is there"))
        assert await other.receive() == b"last"
        assert await ended(other)
        assert await ended(one)

    run(main())


def test_a_session_in_one_process_shows_the_pixels() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            customer.driver = SenderDriver(Sender(customer.gate), customer._happened, customer.worker)
            ours, theirs = joined()

            async def open_transport() -> object:
                return theirs

            async with asyncio.TaskGroup() as group:
                group.create_task(customer.driver.run(ours))
                group.create_task(technician.driver.view(open_transport))  # type: ignore[arg-type]
                await technician.sees(noise(0))
                customer.show(noise(1))
                await technician.sees(noise(1))
                await customer.driver.stop()
            assert technician.of(Closed)

    run(main())
