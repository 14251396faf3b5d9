"""What the tests of several layers share: hypothesis' effort, instruction sets, recorded and real screens."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

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


class XServer:
    """An Xvfb of our own, on a display number that it chose itself."""

    WIDTH, HEIGHT = 800, 600

    def __init__(self) -> None:
        reading, writing = os.pipe()
        # Without -noreset the server forgets what is on the screen when its last client leaves.
        command = [
            "Xvfb",
            "-displayfd",
            str(writing),
            "-screen",
            "0",
            f"{self.WIDTH}x{self.HEIGHT}x24",
            "-noreset",
        ]
        self.process = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        self.display = f":{number}"
        self._clients: list[subprocess.Popen[bytes]] = []

    def run(self, *command: str, check: bool = True) -> None:
        """Run a client to its end."""
        subprocess.run([*command[:1], "-display", self.display, *command[1:]], check=check, capture_output=True)

    def start(self, *command: str) -> None:
        """Start a client that stays until the end of the test."""
        client = [*command[:1], "-display", self.display, *command[1:]]
        self._clients.append(subprocess.Popen(client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def fill(self, color: str) -> None:
        """Give the whole screen one colour, written as #rrggbb."""
        self.run("xsetroot", "-solid", color)

    def shrink(self, width: int, height: int) -> None:
        """Make the screen smaller. (xrandr fails afterwards, since Xvfb has no monitor of that size.)"""
        self.run("xrandr", "--fb", f"{width}x{height}", check=False)

    def grow(self) -> None:
        """Give the screen its first size again."""
        self.run("xrandr", "--output", "screen", "--mode", f"{self.WIDTH}x{self.HEIGHT}")

    def kill(self) -> None:
        """End the server and its clients at once."""
        for process in [self.process, *self._clients]:
            process.kill()
            process.wait()


@pytest.fixture
def xserver() -> Iterator[XServer]:
    """An X server with a screen of 800x600 pixels and nothing on it."""
    if shutil.which("Xvfb") is None and not os.environ.get("CI"):
        pytest.skip("Xvfb is not installed")
    server = XServer()
    yield server
    server.kill()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits until something is true, and fails when it does not become true."""

    def wait(condition: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    return wait
