"""Prints where the sender comes from, and a digest of sessions in virtual time: all that goes down the line, when, and
what the sender tells at the end. For `test_compiled.py`.
"""

import hashlib
import secrets

from screens import HEIGHT, WIDTH, Film, Typing

import fastframe.stream.sender
from fastframe.stream import ConsentGate, Display, Receiver, Scope, Sender, SenderConfig
from fastframe.stream.simulation import Line, LineProfile, Session

SECONDS = 6.0
MBIT = 1e6 / 8

digest = hashlib.sha256()
send = Line.send


def noted(line: Line, message: bytes, now: float) -> None:
    digest.update(f"{now} {len(message)}".encode() + message)
    send(line, message, now)


def session(screen: Film | Typing, profile: LineProfile, displays: int = 1, *, reliable: bool = True) -> None:
    gate = ConsentGate()
    gate.grant(Scope.VIEW, 0.0)
    # A consent that runs out, and is given again.
    gate.grant(Scope.CONTROL, 0.0, until=2.0)
    sender = Sender(gate, SenderConfig(reliable=reliable, max_fragment=15_000))
    sender.set_displays([Display(number, 0, 0, WIDTH, HEIGHT) for number in range(displays)], 0.0)
    receiver = Receiver()
    receiver.connect(0.0)
    Session(sender, receiver, dict.fromkeys(range(displays), screen), profile, seed=3).run(SECONDS)
    digest.update(str(sender.statistics(SECONDS)).encode())


if __name__ == "__main__":
    Line.send = noted  # type: ignore[method-assign]
    secrets.token_bytes = bytes  # type: ignore[assignment]
    session(Film(30, 5.0, bits=1), LineProfile(MBIT / 4, 0.15))
    session(Film(60, 5.0, bits=4), LineProfile(10 * MBIT, 0.02, jitter=0.03, rates=((2.0, MBIT / 2), (4.0, 10 * MBIT))))
    session(Film(30, 5.0, bits=2), LineProfile(4 * MBIT, 0.05, loss=0.05, ordered=False), reliable=False)
    session(Typing(30, 5.0), LineProfile(MBIT, 0.02, rates=((1.0, 0.0), (4.0, MBIT))), displays=2)
    session(Typing(30, 5.0), LineProfile(1000 * MBIT, 0.0005))
    print(fastframe.stream.sender.__file__, digest.hexdigest())
