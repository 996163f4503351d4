"""Clusters that keep labels with a common beginning together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from qac.index.embeddings import TextRows
from qac.index.kmeans import BalancedKMeansSplitter
from qac.index.tree import Labels, Split


class MustLinkSplitter:
    """k-means with must-link constraints (Yadav et al., KDD 2021, section 4.2).

    At level ``l`` of the tree (the root: 0), labels that share their first ``l + 1`` code points stay together: the
    mean of their embeddings stands for all of them, and weighs as many as they are when parts are made of like size.
    Where that would leave a node whole, longer beginnings are looked at, up to ``depth``; from level ``depth`` on
    nothing is linked.

    Parameters
    ----------
    texts : sequence of str
        All labels, ascending.
    embedding : sparse matrix, shape (labels, dimensions), or what gives rows of one
    clusters : BalancedKMeansSplitter
    depth : int
    """

    def __init__(
        self,
        texts: Sequence[str],
        embedding: sparse.csr_matrix | TextRows,
        clusters: BalancedKMeansSplitter,
        depth: int,
    ) -> None:
        self._texts = texts
        self._embedding = embedding
        self._clusters = clusters
        self._depth = depth

    def __call__(self, labels: Labels, level: int) -> Split:
        """Return the parts of ``labels``, two or more of them, a node at ``level``."""
        ids = np.asarray(labels, dtype=np.uint32)
        for length in range(level + 1, self._depth + 1):
            begins = self._begins(ids, length)
            if len(begins) > 1:
                return self._split(ids, begins)
        return self._clusters(ids)

    def _begins(self, ids: npt.NDArray[np.uint32], length: int) -> npt.NDArray[np.intp]:
        """Return where in ``ids`` each run of labels with the same first ``length`` code points begins."""
        keys = [self._texts[i][:length] for i in ids.tolist()]
        changes = [a != b for a, b in zip(keys[1:], keys[:-1], strict=True)]
        return np.concatenate([[0], np.flatnonzero(changes) + 1])

    def _split(self, ids: npt.NDArray[np.uint32], begins: npt.NDArray[np.intp]) -> Split:
        sizes = np.diff(np.append(begins, len(ids)))
        mean = sparse.csr_matrix(
            (np.repeat(1 / sizes, sizes), np.arange(len(ids)), np.append(begins, len(ids))),
            shape=(len(begins), len(ids)),
        )
        groups = self._clusters.divide(sparse.csr_matrix(mean @ self._embedding[ids]), int(ids[0]), sizes)
        runs = np.split(ids, begins[1:])
        return Split([np.concatenate([runs[g] for g in part]) for part in groups], clusters=True)
