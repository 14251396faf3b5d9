"""Whole sessions over real sockets: exact pictures, and what happens when people or lines do not behave."""

import asyncio
import contextlib
from typing import Any

import numpy as np
import pictures
import pytest
from certificates import Certificates
from connections import Proxy, run, until, url
from desk import SCREEN, Customer, Technician, noise, sharing, viewing

from fastframe import Rect, capture
from fastframe.errors import LocalProtocolError, RemoteProtocolError, TransportError
from fastframe.stream import ByeReason, ConsentState, Display, Message, Scope, State
from fastframe.stream.aio import connect, driver, strangers
from fastframe.stream.events import (
    ChatReceived,
    Closed,
    Connected,
    ConnectionBroken,
    ConsentChanged,
    CursorShapeChanged,
    Event,
)
from fastframe.stream.messages import LEAST_MAX_MESSAGE
from fastframe.stream.wire import MARK


def is_picture(message: bytes) -> bool:
    return message[0] == MARK


def test_the_viewer_has_the_customers_pixels(scheme: str, certificates: Certificates) -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            how = {"scheme": scheme, "certificates": certificates}
            async with sharing(customer, **how), viewing(customer, technician, **how):
                for step in range(30):
                    picture = customer.picture.copy()
                    picture[step : step + 40, 2 * step : 2 * step + 60, :3] = step
                    customer.show(picture, [(2 * step, step, 60, 40)])
                    await asyncio.sleep(0.003)
                await technician.sees(customer.picture)
                customer.show(noise(1, 200, 100))  # another size
                await technician.sees(noise(1, 200, 100))
                await customer.driver.stop(text="that is all", by="customer")
            assert technician.of(Closed)[0].text == "that is all"
            assert technician.of(Closed)[0].reason is ByeReason.STOPPED
            assert customer.sender.state is technician.receiver.state is State.CLOSED

    run(main())


def test_only_the_right_key_opens_the_session_and_only_once() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician, Technician() as late:
            async with sharing(customer):
                wrong = f"{(int(customer.digits) + 1) % 10**7:07}"
                for attempt in range(2):
                    with Technician() as guesser:
                        await guesser.view(customer.port, wrong)
                        assert guesser.of(Closed)[0].reason is ByeReason.PAIRING
                        assert not guesser.of(Connected)
                    assert customer.pairing.attempts_left == 4 - attempt
                async with viewing(customer, technician):
                    await late.view(customer.port, customer.digits)
                    assert late.of(Closed)[0].reason is ByeReason.CONSENT
                    assert late.picture is None
                    # The first one has noticed nothing.
                    customer.show(noise(5))
                    await technician.sees(noise(5))
                    assert len(technician.of(Connected)) == 1
            assert len(customer.refusals) == 3

    run(main())


def test_after_five_wrong_keys_the_right_one_is_of_no_use() -> None:
    async def main() -> None:
        with Customer() as customer:
            async with sharing(customer):
                wrong = f"{(int(customer.digits) + 1) % 10**7:07}"
                for key in [*[wrong] * 5, customer.digits]:
                    with Technician() as guesser:
                        await guesser.view(customer.port, key)
                        assert guesser.of(Closed)[0].reason is ByeReason.PAIRING
            assert customer.pairing.attempts_left == 0

    run(main())


def test_without_consent_no_pixel_is_on_the_wire() -> None:
    async def main() -> None:
        with Customer(agrees=()) as customer, Technician() as technician:
            async with sharing(customer):
                async with Proxy(customer.port).running() as proxy:
                    view = asyncio.create_task(technician.view(proxy.port, customer.digits))
                    await until(lambda: technician.receiver.consent(Scope.VIEW) is ConsentState.REFUSED)
                    # Even a product that shows pictures all the same does not get them out.
                    customer.show(customer.picture)
                    await customer.driver.call(lambda now: customer.gate.grant(Scope.CHAT, now))
                    await until(lambda: technician.receiver.consent(Scope.CHAT) is ConsentState.GRANTED)
                    await customer.driver.stop()
                    await view
                assert not [message for message in proxy.down if is_picture(message)]
                assert proxy.down_bytes < 2000
            assert technician.picture is None

    run(main())


