"""Writes the golden vectors that do not exist yet: `python tests/make_golden.py`. See golden/README.md.

Most packets are put together by hand from SPEC.md, since they show what the format allows, not what the
encoder does today. The frames come from the decoder that was written from SPEC.md alone.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from packets import (
    BOXED,
    HASH,
    KEYFRAME,
    NEW_COLOURS,
    PALETTE,
    PHOTO,
    SOLID,
    XOR,
    Packet,
    Streams,
    keyframe,
    seal,
    varint,
)
from spec_decoder import SpecDecoder, SpecError, frame_hash
from strategies import Scene, Step

from fastframe import Encoder, EncoderConfig

FOLDER = Path(__file__).parent / "golden" / "version-0"

WHITE, BLUE = bytes([255, 255, 255]), bytes([200, 30, 10])


def some_bytes(count: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(count)


def modes() -> Iterable[bytes]:
    """Each mode, on whole tiles and in boxes, in a keyframe and after it; tiles cut at both edges."""
    size = (130, 70)  # tiles of 64, 64 and 2 pixels by 64 and 6
    streams = Streams()
    yield Packet(
        epoch=7,
        size=size,
        planes=streams.planes(
            operations=bytes([0, SOLID | NEW_COLOURS, 0, PALETTE | NEW_COLOURS, 0, PHOTO, 0, XOR, 0, SOLID, 0, PHOTO]),
            colours=bytes([1, 3]) + WHITE + bytes([3]) + bytes([2, 9]) + BLUE + bytes([255]) + WHITE + bytes([9]),
            indices=bytes([3, 9, 255, 0] * (64 * 64 // 4)),
            green=some_bytes(2 * 64 + 2 * 6, 1),
            blue=some_bytes(2 * 64 + 2 * 6, 2),
            red=some_bytes(2 * 64 + 2 * 6, 3),
            xor=some_bytes(3 * 64 * 6, 4),
        ),
    ).build()
    yield Packet(
        epoch=7,
        sequence=1,
        planes=streams.planes(
            operations=bytes([0, PALETTE | BOXED, 0, XOR | BOXED, 1, SOLID | BOXED | NEW_COLOURS, 0, PHOTO | BOXED]),
            boxes=bytes([0, 0, 0, 0, 63, 0, 0, 63, 5, 5, 58, 0, 1, 2, 62, 3]),
            colours=bytes([1, 0]) + BLUE + bytes([0]),
            indices=bytes([9]),
            xor=some_bytes(3 * 64, 5),
            green=some_bytes(63 * 4, 6),
            blue=some_bytes(63 * 4, 7),
            red=some_bytes(63 * 4, 8),
        ),
    ).build()


def skips() -> Iterable[bytes]:
    """Skips of 254 tiles and more, operations around the end of the frame, a packet without planes."""
    size = (1345, 1025)  # 22 x 17 = 374 tiles
    streams = Streams()

    def fills(*skipped: bytes) -> dict[int, tuple[int, bytes]]:
        operations = b"".join(skip + bytes([SOLID | BOXED | NEW_COLOURS]) for skip in skipped)
        colours = b"".join(bytes([1, number, number + 1, 100, 50, number]) for number in range(len(skipped)))
        return streams.planes(operations=operations, boxes=bytes(4 * len(skipped)), colours=colours)

    yield Packet(size=size, planes=fills(bytes([254]), bytes([0]), bytes([0]))).build()
    yield Packet(sequence=1, planes=fills(bytes([255, 0]))).build()
    yield Packet(sequence=2, planes=fills(bytes([255, 1]), bytes([117]), bytes([0]))).build()
    yield Packet(sequence=3, planes=fills(bytes([255, 118]), bytes([255, 117]))).build()
    yield Packet(sequence=4).build()
    # One tile too far: back on the first one.
    yield Packet(sequence=5, planes=fills(bytes([255, 118]), bytes([255, 118]))).build()


def colour_table() -> Iterable[bytes]:
    """No new colours, 255 of them, a slot given twice, a slot used in the packet after."""
    size = (64, 4)
    all_slots = bytes(range(256))
    streams = Streams()
    table = b"".join(bytes([slot, slot, 255 - slot, slot // 2]) for slot in range(255))
    yield Packet(
        size=size,
        planes=streams.planes(
            operations=bytes([0, PALETTE | NEW_COLOURS]), colours=bytes([255]) + table, indices=all_slots
        ),
    ).build()
    yield Packet(
        sequence=1,
        planes=streams.planes(
            operations=bytes([0, PALETTE | NEW_COLOURS]),
            colours=bytes([3, 7]) + WHITE + bytes([255]) + WHITE + bytes([7]) + BLUE,
            indices=all_slots[::-1],
        ),
    ).build()
    yield Packet(
        sequence=2,
        planes=streams.planes(
            operations=bytes([0, SOLID | BOXED | NEW_COLOURS]),
            boxes=bytes([3, 1, 9, 2]),
            colours=bytes([0, 7]),
        ),
    ).build()


def header() -> Iterable[bytes]:
    """Long varints, unused bits, frame hashes, epochs around 2^32, sizes that change."""
    for epoch, size in [(2**32 - 1, (1, 1)), (0, (65, 1)), (1, (1, 65)), (2**31, (63, 129))]:
        streams = Streams()
        plain = Packet(
            epoch,
            size=size,
            planes=streams.planes(
                operations=bytes([0, SOLID | NEW_COLOURS]), colours=bytes([1, 5]) + BLUE + bytes([5])
            ),
        )
        decoder = SpecDecoder()
        decoder.decode(plain.build())
        assert decoder.frame is not None
        plain.frame_hash = frame_hash(decoder.frame)
        yield plain.build()
        # The same framebuffer and its hash once more, varints in five bytes, unused bits set.
        body = bytes([0xF0, HASH | 0b0011_1000]) + varint(0, 5) + varint(epoch, 5) + varint(1, 5)
        yield seal(body + plain.frame_hash.to_bytes(8, "little"))


def faults() -> Iterable[bytes]:
    """What must be refused, what must be refused because of that, and the keyframe that ends it."""

    def good_keyframe(epoch: int) -> bytes:
        return keyframe((5, 3), epoch, operations=bytes([0, PALETTE]), indices=some_bytes(15, epoch))

    yield Packet(sequence=0).build()  # no keyframe yet
    yield good_keyframe(1)
    yield Packet(sequence=2).build()  # a gap
    yield Packet(sequence=1).build()  # too late
    yield good_keyframe(1)  # replayed
    yield good_keyframe(2)[:-1] + b"?"  # CRC
    yield good_keyframe(2)
    yield seal(bytes([0xF1, KEYFRAME]) + good_keyframe(3)[2:-4])  # version
    yield Packet(3, size=(5, 3), more_flags=0x40).build()  # reserved flag
    yield Packet(3, size=(5, 3), more_planes=0x100).build()  # reserved plane
    yield Packet(3, size=(5, 0)).build()  # empty frame
    yield Packet(3, sequence=1, size=(5, 3)).build()  # keyframe that is not the first of its epoch
    yield Packet(3, size=(5, 3), frame_hash=0).build()  # wrong frame hash
    yield keyframe((5, 3), 3, operations=bytes([0, 5]))  # reserved mode
    yield keyframe((5, 3), 3, operations=bytes([0, SOLID | 0x40]), colours=bytes(1))  # reserved bit
    yield keyframe((5, 3), 3, operations=bytes([1, SOLID]), colours=bytes(1))  # skip over the frame
    yield keyframe((5, 3), 3, operations=bytes([0, SOLID] * 2), colours=bytes(2))  # tile named twice
    yield keyframe((5, 3), 3, operations=bytes([0, SOLID]), colours=bytes(2))  # bytes left over
    yield keyframe((5, 3), 3, operations=bytes([0, PALETTE]), indices=bytes(14))  # bytes missing
    yield keyframe((5, 3), 3, operations=bytes([0, SOLID | BOXED]), boxes=bytes([5, 0, 0, 0]), colours=bytes(1))
    yield keyframe((5, 3), 3, operations=bytes([0, XOR | NEW_COLOURS]), colours=bytes(1), xor=bytes(45))
    compressed = Streams().compress("operations", bytes([0, SOLID]))
    yield Packet(3, size=(5, 3), planes={0: (3, compressed)}).build()  # fewer bytes than stated
    yield Packet(3, size=(5, 3), planes={0: (1, compressed)}).build()  # more bytes than stated
    yield good_keyframe(3)
    yield Packet(3, sequence=1).build()
    yield Packet(3, sequence=2, planes={1: (4, b"no zstd frame")}).build()


def encoded(config: EncoderConfig, scene: Scene) -> Iterable[bytes]:
    encoder = Encoder(config)
    for shot in scene.play():
        yield encoder.encode(shot.frame, damage=shot.damage, keyframe=shot.keyframe, budget=shot.budget)


def screen() -> Iterable[bytes]:
    """The encoder at work: text, photographs, scrolling, a new size, a packet a budget leaves partial."""
    steps = (
        Step("repaint", 3),
        Step("scroll", 4, damage=True),
        Step("sparse", 5),
        Step("nothing", 6, damage=True),
        Step("cycle_palette", 7),
        Step("cycle_palette", 8),
        Step("redraw", 9, budget=300),
        Step("single_pixel", 10, budget=300),
        Step("nothing", 11),
        Step("fill", 12, size=(65, 33)),
        Step("move", 13, keyframe=True),
    )
    yield from encoded(EncoderConfig(effort="tight"), Scene((100, 70), "photograph", 2, "packed", steps))


def long_epoch() -> Iterable[bytes]:
    """So many changes that the encoder sends a frame hash in between."""
    steps = tuple(Step("fill", seed) for seed in range(70))
    yield from encoded(EncoderConfig(effort="fast", first_epoch=5), Scene((9, 7), "few_colours", 1, "packed", steps))


def write(name: str, about: str, stream: Iterable[bytes]) -> None:
    """Write one file, with the frames that the decoder from SPEC.md shows."""
    decoder = SpecDecoder()
    entries: list[dict[str, str | None]] = []
    for packet in stream:
        try:
            decoder.decode(packet)
            assert decoder.frame is not None
            frame = hashlib.sha256(decoder.frame.tobytes()).hexdigest()
        except SpecError as error:
            print(f"{name}: packet {len(entries)} is refused: {error}")
            frame = None
        entries.append({"packet": base64.b64encode(packet).decode(), "frame": frame})
    with (FOLDER / f"{name}.json").open("x") as file:
        json.dump({"about": about, "packets": entries}, file, indent=1)
        file.write("\n")


VECTORS: tuple[Callable[[], Iterable[bytes]], ...] = (
    modes,
    skips,
    colour_table,
    header,
    faults,
    screen,
    long_epoch,
)

if __name__ == "__main__":
    for vector in VECTORS:
        if not (FOLDER / f"{vector.__name__}.json").exists():
            write(vector.__name__, vector.__doc__ or "", vector())
