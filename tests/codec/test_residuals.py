"""Residuals as zstd streams of our own writing: zstd itself reads them."""

from collections.abc import Callable, Sequence
from hashlib import shake_128

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fastframe._residuals import ResidualCompressor

UNIT, BLOCK = 4096, 1 << 16


def values_of(*, seed: int, count: int, spread: float) -> bytes:
    """Residuals as photos have them."""
    residuals = np.random.default_rng(seed).laplace(0, spread, count)
    return bytes((residuals.round().astype(np.int64) & 255).astype(np.uint8))


def glyphs(*, seed: int, count: int, colours: int = 256) -> bytes:
    """Residuals as text has them: the same few rows again and again, one after another."""
    random = np.random.default_rng(seed)
    rows = [random.integers(0, colours, random.integers(8, 40), np.uint8) for _ in range(30)]
    return np.concatenate([rows[row] for row in random.integers(0, len(rows), count // 8 + 1)])[:count].tobytes()


def compress(packets: Sequence[bytes], *, cut: int = 1 << 30, window_log: int = 23) -> list[bytes]:
    """What each packet takes of the stream, its values fed at most `cut` at a time."""
    compressor = ResidualCompressor(window_log)
    compressed = []
    for values in packets:
        pieces = [compressor.feed(values[i : i + cut]) for i in range(0, len(values), cut)]
        compressed.append(b"".join([*pieces, compressor.flush()]))
    return compressed


def assert_zstd_reads(packets: Sequence[bytes], *, cut: int = 1 << 30, window_log: int = 23) -> int:
    """Each packet by itself, as soon as it is there. Returns the bytes of all."""
    stream = zstandard.ZstdDecompressor(max_window_size=1 << window_log).decompressobj()
    compressed = compress(packets, cut=cut, window_log=window_log)
    for values, part in zip(packets, compressed, strict=True):
        assert (stream.decompress(part) if part else b"") == values
    return sum(map(len, compressed))


# Where units, blocks, headers and their sizes end, and next to it.
SIZES = [0, 1, 2, 5, 6, 7, 31, 32, 1022, 1023, 1024, 1025, 4095, 4096, 4097, 16383, 16384, 65535, 65536, 65537, 140_000]


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    count = draw(st.sampled_from(SIZES) | st.integers(0, 20_000))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    kinds: list[Callable[[], bytes]] = [
        lambda: values_of(seed=seed, count=count, spread=0.3),
        lambda: values_of(seed=seed, count=count, spread=3),
        lambda: values_of(seed=seed, count=count, spread=60),
        lambda: bytes(count),
        lambda: random.bytes(count),
        # Runs, and what is a little too short to be one.
        lambda: bytes(np.repeat(random.integers(0, 3, count, np.uint8), random.integers(1, 40, count))[:count]),
        # Each value half as often as the one before it: codes that would become too long.
        lambda: bytes(random.geometric(0.5, count).astype(np.uint8)),
        lambda: bytes(random.choice(np.array([7, 200], np.uint8), count)),
        lambda: glyphs(seed=seed, count=count),
        lambda: glyphs(seed=seed, count=count, colours=2),
        lambda: (values_of(seed=seed, count=count // 3 + 1, spread=20) * 3)[:count],
    ]
    return draw(st.sampled_from(kinds))()


@given(st.lists(packets(), min_size=1, max_size=4), st.sampled_from([10, 11, 12, 15, 16, 23]))
def test_zstd_reads_each_packet(packets: list[bytes], window_log: int) -> None:
    assert_zstd_reads(packets, window_log=window_log)


@given(st.lists(st.binary(max_size=300) | packets(), max_size=4), st.integers(1, 9000))
def test_how_values_are_cut_makes_no_difference(packets: list[bytes], cut: int) -> None:
    assert compress(packets, cut=max(cut, sum(map(len, packets)) // 100)) == compress(packets)


@given(packets())
def test_nothing_grows_by_more_than_the_headers_of_blocks(values: bytes) -> None:
    blocks = len(values) // UNIT + 1
    assert assert_zstd_reads([values]) <= len(values) + 6 + 3 * blocks


def test_a_stream_begins_anew() -> None:
    compressor = ResidualCompressor(23)
    values = values_of(seed=1, count=10_000, spread=3)
    first = compressor.feed(values) + compressor.flush()
    compressor.feed(values)
    compressor.restart()
    assert compressor.feed(values) + compressor.flush() == first


def test_nothing_comes_of_nothing() -> None:
    compressor = ResidualCompressor(23)
    assert compressor.flush() == b""
    assert compressor.feed(b"") == b""
    compressor.feed(bytes(9))
    compressor.flush()
    assert compressor.flush() == b""


@pytest.mark.parametrize(("spread", "most"), [(1, 1.05), (3, 1.02), (10, 1.02)])
def test_noise_takes_little_more_than_its_entropy(spread: float, most: float) -> None:
    values = values_of(seed=2, count=200_000, spread=spread)
    share = np.bincount(np.frombuffer(values, np.uint8)) / len(values)
    entropy = -float(np.sum(share[share > 0] * np.log2(share[share > 0]))) * len(values) / 8
    assert entropy < assert_zstd_reads([values]) < most * entropy


def test_runs_take_next_to_nothing() -> None:
    assert assert_zstd_reads([bytes(500 * UNIT)]) < 500 * 5
    assert assert_zstd_reads([b"".join(bytes([value]) * 1000 for value in range(256))]) < 2500


def test_what_text_repeats_is_found() -> None:
    assert assert_zstd_reads([glyphs(seed=9, count=50_000)]) < 50_000 / 4


def test_repeats_of_two_values_are_found_where_looking_is_mostly_in_vain() -> None:
    count = 20 * UNIT
    assert assert_zstd_reads([glyphs(seed=14, count=count, colours=2)]) < 0.9 * count / 8


@pytest.mark.parametrize("size", [100, 3 * UNIT, 10 * UNIT])
def test_a_repeat_goes_over_units_blocks_and_packets(size: int) -> None:
    values = values_of(seed=10, count=size, spread=60)
    once = assert_zstd_reads([values])
    assert assert_zstd_reads([values * 8]) < once + 8 * (20 + size // UNIT * 8)
    assert assert_zstd_reads([values] * 8) < once + 8 * (20 + size // UNIT * 8)


@pytest.mark.parametrize("window_log", [10, 12, 16, 17, 23])
def test_nothing_is_repeated_from_beyond_the_window(window_log: int) -> None:
    for size in (900, 1100, 4000, 4200, 65_000, 66_000, 131_000, 132_000):
        values = values_of(seed=size, count=size, spread=40)
        assert_zstd_reads([values, values, values], window_log=window_log)


def test_repeats_as_far_back_as_the_window_while_what_is_kept_moves() -> None:
    window = values_of(seed=13, count=1 << 17, spread=60)
    for period in (127_000, 130_000, 1 << 17):
        values = (window[:period] * 4)[: 3 << 17]
        packets = [values[i : i + 40_960] for i in range(0, len(values), 40_960)]
        assert_zstd_reads(packets, cut=1000)
        assert compress(packets, cut=1000) == compress(packets)


def test_values_that_come_back_after_much_else_are_found_again() -> None:
    """Where nothing was found for long, only few places are looked at."""
    first = values_of(seed=11, count=2 * UNIT, spread=40)
    packets = [first, values_of(seed=12, count=20 * UNIT, spread=40), first]
    *_, again = compress(packets)
    assert len(again) < len(first) / 4


def test_codes_begin_anew_where_a_picture_becomes_calmer() -> None:
    calm, restless = values_of(seed=3, count=5 * UNIT, spread=1), values_of(seed=4, count=5 * UNIT, spread=30)
    together = assert_zstd_reads([calm + restless])
    assert together < 1.01 * (assert_zstd_reads([calm]) + assert_zstd_reads([restless]))


def test_a_code_is_not_described_again() -> None:
    first, second, third = (len(part) for part in compress([values_of(seed=8, count=400, spread=3)] * 3))
    header = 6
    assert second == third < first - header - 10


def test_a_code_that_was_given_up_with_its_block_is_not_used() -> None:
    """A block whose codes and repeat together take as much as it does by itself goes raw; then nobody knows the code.

    Codes that save anything save two bytes at least, and no repeat but one of eight values can cost that many: as far
    back as the window reaches, behind as many values as need fifteen bits to be counted.
    """
    before, repeated = 9 * UNIT, slice(12 * UNIT - 8, 12 * UNIT)
    window = shake_128(b"window").digest((1 << 17) - before + repeated.start)
    noise = shake_128(b"noise 167").digest(before + 802)
    sizes = []
    for merged in range(150, 180):  # the more 255s become 0s, the more codes save
        values = noise.replace(b"\xff", b"\0", merged)
        values = values[:before] + window[repeated] + values[before:]
        assert_zstd_reads([window, values, values[::-1]])
        sizes.append(len(compress([window, values])[1]) - len(values))
    header = 3
    assert sizes[0] == header > sizes[-1]


@pytest.mark.parametrize("count", [1023, 1024, BLOCK])
def test_codes_of_all_lengths(count: int) -> None:
    """Counts as Fibonacci's numbers make the longest codes there are: more bits than the format has."""
    counts = [1, 1]
    while sum(counts) + counts[-1] + counts[-2] <= count:
        counts.append(counts[-1] + counts[-2])
    values = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    assert_zstd_reads([bytes(np.random.default_rng(5).permutation(values))])
    flipped = bytes(np.random.default_rng(6).permutation(255 - values))
    assert assert_zstd_reads([flipped]) < len(flipped) / 2


def test_a_code_of_256_equal_lengths_is_no_gain() -> None:
    values = bytes(np.random.default_rng(7).permutation(np.arange(UNIT) % 256).astype(np.uint8))
    assert assert_zstd_reads([values]) == len(values) + 6 + 3


def test_wrong_arguments_are_refused() -> None:
    compressor = ResidualCompressor(23)
    with pytest.raises(TypeError):
        compressor.feed("text")  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        ResidualCompressor(-1)
