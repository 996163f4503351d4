"""What readers hand over: one query made by somebody at some time, or a transition that was already counted."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")


class Scope(StrEnum):
    """What the identifier of an event names; the values are one ASCII character, for sort records."""

    ALONE = "-"
    """Nothing: the log has no identifiers, every query stands alone."""
    SESSION = "s"
    """A session: its queries belong together whatever time lies between them."""
    USER = "u"
    """A user: a pause ends the session."""


class Event(NamedTuple):
    """One query of a search log, as it was typed."""

    scope: Scope
    identifier: str
    time: int | None
    """Milliseconds since 1970 in UTC, or None where the log has no time."""
    query: str
    user: str | None = None
    """Who made it, where the identifier names a session and the log a user too."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A query with what came before it, from data in which sessions are already resolved."""

    history: tuple[str, ...] | None
    """Earlier queries, oldest first; empty: it was a first query; None: this log does not know."""
    query: str
    count: float = 1.0
    prefix: str | None = None
    """What was typed, where the data says so; otherwise prefixes are drawn."""
    part: Part | None = None
    """The part the data itself assigns, if any."""