def test_no_part_of_a_picture_follows_the_withdrawal() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with (
                sharing(customer),
                Proxy(customer.port).running() as proxy,
                viewing(customer, technician, proxy.port),
            ):
                proxy.rate = 2e6
                for seed in range(5):
                    customer.show(noise(seed, 640, 480))
                    await asyncio.sleep(0.02)
                await customer.driver.call(lambda now: customer.gate.withdraw(Scope.VIEW, now))
                await until(lambda: technician.receiver.consent(Scope.VIEW) is ConsentState.WITHDRAWN)
                told = next(index for index, each in enumerate(proxy.down) if b"withdrawn" in each)
                await asyncio.sleep(0.1)
                assert not [message for message in proxy.down[told:] if is_picture(message)]
                # And when the customer agrees again, the picture is that of now.
                proxy.rate = None
                customer.picture = noise(9)
                await customer.driver.call(lambda now: customer.gate.grant(Scope.VIEW, now))
                await technician.sees(noise(9))

    run(main())


def test_a_connection_cut_in_the_middle_of_a_frame_is_made_good() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with (
                sharing(customer),
                Proxy(customer.port).running() as proxy,
                viewing(customer, technician, proxy.port),
            ):
                for seed in range(1, 4):
                    proxy.cut_at = proxy.down_bytes + 30_000  # a frame is 230 kB
                    customer.show(noise(seed))
                    await technician.sees(noise(seed))
                assert [event.resumed for event in technician.of(Connected)] == [False, True, True, True]
                assert customer.pairing.attempts_left == 0

    run(main())


def test_a_viewer_is_back_before_its_old_connection_is_known_to_be_dead() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer), Proxy(customer.port).running() as proxy:
                view = asyncio.create_task(technician.view(proxy.port, customer.digits))
                await technician.sees(customer.picture)
                proxy.freeze()
                customer.show(noise(1))
                # The viewer's side notices (another network), the customer's cannot.
                view.cancel()
                await asyncio.wait([view])
                async with viewing(customer, technician, proxy.port):
                    assert [event.resumed for event in customer.of(Connected)] == [False, True]

    run(main())


def test_a_stranger_with_a_wrong_token_does_not_get_the_session_nor_end_it() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician, Technician() as stranger:
            async with (
                sharing(customer),
                Proxy(customer.port).running() as proxy,
                viewing(customer, technician, proxy.port),
            ):
                proxy.cut()
                await stranger.view(customer.port, customer.digits)
                assert not stranger.of(Connected)
                customer.show(noise(1))
                await technician.sees(noise(1))

    run(main())


def test_a_viewer_that_does_not_come_back_ends_the_session() -> None:
    async def main() -> None:
        with Customer(resume_for=0.2) as customer, Technician() as technician:
            async with sharing(customer) as share:
                view = asyncio.create_task(technician.view(customer.port, customer.digits))
                await technician.sees(customer.picture)
                view.cancel()
                await asyncio.wait([share])
            assert customer.of(Closed)[0].reason is ByeReason.TIMEOUT

    run(main())


def test_a_viewer_gives_up_when_its_patience_ends() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer) as share:
                view = asyncio.create_task(technician.view(customer.port, customer.digits, patience=0.6))
                await technician.sees(customer.picture)
                share.cancel()
                with pytest.raises(TransportError):
                    await view
            assert technician.picture is not None  # the last good one stays

    run(main())


def test_garbage_and_silence_at_the_door_do_not_keep_the_viewer_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "HANDSHAKE_TIMEOUT", 0.5)

    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer):
                silent = [await connect(url("tcp", customer.port)) for _ in range(strangers.MAX_STRANGERS - 4)]
                for garbage in (b"\x90", b"\xc1\0\0abc", b"\x93\xa5hello\x01\x02", bytes(1000)):
                    transport = await connect(url("tcp", customer.port))
                    await transport.send(Message(garbage))
                    with contextlib.suppress(TransportError):
                        while await transport.receive() is not None:
                            pass
                    transport.abort()
                async with viewing(customer, technician):
                    for transport in silent:  # their time is up meanwhile, or soon
                        with contextlib.suppress(TransportError):
                            assert await transport.receive() is None
                        transport.abort()
            wrong = [error for error in customer.refusals if isinstance(error, RemoteProtocolError)]
            assert (len(wrong), len(customer.refusals)) == (4, strangers.MAX_STRANGERS)

    run(main())


