"""Splitting labels into clusters of like size and like content."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from qac.index.tree import Labels, Split

_ROUNDS: Final = 20


class BalancedKMeansSplitter:
    """Balanced spherical B-ary k-means (Yu et al., PECOS, arXiv 2010.05878, section 3.1), by repeated halving.

    A halving finds two unit centroids, orders the labels by how much nearer they are to the first than to the second,
    and cuts the order in the middle; then the centroids are the means of the halves, and again, until nothing moves.

    Parameters
    ----------
    embedding : sparse matrix, shape (labels, dimensions)
        One row of Euclidean length 1 per label.
    branching : int
        Number of children, B.
    max_leaf : int
        Nodes with at most this many labels stay whole.
    seed : int
    """

    def __init__(self, embedding: sparse.csr_matrix, branching: int, max_leaf: int, seed: int) -> None:
        self._embedding = embedding
        self._branching = branching
        self._max_leaf = max_leaf
        self._seed = seed

    def __call__(self, labels: Labels) -> Split | None:
        """Return the parts of ``labels``, or None for a leaf."""
        if len(labels) <= self._max_leaf:
            return None
        ids = np.asarray(labels, dtype=np.uint32)
        # The draw depends on the node alone, so that the order in which nodes are split does not matter.
        rng = np.random.default_rng([self._seed, int(ids[0]), len(ids)])
        parts = _divide(_compact(self._embedding[ids]), np.arange(len(ids)), min(self._branching, len(ids)), rng)
        return Split([ids[np.sort(p)] for p in parts], clusters=True)


def _compact(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Drop the columns that are empty: centroids are dense."""
    used, columns = np.unique(rows.indices, return_inverse=True)
    return sparse.csr_matrix((rows.data, columns, rows.indptr), shape=(rows.shape[0], len(used)))


def _divide(
    X: sparse.csr_matrix, rows: npt.NDArray[np.intp], parts: int, rng: np.random.Generator
) -> list[npt.NDArray[np.intp]]:
    if parts == 1:
        return [rows]
    left_parts = (parts + 1) // 2
    left, right = _halve(X, rows, round(len(rows) * left_parts / parts), rng)
    return [*_divide(X, left, left_parts, rng), *_divide(X, right, parts - left_parts, rng)]


def _halve(
    X: sparse.csr_matrix, rows: npt.NDArray[np.intp], size: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Cut ``rows`` into a part of ``size`` rows and the rest."""
    part = X[rows]
    first, second = rng.choice(len(rows), 2, replace=False)
    direction = (part[int(first)] - part[int(second)]).toarray().ravel()
    before: npt.NDArray[np.intp] | None = None
    order = np.arange(len(rows))
    for _ in range(_ROUNDS):
        order = np.argsort(-(part @ direction), kind="stable")
        left = np.sort(order[:size])
        if before is not None and np.array_equal(left, before):
            break
        before = left
        direction = _centroid(part, order[:size]) - _centroid(part, order[size:])
    return rows[order[:size]], rows[order[size:]]


def _centroid(part: sparse.csr_matrix, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    weights = np.zeros(part.shape[0])
    weights[rows] = 1
    mean: npt.NDArray[np.float64] = part.T @ weights
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0 else mean
