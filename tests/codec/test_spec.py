"""Two decoders of one format: the package's, and the one written from SPEC.md alone.

Both must show what the encoder saw, and both must refuse the same packets. Where they differ, the encoder, a
decoder or SPEC.md is wrong. The package does all of it on each instruction set of this machine, and the same; the slow
decoder once.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import cycle
from typing import Any, TypeVar

import numpy as np
import packets
import pytest
from drawn_scenes import Scene, Shot, Step, scenes, sizes
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from programs import SLOTS, Mutation, Program, mutations, programs
from spec_decoder import SpecDecoder, SpecError, Update

from fastframe import Decoder, Encoder, EncoderConfig, FrameUpdate, Limits, _core
from fastframe.codec import PLANES
from fastframe.errors import RemoteProtocolError

Frame = NDArray[np.uint8]
T = TypeVar("T")

EFFORTS = ("fast", "balanced", "tight")
# The second decoder takes a tenth of a millisecond for a modelled pixel: fewer of them, and fewer examples.
FEWER = settings(max_examples=settings().max_examples // 6)
# Both decoders with the same limits, so that a mutated size is refused by both or by none.
MAX_PIXELS, MAX_SLOTS = 1 << 21, 512


def on_each_isa(call: Callable[[int], T]) -> list[T]:
    """What a call returns on each instruction set; it is given the set's number."""
    before = _core.isa()
    results = []
    try:
        for number, name in enumerate(_core.available_isas()):
            _core.force_isa(name)
            results.append(call(number))
    finally:
        _core.force_isa(before)
    return results


class BothDecoders:
    """Gives every packet to both decoders and holds them to the same answer."""

    def __init__(self) -> None:
        limits = Limits(max_width=65535, max_height=65535, max_pixels=MAX_PIXELS, max_cache_slots=MAX_SLOTS)
        self.decoders = on_each_isa(lambda _: Decoder(limits))
        self.spec = SpecDecoder(MAX_PIXELS, MAX_SLOTS)

    def decode(self, packet: bytes) -> FrameUpdate | None:
        """What the packet did; `None` if both refused it."""
        try:
            said = self.spec.decode(packet)
        except SpecError:
            on_each_isa(lambda number: self._refuse(self.decoders[number], packet))
            return None
        return on_each_isa(lambda number: self._decode(self.decoders[number], packet, said))[0]

    def assert_shows(self, pixels: Frame) -> None:
        for decoder in self.decoders:
            np.testing.assert_array_equal(decoder.frame, pixels)

    def _refuse(self, decoder: Decoder, packet: bytes) -> None:
        with pytest.raises(RemoteProtocolError):
            decoder.decode(packet)
        if self.spec.frame is not None:
            np.testing.assert_array_equal(decoder.frame, self.spec.frame)

    def _decode(self, decoder: Decoder, packet: bytes, said: Update) -> FrameUpdate:
        before = None if said.keyframe else decoder.frame.copy()
        update = decoder.decode(packet)
        assert (update.epoch, update.sequence) == (said.epoch, said.sequence)
        assert (update.keyframe, update.complete) == (said.keyframe, said.complete)
        np.testing.assert_array_equal(decoder.frame, self.spec.frame)
        if before is not None:
            for x, y, width, height in update.dirty:
                before[y : y + height, x : x + width] = decoder.frame[y : y + height, x : x + width]
            np.testing.assert_array_equal(before, decoder.frame, "changed outside of `dirty`")
        return update


def encode(encoder: Encoder, shot: Shot) -> bytes:
    return encoder.encode(shot.frame, damage=shot.damage, keyframe=shot.keyframe, budget=shot.budget)


def show(shots: Iterable[Shot], *efforts: str) -> None:
    """Take every frame through encoder and decoders, and compare what the viewer sees with the source.

    Each frame has the next of the efforts; after the last one comes the first.
    """
    encoders = on_each_isa(lambda _: Encoder(EncoderConfig(effort=efforts[0])))
    viewer = BothDecoders()

    def send(shot: Shot) -> bool:
        """Whether the frame is complete."""
        packet, *others = on_each_isa(lambda number: encode(encoders[number], shot))
        assert all(other == packet for other in others)
        update = viewer.decode(packet)
        assert update is not None
        if update.complete:
            viewer.assert_shows(shot.shown)
        return update.complete

    shot = None
    complete = True
    for shot, effort in zip(shots, cycle(efforts), strict=False):
        for encoder in encoders:
            encoder.effort = effort
        complete = send(shot)
    assert shot is not None
    assert complete or send(Shot(shot.frame, [], False, None))


# Windows that come back, and pages that scroll: every effort finds tiles to keep and to copy in these.
REOPENED = Scene((200, 160), "text", 1, "packed", tuple(Step("open_window", seed, pause=5) for seed in (11, 1, 11, 1)))
SCROLLED = Scene((200, 160), "photograph", 2, "packed", tuple(Step("scroll_anywhere", seed) for seed in range(5)))
PANNED = Scene((200, 160), "photograph", 3, "packed", tuple(Step("pan", seed) for seed in range(5)))
# The same through the model, with fewer pixels; there are still tiles to keep and to copy.
SMALL_REOPENED = replace(REOPENED, size=(100, 70))
SMALL_SCROLLED = replace(SCROLLED, size=(100, 70), steps=SCROLLED.steps[:3])


