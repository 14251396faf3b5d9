"""The consent gate: nothing is seen, done or kept that the customer has not agreed to.

One gate stands for one customer's session, on the customer's machine. Capture, stream and recording all ask it before
they act. For each scope it knows one state, and the table below holds every way from one to another. A change counts
from the moment it is made: whoever asks next gets the new answer, and whoever keeps what a scope allowed (queues,
pictures) looks at `revision`, and asks again at `next_expiry`, to learn that something has changed.

Like all of the stream the gate has no clock: whoever asks says what time it is, and a consent that was given until a
certain time is over from that time on, whether somebody has noticed or not.
"""

import contextlib
import math
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from fastframe._arguments import checked_int, checked_member, checked_number
from fastframe.errors import ConsentRequired, LocalProtocolError

# Changes are rare and a person's doing; a peer that makes more of them than this is not one.
MAX_CHANGES = 1000


class Scope(StrEnum):
    """What a customer can agree to."""

    VIEW = "view"
    CONTROL = "control"
    RECORD = "record"
    FILES = "files"
    CHAT = "chat"
    EXTRA_TECHNICIAN = "extra_technician"


class ConsentState(StrEnum):
    """How far the agreement to a scope is. Only `GRANTED` allows anything."""

    NONE = "none"
    REQUESTED = "requested"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


_HANG_ON_VIEW = (Scope.CONTROL, Scope.RECORD, Scope.EXTRA_TECHNICIAN)

# What may follow on what. A customer may grant without being asked, and may be asked again after a refusal.
CONSENT_TRANSITIONS: dict[ConsentState, frozenset[ConsentState]] = {
    ConsentState.NONE: frozenset({ConsentState.REQUESTED, ConsentState.GRANTED, ConsentState.REFUSED}),
    ConsentState.REQUESTED: frozenset({ConsentState.GRANTED, ConsentState.REFUSED, ConsentState.EXPIRED}),
    ConsentState.GRANTED: frozenset({ConsentState.WITHDRAWN, ConsentState.EXPIRED}),
    ConsentState.REFUSED: frozenset({ConsentState.REQUESTED, ConsentState.GRANTED}),
    ConsentState.WITHDRAWN: frozenset({ConsentState.REQUESTED, ConsentState.GRANTED}),
    ConsentState.EXPIRED: frozenset({ConsentState.REQUESTED, ConsentState.GRANTED, ConsentState.REFUSED}),
}


@dataclass(frozen=True, slots=True)
class ConsentChange:
    """One step of one scope.

    Attributes
    ----------
    scope
        What it is about.
    before, after
        The states.
    at
        When, in seconds of the caller's clock.
    by
        Who did it, as the caller said: a name for the log, may be empty.
    """

    scope: Scope
    before: ConsentState
    after: ConsentState
    at: float
    by: str = ""


