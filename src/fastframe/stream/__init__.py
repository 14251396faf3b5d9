"""The stream: packets to messages and back, sans-I/O, with consent, flow control and many viewers.

`Sender` stands at the customer's end, `Receiver` at the technician's, and any transport between them carries messages.
Neither does any I/O, starts a thread or reads a clock.
"""

from fastframe.stream.config import MaxFragment, ReceiverConfig, SenderConfig
from fastframe.stream.consent import ConsentChange, ConsentGate, ConsentState, Scope
from fastframe.stream.framer import MessageFramer
from fastframe.stream.messages import ByeReason, Display, Party
from fastframe.stream.pairing import PairingKey, PairingResult
from fastframe.stream.receiver import Receiver
from fastframe.stream.relay import Relay, RelayConfig, RelayEvent
from fastframe.stream.sender import Sender
from fastframe.stream.states import State
from fastframe.stream.statistics import StreamStatistics
from fastframe.stream.wire import Message

__all__ = [
    "ByeReason",
    "ConsentChange",
    "ConsentGate",
    "ConsentState",
    "Display",
    "MaxFragment",
    "Message",
    "MessageFramer",
    "PairingKey",
    "PairingResult",
    "Party",
    "Receiver",
    "ReceiverConfig",
    "Relay",
    "RelayConfig",
    "RelayEvent",
    "Scope",
    "Sender",
    "SenderConfig",
    "State",
    "StreamStatistics",
]
