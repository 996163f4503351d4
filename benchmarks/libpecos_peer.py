"""The published system as its authors' library runs it: libpecos, trained and asked as in their experiments.

    pip install -e '.[peers]'        # in an environment of its own: libpecos needs NumPy 1, pyarrow NumPy 2

:func:`train_libpecos` takes a preset of :mod:`qac.presets` and examples and returns a completer like any other
(:class:`qac.completion.Suggester`). Features, trees and decoding follow the authors' code for the paper (amzn/pecos,
examples/qp2q): words of the last query by scikit-learn's TF-IDF, characters of the prefix by the same formula weighted
by position, both side by side at length 1; k-means by libpecos, below a trie for the hybrids; a beam of 10, and from
what it finds the queries that start with the prefix. What libpecos has not is ours: must-link clusters, and the TF-IDF
of labels' texts, learned from them (there: from the prefixes).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pecos.core import ScipyCompressedSparseAllocator, ScipyCsrF32, clib
from pecos.utils.cluster_util import ClusterChain
from pecos.xmc.base import HierarchicalKMeans
from pecos.xmc.xlinear import XLinearModel
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from qac.completion import Completion
from qac.config import IndexConfig, TrainingConfig
from qac.examples import Example
from qac.features.base import unit_rows
from qac.features.prefix import PrefixTfidfVectorizer
from qac.index.embeddings import embed_labels
from qac.index.hybrid import build_tree
from qac.index.tree import LabelTree
from qac.presets import PRESETS

Ids = npt.NDArray[np.int64]
Featurize = Callable[[Sequence[tuple[str, str]]], sparse.csr_matrix]


class LibpecosCompleter:
    """A trained model of libpecos and what it needs to be asked."""

    def __init__(self, name: str, model: XLinearModel, texts: Sequence[str], featurize: Featurize, beam: int) -> None:
        self.name = name
        self.n_labels = len(texts)
        self._model = model
        self._texts = texts
        self._featurize = featurize
        self._beam = beam

    def complete(self, prefix: str, prev: Sequence[str] = (), k: int = 10) -> list[Completion]:
        """Return up to ``k`` completions, best first; none where there is no earlier query, as published."""
        if not prev:
            return []
        return self.complete_batch([(prev[-1], prefix)], k)[0]

    def complete_batch(self, requests: Sequence[tuple[str, str]], k: int = 10) -> list[list[Completion]]:
        """Return the completions of requests, each a last query and a prefix: one thread, one call for all of them."""
        prefixes = [prefix for _, prefix in requests]
        return answers(self._model, self._featurize(requests), self._texts, prefixes, self._beam, k)

    def features(self, request: tuple[str, str]) -> ScipyCsrF32:
        """Return what :meth:`search` is given for a last query and a prefix."""
        return ScipyCsrF32.init_from(sparse.csr_matrix(self._featurize([request]), dtype=np.float32))

    def search(self, X: ScipyCsrF32) -> None:
        """Run the C++ search alone: neither features are made, nor answers read."""
        found = ScipyCompressedSparseAllocator()
        clib.xlinear_predict(self._model.model.model_chain, X, self._beam, None, _wanted(self._beam), 1, found)


def answers(
    model: XLinearModel, X: sparse.csr_matrix, texts: Sequence[str], prefixes: Sequence[str], beam: int, k: int
) -> list[list[Completion]]:
    """Return for each row of ``X`` the best ``k`` that start with its prefix, of what a beam search finds."""
    X = sparse.csr_matrix(X, dtype=np.float32)
    found = model.predict(X, beam_size=beam, only_topk=_wanted(beam), threads=1)
    out = []
    for row, prefix in enumerate(prefixes):
        span = slice(found.indptr[row], found.indptr[row + 1])
        scored = sorted(zip(-found.data[span], found.indices[span], strict=True))
        matching = [(texts[i], float(-score)) for score, i in scored if texts[i].startswith(prefix)]
        out.append([Completion(text, score, "libpecos") for text, score in matching[:k]])
    return out


def _wanted(beam: int) -> int:
    """Return how many labels are asked for: all under the beam's leaves, of at most 100 labels each."""
    return beam * 100


