"""Invariant: any bytes give a frame or a RemoteProtocolError, and a refused packet changes nothing.

A plain mutation fuzzer. It cuts real packets to pieces and joins them again, at every level: bytes, fields,
zstd streams, and the planes below them, with a CRC that is right again. FASTFRAME_FUZZ is the number of
packets it makes (8000 if unset), FASTFRAME_FUZZ_SEED where it begins. Under the sanitizers it finds what
Python does not see.
"""

import os
from collections import Counter
from dataclasses import replace

import numpy as np
from packets import Packet, Streams, keyframe, parse, seal, varint
from pictures import desktop, noise

from fastframe import Decoder, Encoder, Limits, RemoteProtocolError
from fastframe.codec import PLANES

ITERATIONS = int(os.environ.get("FASTFRAME_FUZZ", "8000"))
SEED = int(os.environ.get("FASTFRAME_FUZZ_SEED", "0"))
LIMITS = Limits(max_width=300, max_height=300, max_pixels=40_000, max_packet_bytes=50_000)

# What breaks parsers: nothing, one, signs, ends of ranges, tile sizes.
BYTES = (0, 1, 2, 3, 4, 5, 15, 16, 0x1F, 0x3F, 63, 64, 127, 128, 254, 255)


def seeds() -> list[bytes]:
    """Packets whose zstd streams begin with them, so that they are good at the beginning of any epoch."""
    frames = [desktop(149, 101, 1), desktop(149, 101, 2), noise(149, 101), desktop(70, 130)]
    sparse = np.zeros_like(frames[0])
    sparse[::9, ::7] = frames[2][::9, ::7]
    encoder = Encoder()
    whole = [encoder.encode(frame, keyframe=True) for frame in [*frames, sparse]]
    return whole + [encoder.encode(frame, keyframe=True, budget=900) for frame in frames[:3]]


