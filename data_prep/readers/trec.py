"""TREC session track (2011-2014): XML with ``session`` elements of ``interaction`` and ``currentquery``.

Parsed by expat as the bytes come, so a file of any size is read in constant memory. The files need no document type, so
entity declarations, the means of "billion laughs", are refused. Sessions have a time of day but no date: they are taken
as having no time.
"""

import xml.parsers.expat as expat
from collections.abc import Iterator

from qac.data_prep.readers.base import ReaderOptions
from qac.data_prep.records import Event, Scope
from qac.data_prep.source import Source
from qac.data_prep.tally import Tally
from qac.errors import InputError

_HOLDERS = ("interaction", "currentquery")


class TrecReader:
    """The queries of every session, the current one last. Paging repeats a query; dropping duplicates undoes that."""

    def __init__(self, options: ReaderOptions) -> None:
        self.layout = "session/@num, query"
        if options.columns:
            raise InputError("TREC session XML has fixed names; leave out the column options")

    def read(self, source: Source, tally: Tally) -> Iterator[Event]:
        """Yield the queries in document order."""
        handler = _Handler(source.name)
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = handler.start
        parser.EndElementHandler = handler.end
        parser.CharacterDataHandler = handler.text
        parser.EntityDeclHandler = handler.entity
        try:
            for chunk in source.chunks():
                parser.Parse(chunk, False)
                yield from handler.take()
            parser.Parse(b"", True)
        except expat.ExpatError as e:
            raise InputError(
                f"{source.name} is not whole, well-formed XML ({e}); fetch it again or name another --format"
            ) from e
        yield from handler.take()
        if not handler.sessions:
            raise InputError(f"{source.name}: expected TREC session track XML, found no <session> element")


class _Handler:
    def __init__(self, name: str) -> None:
        self._name = name
        self._path: list[str] = []
        self._root = ""
        self._query: list[str] | None = None
        self._events: list[Event] = []
        self._session = ""
        self.sessions = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._path:
            self._root = tag
        if tag == "session":
            self.sessions += 1
            # Numbers start again in every year's file; the root element holds the year.
            self._session = f"{self._root}/{attributes.get('num', self.sessions)}"
        elif tag == "query" and self._path and self._path[-1] in _HOLDERS and "session" in self._path:
            self._query = []
        self._path.append(tag)

    def end(self, tag: str) -> None:
        self._path.pop()
        if tag == "query" and self._query is not None:
            self._events.append(Event(Scope.SESSION, self._session, None, "".join(self._query)))
            self._query = None

    def text(self, data: str) -> None:
        if self._query is not None:
            self._query.append(data)

    def entity(self, *declaration: object) -> None:
        raise InputError(f"{self._name} declares XML entities, which session logs have no use for; remove the DOCTYPE")

    def take(self) -> list[Event]:
        events, self._events = self._events, []
        return events
