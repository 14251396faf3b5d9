"""Whatever happens to packets on their way, the viewer never shows a wrong pixel.

After every fault: only `RemoteProtocolError`, the last good frame byte for byte, every packet refused until a
later keyframe, and with that the picture is exact again.
"""

from dataclasses import replace

import apart
import numpy as np
import pytest
from packets import PALETTE, Packet, Streams, keyframe, parse, seal
from pictures import Frame, assert_shows, desktop, noise, shown

from fastframe import Decoder, Encoder, EncoderConfig, Limits, RemoteProtocolError


def numbered(packet: bytes, epoch: int) -> bytes:
    """The same packet in another epoch."""
    return replace(parse(packet), epoch=epoch).build()


class Viewer:
    """A decoder in the middle of an epoch, into which a test throws one bad packet after the other.

    `chain` is a keyframe and the packets that follow it, `frames` what each of them shows.
    """

    def __init__(self, frames: list[Frame]) -> None:
        # Each epoch begins with an empty cache: a small one is soon made.
        self.limits = Limits(max_cache_slots=16)
        encoder = Encoder(EncoderConfig(limits=self.limits))
        self.frames = frames
        self.chain = [encoder.encode(frame) for frame in frames]
        self.decoder = Decoder(self.limits)
        self.epoch = 0
        self.position = 0

    def go_to(self, position: int) -> None:
        """Begins a new epoch and shows the first frames of the chain."""
        self.epoch += 1
        for packet in self.chain[:position]:
            self.decoder.decode(numbered(packet, self.epoch))
        self.position = position

    def packet(self, position: int) -> bytes:
        """A packet of the chain, as it is in the epoch now."""
        return numbered(self.chain[position], self.epoch)

    def assert_refuses(self, packet: bytes) -> None:
        """The packet is refused, and so is the one that would have been right."""
        before = self.decoder.frame.tobytes()
        with pytest.raises(RemoteProtocolError):
            self.decoder.decode(packet)
        assert self.decoder.frame.tobytes() == before
        if self.position < len(self.chain):
            with pytest.raises(RemoteProtocolError):
                self.decoder.decode(self.packet(self.position))
            assert self.decoder.frame.tobytes() == before

    def assert_recovers(self) -> None:
        """A keyframe of a later epoch brings all of it back."""
        self.go_to(0)
        for packet, frame in zip(self.chain, self.frames, strict=True):
            self.decoder.decode(numbered(packet, self.epoch))
            assert_shows(self.decoder, frame)


@pytest.fixture
def viewer() -> Viewer:
    """A chain of four small pictures."""
    frames = [desktop(70, 21, 1), desktop(70, 21, 2), noise(70, 21), desktop(70, 21, 3)]
    frames[2][:15] = frames[1][:15]
    return Viewer(frames)


# -- damage ----------------------------------------------------------------------------------------


def test_a_packet_cut_anywhere_is_refused(viewer: Viewer) -> None:
    for position in (0, 1, 3):
        for length in range(len(viewer.chain[position])):
            viewer.go_to(max(position, 1))
            viewer.assert_refuses(viewer.packet(position)[:length])
    viewer.assert_recovers()


def test_a_packet_cut_anywhere_and_sealed_again_is_refused(viewer: Viewer) -> None:
    for position in (0, 1, 3):
        body = len(viewer.chain[position]) - 4
        for length in range(body):
            viewer.go_to(max(position, 1))
            packet = viewer.packet(position) if position else numbered(viewer.chain[0], viewer.epoch + 1)
            viewer.assert_refuses(seal(packet[:length]))
    viewer.assert_recovers()


def flipped(packet: bytes, bit: int) -> bytes:
    changed = bytearray(packet)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_single_flipped_bits_are_refused(viewer: Viewer) -> None:
    random = np.random.default_rng(0)
    for position in range(4):
        bits = len(viewer.chain[position]) * 8
        # Every bit of the header and of the CRC, and some of those between.
        chosen = {*range(min(bits, 200)), *range(bits - 32, bits), *random.integers(0, bits, 300).tolist()}
        for bit in sorted(chosen):
            viewer.go_to(max(position, 1))
            viewer.assert_refuses(flipped(viewer.packet(position), bit))
    viewer.assert_recovers()


