"""How often a session comes back to what it asked: to whole queries, and to their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qac import _native
from qac.labels import QueryLog

_DOUBT: Final = 20.0
"""Added to the chances that a rate is counted from: where there were few, the rate is small."""


@dataclass(frozen=True)
class Reuse:
    """Rates of reuse, counted in a log."""

    queries: tuple[float, ...]
    """P(the next query is the one 1, 2, ... before the last)."""
    older_words: tuple[float, ...]
    """How often a word of the query 1, 2, ... before the last is in the next one, relative to those of the last; at
    most 1."""
    next_words: tuple[float, float, float, float]
    """P(the next word is one of the last query's that are not there yet): the first word, and others where none, some,
    all of the words so far are from the last query."""


def count_reuse(log: QueryLog) -> Reuse:
    """Count reuse in the examples of ``log``.

    A query or a word counts at its newest place in the session only. The last query itself is not counted among the
    queries: consecutive duplicates are no steps.
    """
    pairs = _native.count_reuse(_native.words(log.texts), log.query, log.end, log.weights(None))
    queries, words, following = ([_rate(came, chances) for came, chances in p.tolist()] for p in pairs)
    start, none, some, every = following
    return Reuse(
        tuple(queries[1:]),
        tuple(min(1.0, w / words[0]) if words[0] else 0.0 for w in words[1:]),
        (start, none, some, every),
    )


def _rate(came: float, chances: float) -> float:
    return came / (chances + _DOUBT)
