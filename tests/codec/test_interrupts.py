"""An exception from outside (Ctrl+C, no memory) may strike at any line, and no pixel is wrong.

Each test makes a call again and again and interrupts it at every line of the codec's Python that it passes.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from pictures import assert_shows, desktop, noise, shown

import fastframe.codec.encoder
from fastframe import Decoder, Encoder, EncoderConfig, RemoteProtocolError

SOURCES = str(Path(fastframe.codec.__file__).parent)


class Struck(BaseException):
    """What strikes."""


def strike(call: Callable[[], object], line: int) -> bool:
    """Makes the call and raises `Struck` at the so many-th line; returns whether the call was so long."""
    passed = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal passed
        if not frame.f_code.co_filename.startswith(SOURCES):
            return None
        # These two only say who is in, and no interrupt comes between the lines of their `finally`: see the last test.
        if event == "line" and frame.f_code.co_name not in ("encode", "decode"):
            passed += 1
            if passed == line:
                raise Struck
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except Struck:
        return True
    finally:
        sys.settrace(before)
    return False


def test_a_decoder_that_is_interrupted_never_shows_a_wrong_pixel() -> None:
    frames = [desktop(149, 101, seed) for seed in range(3)]
    frames[2][:64] = noise(149, 64)
    encoder = Encoder()
    packets = [encoder.encode(frame) for frame in frames]
    packets.append(encoder.encode(frames[2], keyframe=True))
    again = encoder.encode(frames[0], keyframe=True)
    sent = {shown(frame).tobytes() for frame in frames}

    for position in (1, 3):
        line, struck = 0, True
        while struck:
            line += 1
            decoder = Decoder()
            for packet in packets[:position]:
                decoder.decode(packet)
            struck = strike(lambda d=decoder, p=packets[position]: d.decode(p), line)  # type: ignore[misc]
            assert decoder.tile_map().modes.shape == (2, 3)
            # Tried again, and with what follows, it is right or refused.
            for packet in packets[position : position + 2]:
                try:
                    decoder.decode(packet)
                except RemoteProtocolError:
                    continue
                assert decoder.frame.tobytes() in sent
            decoder.decode(again)
            assert_shows(decoder, frames[0])
        assert line > 50


@pytest.mark.parametrize("threads", [1, 2])
def test_after_an_encoder_was_interrupted_the_next_frame_arrives(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastframe.codec.parts, "FEW_TILES", 1)
    first, second, third = desktop(149, 101, 1), noise(149, 101), desktop(149, 101, 2)
    for keyframe in (False, True):
        line, struck = 0, True
        while struck:
            line += 1
            encoder, decoder = Encoder(EncoderConfig(threads=threads)), Decoder()
            decoder.decode(encoder.encode(first))
            struck = strike(lambda e=encoder, k=keyframe: e.encode(second, keyframe=k), line)  # type: ignore[misc]
            if struck:
                decoder.decode(encoder.encode(third))
                assert_shows(decoder, third)
                decoder.decode(encoder.encode(second))
                assert_shows(decoder, second)
        assert line > 50


def test_an_interrupt_after_any_call_leaves_nobody_in() -> None:
    """Python looks for interrupts when a call of C returns, such as one that has taken a lock."""
    encoder, decoder = Encoder(), Decoder()
    frame = desktop(149, 101)
    packet = encoder.encode(frame)
    for call, again in (
        (lambda: encoder.encode(frame), lambda: encoder.encode(frame, keyframe=True)),
        (lambda: decoder.decode(packet), lambda: decoder.decode(encoder.encode(frame, keyframe=True))),
    ):
        number, struck = 0, True
        while struck:
            number += 1
            struck = _strike_after_call(call, number)
            again()
        assert number > 1
    assert_shows(decoder, frame)


def _strike_after_call(call: Callable[[], object], number: int) -> bool:
    """Makes the call and raises `Struck` when the so many-th call of C that `encode` or `decode` makes has returned."""
    passed = 0

    def profile(frame: FrameType, event: str, _function: Any) -> None:
        nonlocal passed
        code = frame.f_code
        if event == "c_return" and code.co_name in ("encode", "decode") and code.co_filename.startswith(SOURCES):
            passed += 1
            if passed == number:
                raise Struck

    sys.setprofile(profile)
    try:
        call()
    except Struck:
        return True
    except RemoteProtocolError:  # the packet was decoded before
        return False
    finally:
        sys.setprofile(None)
    return False