def train_libpecos(
    preset: str, examples: Iterable[Example], *, threads: int = -1, folder: Path | None = None
) -> LibpecosCompleter:
    """Train a preset on normalised examples.

    ``threads``: -1 for all processors. ``folder``: where to keep the rankers, as libpecos writes them.
    """
    config = PRESETS[preset].config
    requests, texts, Y = request_matrix(examples, use_prefix=config.use_prefix)
    featurize = _featurizer(config, requests)
    X = featurize(requests)
    levels = _levels(config, texts, X, sparse.csr_matrix(Y.T))
    model = train_rankers(X, Y, chain_of(levels, len(texts)), config, threads)
    with tempfile.TemporaryDirectory() as scratch:
        model.save(str(folder or scratch))
        model = load_rankers(folder or Path(scratch))
    return LibpecosCompleter(f"libpecos {preset}", model, texts, featurize, config.decoding.beam)


def load_rankers(folder: Path) -> XLinearModel:
    """Return a saved model for predictions alone: only these are fast."""
    return XLinearModel.load(str(folder), is_predict_only=True)


def train_rankers(
    X: sparse.csr_matrix, Y: sparse.csc_matrix, chain: ClusterChain, config: TrainingConfig, threads: int
) -> XLinearModel:
    """Train the rankers of a tree with libpecos. X: (requests, features), Y: (requests, labels)."""
    return XLinearModel.train(
        sparse.csr_matrix(X, dtype=np.float32),
        Y,
        C=chain,
        solver_type="L2R_L2LOSS_SVC_DUAL",
        bias=1.0,
        Cp=config.ranker.positive_cost / config.ranker.l2,
        Cn=config.ranker.negative_cost / config.ranker.l2,
        eps=config.ranker.tolerance,
        max_iter=config.ranker.max_passes,
        threshold=config.ranker.prune,
        negative_sampling_scheme="tfn+man" if config.ranker.matcher_beam else "tfn",
        pred_kwargs={"beam_size": config.ranker.matcher_beam or config.decoding.beam},
        threads=threads,
    )


def request_matrix(
    examples: Iterable[Example], *, use_prefix: bool
) -> tuple[list[tuple[str, str]], list[str], sparse.csc_matrix]:
    """Return the distinct (last query, prefix), the distinct next queries, and which led to which: (requests,
    labels)."""
    pairs = {((e.prev_queries[-1], e.prefix if use_prefix else ""), e.next_query) for e in examples if e.prev_queries}
    requests, texts = sorted({r for r, _ in pairs}), sorted({t for _, t in pairs})
    row, column = {r: i for i, r in enumerate(requests)}, {t: i for i, t in enumerate(texts)}
    at = [row[r] for r, _ in pairs], [column[t] for _, t in pairs]
    Y = sparse.csc_matrix((np.ones(len(pairs), np.float32), at), shape=(len(requests), len(texts)))
    return requests, texts, Y


def _featurizer(config: TrainingConfig, requests: Sequence[tuple[str, str]]) -> Featurize:
    words = TfidfVectorizer(strip_accents="unicode", dtype=np.float32).fit(sorted({query for query, _ in requests}))
    characters = PrefixTfidfVectorizer(position_decay=config.position_decay)
    if config.use_prefix:
        characters.fit(prefix for _, prefix in requests)

    def featurize(rows: Sequence[tuple[str, str]]) -> sparse.csr_matrix:
        by_query = words.transform([query for query, _ in rows])
        if not config.use_prefix:
            return by_query
        return unit_rows(sparse.hstack([by_query, characters.transform(prefix for _, prefix in rows)], format="csr"))

    return featurize


# ---- trees: for each level below the root, the cluster of each label ----


