"""File transfers, in both directions, one piece at a time.

Frames have the line first: of each file one piece of at most 12 KiB is on its way, and the next one may follow when the
peer has it. Both sides know how far each file is, so a piece that is out of place is the peer's fault.
"""

from dataclasses import dataclass
from enum import Enum

from fastframe.errors import LocalProtocolError, RemoteProtocolError
from fastframe.stream import events as e
from fastframe.stream import messages as m

MAX_TRANSFERS = 16


class _Phase(Enum):
    OFFERED = 0
    RUNNING = 1


@dataclass(slots=True)
class _Transfer:
    size: int
    phase: _Phase = _Phase.OFFERED
    sent: int = 0
    arrived: int = 0


class FileTransfers:
    """The transfers of one connection; methods give what to send, or the event for what has come.

    Numbers of the sender's files are even, those of the receiver's odd, so that each means one file.
    """

    def __init__(self, first: int) -> None:
        self._next = first
        self._ours: dict[int, _Transfer] = {}
        self._theirs: dict[int, _Transfer] = {}

    # -- what this side does -------------------------------------------------------------------------------

    def offer(self, name: str, size: int) -> m.FileOffer:
        if len(self._ours) >= MAX_TRANSFERS:
            raise LocalProtocolError(f"{MAX_TRANSFERS} files are being sent already", limit=MAX_TRANSFERS)
        message = m.FileOffer(self._next, name, size)
        m.encode(message)  # refuses what cannot be said before anything changes
        self._ours[self._next] = _Transfer(size)
        self._next = (self._next + 2) & 0xFFFFFFFF
        return message

    def answer(self, id: int, accepted: bool) -> m.FileAnswer:
        transfer = self._theirs.get(id)
        if transfer is None or transfer.phase is not _Phase.OFFERED:
            raise LocalProtocolError(f"file {id} is not offered", actual=id)
        if accepted:
            transfer.phase = _Phase.RUNNING
        else:
            del self._theirs[id]
        return m.FileAnswer(id, accepted)

    def data(self, id: int, data: bytes) -> m.FileData:
        transfer = self._running(self._ours, id)
        if transfer.sent != transfer.arrived:
            raise LocalProtocolError(f"file {id}: the piece before is not acknowledged yet", actual=transfer.arrived)
        if not data or len(data) > m.MAX_FILE_DATA or transfer.sent + len(data) > transfer.size:
            raise LocalProtocolError(
                f"file {id}: a piece has 1 to {m.MAX_FILE_DATA} bytes and ends within the file",
                limit=min(m.MAX_FILE_DATA, transfer.size - transfer.sent),
                actual=len(data),
            )
        message = m.FileData(id, transfer.sent, data)
        m.encode(message)  # refuses what cannot be said before anything changes
        transfer.sent += len(data)
        return message

    def end(self, id: int) -> m.FileEnd:
        """Ends a transfer of either direction: complete if all of it has been sent and has arrived."""
        ours = self._ours.pop(id, None)
        if ours is None and self._theirs.pop(id, None) is None:
            raise LocalProtocolError(f"there is no file {id}", actual=id)
        return m.FileEnd(id, ours is not None and ours.arrived == ours.size)

    # -- what the peer does --------------------------------------------------------------------------------

    def received(
        self, message: m.FileOffer | m.FileAnswer | m.FileData | m.FileAck | m.FileEnd
    ) -> tuple[e.Event | None, m.FileAck | None]:
        """The event and the answer for a message."""
        match message:
            case m.FileOffer():
                known = message.id in self._theirs or message.id % 2 == self._next % 2
                if known or len(self._theirs) >= MAX_TRANSFERS:
                    raise RemoteProtocolError(f"too many files, or file {message.id} twice", limit=MAX_TRANSFERS)
                self._theirs[message.id] = _Transfer(message.size)
                return e.FileOffered(message.id, message.name, message.size), None
            case m.FileAnswer():
                transfer = self._ours.get(message.id)
                if transfer is None or transfer.phase is not _Phase.OFFERED:
                    return None, None  # ended by us meanwhile
                if message.accepted:
                    transfer.phase = _Phase.RUNNING
                else:
                    del self._ours[message.id]
                return e.FileAnswered(message.id, message.accepted), None
            case m.FileData():
                transfer = self._theirs.get(message.id)
                if transfer is None:
                    return None, None  # ended by us meanwhile
                end = transfer.arrived + len(message.data)
                if transfer.phase is not _Phase.RUNNING or message.offset != transfer.arrived or end > transfer.size:
                    raise RemoteProtocolError(
                        f"file {message.id}: {len(message.data)} bytes at {message.offset} of {transfer.size}, "
                        f"{transfer.arrived} are there",
                        expected=transfer.arrived,
                        actual=message.offset,
                    )
                transfer.arrived = end
                return e.FileDataReceived(message.id, message.offset, message.data), m.FileAck(message.id, end)
            case m.FileAck():
                transfer = self._ours.get(message.id)
                if transfer is None:
                    return None, None
                if message.offset != transfer.sent or transfer.arrived == transfer.sent:
                    raise RemoteProtocolError(
                        f"file {message.id}: byte {message.offset} acknowledged, {transfer.sent} were sent",
                        expected=transfer.sent,
                        actual=message.offset,
                    )
                transfer.arrived = message.offset
                return e.FileProgress(message.id, message.offset), None
            case m.FileEnd():
                ended = self._theirs.pop(message.id, None)
                complete = message.complete and ended is not None and ended.arrived == ended.size
                if self._ours.pop(message.id, None) is None and ended is None:
                    return None, None
                return e.FileEnded(message.id, complete), None

    def clear(self) -> list[e.FileEnded]:
        """Ends all: the connection has gone, or the consent. Of each the event."""
        ended = [e.FileEnded(id, False) for id in (*self._ours, *self._theirs)]
        self._ours.clear()
        self._theirs.clear()
        return ended

    @staticmethod
    def _running(transfers: dict[int, _Transfer], id: int) -> _Transfer:
        transfer = transfers.get(id)
        if transfer is None or transfer.phase is not _Phase.RUNNING:
            raise LocalProtocolError(f"file {id} has not been accepted", actual=id)
        return transfer
