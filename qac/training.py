"""From examples to a trained model: the order of the steps, and nothing of how each is done."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from qac._native import MAX_AGE, MAX_LABEL_BYTES, MAX_THREADS, ComposerArrays, TrainingState
from qac.composer.fitting import composes, fit_composer
from qac.config import TrainingConfig
from qac.errors import InputError, UsageError
from qac.examples import Example
from qac.features.base import unit_rows
from qac.features.prefix import PrefixTfidfVectorizer
from qac.features.session import SessionVectorizer
from qac.index.embeddings import TextRows, embed_labels
from qac.index.hybrid import build_tree
from qac.index.tree import LabelTree
from qac.labels import LabelTable, QueryLog
from qac.machine import peak_mb, processors
from qac.progress import progress, working
from qac.reuse import count_reuse
from qac.xlinear import Rankers, RankingExamples, train_rankers

Log = Callable[[str], None]


@dataclass(frozen=True)
class TrainedModel:
    """What training gives and a model file stores."""

    config: TrainingConfig
    labels: LabelTable
    tree: LabelTree
    rankers: Rankers
    length_factor: npt.NDArray[np.float64]
    """On the counts of labels of each length, shape (256,): count times factor is what a label weighs in a session."""
    composer: ComposerArrays | None
    recall: tuple[float, ...]
    """P(the next query is the one that came 1, 2, ... before the last)."""
    session: SessionVectorizer
    prefix: PrefixTfidfVectorizer | None
    summary: dict[str, float]
    """Counts and losses per example (of the softmax in nats); no times, so that the file is the same every time."""


class _Collector:
    """Reads examples once into numbers: after what session (a row) which query came."""

    def __init__(self, history: int, use_prefix: bool) -> None:
        self.log = QueryLog(max(history, MAX_AGE + 1))
        self._history = history
        self._prefixes: dict[str, int] | None = {} if use_prefix else None
        self._typed = array("I")

    def read(self, examples: Iterable[Example]) -> None:
        """Take note of normalised examples."""
        add, prefixes = self.log.add, self._prefixes
        for e in examples:
            add(e)
            if prefixes is not None:
                self._typed.append(prefixes.setdefault(e.prefix, len(prefixes)))

    def steps(self, labels: LabelTable, half_life: float | None) -> _Steps:
        """Return the steps that led to a label, rows in the order of their texts: that of examples does not show."""
        label = self.log.labels_of(labels)
        last = self.log.end.astype(np.int64) - 1
        earlier = np.minimum(np.diff(last, prepend=-1) - 1, self._history)
        chosen = np.flatnonzero((earlier > 0) & (label >= 0))
        label, weight = label[chosen], self.log.weights(half_life)[chosen].astype(np.float32)
        last, earlier = last[chosen], earlier[chosen]

        query, rank = self.log.query, _ranks(self.log.by_text)
        first = last - earlier
        row = np.zeros(len(chosen), np.int64)
        # Sessions compare query by query, the oldest first; where one ends it is the smaller, as its text would be.
        for place in range(min(self._history, int(earlier.max(initial=0)))):
            there = place < earlier
            column = np.zeros(len(chosen), np.int64)
            column[there] = rank[query[first[there] + place]] + 1
            row = _renumber(row, column)
        if self._prefixes is not None:
            typed = list(self._prefixes)
            order = np.array(sorted(range(len(typed)), key=typed.__getitem__), np.int64)
            row = _renumber(row, _ranks(order)[np.array(self._typed, np.uint32)[chosen]])
        _, example = np.unique(row, return_index=True)
        texts = self.log.texts
        sessions = [
            texts[query[b - 1]] if b - a == 1 else "\n".join([texts[i] for i in query[a:b].tolist()])
            for a, b in zip(first[example].tolist(), last[example].tolist(), strict=True)
        ]
        prefixes = None
        if self._prefixes is not None:
            prefixes = [typed[self._typed[i]] for i in chosen[example].tolist()]
        return _Steps(sessions, prefixes, row, label, weight)


def _ranks(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the place of each number in ``order``."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def _renumber(major: npt.NDArray[np.int64], minor: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number the distinct pairs in ascending order."""
    number: npt.NDArray[np.int64] = np.unique(major * (minor.max(initial=0) + 1) + minor, return_inverse=True)[1]
    return number


