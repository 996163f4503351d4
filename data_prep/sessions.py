"""Sessions: queries of one user between which no long pause lies."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from qac.data_prep.records import Event, Scope

DEFAULT_GAP = timedelta(minutes=30)

# A sort record: scope (1), identifier (20), time (15), position in the input (12), mark (1), query, line break. Fixed
# widths make byte order the order of (identifier, time, position). The scope and the identifier's first ten characters
# name a user, if there is one.
_IDENTIFIER = slice(0, 21)
_USER = slice(0, 11)
_TIME = slice(21, 36)
_SESSION = slice(0, 36)
_MARK = 48
_QUERY = slice(49, -1)
# Keeps times before 1970 positive; the sum is 0 only for the first millisecond of year 1, so 0 can say "no time".
_BIAS = 62_135_596_800_000
UNTIMED = -_BIAS
_ALONE = Scope.ALONE.encode()


class Row(NamedTuple):
    """A sort record, taken apart."""

    identifier: bytes
    user: bytes
    time: int
    """Milliseconds since 1970, or UNTIMED."""
    mark: int
    query: bytes
    """UTF-8."""

    @property
    def alone(self) -> bool:
        """Whether nobody knows who asked."""
        return self.user.startswith(_ALONE)


def encode(event: Event, query: str, position: int, mark: str = " ") -> bytes:
    """Return the sort record of an event whose cleaned text is ``query`` and which is row ``position`` of the input.

    Identifiers are hashed to 80 bits: fixed width, and no user id is ever written to disk. Where a log names users and
    sessions, the first half is the user's: all of a user's sessions come together. ``mark``, one character, is kept.
    """
    if event.scope is Scope.ALONE:
        identifier = f"{position:020d}"
    else:
        identifier = _hash(event.identifier)
        if event.user is not None:
            identifier = _hash(event.user)[:10] + identifier[:10]
    time = 0 if event.time is None else event.time + _BIAS
    return f"{event.scope}{identifier}{time:015d}{position:012d}{mark}{query}\n".encode()


def _hash(identifier: str) -> str:
    return hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def decode(record: bytes) -> Row:
    """Return what a sort record says."""
    return Row(record[_IDENTIFIER], record[_USER], int(record[_TIME]) - _BIAS, record[_MARK], record[_QUERY])


@dataclass(frozen=True, slots=True)
class Session:
    """The beginning of a session; ``key`` names it, the same in every run over the same log."""

    key: bytes
    start: int
    """Milliseconds since 1970, or UNTIMED."""

    @property
    def alone(self) -> bool:
        """Whether the log knows nothing of who asked."""
        return self.key.startswith(_ALONE)

    @property
    def user(self) -> bytes:
        """Who asked; means nothing if ``alone``."""
        return self.key[_USER]


def cut(records: Iterable[bytes], gap: timedelta | None = None) -> Iterator[tuple[Session, int, bytes]]:
    """Yield every record's session, time (milliseconds since 1970, or UNTIMED) and UTF-8 query.

    A session's queries come together and share one object.

    ``gap`` ends a session when more time than that lies between two queries. None: 30 minutes where the log names
    users, never where it names sessions.
    """
    chosen = math.inf if gap is None else gap / timedelta(milliseconds=1)
    default = DEFAULT_GAP / timedelta(milliseconds=1) if gap is None else chosen
    limit = math.inf
    identifier = b""
    last = 0
    session = Session(b"", UNTIMED)
    for record in records:
        time = int(record[_TIME])
        if record[_IDENTIFIER] != identifier:
            identifier = record[_IDENTIFIER]
            limit = default if identifier.startswith(b"u") else chosen
            session = Session(record[_SESSION], time - _BIAS)
        elif time - last > limit:
            session = Session(record[_SESSION], time - _BIAS)
        last = time
        yield session, time - _BIAS, record[_QUERY]
