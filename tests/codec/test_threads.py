"""Threads change how long a packet takes, and nothing else."""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import apart
import numpy as np
import pytest
from drawn_scenes import Scene, Step, scenes
from hypothesis import example, given
from hypothesis import strategies as st
from pictures import Frame, assert_shows, desktop, noise

import fastframe.codec.encoder
from fastframe import Decoder, Encoder, EncoderConfig, FastframeError, Limits, LocalProtocolError
from fastframe.codec.planes import ZstdCompressor

EFFORTS = ("fast", "balanced", "tight")


@pytest.fixture
def shared_from_the_first_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures are worth no second thread; here they are shared tile by tile all the same."""
    monkeypatch.setattr(fastframe.codec.parts, "FEW_TILES", 1)
    monkeypatch.setattr(fastframe.codec.parts, "TILES_PER_TASK", 1)
    monkeypatch.setattr(fastframe.codec.encoder, "WINDOW_TILES", 3)
    monkeypatch.setattr(fastframe.codec.encoder, "BUDGET_TILES", 2)


def all_threads() -> set[str]:
    """The threads of this process, those that Python does not know of too."""
    return set(os.listdir("/proc/self/task"))


REOPENED = Scene((200, 160), "text", 1, "packed", tuple(Step("open_window", seed, pause=5) for seed in (11, 1, 11, 1)))
SCROLLED = Scene((200, 160), "photograph", 2, "packed", tuple(Step("scroll_anywhere", seed) for seed in range(5)))
PANNED = Scene((200, 160), "photograph", 3, "packed", tuple(Step("pan", seed) for seed in range(5)))
SPARSE = Scene((200, 160), "border_of_palettes", 3, "packed", tuple(Step("sparse", seed) for seed in range(3)))


@pytest.mark.usefixtures("shared_from_the_first_tile")
@given(scene=scenes(), effort=st.sampled_from(EFFORTS), room=st.sampled_from([16_384, 20_000, 2**30]))
@example(REOPENED, "balanced", 2**30)
@example(SCROLLED, "fast", 16_384)
@example(PANNED, "balanced", 20_000)
@example(PANNED, "tight", 2**30)
@example(SPARSE, "tight", 2**30)
def test_every_number_of_threads_gives_the_same_bytes(scene: Scene, effort: str, room: int) -> None:
    limits = Limits(max_packet_bytes=max(room, 57_000) if effort == "tight" else room)
    encoders = [Encoder(EncoderConfig(effort=effort, limits=limits, threads=threads)) for threads in (1, 2, 3)]
    for shot in scene.play():
        first, *others = (
            encoder.encode(shot.frame, damage=shot.damage, keyframe=shot.keyframe, budget=shot.budget)
            for encoder in encoders
        )
        assert [other == first for other in others] == [True, True]


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("budget", [None, 20_000])
def test_recorded_screens_give_the_same_bytes(clip_frames: tuple[Frame, ...], effort: str, budget: int | None) -> None:
    before = all_threads()
    encoders = [Encoder(EncoderConfig(effort=effort, threads=threads)) for threads in (1, 2, 64)]
    frames = [*clip_frames[:3], clip_frames[2][::-1], clip_frames[0]]
    for frame in frames:
        packets = {encoder.encode(frame, budget=budget) for encoder in encoders}
        assert len(packets) == 1
    assert all_threads() - before


@pytest.mark.usefixtures("shared_from_the_first_tile")
def test_one_thread_starts_no_other() -> None:
    before = all_threads()
    encoder = Encoder(EncoderConfig(threads=1))
    encoder.encode(noise(640, 480))
    assert all_threads() <= before


@pytest.mark.usefixtures("shared_from_the_first_tile")
def test_the_threads_end_with_the_encoder(eventually: Callable[[Callable[[], bool]], None]) -> None:
    before = all_threads()
    encoder = Encoder(EncoderConfig(threads=3))
    assert all_threads() <= before
    encoder.encode(noise(640, 480))
    started = all_threads() - before
    assert 1 <= len(started) <= 2
    del encoder
    gc.collect()
    eventually(lambda: not all_threads() & started)


@pytest.mark.parametrize(
    "ending", ["", "atexit.register(lambda: encoder.encode(frame))", "sys.exit(0)", "go_on_in_a_child()"]
)
def test_the_interpreter_ends_while_an_encoder_has_threads(ending: str) -> None:
    script = f"""
import atexit, os, sys, threading, warnings
import numpy as np
import fastframe as ff
def go_on_in_a_child():
    warnings.simplefilter("ignore")
    child = os.fork()
    if child == 0:
        encoder.encode(frame[::-1])
        # The child has threads of its own, not a queue that nobody takes from.
        os._exit(7 if len(os.listdir("/proc/self/task")) > 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
frame = np.random.default_rng(0).integers(0, 256, (480, 640, 4), np.uint8)
encoder = ff.Encoder(ff.EncoderConfig(threads=3))
encoder.encode(frame)
{ending}
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.usefixtures("shared_from_the_first_tile")
def test_memory_that_runs_out_in_another_thread_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, decoder = Encoder(EncoderConfig(threads=3)), Decoder()
    decoder.decode(encoder.encode(desktop(640, 480)))
    original = ZstdCompressor.feed

    def feed(self: ZstdCompressor, data: memoryview) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            raise MemoryError
        return original(self, data)

    failures = 0
    for seed in range(20):
        with monkeypatch.context() as patch:
            patch.setattr(ZstdCompressor, "feed", feed)
            try:
                decoder.decode(encoder.encode(noise(640, 480, seed)))
            except FastframeError:
                failures += 1
        update = decoder.decode(encoder.encode(desktop(640, 480, seed)))
        assert_shows(decoder, desktop(640, 480, seed))
        if failures:
            assert update.keyframe
            break
    assert failures


@pytest.mark.parametrize("threads", [0, -1, 65, 2**70, 1.0, "2", None])
def test_a_wrong_number_of_threads_is_refused(threads: Any) -> None:
    with pytest.raises(LocalProtocolError, match="threads"):
        EncoderConfig(threads=threads)


def test_a_frame_that_is_written_to_meanwhile_arrives_in_the_end() -> None:
    encoder, decoder = Encoder(EncoderConfig(threads=2)), Decoder()
    frame, ended = noise(640, 480), threading.Event()

    def scribble() -> None:
        random = np.random.default_rng(1)
        while not ended.is_set():
            frame[:] = random.integers(0, 256, (480, 640, 1), np.uint8)

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        for _ in range(20):
            decoder.decode(encoder.encode(frame))
    finally:
        ended.set()
        writer.join()
    decoder.decode(encoder.encode(frame))
    assert_shows(decoder, frame)


def test_interrupts_while_threads_start_are_what_they_are_and_leave_none() -> None:
    code = """
        from fastframe.codec.team import Team

        def work():
            for _ in range(3):
                Team(3).run([lambda: None] * 6)

        report(threads_left_by_interrupts(work))
    """
    assert apart.run(code) == 0
