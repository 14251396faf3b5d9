"""What the commands read: a bundled clip by its name, a recording, or a video.

A recording may come through a pipe, which `-` stands for where it is standard input. It is read once then, from the
beginning to the end, and never opened again.
"""

import sys
from pathlib import Path

from fastframe import fixtures
from fastframe._names import shown
from fastframe.capture import ReplaySource
from fastframe.capture.replay import Pictures, Replay
from fastframe.codec import Decoder
from fastframe.errors import RecordingError, RemoteProtocolError
from fastframe.recording import PacketReader

STDIN = "-"


def open_packets(name: str) -> PacketReader:
    """Open the packet file of this name, or the one on standard input.

    Raises
    ------
    RecordingError
        It cannot be read or is no packet file.
    """
    _check_named(name)
    if name != STDIN:
        return PacketReader(name)
    if sys.stdin is None:  # closed by the shell (`<&-`)
        raise RecordingError("cannot read standard input: it is closed")
    return PacketReader(sys.stdin.buffer)


def _check_named(name: str) -> None:
    if not name:  # which is a name of the folder that one is in, to the system
        raise RecordingError("a recording, video or clip must have a name")


def is_file(name: str) -> bool:
    """Whether the input of this name can be opened again, as what comes through a pipe cannot."""
    return name != STDIN and Path(name).is_file()


class PacketSource(Replay):
    """The frames of a packet file. Each owns its pixels.

    Parameters
    ----------
    name
        The file, or `-`.
    realtime, loop
        As with `ReplaySource`; there is no second pass through what is no file.

    Raises
    ------
    RecordingError
        It cannot be read or is no packet file; from `wait` and `capture`: it is damaged.
    """

    def __init__(self, name: str, *, realtime: bool = False, loop: bool = False) -> None:
        self._name = name
        self._reader: PacketReader | None = open_packets(name)
        super().__init__(self._pictures, realtime=realtime, loop=loop and is_file(name))

    def close(self) -> None:
        """Close the file; may be called again. Frames stay valid."""
        super().close()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _pictures(self) -> Pictures:
        # The constructor has opened the file for the first pass.
        reader = self._reader = self._reader or open_packets(self._name)
        decoder = Decoder()
        index = -1
        for index, record in enumerate(reader):
            try:
                decoder.decode(record.packet)
            except RemoteProtocolError as error:
                raise RecordingError(
                    f"{shown(reader.name)} is damaged: packet {index} at offset {record.offset}: {error}"
                ) from error
            yield record.timestamp, decoder.frame.copy()
        if index < 0:
            raise RecordingError(f"{shown(reader.name)} holds no frames")
        reader.close()
        self._reader = None


def resolve(name: str) -> Path:
    """The path of a bundled clip, or of the file that is meant.

    Raises
    ------
    RecordingError
        There is neither.
    """
    _check_named(name)
    if name in fixtures.names():
        return fixtures.path(name)
    path = Path(name)
    if not path.exists():
        raise RecordingError(f"{shown(name)} is neither a file nor a bundled clip ({', '.join(fixtures.names())})")
    return path


def open_replay(name: str, *, realtime: bool = False, loop: bool = False) -> Replay:
    """Open a bundled clip, a packet file (by its suffix `.ffs`, or if it is `-` or a pipe) or a video.

    Raises
    ------
    RecordingError
        There is no such thing, or it cannot be read.
    FastframeError
        It is a video and PyAV is not installed.
    """
    if name == STDIN:
        return _open_pipe(name, realtime=realtime)
    path = resolve(name)
    if path.suffix == ".ffs":
        return PacketSource(str(path), realtime=realtime, loop=loop)
    if not (path.is_file() or path.is_dir()):
        return _open_pipe(name, realtime=realtime)
    return ReplaySource(path, realtime=realtime, loop=loop)


def _open_pipe(name: str, *, realtime: bool) -> Replay:
    try:
        return PacketSource(name, realtime=realtime)
    except RecordingError as error:
        raise RecordingError(f"{error}; a video cannot come through a pipe, only from a file") from error
