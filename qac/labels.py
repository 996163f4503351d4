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

from qac.config import PopularityConfig
from qac.errors import InputError
from qac.examples import Example

_NONE: Final = -1
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
        log = QueryLog()
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

    def prefix_range(self, prefix: str) -> tuple[int, int]:
        """Return ``(lo, hi)``: labels ``lo <= id < hi`` are those that start with ``prefix``."""
        n = len(prefix)
        lo = bisect.bisect_left(self.texts, prefix)
        return lo, bisect.bisect_right(self.texts, prefix, lo=lo, key=lambda t: t[:n])


class QueryLog:
    """Who was asked for, after what, how often and when: examples as numbers, from which popularity is counted."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._following = array("I")
        self._before = array("i")
        self._count = array("d")
        self._time = array("d")

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._following)

    def add(self, example: Example) -> None:
        """Take note of a normalised example."""
        number, past = self._number, example.prev_queries
        self._following.append(number.setdefault(example.next_query, len(number)))
        self._before.append(number.setdefault(past[-1], len(number)) if past else _NONE)
        self._count.append(example.count)
        self._time.append(math.nan if example.time is None else example.time)

    def weights(self, half_life: float | None) -> npt.NDArray[np.float64]:
        """Return how much each example counts, shape (examples,): halved for every ``half_life`` seconds of its age.

        Age is counted back from the newest example. What is older than 20 half-lives decays no further: it keeps a
        weight that sums can hold beside the newest, and its order.

        Raises
        ------
        InputError
            An example has no time, and there is a half-life.
        """
        count = np.frombuffer(self._count) if self._count else np.empty(0)
        if half_life is None or not len(self):
            return count
        time = np.frombuffer(self._time)
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
        occurrences = self._sums(self.weights(None))
        counts = occurrences if popularity.half_life is None else self._sums(self.weights(popularity.half_life))
        made = {text: i for text, i in self._number.items() if text}
        if not made:
            raise InputError("no queries to learn from: the example file is empty; run `qac prep` on a log first")
        texts = sorted(text for text, i in made.items() if occurrences[i] >= popularity.min_count)
        if not texts:
            raise InputError(f"no query was made {popularity.min_count:,} times or more; lower --min-count")
        kept = np.array([made[text] for text in texts])
        once = float(occurrences[occurrences <= max(1, popularity.min_count)].sum() / occurrences.sum())
        return LabelTable(
            texts,
            # As a model stores them, so that what is equal there is equal here.
            counts[kept].astype(np.float32).astype(np.float64),
            occurrences[kept],
            new=popularity.rare + (1 - popularity.rare) * once,
            left_out=len(made) - len(texts),
        )

    def labels_of(self, labels: LabelTable) -> npt.NDArray[np.int64]:
        """Return the label that each example led to, shape (examples,), or -1 where it was left out."""
        found = np.fromiter((labels.find(text) for text in self._number), np.int64, count=len(self._number))
        return found[np.frombuffer(self._following, np.uint32)] if len(self) else np.empty(0, np.int64)

    def _sums(self, weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the sum of weights of each query, on the side of pairs where that is larger."""
        n = len(self._number)
        if not n:
            return np.empty(0)
        before = np.frombuffer(self._before, np.int32)
        preceded = before != _NONE
        return np.maximum(
            np.bincount(np.frombuffer(self._following, np.uint32), weight, n),
            np.bincount(before[preceded], weight[preceded], n),
        )
