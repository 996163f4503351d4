"""Evaluation: ask a suggester every request of a test set and measure its answers.

What each request came to is kept (:class:`~qac.evaluation.outcomes.Outcomes`); the metrics over all of them or over a
group are computed from that. An example with a count stands for as many equal ones: it weighs so much in every mean,
while ``n`` is the number of examples. Requests are timed one by one, on one thread, as a Python caller sees them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from qac.completion import Suggester, check_k
from qac.errors import InputError
from qac.evaluation.outcomes import PREVIOUS, Outcomes, nested
from qac.evaluation.resampling import SessionSums, bootstrap, interval
from qac.examples import Example
from qac.metrics import BleuReference, bleu_rr, rank_of
from qac.progress import progress

WARM_UP: Final = 300
"""Requests at the start whose time is not counted: caches fill, pages of the model are read."""


class KnownQueries(Protocol):
    """The queries of the training part."""

    def count(self, text: str) -> float:
        """Return how often the query was made; 0: never."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """How one suggester did on one test set."""

    name: str
    outcomes: Outcomes
    warm_up: int
    """The first so many requests have no part in the latency."""
    k: int
    """How many answers were asked for."""
    fingerprint: str
    """Of the requests: equal for the same examples, asked in the same order with the same typing errors."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """What the suggester says of itself."""

    def latency_us(self) -> dict[str, float]:
        """Return the percentiles of the time of a request, in microseconds."""
        p50, p95, p99 = np.percentile(self.outcomes.latency_ns[self.warm_up :] / 1000, [50, 95, 99]).tolist()
        return {"p50": p50, "p95": p95, "p99": p99}

    def to_json(self, resamples: int = 0, seed: int = 0) -> dict[str, Any]:
        """Return the report as plain values: what ``qac eval --json`` prints.

        With ``resamples``, each group has 95 % intervals too, by a bootstrap of so many samples drawn with ``seed``.
        """
        outcomes = self.outcomes
        groups = outcomes.groups()
        parts: list[tuple[tuple[str, ...], Mapping[str, Any]]]
        parts = [(path, outcomes.metrics(among)) for path, among in groups.items()]
        if resamples:
            ratios = outcomes.ratios()
            sums = SessionSums(list(ratios.values()), list(groups.values()), outcomes.session)
            intervals = iter(interval(bootstrap([sums], resamples, seed)[0]))
            parts += [((*path, "ci95"), {name: next(intervals) for name in ratios}) for path in groups]
            parts.append((("bootstrap",), {"sessions": len(sums), "resamples": resamples, "seed": seed}))
        return {**nested(parts), "latency_us": self.latency_us(), "model": dict(self.model)}


def evaluate(
    suggester: Suggester,
    examples: Sequence[Example],
    *,
    known: KnownQueries,
    k: int = 10,
    typed: Sequence[str] | None = None,
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
        The queries of the training part: they tell ``seen`` from ``unseen`` and how frequent a right answer is.
    k
        How many answers to ask for. With fewer than ten, MRR@10 and Success@10 are those of the answers asked for.
    typed
        What is typed in place of each example's prefix, errors and all (:func:`qac.evaluation.typos.mistype`).
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
    if typed is None:
        typed = [example.prefix for example in examples]
    n = len(examples)
    outcomes = Outcomes.empty(n)
    outcomes.session[:] = number_sessions(examples)
    with progress(n, f"evaluate {suggester.name}", unit=" requests", quiet=quiet) as bar:
        for i, (example, prefix) in enumerate(zip(examples, typed, strict=True)):
            began = time.perf_counter_ns()
            completions = suggester.complete(prefix, prev=example.prev_queries, k=k)
            outcomes.latency_ns[i] = time.perf_counter_ns() - began
            truth = example.next_query
            answers = [c.text for c in completions]
            composed = [c.source == "composed" for c in completions]
            reference = BleuReference(truth)
            outcomes.rank[i] = rank = rank_of(truth, answers)
            outcomes.bleu_rr[i] = bleu_rr([reference.score(answer) for answer in answers])
            outcomes.answers[i] = len(answers)
            outcomes.composed[i] = sum(composed)
            outcomes.first_composed[i] = composed[:1] == [True]
            outcomes.right_composed[i] = rank > 0 and composed[rank - 1]
            outcomes.prefix_length[i] = len(example.prefix)
            outcomes.length[i] = len(truth)
            outcomes.count[i] = known.count(truth)
            outcomes.previous[i] = PREVIOUS.index(_previous(example, known))
            outcomes.mistyped[i] = prefix != example.prefix
            outcomes.weight[i] = example.count
            bar.update()
    # A small test set keeps half of its requests for the latency.
    return Report(suggester.name, outcomes, min(WARM_UP, n // 2), k, _fingerprint(examples, typed), model or {})


def _previous(example: Example, known: KnownQueries) -> str:
    if not example.prev_queries:
        return "none"
    return "known" if known.count(example.prev_queries[-1]) > 0 else "unknown"


def number_sessions(examples: Sequence[Example]) -> npt.NDArray[np.int32]:
    """Number the sessions in the order in which they come; an example without one is a session of its own."""
    numbers: dict[int, int] = {}
    out = np.empty(len(examples), np.int32)
    n = 0
    for i, example in enumerate(examples):
        number = n if example.session is None else numbers.setdefault(example.session, n)
        out[i] = number
        n += number == n
    return out


def _fingerprint(examples: Sequence[Example], typed: Sequence[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for example, prefix in zip(examples, typed, strict=True):
        digest.update(f"{example.to_json()}\t{prefix}\n".encode())
    return digest.hexdigest()
