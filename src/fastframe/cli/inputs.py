"""What the commands read: a bundled clip by its name, a recording, or a video."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from fastframe import fixtures
from fastframe.capture import CapturedFrame, FrameSource, Pacer, ReplaySource
from fastframe.codec import Decoder
from fastframe.errors import RecordingError, RemoteProtocolError
from fastframe.recording import PacketReader


class PacketSource:
    """The frames of a packet file, once.

    The pixels of a frame are the decoder's own, valid until the next frame is asked for.
    """

    def __init__(self, path: str | os.PathLike[str], *, realtime: bool = False) -> None:
        self._path = path
        self._realtime = realtime
        self._reader = PacketReader(path)

    def __iter__(self) -> Iterator[CapturedFrame]:
        decoder = Decoder()
        pacer = Pacer()
        index = -1
        for index, record in enumerate(self._reader):
            try:
                decoder.decode(record.packet)
            except RemoteProtocolError as error:
                raise RecordingError(
                    f"{self._path} is damaged: packet {index} at offset {record.offset}: {error}"
                ) from error
            if self._realtime:
                pacer.wait_for(record.timestamp)
            yield CapturedFrame(decoder.frame, record.timestamp)
        if index < 0:
            raise RecordingError(f"{self._path} holds no frames")

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def resolve(name: str) -> Path:
    """The path of a bundled clip, or of the file that is meant.

    Raises
    ------
    RecordingError
        There is neither.
    """
    if name in fixtures.names():
        return fixtures.path(name)
    path = Path(name)
    if not path.exists():
        raise RecordingError(f"{name} is neither a file nor a bundled clip ({', '.join(fixtures.names())})")
    return path


def open_source(name: str, *, realtime: bool = False) -> FrameSource:
    """Open a bundled clip, a packet file (by its suffix `.ffs`) or a video.

    Raises
    ------
    RecordingError
        There is no such thing, or it cannot be read.
    FastframeError
        It is a video and PyAV is not installed.
    """
    path = resolve(name)
    if path.suffix == ".ffs":
        return PacketSource(path, realtime=realtime)
    return ReplaySource(path, realtime=realtime)