class ConsentGate:
    """The customer's consents of one session.

    For one thread at a time, as everything in `fastframe.stream`. Several users may share one gate: two senders, or a
    sender and a recorder. `now` is in seconds of any clock that does not go back, the same for all users. A scope that
    there is not raises `LocalProtocolError`.

    Attributes
    ----------
    revision
        The number of changes so far.
    next_expiry
        The earliest time at which a request or a grant runs out by itself; `inf` if none does.
    version
        Another number whenever one of these two has become another one.
    """

    def __init__(self) -> None:
        self.revision = self.version = 0
        self._states = dict.fromkeys(Scope, ConsentState.NONE)
        self.next_expiry = math.inf
        self._until: dict[Scope, float] = {}
        self._changes: list[ConsentChange] = []

    def __getstate__(self) -> NoReturn:
        raise TypeError("a ConsentGate cannot be copied or pickled: one would allow what is withdrawn at the other")

    def changes_since(self, revision: int, now: float) -> list[ConsentChange]:
        """The changes after the first `revision` ones, expiries up to `now` included; oldest first."""
        revision = checked_int(revision, "revision", 0, sys.maxsize)
        self._expire(now)
        return self._changes[revision:]

    def state(self, scope: Scope, now: float) -> ConsentState:
        """The state of a scope at the time `now`."""
        scope = checked_member(scope, Scope, "scope")
        self._expire(now)
        return self._states[scope]

    def allows(self, scope: Scope, now: float) -> bool:
        """Whether the scope is granted at the time `now`."""
        scope = checked_member(scope, Scope, "scope")
        if self._states[scope] is not ConsentState.GRANTED:
            return False
        until = self._until.get(scope)
        return until is None or checked_number(now, "now") < until

    def require(self, scope: Scope, now: float) -> None:
        """Raises `ConsentRequired` unless the scope is granted at the time `now`. Ask before a pixel is read."""
        scope = checked_member(scope, Scope, "scope")
        if not self.allows(scope, now):
            state = self.state(scope, now)
            raise ConsentRequired(
                f"the customer's consent to {scope.value!r} is needed; it is {state.value!r}",
                expected=ConsentState.GRANTED,
                actual=state,
            )

    def request(self, scope: Scope, now: float, *, until: float | None = None, by: str = "") -> bool:
        """The technician asks for a scope; without an answer by `until` the request expires.

        Returns whether this changed anything: what was asked or granted before stays as it is.
        """
        scope = checked_member(scope, Scope, "scope")
        if self.state(scope, now) in (ConsentState.REQUESTED, ConsentState.GRANTED):
            return False
        self._change(scope, ConsentState.REQUESTED, now, by, until)
        return True

    def grant(self, scope: Scope, now: float, *, until: float | None = None, by: str = "") -> None:
        """The customer agrees, for good or until a certain time; `until` may be set anew by granting again."""
        scope = checked_member(scope, Scope, "scope")
        if self.state(scope, now) is ConsentState.GRANTED:
            self._set_until(scope, now, until)
            return
        self._change(scope, ConsentState.GRANTED, now, by, until)

    def refuse(self, scope: Scope, now: float, *, by: str = "") -> None:
        """The customer does not agree. What is granted already is withdrawn, not refused."""
        scope = checked_member(scope, Scope, "scope")
        self._change(scope, ConsentState.REFUSED, now, by, None)

    def withdraw(self, scope: Scope, now: float, *, by: str = "") -> bool:
        """The customer takes a consent back; returns whether there was one.

        With `view` goes what is of no use or of no innocence without it: `control`, `record` and `extra_technician`.
        """
        scope = checked_member(scope, Scope, "scope")
        withdrawn = False
        for each in (scope, *(_HANG_ON_VIEW if scope is Scope.VIEW else ())):
            if self.state(each, now) is ConsentState.GRANTED:
                self._change(each, ConsentState.WITHDRAWN, now, by, None)
                withdrawn = True
        return withdrawn

    def withdraw_all(self, now: float, *, by: str = "") -> bool:
        """The customer stops everything; returns whether there was anything to stop."""
        withdrawn = [self.withdraw(scope, now, by=by) for scope in Scope]
        return any(withdrawn)

    def follow(self, scope: Scope, state: ConsentState, now: float, *, by: str = "") -> None:
        """Takes over the state of another gate, whatever the one here was: for a relay, which decides nothing."""
        scope = checked_member(scope, Scope, "scope")
        state = checked_member(state, ConsentState, "state")
        self._expire(now)
        if state is not self._states[scope]:
            self._set_until(scope, now, None)
            self._record(ConsentChange(scope, self._states[scope], state, now, by))

    def _change(self, scope: Scope, after: ConsentState, now: float, by: str, until: float | None) -> None:
        before = self.state(scope, now)
        if after not in CONSENT_TRANSITIONS[before]:
            raise LocalProtocolError(
                f"consent to {scope.value!r} cannot become {after.value!r}: it is {before.value!r}",
                expected=sorted(CONSENT_TRANSITIONS[before]),
                actual=after,
            )
        # A no is always possible, and there are not more of them than of the others.
        if len(self._changes) >= MAX_CHANGES and after in (ConsentState.REQUESTED, ConsentState.GRANTED):
            raise LocalProtocolError(f"more than {MAX_CHANGES} changes of consent in one session", limit=MAX_CHANGES)
        self._set_until(scope, now, until)
        self._record(ConsentChange(scope, before, after, now, by))

    def _set_until(self, scope: Scope, now: float, until: float | None) -> None:
        until = None if until is None else checked_number(until, "until")
        if until is not None and not until > now:
            raise LocalProtocolError(f"a consent must last beyond now, {now}, not until {until}", actual=until)
        if until is None:
            self._until.pop(scope, None)
        else:
            self._until[scope] = until
        self.next_expiry = min(self._until.values(), default=math.inf)
        self.version += 1

    def _record(self, change: ConsentChange) -> None:
        self._states[change.scope] = change.after
        self._changes.append(change)
        self.revision += 1
        self.version += 1

    def _expire(self, now: float) -> None:
        with contextlib.suppress(TypeError, ValueError, ArithmeticError):
            if now < self.next_expiry:
                return
        now = checked_number(now, "now")
        for scope, until in sorted(self._until.items(), key=lambda item: item[1]):
            if until <= now:
                self._set_until(scope, now, None)
                self._record(ConsentChange(scope, self._states[scope], ConsentState.EXPIRED, until))
