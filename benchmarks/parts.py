"""Parts of qac against what one would otherwise take for them, on a log's examples.

TF-IDF of sessions and of prefixes against scikit-learn's vectoriser, with the same terms; the ranker of one tree node
against scikit-learn's logistic regression; the labels under a prefix against a marisa trie and against bisection in a
list. All on one thread, in processor time: each alternative once a round, and the median over rounds is given.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import marisa_trie
import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from systems import Data
from threadpoolctl import threadpool_limits

from qac._native import encode_labels
from qac.config import IndexConfig, TrainingConfig
from qac.examples import Example
from qac.features.prefix import PrefixTfidfVectorizer
from qac.features.session import SessionVectorizer
from qac.index.hybrid import build_tree
from qac.labels import LabelTable
from qac.model import LoadedModel, load_model
from qac.xlinear import RankingExamples, train_rankers

SINGLES = 500
"""Documents that are vectorised one at a time, and prefixes that are looked up."""
CHILDREN = 30
"""Children of the node that is learned."""
STEPS = 20_000
"""Examples that the node is learned from, at most."""
Row = dict[str, Any]


def measure(data: Data, model: Path, rounds: int) -> list[Row]:
    """Return a row for each part, alternative and figure: part, by, what, value, unit.

    ``model`` was trained on ``data``.
    """
    train, test = data.examples("train"), data.examples("test")
    sessions = sorted({e.prev_queries[-1] for e in train if e.prev_queries})
    prefixes = sorted({e.prefix for e in train if e.prefix})
    asked = [e for e in test if e.prev_queries and e.prefix][:SINGLES]
    return [
        *_vectorisers(
            "TF-IDF of words and pairs",
            {
                "qac": _OneQuery(SessionVectorizer(query_weight=0)),
                "scikit-learn": TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), lowercase=False),
            },
            sessions,
            [e.prev_queries[-1] for e in asked],
            rounds,
        ),
        *_vectorisers(
            "TF-IDF of characters",
            {
                "qac": PrefixTfidfVectorizer(position_decay=0),
                "scikit-learn": TfidfVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False),
            },
            prefixes,
            [e.prefix for e in asked],
            rounds,
        ),
        *_rankers(train, rounds),
        *_look_ups(LabelTable.from_examples(train).texts, load_model(model), [e.prefix for e in asked], rounds),
    ]


class _OneQuery:
    """A vectoriser of sessions that is given queries, each a session of its own."""

    def __init__(self, vectorizer: SessionVectorizer) -> None:
        self._vectorizer = vectorizer

    def fit(self, queries: Sequence[str]) -> None:
        self._vectorizer.fit([query] for query in queries)

    def transform(self, queries: Sequence[str]) -> sparse.csr_matrix:
        return self._vectorizer.transform([query] for query in queries)


def _vectorisers(
    part: str, vectorisers: dict[str, Any], texts: Sequence[str], asked: Sequence[str], rounds: int
) -> list[Row]:
    fit = _seconds({by: lambda v=v: v.fit(texts) for by, v in vectorisers.items()}, rounds)
    many = _seconds({by: lambda v=v: v.transform(texts) for by, v in vectorisers.items()}, rounds)
    one = _seconds({by: lambda v=v: [v.transform([t]) for t in asked] for by, v in vectorisers.items()}, rounds)
    return [
        *_rows(part, fit, f"learn {len(texts):,} texts", 1, "s"),
        *_rows(part, many, "a text of many", 1e6 / len(texts), "µs"),
        *_rows(part, one, "a text alone", 1e6 / len(asked), "µs"),
    ]


def _rankers(examples: Sequence[Example], rounds: int) -> list[Row]:
    """Learn which of the most frequent queries comes after a query: one node, whose children are labels.

    scikit-learn learns a weight for each feature and child, qac one for each that occur together.
    """
    frequent = Counter(e.next_query for e in examples if e.prev_queries).most_common(CHILDREN)
    number = {text: i for i, text in enumerate(sorted(text for text, _ in frequent))}
    steps = [(e.prev_queries[-1], number[e.next_query]) for e in examples if e.prev_queries and e.next_query in number]
    steps = steps[:STEPS]
    row = {query: i for i, query in enumerate(sorted({query for query, _ in steps}))}
    X = SessionVectorizer().fit_transform([query] for query in row)
    at = [child for _, child in steps], [row[query] for query, _ in steps]
    Y = sparse.csr_matrix((np.ones(len(steps), np.float32), at), shape=(len(number), len(row)))
    config = replace(TrainingConfig().ranker, prune=0)
    tree = build_tree(list(number), np.asarray(Y.sum(axis=1)).ravel().astype(float), IndexConfig())
    pairs = Y.tocoo()

    def logistic() -> None:
        model = LogisticRegression(C=1 / config.l2, tol=1e-3, max_iter=1000)
        model.fit(X[pairs.col], pairs.row, sample_weight=pairs.data)

    learners = {
        "qac": lambda: train_rankers(tree, RankingExamples(X, Y), config, threads=1),
        "scikit-learn": logistic,
    }
    what = f"learn {len(number)} children, {X.shape[0]:,} sessions, {X.shape[1]:,} features"
    return _rows("ranker of a node", _seconds(learners, rounds), what, 1e3, "ms")


def _look_ups(labels: Sequence[str], model: LoadedModel, prefixes: Sequence[str], rounds: int) -> list[Row]:
    strings, blocks = encode_labels(labels)
    trie = marisa_trie.Trie(labels)
    alternatives: dict[str, Callable[[str], Any]] = {
        "qac, their range": lambda prefix: model.native.prefix_range(prefix.encode()),
        "bisection, their range": lambda prefix: prefix_range(labels, prefix),
        "marisa-trie, a list": trie.keys,
    }
    taken = _seconds({by: lambda f=f: [f(p) for p in prefixes] for by, f in alternatives.items()}, rounds)
    size = {
        "qac, their range": strings.nbytes + blocks.nbytes,
        "bisection, their range": sys.getsizeof(labels) + sum(map(sys.getsizeof, labels)),
        "marisa-trie, a list": len(trie.tobytes()),
    }
    part = "labels under a prefix"
    return [
        *_rows(part, taken, "a look-up", 1e6 / len(prefixes), "µs"),
        *_rows(part, size, "a label", 1 / len(labels), "bytes"),
    ]


def prefix_range(labels: Sequence[str], prefix: str) -> tuple[int, int]:
    """Return the range of the sorted ``labels`` that start with ``prefix``."""
    lo = bisect_left(labels, prefix)
    return lo, bisect_left(labels, prefix + chr(sys.maxunicode), lo)


def _seconds(alternatives: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median processor seconds of each call over rounds, of which a first one is not counted."""
    taken: dict[str, list[float]] = {by: [] for by in alternatives}
    with threadpool_limits(1):
        for number in range(rounds + 1):
            for by, call in alternatives.items():
                began = time.process_time()
                call()
                taken[by] += [time.process_time() - began] if number else []
    return {by: median(seconds) for by, seconds in taken.items()}


def _rows(part: str, figures: dict[str, float], what: str, factor: float, unit: str) -> list[Row]:
    return [
        {"part": part, "by": by, "what": what, "value": figure * factor, "unit": unit} for by, figure in figures.items()
    ]
