"""When there is not room for everything, what the customer has just done goes first, and nothing waits for ever."""

import numpy as np
import pictures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screens import Film

from fastframe.stream import ConsentGate, Display, Receiver, Scope, Sender, SenderConfig
from fastframe.stream.damage import DamageMap
from fastframe.stream.simulation import LineProfile, Session

WIDTH, HEIGHT = 640, 384  # 10 x 6 tiles
TILE = 64


class FilmWithMenu(Film):
    """A film over the whole screen, and a menu that opens in it now and then."""

    def __init__(self, end: float, menu: tuple[int, int]) -> None:
        super().__init__(10, end, bits=2, size=(WIDTH, HEIGHT))
        self.menu = menu
        self.opened: list[float] = []

    def change(self, now: float) -> object:
        if self._count % 10 == 5:
            self._count += 1
            x, y = self.menu
            self.frame = self.frame.copy()
            self.frame[y : y + 40, x : x + 60, :3] = len(self.opened) + 1
            self.opened.append(now)
            return [(x, y, 60, 40)]
        super().change(now)
        x, y = self.menu
        self.frame[y : y + 40, x : x + 60, :3] = len(self.opened)
        return [(0, 0, WIDTH, HEIGHT)]


@pytest.mark.parametrize("pointer", [False, True])
def test_a_menu_opens_at_once_while_a_film_fills_the_line(pointer: bool) -> None:
    gate = ConsentGate()
    gate.grant(Scope.VIEW, 0.0)
    sender, receiver = Sender(gate, SenderConfig(effort="fast")), Receiver()
    sender.set_displays([Display(0, 0, 0, WIDTH, HEIGHT)], 0.0)
    receiver.connect(0.0)
    film = FilmWithMenu(12.0, (300, 200))
    session = Session(sender, receiver, {0: film}, LineProfile(1e6 / 8, 0.025))
    if pointer:
        sender.send_cursor_position(0, 320, 210, 0.0)
    seen: dict[int, float] = {}

    def look() -> bool:
        if session.now > 0.5:
            seen.setdefault(int(receiver.frame(0)[220, 330, 0]), session.now)
        return False

    session.run(12.0, look)
    waits = [seen[number + 1] - at for number, at in enumerate(film.opened) if at > 4 and number + 1 in seen]
    assert len(waits) >= 6
    # All of the film is about 100 KB a frame, or 0.8 s of the line.
    assert np.median(waits) < 0.25
    session.run(20.0)
    np.testing.assert_array_equal(receiver.frame(0), pictures.shown(film.frame))


def tiles_of(rectangles: object) -> set[tuple[int, int]]:
    assert isinstance(rectangles, list)
    return {
        (column, row)
        for x, y, width, height in rectangles
        for row in range(y // TILE, -(-(y + height) // TILE))
        for column in range(x // TILE, -(-(x + width) // TILE))
    }


rectangle = st.tuples(
    st.integers(-100, WIDTH + 50), st.integers(-100, HEIGHT + 50), st.integers(0, 300), st.integers(0, 300)
)


@given(st.lists(st.lists(rectangle, max_size=3), max_size=5), st.integers(1, 20), st.none() | st.just((320, 200)))
def test_everything_that_was_damaged_is_taken_once(
    changes: list[list[tuple[int, int, int, int]]], room: int, pointer: tuple[int, int] | None
) -> None:
    damage = DamageMap(WIDTH, HEIGHT)
    assert damage.take_all() is None
    assert not damage.any
    expected = set()
    for change in changes:
        damage.add(change)
        for x, y, width, height in change:
            for row in range(HEIGHT // TILE):
                for column in range(WIDTH // TILE):
                    left, top = column * TILE, row * TILE
                    overlap_x = min(x + width, left + TILE, WIDTH) - max(x, left, 0)
                    overlap_y = min(y + height, top + TILE, HEIGHT) - max(y, top, 0)
                    if overlap_x > 0 and overlap_y > 0:
                        expected.add((column, row))
    assert damage.count() >= len(expected)
    assert damage.any == bool(expected)
    taken: set[tuple[int, int]] = set()
    while damage.any:
        tiles = tiles_of(damage.take(room, pointer))
        assert 0 < len(tiles) <= room
        assert not tiles & taken
        taken |= tiles
    assert taken == expected


def test_small_changes_do_not_keep_a_large_one_waiting_for_ever() -> None:
    damage = DamageMap(WIDTH, HEIGHT)
    damage.take_all()
    damage.add([(0, 0, WIDTH, HEIGHT)])
    taken: set[tuple[int, int]] = set()
    for _ in range(200):
        # More small changes than there is room for, near the pointer.
        damage.add([(0, 0, 3 * TILE, 4 * TILE)])
        taken |= tiles_of(damage.take(8, (0, 0)))
    assert len(taken) == 60
