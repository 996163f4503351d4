"""A look at what goes wrong: some of the requests whose right answer did not come first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from qac.completion import Completion, Suggester
from qac.evaluation.report import Report
from qac.examples import Example
from qac.metrics import reciprocal_rank

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Miss:
    """A request whose right answer did not come first."""

    prev_queries: tuple[str, ...]
    typed: str
    right: str
    rank: int
    """Of the right answer; 0 where it did not come."""
    count: float
    """How often the right answer was made in the training part."""
    first: tuple[Completion, ...]
    """The best answers there were."""

    def to_json(self) -> dict[str, Any]:
        """Return the miss as plain values."""
        return {
            "prev_queries": list(self.prev_queries),
            "typed": self.typed,
            "right": self.right,
            "rank": self.rank or None,
            "count": self.count,
            "answers": [completion._asdict() for completion in self.first],
        }


def sample_misses(
    suggester: Suggester, report: Report, examples: Sequence[Example], typed: Sequence[str], n: int, seed: int = 0
) -> list[Miss]:
    """Return up to ``n`` misses of ``report``, the outcome of asking ``suggester`` these ``examples``.

    A miss is drawn with a chance in proportion to what tells most: to what it cost, ``1 - 1/rank``, to the share of the
    query that was typed already (that one letter does not give a query away says little), and to the example's count.
    Those likeliest to be drawn tend to come first (Efraimidis and Spirakis, "Weighted Random Sampling with a
    Reservoir", 2006). The answers shown are asked for again.
    """
    outcomes = report.outcomes
    share = np.minimum((1 + outcomes.prefix_length) / (1 + outcomes.length), 1)
    telling = outcomes.weight * (1 - reciprocal_rank(outcomes.rank, report.k)) * share
    misses = np.flatnonzero(telling > 0)
    arrival = np.random.default_rng(seed).exponential(size=len(telling))[misses] / telling[misses]
    out = []
    for i in misses[np.argsort(arrival, kind="stable")[:n]].tolist():
        example = examples[i]
        answers = suggester.complete(typed[i], prev=example.prev_queries, k=report.k)
        rank, count = int(outcomes.rank[i]), float(outcomes.count[i])
        out.append(Miss(example.prev_queries, typed[i], example.next_query, rank, count, tuple(answers[:_SHOWN])))
    return out
