"""Pictures that were kept, in place of a screen.

`Replay` makes a `FrameSource` of anything that yields pictures with their times; `ReplaySource` does so with a video.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fastframe._arguments import checked_bool, checked_path
from fastframe._closing import Closing
from fastframe._files import reason
from fastframe._names import shown
from fastframe.capture import _pyav
from fastframe.capture.checks import checked_deadline
from fastframe.capture.source import CapturedFrame, Cursor, Display, Event
from fastframe.errors import LocalProtocolError, PermanentCaptureError, RecordingError

if TYPE_CHECKING:
    from av.container import InputContainer

# How long the only picture of a replay is shown before a loop begins again, in microseconds.
_LAST_PICTURE = 33_333

Pictures = Iterator[tuple[int, npt.NDArray[np.uint8]]]
"""Times in microseconds and (height, width, 4) uint8 BGRX, which the replay keeps."""


class Replay(Closing):
    """Pictures with their times as a source of frames.

    There is always one frame of lookahead. Each frame has a damage of `None`; one that `capture` gives again, because
    the next is not due yet, has `()`.

    Parameters
    ----------
    begin
        Starts a pass through the pictures. It raises `RecordingError` where they are damaged, and so do `wait` and
        `capture` when they come to that place.
    realtime
        Whether a frame comes not before its time, counted from the first call. What is overdue when the next frame is
        due as well is left out, as a screen would do. Otherwise every frame comes, as fast as they are asked for.
    loop
        Whether to begin again at the end. Timestamps go on.
    """

    def __init__(self, begin: Callable[[], Pictures], *, realtime: bool = False, loop: bool = False) -> None:
        self._begin = begin
        self._realtime = checked_bool(realtime, "realtime")
        self._loop = checked_bool(loop, "loop")
        self._frames = self._all_frames()
        self._next: CapturedFrame | None = None
        self._current: CapturedFrame | None = None
        # When the first frame was asked for, in seconds, and its time, in microseconds.
        self._start: tuple[float, int] | None = None
        self._failure: RecordingError | None = None
        self._closed = False

    def displays(self) -> tuple[Display, ...]:
        """None: a replay has no monitors."""
        return ()

    def wait(self, deadline: float | None) -> Event:
        """Sleep until the next frame is due; see `FrameSource.wait`.

        Raises
        ------
        PermanentCaptureError
            The source is closed.
        RecordingError
            The next frame is damaged.
        """
        deadline = checked_deadline(deadline)
        if self._peek() is None:
            return Event.END
        due = self._due()
        if deadline is not None and deadline < due:
            time.sleep(max(0.0, deadline - time.monotonic()))
            return Event.NONE
        time.sleep(max(0.0, due - time.monotonic()))
        return Event.FRAME

    def capture(self) -> CapturedFrame:
        """The newest frame that is due; if it was given before, then again with a damage of `()`.

        Raises
        ------
        PermanentCaptureError
            The source is closed.
        LocalProtocolError
            There are no more frames.
        RecordingError
            The next frame is damaged.
        """
        frame = self._peek()
        if frame is None:
            raise LocalProtocolError("the replay has ended: there are no more frames")
        if self._current is not None and time.monotonic() < self._due():
            return replace(self._current, damage=())
        self._next = None
        # The next frame may turn out to be damaged, which is an error of the next call.
        with contextlib.suppress(RecordingError):
            while self._realtime and (following := self._peek()) is not None and time.monotonic() >= self._due():
                frame, self._next = following, None
        self._current = frame
        return frame

    def cursor(self) -> Cursor | None:
        """`None`: a pointer that was recorded is part of the picture."""
        return None

    def close(self) -> None:
        """Let go of the file; may be called again. Frames stay valid."""
        self._closed = True
        self._next = self._current = None

    def _peek(self) -> CapturedFrame | None:
        """The next frame, which stays the next one; `None`: there is none."""
        if self._closed:
            raise PermanentCaptureError("the replay is closed")
        if self._failure is not None:
            raise self._failure
        if self._next is None:
            try:
                self._next = next(self._frames, None)
            except RecordingError as error:
                self._failure = error
                raise
            if self._next is not None and self._start is None:
                self._start = time.monotonic(), self._next.timestamp
        return self._next

    def _due(self) -> float:
        """When the next frame may come, in seconds of `time.monotonic()`."""
        if not self._realtime or self._next is None or self._start is None:
            return 0.0
        start, first = self._start
        return start + (self._next.timestamp - first) / 1e6

    def _all_frames(self) -> Iterator[CapturedFrame]:
        """One pass after the other."""
        shift, step = 0, _LAST_PICTURE
        while True:
            first = last = None
            for timestamp, pixels in self._begin():
                if last is not None:
                    step = timestamp - last
                first = timestamp if first is None else first
                last = timestamp
                pixels.flags.writeable = False
                yield CapturedFrame(pixels, shift + timestamp)
            if first is None or last is None or not self._loop:
                return
            shift += last + step - first


class ReplaySource(Replay):
    """The frames of a video file.

    RGB video (such as `VideoWriter` makes) gives exactly the pixels that were stored. Other video is
    converted to RGB, always in the same way. Each frame owns its pixels; X is 255.

    Parameters
    ----------
    path
        Any file with a video track that PyAV opens.
    realtime
        Whether frames come at the pace of the video, and late ones not at all; otherwise every one comes, as fast as
        they are asked for.
    loop
        Whether to begin again at the end.

    Raises
    ------
    FastframeError
        PyAV is not installed.
    RecordingError
        The file cannot be read or holds no video; from `wait` and `capture`: it is damaged.
    LocalProtocolError
        `path` is neither a text nor a path.
    """

    def __init__(self, path: str | os.PathLike[str], *, realtime: bool = False, loop: bool = False) -> None:
        _pyav.require()
        self._path = checked_path(path, "path")
        super().__init__(self._pictures, realtime=realtime, loop=loop)
        self._container: InputContainer | None = self._open()

    def close(self) -> None:
        """Close the file; may be called again. Frames stay valid."""
        super().close()
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _open(self) -> "InputContainer":
        import av

        try:
            if self._path.exists() and not (self._path.is_file() or self._path.is_dir()):
                # FFmpeg seeks, and it is opened more than once.
                raise RecordingError(f"{shown(self._path)} is no file; a video cannot come through a pipe")
            # FFmpeg takes some names for addresses or devices; what cannot be opened as a file is none of our
            # business.
            self._path.open("rb").close()
            container = av.open(f"file:{self._path}", "r")
        except av.FFmpegError as error:
            raise RecordingError(f"{shown(self._path)} is no video that can be read: {error.strerror}") from error
        except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
            raise RecordingError(f"cannot read {shown(self._path)}: {reason(error)}") from error
        # FFmpeg "plays" any .txt file as a film of ANSI art.
        if not container.streams.video or container.format.name == "tty":
            container.close()
            raise RecordingError(f"{shown(self._path)} holds no video")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        # Damage is an error here; by default the decoder would paint over it.
        stream.codec_context.options = {"err_detect": "explode"}
        return container

    def _pictures(self) -> Pictures:
        import av

        # The constructor has opened the file for the first pass.
        container = self._container = self._container or self._open()
        rate = container.streams.video[0].average_rate or 30
        index = 0
        try:
            for frame in container.decode(video=0):
                if frame.is_corrupt:
                    raise RecordingError(f"{shown(self._path)} is damaged at frame {index}")
                # Raw streams hold no times; their nominal rate, or a guess, has to do.
                seconds = index / rate if frame.time is None else frame.time
                pixels: npt.NDArray[np.uint8] = frame.to_ndarray(format="bgra").astype(np.uint8, copy=False)
                yield round(seconds * 1e6), pixels
                index += 1
        except av.FFmpegError as error:
            raise RecordingError(f"{shown(self._path)} is damaged at frame {index}: {error.strerror}") from error
        if index == 0:
            raise RecordingError(f"{shown(self._path)} holds no frames")
        container.close()
        self._container = None
