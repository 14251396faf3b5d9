"""One part of a packet: tiles into planes, and each plane through its stream, by one thread or by several.

The choice for a tile hangs on the tiles before it, and so does what a stream makes of a plane, but most of the time
goes into what does not. So several threads analyse a window of tiles, and while one chooses for these, the others
analyse the next windows. They foresee by what the tables held when a window began which steps of the analysis will be
asked for; where that is wrong, a step was done in vain or is done by the one who chooses. What was chosen is compressed
meanwhile, each plane in its order and by one thread at a time. Whoever ends a task makes those of what can be done
next, so no thread waits while there is something to do.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from time import perf_counter

import numpy as np
import numpy.typing as npt

from fastframe._core import ANALYSED_TILES, PLANES, WINDOWS, FrameEncoder
from fastframe.codec.planes import PlaneCompressor
from fastframe.codec.team import Task, Team, then

# Fewer tiles than these are not worth waking another thread, and leave time to hash all of the frame.
FEW_TILES = 24
# Tiles of a window: few, so that compression begins soon. So many WINDOWS are under way.
WINDOW_TILES = 32
assert WINDOWS * WINDOW_TILES <= ANALYSED_TILES
# A task takes 0.1 to 0.8 ms: with half as many tiles two threads are 1 to 2 % slower.
TILES_PER_TASK = 16
ROWS_PER_TASK = 2

# Planes that are large enough to be compressed before the part ends, and those that are not, the longest first.
LARGE_PLANES = tuple(PLANES.index(name) for name in ("indices", "green", "blue", "red", "xor", "colours"))
SMALL_PLANES = tuple(PLANES.index(name) for name in ("operations", "boxes", "vectors", "cache"))
# Fewer bytes of a plane are not worth a task before the part ends.
LEAST_BYTES = 1 << 16


class PlaneStream:
    """One plane's way into its zstd stream, as long as the epoch lasts."""

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
        if piece:  # few bytes all wait for the flush
            self.size += len(piece)
            self.pieces.append(piece)

    def take(self, *, last: bool) -> list[Task]:
        """Takes what was written to the plane since the last time, and with `last` all that the part will have of it.

        Returns the task of compressing all that waits, also where a task that was returned before has yet to be begun:
        that one would come late, and then finds nothing to do.
        """
        if data := self._core.take_plane(self._number, 1 if last else LEAST_BYTES):
            self.raw_size += len(data)
            self._waiting.append(data)
        if last and self._core.plane_size(self._number):
            self._waiting.append(None)
        return self._task()

    def _task(self) -> list[Task]:
        return [self._compress] if self._waiting else []

    def _compress(self) -> list[Task]:
        try:
            self._idle.pop()
        except IndexError:
            return []  # whoever is at work comes to what waits
        while self._waiting:
            data = self._waiting.popleft()
            self._put(self._compressor.flush() if data is None else self._compressor.feed(data))
        self._idle.append(None)
        return self._task()  # for what came before the mark was back


def end_packet(core: FrameEncoder, team: Team | None, hashable_tiles: int) -> None:
    """Ends the packet: brings the reference up to date, and hashes it if the packet has so many tiles at most."""
    core.end()
    if team is None:
        core.end_rows(0, core.rows, core.coded <= hashable_tiles)
    else:
        team.run(_row_tasks(core, hashable_tiles))


def _row_tasks(core: FrameEncoder, hashable_tiles: int) -> list[Task]:
    hashed = core.coded <= hashable_tiles
    return [
        partial(core.end_rows, row, min(row + ROWS_PER_TASK, core.rows), hashed)
        for row in range(0, core.rows, ROWS_PER_TASK)
    ]


class Search:
    """Looks for the tiles that have changed, and where they came from.

    Parameters
    ----------
    damage
        As for `FrameEncoder.begin`.
    """

    def __init__(
        self, core: FrameEncoder, frame: npt.NDArray[np.uint8], damage: list[tuple[int, int, int, int]] | None
    ) -> None:
        self._core = core
        self._frame = frame
        self._damage = damage

    def code(self) -> None:
        """Does so in this thread."""
        self._core.find_changes(self._damage, self._frame)

    def tasks(self, following: Task) -> Sequence[Task]:
        """Tasks of doing so; where much has changed, `following` comes after the last of them."""
        self._core.begin(self._damage)
        end = partial(self._end_comparison, following)
        if self._damage is not None or self._core.tiles < FEW_TILES:
            self._core.compare(self._frame, 0, self._core.rows)
            return end() or ()
        return then([partial(self._core.compare, self._frame, row, row + 1) for row in range(self._core.rows)], end)

    def _end_comparison(self, following: Task) -> Sequence[Task] | None:
        core = self._core
        core.begin_tiles()
        if core.left < FEW_TILES:
            core.look_for_motion(0, core.bands)
            core.end_motion()
            return None
        return then(
            [partial(core.look_for_motion, band, band + 1) for band in range(core.bands)],
            partial(self._end_motion, following),
        )

    def _end_motion(self, following: Task) -> Sequence[Task] | None:
        self._core.end_motion()
        return following()


