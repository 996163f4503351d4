"""The labels: the distinct queries of the training part, sorted by bytes, with how popular they are.

Sorted so, the labels that start with any prefix are one range. The order of UTF-8 bytes is the order of code points,
so Python's comparison of strings gives it too.
"""

from __future__ import annotations

import bisect
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qac._native import MAX_AGE
from qac.config import PopularityConfig
from qac.errors import InputError
from qac.examples import Example

I64 = npt.NDArray[np.int64]

_MOST_HALVINGS: Final = 20.0


@dataclass(frozen=True)
class LabelTable:
    """Distinct queries, ascending by UTF-8 bytes, and how popular they are."""

    texts: list[str]
    counts: npt.NDArray[np.float64]
    """Shape (n,), positive: how popular each is; its occurrences, decayed if that was asked for."""
    occurrences: npt.NDArray[np.float64]
    """Shape (n,), positive: how often each was made."""
    new: float = 0.0
    """Chance that the next query is none of these, estimated by the share of queries that were made once (Turing's
    estimate: Good, "The Population Frequencies of Species", 1953), or as often as the minimum count or less, or that
    preparation left out as too rare."""
    left_out: int = 0
    """How many distinct queries were made fewer than ``min_count`` times."""

    @classmethod
    def from_examples(cls, examples: Iterable[Example], popularity: PopularityConfig | None = None) -> LabelTable:
        """Count the queries of normalised ``examples``; see :meth:`QueryLog.labels`."""
        log = QueryLog(history=1)
        for example in examples:
            log.add(example)
        return log.labels(popularity or PopularityConfig())

    def __len__(self) -> int:
        return len(self.texts)

    def find(self, text: str) -> int:
        """Return the id of ``text``, or -1."""
        i = bisect.bisect_left(self.texts, text)
        return i if i < len(self.texts) and self.texts[i] == text else -1

    def count(self, text: str) -> float:
        """Return how often ``text`` was made; 0: never."""
        i = self.find(text)
        return float(self.occurrences[i]) if i >= 0 else 0.0

    def lengths(self) -> npt.NDArray[np.uint8]:
        """Return the queries' lengths in code points, at most 255: shape (n,)."""
        return np.fromiter((min(len(t), 255) for t in self.texts), np.uint8, count=len(self))

    def prefix_range(self, prefix: str) -> tuple[int, int]:
        """Return ``(lo, hi)``: labels ``lo <= id < hi`` are those that start with ``prefix``."""
        n = len(prefix)
        lo = bisect.bisect_left(self.texts, prefix)
        return lo, bisect.bisect_right(self.texts, prefix, lo=lo, key=lambda t: t[:n])


