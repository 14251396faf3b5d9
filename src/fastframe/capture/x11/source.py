"""Frames of an X11 screen, as `FrameSource` asks for them: what a user sees of the X11 capture.

`Session` does the work on one connection; here is what outlives a connection.
"""

import os
from collections.abc import Callable, Iterable
from typing import TypeVar, TypeVarTuple

from fastframe._closing import Closing
from fastframe.capture.checks import checked_deadline, checked_timeout
from fastframe.capture.display_name import chosen_display
from fastframe.capture.source import CapturedFrame, Cursor, Display, Event, Mask, Share
from fastframe.capture.x11.privacy import NotThere, Privacy
from fastframe.capture.x11.server import Server
from fastframe.capture.x11.session import Session
from fastframe.capture.x11.xcb import Attempt, Connection, ConnectionLost
from fastframe.errors import FastframeError, PermanentCaptureError, TransientCaptureError

# How long a call waits for a connection that an earlier call has already waited for in vain.
_IMPATIENCE = 0.1

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class X11Source(Closing):
    """A live X11 screen, or a part of it.

    Not for use by two threads at once. A lost connection is taken up again by the next call. While it connects,
    and while it reads pixels through the socket, for want of shared memory, a thread of its own sees to it that nothing
    waits for ever.

    Parameters
    ----------
    display
        Such as `:0`; `None`: the one that DISPLAY names.
    share
        What to show: see `Share`. Of a window what it shows itself, other windows before it are blank.
    masks
        What to hide. It is blank (black) in every frame.
    timeout
        Seconds until a server that does not answer counts as lost; at most an hour.

    Raises
    ------
    PermanentCaptureError
        There is no such display, monitor or region, the server refuses us, or libxcb is missing.
    TransientCaptureError
        The server does not answer; or memory or file descriptors ran out.
    LocalProtocolError
        A wrong argument.
    """

    name = "X11"

    def __init__(
        self, display: str | None = None, *, share: Share = None, masks: Iterable[Mask] = (), timeout: float = 2.0
    ) -> None:
        self._timeout = checked_timeout(timeout)
        self._privacy = Privacy(share, masks)
        name = chosen_display(display)
        if name is None:
            raise PermanentCaptureError("this desktop is not that of an X server")
        self._display = name
        self._closed = False
        self._pid = os.getpid()
        self._layout = self._serial = 0
        self._session: Session | None = None
        self._attempt: Attempt | None = None
        try:
            self._session = self._connect()
            self._session.check()
        except NotThere as error:
            self.close()
            raise PermanentCaptureError(str(error), actual=error.actual, limit=error.limit) from None
        except BaseException:
            self.close()
            raise

    @property
    def reason(self) -> str:
        """How this source works here, and why so, in one line."""
        session = self._session
        if session is None:
            return "not connected"
        pixels = "shared memory" if session.server.has_shm else "the socket, for want of shared memory"
        if session.server.is_xwayland:
            pixels += "; on this Wayland desktop only X11 programs can be seen"
        if session.knows_damage:
            return f"reads what XDamage reports through {pixels}"
        why = f"XDamage missed {session.missed} changes" if session.server.has_damage else "the server has no XDamage"
        return f"reads everything through {pixels}, since {why}"

    @property
    def unmatched(self) -> tuple[Mask, ...]:
        """Masks that hide nothing in the last frame, such as those of programs that are not running."""
        return self._privacy.unmatched

    def set_masks(self, masks: Iterable[Mask]) -> None:
        """Hide something else, from the next frame on.

        Raises
        ------
        LocalProtocolError
            One of them is neither a rectangle nor a window pattern; nothing has changed.
        """
        self._privacy.replace_masks(masks)

    def displays(self) -> tuple[Display, ...]:
        """The monitors as of now."""
        return self._on_session(Session.displays)

    def wait(self, deadline: float | None) -> Event:
        """Sleep until something changes; see `FrameSource.wait`.

        Raises
        ------
        LocalProtocolError
            The deadline is not a number.
        """
        return self._on_session(Session.wait, checked_deadline(deadline))

    def capture(self) -> CapturedFrame:
        """Take one picture now; see `FrameSource.capture`."""
        return self._on_session(Session.capture)

    def cursor(self) -> Cursor:
        """Where the pointer is; its shape comes when it has changed, if the server tells it."""
        return self._on_session(Session.cursor)

    def close(self) -> None:
        """Disconnect; may be called again. Frames stay valid."""
        self._closed = True
        self._disconnect()

    def _on_session(
        self,
        work: Callable[[Session, *Arguments], Result],
        *args: *Arguments,
    ) -> Result:
        """Work on the session, which is begun anew if need be, and dropped when it cannot go on."""
        if self._closed:
            raise PermanentCaptureError("the screen source is closed")
        if self._pid != os.getpid():
            # Forked: the connection is the other process's, and so is the thread that may be making one.
            self._pid = os.getpid()
            self._disconnect()
        if self._session is None:
            try:
                self._session = self._connect()
            except PermanentCaptureError as error:
                # It has worked before, so it may again: display servers are restarted when users log out.
                raise TransientCaptureError(str(error)) from error
        try:
            return work(self._session, *args)
        except ConnectionLost:
            self._disconnect()
            raise
        except FastframeError:
            raise
        except OSError as error:
            self._disconnect()
            raise TransientCaptureError(f"the system refuses what it takes to capture: {error}") from error
        except BaseException:
            # After an interrupt nobody knows what was taken from the server and not kept.
            self._disconnect()
            raise

    def _connect(self) -> Session:
        patience = _IMPATIENCE if self._attempt else self._timeout
        self._attempt = self._attempt or Attempt(self._display)
        try:
            link = self._attempt.wait(patience)
        except TransientCaptureError:
            raise  # The attempt goes on.
        except BaseException:
            self._attempt = None
            raise
        self._attempt = None
        try:
            server = Server(Connection(link, self._timeout))
        except OSError as error:
            raise TransientCaptureError(f"the system refuses what it takes to capture: {error}") from error
        try:
            return Session(server, self._privacy, self._layout + 1, self._serial)
        except BaseException:
            server.close()
            raise

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.abandon()
        if session is not None:
            self._layout, self._serial = session.layout, session.serial
            session.server.close()
