"""Splitting sorted labels by their next character."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from qac import _native
from qac.index.tree import Labels, Split

_MOST_PARTS: Final = 256


class TrieSplitter:
    """Splits a range of labels where they first differ (a path-compressed trie).

    A label that ends where the others go on is a part of its own. Nodes with at most ``max_leaf`` labels stay whole.
    Where labels go on with very many characters (thousands begin queries in Chinese), neighbouring ones share a part,
    which is then split in its turn: a ranker's work grows with its children.

    Parameters
    ----------
    texts : sequence of str
        All labels, ascending.
    depth : int or None
        Nodes whose labels already share this many code points are not split here; None: no bound.
    max_leaf : int
    """

    def __init__(self, texts: Sequence[str], depth: int | None, max_leaf: int) -> None:
        self._texts = texts
        self._depth = depth
        self._max_leaf = max_leaf
        self._shared = _native.common_prefixes(texts)

    def shared(self, labels: range) -> int:
        """Return how many code points all of ``labels`` (two or more) share at their start."""
        n_bytes = int(self._shared[labels.start + 1 : labels.stop].min())
        return len(self._texts[labels.start].encode("utf-8")[:n_bytes].decode("utf-8"))

    def is_deep(self, labels: range) -> bool:
        """Is this node at the trie's depth, so that it is left to others to split?"""
        return self._depth is not None and self.shared(labels) >= self._depth

    def __call__(self, labels: Labels) -> Split | None:
        """Return the parts of ``labels``, or None where it does not split them."""
        if not isinstance(labels, range) or len(labels) <= self._max_leaf or self.is_deep(labels):
            return None
        shared = self._shared[labels.start + 1 : labels.stop]
        cuts = (np.flatnonzero(shared == shared.min()) + labels.start + 1).tolist()
        if len(cuts) >= _MOST_PARTS:
            each = math.isqrt(len(cuts))
            cuts = cuts[each - 1 :: each]
        bounds = [labels.start, *cuts, labels.stop]
        return Split([range(a, b) for a, b in pairwise(bounds)])
