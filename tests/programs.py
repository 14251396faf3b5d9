"""Packets that no encoder writes, as hypothesis strategies: good ones by SPEC.md, and what is done to their bytes.

A `Program` is to the planes of a packet what a `drawn_scenes.Scene` is to frames: a handful of small values, and beyond
what the encoder writes. A `Mutation` changes bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import packets
from drawn_scenes import SEEDS
from hypothesis import strategies as st
from numpy.random import Generator

# The flags that a mode may have; a copy is always moved.
FLAGS = {
    packets.SOLID: packets.BOXED | packets.NEW_COLOURS | packets.MOVED | packets.KEEP,
    packets.PALETTE: packets.BOXED | packets.NEW_COLOURS | packets.MOVED | packets.KEEP,
    packets.PATCH: packets.BOXED | packets.NEW_COLOURS | packets.MOVED | packets.KEEP,
    packets.COPY: packets.MOVED | packets.KEEP,
    packets.CACHED: packets.KEEP,
    packets.PHOTO: packets.BOXED | packets.MOVED | packets.KEEP,
    packets.XOR: packets.BOXED | packets.MOVED | packets.KEEP,
    packets.DIFFERENCE: packets.BOXED | packets.MOVED | packets.KEEP,
    packets.MODELLED: packets.BOXED | packets.MOVED | packets.KEEP,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a packet; of its flags those count that its mode may have.

    The box, the vector, the slots, the colours and the pixels come from the seed.
    """

    skip: int
    mode: int
    flags: int
    new_colours: int
    seed: int


@dataclass(frozen=True, slots=True)
class Program:
    """The operations of one packet, good by SPEC.md for every frame size and number of cache slots."""

    operations: tuple[Operation, ...]

    def planes(self, size: tuple[int, int], slots: int) -> dict[str, bytes]:
        """The planes by name, not compressed; what would name a tile again or needs a slot is left out."""
        columns, rows = -(-size[0] // 64), -(-size[1] // 64)
        planes: dict[str, bytearray] = {}
        # Vectors that no operation uses may point anywhere.
        vectors: list[tuple[int, int]] = [(-32768, 32767), (32767, -32768)][: len(self.operations) % 3]
        vector_numbers = bytearray()

        def put(plane: str, data: bytes) -> None:
            planes.setdefault(plane, bytearray()).extend(data)

        modelled_pixels = 0
        position = walked = 0
        for operation in self.operations:
            skip = operation.skip % (columns * rows)
            walked += skip + 1 if walked else 1
            if walked > columns * rows:
                break
            mode = operation.mode if slots or operation.mode != packets.CACHED else packets.SOLID
            flags = operation.flags & FLAGS[mode]
            if mode == packets.COPY:
                flags |= packets.MOVED
            if not slots:
                flags &= ~packets.KEEP
            if mode == packets.MODELLED:
                flags |= packets.BOXED
            put("operations", b"\xff" * (skip // 255) + bytes([skip % 255, mode | flags]))

            tile = (position + skip) % (columns * rows)
            position = tile + 1
            left, top = tile % columns * 64, tile // columns * 64
            width, height = min(64, size[0] - left), min(64, size[1] - top)
            random = np.random.default_rng(operation.seed)
            if flags & packets.MOVED:
                # From anywhere, above all from the frame's borders.
                dx = int(random.choice([-left, size[0] - width - left, random.integers(size[0] - width + 1) - left]))
                dy = int(random.choice([-top, size[1] - height - top, random.integers(size[1] - height + 1) - top]))
                vector_numbers.append(len(vectors))
                vectors.append((dx, dy))
            if flags & packets.BOXED:
                x, y = int(random.integers(width)), int(random.integers(height))
                width, height = int(random.integers(1, width - x + 1)), int(random.integers(1, height - y + 1))
                if mode == packets.MODELLED:  # the second decoder takes long over them
                    width, height = min(width, 40), min(height, 9)
                    modelled_pixels += width * height
                put("boxes", bytes([x, y, width - 1, height - 1]))
            if mode in (packets.SOLID, packets.PALETTE, packets.PATCH):
                # Often the same table, so that one operation finds what another has put there.
                put("colours", bytes([int(random.choice([0, 15, random.integers(16)]))]))
            if flags & packets.NEW_COLOURS:
                put("colours", bytes([operation.new_colours]) + random.bytes(4 * operation.new_colours))
            self._put_pixels(put, mode, width * height, random)
            if mode == packets.CACHED:
                put("cache", packets.slots(int(random.integers(slots))))
            if flags & packets.KEEP:
                put("cache", packets.slots(int(random.integers(slots))))
        if vector_numbers:
            put("vectors", packets.vectors(*vectors) + vector_numbers)
        if modelled_pixels:
            random = np.random.default_rng(modelled_pixels)
            put("modelled", packets.modelled(modelled_pixels, random.bytes(int(random.integers(2 * modelled_pixels)))))
        return {name: bytes(data) for name, data in planes.items()}

    @staticmethod
    def _put_pixels(put: Callable[[str, bytes], None], mode: int, count: int, random: Generator) -> None:
        match mode:
            case packets.SOLID:
                put("colours", random.bytes(1))
            case packets.PALETTE:
                put("indices", random.bytes(count))
            case packets.PATCH:
                put("indices", bytes(random.integers(0, 256, count, np.uint8) * (random.random(count) < 0.5)))
            case packets.XOR:
                put("xor", random.bytes(3 * count))
            case packets.PHOTO | packets.DIFFERENCE:
                for part in ("green", "blue", "red"):
                    put(part, random.bytes(count))


def programs() -> st.SearchStrategy[Program]:
    """Programs of up to eight operations."""
    operation = st.builds(
        Operation,
        skip=st.integers(0, 3) | st.integers(0, 1000),
        mode=st.sampled_from(list(FLAGS)),
        flags=st.integers(0, 15).map(lambda bits: bits << 4),
        new_colours=st.integers(0, 4) | st.integers(0, 255),
        seed=SEEDS,
    )
    return st.builds(Program, st.lists(operation, max_size=8).map(tuple))


# Slots of the tile cache: none, so few that they are used again and again, more than there are tiles.
SLOTS = st.sampled_from([2, 1, 0, 5, 500])


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change of bytes: at `position`, counted around the end, `kind` happens with `value`."""

    kind: str
    position: int
    value: int

    def apply(self, data: bytes) -> bytes:
        at = self.position % (len(data) + 1)
        before, after = data[:at], data[at:]
        match self.kind:
            case "set":
                return before + bytes([self.value]) + after[1:]
            case "flip":
                return before + bytes(byte ^ 1 << self.value % 8 for byte in after[:1]) + after[1:]
            case "insert":
                return before + bytes([self.value]) + after
            case "delete":
                return before + after[1 + self.value % 4 :]
            case _:
                return before


def mutations() -> st.SearchStrategy[Mutation]:
    """Mutations; half of them in the first bytes, where the fields are."""
    return st.builds(
        Mutation,
        kind=st.sampled_from(["set", "flip", "insert", "delete", "cut"]),
        position=st.integers(0, 40) | st.integers(0, 2**16),
        value=st.sampled_from([0, 1, 127, 128, 255]) | st.integers(0, 255),
    )
