"""Every exception that fastframe raises on purpose.

A caller that catches `FastframeError` catches all of them. The two protocol errors tell whose mistake it was:
`LocalProtocolError` is a wrong argument or a wrong call on this side, `RemoteProtocolError` is a fault of the bytes
that came from the peer. Errors carry the numbers they are about, so that a product can log or show them.
"""

from typing import Any


class FastframeError(Exception):
    """Base of all fastframe errors.

    Parameters
    ----------
    message
        One line for a person.
    expected, actual, limit
        What the message is about, where it is about a value; `None` otherwise.
    """

    def __init__(self, message: str, *, expected: Any = None, actual: Any = None, limit: Any = None) -> None:
        super().__init__(message)
        self.expected = expected
        self.actual = actual
        self.limit = limit


class ProtocolError(FastframeError):
    """A rule of the codec or of the wire format was broken."""


class LocalProtocolError(ProtocolError, ValueError):
    """This side broke the rule: a wrong argument, or a call that is not allowed now. Nothing has changed."""


class RemoteProtocolError(ProtocolError):
    """The peer's bytes broke the rule. The decoder waits for the next keyframe; its last good frame stays readable."""


class CaptureError(FastframeError):
    """The screen could not be captured."""


class TransientCaptureError(CaptureError):
    """Capture failed now and may work again, for example while monitors are being rearranged."""


class PermanentCaptureError(CaptureError):
    """Capture cannot work until something outside changes: no display, no permission."""


class RecordingError(FastframeError):
    """A file is no recording, is damaged, or could not be written."""


class TransportError(FastframeError):
    """A connection could not be made, or broke."""


class ConsentRequired(FastframeError):
    """An action needs a consent that has not been granted or was withdrawn."""