def test_a_viewer_that_breaks_the_protocol_is_told_and_may_come_back() -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer), viewing(customer, technician):
                await technician.driver.call(lambda now: technician.driver._send([Message(b"\x91\xa3ack")]))
                await until(lambda: technician.of(ConnectionBroken))
                await until(lambda: len(technician.of(Connected)) == 2)
                assert technician.of(Connected)[1].resumed
                assert isinstance(customer.refusals[0], RemoteProtocolError)
                customer.show(noise(1))
                await technician.sees(customer.picture)

    run(main())


def test_a_slow_line_gets_new_pictures_not_old_ones() -> None:
    """Pictures that come while the line is busy take each other's place."""

    async def main() -> None:
        with Customer(max_fps=1000) as customer, Technician() as technician:
            async with (
                sharing(customer),
                Proxy(customer.port).running() as proxy,
                viewing(customer, technician, proxy.port),
            ):
                proxy.rate = 800e3
                before = proxy.down_bytes
                for seed in range(50):
                    customer.show(noise(seed))  # all of them: 12 MB
                    await asyncio.sleep(0.01)
                await technician.sees(noise(49))
                assert proxy.down_bytes - before < 5e6

    run(main())


def test_stopping_does_not_wait_for_a_viewer_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "CLOSE_TIMEOUT", 0.2)

    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer) as share:
                async with Proxy(customer.port).running() as proxy:
                    view = asyncio.create_task(technician.view(proxy.port, customer.digits, patience=0.1))
                    await technician.sees(customer.picture)
                    proxy.freeze()
                    for seed in range(10):
                        customer.show(noise(seed, 1280, 720))
                        await asyncio.sleep(0.02)
                    await customer.driver.stop()
                    await asyncio.wait([share])
                with contextlib.suppress(TransportError):
                    await view

    run(main(), seconds=10)


def test_chat_goes_both_ways_with_consent() -> None:
    async def main() -> None:
        with Customer(agrees=(Scope.VIEW, Scope.CHAT)) as customer, Technician() as technician:
            async with sharing(customer), viewing(customer, technician, scopes=(Scope.VIEW, Scope.CHAT)):
                await technician.driver.call(lambda now: technician.receiver.send_chat("close the mail", now))
                await until(lambda: customer.of(ChatReceived))
                await customer.driver.call(lambda now: customer.sender.send_chat("done", now))
                await until(lambda: technician.of(ChatReceived))
                assert technician.of(ChatReceived)[0].text == "done"

    run(main())


def test_a_fault_of_the_product_comes_out() -> None:
    class Fault(Exception):
        pass

    def fail(event: Event) -> None:
        if isinstance(event, ConsentChanged):
            raise Fault

    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            customer.on_event = fail
            share = asyncio.create_task(customer.share())
            await until(lambda: customer.port)
            view = asyncio.create_task(technician.view(customer.port, customer.digits, patience=0.1))
            with pytest.raises(Fault):
                await share
            with pytest.raises(TransportError):
                await view

    run(main())


