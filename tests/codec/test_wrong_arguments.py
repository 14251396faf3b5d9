"""Wrong arguments: a typed error that names what was expected, and an encoder that goes on as before."""

import copy
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pair import GOOD, InterfaceOnly, Pair
from pictures import Frame, assert_shows

from fastframe import (
    Decoder,
    Encoder,
    EncoderConfig,
    Limits,
    LocalProtocolError,
    Rect,
)

SMALL = Limits(max_width=100, max_height=90, max_pixels=8000)

BAD_FRAMES: dict[str, Any] = {
    "nothing": None,
    "a number": 7,
    "not a number": float("nan"),
    "text": "frame",
    "bytes": bytes(64),
    "an object": object(),
    "ragged lists": [[1], [1, 2]],
    "signed": GOOD.view(np.int8),
    "wider integers": GOOD.astype(np.uint16),
    "floats": GOOD.astype(np.float32),
    "not numbers": np.full((70, 80, 4), np.nan),
    "booleans": GOOD > 3,
    "one number a pixel": np.ascontiguousarray(GOOD).view(np.uint32),
    "three channels": np.ascontiguousarray(GOOD[..., :3]),
    "five channels": np.zeros((70, 80, 5), np.uint8),
    "flat": GOOD.ravel(),
    "two dimensions": GOOD.reshape(70, 320),
    "four dimensions": GOOD[None],
    "no rows": np.zeros((0, 80, 4), np.uint8),
    "no columns": np.zeros((70, 0, 4), np.uint8),
    "nothing at all": np.zeros((0, 0, 4), np.uint8),
    "columns first": np.asfortranarray(GOOD),
    "every second column": np.repeat(GOOD, 2, axis=1)[:, ::2],
    "columns from the right": GOOD[:, ::-1],
    "channels reversed": GOOD[..., ::-1],
    "channels apart": np.zeros((70, 4, 80), np.uint8).transpose(0, 2, 1),
    "too wide": np.zeros((2, 101, 4), np.uint8),
    "too high": np.zeros((91, 2, 4), np.uint8),
    "too many pixels": np.zeros((90, 100, 4), np.uint8),
    "an interface that lies": InterfaceOnly(shape="much", data=bytes(4)),
}

BAD_ARGUMENTS: dict[str, dict[str, Any]] = {
    "damage is a number": {"damage": 5},
    "damage is text": {"damage": "all"},
    "damage is a single rectangle": {"damage": Rect(0, 0, 5, 5)},
    "damage of three numbers": {"damage": [(0, 0, 5)]},
    "damage of five numbers": {"damage": [(0, 0, 5, 5, 5)]},
    "damage of no numbers": {"damage": [()]},
    "damage of floats": {"damage": [(0.0, 0.0, 5.0, 5.0)]},
    "damage that is not a number": {"damage": [(float("nan"), 0, 5, 5)]},
    "damage of text": {"damage": [("0", "0", "5", "5")]},
    "damage of nothing": {"damage": [None]},
    "negative width": {"damage": [(0, 0, -1, 5)]},
    "negative height": {"damage": [(0, 0, 5, -1)]},
    "one bad rectangle of several": {"damage": [(0, 0, 5, 5), (0, 0, 5)]},
    "budget 0": {"budget": 0},
    "negative budget": {"budget": -1},
    "budget of text": {"budget": "4096"},
    "fractional budget": {"budget": 4096.5},
    "budget that is not a number": {"budget": float("nan")},
    "infinite budget": {"budget": float("inf")},
    "keyframe of several flags": {"keyframe": np.ones(2, bool)},
    "keyframe of text": {"keyframe": "no"},
    "keyframe of a number": {"keyframe": 1},
}


def assert_nothing_moved(pair: Pair, frame: Frame, call: Callable[[], object]) -> LocalProtocolError:
    """The call is refused, and the next packet continues the chain as if it had not been made."""
    other = Encoder(EncoderConfig(limits=SMALL))
    assert other.encode(frame) == pair.encoder.encode(frame)
    stats = pair.encoder.stats
    with pytest.raises(LocalProtocolError) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert str(caught.value)
    assert pair.encoder.stats == stats
    following = frame.copy()
    following[10:30, 20:40, 1] ^= 0x55
    packet = pair.encoder.encode(following)
    assert packet == other.encode(following)
    return caught.value


@pytest.mark.parametrize("kind", BAD_FRAMES)
def test_a_wrong_frame_is_refused_and_moves_nothing(kind: str) -> None:
    pair = Pair(EncoderConfig(limits=SMALL))
    assert_nothing_moved(pair, GOOD, lambda: pair.encoder.encode(BAD_FRAMES[kind]))


