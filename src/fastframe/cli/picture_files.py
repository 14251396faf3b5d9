"""Pictures of a session as files: lossless videos, or folders of PNG pictures; each display has its own."""

import glob
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastframe._closing import Closing
from fastframe._files import PendingFile, reason
from fastframe._names import shown
from fastframe.capture import VideoWriter, png_bytes
from fastframe.cli.options import may_overwrite, may_write, parse_pictures, tell_parts
from fastframe.errors import FastframeError, RecordingError


class PictureFiles(Closing):
    """Writes pictures as they come, in whatever thread; use it as a context manager.

    Display 0 goes to the path itself, others to files or folders beside or in it: `film-display1.mkv`,
    `folder/display1`. A display whose size has changed goes on in another video: `film-part2.mkv`.

    Parameters
    ----------
    name
        A name that ends in `.mkv`, or a folder.
    force
        Whether what is there may be overwritten without asking.

    Raises
    ------
    FastframeError
        The path is neither, or must not be overwritten.
    """

    def __init__(self, name: str, *, force: bool) -> None:
        path, is_folder = parse_pictures(name)
        self._is_video = not is_folder
        if self._is_video and not path.parent.is_dir():
            raise FastframeError(f"{shown(path)}: there is no folder {shown(path.parent)}")
        may_write(path, force=force)
        if self._is_video:
            for kind in ("display", "part"):
                pattern = f"{glob.escape(path.stem)}-{kind}[0-9]*.mkv"
                tell_parts(path.parent, pattern)
                for other in sorted(path.parent.glob(pattern)):
                    may_overwrite(other, force=force)
        self._path = path
        self._stack = ExitStack()
        self._videos: dict[int, _Videos] = {}
        self._counts: dict[int, int] = {}

    @property
    def count(self) -> int:
        """Pictures that were written."""
        return sum(self._counts.values())

    def write(self, display: int, pixels: npt.NDArray[np.uint8], timestamp: int) -> None:
        """Writes a picture of a display, (height, width, 4) uint8 BGRX, that was seen at a time in microseconds.

        Raises
        ------
        RecordingError
            It could not be written.
        """
        count = self._counts.get(display, 0)
        if self._is_video:
            if display not in self._videos:
                stem = self._path.stem + (f"-display{display}" if display else "")
                self._videos[display] = self._stack.enter_context(_Videos(self._path.with_name(f"{stem}.mkv")))
            self._videos[display].write(pixels, timestamp)
        else:
            folder = self._path / f"display{display}" if display else self._path
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RecordingError(f"{shown(folder)} cannot be made: {reason(error)}") from error
            with PendingFile(folder / f"frame-{count:06d}.png") as file:
                file.write(png_bytes(pixels))
        self._counts[display] = count + 1

    def close(self) -> None:
        """Completes the files: what was seen is kept, however the session ended."""
        self._stack.close()


class _Videos(Closing):
    """The pictures of one display: a video, and another one each time that its size changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = 0
        self._size: tuple[int, int] | None = None
        self._stack = ExitStack()
        self._video: VideoWriter

    def write(self, pixels: npt.NDArray[np.uint8], timestamp: int) -> None:
        height, width = pixels.shape[:2]
        if self._size != (width, height):
            self._stack.close()
            self._part += 1
            path = self._path if self._part == 1 else self._path.with_stem(f"{self._path.stem}-part{self._part}")
            self._video = self._stack.enter_context(VideoWriter(path, (width, height)))
            self._size = width, height
        self._video.write(pixels, timestamp)

    def close(self) -> None:
        self._stack.close()
