"""The technician's end: messages in, pictures out."""

import numpy as np
import numpy.typing as npt

from fastframe.stream.config import ReceiverConfig
from fastframe.stream.consent import ConsentState, Scope
from fastframe.stream.events import Event
from fastframe.stream.messages import ByeReason, Display
from fastframe.stream.states import State
from fastframe.stream.wire import Message


class Receiver:
    """Shows the displays of one customer.

    It does no I/O and has no clock; it is driven as `Sender` is, after `connect`. What it holds is bounded by
    `ReceiverConfig.limits` for each display.

    Parameters
    ----------
    config
        Settings; `ReceiverConfig()` if omitted.
    """

    def __init__(self, config: ReceiverConfig | None = None) -> None: ...

    state: State
    displays: tuple[Display, ...]

    def connect(self, now: float, *, key: str = "", scopes: tuple[Scope, ...] = (Scope.VIEW,)) -> None:
        """Begins the session over a new transport, or continues the one whose transport was lost.

        Parameters
        ----------
        now
            The time.
        key
            The pairing key, where the customer's side asks for one.
        scopes
            What the customer is to be asked for.
        """

    def receive(self, data: bytes | memoryview, now: float) -> None:
        """Takes one message from the peer, as `Sender.receive`. `data` must not be changed afterwards."""

    def next_event(self) -> Event | None:
        """The next event; `None` when there is none."""

    def poll(self, now: float) -> list[Message] | float:
        """The messages to send now, or the time at which to call again."""
        return float(now)

    def frame(self, display: int) -> npt.NDArray[np.uint8]:
        """The picture of a display: as `Decoder.frame`. `ConsentRequired` while `view` is not granted."""
        raise NotImplementedError

    def consent(self, scope: Scope) -> ConsentState:
        """The state of a scope as the customer's side last told it."""
        raise NotImplementedError

    def acknowledge(self, display: int, epoch: int, sequence: int, now: float) -> None:
        """Tells that a packet, and all before it, have been shown; needed with `auto_acknowledge=False` only."""

    def request_keyframe(self, display: int, now: float) -> None:
        """Asks for a picture that hangs on nothing before it."""

    def request_consent(self, scope: Scope, now: float, *, text: str = "") -> None:
        """Asks the customer for a scope."""

    def send_pointer(
        self, display: int, x: int, y: int, now: float, *, buttons: int = 0, wheel: tuple[int, int] = (0, 0)
    ) -> None:
        """Moves the customer's pointer; needs `control`."""

    def send_key(self, keysym: int, pressed: bool, now: float) -> None:
        """Presses or releases one of the customer's keys; needs `control`."""

    def send_chat(self, text: str, now: float, *, author: str = "") -> None:
        """Sends a line of chat; needs `chat`."""

    def pause(self, now: float) -> None:
        """Asks for no frames until `resume`, for example while the window is hidden."""

    def resume(self, now: float) -> None:
        """Asks for frames again."""

    def connection_lost(self, now: float) -> None:
        """The transport has gone. `connect` continues over a new one; pictures stay meanwhile."""

    def close(self, now: float, reason: ByeReason = ByeReason.FINISHED, text: str = "") -> None:
        """Ends the session."""
