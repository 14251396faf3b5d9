"""The pairing key: seven digits that the customer reads out, and that open one session.

Seven digits are ten million keys, which is little: anybody who may guess for long finds one. So a key is of use once,
for a short time, and only for a few attempts, counted over all connections. A key that was used, guessed at too often
or too old is spent for good, the right digits included. What is kept is a salted hash, which makes no secret of so few
digits to somebody who can read the process's memory, but keeps them out of logs, dumps of variables and tracebacks.
"""

import hashlib
import hmac
import secrets
from enum import StrEnum
from typing import NoReturn

from fastframe._arguments import checked_int, checked_number
from fastframe.errors import LocalProtocolError

DIGITS = 7
# Five of ten million: a guesser succeeds once in two million keys.
MAX_ATTEMPTS = 5
# As long as it takes to dictate a key and to type it.
LIFETIME = 600.0


class PairingResult(StrEnum):
    """What came of an attempt."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    SPENT = "spent"  # used, or guessed at too often
    EXPIRED = "expired"


class PairingKey:
    """Checks the digits that viewers state. The digits themselves are not kept: `create` returns them once.

    Parameters
    ----------
    digits
        The key.
    expires
        Time from which on it is refused, in seconds of the clock that `verify` is told.
    max_attempts
        Wrong attempts after which it is spent.
    """

    def __init__(self, digits: str, *, expires: float, max_attempts: int = MAX_ATTEMPTS) -> None:
        # No error shows what was given: it may be the key.
        if not isinstance(digits, str):
            raise LocalProtocolError(f"a pairing key is a text of {DIGITS} digits", expected=str, actual=type(digits))
        if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
            raise LocalProtocolError(f"a pairing key has {DIGITS} digits", expected=DIGITS, actual=len(digits))
        self._salt = secrets.token_bytes(16)
        self._hash = self._hashed(digits)
        self._expires = checked_number(expires, "expires")
        self._attempts_left = checked_int(max_attempts, "max_attempts", 1, 10**DIGITS)
        self._used = False

    def __getstate__(self) -> NoReturn:
        raise TypeError("a PairingKey cannot be copied or pickled: each could be guessed at and used by itself")

    @classmethod
    def create(
        cls, now: float, *, lifetime: float = LIFETIME, max_attempts: int = MAX_ATTEMPTS
    ) -> "tuple[PairingKey, str]":
        """A new random key, and its digits to show to the customer."""
        digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        expires = checked_number(now, "now") + checked_number(lifetime, "lifetime")
        return cls(digits, expires=expires, max_attempts=max_attempts), digits

    @property
    def attempts_left(self) -> int:
        """Wrong attempts that are left; 0 when the key is spent."""
        return 0 if self._used else self._attempts_left

    def verify(self, digits: str, now: float) -> PairingResult:
        """Checks an attempt; spaces and dashes do not count. Takes the same time for every answer."""
        if not isinstance(digits, str):
            raise LocalProtocolError("an attempt is a text", expected=str, actual=type(digits))
        now = checked_number(now, "now")
        equal = hmac.compare_digest(self._hashed(digits.replace(" ", "").replace("-", "")), self._hash)
        if self._used or not self._attempts_left:
            return PairingResult.SPENT
        if now >= self._expires:
            return PairingResult.EXPIRED
        if not equal:
            self._attempts_left -= 1
            return PairingResult.WRONG
        self._used = True
        return PairingResult.ACCEPTED

    def release(self) -> None:
        """Makes an accepted key good for another attempt: the answer to it has never arrived."""
        self._used = False

    def _hashed(self, digits: str) -> bytes:
        return hashlib.blake2b(digits.encode("utf-8", "replace"), salt=self._salt).digest()

    def __repr__(self) -> str:
        return f"<PairingKey, {self.attempts_left} attempts left>"
