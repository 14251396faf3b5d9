"""What is compiled with types does the same as its source by itself, number for number."""

import importlib
import importlib.util
import os
import random
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fastframe.stream
from fastframe.stream import flow

FOLDER = Path(fastframe.stream.__file__).parent
COMPILED = ("connection", "consent", "damage", "delivery", "flow", "outlet", "receiver", "sender", "serving", "wire")


def source_of(module: ModuleType) -> Any:
    """The module again, from its source."""
    name = module.__name__.rpartition(".")[2]
    spec = importlib.util.spec_from_file_location(f"uncompiled_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    return again


@pytest.mark.parametrize("name", COMPILED)
def test_it_is_compiled(name: str) -> None:
    file = importlib.import_module(f"fastframe.stream.{name}").__file__
    assert file is not None
    assert file.endswith(tuple(EXTENSION_SUFFIXES))


def test_all_that_have_types_are() -> None:
    """In a checkout; distributions have no use for the types."""
    types = sorted(FOLDER.glob("*.pxd"))
    if types:
        assert [each.stem for each in types] == sorted(COMPILED)


def line(module: Any, seed: int) -> list[object]:
    """What flow control tells on a line of ups and downs."""
    chance = random.Random(seed)
    control, told = module.FlowControl(60.0), []
    on_its_way: list[Any] = []
    now, rate, trip = 1000.0, chance.choice([3e4, 1e5, 1e6, 1e7]), chance.choice([0.005, 0.05, 0.3])
    free_at = now
    for _ in range(3000):
        now += chance.choice([0.001, 0.005, 0.016, 0.05, 0.4])
        if chance.random() < 0.003:
            rate *= chance.choice([0.1, 0.5, 2, 10])
        if chance.random() < 0.002:
            now += 5.0
        while on_its_way and on_its_way[0][1] <= now:
            packet, arrives_at = on_its_way.pop(0)
            if chance.random() < 0.01:
                packet.counts = False
            if chance.random() < 0.02:
                control.lost(packet)
            else:
                control.acknowledged(packet, max(arrives_at, now - 0.001))
        ready_at, budget = control.ready_at(now), control.budget()
        if ready_at is not None and ready_at <= now:
            packet = control.sent(chance.randrange(9, 3 * budget), now)
            free_at = max(free_at, now) + packet.size / rate
            on_its_way.append((packet, free_at + trip))
            told += [packet.due(0), packet.due(packet.size - 1), packet.ends_at()]
        if control.ping_at() <= now:
            control.forget_base(now)
            control.heard(trip + chance.choice([0.0, 0.0, 0.2]), now)
        if chance.random() < 0.01:
            control.sent_again(500, now)
        told += [now, ready_at, budget, control.window, control.in_flight, control.frames_in_flight, control.known]
        told += [control.bandwidth, control.rtt, control.base_rtt, control.delay]
    return told


@pytest.mark.parametrize("seed", range(12))
def test_flow_control(seed: int) -> None:
    assert line(flow, seed) == line(source_of(flow), seed)


def session_digest(folder: Path) -> tuple[Path, str]:
    """Where the sender of the package in a folder comes from, and what it sends."""
    script = Path(__file__).with_name("session_digest.py")
    paths = os.pathsep.join(map(str, (folder, script.parent, script.parents[1])))
    run = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        check=True,
        text=True,
    )
    sender, digest = run.stdout.split()
    return Path(sender), digest


def test_sessions(tmp_path: Path) -> None:
    extensions = [f"{name}{suffix}" for name in COMPILED for suffix in EXTENSION_SUFFIXES]
    shutil.copytree(FOLDER.parent, tmp_path / "fastframe", ignore=shutil.ignore_patterns("fixtures", *extensions))
    source, by_source = session_digest(tmp_path)
    assert source == tmp_path / "fastframe" / "stream" / "sender.py"
    compiled, digest = session_digest(FOLDER.parents[1])
    assert compiled.name.endswith(tuple(EXTENSION_SUFFIXES))
    assert digest == by_source
