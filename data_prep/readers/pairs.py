"""Transitions that were counted already: ``prev next count``, and the Wikipedia clickstream."""

import math
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import ClassVar

from qac.data_prep.readers.base import TRANSITION_ROLES, ReaderOptions, choose_columns, describe
from qac.data_prep.readers.rows import comma_separated, tab_separated
from qac.data_prep.records import Transition
from qac.data_prep.source import Source
from qac.data_prep.tally import Bad, Tally


class PairsReader:
    """Rows of previous query, next query and count, by tabs or commas. An empty previous query: a first query."""

    defaults: ClassVar[Mapping[int, Mapping[str, int]]] = {
        3: {"prev": 0, "next": 1, "count": 2},
        2: {"prev": 0, "next": 1},
    }

    def __init__(self, options: ReaderOptions) -> None:
        self.options = options
        self.layout = ""

    def previous(self, field: str) -> str:
        """Return the query that ``field`` stands for, empty for none."""
        return field

    def following(self, field: str) -> str:
        """Return the query that ``field`` stands for."""
        return field

    def read(self, source: Source, tally: Tally) -> Iterator[Transition]:
        """Yield one transition per row."""
        delimiter = self.options.delimiter or ("\t" if "\t" in next(iter(source.head_lines()), "") else ",")
        rows = tab_separated(source, tally) if delimiter == "\t" else comma_separated(source, tally, delimiter)
        first = next(rows, None)
        if first is None:
            return
        columns, header = choose_columns(
            first[1], self.options, TRANSITION_ROLES, "next", self.defaults, f"{source.name}:{first[0]}"
        )
        self.layout = describe(columns)
        prev, following, count = columns.get("prev"), columns["next"], columns.get("count")
        most, least = len(first[1]), max(columns.values()) + 1
        for number, fields in rows if header else chain((first,), rows):
            if not least <= len(fields) <= most:
                tally.reject(f"{source.name}:{number}", Bad.WIDTH, "\t".join(fields))
                continue
            n = 1.0 if count is None else _positive(fields[count])
            if n is None:
                tally.reject(f"{source.name}:{number}", Bad.COUNT, "\t".join(fields))
                continue
            history = None
            if prev is not None:
                before = self.previous(fields[prev])
                history = (before,) if before else ()
            yield Transition(history, self.following(fields[following]), n)


class ClickstreamReader(PairsReader):
    """Wikipedia clickstream: titles with underscores; ``other-search``, ``other-empty`` and so on are not articles."""

    defaults: ClassVar[Mapping[int, Mapping[str, int]]] = {4: {"prev": 0, "next": 1, "count": 3}}

    def previous(self, field: str) -> str:
        """Return the article's title, empty for visits from elsewhere."""
        return "" if field.startswith("other-") else self.following(field)

    def following(self, field: str) -> str:
        """Return the article's title."""
        return field.replace("_", " ")


def _positive(text: str) -> float | None:
    try:
        n = float(text)
    except ValueError:
        return None
    return n if 0 < n < math.inf else None