@pytest.mark.slow
def test_100_000_flipped_bits_of_real_packets_are_refused(clip_frames: tuple[Frame, ...]) -> None:
    """Each of them in a decoder that is alive and to which the packet, but for the bit, comes next."""
    parts = [(0, 0), (300, 600), (200, 300), (420, 900), (600, 700)]
    viewers = [
        Viewer([frame[y : y + 160, x : x + 256] for frame in (clip_frames[0], clip_frames[-1])]) for y, x in parts
    ]
    # What comes next in a decoder that shows the first picture: a keyframe of a later epoch, or the second packet.
    following = [(numbered(viewer.chain[0], 2), viewer.chain[1]) for viewer in viewers]
    first = [shown(viewer.frames[0]).tobytes() for viewer in viewers]
    flips = [
        (viewer, picture, packet, bit)
        for viewer, picture, packets in zip(viewers, first, following, strict=True)
        for packet in packets
        for bit in range(len(packet) * 8)
    ]
    chosen = np.random.default_rng(0).choice(len(flips), 100_000, replace=False)
    refused = 0
    for number in chosen.tolist():
        viewer, picture, packet, bit = flips[number]
        decoder = Decoder(viewer.limits)  # which takes less than to give packets other numbers
        decoder.decode(viewer.chain[0])
        try:
            decoder.decode(flipped(packet, bit))
        except RemoteProtocolError:
            refused += 1
        assert decoder.frame.tobytes() == picture
    assert refused == 100_000


def test_other_bytes_are_refused(viewer: Viewer) -> None:
    random = np.random.default_rng(0)
    good = viewer.chain[1]
    others = [
        b"",
        b"\0",
        bytes(9),
        bytes(1000),
        b"\xff" * 9,
        b"\xff" * 1000,
        b"\xf1" * 9,
        b"\xf1\x01\x00" * 99,
    ]
    others += [random.bytes(int(length)) for length in random.integers(0, 400, 200)]
    others += [b"\xf1" + random.bytes(int(length)) for length in random.integers(0, 400, 100)]
    others += [seal(b"\xf1" + random.bytes(int(length))) for length in random.integers(0, 400, 300)]
    others += [good + b"\0", b"\0" + good, good + good, good[1:], good[::-1], good[:-4]]
    for other in others:
        viewer.go_to(1)
        viewer.assert_refuses(other)
    viewer.assert_recovers()


# -- order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", range(1, 4))
@pytest.mark.parametrize("shown", range(1, 4))
def test_a_packet_at_another_place_is_refused(viewer: Viewer, shown: int, later: int) -> None:
    """Replayed (again, or from longer ago), lost before it, or out of order: all but the next one."""
    if later == shown:
        viewer.go_to(shown)
        viewer.decoder.decode(viewer.packet(shown))
        assert_shows(viewer.decoder, viewer.frames[shown])
        return
    viewer.go_to(shown)
    viewer.assert_refuses(viewer.packet(later))
    viewer.assert_recovers()


def test_a_replayed_keyframe_is_refused(viewer: Viewer) -> None:
    for age in (0, 1, 2, 2**31):
        viewer.go_to(3)
        viewer.assert_refuses(numbered(viewer.chain[0], (viewer.epoch - age) % 2**32))
    viewer.assert_recovers()


def test_while_it_waits_a_replayed_keyframe_does_not_bring_back_the_past(viewer: Viewer) -> None:
    viewer.go_to(3)
    viewer.assert_refuses(b"noise")
    viewer.assert_refuses(viewer.packet(0))
    viewer.assert_recovers()


@pytest.mark.parametrize("step", [-1, 1, 2**31, 2**32 - 1])
def test_packets_of_another_epoch_are_refused(viewer: Viewer, step: int) -> None:
    viewer.go_to(1)
    viewer.assert_refuses(numbered(viewer.chain[1], (viewer.epoch + step) % 2**32))
    viewer.assert_recovers()


