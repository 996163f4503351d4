"""The three ways to make a label tree: trie, k-means, and one on top of the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qac.config import IndexConfig
from qac.features.prefix import PrefixTfidfVectorizer
from qac.index.kmeans import BalancedKMeansSplitter
from qac.index.tree import Labels, LabelTree, Split, TreeBuilder
from qac.index.trie import TrieSplitter


def build_tree(texts: Sequence[str], weights: npt.NDArray[np.float64], config: IndexConfig) -> LabelTree:
    """Return the tree over ``texts`` (ascending, distinct, not empty) with their ``weights`` (positive).

    Deterministic: the same labels, weights and configuration give the same tree.
    """
    depth = {"trie": None, "hybrid": config.depth, "kmeans": 0}[config.kind]
    return TreeBuilder(np.asarray(weights, dtype=np.float32)).build(_HybridSplitter(texts, depth, config))


class _HybridSplitter:
    def __init__(self, texts: Sequence[str], depth: int | None, config: IndexConfig) -> None:
        self._texts = texts
        self._config = config
        self._trie = TrieSplitter(texts, depth, config.max_leaf)
        self._clusters: BalancedKMeansSplitter | None = None

    def __call__(self, labels: Labels) -> Split | None:
        if len(labels) <= self._config.max_leaf:
            return None
        return self._trie(labels) or self._kmeans(labels)

    def _kmeans(self, labels: Labels) -> Split | None:
        if self._clusters is None:  # embeddings are made only where some node needs them
            self._clusters = BalancedKMeansSplitter(
                PrefixTfidfVectorizer().fit_transform(self._texts),
                self._config.branching,
                self._config.max_leaf,
                self._config.seed,
            )
        return self._clusters(labels)
