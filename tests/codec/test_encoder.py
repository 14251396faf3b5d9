"""The encoder: exact for every frame, whatever holds it, from epoch to epoch."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from packets import HASH, parse
from pair import GOOD, InterfaceOnly, Pair
from pictures import Frame, assert_shows, desktop, noise

from fastframe import (
    Decoder,
    Encoder,
    EncoderConfig,
    Rect,
    RemoteProtocolError,
    _core,
)
from fastframe.codec import MODES, PLANES

EFFORTS = ("fast", "balanced", "tight")


# -- round trips -----------------------------------------------------------------------------------


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (64, 64), (65, 63), (1, 200), (200, 1), (333, 150)])
def test_frames_of_any_size_arrive_exactly(width: int, height: int, effort: str) -> None:
    pair = Pair(EncoderConfig(effort=effort))
    pictures = [desktop(width, height, 1), noise(width, height), desktop(width, height, 2)]
    pictures += [np.roll(pictures[-1], 1, axis=0), np.zeros_like(pictures[0]), np.full_like(pictures[0], 255)]
    for picture in pictures:
        assert pair.send(picture).complete
        assert_shows(pair.decoder, picture)


def test_rows_that_repeat_are_seen_to_change() -> None:
    """Where a row of what was sent repeats the one above, the encoder looks at the new frame alone."""
    random = np.random.default_rng(5)
    width, height = 200, 150
    pair = Pair(EncoderConfig())
    picture = desktop(width, height)
    for _ in range(150):
        x, y = int(random.integers(width)), int(random.integers(height))
        right, bottom = x + int(random.choice([1, 40, 200])), y + int(random.choice([1, 2, 70]))
        # A bar of one colour, or what stands above it once more: both leave rows that repeat, or end some.
        picture[y:bottom, x:right] = (
            picture[max(y - 1, 0), x:right] if random.random() < 0.5 else random.integers(256, size=4)
        )
        pair.send(picture)
        assert_shows(pair.decoder, picture)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_keyframe_forgets_what_was_shown(effort: str, threads: int) -> None:
    width, height = 640, 400
    pair = Pair(EncoderConfig(effort=effort, threads=threads))
    black, picture = np.zeros((height, width, 4), np.uint8), desktop(width, height)
    for frame in (black, picture, picture, black, black, picture):
        update = pair.send(frame, keyframe=True)
        assert update.keyframe
        assert_shows(pair.decoder, frame)
    pair.send(black)
    assert_shows(pair.decoder, black)


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_real_screen_arrives_exactly(clip_frames: tuple[Frame, ...], effort: str) -> None:
    pair = Pair(EncoderConfig(effort=effort))
    for frame in clip_frames[:6]:
        pair.send(frame)
        assert_shows(pair.decoder, frame)


def test_sparse_noise_on_noise_is_sent_as_xor_and_arrives_exactly() -> None:
    pair, frame = Pair(), noise(300, 200)
    pair.send(frame)
    frame[::9, ::7, 1] ^= 1
    pair.send(frame)
    assert pair.sent.tiles["xor"] > 0
    assert_shows(pair.decoder, frame)


def test_the_table_of_colours_overflows_without_harm() -> None:
    pair = Pair()
    random = np.random.default_rng(0)
    for round_ in range(20):
        colours = random.integers(0, 256, (2000, 4), np.uint8)
        blocks = colours[random.integers(0, len(colours), (25, 40))]
        frame = blocks.repeat(8, axis=0).repeat(8, axis=1)
        pair.send(frame)
        assert_shows(pair.decoder, frame)
        assert pair.sent.tiles["palette"] > 0, round_


@pytest.mark.parametrize("isa", _core.available_isas())
def test_every_instruction_set_writes_and_reads_the_same_packets(isa: str) -> None:
    frames = [desktop(333, 150, seed) for seed in range(3)] + [noise(333, 150)]
    sparse = frames[-1].copy()
    sparse[::9, ::7] ^= 1
    frames.append(sparse)
    encoder = Encoder()
    packets = [encoder.encode(frame) for frame in frames]
    before = _core.isa()
    _core.force_isa(isa)
    try:
        encoder, decoder = Encoder(), Decoder()
        assert [encoder.encode(frame) for frame in frames] == packets
        for packet, frame in zip(packets, frames, strict=True):
            decoder.decode(packet)
            assert_shows(decoder, frame)
    finally:
        _core.force_isa(before)


@pytest.mark.parametrize("effort", EFFORTS)
def test_two_encoders_write_the_same_bytes(effort: str) -> None:
    first, second = (Encoder(EncoderConfig(effort=effort)) for _ in range(2))
    for seed in range(4):
        frame = desktop(200, 130, seed)
        budget = 700 if seed % 2 else None
        assert first.encode(frame, budget=budget) == second.encode(frame.copy(), budget=budget)


def test_an_unchanged_frame_takes_a_packet_of_a_few_bytes() -> None:
    pair, frame = Pair(), desktop(200, 130)
    pair.send(frame)
    for _ in range(200):
        packet = pair.encoder.encode(frame)
        assert len(packet) <= 16
        assert pair.decoder.decode(packet).dirty == ()
    assert_shows(pair.decoder, frame)


def test_the_dirty_rectangles_hold_every_change_and_do_not_overlap() -> None:
    pair, frame = Pair(), desktop(333, 150)
    pair.send(frame)
    random = np.random.default_rng(0)
    for _ in range(60):
        before = pair.decoder.frame.copy()
        for _ in range(random.integers(0, 6)):
            x, y = random.integers(333), random.integers(150)
            frame[y : y + random.integers(1, 90), x : x + random.integers(1, 90)] = random.integers(0, 256, 4)
        update = pair.send(frame, budget=int(random.choice([1, 300, 10_000])))
        changed = (pair.decoder.frame != before).any(axis=2)
        covered = np.zeros(changed.shape, int)
        for area in update.dirty:
            assert isinstance(area, Rect)
            assert 0 <= area.x < area.x + area.width <= 333
            assert 0 <= area.y < area.y + area.height <= 150
            covered[area.y : area.y + area.height, area.x : area.x + area.width] += 1
        assert not (changed & (covered == 0)).any()
        assert covered.max(initial=0) <= 1


# -- kinds of input --------------------------------------------------------------------------------


def read_only(frame: Frame) -> Frame:
    frame = frame.copy()
    frame.flags.writeable = False
    return frame


def padded(frame: Frame) -> Frame:
    height, width = frame.shape[:2]
    memory = np.full(height * (width * 4 + 13) + 1, 0xA5, np.uint8)
    view = np.ndarray(frame.shape, np.uint8, memory, 1, (width * 4 + 13, 4, 1))
    view[...] = frame
    return view


INPUTS: dict[str, Callable[[Frame], Any]] = {
    "read-only array": read_only,
    "array over bytes": lambda frame: np.frombuffer(frame.tobytes(), np.uint8).reshape(frame.shape),
    "memoryview over bytes": lambda frame: memoryview(frame.tobytes()).cast("B", frame.shape),
    "memoryview over a bytearray": lambda frame: memoryview(bytearray(frame.tobytes())).cast("B", frame.shape),
    "array interface over bytes": lambda frame: InterfaceOnly(shape=frame.shape, data=frame.tobytes()),
    "padded, unaligned rows": padded,
    "rows from the bottom up": lambda frame: frame[::-1].copy()[::-1],
    "part of a wider frame": lambda frame: np.pad(frame, ((3, 5), (7, 9), (0, 0)))[3:-5, 7:-9],
    "every second row": lambda frame: frame.repeat(2, axis=0)[::2],
}


@pytest.mark.parametrize("kind", INPUTS)
def test_kinds_of_input(kind: str) -> None:
    pair = Pair()
    for seed in range(3):
        frame = desktop(131, 70, seed)
        given = INPUTS[kind](frame)
        pair.send(given)
        assert_shows(pair.decoder, frame)
    # And none of it is written to.
    np.testing.assert_array_equal(np.asarray(given), frame)


def test_one_row_for_the_whole_frame() -> None:
    frame = np.broadcast_to(desktop(131, 1), (70, 131, 4))
    pair = Pair()
    pair.send(frame)
    assert_shows(pair.decoder, frame)


def test_x_is_ignored() -> None:
    pair, frame = Pair(), desktop(131, 70)
    pair.send(frame)
    for x in (0, 1, 128, 255):
        frame[..., 3] = x
        packet = pair.encoder.encode(frame)
        assert parse(packet).planes == {}
        pair.decoder.decode(packet)
    assert (pair.decoder.frame[..., 3] == 255).all()


def test_the_buffer_is_free_after_the_call() -> None:
    memory = bytearray(64 * 64 * 4)
    encoder = Encoder()
    encoder.encode(memoryview(memory).cast("B", (64, 64, 4)))
    memory.extend(b"a buffer that is still exported could not grow")


# -- epochs ----------------------------------------------------------------------------------------


def test_epochs_and_sequence_numbers() -> None:
    pair = Pair(EncoderConfig(first_epoch=7))
    updates = [
        pair.send(GOOD),
        pair.send(GOOD),
        pair.send(GOOD, keyframe=True),
        pair.send(GOOD),
        pair.send(GOOD[:50]),
        pair.send(GOOD[:50], damage=[]),
        pair.send(GOOD[:, :50]),
    ]
    assert [(update.epoch, update.sequence, update.keyframe) for update in updates] == [
        (7, 0, True), (7, 1, False), (8, 0, True), (8, 1, False), (9, 0, True), (9, 1, False), (10, 0, True),
    ]  # fmt: skip


def test_a_new_size_shows_exactly() -> None:
    pair = Pair()
    for number, (width, height) in enumerate([(80, 70), (300, 20), (64, 64), (1, 1), (65, 129), (80, 70)]):
        frame = desktop(width, height, number)
        update = pair.send(frame)
        assert update.keyframe
        assert update.dirty == (Rect(0, 0, width, height),)
        assert_shows(pair.decoder, frame)


@pytest.mark.parametrize("effort", ["fast", "balanced", "tight"])
def test_a_keyframe_is_a_fresh_start_for_a_late_joiner(effort: str) -> None:
    encoder = Encoder(EncoderConfig(effort=effort))
    for seed in range(5):
        encoder.encode(desktop(200, 130, seed))
    late, frame = Decoder(), desktop(200, 130, 9)
    late.decode(encoder.encode(frame, keyframe=True))
    assert_shows(late, frame)
    # And it is the packet that a new encoder begins with, and goes on from.
    fresh = Encoder(EncoderConfig(effort=effort, first_epoch=3))
    assert encoder.encode(frame, keyframe=True) == fresh.encode(frame)
    for frame in (noise(200, 130), desktop(200, 130, 9), desktop(200, 130, 10)):
        assert encoder.encode(frame) == fresh.encode(frame)


def test_keyframe_may_be_numpys_bool() -> None:
    pair = Pair()
    pair.send(GOOD)
    assert pair.send(GOOD, keyframe=np.False_).sequence == 1
    assert pair.send(GOOD, keyframe=np.True_).keyframe
    assert pair.send(GOOD, keyframe=np.False_).sequence == 1


def test_epoch_numbers_wrap_around() -> None:
    pair = Pair(EncoderConfig(first_epoch=2**32 - 1))
    assert pair.send(GOOD).epoch == 2**32 - 1
    assert pair.send(GOOD[::-1], keyframe=True).epoch == 0
    assert_shows(pair.decoder, GOOD[::-1])
    with pytest.raises(RemoteProtocolError):
        pair.decoder.decode(Encoder(EncoderConfig(first_epoch=2**32 - 1)).encode(GOOD))


def test_keyframes_have_a_hash_and_later_packets_now_and_then() -> None:
    encoder, frame = Encoder(), desktop(80, 70)
    hashes = []
    for number in range(200):
        frame[number % 70] ^= 1
        hashes.append(parse(encoder.encode(frame)).frame_hash)
    assert hashes[0] is not None
    assert 2 <= sum(value is not None for value in hashes[1:]) <= 20


def test_a_hash_waits_for_a_packet_of_few_tiles() -> None:
    encoder, frame = Encoder(), np.zeros((512, 512, 4), np.uint8)

    def is_hashed(rows: int) -> bool:
        frame[:rows] ^= 1
        return parse(encoder.encode(frame)).frame_hash is not None

    assert is_hashed(0), "a keyframe, which is black as what it is drawn on"
    assert not any(is_hashed(512) for _ in range(100))
    assert is_hashed(64)
    assert [is_hashed(512) for _ in range(128)] == [False] * 127 + [True]


# -- statistics ------------------------------------------------------------------------------------


@pytest.mark.parametrize("effort", EFFORTS)
def test_the_figures_add_up(effort: str) -> None:
    pair, random = Pair(EncoderConfig(effort=effort)), np.random.default_rng(0)
    assert pair.encoder.stats is None
    assert pair.decoder.stats is None
    frame = desktop(333, 150)
    for step in range(30):
        if step % 3:
            x, y = int(random.integers(300)), int(random.integers(100))
            frame[y : y + 40, x : x + 30] = noise(30, 40, step)[: 150 - y, : 333 - x]
        packet = pair.encoder.encode(frame, keyframe=step == 12, budget=2000 if step % 2 else None)
        pair.decoder.decode(packet)
        parsed = parse(packet)
        assert pair.decoder.stats is not None
        for stats in (pair.sent, pair.decoder.stats):
            assert stats.packet_bytes == len(packet)
            assert list(stats.tiles) == list(MODES)
            assert sum(stats.tiles.values()) == 6 * 3
            assert list(stats.plane_bytes) == list(stats.plane_raw_bytes) == list(PLANES)
            for number, name in enumerate(PLANES):
                raw_size, data = parsed.planes.get(number, (0, b""))
                # The modelled plane states pixels.
                assert stats.plane_raw_bytes[name] == raw_size * (3 if name == "modelled" else 1)
                assert stats.plane_bytes[name] == len(data)
            assert all(seconds >= 0 for seconds in stats.seconds.values())
        assert pair.sent.tiles == pair.decoder.stats.tiles
        tile_map = pair.decoder.tile_map()
        assert tile_map.tile_size == 64
        assert tile_map.modes.shape == tile_map.cost.shape == (3, 6)
        counts = np.bincount(tile_map.modes.ravel(), minlength=len(MODES))
        assert dict(zip(MODES, counts.tolist(), strict=True)) == pair.sent.tiles
        assert tile_map.cost.sum() == pytest.approx(sum(len(data) for _, data in parsed.planes.values()), rel=1e-4)
        assert ((tile_map.cost > 0) == (tile_map.modes > 0)).all()


# -- a frame that is written to meanwhile ----------------------------------------------------------


def scribble(frame: Frame, random: np.random.Generator) -> None:
    """Something somewhere."""
    x, y = random.integers(640 - 97), random.integers(480 - 61)
    frame[y : y + 61, x : x + 97] = (noise if random.integers(2) else desktop)(97, 61, int(random.integers(4)))


def scroll(frame: Frame, random: np.random.Generator) -> None:
    """A region moves by any distance."""
    left, top = random.integers(0, 300, 2)
    region = frame[top : top + 180, left : left + 300]
    region[...] = np.roll(region, random.integers(-50, 50, 2), (0, 1))


def switch_windows(frame: Frame, random: np.random.Generator) -> None:
    """One of two windows comes to the front, in most of the frame."""
    window = random.integers(2)
    frame[:400, :500] = WINDOWS[window]


WINDOWS = [desktop(500, 400, 1), desktop(500, 400, 2)]


@pytest.mark.parametrize("change", [scribble, scroll, switch_windows])
def test_a_frame_that_changes_while_it_is_read_never_breaks_the_chain(
    change: Callable[[Frame, np.random.Generator], None],
) -> None:
    pair, frame = Pair(), desktop(640, 480)
    stop = threading.Event()

    def paint() -> None:
        random = np.random.default_rng(0)
        while not stop.is_set():
            change(frame, random)

    painter = threading.Thread(target=paint)
    painter.start()
    hashed = 0
    try:
        # Every hash that the decoder accepts says that its picture is the encoder's.
        for step in range(150):
            packet = pair.encoder.encode(frame, keyframe=step % 50 == 49, budget=20_000 if step % 3 else None)
            hashed += bool(packet[1] & HASH)
            pair.decoder.decode(packet)
    finally:
        stop.set()
        painter.join()
    assert hashed >= 3
    assert pair.send(frame).complete
    assert_shows(pair.decoder, frame)
    # And the core still agrees with the decoder on everything that will be referred to.
    for window in WINDOWS:
        for _ in range(6):
            frame[:400, :500] = window
            pair.send(frame)
            assert_shows(pair.decoder, frame)
    pair.send(frame, keyframe=True)
    assert_shows(pair.decoder, frame)
