"""Files that take their name only when they are complete.

Whoever writes a recording writes to a temporary name beside it, `film.mkv.1f2e3d4c.part`, and renames at the end. A
crash, a full disk or an exception therefore never destroys a file that was there before, and nobody ever reads half a
file. Only a process that is killed, or a machine that stops, leaves its part: a name that is not hidden, since it may
hold somebody's screen.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO

from fastframe._arguments import checked_path
from fastframe._closing import Completing
from fastframe._names import shown
from fastframe.errors import RecordingError

# Four random bytes keep two writers of one name apart.
_RANDOM_BYTES = 4


def left_over(folder: Path, pattern: str) -> list[Path]:
    """The parts of files whose names match a glob pattern: killed writers left them, or others are just writing."""
    return sorted(folder.glob(f"{pattern}.{'[0-9a-f]' * (2 * _RANDOM_BYTES)}.part"))


def reason(error: OSError | ValueError) -> str:
    """What the operating system says, without the number and the path that `str(error)` adds."""
    return getattr(error, "strerror", None) or str(error)


class PendingFile(Completing):
    """A new file under a temporary name, in the folder of its final name.

    As a context manager it takes its name at the end of the block, and is deleted after an exception.

    Parameters
    ----------
    path
        The final name. Its folder must exist.

    Raises
    ------
    RecordingError
        The folder does not exist or cannot be written to, or `path` is a folder, a device, a pipe or no name.
    LocalProtocolError
        `path` is neither a text nor a path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = checked_path(path, "path")
        self._complete = False
        try:
            if self.path.is_dir():
                raise RecordingError(f"cannot write {shown(self.path)}: it is a folder")
            if self.path.exists() and not self.path.is_file():
                # Renaming would put a file in the place of /dev/null, or of a pipe that somebody reads from.
                raise RecordingError(f"cannot write {shown(self.path)}: it is no file")
            self._temporary = self.path.with_name(f"{self.path.name}.{secrets.token_hex(_RANDOM_BYTES)}.part")
            self.file: BinaryIO = self._open()
        except (OSError, ValueError) as error:
            raise RecordingError(f"cannot write {shown(self.path)}: {reason(error)}") from error

    def _open(self) -> BinaryIO:
        try:
            return self._temporary.open("xb")
        except (OSError, ValueError):
            raise
        except BaseException:  # an interrupt: nobody else knows of the file
            self._temporary.unlink(missing_ok=True)
            raise

    def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes, which are in the file at the end: whoever is killed loses nothing that was written.

        Raises
        ------
        RecordingError
            They could not be written, for example because the disk is full, and what there was is discarded; or it was
            closed or discarded before.
        """
        self.check_open()
        try:
            for piece in pieces:
                self.file.write(piece)
            self.file.flush()
        except OSError as error:
            self.discard()
            raise RecordingError(f"cannot write {shown(self.path)}: {reason(error)}") from error

    def close(self) -> None:
        """Give the file its final name; what was there before is replaced in one step. May be called again.

        Raises
        ------
        RecordingError
            The last bytes could not be written, or it was discarded; the earlier file, if any, is as it was.
        """
        if self._complete:
            return
        self.check_open()
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self._temporary.replace(self.path)
        except OSError as error:
            self.discard()
            raise RecordingError(f"cannot write {shown(self.path)}: {reason(error)}") from error
        except BaseException:  # an interrupt
            self.discard()
            raise
        self._complete = True

    def check_open(self) -> None:
        """Raises `RecordingError` if it is complete or was discarded."""
        if self.file.closed:
            what = "is complete" if self._complete else "was discarded"
            raise RecordingError(f"cannot write {shown(self.path)}: it {what}")

    def discard(self) -> None:
        """Delete what was written; the earlier file, if any, is as it was."""
        with contextlib.suppress(OSError):  # Closing flushes, which fails on a full disk; the file is deleted anyway.
            self.file.close()
        self._temporary.unlink(missing_ok=True)
