"""The ways to make a label tree: trie, k-means, one on top of the other, and k-means under constraints."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from qac.config import MAX_CHILDREN, IndexConfig
from qac.index.embeddings import TextRows
from qac.index.kmeans import BalancedKMeansSplitter
from qac.index.mustlink import MustLinkSplitter
from qac.index.tree import Labels, LabelTree, Split, TreeBuilder
from qac.index.trie import TrieSplitter

Embed = Callable[[], sparse.csr_matrix | TextRows]


def build_tree(
    texts: Sequence[str],
    weights: npt.NDArray[np.float64],
    config: IndexConfig,
    embed: Embed | None = None,
    *,
    threads: int = 1,
) -> LabelTree:
    """Return the tree over ``texts`` (ascending, distinct, not empty) with their ``weights`` (positive).

    ``embed`` gives the labels' embedding, one row each, and is called only where clusters are needed; without it the
    labels' texts are embedded. Deterministic: the same labels, weights, embedding and configuration give the same tree,
    for any number of ``threads``.
    """
    embed = embed or (lambda: TextRows(texts))
    return TreeBuilder(np.asarray(weights, dtype=np.float32)).build(_Splitter(texts, config, embed), threads)


class _Splitter:
    def __init__(self, texts: Sequence[str], config: IndexConfig, embed: Embed) -> None:
        self._texts = texts
        self._config = config
        self._embed = embed
        trie_depth = config.resolved_depth if config.kind in ("trie", "hybrid") else 0
        self._trie = TrieSplitter(texts, trie_depth, config.max_leaf)
        self._clusters: Callable[[Labels, int], Split] | None = None
        self._lock = threading.Lock()

    def __call__(self, labels: Labels, level: int) -> Split | None:
        if len(labels) <= self._config.max_leaf:
            return None
        split = self._trie(labels)
        if split is None and not self._ends_here(labels):
            with self._lock:
                self._clusters = self._clusters or self._make_clusters()
            split = self._clusters(labels, level)
        return split

    def _ends_here(self, labels: Labels) -> bool:
        return (
            self._config.kind == "trie"
            and isinstance(labels, range)
            and len(labels) <= MAX_CHILDREN
            and self._trie.is_deep(labels)
        )

    def _make_clusters(self) -> Callable[[Labels, int], Split]:
        embedding = self._embed()
        clusters = BalancedKMeansSplitter(embedding, self._config.branching, self._config.seed)
        if self._config.kind == "mustlink":
            return MustLinkSplitter(self._texts, embedding, clusters, self._config.resolved_depth or 0)
        return lambda labels, level: clusters(labels)
