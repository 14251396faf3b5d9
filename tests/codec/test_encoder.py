"""The encoder: exact for every frame, honest about damage and budgets, unmoved by wrong arguments."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from packets import HASH, PARTIAL, parse
from pictures import Frame, assert_shows, desktop, noise, shown

from fastframe import (
    Decoder,
    Encoder,
    EncoderConfig,
    FrameStats,
    FrameUpdate,
    Limits,
    LocalProtocolError,
    Rect,
    RemoteProtocolError,
    _core,
)
from fastframe.codec import MODES, PLANES

EFFORTS = ("fast", "balanced", "tight")
# One full tile of noise, the most that one tile can take.
TILE_BYTES = 64 * 64 * 3 + 200


class Pair:
    """An encoder and the decoder that gets its packets."""

    def __init__(self, config: EncoderConfig | None = None) -> None:
        self.encoder, self.decoder = Encoder(config), Decoder()

    def send(self, frame: Any, **arguments: Any) -> FrameUpdate:
        return self.decoder.decode(self.encoder.encode(frame, **arguments))

    @property
    def sent(self) -> FrameStats:
        """The encoder's figures of the last frame."""
        assert self.encoder.stats is not None
        return self.encoder.stats


class InterfaceOnly:
    """A frame that only has numpy's array interface, as mss's screenshots do."""

    def __init__(self, **interface: Any) -> None:
        self.__array_interface__ = {"version": 3, "typestr": "|u1", **interface}


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


# -- wrong arguments -------------------------------------------------------------------------------

GOOD = desktop(80, 70)
SMALL = Limits(max_width=100, max_height=90, max_pixels=8000)

BAD_FRAMES: dict[str, Any] = {
    "nothing": None,
    "a number": 7,
    "not a number": float("nan"),
    "text": "frame",
    "bytes": bytes(64),
    "an object": object(),
    "ragged lists": [[1], [1, 2]],
    "signed": GOOD.view(np.int8),
    "wider integers": GOOD.astype(np.uint16),
    "floats": GOOD.astype(np.float32),
    "not numbers": np.full((70, 80, 4), np.nan),
    "booleans": GOOD > 3,
    "one number a pixel": np.ascontiguousarray(GOOD).view(np.uint32),
    "three channels": np.ascontiguousarray(GOOD[..., :3]),
    "five channels": np.zeros((70, 80, 5), np.uint8),
    "flat": GOOD.ravel(),
    "two dimensions": GOOD.reshape(70, 320),
    "four dimensions": GOOD[None],
    "no rows": np.zeros((0, 80, 4), np.uint8),
    "no columns": np.zeros((70, 0, 4), np.uint8),
    "nothing at all": np.zeros((0, 0, 4), np.uint8),
    "columns first": np.asfortranarray(GOOD),
    "every second column": np.repeat(GOOD, 2, axis=1)[:, ::2],
    "columns from the right": GOOD[:, ::-1],
    "channels reversed": GOOD[..., ::-1],
    "channels apart": np.zeros((70, 4, 80), np.uint8).transpose(0, 2, 1),
    "too wide": np.zeros((2, 101, 4), np.uint8),
    "too high": np.zeros((91, 2, 4), np.uint8),
    "too many pixels": np.zeros((90, 100, 4), np.uint8),
    "an interface that lies": InterfaceOnly(shape="much", data=bytes(4)),
}

BAD_ARGUMENTS: dict[str, dict[str, Any]] = {
    "damage is a number": {"damage": 5},
    "damage is text": {"damage": "all"},
    "damage is a single rectangle": {"damage": Rect(0, 0, 5, 5)},
    "damage of three numbers": {"damage": [(0, 0, 5)]},
    "damage of five numbers": {"damage": [(0, 0, 5, 5, 5)]},
    "damage of no numbers": {"damage": [()]},
    "damage of floats": {"damage": [(0.0, 0.0, 5.0, 5.0)]},
    "damage that is not a number": {"damage": [(float("nan"), 0, 5, 5)]},
    "damage of text": {"damage": [("0", "0", "5", "5")]},
    "damage of nothing": {"damage": [None]},
    "negative width": {"damage": [(0, 0, -1, 5)]},
    "negative height": {"damage": [(0, 0, 5, -1)]},
    "one bad rectangle of several": {"damage": [(0, 0, 5, 5), (0, 0, 5)]},
    "budget 0": {"budget": 0},
    "negative budget": {"budget": -1},
    "budget of text": {"budget": "4096"},
    "fractional budget": {"budget": 4096.5},
    "budget that is not a number": {"budget": float("nan")},
    "infinite budget": {"budget": float("inf")},
}


def assert_nothing_moved(pair: Pair, frame: Frame, call: Callable[[], object]) -> LocalProtocolError:
    """The call is refused, and the next packet continues the chain as if it had not been made."""
    other = Encoder(EncoderConfig(limits=SMALL))
    assert other.encode(frame) == pair.encoder.encode(frame)
    stats = pair.encoder.stats
    with pytest.raises(LocalProtocolError) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert str(caught.value)
    assert pair.encoder.stats == stats
    following = frame.copy()
    following[10:30, 20:40, 1] ^= 0x55
    packet = pair.encoder.encode(following)
    assert packet == other.encode(following)
    return caught.value


