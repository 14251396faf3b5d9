"""Frames of a video, in place of a screen."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy.typing as npt

from fastframe._files import reason
from fastframe.capture import _pyav
from fastframe.capture.source import CapturedFrame, Pacer
from fastframe.errors import RecordingError

if TYPE_CHECKING:
    from av.container import InputContainer


class ReplaySource:
    """The frames of a video file, once.

    RGB video (such as `VideoWriter` makes) gives exactly the pixels that were stored. Other video is
    converted to RGB, always in the same way. Each frame owns its pixels; X is 255.

    Parameters
    ----------
    path
        Any file with a video track that PyAV opens.
    realtime
        Whether iteration waits until each frame is due; otherwise frames come as fast as they are asked for.

    Raises
    ------
    FastframeError
        PyAV is not installed.
    RecordingError
        The file cannot be read or holds no video; while iterating: it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], *, realtime: bool = False) -> None:
        _pyav.require()
        import av

        self._path = Path(path)
        self._realtime = realtime
        try:
            # FFmpeg takes some names for addresses or devices; what cannot be opened as a file is none of our
            # business.
            self._path.open("rb").close()
            self._container: InputContainer = av.open(f"file:{self._path}", "r")
        except av.FFmpegError as error:
            raise RecordingError(f"{self._path} is no video that can be read: {error.strerror}") from error
        except OSError as error:
            raise RecordingError(f"cannot read {self._path}: {reason(error)}") from error
        # FFmpeg "plays" any .txt file as a film of ANSI art.
        if not self._container.streams.video or self._container.format.name == "tty":
            self.close()
            raise RecordingError(f"{self._path} holds no video")
        stream = self._container.streams.video[0]
        self._rate = stream.average_rate or 30
        stream.thread_type = "AUTO"
        # Damage is an error here; by default the decoder would paint over it.
        stream.codec_context.options = {"err_detect": "explode"}

    def __iter__(self) -> Iterator[CapturedFrame]:
        import av

        pacer = Pacer()
        index = 0
        try:
            for frame in self._container.decode(video=0):
                if frame.is_corrupt:
                    raise RecordingError(f"{self._path} is damaged at frame {index}")
                # Raw streams hold no times; their nominal rate, or a guess, has to do.
                seconds = index / self._rate if frame.time is None else frame.time
                timestamp = round(seconds * 1e6)
                if self._realtime:
                    pacer.wait_for(timestamp)
                pixels: npt.NDArray[Any] = frame.to_ndarray(format="bgra")
                yield CapturedFrame(pixels, timestamp)
                index += 1
        except av.FFmpegError as error:
            raise RecordingError(f"{self._path} is damaged at frame {index}: {error.strerror}") from error
        if index == 0:
            raise RecordingError(f"{self._path} holds no frames")

    def close(self) -> None:
        """Close the file; may be called again."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
