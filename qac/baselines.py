"""Baselines: what any completer must beat, with the interface of the real one.

:class:`MostFrequent` is most popular completion (Bar-Yossef and Kraus, "Context-Sensitive Query Auto-Completion",
WWW 2011), which ignores the session. :class:`CoOccurrence` counts what followed the previous query and falls
back on it. Both learn from, and are asked in, normalised text; every answer starts with the prefix, and k
answers come back whenever k known queries do.

Their strings live in marisa tries, which number their keys and list those under a prefix. Measured, a trie takes 4 to
11 bytes per query (4 on templated shop queries, 9.5 on article titles, 11 on typed web queries of 19 bytes each), where
a list of ``str`` takes 70 to 77. Against bisecting such a list a median request is a little faster, a mean one half as
fast.
"""

from __future__ import annotations

import heapq
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import marisa_trie
import numpy as np

from qac.completion import Completion, check_k
from qac.examples import Example
from qac.labels import LabelTable

# Listing more matches than this takes longer than a look-up should: the answer is kept. Fewer prefixes than
# (characters in all keys) / _LARGE have as many matches, so what is kept stays small beside the trie.
_LARGE: Final = 64


class RankedTrie:
    """Keys with scores, in a fixed order of preference; gives the best ones under a prefix.

    The order is total and decided once, when the trie is built, so that ties need no rule at a request.
    """

    def __init__(self, keys: Sequence[str], scores: Iterable[float]) -> None:
        """Hold distinct ``keys``, best first, and their scores."""
        self._trie = marisa_trie.Trie(keys)
        self._scores = array("d", scores)
        # The trie numbers its keys as it likes: rank by that number.
        self._ranks = array("i", [0]) * len(keys)
        for rank, key in enumerate(keys):
            self._ranks[self._trie[key]] = rank
        self._kept: dict[tuple[str, int], list[tuple[str, float]]] = {}

    def __len__(self) -> int:
        return len(self._trie)

    def __contains__(self, key: object) -> bool:
        return key in self._trie

    def rank(self, key: str) -> int:
        """Return the place of ``key`` in the order, 0 for the best, or -1 if there is no such key."""
        i = self._trie.get(key)
        return -1 if i is None else self._ranks[i]

    def score(self, key: str) -> float:
        """Return the score of ``key``, or 0 if there is no such key."""
        rank = self.rank(key)
        return self._scores[rank] if rank >= 0 else 0.0

    def top(self, prefix: str, k: int) -> list[tuple[str, float]]:
        """Return the ``k`` best (key, score) whose keys start with ``prefix``, best first."""
        kept = self._kept.get((prefix, k))
        if kept is not None:
            return kept
        ranks = self._ranks
        matches = [(ranks[i], key) for key, i in self._trie.items(prefix)]
        best = [(key, self._scores[rank]) for rank, key in heapq.nsmallest(k, matches)]
        if len(matches) > _LARGE:
            self._kept[prefix, k] = best
        return best


class MostFrequent:
    """The k most frequent queries that start with the prefix; equally frequent ones in the order of their bytes."""

    name = "mfq"

    def fit(self, examples: Iterable[Example]) -> Self:
        """Count the queries of normalised ``examples``, as :meth:`LabelTable.from_examples` does."""
        labels = LabelTable.from_examples(examples)
        order = np.argsort(-labels.counts, kind="stable")  # stable: ties stay in the order of the labels' bytes
        self._queries = RankedTrie([labels.texts[i] for i in order], labels.counts[order])
        return self

    def __len__(self) -> int:
        return len(self._queries)

    def __contains__(self, text: object) -> bool:
        """Say whether ``text`` is a query of the examples learnt from."""
        return text in self._queries

    def count(self, text: str) -> float:
        """Return how often the query ``text`` was made in the examples learnt from; 0: never."""
        return self._queries.score(text)

    def complete(self, prefix: str, prev: Sequence[str] = (), k: int = 10) -> list[Completion]:
        """Return up to ``k`` completions of ``prefix``; the score is the query's count. ``prev`` plays no part."""
        return [Completion(text, count, "mfq") for text, count in self._queries.top(prefix, check_k(k))]

    def info(self) -> dict[str, Any]:
        """Return what an evaluation reports of the baseline."""
        return {"name": self.name, "labels": len(self)}


class CoOccurrence(MostFrequent):
    """The queries that most often came right after the previous one, then the most frequent.

    Candidates after the previous query that are equally frequent there come in the order of :class:`MostFrequent`. Its
    answers fill up what is left of ``k``, with their own counts and source, so scores do not compare across the two.
    """

    name = "cooc"

    def fit(self, examples: Iterable[Example]) -> Self:
        """Count the queries of normalised ``examples``, and the pairs of previous and next query."""
        examples = list(examples)
        super().fit(examples)
        rank = self._queries.rank
        counts: dict[tuple[int, str], float] = defaultdict(float)
        for example in examples:
            if example.prev_queries:
                counts[rank(example.prev_queries[-1]), example.next_query] += example.count
        best_first = sorted(counts, key=lambda pair: (-counts[pair], rank(pair[1])))
        self._pairs = RankedTrie([_pair_key(*pair) for pair in best_first], [counts[pair] for pair in best_first])
        return self

    def complete(self, prefix: str, prev: Sequence[str] = (), k: int = 10) -> list[Completion]:
        """Return up to ``k`` completions of ``prefix`` after the last query of ``prev``; the score is a count."""
        popular = super().complete(prefix, k=k)
        before = self._queries.rank(prev[-1]) if prev else -1
        if before < 0:
            return popular
        skip = len(_pair_key(before, ""))
        answers = [Completion(key[skip:], n, "cooc") for key, n in self._pairs.top(_pair_key(before, prefix), k)]
        found = {answer.text for answer in answers}
        answers += [c for c in popular if c.text not in found]
        return answers[:k]

    def info(self) -> dict[str, Any]:
        """Return what an evaluation reports of the baseline."""
        return {**super().info(), "pairs": len(self._pairs)}


def _pair_key(before: int, text: str) -> str:
    """Return the key of a pair: the number of the previous query, a colon, the next query.

    The first colon ends the number whatever the text holds, so no delimiter is reserved.
    """
    return f"{before}:{text}"


BASELINES: Final[dict[str, type[MostFrequent]]] = {cls.name: cls for cls in (MostFrequent, CoOccurrence)}