@pytest.mark.parametrize("kind", BAD_FRAMES)
def test_a_wrong_frame_is_refused_and_moves_nothing(kind: str) -> None:
    pair = Pair(EncoderConfig(limits=SMALL))
    assert_nothing_moved(pair, GOOD, lambda: pair.encoder.encode(BAD_FRAMES[kind]))


@pytest.mark.parametrize("kind", BAD_FRAMES)
def test_a_wrong_first_frame_is_refused_and_moves_nothing(kind: str) -> None:
    encoder = Encoder(EncoderConfig(limits=SMALL))
    with pytest.raises(LocalProtocolError):
        encoder.encode(BAD_FRAMES[kind], keyframe=True)
    assert encoder.stats is None
    assert encoder.encode(GOOD) == Encoder().encode(GOOD)


@pytest.mark.parametrize("kind", BAD_ARGUMENTS)
def test_a_wrong_argument_is_refused_and_moves_nothing(kind: str) -> None:
    pair = Pair(EncoderConfig(limits=SMALL))
    other = GOOD.copy()
    other[5:60, 5:60] ^= 0x3C
    assert_nothing_moved(pair, GOOD, lambda: pair.encoder.encode(other, **BAD_ARGUMENTS[kind]))


def test_an_iterator_that_fails_moves_nothing() -> None:
    class Failure(Exception):
        pass

    def rectangles() -> Iterator[Rect]:
        yield Rect(0, 0, 5, 5)
        raise Failure

    pair = Pair()
    pair.send(GOOD)
    with pytest.raises(Failure):
        pair.encoder.encode(GOOD[::-1], damage=rectangles())
    update = pair.send(GOOD[::-1])
    assert (update.epoch, update.sequence) == (1, 1)
    assert_shows(pair.decoder, GOOD[::-1])


def test_errors_carry_the_numbers_they_are_about() -> None:
    encoder = Encoder(EncoderConfig(limits=SMALL))
    with pytest.raises(LocalProtocolError, match="101 x 2") as caught:
        encoder.encode(BAD_FRAMES["too wide"])
    assert caught.value.actual == (101, 2)
    assert caught.value.limit == (100, 90, 8000)
    with pytest.raises(LocalProtocolError, match="uint16") as caught:
        encoder.encode(BAD_FRAMES["wider integers"])
    assert caught.value.expected == "(H, W, 4) uint8"
    assert caught.value.actual == "(70, 80, 4) uint16"
    with pytest.raises(LocalProtocolError, match="strides") as caught:
        encoder.encode(BAD_FRAMES["every second column"])
    assert caught.value.expected == (None, 4, 1)
    assert caught.value.actual == (640, 8, 1)
    with pytest.raises(LocalProtocolError, match="budget") as caught:
        encoder.encode(GOOD, budget=-3)
    assert caught.value.actual == -3


@pytest.mark.parametrize("effort", ["slow", "", None, 3, [], {}, b"fast", "FAST"])
def test_an_unknown_effort_is_refused(effort: Any) -> None:
    with pytest.raises(LocalProtocolError, match="effort"):
        EncoderConfig(effort=effort)


@pytest.mark.parametrize("number", [-1, 2**32, 1.0, None, "1", float("nan")])
def test_a_wrong_first_epoch_is_refused(number: Any) -> None:
    with pytest.raises(LocalProtocolError, match="first_epoch"):
        EncoderConfig(first_epoch=number)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(LocalProtocolError):
        EncoderConfig(limits=4096)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError):
        Encoder("tight")  # type: ignore[arg-type]


def test_a_second_thread_is_refused_while_the_first_one_encodes() -> None:
    pair = Pair()
    pair.send(GOOD)
    errors: list[BaseException] = []

    def intrude() -> None:
        try:
            pair.encoder.encode(GOOD)
        except LocalProtocolError as error:
            errors.append(error)

    def rectangles() -> Iterator[Rect]:
        # The encoder asks for its damage while it is at work.
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        yield Rect(0, 0, 80, 70)

    update = pair.send(GOOD[::-1], damage=rectangles())
    assert len(errors) == 1
    assert "thread" in str(errors[0])
    assert update.sequence == 1
    assert_shows(pair.decoder, GOOD[::-1])


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


def test_a_keyframe_is_a_fresh_start_for_a_late_joiner() -> None:
    encoder = Encoder()
    for seed in range(5):
        encoder.encode(desktop(200, 130, seed))
    late, frame = Decoder(), desktop(200, 130, 9)
    late.decode(encoder.encode(frame, keyframe=True))
    assert_shows(late, frame)
    # And it is the packet that a new encoder begins with.
    assert encoder.encode(frame, keyframe=True) == Encoder(EncoderConfig(first_epoch=3)).encode(frame)


@pytest.mark.parametrize("false", [False, None, 0, [], np.False_], ids=repr)
def test_keyframe_is_taken_for_its_truth(false: Any) -> None:
    pair = Pair()
    pair.send(GOOD)
    assert pair.send(GOOD, keyframe=false).sequence == 1
    assert pair.send(GOOD, keyframe=np.True_).keyframe
    assert pair.send(GOOD, keyframe=false).sequence == 1


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


# -- statistics ------------------------------------------------------------------------------------


def test_the_figures_add_up() -> None:
    pair, random = Pair(), np.random.default_rng(0)
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
                assert stats.plane_raw_bytes[name] == raw_size
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
