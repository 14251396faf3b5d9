"""What may happen when: one table for both ends.

A connection of an endpoint is in one state. For each state the table names everything that is legal there, messages
that arrive and actions of this side, with the state that follows; what it does not name is an error, of the peer for a
message, of the caller for an action. Pauses and consents are no states of the connection: messages stay legal, and what
they ask for does not happen.
"""

from enum import Enum, StrEnum

from fastframe.errors import LocalProtocolError, RemoteProtocolError
from fastframe.stream import messages as m


class Role(StrEnum):
    """Which end this is."""

    SENDER = "sender"
    RECEIVER = "receiver"


class State(StrEnum):
    """Where a connection is."""

    IDLE = "idle"  # a receiver that has not been told to connect
    CONNECTING = "connecting"  # hello is on its way
    OPEN = "open"
    LOST = "lost"  # the transport has gone; the session can be continued over another one
    FAILED = "failed"  # the peer has broken the protocol; the session can be continued over another transport
    CLOSED = "closed"


class Action(Enum):
    """What this side does."""

    CONNECT = "connect"
    WAIT = "wait for a first viewer"
    SEND = "send"
    LOSE_CONNECTION = "lose the connection"
    FAIL = "fail"
    CLOSE = "close"


class Fragment:
    """Stands for a frame fragment in the table, which is no control message."""


Trigger = type | Action

_ANY = (m.Ping, m.Pong)
_SESSION = (m.Pause, m.Resume, m.Chat, m.FileOffer, m.FileAnswer, m.FileData, m.FileAck, m.FileEnd)
# What both ends do the same with.
FOR_BOTH: frozenset[type] = frozenset({m.Bye, *_ANY, *_SESSION})
_TO_SENDER = (m.Ack, m.KeyframeRequest, m.ConsentRequest, m.Pointer, m.Key)
_TO_RECEIVER = (Fragment, m.Layout, m.CursorShape, m.CursorPosition, m.ConsentNotice, m.InputActivity)


def _stay(state: State, *triggers: Trigger) -> dict[Trigger, State]:
    return dict.fromkeys(triggers, state)


_END: dict[Trigger, State] = {
    m.Bye: State.CLOSED,
    Action.CLOSE: State.CLOSED,
    Action.FAIL: State.FAILED,
    Action.LOSE_CONNECTION: State.LOST,
}
# Whoever has not said hello yet is anybody, who cannot end the session.
_UNKNOWN: dict[Trigger, State] = {trigger: state for trigger, state in _END.items() if trigger is not m.Bye}
_AFTERWARDS: dict[Trigger, State] = {Action.CLOSE: State.CLOSED, Action.LOSE_CONNECTION: State.LOST}
_OVER: dict[Trigger, State] = {Action.CLOSE: State.CLOSED, Action.LOSE_CONNECTION: State.CLOSED}

TRANSITIONS: dict[Role, dict[State, dict[Trigger, State]]] = {
    Role.SENDER: {
        State.CONNECTING: {**_UNKNOWN, m.Hello: State.OPEN},
        State.OPEN: {**_END, **_stay(State.OPEN, Action.SEND, *_ANY, *_SESSION, *_TO_SENDER)},
        State.LOST: {**_UNKNOWN, m.Hello: State.OPEN, Action.WAIT: State.CONNECTING},
        State.FAILED: _AFTERWARDS,
        State.CLOSED: _OVER,
    },
    Role.RECEIVER: {
        State.IDLE: {**_AFTERWARDS, Action.CONNECT: State.CONNECTING},
        State.CONNECTING: {**_END, m.Welcome: State.OPEN},
        State.OPEN: {**_END, **_stay(State.OPEN, Action.SEND, *_ANY, *_SESSION, *_TO_RECEIVER)},
        State.LOST: {**_AFTERWARDS, Action.CONNECT: State.CONNECTING},
        State.FAILED: _AFTERWARDS,
        State.CLOSED: _OVER,
    },
}


def next_state(role: Role, state: State, trigger: Trigger) -> State:
    """The state that follows.

    Raises
    ------
    RemoteProtocolError
        A message is not legal now.
    LocalProtocolError
        An action is not.
    """
    after = TRANSITIONS[role][state].get(trigger)
    if after is not None:
        return after
    legal = TRANSITIONS[role][state]
    if isinstance(trigger, Action):
        raise LocalProtocolError(
            f"a {role.value} that is {state.value} cannot {trigger.value}",
            expected=sorted(each.value for each in legal if isinstance(each, Action)),
            actual=state,
        )
    raise RemoteProtocolError(
        f"a {role.value} that is {state.value} got {trigger.__name__}",
        expected=sorted(each.__name__ for each in legal if isinstance(each, type)),
        actual=trigger.__name__,
    )
