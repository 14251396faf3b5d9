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
from packets import (
    BOXED,
    CACHED,
    COPY,
    DIFFERENCE,
    KEEP,
    MODELLED,
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
    modelled,
    parse,
    seal,
    slots,
    varint,
    vectors,
)
from pictures import desktop, noise

from fastframe import Decoder, Encoder, EncoderConfig, Limits, RemoteProtocolError
from fastframe.codec import MODES, PLANES

ITERATIONS = int(os.environ.get("FASTFRAME_FUZZ", "8000"))
SEED = int(os.environ.get("FASTFRAME_FUZZ_SEED", "0"))
LIMITS = Limits(max_width=300, max_height=300, max_pixels=40_000, max_packet_bytes=50_000)

# What breaks parsers: nothing, one, signs, ends of ranges, tile sizes.
BYTES = (0, 1, 2, 3, 4, 5, 15, 16, 0x1F, 0x3F, 63, 64, 127, 128, 254, 255)
# Slots of the tile cache in epochs that the fuzzer begins.
SLOTS = 3
# The flags that each mode is drawn with; boxes are the rule, since they fit into every tile.
DRAWN = (BOXED, BOXED | NEW_COLOURS, BOXED | MOVED, BOXED | KEEP, BOXED | MOVED | KEEP, 0)
FLAGS = {
    **dict.fromkeys((SOLID, PALETTE, PATCH), DRAWN),
    **dict.fromkeys((PHOTO, XOR, DIFFERENCE, MODELLED), (BOXED, BOXED | MOVED, BOXED | KEEP, BOXED | MOVED | KEEP)),
    COPY: (MOVED, MOVED, MOVED | KEEP),
    CACHED: (0, KEEP),
}


def seeds() -> list[bytes]:
    """Packets whose zstd streams begin with them, so that they are good at the beginning of any epoch."""
    frames = [desktop(149, 101, 1), desktop(149, 101, 2), noise(149, 101), desktop(70, 130)]
    sparse = np.zeros_like(frames[0])
    sparse[::9, ::7] = frames[2][::9, ::7]
    encoder = Encoder()
    whole = [encoder.encode(frame, keyframe=True) for frame in [*frames, sparse]]
    tight = Encoder(EncoderConfig(effort="tight"))
    whole += [tight.encode(frame, keyframe=True) for frame in [*frames[:2], sparse]]
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
            slots=SLOTS,
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
                number = self.below(len(PLANES))
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
        operations, tiles = bytearray(), 1 + self.below(6)
        colours, cache = bytearray(), bytearray()
        moves = [(self.below(260) - 130, self.below(260) - 130) if self.below(3) else (0, 0) for _ in range(3)]
        numbers = bytearray()
        for _ in range(tiles):
            skip = 0 if self.below(4) else BYTES[self.below(16)]
            mode = 1 + self.below(9)
            flags = self.below(16) << 4 if self.below(8) == 0 else FLAGS[mode][self.below(len(FLAGS[mode]))]
            operations += bytes([skip, mode | flags])
            if mode in (SOLID, PALETTE, PATCH):
                colours += bytes([self.below(18)]) if self.below(9) == 0 else bytes([self.below(16)])
                if flags & NEW_COLOURS:
                    count = self.below(4)
                    colours += bytes([count]) + self.random.bytes(4 * count)
                colours += bytes([self.below(256)]) * (mode == SOLID)
            if flags & MOVED:
                numbers += bytes([self.below(3) if self.below(9) else self.below(256)])
            for flag in (mode == CACHED, flags & KEEP):
                cache += slots(self.below(SLOTS) if self.below(9) else self.below(600)) if flag else b""
        planes = {"operations": bytes(operations)}
        exact = {"colours": colours, "cache": cache, "vectors": vectors(*moves) + numbers if numbers else b""}
        planes |= {name: bytes(data) for name, data in exact.items() if data and self.below(20)}
        boxed, counts = [], dict.fromkeys(("indices", "xor", "green", "blue", "red"), 0)
        modelled_pixels = 0
        for operation in operations[1::2]:
            # Boxes fit into every tile of these frames, so each pixel is counted.
            side = 1 + self.below(21)
            if operation & BOXED:
                boxed.append(bytes([0, self.below(2), side - 1, side - 1]))
            pixels = side * side if operation & BOXED else 4096
            match operation & 15:
                case mode if mode in (PALETTE, PATCH):
                    counts["indices"] += pixels
                case mode if mode == MODELLED:
                    modelled_pixels += pixels
                case mode if mode == XOR:
                    counts["xor"] += 3 * pixels
                case mode if mode in (PHOTO, DIFFERENCE):
                    for name in ("green", "blue", "red"):
                        counts[name] += pixels
        planes |= {"boxes": b"".join(boxed)} if boxed else {}
        for name, size in counts.items():
            if size:
                planes[name] = self.random.bytes(size + (self.below(20) == 0))
        if modelled_pixels:
            data = self.random.bytes(self.below(modelled_pixels))
            planes["modelled"] = modelled(modelled_pixels + (self.below(20) == 0), data)
        return replace(fields, planes=Streams().planes(**planes)).build()


def test_no_bytes_do_harm() -> None:
    fuzzer, decoder, outcomes = Fuzzer(SEED), Decoder(LIMITS), Counter[str]()
    epoch, sequence, modes = 0, 1, Counter[str]()
    decoder.decode(keyframe((149, 101), epoch, SLOTS))
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
                decoder.decode(keyframe((149, 101), epoch, SLOTS))
            continue
        outcomes["accepted"] += 1
        assert decoder.stats is not None
        modes.update(decoder.stats.tiles)
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
    assert all(modes[mode] for mode in MODES)


def test_zstd_streams_of_noise_do_no_harm() -> None:
    random = np.random.default_rng(SEED)
    head = b"\x28\xb5\x2f\xfd"
    for number in range(ITERATIONS // 20):
        stream = head * int(random.integers(2)) + random.bytes(int(random.integers(1, 200)))
        planes = Streams().planes(operations=bytes([0, PALETTE]), colours=b"\0") | {
            PLANES.index("indices"): (4096, stream)
        }
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
            packet = seal(b"\xf1\x01\x00" + field + b"\x00" + bytes([5, 0, 5, 0, 0, 0]))
            decoder = Decoder(LIMITS)
            try:
                assert decoder.decode(packet).epoch == value
                assert value < 2**32
                assert len(field) <= 5
            except RemoteProtocolError:
                assert value >= 2**32 or len(field) > 5