class Fuzzer:
    """Makes packets out of packets."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.seeds = seeds()

    def below(self, limit: int) -> int:
        return int(self.random.integers(limit))

    def mangled(self, data: bytes) -> bytes:
        """The bytes with one to four changes."""
        out = bytearray(data)
        for _ in range(1 + self.below(4)):
            at = self.below(len(out) + 1)
            match self.below(7):
                case 0 if at < len(out):
                    out[at] ^= 1 << self.below(8)
                case 1 if at < len(out):
                    out[at] = BYTES[self.below(len(BYTES))]
                case 2:
                    out[at:at] = bytes([BYTES[self.below(len(BYTES))]]) * (1 + self.below(4))
                case 3:
                    del out[at : at + 1 + self.below(8)]
                case 4:
                    del out[at:]
                case 5:
                    out[at : at + 4] = self.random.bytes(4)
                case _:
                    start = self.below(len(out) + 1)
                    out[at:at] = out[start : start + self.below(64)]
        return bytes(out)

    def packet(self, epoch: int, sequence: int) -> bytes:
        """A packet that could come next, and that is wrong in one way or another."""
        seed = self.seeds[self.below(len(self.seeds))]
        fields = parse(seed)
        new = self.below(2) == 1
        fields = replace(
            fields,
            epoch=epoch + new,
            sequence=0 if new else sequence,
            size=(fields.size or (149, 101)) if new else None,
            frame_hash=fields.frame_hash if self.below(3) == 0 else None,
        )
        match self.below(6):
            case 0:
                return self.mangled(seed)
            case 1:
                return seal(self.mangled(fields.build()[:-4]))
            case 2:
                # A field that matters, set to something that matters.
                sides = (BYTES[self.below(16)], BYTES[self.below(16)] + 256 * self.below(2))
                fields = replace(fields, size=sides if new else None, more_flags=BYTES[self.below(16)])
                number = self.below(8)
                declared = [0, 1, 2**7, 2**14, 2**31, 2**32 - 1][self.below(6)]
                data = fields.planes.get(number, (0, b""))[1]
                return replace(fields, planes=fields.planes | {number: (declared, data)}).build()
            case 3:
                # One plane's stream, mangled or from another packet.
                if not fields.planes:
                    return fields.build()
                number = list(fields.planes)[self.below(len(fields.planes))]
                other = parse(self.seeds[self.below(len(self.seeds))]).planes
                size, data = other.get(number, fields.planes[number])
                return replace(fields, planes=fields.planes | {number: (size, self.mangled(data))}).build()
            case 4:
                return self.program(fields)
            case _:
                return fields.build()

    def program(self, fields: Packet) -> bytes:
        """Operations and planes of about the right sizes, made up."""
        operations, tiles = bytearray(), 1 + self.below(8)
        for _ in range(tiles):
            skip = 0 if self.below(4) else BYTES[self.below(16)]
            operations += bytes([skip, 1 + self.below(4) | (self.below(4) << 4 if self.below(2) else 0)])
        sizes = {"boxes": 4 * tiles, "colours": 40, "indices": 4096, "xor": 12288}
        sizes |= dict.fromkeys(("green", "blue", "red"), 4096)
        planes = {"operations": bytes(operations)}
        for name, size in sizes.items():
            if self.below(2):
                planes[name] = self.random.bytes(self.below(size) + 1) if self.below(3) else bytes(size)
        return replace(fields, planes=Streams().planes(**planes)).build()


def test_no_bytes_do_harm() -> None:
    fuzzer, decoder, outcomes = Fuzzer(SEED), Decoder(LIMITS), Counter[str]()
    epoch, sequence = 0, 1
    decoder.decode(keyframe((149, 101), epoch))
    for number in range(ITERATIONS):
        packet = fuzzer.packet(epoch, sequence)
        before = decoder.frame.copy()
        try:
            update = decoder.decode(packet)
        except RemoteProtocolError:
            outcomes["refused"] += 1
            np.testing.assert_array_equal(decoder.frame, before)
            # Mostly the chain begins anew; else the decoder stays dead and only a keyframe can come.
            if number % 4:
                epoch, sequence = (epoch + 1) % 2**32, 1
                decoder.decode(keyframe((149, 101), epoch))
            continue
        outcomes["accepted"] += 1
        epoch, sequence = update.epoch, (update.sequence + 1) % 2**32
        frame = decoder.frame
        height, width = frame.shape[:2]
        assert 1 <= width <= 300
        assert 1 <= height <= 300
        assert (frame[..., 3] == 255).all()
        untouched = np.ones((height, width), bool)
        for x, y, w, h in update.dirty:
            assert 0 <= x < x + w <= width
            assert 0 <= y < y + h <= height
            untouched[y : y + h, x : x + w] = False
        if not update.keyframe:
            assert (frame[untouched] == before[untouched]).all()
    # It would be no test if either never happened.
    assert outcomes["refused"] > ITERATIONS // 10
    assert outcomes["accepted"] > ITERATIONS // 20


def test_zstd_streams_of_noise_do_no_harm() -> None:
    random = np.random.default_rng(SEED)
    head = b"\x28\xb5\x2f\xfd"
    for number in range(ITERATIONS // 20):
        stream = head * int(random.integers(2)) + random.bytes(int(random.integers(1, 200)))
        planes = Streams().planes(operations=bytes([0, 2])) | {PLANES.index("indices"): (4096, stream)}
        decoder = Decoder(LIMITS)
        try:
            decoder.decode(Packet(1, 0, (64, 64), planes=planes).build())
        except RemoteProtocolError:
            continue
        assert decoder.frame.shape == (64, 64, 4), number


def test_varints_of_every_length_are_read_or_refused() -> None:
    for value in (
        0,
        1,
        127,
        128,
        2**14 - 1,
        2**14,
        2**21,
        2**28 - 1,
        2**28,
        2**32 - 1,
        2**32,
        2**35 - 1,
        2**42,
    ):
        for length in range(1, 8):
            field = varint(value, length)
            packet = seal(b"\xf0\x01\x00" + field + b"\x00" + bytes([5, 0, 5, 0, 0, 0]))
            decoder = Decoder(LIMITS)
            try:
                assert decoder.decode(packet).epoch == value
                assert value < 2**32
                assert len(field) <= 5
            except RemoteProtocolError:
                assert value >= 2**32 or len(field) > 5
