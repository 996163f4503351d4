"""Splitting labels into clusters of like size and like content."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from qac.index.embeddings import TextRows
from qac.index.tree import Labels, Split

_ROUNDS: Final = 20


class BalancedKMeansSplitter:
    """Balanced spherical B-ary k-means (Yu et al., PECOS, arXiv 2010.05878, section 3.1), by repeated halving.

    A halving finds two unit centroids, orders the labels by how much nearer they are to the first than to the second,
    and cuts the order in the middle; then the centroids are the means of the halves, and again, until nothing moves.

    Parameters
    ----------
    embedding : sparse matrix, shape (labels, dimensions), or what gives rows of one
        One row of Euclidean length 1 per label.
    branching : int
        Number of children, B.
    seed : int
    """

    def __init__(self, embedding: sparse.csr_matrix | TextRows, branching: int, seed: int) -> None:
        self._embedding = embedding
        self._branching = branching
        self._seed = seed

    def __call__(self, labels: Labels) -> Split:
        """Return the parts of ``labels``, two or more of them."""
        ids = np.asarray(labels, dtype=np.uint32)
        return Split([ids[p] for p in self.divide(self._embedding[ids], int(ids[0]))], clusters=True)

    def divide(
        self, X: sparse.csr_matrix, first: int, weights: npt.NDArray[np.int64] | None = None
    ) -> list[npt.NDArray[np.intp]]:
        """Return the parts of the rows of ``X``, ascending in each.

        ``first``: the node's first label. ``weights``: how many labels each row stands for, one if not given; the
        parts' sums are as alike as whole rows allow.
        """
        # The draw depends on the node alone, so that the order in which nodes are split does not matter.
        rng = np.random.default_rng([self._seed, first, X.shape[0]])
        parts = _divide(_compact(X), np.arange(X.shape[0]), min(self._branching, X.shape[0]), weights, rng)
        return [np.sort(p) for p in parts]


def _compact(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Drop the columns that are empty: centroids are dense. Double, as those are: no product converts it again."""
    if rows.nnz * 8 < rows.shape[1]:
        used, columns = np.unique(rows.indices, return_inverse=True)
    else:
        there = np.zeros(rows.shape[1], np.bool_)
        there[rows.indices] = True
        used = np.flatnonzero(there)
        columns = (np.cumsum(there) - 1)[rows.indices]
    return sparse.csr_matrix((rows.data.astype(np.float64), columns, rows.indptr), shape=(rows.shape[0], len(used)))


def _divide(
    X: sparse.csr_matrix,
    rows: npt.NDArray[np.intp],
    parts: int,
    weights: npt.NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> list[npt.NDArray[np.intp]]:
    if parts == 1:
        return [rows]
    left_parts = (parts + 1) // 2
    left, right = _halve(X, rows, left_parts, parts, weights, rng)
    return [
        *_divide(X, left, left_parts, weights, rng),
        *_divide(X, right, parts - left_parts, weights, rng),
    ]


def _halve(
    X: sparse.csr_matrix,
    rows: npt.NDArray[np.intp],
    left_parts: int,
    parts: int,
    weights: npt.NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Cut ``rows`` into two that hold ``left_parts`` of all ``parts`` and the rest."""
    part = X[rows]
    columns = part.T
    first, second = rng.choice(len(rows), 2, replace=False)
    direction = (part[int(first)] - part[int(second)]).toarray().ravel()
    if not direction.any():  # two equal rows tell nothing apart
        from_first = part.multiply(part).sum(axis=1).A1 - 2 * (part @ part[int(first)].toarray().ravel())
        direction = (part[int(first)] - part[int(np.argmax(from_first))]).toarray().ravel()
    before: npt.NDArray[np.intp] | None = None
    order, size = np.arange(len(rows)), 0
    for _ in range(_ROUNDS):
        order = np.argsort(-(part @ direction), kind="stable")
        size = _cut(len(rows), left_parts, parts, None if weights is None else weights[rows[order]])
        left = np.sort(order[:size])
        if before is not None and np.array_equal(left, before):
            break
        before = left
        direction = _centroid(columns, order[:size]) - _centroid(columns, order[size:])
    return rows[order[:size]], rows[order[size:]]


def _cut(n: int, left_parts: int, parts: int, weights: npt.NDArray[np.int64] | None) -> int:
    """Return how many of ``n`` rows, in the order of ``weights``, come nearest to their share; enough for each part."""
    if weights is None:
        return round(n * left_parts / parts)
    sums = np.cumsum(weights)
    nearest = int(np.argmin(np.abs(sums - sums[-1] * (left_parts / parts)))) + 1
    return min(max(nearest, left_parts), n - (parts - left_parts))


def _centroid(columns: sparse.csc_matrix, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    weights = np.zeros(columns.shape[1])
    weights[rows] = 1
    mean: npt.NDArray[np.float64] = columns @ weights
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0 else mean
