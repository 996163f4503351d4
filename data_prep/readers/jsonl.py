"""Search logs of one JSON object per line."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from qac.data_prep.readers.base import EVENT_ROLES, ReaderOptions, by_alias, describe, scope_and_keys
from qac.data_prep.records import Event, Scope
from qac.data_prep.source import Source
from qac.data_prep.tally import Bad, Drop, Tally
from qac.errors import InputError


def _text(value: Any) -> str:
    """Return a JSON string or number as text; ValueError for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError("not a string or a number")


class JsonlReader:
    """One object per line; the first one's field names decide, unless fields are named."""

    def __init__(self, options: ReaderOptions) -> None:
        self.options = options
        self.layout = ""

    def read(self, source: Source, tally: Tally) -> Iterator[Event]:
        """Yield one event per object."""
        fields: dict[str, str] = {}
        scope: Scope = Scope.ALONE
        keys: tuple[str, ...] = ()
        parse_time = self.options.parse_time()
        for number, line in source.lines(tally):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if not isinstance(record, dict):
                tally.reject(f"{source.name}:{number}", Bad.JSON, line)
                continue
            if not fields:
                fields = self._choose(record, f"{source.name}:{number}")
                self.layout = describe(fields)
                scope, keys = scope_and_keys(fields)
            try:
                query = _text(record[fields["query"]])
                identifier = json.dumps(
                    [_text(record[fields[k]]) for k in keys if record.get(fields[k]) not in (None, "")]
                )
                user = _text(record[fields["user"]]) if len(keys) == 2 and record.get(fields["user"]) else None
                when = _text(record[fields["time"]]) if "time" in fields else None
            except (KeyError, ValueError):
                tally.reject(f"{source.name}:{number}", Bad.FIELD, line)
                continue
            try:
                time = None if when is None else parse_time(when)
            except (ValueError, OverflowError):
                tally.reject(f"{source.name}:{number}", Bad.TIME, line)
                continue
            if keys and identifier == "[]":
                tally.drop(Drop.NOBODY)
                continue
            yield Event(scope, identifier, time, query, user)

    def _choose(self, record: Mapping[str, Any], where: str) -> dict[str, str]:
        names = list(record)
        asked = self.options.columns
        wrong = [role for role in asked if role not in EVENT_ROLES]
        if wrong:
            raise InputError(f"{where}: JSON lines have no --{wrong[0]}; they have --" + ", --".join(EVENT_ROLES))
        fields = {role: names[i] for role, i in by_alias(names, EVENT_ROLES).items()} | dict(asked)
        fields = {role: name for role, name in fields.items() if name != "none"}
        if "query" not in fields:
            raise InputError(
                f"{where}: no field is the query; name it with --query. The fields: {', '.join(names):.200}"
            )
        return fields
