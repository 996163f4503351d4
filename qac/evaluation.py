"""Evaluation: ask a suggester every request of a test set and measure its answers.

What each request came to is kept (:class:`Outcomes`); the means over all of them or over a group are computed from
that. An example with a count stands for as many equal ones: it weighs so much in every mean, while ``n`` is the number
of examples. Requests are timed one by one, on one thread, as a Python caller sees them.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qac.completion import Suggester, check_k
from qac.errors import InputError
from qac.examples import Example
from qac.metrics import BleuReference, bleu_rr, rank_of, reciprocal_rank, success
from qac.progress import progress

WARM_UP: Final = 300
"""Requests at the start whose time is not counted: caches fill, pages of the model are read."""

# Characters typed, in code points. Few examples ask with nothing typed: "0" is reported where there are some.
_LENGTHS: Final = {"0": (0, 0), "1": (1, 1), "2": (2, 2), "3": (3, 3), "4-5": (4, 5), "6-8": (6, 8), "9+": (9, None)}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of each request: arrays of equal length, in the order of the examples.

    Two suggesters asked the same examples compare request by request.
    """

    rank: npt.NDArray[np.int32]
    """Place of the right answer, from 1; 0 where it was not among the answers."""
    bleu_rr: npt.NDArray[np.float64]
    answers: npt.NDArray[np.int32]
    """How many came back."""
    prefix_length: npt.NDArray[np.int32]
    seen: npt.NDArray[np.bool_]
    """Whether the right answer is a known query."""
    weight: npt.NDArray[np.float64]
    latency_ns: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, n: int) -> Outcomes:
        """Return outcomes of ``n`` requests, all zero."""
        return cls(
            rank=np.zeros(n, np.int32),
            bleu_rr=np.zeros(n),
            answers=np.zeros(n, np.int32),
            prefix_length=np.zeros(n, np.int32),
            seen=np.zeros(n, np.bool_),
            weight=np.zeros(n),
            latency_ns=np.zeros(n, np.int64),
        )

    def __len__(self) -> int:
        return len(self.rank)

    def metrics(self, among: npt.NDArray[np.bool_] | slice = slice(None)) -> dict[str, float | int | None]:
        """Return the weighted means over the requests that ``among`` selects; None where it selects none."""
        ranks, weight = self.rank[among], self.weight[among]
        values: dict[str, npt.NDArray[Any]] = {
            "mrr@10": reciprocal_rank(ranks, 10),
            "success@1": success(ranks, 1),
            "success@5": success(ranks, 5),
            "success@10": success(ranks, 10),
            "bleu_rr": self.bleu_rr[among],
            "coverage": self.answers[among] > 0,
        }
        n = len(ranks)
        return {"n": n, **{name: float(np.average(v, weights=weight)) if n else None for name, v in values.items()}}


@dataclass(frozen=True, slots=True)
class Report:
    """How one suggester did on one test set."""

    name: str
    outcomes: Outcomes
    warm_up: int
    """The first so many requests have no part in the latency."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """What the suggester says of itself."""

    def latency_us(self) -> dict[str, float]:
        """Return the percentiles of the time of a request, in microseconds."""
        p50, p95, p99 = np.percentile(self.outcomes.latency_ns[self.warm_up :] / 1000, [50, 95, 99]).tolist()
        return {"p50": p50, "p95": p95, "p99": p99}

    def by_prefix_length(self) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
        """Yield the name of each group of prefix lengths, and which requests are in it."""
        length = self.outcomes.prefix_length
        for name, (low, high) in _LENGTHS.items():
            among = (length >= low) & (length <= (length if high is None else high))
            if low or among.any():
                yield name, among

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values: what ``qac eval --json`` prints."""
        outcomes = self.outcomes
        return {
            **outcomes.metrics(),
            "seen": outcomes.metrics(outcomes.seen),
            "unseen": outcomes.metrics(~outcomes.seen),
            "by_prefix_length": {name: outcomes.metrics(among) for name, among in self.by_prefix_length()},
            "latency_us": self.latency_us(),
            "model": dict(self.model),
        }


def evaluate(
    suggester: Suggester,
    examples: Sequence[Example],
    *,
    known: Container[str],
    k: int = 10,
    model: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> Report:
    """Ask ``suggester`` every one of ``examples`` and report how good and how fast its answers are.

    Parameters
    ----------
    examples
        The test set, in the normal form of the suggester's text protocol (:func:`qac.examples.normalize_examples`):
        an answer is right if it equals the next query.
    known
        The queries of the training part: they tell ``seen`` from ``unseen``.
    k
        How many answers to ask for. With fewer than ten, MRR@10 and Success@10 are those of the answers asked for.
    model
        What the report is to say of the suggester.
    quiet
        No progress bar, not even on a terminal.

    Raises
    ------
    InputError
        There are no examples.
    UsageError
        ``k`` is out of bounds.
    """
    check_k(k)
    if not examples:
        raise InputError("no examples to ask; give the test.jsonl that `qac prep` writes")
    n = len(examples)
    outcomes = Outcomes.empty(n)
    with progress(n, f"evaluate {suggester.name}", unit=" requests", quiet=quiet) as bar:
        for i, example in enumerate(examples):
            truth = example.next_query
            began = time.perf_counter_ns()
            completions = suggester.complete(example.prefix, prev=example.prev_queries, k=k)
            outcomes.latency_ns[i] = time.perf_counter_ns() - began
            answers = [c.text for c in completions]
            reference = BleuReference(truth)
            outcomes.rank[i] = rank_of(truth, answers)
            outcomes.bleu_rr[i] = bleu_rr([reference.score(answer) for answer in answers])
            outcomes.answers[i] = len(answers)
            outcomes.prefix_length[i] = len(example.prefix)
            outcomes.seen[i] = truth in known
            outcomes.weight[i] = example.count
            bar.update()
    # A small test set keeps half of its requests for the latency.
    return Report(suggester.name, outcomes, min(WARM_UP, n // 2), model or {})
