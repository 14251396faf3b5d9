"""A command on a terminal of its own, which it takes for that of a user."""

import os
import pty
import select
import subprocess

# Long enough for any command here on a busy machine.
PATIENCE = 60.0


class Terminal:
    """A command that runs, and what its terminal shows."""

    def __init__(self, command: list[str]) -> None:
        self.output = ""
        self._main, side = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
        self.process = subprocess.Popen(
            command, stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True
        )
        os.close(side)

    def read_until(self, text: str) -> None:
        """Read what is shown until `text` is; the end of output without it is a failure."""
        while text not in self.output:
            self.output += self._read()

    def take(self) -> str:
        """What has been shown so far; forgets it."""
        taken, self.output = self.output, ""
        return taken

    def read_to_end(self) -> int:
        """Read the rest; returns the exit code."""
        try:
            while True:
                self.output += self._read()
        except OSError:  # How Linux tells that the other side was closed.
            os.close(self._main)
            return self.process.wait(timeout=30)

    def _read(self) -> str:
        assert select.select([self._main], [], [], PATIENCE)[0], "the terminal has been silent for too long"
        return os.read(self._main, 65536).decode(errors="replace")
