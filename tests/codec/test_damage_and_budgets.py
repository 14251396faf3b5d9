"""Damage: look only there. Budgets: send only so much. The picture becomes exact all the same."""

import numpy as np
import pytest
from packets import PARTIAL, parse
from pair import GOOD, Pair
from pictures import Frame, assert_shows, desktop, few_colours, noise, shown

from fastframe import (
    Decoder,
    Encoder,
    EncoderConfig,
    Rect,
)

# One full tile of noise, the most that one tile can take.
TILE_BYTES = 64 * 64 * 3 + 200


# -- damage ----------------------------------------------------------------------------------------


def test_damage_that_holds_every_change_gives_the_same_packets_as_none() -> None:
    with_damage, without = Pair(), Pair()
    frame, random = desktop(333, 150), np.random.default_rng(0)
    with_damage.send(frame, damage=[])
    without.send(frame)
    for _ in range(40):
        damage = []
        for _ in range(random.integers(0, 4)):
            x, y, width, height = (int(value) for value in random.integers(0, 120, 4))
            frame[y : y + height, x : x + width] = random.integers(0, 256, 4)
            damage.append((x, y, width, height))
        # More damage than change, and rectangles that overlap, are fine.
        damage.append((int(random.integers(300)), 0, 20, 20))
        packet = with_damage.encoder.encode(frame, damage=iter(damage))
        assert packet == without.encoder.encode(frame)
        with_damage.decoder.decode(packet)
        assert_shows(with_damage.decoder, frame)


def test_no_damage_gives_a_packet_without_planes_and_the_frame_is_not_looked_at() -> None:
    pair, frame = Pair(), desktop(200, 130)
    pair.send(frame)
    packet = pair.encoder.encode(255 - frame, damage=[])
    assert len(packet) <= 16
    assert parse(packet).planes == {}
    pair.decoder.decode(packet)
    assert_shows(pair.decoder, frame)


def test_change_outside_the_damage_is_seen_by_a_later_call() -> None:
    pair, frame = Pair(), desktop(200, 130)
    pair.send(frame)
    changed = frame.copy()
    changed[0:10, 0:10] ^= 1
    changed[100:110, 195:] ^= 1
    half = frame.copy()
    half[0:10, 0:10] ^= 1
    pair.send(changed, damage=[Rect(0, 0, 10, 10)])
    assert_shows(pair.decoder, half)
    pair.send(changed, damage=[])
    assert_shows(pair.decoder, half)
    pair.send(changed, damage=[Rect(195, 105, 1, 1)])
    assert_shows(pair.decoder, changed)


@pytest.mark.parametrize(
    "rectangle",
    [
        (-1000, -1000, 5000, 5000),
        (-3, -3, 4, 4),
        (199, 129, 1, 1),
        (199, 129, 2**80, 2**80),
        (-(2**80), -(2**80), 2**81, 2**81),
        (np.int16(0), np.uint64(0), np.int64(200), np.uint8(130)),
    ],
)
def test_damage_is_cut_to_the_frame(rectangle: tuple[int, int, int, int]) -> None:
    pair, frame = Pair(), desktop(200, 130)
    pair.send(frame)
    pair.send(255 - frame, damage=[rectangle])
    x, y, width, height = (int(value) for value in rectangle)
    # At least what was named is new, and nothing shows that is in neither frame.
    new = (pair.decoder.frame == shown(255 - frame)).all(axis=2)
    old = (pair.decoder.frame == shown(frame)).all(axis=2)
    assert new[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)].all()
    assert (new | old).all()


@pytest.mark.parametrize("rectangle", [(200, 0, 5, 5), (0, 130, 5, 5), (-5, -5, 5, 5), (3, 3, 0, 9), (2**70, 0, 1, 1)])
def test_damage_outside_the_frame_is_no_damage(rectangle: tuple[int, int, int, int]) -> None:
    pair, frame = Pair(), desktop(200, 130)
    pair.send(frame)
    assert parse(pair.encoder.encode(255 - frame, damage=[rectangle])).planes == {}


def test_keyframes_and_new_sizes_ignore_the_damage() -> None:
    pair, frame = Pair(), desktop(200, 130)
    pair.send(frame, damage=[])
    assert_shows(pair.decoder, frame)
    pair.send(255 - frame, damage=[], keyframe=True)
    assert_shows(pair.decoder, 255 - frame)
    pair.send(frame[:64], damage=[Rect(0, 0, 1, 1)])
    assert_shows(pair.decoder, frame[:64])


