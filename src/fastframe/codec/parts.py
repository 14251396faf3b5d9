"""One part of a packet: tiles into planes, and each plane through its stream, by one thread or by several.

The choice for a tile hangs on the tiles before it, and so does what a stream makes of a plane, but most of the time
goes into what does not. So several threads analyse some tiles, one chooses, and while the next tiles are analysed and
chosen, what was chosen before is compressed, each plane in its order and by one thread at a time. Whoever ends a task
makes those of what can be done next, so no thread waits while there is something to do.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from time import perf_counter

from fastframe._core import PLANES, FrameEncoder
from fastframe.codec.planes import PlaneCompressor
from fastframe.codec.team import Task, Team

# Tiles that are analysed before they are chosen: few, so that compression begins soon, and enough that threads seldom
# run dry.
WINDOW_TILES = 64
# A task takes 0.1 to 0.5 ms.
TILES_PER_TASK = 8
ROWS_PER_TASK = 2

# Indices often take longer than anything else, so they go on whenever they can.
INDICES = PLANES.index("indices")
# Of the other planes, those that are large enough to be compressed before the part ends, and those that are not;
# colours take longest of these.
LARGE_PLANES = tuple(PLANES.index(name) for name in ("green", "blue", "red", "xor"))
SMALL_PLANES = tuple(PLANES.index(name) for name in ("colours", "operations", "boxes", "vectors", "cache"))


class PlaneStream:
    """One plane's way through zstd, as long as the epoch lasts."""

    def __init__(self, core: FrameEncoder, number: int, compressor: PlaneCompressor) -> None:
        self._core = core  # and with it the memory that is viewed, also when an interrupt leaves a task behind
        self._number = number
        self._compressor = compressor
        # Bytes to compress; None ends a part.
        self._waiting: deque[memoryview | None] = deque()
        self._idle = deque([None])  # holds a mark, which a thread takes while it is at work
        # Of the packet being written: bytes before and after compression, and these.
        self.raw_size = self.size = 0
        self.pieces: list[bytes] = []

    def take_pieces(self) -> list[bytes]:
        """The pieces of the packet, which has ended."""
        pieces = self.pieces
        self.raw_size, self.size, self.pieces = 0, 0, []
        return pieces

    def code(self, data: memoryview) -> None:
        """Compresses all that a part has of the plane, in this thread."""
        self.raw_size += len(data)
        self._put(self._compressor.feed(data))
        self._put(self._compressor.flush())

    def _put(self, piece: bytes) -> None:
        self.size += len(piece)
        self.pieces.append(piece)

    def take(self, *, last: bool) -> list[Task]:
        """Takes what was written to the plane since the last time, and with `last` all that the part will have of it.

        Returns the task of compressing it; none where there is nothing to do, or a task that was returned before will
        come to it.
        """
        if data := self._core.take_plane(self._number):
            self.raw_size += len(data)
            self._waiting.append(data)
        if last and self._core.plane_size(self._number):
            self._waiting.append(None)
        return self._begin()

    def _begin(self) -> list[Task]:
        if not self._waiting:
            return []
        try:
            self._idle.pop()
        except IndexError:
            return []
        return [self._compress]

    def _compress(self) -> list[Task]:
        while self._waiting:
            data = self._waiting.popleft()
            self._put(self._compressor.flush() if data is None else self._compressor.feed(data))
        self._idle.append(None)
        return self._begin()  # for what came before the mark was back


def end_packet(core: FrameEncoder, team: Team | None, *, hashed: bool) -> None:
    """Ends the packet: brings the reference up to date, and hashes it if wanted."""
    core.end()
    if team is None:
        core.end_rows(0, core.rows, hashed)
    else:
        team.run(_row_tasks(core, hashed))


def _row_tasks(core: FrameEncoder, hashed: bool) -> list[Task]:
    return [
        partial(core.end_rows, row, min(row + ROWS_PER_TASK, core.rows), hashed)
        for row in range(0, core.rows, ROWS_PER_TASK)
    ]


class Part:
    """A part of a packet, which holds as many of the tiles that are left as there is room for.

    Parameters
    ----------
    bit_budget, byte_room
        As for `FrameEncoder.encode_part`.
    hashed
        Whether rows are hashed when no tile is left.
    """

    def __init__(
        self, core: FrameEncoder, streams: dict[int, PlaneStream], bit_budget: int, byte_room: int, *, hashed: bool
    ) -> None:
        self._core = core
        self._streams = streams
        self._room = bit_budget, byte_room
        self._hashed = hashed
        self.estimate = 0
        """Bits that it takes."""
        self.ended = False
        """No tile was left, and so the packet was ended."""

    def code(self) -> float:
        """Codes it in this thread. Returns the seconds that compression took."""
        self.estimate = self._core.encode_part(*self._room)
        started = perf_counter()
        for number, data in self._core.written():
            self._streams[number].code(data)
        seconds = perf_counter() - started
        if self._core.left == 0:
            end_packet(self._core, None, hashed=self._hashed)
            self.ended = True
        return seconds

    def share(self, team: Team, window: int) -> None:
        """Codes it together with other threads, which analyse at most `window` tiles at a time."""
        self._core.begin_part()
        team.run(self._analysis(window))

    def _analysis(self, window: int) -> list[Task]:
        count = min(self._core.left, window)
        self._core.make_room(count)
        firsts = range(0, count, TILES_PER_TASK)
        undone = list(range(len(firsts)))
        return [
            partial(
                self._analyse, first, min(first + TILES_PER_TASK, count), undone, partial(self._choose, count, window)
            )
            for first in firsts
        ]

    def _analyse(self, first: int, end: int, undone: list[int], then: Task) -> Sequence[Task] | None:
        self._core.analyse(first, end)
        # One step of Python, so that 0 comes to one thread alone, the last one.
        return None if undone.pop() else then()

    def _choose(self, count: int, window: int) -> list[Task]:
        coded, self.estimate = self._core.encode_analysed(count, *self._room)
        if coded == count and self._core.left:
            indices = self._compression((INDICES,), last=False)
            return [*indices, *self._analysis(window), *self._compression(LARGE_PLANES, last=False)]
        tasks = self._compression((INDICES, *SMALL_PLANES, *LARGE_PLANES), last=True)
        if self._core.left == 0:
            self._core.end()
            self.ended = True
            tasks += _row_tasks(self._core, self._hashed)
        return tasks

    def _compression(self, numbers: Iterable[int], *, last: bool) -> list[Task]:
        return [task for number in numbers for task in self._streams[number].take(last=last)]
