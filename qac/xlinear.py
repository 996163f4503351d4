"""XR-Linear: one small linear ranker at every node of the label tree (Yu et al., PECOS, arXiv 2010.05878).

At a node, the examples under it teach which child comes next ("teacher forcing"). With the softmax loss the offset is
the logarithm of the child's count: without a session it gives exactly the most popular completions, and the session
bends that; a weight exists only where its feature and its child occur together in some example, so models stay small.
The published loss is the squared hinge, each child against the rest, with a feature that is always 1; how often an
example was made does not count there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from qac import _native
from qac._native import ExampleArrays, RankerArrays, TrainingState
from qac.config import RankerConfig
from qac.index.tree import LabelTree

_WEIGHTS: Final = 1 << 24
"""Weights that are rounded at a time."""


@dataclass(frozen=True)
class RankingExamples:
    """What rankers learn from.

    ``X``: features of distinct sessions, shape (sessions, features). ``Y``: how often a session led to a label, shape
    (labels, sessions).
    """

    X: sparse.csr_matrix
    Y: sparse.csr_matrix


@dataclass(frozen=True)
class Rankers:
    """All rankers of a tree, weights rounded to ``weight_bits``: weight = ``entry_weight * scale[node]``."""

    node_rows: npt.NDArray[np.uint32]
    scale: npt.NDArray[np.float32]
    row_feature: npt.NDArray[np.uint32]
    row_end: npt.NDArray[np.uint64]
    entry_child: npt.NDArray[np.uint16]
    entry_weight: npt.NDArray[np.int8]
    weight_bits: int
    state: TrainingState

    @property
    def n_weights(self) -> int:
        """Number of stored weights."""
        return len(self.entry_weight)


def train_rankers(
    tree: LabelTree,
    examples: RankingExamples,
    config: RankerConfig,
    *,
    threads: int,
    watch: Callable[[TrainingState], None] = lambda state: None,
) -> Rankers:
    """Train a ranker for every node with two or more children.

    ``watch`` is called a few times a second and once at the end; if it raises, training is cancelled.
    """
    final: list[TrainingState] = []

    def note(state: TrainingState) -> None:
        final[:] = [state]
        watch(state)

    X, Y = examples.X, examples.Y
    if config.loss == "hinge":
        X = sparse.hstack([X, np.ones((X.shape[0], 1), np.float32)], format="csr")
    trained = _native.train(
        tree.arrays,
        ExampleArrays(
            row_end=X.indptr[1:].astype(np.uint64),
            feature=X.indices.astype(np.uint32),
            value=X.data.astype(np.float32, copy=False),
            features=X.shape[1],
            label_end=Y.indptr[1:].astype(np.uint64),
            example_row=Y.indices.astype(np.uint32),
            example_weight=Y.data.astype(np.float32, copy=False),
        ),
        threads=threads,
        watch=note,
        **{name: value for name, value in asdict(config).items() if name != "weight_bits"},
    )
    scale, quantised = _quantise(trained, _native.largest_weight(config.weight_bits))
    return Rankers(
        trained.node_rows,
        scale,
        trained.row_feature,
        trained.row_end,
        trained.entry_child,
        quantised,
        config.weight_bits,
        final[0],
    )


def _quantise(r: RankerArrays, most: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int8]]:
    """Round each node's weights to even steps, ``most`` of them up to its largest absolute weight."""
    rows = np.concatenate([[0], np.cumsum(r.node_rows, dtype=np.int64)])
    ends = np.concatenate([[0], r.row_end]).astype(np.int64)[rows]
    scale = np.zeros(len(r.node_rows), np.float32)
    steps = np.empty(len(r.entry_weight), np.int8)
    first = 0
    while first < len(scale):  # some nodes at a time: all weights once more would be much
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + _WEIGHTS, side="right")) - 1)
        begin, end = ends[first], ends[last]
        size = np.diff(ends[first : last + 1])
        filled, weight = size > 0, r.entry_weight[begin:end]
        largest = np.zeros(last - first, np.float32)
        if filled.any():
            largest[filled] = np.maximum.reduceat(np.abs(weight), (ends[first:last] - begin)[filled])
        scale[first:last] = largest / np.float32(most)
        per_entry = np.repeat(scale[first:last], size)
        quotient = np.divide(weight, per_entry, out=np.zeros_like(weight), where=per_entry > 0)
        steps[begin:end] = np.rint(quotient).astype(np.int8)
        first = last
    return scale, steps
