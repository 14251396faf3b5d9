"""What moved is copied, what comes back is brought back: exactly, in few bytes, and whatever a packet says."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from packets import (
    BOXED,
    CACHED,
    COPY,
    DIFFERENCE,
    KEEP,
    MOVED,
    NEW_COLOURS,
    PALETTE,
    PATCH,
    PHOTO,
    SOLID,
    XOR,
    Packet,
    Streams,
    slots,
    vectors,
)
from pictures import Frame, assert_shows, desktop, noise, shown

from fastframe import Decoder, Encoder, EncoderConfig, FrameStats, FrameUpdate, Limits, Rect, _kernels

TILE = 64
WIDTH, HEIGHT = 640, 448
TILES = WIDTH // TILE * HEIGHT // TILE


@pytest.mark.parametrize("others", ["black", "same green"])
def test_two_colours_that_meet_in_all_tiles_are_announced_once(others: str) -> None:
    random = np.random.default_rng(1)
    for grey in range(1, 256):
        pair = np.array([(0, 0, 0, 0) if others == "black" else (255 - grey // 2, grey, 0, 0), (grey, grey, grey, 0)])
        encoder = Encoder()
        encoder.encode(pair.astype(np.uint8)[random.integers(0, 2, (128, 128))])
        encoder.encode(pair.astype(np.uint8)[random.integers(0, 2, (128, 128))])
        assert encoder.stats is not None
        assert encoder.stats.plane_raw_bytes["colours"] == 4, grey  # the number of a table for each of four tiles


def test_as_many_greys_as_a_palette_has_room_for_are_announced_once() -> None:
    random = np.random.default_rng(1)
    greys = np.delete(np.arange(256, dtype=np.uint8), 1)  # black and grey 1 have a slot in common
    encoder, decoder = Encoder(), Decoder()
    # A table for each of four tiles; and once how many colours, each with its slot.
    for announced in (4 + 1 + 255 * 4, 4):
        frame = np.repeat(random.choice(greys, (128, 128))[..., None], 4, axis=2)
        for y in (0, 64):
            for x in (0, 64):
                frame[y : y + 5, x : x + 51] = greys.reshape(5, 51, 1)
        decoder.decode(encoder.encode(frame))
        assert_shows(decoder, frame)
        assert encoder.stats is not None
        assert encoder.stats.plane_raw_bytes["colours"] == announced


def text(width: int, height: int, seed: int = 0) -> Frame:
    """Dark glyphs on paper, no two lines alike, with a little colour."""
    random = np.random.default_rng(seed)
    glyphs = random.random((40, 11, 7)) < 0.4
    glyphs[:, -3:] = glyphs[:, :, -2:] = False
    lines = glyphs[random.integers(0, 40, (-(-height // 11), -(-width // 7)))]
    ink = lines.transpose(0, 2, 1, 3).reshape(lines.shape[0] * 11, -1)[:height, :width]
    inks = random.integers(0, 120, (-(-height // 11), 4), np.uint8).repeat(11, axis=0)[:height]
    return np.where(ink[..., None], inks[:, None], np.array([250, 250, 245, 9], np.uint8))


class Pair:
    """An encoder and the decoder that gets its packets."""

    def __init__(self, config: EncoderConfig | None = None, **limits: int) -> None:
        config = EncoderConfig(limits=Limits(**limits)) if config is None else config
        self.encoder, self.decoder = Encoder(config), Decoder(Limits(**limits))

    def send(self, frame: Frame, **arguments: Any) -> FrameStats:
        """Sends the frame, checks that it arrived, and returns its figures."""
        update = self.decoder.decode(self.encoder.encode(frame, **arguments))
        if update.complete:
            assert_shows(self.decoder, frame)
        assert self.encoder.stats is not None
        return self.encoder.stats

    def settle(self, frame: Frame) -> None:
        """The picture stands still for a while."""
        for _ in range(8):
            self.send(frame)


# -- scrolling ------------------------------------------------------------------------------------------

SCROLLS = [
    (0, -48), (0, 48), (0, -1), (0, 1), (-1, 0), (1, 0), (64, 0), (0, -64), (-64, 64), (33, 0), (-7, -5), (13, -100),
    (250, 3), (-3, 250), (-300, -200), (128, 1), (0, -300),
]  # fmt: skip


@pytest.mark.parametrize("effort", ["fast", "balanced", "tight"])
@pytest.mark.parametrize(("dx", "dy"), SCROLLS)
def test_a_scrolled_page_is_copied(dx: int, dy: int, effort: str) -> None:
    page = text(WIDTH + 600, HEIGHT + 600)
    before = page[300 : 300 + HEIGHT, 300 : 300 + WIDTH]
    after = page[300 - dy : 300 - dy + HEIGHT, 300 - dx : 300 - dx + WIDTH]
    pair = Pair(EncoderConfig(effort=effort))
    pair.send(before)
    whole = len(Encoder(EncoderConfig(effort=effort)).encode(after))
    stats = pair.send(after)
    # Tiles all of whose pixels were on the screen before are copied, all of them.
    columns = sum(0 <= x - dx <= WIDTH - TILE for x in range(0, WIDTH, TILE))
    rows = sum(0 <= y - dy <= HEIGHT - TILE for y in range(0, HEIGHT, TILE))
    assert stats.tiles["copy"] >= columns * rows > 0
    # What is new is paid for, in whole tiles, and hardly anything else.
    new = 1 - columns * rows / TILES
    assert stats.packet_bytes < whole * new * 1.15 + 300


def test_a_page_scrolls_line_by_line_to_its_end() -> None:
    page, pair = text(WIDTH, 2000), Pair()
    first = pair.send(page[:HEIGHT]).packet_bytes
    sizes = [pair.send(page[top : top + HEIGHT]).packet_bytes for top in range(33, 2000 - HEIGHT, 33)]
    assert max(sizes) < first / 3
    # And up again, through everything that has been there.
    for top in range(2000 - HEIGHT, 0, -301):
        pair.send(page[top : top + HEIGHT])


def test_a_scroll_under_a_fixed_frame() -> None:
    page, pair = text(500, 900), Pair()
    frame = desktop(WIDTH, HEIGHT)
    for step, top in enumerate(range(0, 500, 37)):
        frame[30:430, 60:560] = page[top : top + 400]
        stats = pair.send(frame, damage=[Rect(60, 30, 500, 400)])
        if step > 0:
            assert stats.tiles["copy"] > 10


@pytest.mark.parametrize(("width", "height"), [(65, 300), (300, 65), (333, 250), (129, 129)])
def test_scrolls_of_frames_whose_tiles_are_cut(width: int, height: int) -> None:
    page, random, pair = text(width + 100, height + 100), np.random.default_rng(0), Pair()
    for _ in range(60):
        x, y = random.integers(0, 100, 2)
        pair.send(page[y : y + height, x : x + width])


# -- windows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage_is_known", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_two_windows_move_at_once(seed: int, damage_is_known: bool) -> None:
    random = np.random.default_rng(seed)
    wallpaper = np.full((HEIGHT, WIDTH, 4), 77, np.uint8)
    windows = [text(250, 200, seed), text(230, 220, seed + 100)]
    places = [(20, 20), (350, 200)]
    pair, whole = Pair(), 0
    damage: list[Rect] | None = None
    for step in range(12):
        frame = wallpaper.copy()
        for (x, y), window in zip(places, windows, strict=True):
            frame[y : y + window.shape[0], x : x + window.shape[1]] = window
        stats = pair.send(frame, damage=damage)
        if step == 0:
            whole = stats.packet_bytes
        else:
            # Both windows move, the first one by a little and the second one anywhere.
            assert stats.tiles["copy"] >= 4
            assert stats.packet_bytes < whole * 0.9
        old = list(places)
        x, y = places[0]
        places[0] = (
            int(np.clip(x + random.integers(1, 30), 0, 100)),
            int(np.clip(y + random.integers(-9, 30), 0, 200)),
        )
        places[1] = (int(random.integers(350, WIDTH - 230)), int(random.integers(0, HEIGHT - 220)))
        if damage_is_known:
            damage = [Rect(x, y, 250, 220) for x, y in (*old, *places)]


@pytest.mark.parametrize("effort", ["fast", "balanced", "tight"])
@pytest.mark.parametrize(
    ("width", "height", "dx", "dy"),
    [(WIDTH, HEIGHT, *moved) for moved in ((3, -5), (-32, 0), (13, 32), (-1, 1))] + [(64, 8192, 0, 5)],
)
def test_a_film_that_pans_takes_fewer_bytes_than_its_pictures(
    width: int, height: int, dx: int, dy: int, effort: str
) -> None:
    grain = noise(width, height).astype(np.uint32)
    soft = sum(np.roll(grain, (y, x), (0, 1)) for y in range(3) for x in range(3)) // 10
    picture = soft.astype(np.uint8)
    # No pixel is equal to the one that it came from.
    panned = np.roll(picture, (dy, dx), (0, 1)) + noise(width, height, seed=1) % 3 + 1
    pair = Pair(EncoderConfig(effort=effort))
    assert pair.send(picture).packet_bytes > 3 / 2 * pair.send(panned).packet_bytes


def test_a_window_dragged_through_every_position_arrives_exactly() -> None:
    frame, window, pair = desktop(333, 260), text(150, 130), Pair()
    wallpaper = frame.copy()
    copied = 0
    for step in range(80):
        x, y = step * 5 % 183, step * 3 % 130
        frame[...] = wallpaper
        frame[y : y + 130, x : x + 150] = window
        copied += pair.send(frame, budget=3000 if step % 7 == 6 else None).tiles["copy"]
    pair.send(frame)
    assert_shows(pair.decoder, frame)
    assert copied > 0


# -- what comes back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("effort", ["fast", "balanced", "tight"])
def test_a_menu_that_opens_and_closes_comes_back_from_the_cache(effort: str) -> None:
    background, pair = desktop(WIDTH, HEIGHT), Pair(EncoderConfig(effort=effort))
    background[64:320] = noise(WIDTH, 256)
    open_ = background.copy()
    open_[70:300, 100:300] = text(200, 230)
    pair.settle(background)
    first = pair.send(open_)
    assert first.tiles["cached"] == 0
    pair.settle(open_)
    # The menu touches 4 x 4 tiles.
    for frame in (background, open_, background, open_):
        stats = pair.send(frame)
        assert stats.tiles["cached"] == 4 * 4
        assert stats.packet_bytes < 150
        pair.settle(frame)


def test_switching_between_windows_brings_them_back() -> None:
    windows = [text(WIDTH, HEIGHT, seed) for seed in range(4)]
    pair = Pair()
    for window in windows:
        pair.settle(window)
    for number in (0, 2, 1, 3, 0, 1, 2, 3):
        stats = pair.send(windows[number])
        assert stats.tiles["cached"] >= TILES - 2
        pair.settle(windows[number])


def test_two_windows_that_take_turns_need_slots_for_one() -> None:
    windows, pair = [text(WIDTH, HEIGHT, seed) for seed in range(2)], Pair(max_cache_slots=TILES)
    for window in windows:
        pair.settle(window)
    for turn in range(6):
        assert pair.send(windows[turn % 2]).tiles["cached"] >= TILES - 8
        pair.settle(windows[turn % 2])


def test_a_cache_that_is_too_small_for_a_window_brings_back_what_it_holds() -> None:
    windows, pair = [text(WIDTH, HEIGHT, seed) for seed in range(2)], Pair(max_cache_slots=TILES // 2)
    for window in windows:
        pair.settle(window)
    for turn in range(6):
        assert pair.send(windows[turn % 2]).tiles["cached"] >= TILES // 2 - 8
        pair.settle(windows[turn % 2])


def test_a_tile_that_comes_back_in_two_places_makes_room_for_none_between_them() -> None:
    windows, pair = [text(WIDTH, HEIGHT, seed) for seed in range(2)], Pair(max_cache_slots=4)
    windows[0][:64, :256] = np.tile(noise(64, 64), (1, 4, 1))
    for turn in range(8):
        pair.send(windows[turn % 2])
        pair.settle(windows[turn % 2])


@pytest.mark.parametrize(("back", "cached"), [(0, 0), (1, 1)])
def test_of_tiles_with_one_hash_the_last_comes_back_and_none_is_taken_for_another(back: int, cached: int) -> None:
    pixels = np.full((2, TILE, TILE), 0xFF808080, np.uint32)
    # Products of neighbours, each plus the hash's number for its place, are added up: these change by as much as those.
    pixels[:, :, :2] = 0xFF080000, 0xFF691C13
    pixels[:, :, 62:] = 0xFFFFFFFF, 0xFF000004
    pixels[1, :, 0] += np.uint32(5)
    pixels[1, :, 62] -= np.uint32(21)
    assert len({_kernels.hash_frame(tile) for tile in pixels}) == 1
    tiles, pair = [tile.view(np.uint8).reshape(TILE, TILE, 4) for tile in pixels], Pair()
    for frame in (*tiles, text(TILE, TILE)):
        pair.settle(frame)
    assert pair.send(tiles[back]).tiles["cached"] == cached


def test_the_cache_is_forgotten_with_the_epoch() -> None:
    first, second, pair = text(WIDTH, HEIGHT, 1), text(WIDTH, HEIGHT, 2), Pair()
    pair.settle(first)
    pair.settle(second)
    assert pair.send(first).tiles["cached"] == TILES
    pair.settle(first)
    pair.send(second, keyframe=True)
    assert pair.send(first).tiles["cached"] == 0


@pytest.mark.parametrize("slot_count", [0, 1, 2, 7, 4096])
def test_a_cache_of_any_size_is_kept_to(slot_count: int) -> None:
    pair = Pair(max_cache_slots=slot_count)
    windows = [text(WIDTH, HEIGHT, seed) for seed in range(3)]
    for window in windows:
        pair.settle(window)
    most = 0
    for round_ in range(8):
        window = windows[round_ % 3]
        most = max(most, pair.send(window).tiles["cached"])
        pair.settle(window)
    assert most <= slot_count
    assert (most > 0) == (slot_count == 4096) or 0 < slot_count < 8
    # One that is used by turns works even where it is small.
    frame = windows[1].copy()
    found = []
    for _ in range(4):
        frame[:64, :64] = noise(64, 64)
        pair.settle(frame)
        found.append(pair.send(windows[1]).tiles["cached"])
        pair.settle(windows[1])
    assert (found[1:] == [1, 1, 1]) == (slot_count > 0)


def test_tiles_at_the_edge_come_back_too() -> None:
    first, second, pair = noise(100, 90, 1), noise(100, 90, 2), Pair()
    for frame in (first, second, first, second):
        pair.settle(frame)
    assert pair.send(first).tiles["cached"] == 4
    pair.settle(first)
    assert pair.send(second).tiles["cached"] == 4


# -- crafted packets --------------------------------------------------------------------------------------


def tiles_of(frame: Frame) -> list[Frame]:
    height, width = frame.shape[:2]
    return [frame[y : y + TILE, x : x + TILE] for y in range(0, height, TILE) for x in range(0, width, TILE)]


class Crafted:
    """A decoder that shows a frame, and gets packets that no encoder wrote."""

    def __init__(self, frame: Frame, slot_count: int = 0) -> None:
        self.decoder, self._streams, self._sequence = Decoder(), Streams(), 0
        height, width = frame.shape[:2]
        tiles = tiles_of(frame)
        # XOR draws any picture on black.
        pixels = b"".join(tile[..., channel].tobytes() for tile in tiles for channel in (1, 0, 2))
        planes = self._streams.planes(operations=bytes([0, XOR]) * len(tiles), xor=pixels)
        self.decoder.decode(Packet(1, 0, (width, height), planes=planes, slots=slot_count).build())
        assert_shows(self.decoder, frame)
        self.expected = shown(frame)

    def send(self, *operations: int, **planes: bytes) -> FrameUpdate:
        self._sequence += 1
        compressed = self._streams.planes(operations=bytes(operations), **planes)
        update = self.decoder.decode(Packet(1, self._sequence, planes=compressed).build())
        np.testing.assert_array_equal(self.decoder.frame, self.expected)
        return update


def moved(*moves: tuple[int, int], numbers: Sequence[int] | None = None) -> bytes:
    """The plane of vectors in which each moved tile has one of its own, or those of the given numbers."""
    return vectors(*moves) + bytes(range(len(moves)) if numbers is None else numbers)


# Where each of 3 x 2 tiles comes from: neighbours, in both directions, and places across their borders.
SOURCES = {
    "one to the right": [(64, 0), (128, 0), (128, 0), (64, 64), (128, 64), (128, 64)],
    "one to the left": [(0, 0), (0, 0), (64, 0), (0, 64), (0, 64), (64, 64)],
    "in a ring": [(64, 0), (128, 0), (128, 64), (0, 0), (0, 64), (64, 64)],
    "in the other ring": [(0, 64), (0, 0), (64, 0), (64, 64), (128, 64), (128, 0)],
    "a little up": [(0, 1), (64, 1), (128, 1), (0, 63), (64, 63), (128, 63)],
    "a little down": [(0, 0), (64, 0), (128, 0), (0, 63), (64, 63), (128, 63)],
    "across": [(1, 1), (63, 64), (100, 31), (128, 64), (5, 60), (0, 0)],
    "itself": [(0, 0), (64, 0), (128, 0), (0, 64), (64, 64), (128, 64)],
}


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("kind", SOURCES)
def test_moves_read_the_frame_as_it_was_before_the_packet(kind: str, first: int) -> None:
    line = Crafted(noise(192, 128))
    before, moves = line.expected.copy(), []
    for step in range(6):
        tile = (first + step) % 6
        left, top = tile % 3 * TILE, tile // 3 * TILE
        x, y = SOURCES[kind][tile]
        moves.append((x - left, y - top))
        line.expected[top : top + TILE, left : left + TILE] = before[y : y + TILE, x : x + TILE]
    line.send(first, COPY | MOVED, *[0, COPY | MOVED] * 5, vectors=moved(*moves))
    # And the next packet reads what this one has left.
    line.expected[:64, :64] = line.expected[64:, 128:].copy()
    line.send(0, COPY | MOVED, vectors=moved((128, 64)))


def test_a_tile_that_is_drawn_first_is_copied_as_it_was() -> None:
    line = Crafted(noise(192, 64))
    line.expected[:, 64:128] = line.expected[:, :64]
    line.expected[:, :64, :3] = (1, 2, 3)
    update = line.send(
        *(0, SOLID | NEW_COLOURS), *(0, COPY | MOVED), colours=bytes([2, 1, 9, 1, 2, 3, 9]), vectors=moved((-64, 0))
    )
    assert sum(area.width * area.height for area in update.dirty) == 128 * 64


def test_a_list_may_hold_more_vectors_than_are_used_and_any_that_are_not() -> None:
    line = Crafted(noise(128, 64))
    line.expected[:, :64] = line.expected[:, 64:]
    unused = [(-32768, 32767)] * 254
    line.send(0, COPY | MOVED, vectors=moved(*unused, (64, 0), numbers=[254]))


def test_what_is_drawn_on_a_moved_tile_lies_on_what_moved() -> None:
    random = np.random.default_rng(0)
    frame = noise(192, 128)
    box, (x, y, width, height) = bytes([3, 5, 20, 9]), (3, 5, 21, 10)
    count = width * height
    pixels = random.integers(0, 256, (3, count), np.uint8)
    xor = pixels.reshape(3, height, width).transpose(1, 2, 0)
    old = shown(frame)[7 : 7 + 64, 11 : 11 + 64]
    inside = old[y : y + height, x : x + width, :3].copy()
    indices = random.integers(0, 3, (height, width), np.uint8)
    colours = {1: (1, 2, 3), 2: (4, 5, 6)}
    announced = bytes([7, 2, 1, *colours[1], 2, *colours[2]])
    palette = np.array([(0, 0, 0), colours[1], colours[2]], np.uint8)
    # Differences that are all 1 more than nothing, in G, B - G and R - G: the first residual says so for all.
    flat = b"\x81" + bytes(count - 1)
    by_one = inside + np.array([2, 1, 2], np.uint8)
    photo = np.broadcast_to(np.array([0x81 * 2 % 256, 0x81, 0x81 * 2 % 256], np.uint8), inside.shape)
    cases: list[tuple[int, dict[str, bytes], Any]] = [
        (SOLID | NEW_COLOURS, {"colours": announced + b"\x02"}, colours[2]),
        (PALETTE | NEW_COLOURS, {"colours": announced, "indices": indices.tobytes()}, palette[indices]),
        (
            PATCH | NEW_COLOURS,
            {"colours": announced, "indices": indices.tobytes()},
            np.where(indices[..., None] == 0, inside, palette[indices]),
        ),
        (PHOTO, {"green": flat, "blue": flat, "red": flat}, photo),
        (DIFFERENCE, {"green": flat, "blue": flat, "red": flat}, by_one),
        (XOR, {"xor": pixels.tobytes()}, inside ^ xor[..., [1, 0, 2]]),
    ]
    for operation, planes, expected in cases:
        line = Crafted(frame)
        line.expected[64:, 64:128] = old
        line.expected[64 + y : 64 + y + height, 64 + x : 64 + x + width, :3] = expected
        # The fifth tile, and its source across the borders of others.
        update = line.send(4, operation | MOVED | BOXED, boxes=box, vectors=moved((11 - 64, 7 - 64)), **planes)
        assert update.dirty == (Rect(64, 64, 64, 64),)


def test_slot_0_of_a_palette_is_a_colour_like_any_other() -> None:
    line = Crafted(noise(64, 64))
    announced = bytes([15, 1, 0, 9, 8, 7])
    line.expected[..., :3] = (9, 8, 7)
    line.send(0, PALETTE | NEW_COLOURS, colours=announced, indices=bytes(4096))
    # In a patch of the same table it is none.
    line.send(0, PATCH, colours=b"\x0f", indices=bytes(4096))


def test_kept_tiles_come_back_as_they_were_before_their_operation() -> None:
    frame = noise(192, 64)
    first, second, third = (shown(tile) for tile in tiles_of(frame))
    line = Crafted(frame, 3)
    # A grey tile lies where the first was, whose pixels come back in the same packet, then in another.
    line.expected[:, :64, :3], line.expected[:, 64:128] = 128, first
    line.send(
        *(0, SOLID | NEW_COLOURS | KEEP), *(0, CACHED | KEEP), colours=bytes([0, 1, 9, 128, 128, 128, 9]),
        cache=slots(2, 2, 0),
    )  # fmt: skip
    line.expected[:, 128:] = second
    line.send(2, CACHED | KEEP, cache=slots(0, 1))
    line.expected[:, :64] = third
    line.send(0, CACHED, cache=slots(1))
    line.expected[:, :64] = first
    line.send(0, CACHED, cache=slots(2))


def test_a_tile_that_is_kept_in_the_slot_that_it_shows_stays_as_it_is() -> None:
    line = Crafted(noise(64, 64), 1)
    line.send(0, CACHED | KEEP, cache=slots(0, 0))
    line.expected[..., :3] = 0
    line.send(0, SOLID, colours=bytes(2))
    line.expected[...] = shown(noise(64, 64))
    line.send(0, CACHED, cache=slots(0))


def test_a_kept_tile_is_what_was_there_before_it_moved() -> None:
    frame = noise(128, 64)
    first, second = (shown(tile) for tile in tiles_of(frame))
    line = Crafted(frame, 1)
    line.expected[:, :64], line.expected[:, 64:] = second, first
    line.send(0, COPY | MOVED | KEEP, 0, CACHED, vectors=moved((64, 0)), cache=slots(0, 0))


def test_a_cut_tile_fills_only_its_part_of_a_slot() -> None:
    frame = noise(100, 90)
    whole, right, _, corner = (shown(tile) for tile in tiles_of(frame))
    line = Crafted(frame, 2)
    # Slot 0 holds the whole tile, then the corner on top of it; slot 1 the tile at the right on black.
    grey = {"colours": bytes([0, 1, 9, 128, 128, 128, 9])}
    line.expected[:64, :64, :3] = 128
    line.send(0, SOLID | NEW_COLOURS | KEEP, cache=slots(0), **grey)
    line.expected[64:, 64:, :3] = 128
    line.send(3, SOLID | KEEP, colours=bytes([0, 9]), cache=slots(0))
    line.expected[:64, 64:, :3] = 128
    line.send(1, SOLID | KEEP, colours=bytes([0, 9]), cache=slots(1))
    line.expected[:64, :64] = whole
    line.expected[:26, :36] = corner
    line.send(0, CACHED, cache=slots(0))
    line.expected[:64, :64] = (0, 0, 0, 255)
    line.expected[:64, :36] = right
    line.send(0, CACHED, cache=slots(1))
    line.expected[64:, 64:] = right[:26]
    line.send(3, CACHED, cache=slots(1))