class QueryLog:
    """Who was asked for, after what, how often and when: examples as numbers, from which popularity is counted.

    Of a million examples it keeps 30 MB, and 200 bytes of each distinct query.

    Parameters
    ----------
    history : int
        Earlier queries kept of each example, the newest; at most 65,534.
    """

    def __init__(self, history: int = MAX_AGE + 1) -> None:
        self._history = history
        self._number: dict[str, int] = {}
        self._query = array("I")
        self._size = array("H")
        self._count = array("d")
        self._time = array("d")
        self._by_text: I64 = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._size)

    def add(self, example: Example) -> None:
        """Take note of a normalised example."""
        number, past = self._number, example.prev_queries[-self._history :]
        for query in past:
            self._query.append(number.setdefault(query, len(number)))
        self._query.append(number.setdefault(example.next_query, len(number)))
        self._size.append(len(past) + 1)
        self._count.append(example.count)
        self._time.append(math.nan if example.time is None else example.time)

    @property
    def texts(self) -> list[str]:
        """The distinct queries, in the order of their numbers."""
        return list(self._number)

    @property
    def query(self) -> npt.NDArray[np.uint32]:
        """The examples' queries by number, one example after another: earlier ones, oldest first, then the next one."""
        return np.array(self._query, np.uint32)

    @property
    def end(self) -> npt.NDArray[np.uint64]:
        """Shape (examples,): where the queries of each end."""
        return np.cumsum(self._size, dtype=np.uint64)

    @property
    def by_text(self) -> I64:
        """Shape (queries,): their numbers in the order of the texts."""
        if len(self._by_text) != len(self._number):
            texts = self.texts
            self._by_text = np.array(sorted(range(len(texts)), key=texts.__getitem__), np.int64)
        return self._by_text

    def weights(self, half_life: float | None) -> npt.NDArray[np.float64]:
        """Return how much each example counts, shape (examples,): halved for every ``half_life`` seconds of its age.

        Age is counted back from the newest example. What is older than 20 half-lives decays no further: it keeps a
        weight that sums can hold beside the newest, and its order.

        Raises
        ------
        InputError
            An example has no time, and there is a half-life.
        """
        count = np.array(self._count, np.float64)
        if half_life is None or not len(self):
            return count
        time = np.array(self._time, np.float64)
        untimed = np.flatnonzero(np.isnan(time))
        if len(untimed):
            raise InputError(
                f'a half-life needs the "time" of every example, which {len(untimed):,} of {len(self):,} do not have; '
                "run `qac prep` anew on a log with times, or leave out --half-life"
            )
        halvings = np.minimum((time.max() - time) / half_life, _MOST_HALVINGS)
        weight: npt.NDArray[np.float64] = count * np.exp2(-halvings)
        return weight

    def labels(self, popularity: PopularityConfig) -> LabelTable:
        """Return the queries that were made often enough, and their counts.

        The count of a query is how often it was made as a next query. Queries that only ever came before another
        (the first of their session, in data that lists pairs alone) are real queries too: a query counts as often as
        it stands on one side of a pair, the larger of the two.

        Raises
        ------
        InputError
            There is no example with a query in it, or no query that was made often enough, or :meth:`weights` says so.
        """
        texts, by_text = self.texts, self.by_text
        if by_text.size and not texts[by_text[0]]:
            by_text = by_text[1:]  # nothing is no query
        occurrences = self._sums(self.weights(None))
        by_text = by_text[occurrences[by_text] > 0]  # some are only there as older queries
        counts = occurrences if popularity.half_life is None else self._sums(self.weights(popularity.half_life))
        if not by_text.size:
            raise InputError("no queries to learn from: the example file is empty; run `qac prep` on a log first")
        kept = by_text[occurrences[by_text] >= popularity.min_count]
        if not kept.size:
            raise InputError(f"no query was made {popularity.min_count:,} times or more; lower --min-count")
        once = float(occurrences[occurrences <= max(1, popularity.min_count)].sum() / occurrences.sum())
        return LabelTable(
            [texts[i] for i in kept.tolist()],
            # As a model stores them, so that what is equal there is equal here.
            counts[kept].astype(np.float32).astype(np.float64),
            occurrences[kept],
            new=popularity.rare + (1 - popularity.rare) * once,
            left_out=len(by_text) - len(kept),
        )

    def labels_of(self, labels: LabelTable) -> I64:
        """Return the label that each example led to, shape (examples,), or -1 where it was left out."""
        found = np.full(len(self._number), -1, np.int64)
        found[[self._number[text] for text in labels.texts]] = np.arange(len(labels))
        following: I64 = found[self.query[self.end.astype(np.int64) - 1]]
        return following

    def _sums(self, weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the sum of weights of each query, on the side of pairs where that is larger."""
        n = len(self._number)
        if not n:
            return np.empty(0)
        query, last = self.query, self.end.astype(np.int64) - 1
        preceded = np.diff(last, prepend=-1) > 1
        return np.maximum(
            np.bincount(query[last], weight, n),
            np.bincount(query[last[preceded] - 1], weight[preceded], n),
        )
