"""An encoder and a viewer joined by a bad line, in any order of events.

Invariant: the viewer shows what the encoder sent, exactly, or it says so with a typed error, keeps its last
good frame, and is exact again with the next keyframe.
"""

from typing import Any

import numpy as np
import pytest
from drawing import EDITS, LAYOUTS, PICTURES, Pixels
from drawn_scenes import sizes
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from packets import HASH, parse, seal
from pictures import shown
from programs import Mutation, mutations

from fastframe import Decoder, Encoder, EncoderConfig, Rect, RemoteProtocolError

EFFORTS = ("fast", "balanced", "tight")
SEEDS = st.integers(0, 2**16)


class Line(RuleBasedStateMachine):
    """The encoder's screen, the packets that are on their way, and a viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = Decoder()
        # What the viewer must show; None before the first keyframe.
        self.expected: Pixels | None = None
        self.dead = True
        self.delivered: list[bytes] = []

    @initialize(effort=st.sampled_from(EFFORTS), size=sizes(), picture=st.sampled_from(list(PICTURES)), seed=SEEDS)
    def begin(self, effort: str, size: tuple[int, int], picture: str, seed: int) -> None:
        self.encoder = Encoder(EncoderConfig(effort=effort))
        self.screen = PICTURES[picture](np.random.default_rng(seed), size[1], size[0])
        # Where the screen has changed since the encoder was told.
        self.damage: list[Rect] | None = None
        # Whether the encoder has said that it holds nothing back.
        self.complete = False
        # Pictures that the encoder may think the viewer has, while the line is good.
        self.send(keyframe=False, budget=None, layout="packed", told=False)

    def encode(self, keyframe: bool, budget: int | None, layout: str, told: bool) -> bytes:
        frame = LAYOUTS[layout](np.random.default_rng(len(self.delivered)), self.screen)
        before = frame.copy()
        packet = self.encoder.encode(frame, damage=self.damage if told else None, keyframe=keyframe, budget=budget)
        assert packet == bytes(packet)
        np.testing.assert_array_equal(frame, before)
        self.damage = []
        return packet

    def refuse(self, packet: bytes) -> None:
        with pytest.raises(RemoteProtocolError) as caught:
            self.decoder.decode(packet)
        assert str(caught.value)
        self.dead = True

    def check_update(self, before: Pixels | None, update: Any) -> None:
        """The dirty rectangles hold every change."""
        frame = self.decoder.frame
        covered = np.zeros(frame.shape[:2], bool)
        for x, y, width, height in update.dirty:
            assert not covered[y : y + height, x : x + width].any()
            covered[y : y + height, x : x + width] = True
        if update.keyframe:
            assert covered.all()
        else:
            assert before is not None
            assert not ((frame != before).any(axis=2) & ~covered).any()

    # -- what happens on the screen ---------------------------------------------------------------------

    @rule(edit=st.sampled_from([name for name in EDITS if name != "nothing"]), seed=SEEDS)
    def draw(self, edit: str, seed: int) -> None:
        touched = EDITS[edit](np.random.default_rng(seed), self.screen)
        if self.damage is not None:
            self.damage += touched

    @rule(size=sizes())
    def resize(self, size: tuple[int, int]) -> None:
        self.screen = np.resize(self.screen, (size[1], size[0], 3))
        self.damage = None

    @rule(effort=st.sampled_from(EFFORTS))
    def change_effort(self, effort: str) -> None:
        self.encoder.effort = effort

    # -- packets that arrive ----------------------------------------------------------------------------

    @rule(
        keyframe=st.sampled_from([False, False, False, True]),
        budget=st.none() | st.integers(1, 3000),
        layout=st.sampled_from(list(LAYOUTS)),
        told=st.booleans(),
    )
    def send(self, keyframe: bool, budget: int | None, layout: str, told: bool) -> None:
        packet = self.encode(keyframe, budget, layout, told)
        begins = parse(packet).size is not None
        if self.dead and not begins:
            self.refuse(packet)
            return
        before = None if self.expected is None else self.decoder.frame.copy()
        update = self.decoder.decode(packet)
        self.dead = False
        self.delivered.append(packet)
        self.check_update(before, update)
        frame = self.decoder.frame.copy()
        screen = shown(np.dstack([self.screen, self.screen[..., 0]]))
        if update.complete:
            np.testing.assert_array_equal(frame, screen)
        else:
            # Each pixel shows the screen, or what was there before.
            old = np.zeros_like(frame) if update.keyframe else before
            assert old is not None
            old[..., 3] = 255
            new = (frame == screen).all(axis=2)
            assert (new | (frame == old).all(axis=2)).all()
            assert budget is not None
        self.expected = frame

    @precondition(lambda self: not self.dead)
    @rule()
    def quieten(self) -> None:
        """The screen stands still and budgets go on: the picture becomes exact in the end."""
        for _ in range(1000):
            packet = self.encode(False, 2000, "packed", False)
            update = self.decoder.decode(packet)
            self.delivered.append(packet)
            if update.complete:
                break
        self.expected = shown(np.dstack([self.screen, self.screen[..., 0]]))

    # -- packets that do not -----------------------------------------------------------------------------

    @rule(keyframe=st.booleans(), budget=st.none() | st.integers(1, 3000))
    def lose(self, keyframe: bool, budget: int | None) -> None:
        lost = self.encode(keyframe, budget, "packed", False)
        after = self.encode(False, budget, "packed", False)
        assert parse(lost).epoch == parse(after).epoch
        self.refuse(after)

    @rule(mutation=mutations(), sealed=st.booleans(), keyframe=st.booleans())
    def damage_one(self, mutation: Mutation, sealed: bool, keyframe: bool) -> None:
        """A packet is changed on its way, by accident or, with a CRC that is right again, on purpose."""
        packet = self.encode(keyframe, None, "packed", False)
        changed = mutation.apply(packet[:-4] if sealed else packet)
        changed = seal(changed) if sealed else changed
        if changed == packet:
            self.dead = True
            return
        if not sealed:
            self.refuse(changed)
            return
        # Somebody who can write a CRC can draw a picture; the decoder only has to hold together.
        before = self.decoder.frame.copy()
        try:
            update = self.decoder.decode(changed)
        except RemoteProtocolError:
            np.testing.assert_array_equal(self.decoder.frame, before)
        else:
            self.check_update(before, update)
            assert (self.decoder.frame[..., 3] == 255).all()
            if packet[1] & changed[1] & HASH and parse(packet).frame_hash == parse(changed).frame_hash:
                screen = shown(np.dstack([self.screen, self.screen[..., 0]]))
                np.testing.assert_array_equal(self.decoder.frame, screen)
            self.expected = self.decoder.frame.copy()
            # The viewer may now be in an epoch that the encoder has not come to: only a new viewer helps.
            self.decoder = Decoder()
            self.expected, self.dead, self.delivered = None, True, []
            self.send(keyframe=True, budget=None, layout="packed", told=False)
            return
        self.dead = True

    @precondition(lambda self: self.delivered)
    @rule(number=SEEDS)
    def deliver_again(self, number: int) -> None:
        self.refuse(self.delivered[number % len(self.delivered)])

    @rule(data=st.binary(max_size=200), sealed=st.booleans())
    def deliver_garbage(self, data: bytes, sealed: bool) -> None:
        packet = seal(data) if sealed else data
        if sealed and data[:1] == b"\xf0":
            return  # could be a packet
        self.refuse(packet)

    # -- what gets the viewer back -----------------------------------------------------------------------

    @precondition(lambda self: self.dead)
    @rule()
    def resync(self) -> None:
        self.send(keyframe=True, budget=None, layout="packed", told=False)
        assert not self.dead

    @rule()
    def join_late(self) -> None:
        """Another viewer joins: it understands nothing before a keyframe, and everything after it."""
        late = Decoder()
        packet = self.encode(False, None, "packed", False)
        if parse(packet).size is None:
            with pytest.raises(RemoteProtocolError):
                late.decode(packet)
        keyframe = self.encode(True, None, "packed", False)
        assert late.decode(keyframe).complete
        np.testing.assert_array_equal(late.frame, shown(np.dstack([self.screen, self.screen[..., 0]])))
        self.decoder, self.expected, self.dead = late, late.frame.copy(), False
        self.delivered = [keyframe]

    @invariant()
    def the_viewer_shows_the_last_good_frame(self) -> None:
        if self.expected is not None:
            np.testing.assert_array_equal(self.decoder.frame, self.expected)


TestLine = Line.TestCase
TestLine.settings = settings(stateful_step_count=30)
