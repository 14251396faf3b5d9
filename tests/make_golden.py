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
from drawn_scenes import Scene, Step
from packets import (
    BOXED,
    CACHED,
    COPY,
    DIFFERENCE,
    HASH,
    KEEP,
    KEYFRAME,
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
    seal,
    slots,
    varint,
    vectors,
)
from spec_decoder import SpecDecoder, SpecError, frame_hash

from fastframe import Encoder, EncoderConfig

FOLDER = Path(__file__).parent / "golden" / "version-1"

WHITE, BLUE, GREY = bytes([255, 255, 255]), bytes([200, 30, 10]), bytes([90, 91, 92])


def some_bytes(count: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(count)


def residuals(count: int, seed: int) -> dict[str, bytes]:
    """The planes of photo and difference."""
    return {name: some_bytes(count, seed + number) for number, name in enumerate(("green", "blue", "red"))}


def pattern(size: tuple[int, int], streams: Streams, epoch: int = 1, slots: int = 0) -> bytes:
    """A keyframe of two tiles whose pixels tell where they come from."""
    planes = streams.planes(
        operations=bytes([0, PHOTO, 0, PHOTO]), **dict.fromkeys(("green", "blue", "red"), b"\1" * (size[0] * size[1]))
    )
    return Packet(epoch, size=size, slots=slots, planes=planes).build()


def modes() -> Iterable[bytes]:
    """Each mode that draws, on whole tiles and in boxes, in a keyframe and after it; tiles cut at both edges."""
    size = (130, 70)  # tiles of 64, 64 and 2 pixels by 64 and 6
    streams = Streams()
    yield Packet(
        epoch=7,
        size=size,
        planes=streams.planes(
            operations=bytes(
                [0, SOLID | NEW_COLOURS, 0, PALETTE | NEW_COLOURS, 0, PHOTO, 0, XOR, 0, PATCH, 0, DIFFERENCE]
            ),
            colours=bytes([0, 1, 3]) + WHITE + bytes([3]) + bytes([0, 2, 9]) + BLUE + bytes([255]) + WHITE + bytes([0]),
            indices=bytes([3, 9, 255, 0] * (64 * 64 // 4)) + bytes([9, 0, 0, 255] * (64 * 6 // 4)),
            xor=some_bytes(3 * 64 * 6, 4),
            **residuals(2 * 64 + 2 * 6, 1),
        ),
    ).build()
    yield Packet(
        epoch=7,
        sequence=1,
        planes=streams.planes(
            operations=bytes(
                [0, PALETTE | BOXED, 0, XOR | BOXED, 0, DIFFERENCE | BOXED, 0, SOLID | BOXED | NEW_COLOURS]
            )
            + bytes([0, PHOTO | BOXED, 0, PATCH | BOXED | NEW_COLOURS]),
            boxes=bytes([0, 0, 0, 0, 63, 0, 0, 63, 0, 1, 1, 61, 5, 5, 58, 0, 1, 2, 62, 3, 1, 0, 0, 5]),
            colours=bytes([0]) + bytes([0, 1, 0]) + BLUE + bytes([0]) + bytes([0, 1, 0]) + WHITE,
            indices=bytes([9]) + bytes([0, 3, 0, 9, 255, 0]),
            xor=some_bytes(3 * 64, 5),
            **residuals(2 * 62 + 63 * 4, 6),
        ),
    ).build()
    # Differences of differences: the same tile again and again.
    for sequence in (2, 3):
        planes = streams.planes(operations=bytes([2, DIFFERENCE, 2, DIFFERENCE]), **residuals(2 * 64 + 2 * 6, sequence))
        yield Packet(epoch=7, sequence=sequence, planes=planes).build()


def moves() -> Iterable[bytes]:
    """Copies from everywhere, and each mode on top of one: the frame before the packet is what is copied."""
    size = (100, 20)  # tiles of 64 and 36 pixels
    streams = Streams()
    yield pattern(size, streams)
    # The second tile is taken from where the first one is drawn over, and the first one from the second.
    yield Packet(
        sequence=1,
        planes=streams.planes(
            operations=bytes([0, COPY | MOVED, 0, COPY | MOVED]), vectors=vectors((36, 0), (-64, 0)) + bytes([0, 1])
        ),
    ).build()
    # Vectors that nothing uses, one given twice, one that moves nothing.
    yield Packet(
        sequence=2,
        planes=streams.planes(
            operations=bytes([1, COPY | MOVED, 0, COPY | MOVED]),
            vectors=vectors((-32768, 32767), (-5, 0), (0, 0), (-5, 0)) + bytes([3, 2]),
        ),
    ).build()
    for sequence, mode in enumerate((SOLID, PALETTE, PHOTO, XOR, DIFFERENCE, PATCH), start=3):
        # 9 x 4 pixels of the second tile change, after all of it has moved.
        planes = {"operations": bytes([1, mode | MOVED | BOXED]), "boxes": bytes([20, 3, 8, 3])}
        planes["vectors"] = vectors((-10 - sequence, 0)) + bytes([0])
        if mode in (SOLID, PALETTE, PATCH):
            planes["operations"] = bytes([1, mode | MOVED | BOXED | NEW_COLOURS])
            planes["colours"] = bytes([4, 2, 1]) + WHITE + bytes([2]) + BLUE + bytes([2] if mode == SOLID else [])
        if mode in (PALETTE, PATCH):
            planes["indices"] = bytes([0, 1, 2] * 12)
        elif mode == XOR:
            planes["xor"] = some_bytes(3 * 36, sequence)
        elif mode in (PHOTO, DIFFERENCE):
            planes |= residuals(36, sequence)
        yield Packet(sequence=sequence, planes=streams.planes(**planes)).build()
    # In a keyframe what was before it is black.
    yield keyframe(
        size,
        2,
        operations=bytes([0, SOLID | NEW_COLOURS, 0, COPY | MOVED]),
        colours=bytes([0, 1, 0]) + WHITE + bytes([0]),
        vectors=vectors((-64, 0)) + bytes([0]),
    )


def cache() -> Iterable[bytes]:
    """Tiles kept and brought back, whole and cut; slots never filled, filled twice, filled from a smaller tile."""
    size = (100, 20)
    streams = Streams()

    def packet(sequence: int, **planes: bytes) -> bytes:
        return Packet(sequence=sequence, planes=streams.planes(**planes)).build()

    yield pattern(size, streams, slots=300)
    grey = bytes([0, 1, 1]) + GREY + bytes([1])
    white = bytes([0, 1, 2]) + WHITE + bytes([2])
    yield packet(1, operations=bytes([0, SOLID | NEW_COLOURS | KEEP] * 2), colours=grey + white, cache=slots(299, 7))
    # Each in the other's place: what was kept of the second tile does not fill the first one.
    yield packet(2, operations=bytes([0, CACHED, 0, CACHED]), cache=slots(7, 299))
    # The slot that is brought back is kept anew just before.
    yield packet(3, operations=bytes([1, CACHED | KEEP]), cache=slots(7, 7))
    # A small tile enters a slot that a larger one was in: the rest stays.
    yield packet(4, operations=bytes([1, SOLID | KEEP]), colours=bytes([0, 2]), cache=slots(299))
    yield packet(5, operations=bytes([0, CACHED]), cache=slots(299))
    # One operation keeps, the next brings back what the first one kept.
    yield packet(
        6,
        operations=bytes([0, PALETTE | BOXED | KEEP, 0, CACHED]),
        boxes=bytes([0, 0, 63, 0]),
        colours=bytes([0]),
        indices=some_bytes(64),
        cache=slots(0, 0),
    )
    # Kept, moved and drawn, in this order, in each mode that may.
    yield packet(
        7,
        operations=bytes([0, PATCH | BOXED | MOVED | KEEP | NEW_COLOURS, 0, COPY | MOVED | KEEP]),
        boxes=bytes([3, 3, 2, 2]),
        colours=bytes([0, 1, 9]) + BLUE,
        indices=bytes([9, 0, 9] * 3),
        vectors=vectors((7, 0), (-9, 0)) + bytes([0, 1]),
        cache=slots(1, 2),
    )
    for sequence, mode in enumerate((PHOTO, XOR, DIFFERENCE), start=8):
        pixels = {"xor": some_bytes(12, 8)} if mode == XOR else residuals(4, sequence)
        yield packet(
            sequence,
            operations=bytes([0, mode | BOXED | KEEP]),
            boxes=bytes([9, 9, 1, 1]),
            cache=slots(sequence),
            **pixels,
        )
    yield packet(11, operations=bytes([0, CACHED, 0, CACHED]), cache=slots(1, 2))
    yield packet(12, operations=bytes([0, CACHED, 0, CACHED]), cache=slots(150, 9))  # one never filled: black
    yield packet(13, operations=bytes([0, CACHED]), cache=slots(300))  # there is none
    # A keyframe empties all of them.
    yield keyframe(size, 2, 3, operations=bytes([0, SOLID | NEW_COLOURS, 0, CACHED]), colours=white, cache=slots(2))


def skips() -> Iterable[bytes]:
    """Skips of 254 tiles and more, operations around the end of the frame, a packet without planes."""
    size = (1345, 1025)  # 22 x 17 = 374 tiles
    streams = Streams()

    def fills(*skipped: bytes) -> dict[int, tuple[int, bytes]]:
        operations = b"".join(skip + bytes([SOLID | BOXED | NEW_COLOURS]) for skip in skipped)
        colours = b"".join(bytes([0, 1, number, number + 1, 100, 50, number]) for number in range(len(skipped)))
        return streams.planes(operations=operations, boxes=bytes(4 * len(skipped)), colours=colours)

    yield Packet(size=size, planes=fills(bytes([254]), bytes([0]), bytes([0]))).build()
    yield Packet(sequence=1, planes=fills(bytes([255, 0]))).build()
    yield Packet(sequence=2, planes=fills(bytes([255, 1]), bytes([117]), bytes([0]))).build()
    yield Packet(sequence=3, planes=fills(bytes([255, 118]), bytes([255, 117]))).build()
    yield Packet(sequence=4).build()
    # One tile too far: back on the first one.
    yield Packet(sequence=5, planes=fills(bytes([255, 118]), bytes([255, 118]))).build()


def colour_tables() -> Iterable[bytes]:
    """No new colours, 255 of them, a slot given twice, slots used in later packets, 16 tables that are apart."""
    size = (64, 4)
    all_slots = bytes(range(256))
    streams = Streams()
    table = b"".join(bytes([slot, slot, 255 - slot, slot // 2]) for slot in range(255))
    yield Packet(
        size=size,
        planes=streams.planes(
            operations=bytes([0, PALETTE | NEW_COLOURS]), colours=bytes([0, 255]) + table, indices=all_slots
        ),
    ).build()
    yield Packet(
        sequence=1,
        planes=streams.planes(
            operations=bytes([0, PALETTE | NEW_COLOURS]),
            colours=bytes([0, 3, 7]) + WHITE + bytes([255]) + WHITE + bytes([7]) + BLUE,
            indices=all_slots[::-1],
        ),
    ).build()
    yield Packet(
        sequence=2,
        planes=streams.planes(
            operations=bytes([0, SOLID | BOXED | NEW_COLOURS]), boxes=bytes([3, 1, 9, 2]), colours=bytes([0, 0, 7])
        ),
    ).build()
    # Colours enter the last table, then the first one, in which only slot 7 changes.
    yield Packet(
        sequence=3,
        planes=streams.planes(
            operations=bytes([0, PALETTE | NEW_COLOURS]), colours=bytes([15, 1, 7]) + GREY, indices=all_slots
        ),
    ).build()
    yield Packet(
        sequence=4,
        planes=streams.planes(
            operations=bytes([0, PATCH | NEW_COLOURS]), colours=bytes([0, 1, 7]) + WHITE, indices=all_slots
        ),
    ).build()
    yield Packet(
        sequence=5,
        planes=streams.planes(
            operations=bytes([0, PALETTE | BOXED]),
            boxes=bytes([0, 0, 63, 0]),
            colours=bytes([15]),
            indices=bytes(range(64)),
        ),
    ).build()
    yield Packet(sequence=6, planes=streams.planes(operations=bytes([0, SOLID]), colours=bytes([16, 0]))).build()
    # A new epoch begins with black tables.
    yield keyframe(size, 2, operations=bytes([0, PALETTE]), colours=bytes([0]), indices=all_slots)


def model() -> Iterable[bytes]:
    """Modelled pixels: what random bytes, too few, too many and none stand for; then screens."""
    size = (100, 40)  # tiles of 64 and 36 pixels
    streams = Streams()
    yield pattern(size, streams, slots=1)
    for sequence, length in enumerate((2000, 3, 9000, 0), 1):
        planes = streams.planes(
            operations=bytes([0, MODELLED | KEEP | BOXED, 0, MODELLED | MOVED | BOXED]),
            boxes=bytes([3, 0, 40, 19, 0, 5, 35, 30]),
            vectors=vectors((-64, 0)) + bytes(1),
            cache=slots(0),
            modelled=modelled(41 * 20 + 36 * 31, some_bytes(length, sequence)),
        )
        yield Packet(sequence=sequence, planes=planes).build()
    steps = (
        Step("type_text", 2),
        Step("open_window", 11, pause=4),
        Step("open_window", 1, pause=4),
        Step("open_window", 11),
        Step("scroll_anywhere", 3),
        Step("fade", 4),
        Step("sparse", 5, budget=300),
        Step("fill", 12, size=(65, 33)),
    )
    config = EncoderConfig(effort="tight", first_epoch=2)
    for picture in ("text", "photograph"):
        yield from encoded(config, Scene((150, 70), picture, 2, "packed", steps))
        config = EncoderConfig(effort="tight", first_epoch=20)


def header() -> Iterable[bytes]:
    """Long varints, unused bits, frame hashes, epochs around 2^32, sizes and numbers of slots that change."""
    for epoch, size in [(2**32 - 1, (1, 1)), (0, (65, 1)), (1, (1, 65)), (2**31, (63, 129))]:
        streams = Streams()
        plain = Packet(
            epoch,
            size=size,
            slots=size[1],
            planes=streams.planes(
                operations=bytes([0, SOLID | NEW_COLOURS]), colours=bytes([0, 1, 5]) + BLUE + bytes([5])
            ),
        )
        decoder = SpecDecoder()
        decoder.decode(plain.build())
        assert decoder.frame is not None
        plain.frame_hash = frame_hash(decoder.frame)
        yield plain.build()
        # The same framebuffer and its hash once more, varints in five bytes, unused bits set.
        body = bytes([0xF1, HASH | 0b0011_1000]) + varint(0, 5) + varint(epoch, 5) + varint(1, 5)
        yield seal(body + plain.frame_hash.to_bytes(8, "little"))


def faults() -> Iterable[bytes]:
    """What must be refused, what must be refused because of that, and the keyframe that ends it."""
    size = (5, 3)

    def good_keyframe(epoch: int) -> bytes:
        colours = bytes([0, 1, epoch]) + BLUE
        return keyframe(
            size, epoch, operations=bytes([0, PALETTE | NEW_COLOURS]), colours=colours, indices=bytes([epoch] * 15)
        )

    def bad(*operations: int, **planes: bytes) -> bytes:
        return keyframe(size, 3, slots=2, operations=bytes(operations), **planes)

    yield Packet(sequence=0).build()  # no keyframe yet
    yield good_keyframe(1)
    yield Packet(sequence=2).build()  # a gap
    yield Packet(sequence=1).build()  # too late
    yield good_keyframe(1)  # replayed
    yield good_keyframe(2)[:-1] + b"?"  # CRC
    yield good_keyframe(2)
    yield seal(bytes([0xF0, KEYFRAME]) + good_keyframe(3)[2:-4])  # version
    yield Packet(3, size=size, more_flags=0x40).build()  # reserved flag
    yield Packet(3, size=size, more_planes=0x800).build()  # reserved plane
    yield Packet(3, size=(5, 0)).build()  # empty frame
    yield Packet(3, sequence=1, size=size).build()  # keyframe that is not the first of its epoch
    yield Packet(3, size=size, frame_hash=0).build()  # wrong frame hash
    yield bad(0, 0)  # reserved mode
    yield bad(0, 10)  # reserved mode
    yield bad(1, SOLID, colours=bytes(2))  # skip over the frame
    yield bad(0, SOLID, 0, SOLID, colours=bytes(4))  # tile named twice
    yield bad(0, SOLID, colours=bytes(3))  # bytes left over
    yield bad(0, PALETTE, colours=bytes(1), indices=bytes(14))  # bytes missing
    yield bad(0, SOLID | BOXED, boxes=bytes([5, 0, 0, 0]), colours=bytes(2))  # box outside its tile
    yield bad(0, SOLID, colours=bytes([16, 0]))  # no such colour table
    # Flags that the mode may not have.
    yield bad(0, XOR | NEW_COLOURS, colours=bytes(2), xor=bytes(45))
    yield bad(0, PHOTO | NEW_COLOURS, colours=bytes(2), **residuals(15, 0))
    yield bad(0, DIFFERENCE | NEW_COLOURS, colours=bytes(2), **residuals(15, 0))
    yield bad(0, COPY | MOVED | BOXED, boxes=bytes(4), vectors=vectors((0, 0)) + bytes(1))
    yield bad(0, COPY | MOVED | NEW_COLOURS, colours=bytes(2), vectors=vectors((0, 0)) + bytes(1))
    yield bad(0, CACHED | BOXED, boxes=bytes(4), cache=slots(0))
    yield bad(0, CACHED | NEW_COLOURS, colours=bytes(2), cache=slots(0))
    yield bad(0, CACHED | MOVED, vectors=vectors((0, 0)) + bytes(1), cache=slots(0))
    # Vectors.
    yield bad(0, COPY)  # a copy of nothing
    yield bad(0, COPY | MOVED)  # no vectors
    yield bad(0, COPY | MOVED, vectors=vectors() + bytes(1))  # an empty list
    yield bad(0, COPY | MOVED, vectors=vectors((0, 0)) + bytes([1]))  # a vector behind the last
    yield bad(0, COPY | MOVED, vectors=vectors((0, 0), (0, 0))[:-1])  # a list that is cut
    yield bad(0, SOLID, colours=bytes(2), vectors=vectors())  # a list without a move
    yield bad(0, COPY | MOVED, vectors=vectors((1, 0)) + bytes(1))  # from outside the frame
    yield bad(0, COPY | MOVED, vectors=vectors((0, -1)) + bytes(1))  # from outside the frame
    # A box does not make the tile that moves smaller.
    yield bad(0, SOLID | MOVED | BOXED, boxes=bytes(4), colours=bytes(2), vectors=vectors((1, 0)) + bytes(1))
    # The tile cache.
    yield bad(0, CACHED, cache=slots(2))  # no such slot
    yield bad(0, SOLID | KEEP, colours=bytes(2), cache=slots(2))  # no such slot
    yield bad(0, SOLID | KEEP, colours=bytes(2))  # no slot
    yield bad(0, CACHED | KEEP, cache=slots(0))  # only one of two slots
    yield bad(0, CACHED, cache=slots(0, 0))  # a slot too many
    # Modelled pixels: more than stated, fewer, no plane, a flag that the mode may not have.
    yield bad(0, MODELLED, modelled=modelled(14, b"?"))
    yield bad(0, MODELLED | BOXED, boxes=bytes(4), modelled=modelled(2, b"?"))
    yield bad(0, MODELLED)
    yield bad(0, MODELLED | NEW_COLOURS, colours=bytes(2), modelled=modelled(15, b"?"))
    # zstd.
    compressed = Streams().compress("operations", bytes([0, SOLID]))
    yield Packet(3, size=size, planes={0: (3, compressed)}).build()  # fewer bytes than stated
    yield Packet(3, size=size, planes={0: (1, compressed)}).build()  # more bytes than stated
    yield good_keyframe(3)
    yield Packet(3, sequence=1).build()
    yield Packet(3, sequence=2, planes={1: (4, b"no zstd frame")}).build()


def encoded(config: EncoderConfig, scene: Scene) -> Iterable[bytes]:
    encoder = Encoder(config)
    for shot in scene.play():
        yield encoder.encode(shot.frame, damage=shot.damage, keyframe=shot.keyframe, budget=shot.budget)


def screen() -> Iterable[bytes]:
    """The encoder at work: windows that come back, scrolling, text, a new size, a packet a budget leaves partial."""
    steps = (
        Step("open_window", 11, pause=4),
        Step("open_window", 1, pause=4),
        Step("open_window", 11),
        Step("type_text", 2),
        Step("scroll_columns", 3),
        Step("fade", 4),
        Step("sparse", 5),
        Step("cycle_palette", 7),
        Step("cycle_palette", 8),
        Step("redraw", 9, budget=300),
        Step("single_pixel", 10, budget=300),
        Step("nothing", 11),
        Step("fill", 12, size=(65, 33)),
        Step("move", 13, keyframe=True),
    )
    yield from encoded(EncoderConfig(effort="balanced"), Scene((150, 70), "text", 2, "packed", steps))


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
    moves,
    cache,
    skips,
    colour_tables,
    model,
    header,
    faults,
    screen,
    long_epoch,
)

if __name__ == "__main__":
    for vector in VECTORS:
        if not (FOLDER / f"{vector.__name__}.json").exists():
            write(vector.__name__, vector.__doc__ or "", vector())