def test_pictures_in_a_burst_share_their_damage() -> None:
    """What is skipped must still be sent: the damage of skipped pictures counts."""

    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer), viewing(customer, technician):
                picture = customer.picture.copy()
                for step in range(400):  # more than are kept apart
                    x, y = 8 * (step % 40), 8 * (step // 40)
                    picture = picture.copy()
                    picture[y : y + 4, x : x + 4, :3] = step % 256
                    customer.show(picture, [(x, y, 4, 4)])
                await technician.sees(picture)
                assert np.array_equal(technician.picture, picture)
                assert SCREEN in technician.receiver.displays

    run(main())


@pytest.mark.parametrize(
    ("display", "pixels", "damage", "told"),
    [
        (SCREEN, noise(1)[..., :3], None, r"a frame must be \(H, W, 4\) of uint8, not"),
        (SCREEN, noise(1)[:, ::-1], None, "pixels of a row must follow each other"),
        (SCREEN, noise(1, 64, 64), None, "as large as its display, 320 x 240 pixels, not 64 x 64"),
        (SCREEN, noise(1), [(1.0, 2, 3, 4)], "damage must be rectangles"),
        (SCREEN, noise(1), (1, 2, 3, 4), "damage must be rectangles"),
        (Display(0, 0, 0, 320, 240, "n" * 80), noise(1), None, "name of display 0 has at most 64 characters, not 80"),
        (Display(0, 0, 0, 0, 240), noise(1), None, "width of display 0 must be an integer from 1 to 65535, not 0"),
        (Display(1, 0, 0, 8000, 6000), np.zeros((6000, 8000, 4), np.uint8), None, "SenderConfig.limits are"),
        (capture.Display(0, "DP-1", Rect(0, 0, 320, 240)), noise(1), None, "a display must be a fastframe.stream"),
        (None, noise(1), None, "a display must be a fastframe.stream"),
        (Display(0, np.zeros(2), 0, 320, 240), noise(1), None, "x of display 0"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_picture_is_refused_and_the_session_goes_on(display: Any, pixels: Any, damage: Any, told: str) -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer), viewing(customer, technician):
                before = technician.receiver.displays
                with pytest.raises(LocalProtocolError, match=told):
                    customer.driver.show(display, pixels, damage)
                customer.show(noise(2))
                await technician.sees(noise(2))
                assert technician.receiver.displays == before
                assert len(technician.of(Connected)) == 1

    run(main())


@pytest.mark.parametrize(
    ("arguments", "shape", "told"),
    [
        ((256, 1, 1), None, "id of a display must be"),
        ((0, 1.5, 1), None, "x of the pointer must be"),
        ((0, 1, 2**40), None, "y of the pointer must be"),
        ((0, 1, 1), np.zeros((8, 8, 4), np.uint8), "pixels and a hotspot"),
        ((0, 1, 1), (np.zeros((8, 8, 3), np.uint8), (0, 0)), "a pointer must be"),
        ((0, 1, 1), ([[1], [2, 3]], (0, 0)), "a pointer must be"),
        ((0, 1, 1), (np.zeros((8, 8, 4), np.uint8), (8, 0)), "outside of 8 x 8"),
        ((0, 1, 1), (np.zeros((257, 8, 4), np.uint8), (0, 0)), "at most 256 x 256"),
    ],
)
def test_a_wrong_pointer_is_refused_and_the_session_goes_on(arguments: Any, shape: Any, told: str) -> None:
    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer), viewing(customer, technician):
                customer.show(noise(1))
                with pytest.raises(LocalProtocolError, match=told):
                    customer.driver.point(*arguments, shape=shape)
                customer.show(noise(2))
                await technician.sees(noise(2))
                assert len(technician.of(Connected)) == 1

    run(main())


def test_a_pointer_that_is_too_long_for_a_message_is_not_told() -> None:
    async def main() -> None:
        with Customer() as customer, Technician(max_fragment=LEAST_MAX_MESSAGE) as technician:
            async with sharing(customer), viewing(customer, technician):
                customer.show(noise(1))
                customer.driver.point(0, 1, 1, shape=(pictures.noise(128, 128), (0, 0)))
                customer.show(noise(2))
                await technician.sees(noise(2))
                assert not technician.of(CursorShapeChanged)
                assert len(technician.of(Connected)) == 1

    run(main())


def test_a_picture_is_shown_in_the_event_loop_only() -> None:
    """From another thread it would wait there, since the loop does not wake."""

    async def main() -> None:
        with Customer() as customer, Technician() as technician:
            async with sharing(customer), viewing(customer, technician):
                for call in (
                    lambda: customer.show(noise(1)),
                    lambda: customer.driver.hide(0),
                    lambda: customer.driver.point(0, 1, 1),
                ):
                    with pytest.raises(LocalProtocolError, match="in the event loop"):
                        await asyncio.to_thread(call)
                customer.show(noise(2))
                await technician.sees(noise(2))

    run(main())