class _Window:
    """Tiles with numbers `first` up to `end`, which are chosen together when they are analysed."""

    def __init__(self, first: int, end: int) -> None:
        self.end = end
        self.firsts = range(first, end, TILES_PER_TASK)
        """The first tile of each task of analysing some."""
        self.undone = list(range(len(self.firsts) + 1))
        """As many as there are steps before the choosing: these tasks, and the choosing of the window before it."""


class Part:
    """A part of a packet, which holds as many of the tiles that are left as there is room for.

    Parameters
    ----------
    bit_budget, byte_room
        As for `FrameEncoder.encode_part`.
    hashable_tiles
        Rows are hashed when no tile is left, if the packet has so many tiles at most.
    """

    def __init__(
        self, core: FrameEncoder, streams: dict[int, PlaneStream], bit_budget: int, byte_room: int, hashable_tiles: int
    ) -> None:
        self._core = core
        self._streams = streams
        self._room = bit_budget, byte_room
        self._hashable_tiles = hashable_tiles
        self.estimate = 0
        """Bits that it takes."""
        self.ended = False
        """No tile was left, and so the packet was ended."""
        self._begun = False
        # Windows to come; those under way; and of these what nobody has begun to analyse, by its first tile.
        self._windows: Iterator[_Window] = iter(())
        self._under_way: deque[_Window] = deque()
        self._unanalysed: deque[tuple[_Window, int]] = deque()

    def code(self, search: Search | None = None) -> float:
        """Codes it in this thread; the search comes before the first part of a packet.

        Returns the seconds that compression took.
        """
        if search:
            search.code()
        self.estimate = self._core.encode_part(*self._room)
        started = perf_counter()
        for number, data in self._core.written():
            self._streams[number].code(data)
        seconds = perf_counter() - started
        if self._core.left == 0:
            end_packet(self._core, None, self._hashable_tiles)
            self.ended = True
        return seconds

    def share(self, team: Team, window_tiles: int, search: Search | None) -> float:
        """Codes it together with other threads, in windows of `window_tiles`.

        What is not worth other threads is coded in this one. Returns the seconds that compression took then, and
        otherwise 0: it happened beside the rest.
        """
        begin = partial(self._begin, window_tiles)
        tasks = search.tasks(begin) if search else [begin] if self._core.left >= FEW_TILES else []
        if tasks:
            team.run(tasks)
        return 0.0 if self._begun else self.code()

    def _begin(self, window_tiles: int) -> list[Task]:
        self._begun = True
        self._core.begin_part()
        self._windows = self._cut(window_tiles)
        tasks = self._begin_windows(WINDOWS)
        self._under_way[0].undone.pop()  # no window comes before it
        return tasks

    def _cut(self, window_tiles: int) -> Iterator[_Window]:
        """The windows, each when no tile is chosen."""
        begin = self._core.coded
        end = begin + self._core.left
        for first in range(begin, end, window_tiles):
            window = _Window(first, min(first + window_tiles, end))
            self._core.begin_window(first, window.end)
            yield window

    def _begin_windows(self, count: int) -> list[Task]:
        """Begins so many of those to come, and returns the tasks of analysing them."""
        tasks: list[Task] = []
        for window in islice(self._windows, count):
            self._under_way.append(window)
            self._unanalysed += [(window, first) for first in window.firsts]
            tasks += [self._analyse] * len(window.firsts)
        return tasks

    def _analyse(self) -> list[Task]:
        # The foremost, whatever the order in which the tasks come.
        try:
            window, first = self._unanalysed.popleft()
        except IndexError:  # there was no room for it
            return []
        self._core.analyse(first, min(first + TILES_PER_TASK, window.end))
        return self._end_step(window)

    def _end_step(self, window: _Window) -> list[Task]:
        """Ends a step before the choosing of a window, which comes after the last one."""
        # One step of Python, so that 0 comes to one thread alone, the last one.
        return [] if window.undone.pop() else [self._choose]

    def _choose(self) -> list[Task]:
        window = self._under_way.popleft()
        self.estimate = self._core.encode_analysed(window.end, *self._room)
        if self._under_way and self._core.coded == window.end:
            # What is compressed now is not left for the end, where threads could only share it plane by plane.
            compression, analysis = self._compression(LARGE_PLANES, last=False), self._begin_windows(1)
            return [*compression, *self._end_step(self._under_way[0]), *analysis]
        self._unanalysed.clear()
        tasks = self._compression((*LARGE_PLANES, *SMALL_PLANES), last=True)
        if self._core.left == 0:
            self._core.end()
            self.ended = True
            tasks += _row_tasks(self._core, self._hashable_tiles)
        return tasks

    def _compression(self, numbers: Iterable[int], *, last: bool) -> list[Task]:
        return [task for number in numbers for task in self._streams[number].take(last=last)]
