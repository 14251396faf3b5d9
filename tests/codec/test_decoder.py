"""The decoder's manners: what it takes, what it gives, and what it says before, between and after packets."""

import array
import sys
import threading
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np
import pytest
from packets import (
    BOXED,
    CACHED,
    DIFFERENCE,
    MOVED,
    NEW_COLOURS,
    PALETTE,
    SOLID,
    XOR,
    Packet,
    Streams,
    keyframe,
    parse,
    seal,
    slots,
    varint,
    vectors,
)
from pictures import Frame, assert_shows, desktop, noise

from fastframe import (
    Decoder,
    Encoder,
    EncoderConfig,
    FrameUpdate,
    Limits,
    LocalProtocolError,
    Rect,
    RemoteProtocolError,
)

FRAME = desktop(149, 101)


def black(width: int, height: int) -> Frame:
    return np.zeros((height, width, 4), np.uint8)


# -- before, between and after packets ----------------------------------------------------------------


def test_before_the_first_keyframe_there_is_nothing_to_show() -> None:
    decoder = Decoder()
    assert decoder.stats is None
    with pytest.raises(LocalProtocolError, match="no frame yet"):
        _ = decoder.frame
    with pytest.raises(LocalProtocolError, match="no tile map yet"):
        decoder.tile_map()
    with pytest.raises(RemoteProtocolError):
        decoder.decode(b"")
    with pytest.raises(LocalProtocolError, match="no frame yet"):
        _ = decoder.frame


def test_updates_tell_what_happened() -> None:
    encoder, decoder = Encoder(EncoderConfig(first_epoch=5)), Decoder()
    assert decoder.decode(encoder.encode(FRAME)) == FrameUpdate(5, 0, True, (Rect(0, 0, 149, 101),), True)
    assert decoder.decode(encoder.encode(FRAME)) == FrameUpdate(5, 1, False, (), True)
    changed = FRAME.copy()
    changed[70:75, 100:110, 0] ^= 1
    assert decoder.decode(encoder.encode(changed)) == FrameUpdate(5, 2, False, (Rect(100, 70, 10, 5),), True)


def test_the_frame_is_a_read_only_view_that_follows_the_packets() -> None:
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(encoder.encode(FRAME))
    view = decoder.frame
    assert view.shape == (101, 149, 4)
    assert view.dtype == np.uint8
    assert view.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        view.flags.writeable = True
    kept = view.copy()
    changed = FRAME.copy()
    changed[5, 5, 0] ^= 1
    decoder.decode(encoder.encode(changed))
    assert_shows(decoder, changed)
    decoder.decode(encoder.encode(255 - FRAME, keyframe=True))
    # What was fetched before a keyframe never mixes two epochs.
    kept[5, 5, 0] ^= 1
    np.testing.assert_array_equal(view, kept)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_any_bytes_like_object_is_a_packet(wrap: Any) -> None:
    encoder, decoder = Encoder(), Decoder()
    for seed in range(3):
        frame = desktop(149, 101, seed)
        decoder.decode(wrap(encoder.encode(frame)))
        assert_shows(decoder, frame)


def test_a_packet_may_be_overwritten_after_the_call() -> None:
    encoder, decoder = Encoder(), Decoder()
    for seed in range(4):
        frame = (desktop if seed % 2 else noise)(149, 101, seed)
        packet = bytearray(encoder.encode(frame))
        decoder.decode(packet)
        packet[:] = b"\xaa" * len(packet)
        packet.clear()
        assert_shows(decoder, frame)


def released() -> memoryview:
    view = memoryview(b"0123456789abcdef")
    view.release()
    return view


NO_PACKETS: dict[str, Any] = {
    "nothing": None,
    "text": "packet",
    "a number": 7,
    "a list": [0xF1, 0],
    "an object": object(),
    "an array of times": np.array(["2020-01-01"], "datetime64[D]"),
    "every second byte": memoryview(bytes(40))[::2],
    "columns first": np.asfortranarray(np.zeros((4, 4), np.uint8)),
    "a released view": released(),
}


@pytest.mark.parametrize("kind", NO_PACKETS)
def test_what_is_no_packet_is_refused_and_harms_nothing(kind: str) -> None:
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(encoder.encode(FRAME))
    with pytest.raises(LocalProtocolError) as caught:
        decoder.decode(NO_PACKETS[kind])
    assert isinstance(caught.value, ValueError)
    # It was this side's mistake: the chain goes on.
    assert decoder.decode(encoder.encode(255 - FRAME)).sequence == 1
    assert_shows(decoder, 255 - FRAME)


def test_a_buffer_of_larger_items_is_taken_for_its_bytes() -> None:
    frames = (desktop(149, 101, seed) for seed in range(100))
    frame, packet = next((frame, packet) for frame in frames if len(packet := Encoder().encode(frame)) % 4 == 0)
    decoder = Decoder()
    decoder.decode(memoryview(array.array("I", packet)))
    assert_shows(decoder, frame)


