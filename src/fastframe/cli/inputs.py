"""What the commands read: a bundled clip by its name, a recording, or a video."""

import os
from pathlib import Path

from fastframe import fixtures
from fastframe.capture import ReplaySource
from fastframe.capture.replay import Pictures, Replay
from fastframe.codec import Decoder
from fastframe.errors import RecordingError, RemoteProtocolError
from fastframe.recording import PacketReader


class PacketSource(Replay):
    """The frames of a packet file. Each owns its pixels.

    Parameters
    ----------
    path
        The file.
    realtime, loop
        As with `ReplaySource`.

    Raises
    ------
    RecordingError
        It cannot be read or is no packet file; from `wait` and `capture`: it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], *, realtime: bool = False, loop: bool = False) -> None:
        self._path = path
        self._reader: PacketReader | None = PacketReader(path)
        super().__init__(self._pictures, realtime=realtime, loop=loop)

    def close(self) -> None:
        """Close the file; may be called again. Frames stay valid."""
        super().close()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _pictures(self) -> Pictures:
        # The constructor has opened the file for the first pass.
        reader = self._reader = self._reader or PacketReader(self._path)
        decoder = Decoder()
        index = -1
        for index, record in enumerate(reader):
            try:
                decoder.decode(record.packet)
            except RemoteProtocolError as error:
                raise RecordingError(
                    f"{self._path} is damaged: packet {index} at offset {record.offset}: {error}"
                ) from error
            yield record.timestamp, decoder.frame.copy()
        if index < 0:
            raise RecordingError(f"{self._path} holds no frames")
        reader.close()
        self._reader = None


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


def open_replay(name: str, *, realtime: bool = False, loop: bool = False) -> Replay:
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
        return PacketSource(path, realtime=realtime, loop=loop)
    return ReplaySource(path, realtime=realtime, loop=loop)
