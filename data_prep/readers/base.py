"""What all readers share: their protocol, and the choice of columns by name, number or convention."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from qac.data_prep.records import Event, Scope, Transition
from qac.data_prep.source import Source
from qac.data_prep.tally import Tally
from qac.data_prep.times import TimeParser, time_parser
from qac.errors import InputError

Record = Event | Transition

EVENT_ROLES = ("user", "session", "time", "query")
TRANSITION_ROLES = ("prev", "next", "count")

# Lower case, without "_", "-" and blanks.
_ALIASES: Mapping[str, frozenset[str]] = {
    "user": frozenset({"user", "userid", "uid", "anonid", "visitor", "visitorid", "clientid", "customerid", "cookie"}),
    "session": frozenset({"session", "sessionid", "sid"}),
    "time": frozenset(
        {"time", "timestamp", "@timestamp", "ts", "date", "datetime", "querytime", "searchtime", "createdat"}
    ),
    "query": frozenset(
        {"query", "q", "querytext", "searchquery", "searchterm", "search", "keywords", "finalsearchterm"}
    ),
    "prev": frozenset({"prev", "prevquery", "previous", "previousquery"}),
    "next": frozenset({"next", "nextquery", "curr"}),
    "count": frozenset({"count", "n", "freq", "frequency"}),
}


@dataclass(frozen=True)
class ReaderOptions:
    """What the person running it says about the log."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Role -> column: a name, a number from 1, or ``none``."""
    time_format: str = "auto"
    delimiter: str | None = None

    def parse_time(self) -> TimeParser:
        """Return the reader of times."""
        return time_parser(self.time_format)


class Reader(Protocol):
    """Turns one source into records.

    Lines it cannot read it reports to the tally and goes on; InputError is for what makes the whole source unusable.
    """

    layout: str
    """How the columns were understood, for people; complete once the first record was read."""

    def __init__(self, options: ReaderOptions) -> None: ...

    def read(self, source: Source, tally: Tally) -> Iterator[Record]:
        """Yield the source's records in order."""
        ...


def role_of(name: str, roles: Sequence[str]) -> str | None:
    """Return which of ``roles`` a column called ``name`` plays by convention."""
    plain = name.strip().lower().replace("_", "").replace("-", "").replace(" ", "")
    return next((role for role in roles if plain in _ALIASES[role]), None)


def by_alias(names: Sequence[str], roles: Sequence[str]) -> dict[str, int]:
    """Return role -> position of the first of ``names`` that means it."""
    found: dict[str, int] = {}
    for i, name in enumerate(names):
        role = role_of(name, roles)
        if role is not None:
            found.setdefault(role, i)
    return found


def scope_and_keys(present: Mapping[str, object]) -> tuple[Scope, tuple[str, ...]]:
    """Return what identifies a session in a log with these roles, and the roles that make up the identifier.

    A session id may be unique within its user only, so both together identify.
    """
    keys = tuple(role for role in ("user", "session") if role in present)
    return (Scope.SESSION if "session" in keys else Scope.USER if keys else Scope.ALONE), keys


def choose_columns(
    first: Sequence[str],
    options: ReaderOptions,
    roles: Sequence[str],
    required: str,
    defaults: Mapping[int, Mapping[str, int]],
    where: str,
) -> tuple[dict[str, int], bool]:
    """Return role -> position (from 0), and whether ``first``, the first row, is a header.

    Columns that were asked for come first; else the header's names decide; else the number of columns does, by
    ``defaults``: width -> role -> position.
    """
    asked = {role: column for role, column in options.columns.items() if column != "none"}
    wrong = [role for role in options.columns if role not in roles]
    if wrong:
        raise InputError(f"{where}: this format has no column --{wrong[0]}; it has --" + ", --".join(roles))
    absent = {role for role, column in options.columns.items() if column == "none"}
    known = by_alias(first, roles)
    names = [name.strip() for name in first]
    header = len(known) >= 2 or any(not column.isdigit() for column in asked.values())
    if asked:
        chosen = {role: _position(role, column, names, where) for role, column in asked.items()}
        if header:
            chosen = {role: i for role, i in known.items() if role not in absent and i not in chosen.values()} | chosen
    elif header:
        chosen = {role: i for role, i in known.items() if role not in absent}
    elif len(first) in defaults:
        chosen = {role: i for role, i in defaults[len(first)].items() if role not in absent}
    else:
        widths = " or ".join(f"{w} ({', '.join(sorted(d, key=d.__getitem__))})" for w, d in defaults.items())
        raise InputError(
            f"{where}: expected a header or {widths} columns, the first line has {len(first)}; "
            f"number them from 1 with --{', --'.join(roles)}, or name another --format"
        )
    if required not in chosen:
        raise InputError(
            f"{where}: no column is the {required}; name it with --{required}. The first line: {first!r:.200}"
        )
    return chosen, header


def _position(role: str, column: str, names: Sequence[str], where: str) -> int:
    if not column.isdigit():
        if column in names:
            return names.index(column)
        raise InputError(f"{where}: no column {column!r} for --{role}; the first line has {', '.join(names)!r:.200}")
    if not 1 <= int(column) <= len(names):
        raise InputError(f"{where}: --{role} {column}: the first line has {len(names)} columns, counted from 1")
    return int(column) - 1


def describe(columns: Mapping[str, object]) -> str:
    """Return a choice of columns for people."""
    shown = {role: c + 1 if isinstance(c, int) else c for role, c in columns.items()}
    return " ".join(f"{role}={column}" for role, column in shown.items())