# -- budgets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1, 300, 3000, 20_000, 200_000])
def test_budgets_are_kept_and_the_picture_becomes_exact(clip_frames: tuple[Frame, ...], budget: int) -> None:
    screen, random = clip_frames[0][:600, :800], noise(500, 300)
    for frame in (screen, random, desktop(700, 500)):
        pair = Pair()
        update = pair.send(frame, budget=budget)
        sizes = [pair.sent.packet_bytes]
        tiles = -(-frame.shape[0] // 64) * -(-frame.shape[1] // 64)
        while not update.complete:
            assert len(sizes) <= tiles
            update = pair.send(frame, budget=budget)
            sizes.append(pair.sent.packet_bytes)
        assert_shows(pair.decoder, frame)
        assert max(sizes) <= budget * 1.25 + TILE_BYTES
        # It is used, too: all but the last come near it, or one more tile would not have fitted.
        assert all(size >= budget / 2 - TILE_BYTES for size in sizes[:-1])


def test_a_budget_of_many_packets_costs_little_more_than_none(clip_frames: tuple[Frame, ...]) -> None:
    frame = clip_frames[0]
    whole = len(Encoder().encode(frame))
    pair, total = Pair(), 0
    for _ in range(whole // 5000):
        update = pair.send(frame, budget=10_000)
        total += pair.sent.packet_bytes
        if update.complete:
            break
    assert_shows(pair.decoder, frame)
    assert total <= whole * 1.15


@pytest.mark.parametrize("budget", [20_000, 50_000, 200_000])
def test_a_budget_is_kept_when_noise_follows_what_compressed_well(budget: int) -> None:
    pattern = np.zeros((512, 768, 4), np.uint8)
    pattern[::2, ::3] = 200
    encoder, decoder = Encoder(), Decoder()
    for step in range(12):
        decoder.decode(encoder.encode(np.roll(pattern, step, 1), keyframe=True, budget=budget))
    picture = noise(768, 512)
    for _ in range(200):
        packet = encoder.encode(picture, budget=budget)
        assert len(packet) < 4 * budget
        if decoder.decode(packet).complete:
            break
    assert_shows(decoder, picture)


def test_a_tight_budget_is_kept_when_a_texture_follows_one_that_compressed_well() -> None:
    encoder, decoder = Encoder(EncoderConfig(effort="tight")), Decoder()
    for seed in range(14):  # one tile again and again
        encoder.encode(np.tile(few_colours(64, 64, seed), (8, 12, 1)), keyframe=True)
    picture, budget = few_colours(768, 512, 99), 20_000
    for number in range(200):
        packet = encoder.encode(picture, keyframe=number == 0, budget=budget)
        assert len(packet) < 1.25 * budget + TILE_BYTES
        if decoder.decode(packet).complete:
            break
    assert_shows(decoder, picture)


def test_frames_known_to_be_unchanged_count_as_time_that_a_tile_stood_still() -> None:
    page, menu = desktop(320, 256, 1), noise(320, 256)
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(encoder.encode(page))
    for picture in (menu, page):
        for _ in range(10):
            decoder.decode(encoder.encode(picture, damage=[]))
        decoder.decode(encoder.encode(picture))
        assert_shows(decoder, picture)
    assert encoder.stats is not None
    assert encoder.stats.tiles["cached"] == 20


def test_a_budget_of_one_byte_sends_one_tile_at_a_time() -> None:
    pair, frame = Pair(), noise(190, 120)
    for sent in range(1, 7):
        update = pair.send(frame, budget=1)
        assert pair.sent.tiles["unchanged"] == 5
        assert update.complete == (sent == 6)
    assert_shows(pair.decoder, frame)


@pytest.mark.parametrize("power", [31, 62, 64, 70, 1400])
def test_a_budget_beyond_every_packet_holds_nothing_back(power: int) -> None:
    pair = Pair()
    assert pair.send(GOOD, budget=2**power).complete
    assert_shows(pair.decoder, GOOD)


def test_a_numpy_integer_is_a_budget() -> None:
    assert Encoder().encode(GOOD, budget=np.int64(300)) == Encoder().encode(GOOD, budget=300)  # type: ignore[arg-type]


@pytest.mark.parametrize("damage_is_known", [False, True])
def test_no_region_starves_while_the_top_changes_all_the_time(damage_is_known: bool) -> None:
    pair, frame = Pair(), noise(256, 512)
    pair.send(np.zeros_like(frame))
    bottom = shown(frame)[448:]
    for step in range(1, 40):
        frame[:256] = noise(256, 256, step)
        whole, top = [Rect(0, 0, 256, 512)], [Rect(0, 0, 256, 256)]
        damage = (whole if step == 1 else top) if damage_is_known else None
        pair.send(frame, budget=20_000, damage=damage)
        if (pair.decoder.frame[448:] == bottom).all():
            break
    assert (pair.decoder.frame[448:] == bottom).all()
    # 32 tiles at about two a packet: one turn is enough.
    assert step <= 32


def test_what_was_left_over_comes_without_new_damage() -> None:
    pair, frame = Pair(), noise(256, 256)
    pair.send(frame, budget=20_000)
    for _ in range(15):
        if pair.send(frame, damage=[], budget=20_000).complete:
            break
    assert_shows(pair.decoder, frame)


def test_what_was_left_over_and_then_changed_back_is_not_sent() -> None:
    pair, frame = Pair(), desktop(256, 256)
    pair.send(frame)
    other = noise(256, 256)
    assert not pair.send(other, budget=1).complete
    after_one_tile = pair.decoder.frame.copy()
    update = pair.send(after_one_tile, damage=[])
    assert update.complete
    assert parse(pair.encoder.encode(after_one_tile)).planes == {}


def test_the_packet_says_whether_it_is_complete() -> None:
    encoder, frame = Encoder(), noise(256, 256)
    packet = encoder.encode(frame, budget=1)
    assert parse(packet).more_flags & PARTIAL
    packet = encoder.encode(frame)
    assert not parse(packet).more_flags & PARTIAL


def test_a_keyframe_with_a_budget_starts_from_black() -> None:
    pair, frame = Pair(), noise(256, 256)
    pair.send(255 - frame)
    update = pair.send(frame, keyframe=True, budget=1)
    assert update.keyframe
    assert not update.complete
    expected = np.zeros_like(frame)
    expected[:64, :64] = frame[:64, :64]
    assert_shows(pair.decoder, expected)
    pair.send(frame)
    assert_shows(pair.decoder, frame)
