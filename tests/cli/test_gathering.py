"""What stands between the customer's sender and several viewers."""

import asyncio

import pytest

from fastframe.cli.gathering import Gathering
from fastframe.stream import ConsentGate, PairingKey, Relay, Sender, SenderConfig
from fastframe.stream.aio import SenderDriver, Worker


def gathering_of(sender: Sender, encoding: Worker) -> tuple[SenderDriver, Gathering]:
    driver = SenderDriver(sender, lambda event: None, encoding)
    pairing, _ = PairingKey.create(0.0)
    return driver, Gathering(driver, 2, lambda: pairing, lambda *_: None, lambda: None, lambda *_: None)


def test_a_fault_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(relay: Relay, before: str) -> str:
        raise RuntimeError("no effort")

    monkeypatch.setattr(Relay, "effort_after", fault)

    async def share() -> None:
        with Worker("encoding") as encoding:
            _, gathering = gathering_of(Sender(ConsentGate()), encoding)
            async with asyncio.timeout(10.0):
                await gathering.run()

    with pytest.raises(RuntimeError, match="no effort"):
        asyncio.run(share())


def test_the_senders_effort_is_what_suits_the_viewers_as_their_lines_change(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    after = {"balanced": "tight", "tight": "fast", "fast": "fast"}
    monkeypatch.setattr(Relay, "effort_after", lambda relay, before: told.append(before) or after[before])

    async def share() -> None:
        with Worker("encoding") as encoding:
            sender = Sender(ConsentGate(), SenderConfig(effort="balanced"))
            driver, gathering = gathering_of(sender, encoding)
            running = asyncio.create_task(gathering.run())
            async with asyncio.timeout(10.0):
                while sender.effort != "fast":
                    await asyncio.sleep(0.01)
            await driver.stop(by="customer")
            await running

    asyncio.run(share())
    assert told[:2] == ["balanced", "tight"]
