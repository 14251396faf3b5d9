"""The best source of a live screen that works here."""

from collections.abc import Iterable

from fastframe._arguments import checked_choice
from fastframe.capture.checks import checked_masks
from fastframe.capture.display_name import IS_X11
from fastframe.capture.mss_source import MssSource
from fastframe.capture.source import LiveSource, Mask, Share, WindowPattern
from fastframe.capture.x11 import X11Source
from fastframe.errors import PermanentCaptureError

KINDS = ("x11", "mss")
"""Names of the sources that `open_source` knows, the best one first."""


def open_source(
    display: str | None = None, *, share: Share = None, masks: Iterable[Mask] = (), prefer: str | None = None
) -> LiveSource:
    """Open the screen: with `X11Source`, which knows what has changed, or else with `MssSource`.

    Which one it is, and why, `name` and `reason` of the source tell.

    Parameters
    ----------
    display
        An X11 display such as `:0`; `None` is the one that DISPLAY names, or the desktop of Windows and macOS.
    share
        What is shown; see `Share`.
    masks
        What must stay private. Window patterns take `X11Source`: without it nothing is opened.
    prefer
        "x11" or "mss": only this one will do.

    Raises
    ------
    PermanentCaptureError
        Neither of them works, or the one that is needed does not.
    TransientCaptureError
        The display server does not answer, or the window to share is not on the screen.
    LocalProtocolError
        A wrong argument.
    """
    if prefer is not None:
        checked_choice(prefer, KINDS, "prefer")
    masks = checked_masks(masks)
    if prefer == "mss":
        return MssSource(display, share=share, masks=masks, reason="it was asked for")
    only_x11 = prefer == "x11" or any(isinstance(each, WindowPattern) for each in (share, *masks))
    try:
        return _open_x11(display, share, masks)
    except PermanentCaptureError as error:
        if only_x11:
            raise
        failure = error
    try:
        return MssSource(display, share=share, masks=masks, reason=str(failure))
    except PermanentCaptureError as error:
        # Mostly both fail for the same reason.
        raise error from failure


def _open_x11(display: str | None, share: Share, masks: tuple[Mask, ...]) -> LiveSource:
    if not IS_X11:
        raise PermanentCaptureError("X11Source captures X11 desktops only, and this is none")
    return X11Source(display, share=share, masks=masks)
