"""Examples: what preparation writes, training learns from and evaluation asks.

JSON lines, one example each::

    {"prev_query": "digital camera", "prefix": "ni", "next_query": "nikon d70"}

and optionally ``"prev_queries": [oldest, ..., newest]`` (its last is ``prev_query``), ``"count": n`` (the example
stands for n equal ones), ``"time": t`` (when the query was made, in seconds since 1970) and ``"session": n`` (a number
that examples of one session share, for evaluation). ``prev_query`` may be empty: the first query of a session.
"""

import functools
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from qac.errors import InputError
from qac.text import Protocol, normalize, normalize_prefix

MIN_COUNT: Final = 1e-3
MAX_COUNT: Final = 1e12
"""Counts beyond these would be lost in the sums of a model's tree, which has 53 bits for both ends."""
MAX_SESSION: Final = (1 << 63) - 1

MIN_TIME: Final = -62_135_596_800
MAX_TIME: Final = 253_402_300_799
"""The years 1 to 9999, in seconds since 1970; times in milliseconds are mostly beyond."""

_ONCE: Final = 1.0
_REMEMBERED: Final = 1 << 16
"""Texts whose normal form is remembered while others are read."""
_WATCH_EVERY: Final = 4096
"""Lines."""
_decode: Final = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Example:
    """One request and the query that was then made."""

    prev_queries: tuple[str, ...]
    """Earlier queries of the session, oldest first; empty for the first query of a session."""
    prefix: str
    next_query: str
    count: float = 1.0
    time: float | None = None
    """When the query was made, in seconds since 1970; None where that is not known."""
    session: int | None = None
    """A number that the examples of one session share; None: not known."""

    def to_json(self) -> str:
        """Return the example as one JSON line, without the line break."""
        record: dict[str, object] = {
            "prev_query": self.prev_queries[-1] if self.prev_queries else "",
            "prefix": self.prefix,
            "next_query": self.next_query,
        }
        if len(self.prev_queries) > 1:
            record["prev_queries"] = list(self.prev_queries)
        if self.count != 1:
            record["count"] = _plain(self.count)
        if self.time is not None:
            record["time"] = _plain(self.time)
        if self.session is not None:
            record["session"] = self.session
        return json.dumps(record, ensure_ascii=False)


def _plain(number: float) -> float:
    return int(number) if number == int(number) else number


def read_examples(path: str | os.PathLike[str], *, watch: Callable[[int], None] | None = None) -> Iterator[Example]:
    """Yield the examples of a JSON-lines file, in order; a name that ends in .gz is unpacked on the way.

    ``watch`` is told now and then how many bytes of the file have been read.

    Raises
    ------
    InputError
        The file cannot be read, or a line of it is not an example; the message names the line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, _text(file, path) as lines:
            for number, line in enumerate(lines, 1):
                if stripped := line.strip():
                    try:
                        example = _parse(stripped)
                    except _NoExampleError as e:
                        raise InputError(f"{path}:{number}: {e}") from e
                    yield example
                if watch and number % _WATCH_EVERY == 0:
                    watch(file.tell())
            if watch:
                watch(file.tell())
    except UnicodeDecodeError as e:
        raise InputError(f"{path} is not UTF-8 text ({e.reason}); give the JSON lines that `qac prep` writes") from e
    except (gzip.BadGzipFile, EOFError, zlib.error) as e:
        raise InputError(f"{path} is no gzip file or is cut short ({e}); pack or copy it anew") from e
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror}; give the JSON lines that `qac prep` writes") from e


def _text(file: IO[bytes], path: Path) -> IO[str]:
    unpacked = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
    return io.TextIOWrapper(cast(IO[bytes], unpacked), encoding="utf-8-sig")


def normalize_examples(examples: Iterable[Example], protocol: Protocol = "default") -> Iterator[Example]:
    """Yield ``examples`` with their texts in normal form, in order.

    Earlier queries of which nothing is left are dropped; so is an example whose next query is empty, for there is
    nothing to learn from it or to ask.
    """
    # A query comes again and again: as the next one, then as an earlier one of its session.
    normal = functools.lru_cache(_REMEMBERED)(functools.partial(normalize, protocol=protocol))
    for example in examples:
        if following := normal(example.next_query):
            history = tuple([q for q in map(normal, example.prev_queries) if q])
            typed = normalize_prefix(example.prefix, protocol)
            yield Example(history, typed, following, example.count, example.time, example.session)


class _NoExampleError(Exception):
    """Says what is wrong with a line."""


def _parse(line: str) -> Example:
    try:
        record, end = _decode(line)
        if end != len(line):
            json.loads(line)  # says what is wrong
    except (ValueError, RecursionError) as e:
        raise _NoExampleError(f"not JSON ({e}); give the JSON lines that `qac prep` writes") from e
    if not isinstance(record, dict):
        raise _NoExampleError(f"expected a JSON object, got {type(record).__name__}")
    following = record.get("next_query")
    if not isinstance(following, str):
        raise _NoExampleError(f'"next_query" must be a string, got {following!r:.60}')
    prefix = record.get("prefix", "")
    if not isinstance(prefix, str):
        raise _NoExampleError(f'"prefix" must be a string, got {prefix!r:.60}')
    prev, history = record.get("prev_query"), record.get("prev_queries")
    if prev is None:
        prev = ""
    if history is None or history == []:
        history = [prev] if prev else []
    if type(history) is not list or not {str}.issuperset(map(type, (prev, *history))):
        raise _NoExampleError('"prev_query" must be a string and "prev_queries" a list of strings')
    count = record.get("count", _ONCE)
    if count is not _ONCE and not _is_number(count, MIN_COUNT, MAX_COUNT):
        raise _NoExampleError(f'"count" must be a number from {MIN_COUNT:g} to {MAX_COUNT:g}, got {count!r:.60}')
    when = record.get("time")
    if when is not None and not _is_number(when, MIN_TIME, MAX_TIME):
        raise _NoExampleError(
            f'"time" must be a number of seconds since 1970, from {MIN_TIME} to {MAX_TIME}, got {when!r:.60}'
        )
    session = record.get("session")
    if session is not None and (type(session) is not int or not 0 <= session <= MAX_SESSION):
        raise _NoExampleError(f'"session" must be a whole number from 0 to {MAX_SESSION}, got {session!r:.60}')
    return Example(tuple(history), prefix, following, float(count), when, session)


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
