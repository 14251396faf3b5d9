"""Modelled pixels for tests/spec_decoder.py: the section of that name in src/fastframe/SPEC.md as code.

Plain numbers instead of arrays: every pixel depends on the one before.
"""

from bisect import bisect_left
from collections import defaultdict
from functools import cache

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]  # B, G, R

BLACK: Colour = (0, 0, 0)
SPAN = 16
LITERAL = 3
BLUE, GREEN, RED = range(3)

SQUASH = [
    22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743, 32768,
    40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476, 65500, 65514,
]  # fmt: skip


# Range coder --------------------------------------------------------------------------------------


class RangeDecoder:
    def __init__(self, data: bytes) -> None:
        self._data, self._position = data, 8
        self._offset = int.from_bytes(data[:8].ljust(8, b"\0"))
        self._range = (1 << 64) - 1

    def number(self) -> int:
        return min(self._offset // (self._range >> 16), 65535)

    def take(self, first: int, count: int) -> None:
        unit = self._range >> 16
        self._offset -= unit * first
        self._range = unit * count
        if self._range < 1 << 32:
            word = int.from_bytes(self._data[self._position : self._position + 4].ljust(4, b"\0"))
            self._position += 4
            self._offset = ((self._offset << 32) + word) % (1 << 64)
            self._range <<= 32

    def bit(self, p: int) -> int:
        one = self._offset < (self._range >> 16) * p
        self.take(*((0, p) if one else (p, 65536 - p)))
        return int(one)


def learned(p: int, bit: int, rate: int) -> int:
    if bit:
        q = 65535 - p
        return 65535 - (q - (q >> rate))
    return p - (p >> rate)


# Scales -------------------------------------------------------------------------------------------


def limited(value: int, lowest: int, highest: int) -> int:
    return min(max(value, lowest), highest)


def interpolated(table: list[int], s: int) -> int:
    d, f = s + 2048 >> 7, (s + 2048) % 128
    return table[d] * (128 - f) + table[d + 1] * f >> 7


SQUASHED = [interpolated(SQUASH, s) for s in range(-2047, 2047)]


def stretch(p: int) -> int:
    # They rise, so that the first that is large enough is found by halving.
    return bisect_left(SQUASHED, 16 * (p >> 4) + 8) - 2047


@cache
def level(v: int) -> int:
    u = v // 3
    if u < 8:
        return u
    result, start, width = 8, 8, 2
    while u >= start + width:
        start += width
        result += 1
        width *= 1 + (result % 2 == 0)
    return result


def step(confidence: int) -> int:
    return (confidence >= 1) + (confidence >= 3) + (confidence >= 16)


def median(a: int, b: int, c: int) -> int:
    return sorted((a, b, a + b - c))[1]


@cache
def key(i: int) -> int:
    k = (i + 1) * 0x9E3779B1 % (1 << 32)
    k = (k ^ k >> 16) * 0x85EBCA6B % (1 << 32)
    k = (k ^ k >> 13) * 0xC2B2AE35 % (1 << 32)
    return (k ^ k >> 16) | 1


def word(colour: Colour) -> int:
    blue, green, red = colour
    return blue + (green << 8) + (red << 16) + (255 << 24)


# The model ----------------------------------------------------------------------------------------


class Memory:
    """One of the four tables: (confidence, colour) by entry."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[int, Colour]] = {}

    def recall(self, entry: int) -> tuple[int, Colour | None]:
        return self._entries.get(entry, (0, None))

    def remember(self, entry: int, pixel: Colour) -> None:
        confidence, colour = self.recall(entry)
        if confidence > 0 and colour == pixel:
            self._entries[entry] = min(confidence + 1, 255), pixel
        elif confidence <= 1:
            self._entries[entry] = 1, pixel
        else:
            assert colour is not None
            self._entries[entry] = confidence // 2 - 1 if confidence > 6 else 1, colour


def first_distribution() -> list[int]:
    return [2560 * i if i <= 10 else 25600 + 1194 * (i - 10) for i in range(16)]


class Model:
    """What is learned in an epoch."""

    def __init__(self) -> None:
        self.spans = [32768] * 32
        self.last = 0
        self.memories = [Memory() for _ in range(4)]
        # by_votes, by_pattern, by_ways and the four of by_memory, all by their indices
        self.probabilities: defaultdict[tuple[int, ...], int] = defaultdict(lambda: 32768)
        self.weights: defaultdict[tuple[int, ...], list[int]] = defaultdict(lambda: [19660] * 8)
        self.corrections: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: list(SQUASH))
        self.distributions: defaultdict[tuple[int, ...], list[int]] = defaultdict(first_distribution)
        self.biases: defaultdict[tuple[int, int, int], int] = defaultdict(int)

    def draw(
        self, coder: RangeDecoder, frame: Pixels, area: tuple[int, int, int, int], box: tuple[int, int, int, int]
    ) -> None:
        """Draw a box (x, y, width, height, relative to the tile) of the tile `area` of a frame (H, W, 3 or 4)."""
        _Box(self, coder, frame, area, box).draw()


class _Box:
    """A box on its way; the surroundings of one pixel are found at (x, y) of the frame."""

    def __init__(
        self,
        model: Model,
        coder: RangeDecoder,
        frame: Pixels,
        area: tuple[int, int, int, int],
        box: tuple[int, int, int, int],
    ) -> None:
        self.model, self.coder, self.frame = model, coder, frame
        self.left, self.top, self.tile_width, self.tile_height = area
        self.x0, self.y0, self.width, self.height = self.left + box[0], self.top + box[1], box[2], box[3]
        tile = frame[self.top : self.top + self.tile_height, self.left : self.left + self.tile_width, :3]
        self.base_rows: list[list[Colour]] = [[tuple(pixel) for pixel in row] for row in tile.tolist()]
        self.pixels: dict[tuple[int, int], Colour] = {}  # as far as looked up
        self.ways: dict[tuple[int, int], int] = {}
        # By (column, row) of the box and channel; those that are missing are 0.
        self.errors: dict[tuple[int, int, int], list[int]] = {}
        self.misses: dict[tuple[int, int, int], int] = {}

    def pixel(self, x: int, y: int) -> Colour:
        found = self.pixels.get((x, y))
        if found is None:
            inside = 0 <= x < self.frame.shape[1] and 0 <= y < self.frame.shape[0]
            found = tuple(self.frame[y, x, :3].tolist()) if inside else BLACK
            self.pixels[x, y] = found
        return found

    def base(self, x: int, y: int) -> Colour:
        row = self.base_rows[limited(y - self.top, 0, self.tile_height - 1)]
        return row[limited(x - self.left, 0, self.tile_width - 1)]

    def draw(self) -> None:
        for y in range(self.y0, self.y0 + self.height):
            x = self.x0
            while x < self.x0 + self.width:
                if self.span(x, y):
                    x += SPAN
                else:
                    self.single(x, y)
                    x += 1

    def put(self, x: int, y: int, colour: Colour) -> None:
        self.pixels[x, y] = colour
        self.frame[y, x, :3] = colour

    # Spans

    def span(self, x: int, y: int) -> bool:
        if x + SPAN > self.x0 + self.width:
            return False
        model = self.model
        w = self.pixel(x - 1, y)
        above = [self.pixel(x + i, y - 1) for i in range(-1, SPAN + 1)]
        still = w == self.base(x - 1, y) and all(
            colour == self.base(x + i, y - 1) for i, colour in enumerate(above, -1)
        )
        even = all(colour == w for colour in above)
        if not still and not even:
            return False
        base = [self.base(x + i, y) for i in range(SPAN)]
        flat = all(colour == w for colour in base)
        context = 16 * still + 8 * even + 4 * flat + model.last
        bit = self.coder.bit(model.spans[context])
        model.spans[context] = learned(model.spans[context], bit, 6)
        model.last = (2 * model.last + bit) % 4
        if bit:
            for i in range(SPAN):
                self.put(x + i, y, base[i] if still else w)
        return bool(bit)

    # Guesses

    def single(self, x: int, y: int) -> None:
        w, n = self.pixel(x - 1, y), self.pixel(x, y - 1)
        ne, nw = self.pixel(x + 1, y - 1), self.pixel(x - 1, y - 1)
        near = [self.ways.get(place, 0) for place in ((x - 1, y), (x, y - 1), (x + 1, y - 1), (x - 1, y - 1))]
        literals = near.count(LITERAL)
        if literals >= 3:
            colour = self.literal(x, y)
            way = 1 if colour in (w, n, ne, nw, self.base(x, y)) else LITERAL
        else:
            entries = self.entries(x, y)
            colour, way = self.guess(x, y, entries, near)
            for memory, entry in zip(self.model.memories, entries, strict=True):
                memory.remember(entry, colour)
        self.put(x, y, colour)
        if way:
            self.ways[x, y] = way

    def entries(self, x: int, y: int) -> list[int]:
        def part(number: int, dx: int, dy: int) -> int:
            return word(self.pixel(x + dx, y + dy)) * key(number)

        def base_part(number: int, dx: int, dy: int) -> int:
            return word(self.base(x + dx, y + dy)) * key(number)

        a = part(0, -1, 0) + part(1, 0, -1)
        h2 = a + part(2, 1, -1) + part(3, -1, -1)
        h1 = h2 + part(4, -2, 0) + part(5, 0, -2)
        h0 = h1 + part(6, -3, 0) + part(7, 1, -2) + part(8, -1, -2) + part(9, -2, -1) + part(10, 2, -1)
        h3 = a + base_part(11, 0, 0) + base_part(12, -1, 0) + base_part(13, 1, 0) + base_part(14, 0, 1)
        hashes = [h % (1 << 32) for h in (h0, h1, h2, h3)]
        return [(h ^ h >> 15) * key(15) % (1 << 32) >> 13 for h in hashes]

    def guess(self, x: int, y: int, entries: list[int], near_ways: list[int]) -> tuple[Colour, int]:
        model = self.model
        c, m = zip(*(memory.recall(entry) for memory, entry in zip(model.memories, entries, strict=True)), strict=True)
        w, n, t = self.pixel(x - 1, y), self.pixel(x, y - 1), self.base(x, y)
        ne, nw, ww = self.pixel(x + 1, y - 1), self.pixel(x - 1, y - 1), self.pixel(x - 2, y)
        stays = [
            w == self.base(x - 1, y),
            n == self.base(x, y - 1),
            ne == self.base(x + 1, y - 1),
            nw == self.base(x - 1, y - 1),
        ]
        still = sum(same << i for i, same in enumerate(stays))
        equal = (w == n) + 2 * (w == nw) + 4 * (n == ne) + 8 * (n == nw) + 16 * (w == ww)
        ways = sum(way << 2 * i for i, way in enumerate([*near_ways, self.ways.get((x - 2, y), 0)]))
        candidates = [
            m[0] if c[0] >= 3 else None,
            m[3] if c[3] >= 3 else None,
            m[1] if c[1] >= 3 else None,
            m[0],
            m[1],
            m[2] if c[2] >= 2 else None,
            t if stays[0] and stays[1] else None,
            *(w, n, ne, nw, m[3], m[2], t),
        ]
        asked = [colour for colour in dict.fromkeys(candidates) if colour is not None][:3]
        for rank, colour in enumerate(asked):
            near = (colour == w) + 2 * (colour == n) + 4 * (colour == ne) + 8 * (colour == nw)
            agree = [int(colour == remembered) for remembered in m]
            votes = agree[0] + 2 * agree[1] + 4 * agree[3] + 8 * (colour == t) + 16 * agree[2] + 32 * near
            pattern = equal + 32 * near + 512 * (still % 4) + 2048 * (colour == t)
            contexts = [
                (0, rank, votes),
                (1, rank, pattern),
                (2, rank, ways + 1024 * (still == 15) + 2048 * (colour == t)),
                *((3, rank, i, agree[i], min(c[i], 63)) for i in range(4)),
            ]
            weights = model.weights[rank, near_ways.count(LITERAL), step(c[0]), step(c[1]), agree[0], agree[1]]
            if self.ask(contexts, weights, model.corrections[rank, votes]):
                return colour, rank
        return self.literal(x, y), LITERAL

    def ask(self, contexts: list[tuple[int, ...]], weights: list[int], corrections: list[int]) -> int:
        probabilities = self.model.probabilities
        inputs = [*(stretch(probabilities[context]) for context in contexts), 256]
        total = sum(weight * value >> 8 for weight, value in zip(weights, inputs, strict=True)) >> 8
        s = limited(total, -2047, 2047)
        mixed = interpolated(SQUASH, s)
        bit = self.coder.bit(limited(mixed + interpolated(corrections, s) >> 1, 32, 65504))
        error = (65536 * bit - mixed >> 3) * 3
        for j, value in enumerate(inputs):
            weights[j] = limited(weights[j] + (value * error + 4096 >> 13), -524287, 524287)
        for d in (s + 2048 >> 7, (s + 2048 >> 7) + 1):
            corrections[d] = learned(corrections[d], bit, 6)
        for j, context in enumerate(contexts):
            probabilities[context] = learned(probabilities[context], bit, 5 if j < 3 else 6)
        return bit

    # Literals

    def place(self, x: int, y: int) -> tuple[int, int]:
        """Where the errors of a neighbour stand, by column and row of the box."""
        column, row = x - self.x0, y - self.y0
        if column < 0:
            return 0, row - 1
        return min(column, self.width - 1), row

    def literal(self, x: int, y: int) -> Colour:
        values = [0, 0, 0]
        misses: list[int] = []
        for channel in (GREEN, BLUE, RED):
            predictions = [limited(p, 0, 255) for p in self.predictions(x, y, channel, values)]
            places = [self.place(x + dx, y + dy) for dx, dy in ((-1, 0), (0, -1), (-1, -1), (1, -1), (-2, 0))]
            near_errors = [self.errors.get((*place, channel), [0] * 8) for place in places]
            sums = [2 * w + 2 * n + nw + ne + ww for w, n, nw, ne, ww in zip(*near_errors, strict=True)]
            order = sorted(range(8), key=lambda i: (sums[i], i))
            best = sums[order[0]]
            mean = 8 * predictions[order[0]] + 4 * (predictions[order[1]] + predictions[order[2]])
            w_miss, n_miss, nw_miss, ne_miss, ww_miss = (self.misses.get((*place, channel), 0) for place in places)
            noise = level(2 * w_miss + 2 * n_miss + nw_miss + ne_miss + ww_miss)
            w, n, t = (near[channel] for near in (self.pixel(x - 1, y), self.pixel(x, y - 1), self.base(x, y)))
            sides = (16 * w > mean) + 2 * (16 * n > mean) + 4 * (16 * t > mean)
            bias = self.model.biases[channel, noise // 2, sides]
            corrected = mean + (bias >> 8) + 8
            prediction = limited(corrected >> 4, 0, 255)
            if channel == GREEN:
                nw, ne = self.pixel(x - 1, y - 1)[GREEN], self.pixel(x + 1, y - 1)[GREEN]
                a, b = level(2 * (abs(w - nw) + abs(n - nw) + abs(n - ne))), level(best)
            else:
                a, b = level(3 * misses[0]), level(best) if channel == BLUE else level(3 * misses[1])
            residual = self.residual((channel, 0, 4 * noise + (corrected >> 2) % 4), (channel, 1, 24 * a + b))
            value = (prediction + residual) % 256
            values[channel] = value
            misses.append(abs(value - prediction))
            here = x - self.x0, y - self.y0, channel
            self.misses[here] = misses[-1]
            self.errors[here] = [abs(value - p) for p in predictions]
            difference = limited(16 * value - mean, -127, 127)
            self.model.biases[channel, noise // 2, sides] = bias + 2 * difference - (bias >> 7)
        return values[0], values[1], values[2]

    def predictions(self, x: int, y: int, channel: int, values: list[int]) -> list[int]:
        around = [(-1, 0), (0, -1), (-1, -1), (1, -1)]
        near = [self.pixel(x + dx, y + dy) for dx, dy in around]
        old = [self.base(x + dx, y + dy) for dx, dy in around[:3]]
        t = self.base(x, y)
        w, n, nw, ne = (colour[channel] for colour in near)
        if channel == GREEN:
            tw, tn, tnw = (colour[GREEN] for colour in old)
            return [
                median(w, n, nw),
                w + ne - n,
                w + n - nw,
                n + ne - self.pixel(x + 1, y - 2)[GREEN],
                t[GREEN],
                t[GREEN] + median(w - tw, n - tn, nw - tnw),
                t[GREEN] + (w - tw + n - tn >> 1),
                w + n >> 1,
            ]
        g = values[GREEN]
        dw, dn, dnw, dne = (colour[channel] - colour[GREEN] for colour in near)
        dtw, dtn, dtnw = (colour[channel] - colour[GREEN] for colour in old)
        dt = t[channel] - t[GREEN]
        if channel == BLUE:
            sixth = t[BLUE]
        else:
            sixth = values[BLUE] + median(*(colour[RED] - colour[BLUE] for colour in near[:3]))
        return [
            g + median(dw, dn, dnw),
            g + (dw + dn + 1 >> 1),
            g + dw + dn - dnw,
            median(w, n, nw),
            g + dt,
            g + dt + median(dw - dtw, dn - dtn, dnw - dtnw),
            sixth,
            g + (dw + dne + 1 >> 1),
        ]

    def residual(self, first: tuple[int, ...], second: tuple[int, ...]) -> int:
        both = self.model.distributions[first], self.model.distributions[second]
        starts = [*(a + b for a, b in zip(*both, strict=True)), 65536]
        number = self.coder.number()
        symbol = max(k for k in range(16) if starts[k] <= number)
        self.coder.take(starts[symbol], starts[symbol + 1] - starts[symbol])
        for distribution in both:
            for i in range(16):
                target = 8 * i + (32640 if i > symbol else 0)
                distribution[i] += target - distribution[i] >> 5
        folded = symbol
        if symbol >= 10:
            bits = symbol - 8
            unit = 1 << 16 - bits
            rest = self.coder.number() // unit
            self.coder.take(rest * unit, unit)
            folded = (6 + (1 << bits) + rest) % 256
        return folded // 2 if folded % 2 == 0 else -(folded + 1) // 2