def test_a_packet_of_another_encoder_with_the_same_numbers_is_found_out_by_the_hash() -> None:
    ours, theirs, decoder = Encoder(), Encoder(), Decoder()
    frame, other = desktop(149, 101, 1), desktop(149, 101, 2)
    decoder.decode(ours.encode(frame))
    theirs.encode(other)
    refused = 0
    for step in range(100):
        ours.encode(frame)
        other[step % 101] ^= 1
        try:
            decoder.decode(theirs.encode(other))
        except RemoteProtocolError:
            refused += 1
    assert refused
    decoder.decode(ours.encode(frame, keyframe=True))
    assert_shows(decoder, frame)


def test_before_the_first_keyframe_every_other_packet_is_refused(viewer: Viewer) -> None:
    decoder = Decoder()
    for packet in viewer.chain[1:]:
        with pytest.raises(RemoteProtocolError, match="waiting for a keyframe"):
            decoder.decode(packet)
    decoder.decode(viewer.chain[0])
    assert_shows(decoder, viewer.frames[0])


# -- the frame hash --------------------------------------------------------------------------------


def test_a_wrong_hash_of_a_keyframe_leaves_the_last_good_frame(viewer: Viewer) -> None:
    viewer.go_to(2)
    fields = parse(viewer.chain[0])
    assert fields.frame_hash is not None
    for bit in (0, 31, 63):
        bad = replace(fields, epoch=viewer.epoch + 1, frame_hash=fields.frame_hash ^ 1 << bit).build()
        viewer.assert_refuses(bad)
        # The number of an epoch that was refused is still free.
        viewer.go_to(2)
        assert_shows(viewer.decoder, viewer.frames[1])
    viewer.assert_recovers()


def test_a_wrong_hash_leaves_the_last_good_frame(viewer: Viewer) -> None:
    for position in (1, 2, 3):
        viewer.go_to(position)
        viewer.assert_refuses(replace(parse(viewer.packet(position)), frame_hash=12345).build())
    viewer.assert_recovers()


def test_a_wrong_hash_leaves_the_figures_of_the_last_good_packet(viewer: Viewer) -> None:
    for position in (1, 2, 3):
        viewer.go_to(position)
        stats, tile_map = viewer.decoder.stats, viewer.decoder.tile_map()
        viewer.assert_refuses(replace(parse(viewer.packet(position)), frame_hash=12345).build())
        assert viewer.decoder.stats == stats
        np.testing.assert_array_equal(viewer.decoder.tile_map().modes, tile_map.modes)
        np.testing.assert_array_equal(viewer.decoder.tile_map().cost, tile_map.cost)


def test_a_wrong_hash_is_found_even_when_nothing_changed(viewer: Viewer) -> None:
    viewer.go_to(1)
    viewer.assert_refuses(Packet(viewer.epoch, 1, frame_hash=0).build())
    viewer.assert_recovers()


# -- a fault in zstd's streams ---------------------------------------------------------------------


def test_a_plane_that_another_one_lets_down_is_not_used_any_more() -> None:
    """The first plane is read well, the second one is not: the first one's history has moved on in vain."""
    encoder, decoder = Encoder(), Decoder()
    first, second = desktop(149, 101, 1), desktop(149, 101, 2)
    decoder.decode(encoder.encode(first))
    good = encoder.encode(second)
    fields = parse(good)
    number = max(fields.planes)
    size, data = fields.planes[number]
    planes = fields.planes | {number: (size, b"\xff" * len(data))}
    with pytest.raises(RemoteProtocolError, match="zstd"):
        decoder.decode(replace(fields, planes=planes).build())
    for packet in (good, encoder.encode(first)):
        with pytest.raises(RemoteProtocolError, match="waiting for a keyframe"):
            decoder.decode(packet)
    assert_shows(decoder, first)