def _levels(config: TrainingConfig, texts: list[str], X: sparse.csr_matrix, Y: sparse.csr_matrix) -> list[Ids]:
    index = config.index
    if index.kind == "trie":
        return _trie_levels(texts, index.resolved_depth or max(map(len, texts)))
    embedding = embed_labels(index.embedding, texts, X, Y, position_decay=config.position_decay)
    if index.kind == "mustlink":
        return tree_levels(build_tree(texts, np.ones(len(texts)), index, lambda: embedding))
    if index.kind == "kmeans":
        return _kmeans_levels(embedding, index)
    return _hybrid_levels(_trie_levels(texts, index.resolved_depth or 1), embedding, index)


def _trie_levels(texts: Sequence[str], depth: int) -> list[Ids]:
    """Number the labels' beginnings; one that ends before a level is told from those that go on."""
    levels = []
    for length in range(1, depth + 1):
        number: dict[tuple[str, bool], int] = {}
        keys = ((text[:length], len(text) < length) for text in texts)
        levels.append(np.array([number.setdefault(key, len(number)) for key in keys], np.int64))
    return levels


def _kmeans_levels(embedding: sparse.csr_matrix, index: IndexConfig) -> list[Ids]:
    chain = HierarchicalKMeans.gen(
        sparse.csr_matrix(embedding, dtype=np.float32),
        nr_splits=index.branching,
        max_leaf_size=index.max_leaf,
        imbalanced_ratio=1e-19,  # with 0, libpecos refuses a branch of a single label
        seed=index.seed,
    )
    levels = [chain[-1].tocsr().indices.astype(np.int64)]
    for matrix in reversed(chain.chain[1:-1]):
        levels.insert(0, matrix.tocsr().indices[levels[0]].astype(np.int64))
    return levels if len(chain) > 1 else []


def _hybrid_levels(trie: list[Ids], embedding: sparse.csr_matrix, index: IndexConfig) -> list[Ids]:
    """Divide each cluster of the trie's last level; those of fewer levels stay as they are below."""
    below: list[Ids] = []
    used = 0
    for cluster in range(int(trie[-1].max()) + 1):
        members = np.flatnonzero(trie[-1] == cluster)
        levels = _kmeans_levels(embedding[members], index) if len(members) > index.max_leaf else []
        levels = levels or [np.zeros(len(members), np.int64)]
        while len(below) < len(levels):
            below.append(below[-1].copy() if below else np.zeros(len(trie[-1]), np.int64))
        for depth, level in enumerate(below):
            level[members] = used + levels[min(depth, len(levels) - 1)]
        used += int(levels[-1].max()) + 1
    return trie + below


def tree_levels(tree: LabelTree) -> list[Ids]:
    """Return the same of a tree of ours; where it ends early, the last cluster is repeated."""
    levels: list[Ids] = []
    nodes = [0]
    while nodes:
        level = levels[-1].copy() if levels else np.zeros(tree.n_labels, np.int64)
        following = []
        for node in nodes:
            if not tree.is_leaf(node):
                for child in tree.children(node):
                    labels = tree.labels(child) if child >= 0 else [~child]
                    level[labels] = child if child >= 0 else tree.n_nodes + ~child
                    following += [child] if child >= 0 else []
        levels.append(level)
        nodes = following
    return levels[:-1]


def chain_of(levels: Sequence[Ids], n: int) -> ClusterChain:
    """Return the matrices (children, parents) from the root to the ``n`` labels."""
    chain = []
    parent, n_parents = np.zeros(n, np.int64), 1
    for ids in [*levels, np.arange(n)]:
        _, number = np.unique(ids, return_inverse=True)
        edges = np.unique(np.stack([number, parent]), axis=1)
        n_children = int(number.max()) + 1
        chain.append(sparse.csc_matrix((np.ones(edges.shape[1], np.float32), edges), shape=(n_children, n_parents)))
        parent, n_parents = number, n_children
    return ClusterChain(chain)