@pytest.mark.parametrize("limits", [5, {}, "none", (1, 2)])
def test_limits_of_a_wrong_type_are_refused(limits: Any) -> None:
    with pytest.raises(LocalProtocolError, match="limits"):
        Decoder(limits)


def test_a_second_thread_is_refused_while_the_first_one_decodes() -> None:
    encoder, decoder = Encoder(), Decoder()
    packet, following = encoder.encode(FRAME), encoder.encode(255 - FRAME)
    refused: list[LocalProtocolError] = []

    def intrude() -> None:
        try:
            decoder.decode(following)
        except LocalProtocolError as error:
            refused.append(error)

    def trace(frame: FrameType, _event: str, _argument: Any) -> None:
        # Called while the decoder parses the packet's header.
        if frame.f_code.co_name == "parse_header" and not refused:
            intruder = threading.Thread(target=intrude)
            intruder.start()
            intruder.join()

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        decoder.decode(packet)
    finally:
        sys.settrace(before)
    assert len(refused) == 1
    assert "thread" in str(refused[0])
    assert_shows(decoder, FRAME)
    decoder.decode(following)
    assert_shows(decoder, 255 - FRAME)


# -- what SPEC.md lets a packet do although no encoder does it -------------------------------------------


def test_a_keyframe_without_planes_is_black() -> None:
    decoder = Decoder()
    decoder.decode(Encoder().encode(FRAME))
    decoder.decode(Packet(2, 0, (70, 3)).build())
    assert_shows(decoder, black(70, 3))


def test_unused_flags_are_ignored() -> None:
    packet = Encoder().encode(FRAME)
    for flag in (0x08, 0x10, 0x20):
        fields = parse(packet)
        decoder = Decoder()
        decoder.decode(replace(fields, more_flags=fields.more_flags | flag).build())
        assert_shows(decoder, FRAME)


def test_varints_need_not_be_the_shortest() -> None:
    decoder = Decoder()
    size = (64).to_bytes(2, "little") * 2 + bytes(2)
    decoder.decode(seal(b"\xf1\x01" + varint(0, 5) + varint(2**32 - 1, 5) + varint(0, 5) + size))
    assert decoder.decode(seal(b"\xf1\x00" + varint(0, 4) + varint(2**32 - 1) + varint(1, 5))).sequence == 1


def test_a_stream_may_begin_with_any_epoch_and_go_on_with_any_later_one() -> None:
    for first, second, accepted in [
        (0, 1, True), (0, 2**31 - 1, True), (0, 2**31, False), (0, 2**32 - 1, False), (5, 5, False),
        (5, 4, False), (2**32 - 1, 0, True), (2**32 - 1, 2**31 - 2, True), (2**32 - 1, 2**31 - 1, False),
    ]:  # fmt: skip
        decoder = Decoder()
        decoder.decode(Packet(first, 0, (3, 2)).build())
        packet = Packet(second, 0, (5, 4)).build()
        if accepted:
            assert decoder.decode(packet).epoch == second
            assert decoder.frame.shape == (4, 5, 4)
        else:
            with pytest.raises(RemoteProtocolError, match="replayed"):
                decoder.decode(packet)
            assert decoder.frame.shape == (2, 3, 4)


def test_colours_enter_the_tables_in_order_and_stay() -> None:
    decoder, streams = Decoder(), Streams()
    planes = streams.planes(
        # No new colours; then slot 7 of table 3 twice, the later one counts; then slot 7 again; then that of table 4.
        operations=bytes([0, SOLID | NEW_COLOURS, 0, SOLID | NEW_COLOURS, 0, SOLID, 0, SOLID]),
        colours=bytes([3, 0, 200]) + bytes([3, 2, 7, 1, 2, 3, 7, 4, 5, 6, 7]) + bytes([3, 7]) + bytes([4, 7]),
    )
    decoder.decode(Packet(1, 0, (256, 64), planes=planes).build())
    expected = black(256, 64)
    expected[:, 64:192, :3] = (4, 5, 6)
    assert_shows(decoder, expected)
    planes = streams.planes(operations=bytes([0, SOLID]), colours=bytes([3, 7]))
    decoder.decode(Packet(1, 1, planes=planes).build())
    expected[:, :64, :3] = (4, 5, 6)
    assert_shows(decoder, expected)
    # A new epoch forgets them.
    decoder.decode(keyframe((256, 64), 2, operations=bytes([0, SOLID]), colours=bytes([3, 7])))
    assert_shows(decoder, black(256, 64))


