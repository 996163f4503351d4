"""How often a session comes back to what it asked: to whole queries, and to their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qac._native import MAX_AGE
from qac.examples import Example

_DOUBT: Final = 20.0
"""Added to the chances that a rate is counted from: where there were few, the rate is small."""
_START, _NONE, _SOME, _ALL = range(4)


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


class ReuseCounter:
    """Counts reuse in examples.

    A query or a word counts at its newest place in the session only. The last query itself is not counted among the
    queries: consecutive duplicates are no steps.
    """

    def __init__(self) -> None:
        # Pairs: how often it came back, how often it might have.
        self._queries = [[0.0, 0.0] for _ in range(MAX_AGE + 1)]
        self._words = [[0.0, 0.0] for _ in range(MAX_AGE + 1)]
        self._next = [[0.0, 0.0] for _ in range(4)]

    def add(self, example: Example) -> None:
        """Take note of a normalised example."""
        past = example.prev_queries
        if not past:
            return
        count, following = example.count, example.next_query
        asked = following.split(" ")
        known: set[str] = set()
        for age, query in enumerate(past[: -MAX_AGE - 2 : -1]):
            words = set(query.split(" ")) - known
            known |= words
            _note(self._words[age], count, len(words.intersection(asked)), len(words))
            if age and query not in past[-age:]:
                _note(self._queries[age], count, query == following, 1)
        self._add_words(set(past[-1].split(" ")), asked, count)

    def _add_words(self, last: set[str], asked: list[str], count: float) -> None:
        left = set(last)
        copied = 0
        for n, word in enumerate(asked):
            if left:
                state = _START if n == 0 else _NONE if copied == 0 else _SOME if copied < n else _ALL
                _note(self._next[state], count, word in left, 1)
            copied += word in last
            left.discard(word)

    def rates(self) -> Reuse:
        """Return the rates that were counted."""
        words = [_rate(pair) for pair in self._words]
        start, none, some, every = map(_rate, self._next)
        return Reuse(
            tuple(_rate(pair) for pair in self._queries[1:]),
            tuple(min(1.0, w / words[0]) if words[0] else 0.0 for w in words[1:]),
            (start, none, some, every),
        )


def _note(pair: list[float], count: float, came: float, chances: float) -> None:
    pair[0] += count * came
    pair[1] += count * chances


def _rate(pair: list[float]) -> float:
    return pair[0] / (pair[1] + _DOUBT)