@dataclass(frozen=True)
class _Steps:
    """The examples with a previous query: from what row of ``sessions`` to which label, and how much that counts."""

    sessions: list[str]
    """Earlier queries joined by line feeds; with what was typed, if that is there, distinct."""
    prefixes: list[str] | None
    """What was typed, where rankers see it."""
    row: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]

    def by_label(self, discount: npt.NDArray[np.float64]) -> sparse.csr_matrix:
        """Return the weights, shape (labels, sessions), equal steps summed and times their label's ``discount``."""
        shape = (len(discount), max(1, len(self.sessions)))
        matrix = sparse.csr_matrix((self.weight, (self.label, self.row)), shape=shape, dtype=np.float32)
        matrix.sum_duplicates()
        matrix.data *= np.repeat(discount, np.diff(matrix.indptr)).astype(np.float32)
        return matrix


def train(
    examples: Iterable[Example],
    config: TrainingConfig | None = None,
    *,
    threads: int | None = None,
    quiet: bool = False,
    log: Log | None = None,
) -> TrainedModel:
    """Train a model.

    Parameters
    ----------
    examples : iterable of Example
        Normalised (:func:`qac.examples.normalize_examples`); read once.
    config : TrainingConfig
    threads : int
        Default: all processors. The model does not depend on it.
    quiet : bool
        No progress bar.
    log : callable
        Is given a line about each step and, every few seconds, about learning.

    Raises
    ------
    InputError
        There is nothing to learn from.
    UsageError
        ``threads`` is out of range.
    """
    config = config or TrainingConfig()
    threads = processors() if threads is None else threads
    if not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"threads must be from 1 to {MAX_THREADS}, got {threads}")
    say = _Clock(log)
    collector = _Collector(config.history, config.use_prefix)
    collector.read(examples)
    with working("sort the sessions", quiet=quiet):
        labels = collector.log.labels(config.popularity)
        _check_lengths(labels)
        steps = collector.steps(labels, config.popularity.half_life)
        reuse = count_reuse(collector.log)
    del collector
    say(f"{len(labels):,} queries, {len(steps.row):,} examples of {len(steps.sessions):,} distinct sessions")

    session = SessionVectorizer(
        history=config.history,
        age_decay=config.age_decay,
        word_weight=config.word_weight,
        bigram_weight=config.bigram_weight,
        query_weight=config.query_weight,
    )
    prefix = PrefixTfidfVectorizer(position_decay=config.position_decay) if config.use_prefix else None
    with working("find the features of sessions", quiet=quiet):
        X = _features(steps, session, prefix)
        length_factor, length_scale = _length_factors(labels, config.length_discount)
        discount = length_factor[labels.lengths()]
        ranking = RankingExamples(X, steps.by_label(discount))
    say(f"{X.shape[1]:,} features, {X.nnz:,} values")

    def embed() -> sparse.csr_matrix | TextRows:
        if config.index.embedding == "text":
            return TextRows(labels.texts, config.position_decay)
        return embed_labels(config.index.embedding, labels.texts, X, ranking.Y, position_decay=config.position_decay)

    with working("build the tree", quiet=quiet):
        tree = build_tree(labels.texts, labels.counts * discount, config.index, embed, threads=threads)
    say(f"tree of {tree.n_nodes:,} nodes on {len(tree.levels())} levels")

    composer = None
    if composes(config.composer, labels.new):
        with working("learn how queries are composed", quiet=quiet):
            composer = fit_composer(
                labels, steps.sessions, ranking.Y, config.composer, reuse, config.length_discount, length_scale
            )
        say(f"composer of {len(composer.word.unigram) - 1:,} words and {len(composer.word.next):,} n-grams")
    with progress(None, "train", unit=" examples", quiet=quiet) as bar:
        watch = _Watch(bar, say)
        rankers = train_rankers(tree, ranking, config.ranker, threads=threads, watch=watch)
    state = rankers.state
    weight = float(ranking.Y.sum()) or 1.0
    summary = {
        "left_out": labels.left_out,
        "examples": len(steps.row),
        "sessions": len(steps.sessions),
        "loss_without_session": state.loss_start / weight,
        "loss": state.loss / weight,
    }
    say(
        f"{rankers.n_weights:,} weights, {state.passes:,} passes over nodes; "
        f"loss per example {summary['loss_without_session']:.4f} without the session, {summary['loss']:.4f} with it"
    )
    recall = tuple(config.recall * rate for rate in reuse.queries)
    return TrainedModel(config, labels, tree, rankers, length_factor, composer, recall, session, prefix, summary)


