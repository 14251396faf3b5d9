"""Several displays through one driver: all of them arrive, and come and go."""

import asyncio

import numpy as np
import pytest
from connections import Proxy, run, until
from desk import SCREEN, Customer, Picture, Technician, noise, sharing, viewing

from fastframe.errors import LocalProtocolError
from fastframe.stream import Display

LEFT, RIGHT = Display(0, 0, 0, 100, 80, "left"), Display(1, 100, 0, 100, 80, "right")


def sees(technician: Technician, display: Display, picture: Picture) -> bool:
    try:
        return np.array_equal(technician.receiver.frame(display.id), picture)
    except LocalProtocolError:
        return False


def test_a_display_that_always_changes_does_not_keep_another_one_waiting() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with (
                sharing(customer),
                Proxy(customer.port).running() as proxy,
                viewing(customer, technician, proxy.port),
            ):
                proxy.rate = 200_000.0
                seed = 0

                async def film() -> None:
                    nonlocal seed
                    while True:
                        seed += 1
                        customer.driver.show(LEFT, noise(seed, 100, 80), None)
                        await asyncio.sleep(0.005)

                filming = asyncio.create_task(film())
                await until(lambda: seed > 100)
                for step in range(3):
                    customer.driver.show(RIGHT, noise(1000 + step, 100, 80), None)
                    await until(lambda step=step: sees(technician, RIGHT, noise(1000 + step, 100, 80)))
                filming.cancel()
                proxy.rate = None

    run(main())


def test_a_display_goes_and_comes_while_others_stay() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer), viewing(customer, technician):
                customer.driver.show(LEFT, noise(1, 100, 80), None)
                customer.driver.show(RIGHT, noise(2, 100, 80), None)
                customer.driver.hide(9)  # which never was: that changes nothing
                await until(lambda: sees(technician, RIGHT, noise(2, 100, 80)))
                customer.driver.hide(RIGHT.id)
                await until(lambda: technician.receiver.displays == (LEFT,))
                customer.driver.show(RIGHT, noise(3, 100, 80), None)
                await until(lambda: sees(technician, RIGHT, noise(3, 100, 80)))
                assert sees(technician, LEFT, noise(1, 100, 80))

    run(main())


def test_one_display_more_than_a_session_has_is_refused() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer), viewing(customer, technician):
                small = noise(1, 8, 8)
                for number in range(1, 16):
                    customer.driver.show(Display(number, 0, 0, 8, 8), small, None)
                with pytest.raises(LocalProtocolError, match="at most 16 displays, not 17"):
                    customer.driver.show(Display(16, 0, 0, 8, 8), small, None)
                await until(lambda: len(technician.receiver.displays) == 16)
                customer.show(noise(2))
                await until(lambda: sees(technician, SCREEN, noise(2)))

    run(main())