def test_any_order_of_a_real_chain_shows_only_frames_that_were_sent(clip_frames: tuple[Frame, ...]) -> None:
    frames = [np.ascontiguousarray(frame[:256, :400]) for frame in clip_frames]
    encoder = Encoder()
    packets = [encoder.encode(frame, keyframe=number % 4 == 0) for number, frame in enumerate(frames)]
    sent = {}
    for frame in frames:
        opaque = frame.copy()
        opaque[..., 3] = 255
        sent[opaque.tobytes()] = True
    random, decoder = np.random.default_rng(0), Decoder()
    refused = 0
    for _ in range(20):
        decoder = Decoder()
        decoder.decode(packets[0])
        for number in random.integers(0, len(packets), 40):
            try:
                decoder.decode(packets[number])
            except RemoteProtocolError:
                refused += 1
            assert decoder.frame.tobytes() in sent
    assert refused


def test_another_stream_in_the_same_place_is_harmless_or_refused() -> None:
    """Everything about the packet is right but what its planes refer to: the history of another stream."""
    decoder, streams = Decoder(), Streams()
    decoder.decode(keyframe((64, 64), operations=bytes([0, PALETTE]), colours=b"\0", indices=bytes(4096)))
    planes = streams.planes(operations=bytes([0, PALETTE]), colours=b"\0", indices=bytes(range(256)) * 16)
    other = Packet(1, 1, planes=planes)
    with pytest.raises(RemoteProtocolError):
        decoder.decode(other.build())
    assert_shows(decoder, np.zeros((64, 64, 4), np.uint8))
    decoder.decode(Encoder(EncoderConfig(first_epoch=2)).encode(desktop(64, 64)))
    assert_shows(decoder, desktop(64, 64))


# -- no memory -------------------------------------------------------------------------------------


@apart.measures_memory
def test_running_out_of_memory_is_an_error_of_ours_and_never_a_wrong_picture() -> None:
    outcome = apart.run(
        """
        import resource

        def mapped():
            return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()

        def attempt(call, room):
            resource.setrlimit(resource.RLIMIT_AS, (mapped() + room, resource.RLIM_INFINITY))
            try:
                call()
                return "done"
            except BaseException as error:
                return "ours" if isinstance(error, ff.FastframeError) else type(error).__name__
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)

        MIB, outcomes, wrong = 2**20, [], 0
        frames = [pictures.noise(900, 700, seed) for seed in range(2)] + [pictures.desktop(900, 700)]
        for room in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24):
            encoder, decoder = ff.Encoder(), ff.Decoder()
            small = frames[2][:100, :100]
            decoder.decode(encoder.encode(small))
            keyframe = encoder.encode(frames[2])
            outcomes.append(attempt(lambda: decoder.decode(keyframe), room * MIB))
            shown = decoder.frame[..., :3]
            wrong += not (np.array_equal(shown, small[..., :3]) or np.array_equal(shown, frames[2][..., :3]))

            decoder.decode(encoder.encode(frames[2], keyframe=True))
            noisy = encoder.encode(frames[0])
            outcomes.append(attempt(lambda: decoder.decode(noisy), room * MIB))
            if outcomes[-1] != "done":
                # Trying again is refused, or it is right; so is what follows.
                for packet in (noisy, encoder.encode(frames[1])):
                    try:
                        decoder.decode(packet)
                    except ff.RemoteProtocolError:
                        pass
                    shown = decoder.frame[..., :3]
                    wrong += not any(np.array_equal(shown, frame[..., :3]) for frame in frames)

            encoder = ff.Encoder()
            outcomes.append(attempt(lambda: encoder.encode(frames[0]), room * MIB))
            decoder = ff.Decoder()
            decoder.decode(encoder.encode(frames[2], keyframe=True))
            wrong += not np.array_equal(decoder.frame[..., :3], frames[2][..., :3])
        report([outcomes, wrong])
        """
    )
    outcomes, wrong = outcome
    assert wrong == 0
    assert set(outcomes) == {"done", "ours"}
