"""What the tests of several layers share: hypothesis' effort, instruction sets, recorded and real screens."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from xserver import XServer, need

from fastframe import _core, fixtures

# HYPOTHESIS_PROFILE chooses: "default" for a minute at the desk, "ci" for a server, "thorough" for a release.
# No deadline, since another process on the machine must not fail a test; function-scoped fixtures are fine
# where they mean the same for every example, as `isa` does.
for profile, examples in {"default": 60, "ci": 400, "thorough": 10_000}.items():
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# What waits for other programs, sockets or files, and would fail if it waited for too long.
WAITING = ("tests/capture/", "tests/cli/", "tests/package/", "tests/recording/", "tests/stream/aio/")
# Of these, what computes, or waits for nothing but a command that does.
COMPUTING = ("tests/capture/test_region.py", "tests/cli/test_errors.py", "tests/cli/test_info.py")
COMPUTING += ("tests/cli/test_transcode.py",)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How `make test` hands tests out to several processes: those that wait for something all to one, in their order.

    All others only compute. One function's are together, which saves handing out thousands of short ones one by one.
    (xdist's own groups do without notice what they like from pytest 9.2 on: pytest-dev/pytest-xdist issue 1386.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            waits = nodeid.startswith(WAITING) and not nodeid.startswith(COMPUTING)
            return "waiting" if waits else nodeid.partition("[")[0]

    return Scheduling(config, log)


@pytest.fixture(params=_core.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the test once with each instruction set that this processor has."""
    before = _core.isa()
    _core.force_isa(request.param)
    yield request.param
    _core.force_isa(before)


@pytest.fixture(scope="session", params=fixtures.names())
def clip_frames(request: pytest.FixtureRequest) -> tuple[NDArray[np.uint8], ...]:
    """The first eight frames of a bundled clip, (H, W, 4) BGRX, read-only; shared by the whole session."""
    with av.open(str(fixtures.path(request.param))) as container:
        pictures = islice(container.decode(video=0), 8)
        frames = tuple(picture.to_ndarray(format="bgra").astype(np.uint8) for picture in pictures)
    for frame in frames:
        frame.flags.writeable = False
    return frames


@pytest.fixture
def new_xserver() -> Iterator[Callable[..., XServer]]:
    """Starts X servers with one screen, by custom of 800x600 pixels and with nothing on it."""
    need("Xvfb")
    with contextlib.ExitStack() as stack:

        def start(width: int = 800, height: int = 600, *options: str) -> XServer:
            return stack.enter_context(contextlib.closing(XServer.virtual(width, height, *options)))

        yield start


@pytest.fixture
def xserver(new_xserver: Callable[..., XServer]) -> XServer:
    """An X server with a screen of 800x600 pixels and nothing on it."""
    return new_xserver()


@pytest.fixture
def guarded_xserver(tmp_path: Path) -> Iterator[XServer]:
    """An X server that asks for a key, which is in `tmp_path`/key."""
    need("Xvfb")
    with contextlib.closing(XServer.guarded(tmp_path)) as server:
        yield server


@pytest.fixture
def monitors(tmp_path: Path) -> Iterator[XServer]:
    """An X server with the monitor DUMMY0 of 1024x768 pixels, which takes more of them."""
    need("Xorg")
    with contextlib.closing(XServer.with_monitors(tmp_path)) as server:
        yield server


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits until something is true, and fails when it does not become true."""

    def wait(condition: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    return wait
