"""Real X servers for tests: Xvfb with one screen, and Xorg with monitors that can be plugged in and out."""

import os
import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest

# What Xorg's driver for no hardware needs to be told. Its outputs are DUMMY0 (plugged in) to DUMMY15.
XORG_CONFIGURATION = """
Section "ServerFlags"
  Option "AutoAddDevices" "false"
  Option "AutoEnableDevices" "false"
EndSection
Section "Device"
  Identifier "card"
  Driver "dummy"
  VideoRam 65536
EndSection
Section "Screen"
  Identifier "screen"
  Device "card"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Virtual 2048 1200
    Modes "1024x768" "800x600" "640x480"
  EndSubSection
EndSection
"""


def need(program: str) -> None:
    """Skip the test where a program is not installed; on a server that checks changes it must be."""
    if shutil.which(program) is None and not os.environ.get("CI"):
        pytest.skip(f"{program} is not installed")


class XServer:
    """An X server of our own, on a display number that it chose itself; `close` ends it.

    Parameters
    ----------
    command
        What starts it, without the number of the display.
    environment
        Variables for the clients that `run` and `start` start.
    """

    def __init__(self, *command: str, environment: dict[str, str] | None = None) -> None:
        self._command = command
        self._environment = {**os.environ, **(environment or {})}
        self._clients: list[subprocess.Popen[bytes]] = []
        self.display = ""
        self._placeholder: socket.socket | None = None
        self.restart()

    @classmethod
    def virtual(cls, width: int = 800, height: int = 600, *options: str) -> "XServer":
        """Xvfb; its one monitor is called `screen`."""
        # Without -noreset the server forgets what is on the screen when its last client leaves.
        return cls("Xvfb", "-screen", "0", f"{width}x{height}x24", "-noreset", *options)

    @classmethod
    def guarded(cls, folder: Path) -> "XServer":
        """Xvfb that lets in only who knows the key in `folder`/key."""
        key = folder / "key"
        fields = [b"", b"", b"MIT-MAGIC-COOKIE-1", os.urandom(16)]  # for every host and every display
        key.write_bytes(b"\xff\xff" + b"".join(struct.pack(">H", len(field)) + field for field in fields))
        options = ["-screen", "0", "800x600x24", "-noreset", "-auth", str(key)]
        return cls("Xvfb", *options, environment={"XAUTHORITY": str(key)})

    @classmethod
    def with_monitors(cls, folder: Path) -> "XServer":
        """Xorg on no hardware, with one monitor DUMMY0 of 1024x768; its files go into `folder`."""
        configuration = folder / "xorg.conf"
        configuration.write_text(XORG_CONFIGURATION)
        files = ["-config", str(configuration), "-logfile", str(folder / "xorg.log")]
        # The two options on terminals keep its hands off the console of the machine.
        return cls("Xorg", *files, "-noreset", "-novtswitch", "-sharevts", "-nolisten", "tcp")

    def restart(self) -> None:
        """Start the server, again on the same display if it had one."""
        if self.display:
            self._end()
        self._give_up_number()
        reading, writing = os.pipe()
        number = [self.display] if self.display else []
        command = [*self._command[:1], *number, *self._command[1:], "-displayfd", str(writing)]
        self.process = subprocess.Popen(
            command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(writing)
        with os.fdopen(reading) as answer:
            display = answer.readline().strip()
        assert display, f"{self._command[0]} did not start"
        self.display = f":{display}"

    def run(self, *command: str, check: bool = True) -> str:
        """Run a client to its end; returns what it wrote."""
        client = [*command[:1], "-display", self.display, *command[1:]]
        return subprocess.run(client, check=check, capture_output=True, text=True, env=self._environment).stdout

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start a client that stays until the end of the test."""
        client = subprocess.Popen(
            [*command[:1], "-display", self.display, *command[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment,
        )
        self._clients.append(client)
        return client

    def start_by_environment(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start a client that has no option `-display`, until the end of the test."""
        environment = {**self._environment, "DISPLAY": self.display}
        client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        self._clients.append(client)
        return client

    def fill(self, color: str) -> None:
        """Give the whole screen one colour, written as #rrggbb."""
        self.run("xsetroot", "-solid", color)

    def shrink(self, width: int, height: int) -> None:
        """Make the screen smaller. (xrandr fails afterwards, since Xvfb has no monitor of that size.)"""
        self.run("xrandr", "--fb", f"{width}x{height}", check=False)

    def grow(self, width: int = 800, height: int = 600) -> None:
        """Give the screen its first size again."""
        self.run("xrandr", "--output", "screen", "--mode", f"{width}x{height}")

    def split(self, *columns: int, height: int = 600) -> None:
        """Divide the screen into monitors side by side, of so many pixels each.

        The first one keeps the name of the output, `screen`; the others have names that only RandR knows.
        """
        x = 0
        for index, width in enumerate(columns):
            output = "none" if index else "screen"
            self.run("xrandr", "--delmonitor", f"part-{index}", check=False)
            self.run("xrandr", "--setmonitor", f"part-{index}", f"{width}/{width}x{height}/{height}+{x}+0", output)
            x += width

    def plug(self, number: int, mode: str, *position: str) -> None:
        """Plug a monitor in, or change it: DUMMY`number`, `mode` and such as `("--right-of", "DUMMY0")`."""
        output = f"DUMMY{number}"
        self.run("xrandr", "--addmode", output, mode)
        self.run("xrandr", "--output", output, "--mode", mode, *position)

    def unplug(self, number: int) -> None:
        """Unplug the monitor DUMMY`number`."""
        self.run("xrandr", "--output", f"DUMMY{number}", "--off")

    def stop(self) -> None:
        """Let the server do nothing until `go_on`."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End what `stop` began."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server and its clients at once, as a crash would; until `restart` nobody else gets its display."""
        self._end()
        if self._placeholder is None:
            # A server that looks for a free number takes one whose socket it can make, whoever has started it; and
            # whoever waits for ours to come back would find that one.
            self._placeholder = socket.socket(socket.AF_UNIX)
            self._placeholder.bind(f"\0/tmp/.X11-unix/X{self.display[1:]}")

    def _give_up_number(self) -> None:
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None

    def _end(self) -> None:
        for process in [self.process, *self._clients]:
            process.kill()
            process.wait()
        self._clients.clear()

    def close(self) -> None:
        """End the server and its clients; the server tidies up behind itself."""
        self.process.terminate()
        self.go_on()
        try:
            self.process.wait(timeout=10)
        finally:
            self._end()
            self._give_up_number()
