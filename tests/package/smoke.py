"""Proves that an installed fastframe works: run it by file name with the Python that has the package.

It needs nothing but the package and what that depends on; every wheel is tested with it wherever it is built.
It prints one line, and exits non-zero when a single pixel differs.
"""

import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import fastframe
from fastframe import fixtures
from fastframe.stream import ConsentGate, Display, Receiver, Scope, Sender
from fastframe.stream.events import FrameReceived


def frames(width: int = 333, height: int = 217) -> Iterator[NDArray[np.uint8]]:
    """Yield a small desktop that lives: noise, a flat window, dots like glyphs, a scroll, a new size."""
    random = np.random.default_rng(1)
    frame = random.integers(0, 256, (height, width, 4), np.uint8)
    yield frame
    frame[40:160, 50:250] = (240, 240, 240, 0)
    yield frame
    frame[60:140, 60:240][random.random((80, 180)) < 0.2] = (20, 20, 20, 0)
    yield frame
    frame[40:150, 50:250] = frame[50:160, 50:250].copy()
    yield frame
    yield frame
    yield random.integers(0, 256, (height // 2, width // 3, 4), np.uint8)


def session(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a viewer sees of a frame."""
    gate = ConsentGate()
    gate.grant(Scope.VIEW, 0.0)
    sender, receiver = Sender(gate), Receiver()
    sender.set_displays([Display(0, 0, 0, frame.shape[1], frame.shape[0])], 0.0)
    receiver.connect(0.0)
    shown = None
    for tick in range(100):
        now = tick / 100
        sender.send_frame(0, frame, None if tick == 0 else [], now)
        for one, other in ((receiver, sender), (sender, receiver)):
            while isinstance(messages := one.poll(now), list):
                for message in messages:
                    other.receive(bytes(message), now)
        while (event := receiver.next_event()) is not None:
            if isinstance(event, FrameReceived) and event.update.complete:
                shown = receiver.frame(0)
    if shown is None:
        sys.exit("no frame came through a session")
    return shown


def main() -> None:
    encoder, decoder = fastframe.Encoder(), fastframe.Decoder()
    size = count = 0
    for frame in frames():
        packet = encoder.encode(frame)
        decoder.decode(packet)
        if not np.array_equal(decoder.frame[..., :3], frame[..., :3]):
            sys.exit(f"frame {count} came back different")
        size += len(packet)
        count += 1
    shown = session(frame)
    if not np.array_equal(shown[..., :3], frame[..., :3]):
        sys.exit("a frame came back different from a session")
    clips = [fixtures.path(name) for name in fixtures.names()]
    if not clips or not all(clip.is_file() for clip in clips):
        sys.exit("the recording that belongs to the package is missing")
    print(f"fastframe {fastframe.__version__} of {fastframe.__file__}: {count} frames exact in {size} bytes")


if __name__ == "__main__":
    main()