@given(scene=scenes(), effort=st.sampled_from(["fast", "balanced"]))
@example(REOPENED, "fast")
@example(REOPENED, "balanced")
@example(SCROLLED, "fast")
@example(SCROLLED, "balanced")
@example(PANNED, "balanced")
def test_the_viewer_sees_the_source(scene: Scene, effort: str) -> None:
    show(scene.play(), effort)


@FEWER
@given(scene=scenes(max_pixels=1 << 11, max_steps=4))
@example(SMALL_REOPENED)
@example(SMALL_SCROLLED)
def test_the_viewer_sees_the_source_through_the_model(scene: Scene) -> None:
    show(scene.play(), "tight")


@FEWER
@given(
    scene=scenes(max_pixels=1 << 11, max_steps=6), efforts=st.lists(st.sampled_from(EFFORTS), min_size=2, max_size=4)
)
@example(SMALL_REOPENED, ["balanced", "tight"])
@example(SMALL_SCROLLED, ["tight", "fast"])
def test_the_viewer_sees_the_source_while_the_effort_changes(scene: Scene, efforts: list[str]) -> None:
    show(scene.play(), *efforts)


@pytest.mark.parametrize("effort", EFFORTS)
def test_the_viewer_sees_a_recorded_screen(clip_frames: tuple[Frame, ...], effort: str) -> None:
    frames = [frame[100:190, 300:500] for frame in clip_frames] if effort == "tight" else clip_frames[:6]
    show((Shot(frame, None, False, None) for frame in frames), effort)


@pytest.mark.parametrize("budget", [1, 500, 20_000])
def test_a_recorded_screen_arrives_bit_by_bit(clip_frames: tuple[Frame, ...], budget: int) -> None:
    show((Shot(frame, None, False, budget) for frame in clip_frames[3:6]), "balanced")


# What the encoder never does, and what it must not do -------------------------------------------------


@given(size=sizes(), slots=SLOTS, program=st.lists(programs(), min_size=1, max_size=4))
def test_both_draw_what_the_format_allows(size: tuple[int, int], slots: int, program: list[Program]) -> None:
    """Modes, flags, boxes, colours, moves and slots in combinations that no encoder has a reason for."""
    viewer, streams = BothDecoders(), packets.Streams()
    for sequence, part in enumerate(program):
        packet = packets.Packet(1, sequence, None if sequence else size, slots=slots)
        packet.planes = streams.planes(**part.planes(size, slots))
        assert viewer.decode(packet.build()) is not None


@given(
    size=sizes(),
    slots=SLOTS,
    first=programs(),
    program=programs(),
    plane=st.sampled_from(PLANES),
    mutation=mutations(),
)
def test_both_refuse_the_same_planes(
    size: tuple[int, int], slots: int, first: Program, program: Program, plane: str, mutation: Mutation
) -> None:
    """Good operations, then some with one byte changed, added or missing in one plane."""
    viewer, streams = BothDecoders(), packets.Streams()
    planes = streams.planes(**first.planes(size, slots))
    assert viewer.decode(packets.Packet(1, 0, size, planes=planes, slots=slots).build()) is not None
    raw = program.planes(size, slots)
    raw[plane] = mutation.apply(raw.get(plane, b""))
    viewer.decode(packets.Packet(1, 1, planes=streams.planes(**raw)).build())


@given(
    scene=scenes(max_pixels=4096, max_steps=3),
    at=st.integers(0, 3),
    changes=st.lists(mutations(), min_size=1, max_size=3),
)
def test_both_refuse_the_same_packets(scene: Scene, at: int, changes: list[Mutation]) -> None:
    """One packet of a stream with changed bytes and a good CRC, and all the packets after it."""
    encoder, viewer = Encoder(), BothDecoders()
    for number, shot in enumerate(scene.play()):
        packet = encode(encoder, shot)
        if number == min(at, len(scene.steps)):
            body = packet[:-4]
            for change in changes:
                body = change.apply(body)
            packet = packets.seal(body)
        viewer.decode(packet)
    viewer.decode(encoder.encode(shot.frame, keyframe=True))


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "epoch": st.integers(0, 3) | st.sampled_from([2**31, 2**31 + 1, 2**32 - 1, 2**32]),
        "sequence": st.integers(0, 4) | st.sampled_from([2**32 - 1, 2**32]),
        "size": st.none() | st.tuples(st.integers(0, 300), st.integers(0, 300)) | st.just((65535, 65535)),
        "slots": st.integers(0, 3) | st.sampled_from([MAX_SLOTS, MAX_SLOTS + 1, 65535]),
        "frame_hash": st.none() | st.integers(0, 2**64 - 1),
        "more_flags": st.integers(0, 255),
        "more_planes": st.sampled_from([0, 1, 128, 512, 1024, 2**31, 2**32]),
        "mark": st.sampled_from([0xF1, 0xF0, 0x01, 0xFF]),
    },
)


@given(scene=scenes(max_pixels=4096, max_steps=3), at=st.integers(0, 3), fields=FIELDS)
def test_both_refuse_the_same_fields(scene: Scene, at: int, fields: dict[str, Any]) -> None:
    """One packet of a stream with other fields in its header, and all the packets after it."""
    encoder, viewer = Encoder(), BothDecoders()
    for number, shot in enumerate(scene.play()):
        packet = encode(encoder, shot)
        if number == min(at, len(scene.steps)):
            packet = replace(packets.parse(packet), **fields).build()
        viewer.decode(packet)
    viewer.decode(encoder.encode(shot.frame, keyframe=True))
