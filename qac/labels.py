"""The labels: every distinct query of the training part, sorted by bytes, with how often it was made.

Sorted so, the labels that start with any prefix are one range. The order of UTF-8 bytes is the order of code points,
so Python's comparison of strings gives it too.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qac.errors import InputError
from qac.examples import Example


@dataclass(frozen=True)
class LabelTable:
    """Distinct queries, ascending by UTF-8 bytes, and their counts."""

    texts: list[str]
    counts: npt.NDArray[np.float64]
    """Shape (n,), positive."""

    @classmethod
    def from_examples(cls, examples: Iterable[Example]) -> LabelTable:
        """Count the queries of normalised ``examples``.

        The count of a query is how often it was made as a next query. Queries that only ever came before another
        (the first of their session, in data that lists pairs alone) are real queries too: a query counts as often as
        it stands on one side of a pair, the larger of the two.

        Raises
        ------
        InputError
            There is no example with a query in it.
        """
        following: Counter[str] = Counter()
        before: Counter[str] = Counter()
        for example in examples:
            following[example.next_query] += example.count  # type: ignore[assignment]  # counts may be fractions
            if example.prev_queries:
                before[example.prev_queries[-1]] += example.count  # type: ignore[assignment]
        merged = following | before
        merged.pop("", None)
        if not merged:
            raise InputError("no queries to learn from: the example file is empty; run `qac prep` on a log first")
        texts = sorted(merged)
        return cls(texts, np.array([merged[t] for t in texts], dtype=np.float64))

    def __len__(self) -> int:
        return len(self.texts)

    def find(self, text: str) -> int:
        """Return the id of ``text``, or -1."""
        i = bisect.bisect_left(self.texts, text)
        return i if i < len(self.texts) and self.texts[i] == text else -1

    def count(self, text: str) -> float:
        """Return how often ``text`` was made; 0: never."""
        i = self.find(text)
        return float(self.counts[i]) if i >= 0 else 0.0

    def prefix_range(self, prefix: str) -> tuple[int, int]:
        """Return ``(lo, hi)``: labels ``lo <= id < hi`` are those that start with ``prefix``."""
        n = len(prefix)
        lo = bisect.bisect_left(self.texts, prefix)
        return lo, bisect.bisect_right(self.texts, prefix, lo=lo, key=lambda t: t[:n])
