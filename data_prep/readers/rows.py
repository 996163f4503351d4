"""Rows of delimited text."""

import csv
from collections import deque
from collections.abc import Iterator

from qac.data_prep.source import Source
from qac.data_prep.tally import Bad, Tally

# A quoted field may hold line breaks. How many, is bounded: one stray quote must not swallow the rest of the log.
_MAX_LINES = 8

Row = tuple[int, list[str]]


def tab_separated(source: Source, tally: Tally) -> Iterator[Row]:
    """Yield line number and fields; quotes are ordinary characters."""
    for number, line in source.lines(tally):
        yield number, line.split("\t")


def comma_separated(source: Source, tally: Tally, delimiter: str) -> Iterator[Row]:
    """Yield line number and fields, quoted as in RFC 4180.

    A quote that is opened and not closed within a few lines makes one bad line; reading goes on with the next.
    """
    lines = source.lines(tally)
    waiting: deque[tuple[int, str]] = deque()
    while True:
        if waiting:
            number, line = waiting.popleft()
        else:
            following = next(lines, None)
            if following is None:
                return
            number, line = following
        if '"' not in line:
            yield number, line.split(delimiter)
            continue
        fields = _parse(line, delimiter)
        if fields is None:
            fields = _parse_on(line, delimiter, lines, waiting)
        if fields is None:
            tally.reject(f"{source.name}:{number}", Bad.QUOTE, line)
        else:
            yield number, fields


def _parse_on(
    line: str, delimiter: str, lines: Iterator[tuple[int, str]], waiting: deque[tuple[int, str]]
) -> list[str] | None:
    """Parse ``line`` together with the lines after it; those that do not belong to it are left in ``waiting``."""
    text = line
    for i in range(_MAX_LINES - 1):
        if i == len(waiting):
            following = next(lines, None)
            if following is None:
                return None
            waiting.append(following)
        text += "\n" + waiting[i][1]
        fields = _parse(text, delimiter)
        if fields is not None:
            for _ in range(i + 1):
                waiting.popleft()
            return fields
    return None


def _parse(text: str, delimiter: str) -> list[str] | None:
    """Return the fields of one record, None if its quotes are not in order."""
    try:
        rows = list(csv.reader([part + "\n" for part in text.split("\n")], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