@pytest.mark.parametrize("kind", BAD_FRAMES)
def test_a_wrong_first_frame_is_refused_and_moves_nothing(kind: str) -> None:
    encoder = Encoder(EncoderConfig(limits=SMALL))
    with pytest.raises(LocalProtocolError):
        encoder.encode(BAD_FRAMES[kind], keyframe=True)
    assert encoder.stats is None
    assert encoder.encode(GOOD) == Encoder().encode(GOOD)


@pytest.mark.parametrize("kind", BAD_ARGUMENTS)
def test_a_wrong_argument_is_refused_and_moves_nothing(kind: str) -> None:
    pair = Pair(EncoderConfig(limits=SMALL))
    other = GOOD.copy()
    other[5:60, 5:60] ^= 0x3C
    assert_nothing_moved(pair, GOOD, lambda: pair.encoder.encode(other, **BAD_ARGUMENTS[kind]))


def test_an_iterator_that_fails_moves_nothing() -> None:
    class Failure(Exception):
        pass

    def rectangles() -> Iterator[Rect]:
        yield Rect(0, 0, 5, 5)
        raise Failure

    pair = Pair()
    pair.send(GOOD)
    with pytest.raises(Failure):
        pair.encoder.encode(GOOD[::-1], damage=rectangles())
    update = pair.send(GOOD[::-1])
    assert (update.epoch, update.sequence) == (1, 1)
    assert_shows(pair.decoder, GOOD[::-1])


def test_errors_carry_the_numbers_they_are_about() -> None:
    encoder = Encoder(EncoderConfig(limits=SMALL))
    with pytest.raises(LocalProtocolError, match="101 x 2") as caught:
        encoder.encode(BAD_FRAMES["too wide"])
    assert caught.value.actual == (101, 2)
    assert caught.value.limit == (100, 90, 8000)
    with pytest.raises(LocalProtocolError, match="uint16") as caught:
        encoder.encode(BAD_FRAMES["wider integers"])
    assert caught.value.expected == "(H, W, 4) uint8"
    assert caught.value.actual == "(70, 80, 4) uint16"
    with pytest.raises(LocalProtocolError, match="strides") as caught:
        encoder.encode(BAD_FRAMES["every second column"])
    assert caught.value.expected == (None, 4, 1)
    assert caught.value.actual == (640, 8, 1)
    with pytest.raises(LocalProtocolError, match="budget") as caught:
        encoder.encode(GOOD, budget=-3)
    assert caught.value.actual == -3


@pytest.mark.parametrize("effort", ["slow", "", None, 3, [], {}, b"fast", "FAST"])
def test_an_unknown_effort_is_refused(effort: Any) -> None:
    with pytest.raises(LocalProtocolError, match="effort"):
        EncoderConfig(effort=effort)


@pytest.mark.parametrize("number", [-1, 2**32, 1.0, None, "1", float("nan")])
def test_a_wrong_first_epoch_is_refused(number: Any) -> None:
    with pytest.raises(LocalProtocolError, match="first_epoch"):
        EncoderConfig(first_epoch=number)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(LocalProtocolError):
        EncoderConfig(limits=4096)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError):
        Encoder("tight")  # type: ignore[arg-type]


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, pickle.dumps])
def test_what_goes_on_from_packet_to_packet_cannot_be_doubled(twin: Callable[[object], object]) -> None:
    pair = Pair()
    pair.send(GOOD)
    for original in (pair.encoder, pair.decoder):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            twin(original)
    pair.send(GOOD[::-1])
    assert_shows(pair.decoder, GOOD[::-1])


def test_a_subclass_that_does_not_initialise_its_base_is_told_so() -> None:
    class MyEncoder(Encoder):
        def __init__(self) -> None:
            pass

    class MyDecoder(Decoder):
        def __init__(self) -> None:
            pass

    encoder, decoder = MyEncoder(), MyDecoder()
    calls: list[Callable[[], object]] = [
        lambda: encoder.encode(GOOD),
        lambda: encoder.effort,
        lambda: decoder.decode(b"packet"),
        lambda: decoder.frame,
    ]
    for call in calls:
        with pytest.raises(LocalProtocolError, match=r"^My(Encoder|Decoder) has not .+: \1\.__init__ must"):
            call()


def test_a_second_thread_is_refused_while_the_first_one_encodes() -> None:
    pair = Pair()
    pair.send(GOOD)
    errors: list[BaseException] = []

    def intrude() -> None:
        try:
            pair.encoder.encode(GOOD)
        except LocalProtocolError as error:
            errors.append(error)

    def rectangles() -> Iterator[Rect]:
        # The encoder asks for its damage while it is at work.
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        yield Rect(0, 0, 80, 70)

    update = pair.send(GOOD[::-1], damage=rectangles())
    assert len(errors) == 1
    assert "thread" in str(errors[0])
    assert update.sequence == 1
    assert_shows(pair.decoder, GOOD[::-1])