def _check_lengths(labels: LabelTable) -> None:
    for text in labels.texts:
        if 4 * len(text) > MAX_LABEL_BYTES < len(text.encode("utf-8")):
            raise InputError(
                f"a query is longer than {MAX_LABEL_BYTES:,} bytes, the most a model can hold: {text[:60]!r}...; "
                "leave it out of the examples (`qac prep` leaves out all beyond --max-chars)"
            )


def _length_factors(labels: LabelTable, exponent: float) -> tuple[npt.NDArray[np.float64], float]:
    """Return the factor on counts and examples of labels of each length (:meth:`LabelTable.lengths`), shape (256,).

    And the scale in it, which keeps the sum of counts.
    """
    factor = np.arange(256.0).clip(1) ** -exponent
    scale = float(labels.counts.sum() / (labels.counts @ factor[labels.lengths()]))
    return factor * scale, scale


def _features(steps: _Steps, session: SessionVectorizer, prefix: PrefixTfidfVectorizer | None) -> sparse.csr_matrix:
    """Fit the vectorisers and return the features of sessions and what was typed in them; of length 1 or empty."""
    if prefix is None or steps.prefixes is None:
        return session.fit_transform(queries.split("\n") for queries in steps.sessions)
    numbers = {queries: i for i, queries in enumerate(dict.fromkeys(steps.sessions))}
    by_session = session.fit_transform(queries.split("\n") for queries in numbers)
    blocks = [by_session[[numbers[queries] for queries in steps.sessions]], prefix.fit_transform(steps.prefixes)]
    return unit_rows(sparse.hstack(blocks, format="csr"))


class _Watch:
    """Shows how far learning is: a bar, and a line now and then."""

    def __init__(self, bar: Any, say: _Clock) -> None:
        self._bar = bar
        self._say = say
        self._done = 0

    def __call__(self, state: TrainingState) -> None:
        self._bar.total = state.work_total or None
        self._bar.update(state.work_done - self._done)
        self._done = state.work_done
        if state.work_done < state.work_total and self._say.since() >= 2:
            self._say(
                f"  {state.work_done / state.work_total:.0%} of the tree's examples, {state.passes:,} passes; "
                f"loss of finished nodes {state.loss_start:,.0f} -> {state.loss:,.0f}"
            )


class _Clock:
    """Adds to each line what its step took, in seconds, and the most memory there was."""

    def __init__(self, log: Log | None) -> None:
        self._log = log
        self._last = time.monotonic()

    def since(self) -> float:
        """Return the seconds since the last line."""
        return time.monotonic() - self._last

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if self._log:
            peak = peak_mb()
            self._log(f"{line} ({now - self._last:.1f} s{f', {peak:,.0f} MB' if peak else ''})")
        self._last = now
