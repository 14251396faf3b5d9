"""The customer's end: frames in, messages out."""

from collections.abc import Iterable
from typing import Any

from fastframe.stream.config import SenderConfig
from fastframe.stream.consent import ConsentGate
from fastframe.stream.events import Event
from fastframe.stream.messages import ByeReason, Display, Party
from fastframe.stream.pairing import PairingKey
from fastframe.stream.states import State
from fastframe.stream.statistics import StreamStatistics
from fastframe.stream.wire import Message


class Sender:
    """Sends the displays of one customer to one viewer (or to a `Relay`, for many).

    It does no I/O and has no clock. A transport does this, in any order and as often as it likes::

        sender.receive(data, now)                 # for each message that has come in
        while (event := sender.next_event()) is not None:
            ...                                   # FrameWanted: capture, then sender.send_frame(...)
        answer = sender.poll(now)                 # list: send these messages; number: call again at that time
                                                  # (events may have come up: ask for them again)

    `now` is in seconds of a clock that does not go back, the same for all calls and for the gate. Not for use by
    two threads at once. Everything that is kept is bounded: by the flow control's window, at most 4 MiB, and the
    encoders' memory.

    Parameters
    ----------
    gate
        The customer's consents. Without `view` no pixel is read and none is sent.
    config
        Settings; `SenderConfig()` if omitted.
    pairing
        If given, the viewer must state this key on its first connection.
    """

    def __init__(
        self, gate: ConsentGate, config: SenderConfig | None = None, *, pairing: PairingKey | None = None
    ) -> None: ...

    state: State
    gate: ConsentGate

    def receive(self, data: bytes | memoryview, now: float) -> None:
        """Takes one message from the peer. Events may follow.

        Raises
        ------
        RemoteProtocolError
            The peer has broken the protocol. The connection is `FAILED`: this raises the same error from now on, and
            `poll` gives a last message.
        """

    def next_event(self) -> Event | None:
        """The next event; `None` when there is none. Ask after each `receive` and each `poll`."""

    def poll(self, now: float) -> list[Message] | float:
        """The messages to send now, in order; or, if there are none, the time at which to call again (may be `inf`)."""
        return float(now)

    def set_displays(self, displays: Iterable[Display], now: float) -> None:
        """Tells which displays there are now: call it before the first frame, and when one comes, goes or changes."""

    def send_frame(
        self, display: int, frame: Any, damage: Iterable[tuple[int, int, int, int]] | None, now: float
    ) -> bool:
        """Encodes a frame if there is room on the line; otherwise only remembers that its damage is still to be sent.

        Parameters
        ----------
        display
            Its number, one of `set_displays`.
        frame
            As for `Encoder.encode`; only read during the call.
        damage
            As for `Encoder.encode`: what has changed since the last call, whether that encoded anything or not.
        now
            The time.

        Returns
        -------
        bool
            Whether the frame was encoded. If not, or not all of it, `FrameWanted` comes when there is room.

        Raises
        ------
        ConsentRequired
            `view` is not granted. The frame has not been touched.
        LocalProtocolError
            A wrong argument, or the session is closed or failed.
        """
        return False

    def send_cursor_shape(self, pixels: Any, hotspot: tuple[int, int], now: float) -> None:
        """Tells what the pointer looks like: (height, width, 4) uint8 straight-alpha BGRA, at most 256 x 256."""

    def send_cursor_position(self, display: int, x: int, y: int, now: float, *, visible: bool = True) -> None:
        """Tells where the pointer is. Changes near it are sent first. Only the latest position is kept."""

    def send_input_activity(self, party: Party, now: float, *, name: str = "") -> None:
        """Tells who moves mouse and keyboard now."""

    def send_chat(self, text: str, now: float, *, author: str = "") -> None:
        """Sends a line of chat; needs `chat`."""

    def pause(self, now: float) -> None:
        """No frames until `resume`; those that are queued are dropped."""

    def resume(self, now: float) -> None:
        """Frames again."""

    def connection_lost(self, now: float) -> None:
        """The transport has gone. For `SenderConfig.resume_for` the viewer may come back over a new one."""

    def close(self, now: float, reason: ByeReason = ByeReason.FINISHED, text: str = "") -> None:
        """Ends the session. `poll` gives the last message."""

    def statistics(self, now: float) -> StreamStatistics:
        """Figures of the line and the stream."""
        raise NotImplementedError
