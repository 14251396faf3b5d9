"""Frames kept without loss in files that other programs read: Matroska videos and PNG pictures.

H.264 in RGB (`libx264rgb -qp 0`) is the choice for videos, since it is small, fast and played by everything;
where FFmpeg was built without x264, FFV1 takes its place. Both give back every pixel exactly.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from operator import index
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fastframe._arguments import checked, checked_int
from fastframe._closing import Completing
from fastframe._files import PendingFile, reason
from fastframe._names import shown
from fastframe.capture import _pyav
from fastframe.errors import LocalProtocolError, RecordingError

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

# Matroska counts in milliseconds unless told otherwise, and players expect that.
_TIME_BASE = Fraction(1, 1000)
# FFmpeg writes a cluster when the next one begins, by default after 5 seconds. One for each frame, at 16 bytes, leaves
# only the last frame to lose when the process is killed.
_CONTAINER_OPTIONS = {"cluster_time_limit": "0"}
# Microseconds: what fits into the 64 bits of FFmpeg's own, in nanoseconds.
_LAST_TIMESTAMP = 2**63 // 1000 - 1


class _Target:
    """The file as FFmpeg sees it, which fails once: PyAV prints a traceback of each failure after the first.

    Parameters
    ----------
    file
        The file, which is to be discarded once something could not be written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None
        """The first failure."""

    def write(self, data: bytes) -> int:
        return self._do(lambda: self._append(data), len(data))

    def _append(self, data: bytes) -> int:
        # FFmpeg gives a cluster at a time, which is to be in the file if this process is killed.
        size = self._file.write(data)
        self._file.flush()
        return size

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._do(lambda: self._file.seek(offset, whence), 0)

    def tell(self) -> int:
        return self._do(self._file.tell, 0)

    def _do(self, work: Callable[[], int], otherwise: int) -> int:
        if self.failure is not None:
            return otherwise
        try:
            return work()
        except OSError as error:
            self.failure = error
            raise


