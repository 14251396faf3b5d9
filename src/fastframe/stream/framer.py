"""Messages over byte streams: TCP, TLS, a QUIC stream, a pipe.

Each message follows its length, an unsigned LEB128 number ("varint") of at most four bytes. Transports that keep
messages whole (WebSocket, data channels, brokers) need none of this.
"""

from fastframe._arguments import checked, checked_int
from fastframe.errors import LocalProtocolError, RemoteProtocolError
from fastframe.stream.wire import Message

MAX_LENGTH_BYTES = 4


def checked_max_message(value: int) -> int:
    """The bound of messages that was given; `LocalProtocolError` for what is none."""
    return checked_int(value, "max_message", 1, (1 << 7 * MAX_LENGTH_BYTES) - 1)


class MessageFramer:
    """Cuts a byte stream into messages, and tells how to write them. One for each connection.

    Parameters
    ----------
    max_message
        Longest message that is accepted, in bytes: the `max_fragment` of this side's endpoint. No more than one
        message of it and what was fed last is ever held.
    """

    def __init__(self, max_message: int) -> None:
        self._max_message = checked_max_message(max_message)
        self._buffer = bytearray()
        self._offset = 0
        self._error: RemoteProtocolError | None = None

    def pack(self, message: Message) -> tuple[bytes | memoryview, ...]:
        """What to write for a message, in order; the payload is not copied."""
        length = len(checked(message, Message, "message"))
        if length >= 1 << 7 * MAX_LENGTH_BYTES:
            raise LocalProtocolError(f"message of {length} bytes cannot be framed", actual=length)
        head = bytearray()
        while length > 0x7F:
            head.append(length & 0x7F | 0x80)
            length >>= 7
        head.append(length)
        head += message.header
        return (bytes(head), message.payload) if message.payload else (bytes(head),)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Takes bytes that have come in; they are copied. After an error they are dropped."""
        if self._error is not None:
            return
        if self._offset:
            del self._buffer[: self._offset]
            self._offset = 0
        try:
            self._buffer += data
        except (TypeError, ValueError) as error:
            raise LocalProtocolError(f"data must be bytes-like, not {data!r}", actual=data) from error

    def next_message(self) -> bytes | None:
        """The next whole message; `None` when more bytes are needed.

        Raises
        ------
        RemoteProtocolError
            A message is empty or longer than `max_message`. The stream cannot be read any further.
        """
        if self._error is not None:
            raise self._error
        buffer, position = self._buffer, self._offset
        length = shift = 0
        while True:
            if position == len(buffer):
                return None
            byte = buffer[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift == 7 * MAX_LENGTH_BYTES:
                length = 1 << shift
                break
        if not 1 <= length <= self._max_message:
            self._buffer, self._offset = bytearray(), 0
            self._error = RemoteProtocolError(
                f"message of {length} bytes on the stream, 1 to {self._max_message} are allowed",
                limit=self._max_message,
                actual=length,
            )
            raise self._error
        end = position + length
        if end > len(buffer):
            return None
        self._offset = end
        return bytes(memoryview(buffer)[position:end])
