"""Packets that ask for too much are refused before memory grows, however right their CRC is."""

from typing import Any

import apart
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
    keyframe,
    seal,
    slots,
    varint,
    vectors,
    zstd_block,
    zstd_header,
)
from pictures import assert_shows, desktop, noise

from fastframe import Decoder, Encoder, EncoderConfig, Limits, LocalProtocolError, RemoteProtocolError
from fastframe.codec import PLANES

FRAME = desktop(149, 101)
MIB = 2**20


def stream_of(data: bytes, size: int = 64 * 64) -> bytes:
    """A keyframe of 64 x 64 pixels whose indices, said to be of that size, are the given zstd stream."""
    planes = Streams().planes(operations=bytes([0, PALETTE]), colours=b"\0")
    return Packet(9, 0, (64, 64), planes=planes | {PLANES.index("indices"): (size, data)}).build()


def with_size(width: int, height: int, slots: int = 0) -> bytes:
    return Packet(9, 0, (width, height), slots=slots).build()


# As in a keyframe: width, height, no cache.
SIZE = bytes([64, 0, 64, 0, 0, 0])


def with_plane_sizes(*sizes: tuple[int, int]) -> bytes:
    """A keyframe of 64 x 64 pixels that says its first planes have these sizes, and holds nothing of them."""
    body = b"\xf1\x01" + varint((1 << len(sizes)) - 1) + varint(9) + varint(0) + SIZE
    return seal(body + b"".join(varint(number) for size in sizes for number in size))


def good_indices(size: int = 64 * 64) -> bytes:
    return zstd_header() + zstd_block(bytes(size))


BOMB = zstd_header() + zstd_block(b"\0", repeat=2**17) * 512