def test_every_table_has_256_slots_of_its_own() -> None:
    decoder, streams = Decoder(), Streams()
    random = np.random.default_rng(0)
    tables = random.integers(0, 256, (16, 256, 3), np.uint8)
    index = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    colours = bytearray()
    for number, table in enumerate(tables):
        # 255 colours are announced at once, and slot 0 by another tile.
        announced = range(255, 0, -1) if number < 8 else range(255)
        entries = b"".join(bytes([slot, *table[slot]]) for slot in announced)
        rest = 0 if number < 8 else 255
        colours += bytes([number, 255]) + entries + bytes([number, 1, rest, *table[rest], rest])
    operations = bytes([0, PALETTE | NEW_COLOURS, 0, SOLID | NEW_COLOURS]) * 16
    planes = streams.planes(operations=operations, colours=bytes(colours), indices=index.tobytes() * 16)
    decoder.decode(Packet(1, 0, (64 * 32, 64), planes=planes).build())
    # Now that all slots are known, each tile again, in the tables' opposite order.
    planes = streams.planes(
        operations=bytes([0, PALETTE, 0, SOLID]) * 16,
        colours=b"".join(bytes([number, number, 255]) for number in range(15, -1, -1)),
        indices=index.tobytes() * 16,
    )
    decoder.decode(Packet(1, 1, planes=planes).build())
    expected = black(64 * 32, 64)
    for place, table in enumerate(tables[::-1]):
        expected[:, place * 128 : place * 128 + 64, :3] = table[index]
        expected[:, place * 128 + 64 : place * 128 + 128, :3] = table[255]
    assert_shows(decoder, expected)


def test_operations_may_run_around_the_end_of_the_frame_once() -> None:
    decoder = Decoder()
    # 3 x 2 tiles: tiles 4, 5, then 0 and 3.
    colours = bytes([0, 1, 1, 9, 9, 9, 1]) + bytes([0, 1, 0, 1, 0, 1])
    operations = bytes([4, SOLID | NEW_COLOURS, 0, SOLID, 0, SOLID, 2, SOLID])
    decoder.decode(keyframe((190, 100), operations=operations, colours=colours))
    expected = black(190, 100)
    expected[64:, :, :3] = 9
    expected[:64, :64, :3] = 9
    assert_shows(decoder, expected)


def test_boxes_change_nothing_around_them() -> None:
    random = np.random.default_rng(0)
    decoder, streams = Decoder(), Streams()
    decoder.decode(Packet(1, 0, (100, 90)).build())
    expected = black(100, 90)
    for sequence in range(1, 30):
        x, y, width, height = 3, 5, int(random.integers(1, 34)), int(random.integers(1, 22))
        count = width * height
        box = bytes([x, y, width - 1, height - 1])
        values = random.integers(0, 256, 3 * count, np.uint8)
        # The last tile, which is 36 x 26, by XOR: G, then B, then R.
        planes = streams.planes(operations=bytes([3, XOR | BOXED]), boxes=box, xor=values.tobytes())
        update = decoder.decode(Packet(1, sequence, planes=planes).build())
        area = expected[64 + y : 64 + y + height, 64 + x : 64 + x + width]
        area[..., [1, 0, 2]] ^= values.reshape(3, height, width).transpose(1, 2, 0)
        assert update.dirty == (Rect(64 + x, 64 + y, width, height),)
        assert_shows(decoder, expected)


@pytest.mark.parametrize("poison", [0x00, 0xFF])
def test_a_keyframe_shows_nothing_of_what_was_there_before(poison: int) -> None:
    decoder, encoder = Decoder(), Encoder()
    decoder.decode(encoder.encode(np.full((90, 100, 4), poison, np.uint8)))
    decoder.decode(encoder.encode(noise(100, 90, poison)))
    count = 36 * 26
    planes = {
        # The last tile is what the frame before the packet shows, and what the cache holds of an epoch that is over.
        "operations": bytes([0, SOLID, 0, CACHED, 0, PALETTE | BOXED, 0, DIFFERENCE | MOVED]),
        "boxes": bytes([1, 2, 9, 9]),
        "colours": bytes([15, 3, 7]),
        "indices": bytes(100),
        "green": b"\x80" + bytes(count - 1),
        "blue": b"\x80" + bytes(count - 1),
        "red": b"\x80" + bytes(count - 1),
        "vectors": vectors((-64, -64)) + b"\0",
        "cache": slots(511),
    }
    decoder.decode(keyframe((100, 90), 2, 512, **planes))
    assert_shows(decoder, black(100, 90))


# -- limits that are settings ---------------------------------------------------------------------------


def test_the_limits_are_inclusive() -> None:
    limits = Limits(max_width=149, max_height=101, max_pixels=149 * 101, max_window_log=22)
    packet = Encoder(EncoderConfig(limits=limits)).encode(FRAME)
    decoder = Decoder(replace(limits, max_packet_bytes=len(packet)))
    decoder.decode(packet)
    assert_shows(decoder, FRAME)


@pytest.mark.parametrize("window_log", [10, 15, 18, 20, 23])
def test_an_encoder_keeps_to_the_window_that_its_limits_name(window_log: int) -> None:
    limits = Limits(max_window_log=window_log)
    for effort in ("fast", "balanced", "tight"):
        encoder, decoder = Encoder(EncoderConfig(effort=effort, limits=limits)), Decoder(limits)
        for frame in (FRAME, noise(149, 101), FRAME):
            decoder.decode(encoder.encode(frame))
            assert_shows(decoder, frame)
