"""Modelled pixels, the mode of effort "tight": exact for what a screen shows, and bounded for what a peer sends."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from packets import BOXED, CACHED, KEEP, MODELLED, MOVED, NEW_COLOURS, PHOTO, Packet, Streams, modelled, parse, vectors
from pair import Pair
from pictures import Frame, assert_shows, desktop, dithered, few_colours, noise

from fastframe import Decoder, Encoder, EncoderConfig, Limits, LocalProtocolError, RemoteProtocolError, _core
from fastframe.codec import PLANES
from fastframe.codec.encoder import PACKET_ROOM, max_tile_bytes

TIGHT = EncoderConfig(effort="tight")
SIZES = [(1, 1), (63, 65), (130, 1), (1, 130), (64, 64), (65, 129), (67, 66), (200, 150)]


def changing(width: int, height: int) -> list[Frame]:
    """Frames that lead into moves, the cache, boxes of every size, palettes, and flat, drawn and noisy pixels."""
    random = np.random.default_rng(width * 1000 + height)
    frames = [
        desktop(width, height, 1),
        noise(width, height, 2),
        few_colours(width, height, 3),
        desktop(width, height, 3),
    ]
    frames += [np.roll(frames[-1], (3, 5), (0, 1)), np.roll(frames[-1], -7, 0)] + [frames[-1]] * 3
    for _ in range(12):
        frame = frames[-1].copy()
        x, y = random.integers(0, width), random.integers(0, height)
        frame[y : y + 20, x : x + 30] = desktop(30, 20, int(random.integers(4)))[: height - y, : width - x]
        frames.append(frame)
    return [*frames, frames[0], np.zeros_like(frames[0]), frames[2]]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("budget", [None, 1, 700])
def test_what_changes_arrives_exactly(isa: str, width: int, height: int, budget: int | None) -> None:
    pair = Pair(TIGHT)
    for frame in changing(width, height):
        complete = pair.send(frame, budget=budget).complete
        if complete:
            assert_shows(pair.decoder, frame)
    while not complete:
        complete = pair.send(frame, damage=[], budget=budget).complete
    assert_shows(pair.decoder, frame)


def test_damage_arrives_exactly() -> None:
    pair, frame = Pair(TIGHT), desktop(200, 150)
    pair.send(frame)
    for seed in range(20):
        x, y = seed * 37 % 170, seed * 23 % 130
        frame[y : y + 20, x : x + 30] = desktop(30, 20, seed)
        pair.send(frame, damage=[(x, y, 30, 20)])
        assert pair.sent.tiles["modelled"]
        assert_shows(pair.decoder, frame)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_effort_changes_without_a_new_epoch(threads: int) -> None:
    pair, modelled_tiles = Pair(EncoderConfig(effort="balanced", threads=threads)), 0
    for number, frame in enumerate(changing(200, 150)):
        pair.encoder.effort = effort = ("balanced", "tight", "tight", "fast")[number % 4]
        assert pair.encoder.effort == effort
        update = pair.send(frame)
        assert_shows(pair.decoder, frame)
        assert update.keyframe == (number == 0)
        assert bool(pair.sent.tiles["modelled"]) <= (effort == "tight")
        modelled_tiles += pair.sent.tiles["modelled"]
    assert modelled_tiles


def test_a_new_epoch_has_all_of_the_new_effort(clip_frames: tuple[Frame, ...]) -> None:
    changed, fast = Encoder(EncoderConfig(effort="balanced")), Encoder(EncoderConfig(effort="fast"))
    for encoder in (changed, fast):
        encoder.encode(clip_frames[0])
    changed.effort = "fast"
    # Until then zstd searches as it did.
    assert changed.encode(clip_frames[5]) != fast.encode(clip_frames[5])
    for frame in clip_frames[6:8]:
        assert changed.encode(frame, keyframe=frame is clip_frames[6]) == fast.encode(
            frame, keyframe=frame is clip_frames[6]
        )


def test_an_effort_that_there_is_not_or_no_room_for_is_refused_and_the_old_one_stays() -> None:
    small = Limits(max_packet_bytes=50 << 10)
    for limits, effort in [(Limits(), "best"), (Limits(), 3), (Limits(), np.array([1, 2])), (small, "tight")]:
        pair = Pair(EncoderConfig(limits=limits))
        with pytest.raises(LocalProtocolError, match=r"effort must be|room for one tile"):
            pair.encoder.effort = effort  # type: ignore[assignment]
        assert pair.encoder.effort == "balanced"
        pair.send(desktop(100, 80))
        assert_shows(pair.decoder, desktop(100, 80))


@pytest.mark.parametrize("name", _core.available_isas())
def test_every_instruction_set_writes_the_same_packets(name: str) -> None:
    frames = changing(200, 150)
    encoder, before = Encoder(TIGHT), _core.isa()
    packets = [encoder.encode(frame) for frame in frames]
    _core.force_isa(name)
    try:
        encoder = Encoder(TIGHT)
        assert [encoder.encode(frame) for frame in frames] == packets
    finally:
        _core.force_isa(before)


def test_tight_takes_far_fewer_bytes_for_a_recorded_screen(clip_frames: tuple[Frame, ...]) -> None:
    sizes = {}
    for effort in ("balanced", "tight"):
        encoder = Encoder(EncoderConfig(effort=effort))
        sizes[effort] = sum(len(encoder.encode(frame)) for frame in clip_frames)
    assert sizes["tight"] < 0.75 * sizes["balanced"]


@pytest.mark.parametrize("texture", [dithered, few_colours])
def test_tight_is_hardly_larger_where_palettes_are_small(texture: Callable[[int, int, int], Frame]) -> None:
    frame = desktop(512, 448)
    frame[:384] = texture(512, 384, 1)
    sizes = {}
    for effort in ("balanced", "tight"):
        pair = Pair(EncoderConfig(effort=effort))
        pair.send(frame)
        assert_shows(pair.decoder, frame)
        sizes[effort] = pair.sent.packet_bytes
    assert pair.sent.tiles["palette"] > pair.sent.tiles["modelled"] > 0
    assert sizes["tight"] < 1.15 * sizes["balanced"]


@pytest.mark.parametrize("max_packet_bytes", [PACKET_ROOM + max_tile_bytes("tight"), 100_000])
def test_noise_keeps_to_the_limit_of_a_packet(max_packet_bytes: int) -> None:
    limits = Limits(max_packet_bytes=max_packet_bytes)
    encoder, decoder = Encoder(replace(TIGHT, limits=limits)), Decoder(limits)
    flat, grain = np.full((300, 300, 4), 90, np.uint8), noise(300, 300)
    for _ in range(5):  # the model learns that nothing new ever comes
        decoder.decode(encoder.encode(flat, keyframe=False))
        flat = flat.copy()
        flat[::50] += 1
    for _ in range(30):  # one tile in each packet at least
        if decoder.decode(encoder.encode(grain)).complete:
            break
    assert_shows(decoder, grain)


def test_an_epoch_begins_with_a_model_that_knows_nothing() -> None:
    encoder, frame = Encoder(TIGHT), desktop(200, 150)
    first = parse(encoder.encode(frame))
    encoder.encode(noise(200, 150))
    assert parse(encoder.encode(frame, keyframe=True)).planes == first.planes


# -- what a peer may send --------------------------------------------------------------------------


def refuses(decoder: Decoder, packet: Packet) -> str:
    before = decoder.frame.copy()
    with pytest.raises(RemoteProtocolError) as caught:
        decoder.decode(packet.build())
    np.testing.assert_array_equal(decoder.frame, before)
    return str(caught.value)


@pytest.fixture
def decoder() -> Decoder:
    """A decoder that shows the first frame of 100 x 70 pixels in epoch 1."""
    decoder = Decoder()
    decoder.decode(Encoder(replace(TIGHT, first_epoch=1)).encode(desktop(100, 70)))
    return decoder


def operations(*bytes_: int, pixels: int, data: bytes = b"", **planes: bytes) -> Packet:
    """A keyframe with these operations and so many modelled pixels."""
    if pixels:
        planes["modelled"] = modelled(pixels, data)
    return Packet(1, 0, (100, 70), planes=Streams().planes(operations=bytes(bytes_), **planes))


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 40_000, bytes(range(256)) * 9], ids=len)
def test_any_bytes_are_some_pixels(isa: str, data: bytes) -> None:
    decoder = Decoder()
    decoder.decode(operations(0, MODELLED, 2, MODELLED, pixels=64 * 64 + 36 * 6, data=data).build())
    assert (decoder.frame[..., 3] == 255).all()
    assert decoder.stats is not None
    assert decoder.stats.tiles["modelled"] == 2
    cost = decoder.tile_map().cost
    assert cost.sum() == pytest.approx(decoder.stats.plane_bytes["modelled"] + decoder.stats.plane_bytes["operations"])


def test_bytes_beyond_what_the_coder_reads_are_ignored() -> None:
    packet = Encoder(TIGHT).encode(desktop(100, 70))
    fields, number = parse(packet), PLANES.index("modelled")
    pixels, data = fields.planes[number]
    fields.planes[number] = pixels, data + bytes(9)
    decoder = Decoder()
    decoder.decode(fields.build())
    assert_shows(decoder, desktop(100, 70))


@pytest.mark.parametrize("pixels", [1, 64 * 64 - 1, 64 * 64 + 1])
def test_another_number_of_pixels_is_refused(decoder: Decoder, pixels: int) -> None:
    fault = refuses(decoder, replace(operations(0, MODELLED, pixels=pixels), epoch=2))
    assert "'modelled'" in fault
    assert ("ends inside" if pixels < 64 * 64 else "holds more") in fault


def test_a_modelled_tile_without_the_plane_is_refused(decoder: Decoder) -> None:
    assert "ends inside" in refuses(decoder, replace(operations(0, MODELLED, pixels=0), epoch=2))


@pytest.mark.parametrize("pixels", [0, 100 * 70 + 1, 2**32 - 1])
def test_a_number_of_pixels_that_no_frame_has_is_refused(decoder: Decoder, pixels: int) -> None:
    packet = replace(operations(0, MODELLED, pixels=1), epoch=2)
    packet.planes |= Streams().planes(modelled=modelled(pixels, b""))
    assert f"declares {pixels} pixels; for this frame it has 1 to 7000" in refuses(decoder, packet)


def test_more_pixels_in_all_planes_than_the_frame_has_are_refused(decoder: Decoder) -> None:
    packet = replace(operations(0, MODELLED, pixels=7000, indices=b"\1"), epoch=2)
    assert "1 indices" in refuses(decoder, packet)


def test_modelled_tiles_bring_no_colours(decoder: Decoder) -> None:
    packet = operations(0, MODELLED | NEW_COLOURS, pixels=64 * 64, colours=bytes([0, 0]))
    assert "unknown operation" in refuses(decoder, replace(packet, epoch=2))


def test_a_modelled_tile_may_be_kept_moved_and_boxed_at_once(isa: str) -> None:
    decoder, streams, random = Decoder(), Streams(), np.random.default_rng(0)
    planes = streams.planes(
        operations=bytes([0, PHOTO, 0, PHOTO]),
        **{name: random.bytes(128 * 64) for name in ("green", "blue", "red")},
    )
    decoder.decode(Packet(1, 0, (128, 64), planes=planes, slots=1).build())
    before = decoder.frame.copy()
    planes = streams.planes(
        operations=bytes([0, MODELLED | KEEP | MOVED | BOXED]),
        boxes=bytes([5, 6, 9, 7]),
        vectors=vectors((64, 0)) + b"\0",
        cache=bytes(2),
        modelled=modelled(80, b"anything"),
    )
    decoder.decode(Packet(1, 1, planes=planes).build())
    expected = before.copy()
    expected[:, :64] = before[:, 64:]
    expected[6:14, 5:15] = decoder.frame[6:14, 5:15]
    np.testing.assert_array_equal(decoder.frame, expected)
    # What was kept is what the tile held before the move.
    cached = streams.planes(operations=bytes([1, CACHED]), cache=bytes(2))
    decoder.decode(Packet(1, 2, planes=cached).build())
    np.testing.assert_array_equal(decoder.frame[:, 64:], before[:, :64])