class VideoWriter(Completing):
    """A lossless video of frames of one size; use it as a context manager.

    The file appears under its name when the block ends without an exception, and replaces a file that was
    there before; after an exception nothing has changed. Not for use by two threads at once. Until then it grows
    beside it, as `film.mkv.1f2e3d4c.part`; a process that is killed leaves that, with all frames but the last.

    Parameters
    ----------
    path
        The Matroska file to write, by custom named `.mkv`.
    size
        Width and height of all frames in pixels.
    fps
        The nominal frame rate. Players go by the timestamps; other tools may show this number.
    codec
        `"libx264rgb"` or `"ffv1"`; `None`: the first of these that is there.

    Raises
    ------
    FastframeError
        PyAV is not installed.
    LocalProtocolError
        `path` is neither a text nor a path, the size is no two integers, the rate is not positive, or the codec is no
        name.
    RecordingError
        The file cannot be created, or FFmpeg cannot encode this.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: tuple[int, int],
        fps: float | Fraction = 30,
        *,
        codec: str | None = None,
    ) -> None:
        _pyav.require()
        import av

        if codec is not None:
            checked(codec, str, "codec")
        else:
            codec = "libx264rgb" if "libx264rgb" in av.codecs_available else "ffv1"
        self._size = size = _checked_size(size)
        rate = _checked_rate(fps)
        self._last = -1
        self._pending = PendingFile(path)
        try:
            self._target = _Target(self._pending.file)
            self._container = av.open(self._target, "w", format="matroska", options=_CONTAINER_OPTIONS)
            # `ultrafast` keeps up with a 1080p screen on one core; slower presets save a third of the bytes. Without
            # `zerolatency` x264 would hold one frame back.
            options = {"qp": "0", "preset": "ultrafast", "tune": "zerolatency"} if codec == "libx264rgb" else {}
            stream: Any = self._container.add_stream(codec, rate=rate, options=options)
            stream.width, stream.height = size
            stream.pix_fmt = "bgr0"
            stream.codec_context.time_base = _TIME_BASE
            stream.codec_context.open()
            self._stream: VideoStream = stream
        except (av.FFmpegError, ValueError, OverflowError) as error:
            self._pending.discard()
            why = error.strerror if isinstance(error, av.FFmpegError) else error
            what = f"a {codec} video of {size[0]}x{size[1]} pixels"
            raise RecordingError(f"cannot write {shown(self._pending.path)}: {what} cannot be made: {why}") from error
        except BaseException:  # an interrupt
            self._pending.discard()
            raise

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames."""
        return self._size

    def write(self, pixels: npt.NDArray[np.uint8], timestamp: int) -> None:
        """Append one frame.

        Parameters
        ----------
        pixels
            (height, width, 4) uint8 BGRX; X is ignored. It is copied.
        timestamp
            Microseconds from the start of the video. The file holds milliseconds; a frame that falls on the
            millisecond of the one before is moved to the next.

        Raises
        ------
        LocalProtocolError
            The array is not of that shape or type, or the timestamp is none.
        RecordingError
            The frame is not of this video's size, or the file could not be written, or was closed or discarded before.
        """
        self._pending.check_open()
        moment = checked_int(timestamp, "timestamp", 0, _LAST_TIMESTAMP)
        height, width = _checked_pixels(pixels).shape[:2]
        if (width, height) != self._size:
            raise RecordingError(
                f"a frame of {width}x{height} pixels does not fit into {shown(self._pending.path)}, "
                f"a video of {self._size[0]}x{self._size[1]}: begin a new video, or write pictures",
                expected=self._size,
                actual=(width, height),
            )
        frame = _video_frame(pixels)
        frame.pts = self._last = max(round(moment / 1000), self._last + 1)
        frame.time_base = _TIME_BASE
        self._encode(frame)

    def _encode(self, frame: "VideoFrame | None") -> None:
        with self._named_errors():
            self._container.mux(self._stream.encode(frame))

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Errors of FFmpeg, and of the file that it writes to, as `RecordingError`."""
        import av

        try:
            yield
        except av.FFmpegError as error:
            raise RecordingError(f"cannot write {shown(self._pending.path)}: {error.strerror}") from error
        except OSError as error:
            raise RecordingError(f"cannot write {shown(self._pending.path)}: {reason(error)}") from error

    def close(self) -> None:
        """Write what the encoder still holds, complete the file and give it its name. May be called again.

        Raises
        ------
        RecordingError
            That failed, or it was discarded; a file that was there before stays.
        """
        if not self._pending.file.closed:
            try:
                self._encode(None)
                with self._named_errors():
                    self._container.close()
                    if self._target.failure is not None:  # an earlier one, of which the caller was told
                        raise self._target.failure
            except BaseException:
                self._pending.discard()
                raise
        self._pending.close()

    def discard(self) -> None:
        """Delete what was written; a file that was there before stays."""
        with contextlib.suppress(RecordingError), self._named_errors():
            self._container.close()
        self._pending.discard()


def png_bytes(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The PNG file of a picture.

    Parameters
    ----------
    pixels
        (height, width, 4) uint8 BGRX; X is ignored.

    Raises
    ------
    FastframeError
        PyAV is not installed.
    LocalProtocolError
        The array is not of that shape or type.
    """
    _pyav.require()
    import av

    height, width = _checked_pixels(pixels).shape[:2]
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "rgb24"
    encoder.time_base = _TIME_BASE
    # The filter "mixed" halves text and pictures against none; threads would only delay the one packet.
    encoder.options = {"pred": "mixed"}
    encoder.thread_count = 1
    frame = _video_frame(pixels).reformat(format="rgb24")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _video_frame(pixels: npt.NDArray[np.uint8]) -> "VideoFrame":
    """A frame of FFmpeg's with these pixels; its rows may be padded."""
    from av import VideoFrame

    height, width = pixels.shape[:2]
    frame = VideoFrame(width, height, "bgr0")
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)
    rows[:, : width * 4].reshape(height, width, 4)[...] = pixels
    return frame


def _checked_pixels(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    checked(pixels, np.ndarray, "a frame")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 4:
        raise LocalProtocolError(
            f"a frame must be (height, width, 4) uint8, not {pixels.shape} {pixels.dtype}",
            expected="(height, width, 4) uint8",
            actual=pixels.shape,
        )
    return pixels


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        width, height = map(index, size)
    except (TypeError, ValueError) as error:
        raise LocalProtocolError(f"a size must be two integers (width, height), not {size!r}", actual=size) from error
    return width, height


def _checked_rate(fps: float | Fraction) -> Fraction:
    try:
        rate = Fraction(fps).limit_denominator(1001)
    except (TypeError, ValueError, OverflowError):
        rate = Fraction(0)
    if rate <= 0:
        raise LocalProtocolError(f"fps must be a positive number, not {fps!r}", actual=fps)
    return rate