# Name: (packet, part of the message). All but the first few have the right CRC and come at the right place.
TOO_MUCH: dict[str, tuple[bytes, str]] = {
    "largest size": (with_size(65535, 65535), "limit"),
    "too wide by one": (with_size(16385, 1), "16385 x 1"),
    "too high by one": (with_size(1, 16385), "1 x 16385"),
    "too many pixels": (with_size(16384, 16384), "33177600"),
    "no width": (with_size(0, 100), "without pixels"),
    "no height": (with_size(100, 0), "without pixels"),
    "no size": (with_size(0, 0), "without pixels"),
    "cache of 1 GiB": (with_size(64, 64, 65535), "65535 cache slots"),
    "a cache slot too many": (with_size(64, 64, 513), "513 cache slots, the limit is 512"),
    "plane of 4 GiB": (with_plane_sizes((2**32 - 1, 5)), "4294967295"),
    "plane one byte too large": (with_plane_sizes((5, 5)), "'operations' declares 5"),
    "empty plane": (with_plane_sizes((0, 5)), "declares 0"),
    "compressed plane of 4 GiB": (with_plane_sizes((4, 2**32 - 1)), "4294967295 bytes needed"),
    "compressed planes of 4 GiB each": (with_plane_sizes((4, 2**32 - 1), (4, 2**32 - 1)), "bytes needed"),
    "64 MiB declared as 4096 bytes": (stream_of(BOMB), "holds more"),
    "64 MiB declared as 1 byte": (stream_of(BOMB, 1), "holds more"),
    "one byte more than declared": (stream_of(good_indices(4097)), "holds more"),
    "one byte less than declared": (stream_of(good_indices(4095)), "holds 4095"),
    "zstd window of 16 MiB": (stream_of(zstd_header(window_log=24) + zstd_block(bytes(4096))), "zstd"),
    "zstd window of 2 GiB": (stream_of(zstd_header(window_log=31) + zstd_block(bytes(4096))), "zstd"),
    "zstd window of 2 TiB": (stream_of(zstd_header(window_log=41) + zstd_block(bytes(4096))), "zstd"),
    "zstd frame of 1 TiB": (stream_of(zstd_header(content=2**40) + zstd_block(bytes(4096))), "zstd"),
    "zstd frame of 16 EiB": (stream_of(zstd_header(content=2**64 - 1) + zstd_block(bytes(4096))), "zstd"),
    "zstd dictionary": (stream_of(zstd_header(dictionary=7) + zstd_block(bytes(4096))), "zstd"),
    "zstd header alone": (stream_of(zstd_header()), "holds 0"),
    "nothing compressed": (stream_of(b""), "holds 0"),
    "no zstd at all": (stream_of(bytes(4096)), "zstd"),
    "skippable zstd frame of 4 GiB": (stream_of(b"\x50\x2a\x4d\x18\xff\xff\xff\xff" + bytes(99)), "holds 0"),
    "zstd frame that ends early": (stream_of(zstd_header() + zstd_block(bytes(9), last=True)), "holds 9"),
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_too_much_is_refused_and_the_last_good_frame_stays(kind: str) -> None:
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(encoder.encode(FRAME))
    packet, message = TOO_MUCH[kind]
    with pytest.raises(RemoteProtocolError, match=message):
        decoder.decode(packet)
    assert_shows(decoder, FRAME)
    with pytest.raises(RemoteProtocolError, match="waiting for a keyframe"):
        decoder.decode(encoder.encode(255 - FRAME))
    assert_shows(decoder, FRAME)
    # A refused keyframe does not use up its epoch's number.
    decoder.decode(Encoder(EncoderConfig(first_epoch=9)).encode(255 - FRAME))
    assert_shows(decoder, 255 - FRAME)


@apart.measures_memory
def test_nothing_grows_before_the_refusal() -> None:
    names = [name for name in TOO_MUCH if "dictionary" not in name]
    grown = apart.run(
        """
        decoder = ff.Decoder()
        encoder = ff.Encoder()
        for seed in range(3):
            decoder.decode(encoder.encode(pictures.noise(149, 101, seed)))
        grown = []
        for line in sys.argv[2].split(","):
            for attempt in range(2):  # the first time loads what errors need
                forget_peak()
                before = memory()
                try:
                    decoder.decode(bytes.fromhex(line))
                    raise SystemExit("a packet over the limits was accepted")
                except ff.RemoteProtocolError:
                    peak = memory("VmHWM") - before
            grown.append(peak)
        report(grown)
        """,
        ",".join(TOO_MUCH[name][0].hex() for name in names),
    )
    assert {name: size for name, size in zip(names, grown, strict=True) if size >= MIB} == {}


@apart.measures_memory
def test_a_packet_at_its_limits_costs_no_more_than_its_frame_does() -> None:
    # Every plane of a 1080p keyframe as large as a frame can use, all out of a few hundred bytes.
    tiles, pixels = 30 * 17, 1920 * 1080
    capacities = [3 * tiles + 1, 4 * tiles, 1023 * tiles, 0, 0, pixels, pixels, pixels]
    capacities += [1021 + tiles, 4 * tiles]
    planes = {}
    for number, size in enumerate(capacities):
        if size == 0:
            continue
        blocks, rest = divmod(size, 2**17)
        last = zstd_block(b"\0", repeat=rest) if rest else b""
        planes[number] = (size, zstd_header(window_log=17) + zstd_block(b"\0", repeat=2**17) * blocks + last)
    packet = Packet(1, 0, (1920, 1080), planes=planes, slots=512).build()
    assert len(packet) < 1000
    peak = apart.run(
        """
        ff.Decoder().decode(packets.keyframe((64, 64)))
        forget_peak()
        before = memory()
        try:
            ff.Decoder().decode(bytes.fromhex(sys.argv[2]))
        except ff.RemoteProtocolError as error:
            report([memory("VmHWM") - before, str(error)])
        """,
        packet.hex(),
    )
    assert "unknown operation" in peak[1]
    # The frame, three quarters of it for the residuals, and the small planes.
    assert peak[0] < 2.25 * pixels * 4


@pytest.mark.parametrize(
    "sizes",
    [
        {"indices": 4096, "xor": 3},
        {"xor": 3 * 4096, "green": 1, "blue": 1, "red": 1},
        {"indices": 1, "green": 4096, "blue": 4096, "red": 4096},
        {"green": 9, "blue": 9, "red": 8},
        {"xor": 4},
    ],
    ids=str,
)
def test_planes_that_no_pixels_could_use_are_refused_unread(sizes: dict[str, int]) -> None:
    # What is declared is refused before zstd sees it: the compressed bytes are no stream at all.
    planes = {PLANES.index(name): (size, b"no zstd") for name, size in sizes.items()}
    with pytest.raises(RemoteProtocolError, match="at the most"):
        Decoder().decode(Packet(1, 0, (64, 64), planes=planes).build())


# -- planes that do not fit the frame ---------------------------------------------------------------------

PIXELS = 21 * 37  # of the lower right tile of a frame of 149 x 101
COUNT = bytes(PIXELS)
PHOTO_PLANES = {"green": COUNT, "blue": COUNT, "red": COUNT}


def operations(*operations: int) -> dict[str, bytes]:
    return {"operations": bytes(operations)}


def drawn(count: int, table: int = 0) -> dict[str, bytes]:
    """What so many solid tiles take from the plane of colours: a table and a slot each."""
    return {"colours": bytes([table, 0]) * count}


def box(*numbers: int, tile: int = 5) -> dict[str, bytes]:
    return operations(tile, SOLID | BOXED) | drawn(1) | {"boxes": bytes(numbers)}


def copied(dx: int, dy: int, tile: int = 5) -> dict[str, bytes]:
    return operations(tile, COPY | MOVED) | {"vectors": vectors((dx, dy)) + b"\0"}


TABLE = {"colours": b"\0"}
CACHE_SLOTS = 3
# Flags that a mode may not have, with everything that the operation would take from other planes.
ALL_FLAGS = {"boxed": BOXED, "new colours": NEW_COLOURS, "moved": MOVED, "keep": KEEP}
MODES: dict[int, tuple[str, int, dict[str, bytes]]] = {
    PHOTO: ("photo", NEW_COLOURS, PHOTO_PLANES),
    DIFFERENCE: ("difference", NEW_COLOURS, PHOTO_PLANES),
    XOR: ("XOR", NEW_COLOURS, {"xor": 3 * COUNT}),
    COPY: ("copy", BOXED | NEW_COLOURS, {}),
    CACHED: ("cached", BOXED | NEW_COLOURS | MOVED, {"cache": slots(0)}),
}


def forbidden_flags() -> dict[str, dict[str, bytes]]:
    """Operations that are right but for one flag."""
    planes = {}
    for mode, (mode_name, forbidden, needed) in MODES.items():
        for flag_name, flag in ALL_FLAGS.items():
            if flag & forbidden:
                moved = MOVED if mode == COPY else 0
                more = {"boxes": bytes([0, 0, 20, 36])} if flag == BOXED else {}
                more |= {"colours": b"\0\0"} if flag == NEW_COLOURS else {}
                more |= {"vectors": vectors((0, 0)) + b"\0"} if (flag | moved) & MOVED else {}
                planes[f"{mode_name} with {flag_name}"] = operations(5, mode | flag | moved) | needed | more
    return planes


BAD_PLANES: dict[str, dict[str, bytes]] = {
    "operation without a mode": operations(0),
    "mode 0": operations(0, 0),
    **{f"mode {mode}": operations(0, mode) for mode in range(10, 16)},
    **{f"mode {mode} with every flag": operations(0, mode | 0xF0) for mode in (0, 10, 15)},
    **forbidden_flags(),
    "copy without a vector": operations(5, COPY),
    "tile behind the last": operations(6, SOLID) | drawn(1),
    "tile far behind the last": operations(*[255] * 18, 0) | drawn(1),
    "skip without an end": operations(255),
    "tile twice": operations(0, SOLID, 5, SOLID) | drawn(2),
    "every tile and one more": operations(*[0, SOLID] * 7) | drawn(7),
    "around the end to the first tile": operations(3, SOLID, 5, SOLID) | drawn(2),
    "around the end past the first tile": operations(3, SOLID, 4, SOLID, 1, SOLID) | drawn(3),
    "box too wide": box(0, 0, 21, 0),
    "box too high": box(0, 0, 0, 37),
    "box right of the frame": box(21, 0, 0, 0),
    "box below the frame": box(0, 37, 0, 0),
    "box beyond everything": box(255, 255, 255, 255),
    "box wider than a tile": box(0, 0, 64, 0, tile=0),
    "box of three bytes": box(0, 0, 0),
    "no box": operations(5, SOLID | BOXED) | drawn(1),
    "a box too many": operations(5, SOLID) | drawn(1) | {"boxes": bytes(4)},
    "no table": operations(0, SOLID),
    "no slot": operations(0, SOLID) | TABLE,
    "a slot too many": operations(0, SOLID) | {"colours": bytes(3)},
    **{f"table {table}": operations(0, SOLID) | drawn(1, table) for table in (16, 17, 127, 128, 255)},
    "table 16 of a palette": operations(5, PALETTE) | {"colours": b"\x10", "indices": COUNT},
    "table 16 of a patch": operations(5, PATCH) | {"colours": b"\x10", "indices": COUNT},
    "colours cut": operations(0, SOLID | NEW_COLOURS) | {"colours": bytes([0, 2, 0, 1, 2, 3, 0])},
    "255 colours announced, none there": operations(0, SOLID | NEW_COLOURS) | {"colours": bytes([0, 255])},
    "an index missing": operations(5, PALETTE) | TABLE | {"indices": COUNT[1:]},
    "an index too many": operations(5, PALETTE) | TABLE | {"indices": COUNT + b"\0"},
    "no indices": operations(5, PALETTE) | TABLE,
    "an index of a patch missing": operations(5, PATCH) | TABLE | {"indices": COUNT[1:]},
    "no indices of a patch": operations(5, PATCH) | TABLE,
    "a green residual missing": operations(5, PHOTO) | PHOTO_PLANES | {"green": COUNT[1:]},
    "a blue residual missing": operations(5, PHOTO) | PHOTO_PLANES | {"blue": COUNT[1:]},
    "a red residual too many": operations(5, PHOTO) | PHOTO_PLANES | {"red": COUNT + b"\0"},
    "a red residual of a difference missing": operations(5, DIFFERENCE) | PHOTO_PLANES | {"red": COUNT[1:]},
    "XOR short by a byte": operations(5, XOR) | {"xor": (3 * COUNT)[1:]},
    "XOR of green only": operations(5, XOR) | {"xor": COUNT},
    "from left of the frame": copied(-129, 0),
    "from above the frame": copied(0, -65),
    "from right of the frame": copied(1, 0),
    "from below the frame": copied(0, 1),
    "a whole tile from where less is left": copied(86, 0, tile=0),
    "from as far left and up as can be said": copied(-32768, -32768),
    "from as far right and down as can be said": copied(32767, 32767, tile=0),
    "no list of vectors": operations(5, COPY | MOVED),
    "an empty list of vectors": operations(5, COPY | MOVED) | {"vectors": b"\0"},
    "a number into an empty list": operations(5, COPY | MOVED) | {"vectors": b"\0\0"},
    "empty lists one after the other": operations(5, COPY | MOVED) | {"vectors": bytes(50)},
    "a list without numbers": operations(5, COPY | MOVED) | {"vectors": vectors((0, 0))},
    "a list cut": operations(5, COPY | MOVED) | {"vectors": vectors((0, 0), (0, 0))[:-1]},
    "255 vectors announced, none there": operations(5, COPY | MOVED) | {"vectors": b"\xff"},
    "an unknown vector": operations(5, COPY | MOVED) | {"vectors": vectors((0, 0)) + b"\x01"},
    "a vector far from known": operations(5, COPY | MOVED) | {"vectors": vectors((0, 0)) + b"\xff"},
    "a number too many": operations(5, COPY | MOVED) | {"vectors": vectors((0, 0)) + b"\0\0"},
    "a list for every tile": operations(0, COPY | MOVED, 0, COPY | MOVED) | {"vectors": (vectors((0, 0)) + b"\0") * 2},
    "vectors that nobody uses": operations(5, SOLID) | drawn(1) | {"vectors": vectors((0, 0))},
    "a cached slot that does not exist": operations(5, CACHED) | {"cache": slots(CACHE_SLOTS)},
    "the last cached slot that can be said": operations(5, CACHED) | {"cache": slots(65535)},
    "half a cached slot": operations(5, CACHED) | {"cache": b"\0"},
    "no cached slot": operations(5, CACHED),
    "a cached slot too many": operations(5, CACHED) | {"cache": slots(0, 0)},
    "a kept slot that does not exist": operations(5, SOLID | KEEP) | drawn(1) | {"cache": slots(CACHE_SLOTS)},
    "no kept slot": operations(5, SOLID | KEEP) | drawn(1),
    "cached, and no kept slot": operations(5, CACHED | KEEP) | {"cache": slots(0)},
    "cached, and kept where nothing is": operations(5, CACHED | KEEP) | {"cache": slots(0, 9)},
    "no operations": TABLE,
    "pixels without operations": {"indices": COUNT},
}


@pytest.mark.parametrize("kind", BAD_PLANES)
def test_planes_that_do_not_fit_are_refused_whole(kind: str) -> None:
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(encoder.encode(FRAME))
    with pytest.raises(RemoteProtocolError, match="plane"):
        decoder.decode(keyframe((149, 101), 2, CACHE_SLOTS, **BAD_PLANES[kind]))
    assert_shows(decoder, FRAME)

    # The same in the middle of an epoch, behind an operation that is good and draws.
    streams = Streams()
    grey = {"operations": bytes([0, SOLID | NEW_COLOURS]), "colours": bytes([0, 1, 9, 128, 128, 128, 9])}
    decoder.decode(Packet(3, 0, (149, 101), planes=streams.planes(**grey), slots=CACHE_SLOTS).build())
    before = decoder.frame.copy()
    bad = dict(BAD_PLANES[kind])
    if bad.get("operations", b"")[:1] == b"\x05":
        bad["operations"] = bytes([0, SOLID, 4]) + bad["operations"][1:]
        bad["colours"] = bytes([0, 200]) + bad.get("colours", b"")
    with pytest.raises(RemoteProtocolError, match="plane"):
        decoder.decode(Packet(3, 1, planes=streams.planes(**bad)).build())
    np.testing.assert_array_equal(decoder.frame, before)
    with pytest.raises(RemoteProtocolError, match="waiting for a keyframe"):
        decoder.decode(Packet(3, 1).build())
    decoder.decode(Packet(4, 0, (149, 101), planes=Streams().planes(**grey)).build())
    np.testing.assert_array_equal(decoder.frame, before)


def test_what_nearly_is_too_much_is_fine() -> None:
    """The bad planes are bad for the reason they name: with that put right they are drawn."""
    good = {
        "every flag of solid": operations(5, SOLID | BOXED | NEW_COLOURS | MOVED | KEEP)
        | {"colours": bytes(3), "boxes": bytes([20, 36, 0, 0]), "vectors": vectors((0, 0)) + b"\0", "cache": slots(2)},
        "the last table": operations(0, SOLID) | drawn(1, 15),
        "from the frame's corner": copied(-128, -64),
        "from the frame's other corner": copied(85, 37, tile=0),
        "the last vector of a full list": operations(5, COPY | MOVED)
        | {"vectors": vectors(*[(9, 9)] * 254, (0, 0)) + b"\xfe"},
        "cached and kept": operations(5, CACHED | KEEP) | {"cache": slots(2, 2)},
        "around the end": operations(3, SOLID, 4, SOLID) | drawn(2),
        "the box of a pixel": box(20, 36, 0, 0),
        "photo": operations(5, PHOTO | BOXED | MOVED | KEEP)
        | {"green": b"\1", "blue": b"\1", "red": b"\1", "boxes": bytes([20, 36, 0, 0])}
        | {"vectors": vectors((0, 0)) + b"\0", "cache": slots(2)},
    }
    for planes in good.values():
        Decoder().decode(keyframe((149, 101), 2, CACHE_SLOTS, **planes))


# -- bad headers --------------------------------------------------------------------------------------------

BAD_HEADERS: dict[str, bytes] = {
    "another version": Packet(9, 0, (64, 64), mark=0xF2).build(),
    "the last version": Packet(9, 0, (64, 64), mark=0xFF).build(),
    "no mark": Packet(9, 0, (64, 64), mark=0x00).build(),
    "reserved flag 6": Packet(9, 0, (64, 64), more_flags=0x40).build(),
    "reserved flag 7": Packet(9, 0, (64, 64), more_flags=0x80).build(),
    **{f"reserved plane {n}": Packet(9, 0, (64, 64), more_planes=1 << n).build() for n in (10, 11, 15, 31)},
    "keyframe in the middle": Packet(9, 1, (64, 64)).build(),
    "keyframe at the end of its numbers": Packet(9, 2**32 - 1, (64, 64)).build(),
    "bytes behind the last plane": seal(Packet(9, 0, (64, 64)).build()[:-4] + b"\0"),
    "varint of 33 bits": seal(b"\xf1\x01\x00" + varint(2**32) + b"\0" + SIZE),
    "varint of 35 bits": seal(b"\xf1\x01\x00" + varint(2**35 - 1) + b"\0" + SIZE),
    "varint of six bytes": seal(b"\xf1\x01\x00" + varint(9, 6) + b"\0" + SIZE),
    "varint without an end": seal(b"\xf1\x01" + b"\xff" * 40),
    "plane mask without an end": seal(b"\xf1\x01\xff\xff\xff\xff\xff\xff" + bytes(9)),
    "ends inside the size": seal(b"\xf1\x01\x00\x09\x00" + SIZE[:3]),
    "ends inside the number of slots": seal(b"\xf1\x01\x00\x09\x00" + SIZE[:5]),
    "ends inside the hash": seal(b"\xf1\x03\x00\x09\x00" + SIZE + bytes(7)),
    "ends inside the plane sizes": seal(b"\xf1\x01\x01\x09\x00" + SIZE + b"\x03"),
    "nothing but a CRC": seal(b""),
    "mark and flags": seal(b"\xf1\x01"),
}


@pytest.mark.parametrize("kind", BAD_HEADERS)
def test_a_bad_header_is_refused(kind: str) -> None:
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(encoder.encode(FRAME))
    with pytest.raises(RemoteProtocolError):
        decoder.decode(BAD_HEADERS[kind])
    assert_shows(decoder, FRAME)
    with pytest.raises(RemoteProtocolError, match="waiting for a keyframe"):
        decoder.decode(encoder.encode(FRAME))


def test_errors_carry_the_numbers_they_are_about() -> None:
    decoder = Decoder(Limits(max_width=100, max_height=90, max_pixels=5000, max_packet_bytes=200))
    with pytest.raises(RemoteProtocolError) as caught:
        decoder.decode(bytes(201))
    assert (caught.value.actual, caught.value.limit) == (201, 200)
    for width, height in ((101, 1), (1, 91), (100, 90)):
        with pytest.raises(RemoteProtocolError, match=f"{width} x {height}") as caught:
            decoder.decode(with_size(width, height))
        assert caught.value.actual == (width, height)
        assert caught.value.limit == (100, 90, 5000)
    with pytest.raises(RemoteProtocolError) as caught:
        decoder.decode(with_plane_sizes((2**32 - 1, 5)))
    assert (caught.value.actual, caught.value.limit) == (2**32 - 1, 4)
    with pytest.raises(RemoteProtocolError, match="version 3") as caught:
        decoder.decode(Packet(mark=0xF3).build())
    assert (caught.value.expected, caught.value.actual) == (1, 3)


# -- the tile cache -----------------------------------------------------------------------------------------


def test_a_decoder_with_fewer_slots_than_a_keyframe_asks_for_refuses_it_and_stays() -> None:
    encoder, decoder = Encoder(EncoderConfig(limits=Limits(max_cache_slots=8))), Decoder(Limits(max_cache_slots=8))
    decoder.decode(encoder.encode(FRAME))
    greedy = EncoderConfig(limits=Limits(max_cache_slots=9), first_epoch=2)
    with pytest.raises(RemoteProtocolError, match="9 cache slots, the limit is 8") as caught:
        decoder.decode(Encoder(greedy).encode(255 - FRAME))
    assert (caught.value.actual, caught.value.limit) == (9, 8)
    assert_shows(decoder, FRAME)
    decoder.decode(Encoder(EncoderConfig(limits=Limits(max_cache_slots=0), first_epoch=2)).encode(255 - FRAME))
    assert_shows(decoder, 255 - FRAME)


def test_a_cache_of_the_largest_size_can_be_allowed() -> None:
    limits = Limits(max_cache_slots=4096)
    planes = operations(0, CACHED) | {"cache": slots(4095)}
    decoder = Decoder(limits)
    decoder.decode(keyframe((64, 64), 1, 4096, **planes))
    assert_shows(decoder, np.zeros((64, 64, 4), np.uint8))


# -- limits themselves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_packet_bytes", range(770_000, 790_000, 1_000))
def test_noise_in_small_windows_keeps_to_the_limit_of_a_packet(max_packet_bytes: int) -> None:
    """Each block has a header, and none of its bytes becomes any fewer."""
    limits = Limits(max_packet_bytes=max_packet_bytes, max_window_log=10)
    encoder, decoder, grain = Encoder(EncoderConfig(limits=limits)), Decoder(limits), noise(640, 480)
    while not decoder.decode(encoder.encode(grain)).complete:
        pass
    assert_shows(decoder, grain)


@pytest.mark.parametrize("field", ["max_width", "max_height", "max_pixels", "max_packet_bytes", "max_window_log"])
@pytest.mark.parametrize("value", [0, -1, 2**40, 10.5, float("nan"), None, "12", [], 5j])
def test_limits_that_make_no_sense_are_refused(field: str, value: Any) -> None:
    with pytest.raises(LocalProtocolError, match=field) as caught:
        Limits(**{field: value})
    assert caught.value.expected[0] >= 1
    assert caught.value.actual is value


@pytest.mark.parametrize("value", [-1, 4097, 2**40, 1.0, float("nan"), None, "12", [], 5j])
def test_a_number_of_cache_slots_that_cannot_be_said_is_refused(value: Any) -> None:
    with pytest.raises(LocalProtocolError, match="max_cache_slots") as caught:
        Limits(max_cache_slots=value)
    assert caught.value.expected == (0, 4096)


@pytest.mark.parametrize("effort", ["fast", "balanced", "tight"])
def test_an_encoder_never_sends_what_its_limits_forbid(effort: str) -> None:
    limits = Limits(max_packet_bytes=60_000 if effort == "tight" else 30_000)
    encoder, decoder = Encoder(EncoderConfig(effort=effort, limits=limits)), Decoder(limits)
    frame = np.random.default_rng(0).integers(0, 256, (256, 256, 4), np.uint8)
    for _ in range(64):
        if decoder.decode(encoder.encode(frame)).complete:
            break
    assert_shows(decoder, frame)
