"""Bare queries, one per line: no users, no times."""

from collections.abc import Iterator

from qac.data_prep.readers.base import ReaderOptions
from qac.data_prep.records import Event, Scope
from qac.data_prep.source import Source
from qac.data_prep.tally import Tally
from qac.errors import InputError


class QueriesReader:
    """Every line is a query that stands alone."""

    def __init__(self, options: ReaderOptions) -> None:
        self.layout = "every line is a query"
        if any(column != "none" for column in options.columns.values()):
            raise InputError("bare queries have no columns; leave out the column options or name another --format")

    def read(self, source: Source, tally: Tally) -> Iterator[Event]:
        """Yield one event per line."""
        for _, line in source.lines(tally):
            yield Event(Scope.ALONE, "", None, line)
