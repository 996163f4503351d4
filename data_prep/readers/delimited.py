"""Search logs of one query per line in columns: TSV and CSV."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import ClassVar

from qac.data_prep.readers.base import (
    EVENT_ROLES,
    ReaderOptions,
    choose_columns,
    describe,
    scope_and_keys,
)
from qac.data_prep.readers.rows import Row, comma_separated, tab_separated
from qac.data_prep.records import Event, Scope
from qac.data_prep.source import Source
from qac.data_prep.tally import Bad, Drop, Tally

_SEPARATOR = "\x1f"


class TsvReader:
    """Tab-separated values; quotes are ordinary characters. Without a header: user, time, query."""

    defaults: ClassVar[Mapping[int, Mapping[str, int]]] = {3: {"user": 0, "time": 1, "query": 2}}
    no_query: ClassVar[str] = ""
    """What stands where there was no query."""

    def __init__(self, options: ReaderOptions) -> None:
        self.options = options
        self.layout = ""

    def rows(self, source: Source, tally: Tally) -> Iterator[Row]:
        """Yield the rows of ``source``."""
        if self.options.delimiter not in (None, "\t"):
            return comma_separated(source, tally, self.options.delimiter)
        return tab_separated(source, tally)

    def read(self, source: Source, tally: Tally) -> Iterator[Event]:
        """Yield one event per row."""
        rows = self.rows(source, tally)
        first = next(rows, None)
        if first is None:
            return
        columns, header = choose_columns(
            first[1], self.options, EVENT_ROLES, "query", self.defaults, f"{source.name}:{first[0]}"
        )
        self.layout = describe(columns)
        scope, keys = scope_and_keys(columns)
        key_columns = [columns[k] for k in keys]
        time_column, query_column = columns.get("time"), columns["query"]
        user_column = columns.get("user") if scope is Scope.SESSION else None
        parse_time = self.options.parse_time()
        most, least = len(first[1]), max(columns.values()) + 1
        for number, fields in rows if header else chain((first,), rows):
            if not least <= len(fields) <= most:
                tally.reject(f"{source.name}:{number}", Bad.WIDTH, "\t".join(fields))
                continue
            time = None
            if time_column is not None:
                try:
                    time = parse_time(fields[time_column])
                except (ValueError, OverflowError):
                    tally.reject(f"{source.name}:{number}", Bad.TIME, "\t".join(fields))
                    continue
            identifier = _SEPARATOR.join([fields[i] for i in key_columns])
            if scope is not Scope.ALONE and not identifier.strip(" \x1f"):
                tally.drop(Drop.NOBODY)
                continue
            query = fields[query_column]
            user = None if user_column is None else fields[user_column].strip() or None
            yield Event(scope, identifier, time, "" if query == self.no_query else query, user)


class CsvReader(TsvReader):
    """Comma-separated values with quotes as in RFC 4180 (bounded, see rows.py). Columns as in TSV."""

    def rows(self, source: Source, tally: Tally) -> Iterator[Row]:
        """Yield the rows of ``source``."""
        delimiter = self.options.delimiter
        if delimiter is None:
            first = next(iter(source.head_lines()), "")
            # Where the comma is the decimal sign, spreadsheets separate by semicolons.
            delimiter = ";" if "," not in first and ";" in first else ","
        return comma_separated(source, tally, delimiter)
