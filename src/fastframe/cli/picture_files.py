"""Pictures of a session as files: a lossless video, or a folder of PNG pictures."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from fastframe._files import PendingFile
from fastframe.capture import VideoWriter, png_bytes
from fastframe.cli.options import may_write
from fastframe.errors import FastframeError, RecordingError


class PictureFiles:
    """Writes pictures as they come, in whatever thread; use it as a context manager.

    Parameters
    ----------
    path
        A name that ends in `.mkv`, or a folder.
    force
        Whether what is there may be overwritten without asking.

    Raises
    ------
    FastframeError
        The path is neither, or must not be overwritten.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self._is_video = path.suffix == ".mkv"
        if not self._is_video and path.exists() and not path.is_dir():
            raise FastframeError(f"{path} is neither a video (.mkv) nor a folder")
        if self._is_video and not path.parent.is_dir():
            raise FastframeError(f"{path}: there is no folder {path.parent}")
        may_write(path, force=force)
        self._path = path
        self._stack = ExitStack()
        self._video: VideoWriter | None = None
        self.count = 0

    def write(self, pixels: npt.NDArray[np.uint8], timestamp: int) -> None:
        """Writes a picture, (height, width, 4) uint8 BGRX, that was seen at a time in microseconds.

        Raises
        ------
        RecordingError
            It could not be written, or has another size than those before in the same video.
        """
        if self._is_video:
            height, width = pixels.shape[:2]
            if self._video is None:
                self._video = self._stack.enter_context(VideoWriter(self._path, (width, height)))
            self._video.write(pixels, timestamp)
        else:
            try:
                self._path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RecordingError(f"{self._path} cannot be made: {error.strerror}") from error
            with PendingFile(self._path / f"frame-{self.count:06d}.png") as file:
                file.write(png_bytes(pixels))
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # What was seen is kept, however the session ended.
        self._stack.close()
